#include "common/backend/backend.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/banned.h"

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

static const char *name_fault(const char *name)
{
    if (name == NULL || name[0] == '\0')
        return "is empty";
    if (strlen(name) > BACKEND_NAME_MAX)
        return "is too long";
    bool start = true;
    for (const char *p = name; *p != '\0'; p++) {
        if (*p == '/') {
            if (start)
                return "has an empty component";
            start = true;
            continue;
        }
        if (start && *p == '.')
            return "has a component that starts with a dot";
        if (!name_char(*p))
            return "has a character outside [A-Za-z0-9._-]";
        start = false;
    }
    return start ? "ends with a slash" : NULL;
}

int backend_name_check(const char *name, struct error *err)
{
    const char *fault = name_fault(name);
    if (fault == NULL)
        return 0;
    return error_set(err, E_USAGE, "storage name '%.300s' %s", name != NULL ? name : "", fault);
}

unsigned backend_caps(const struct backend *b)
{
    return b->caps;
}

const char *backend_where(const struct backend *b)
{
    return b->where;
}

const char *backend_identity(const struct backend *b)
{
    return b->identity != NULL ? b->identity : "";
}

struct backend *backend_clone(const struct backend *b, struct error *err)
{
    return b->ops->clone(b, err);
}

void backend_close(struct backend *b)
{
    if (b == NULL)
        return;
    char *where = b->where;
    char *identity = b->identity;
    b->ops->close(b);
    free(where);
    free(identity);
}

struct upload *backend_create(struct backend *b, const char *name, uint64_t expect, struct error *err)
{
    if (backend_name_check(name, err) < 0)
        return NULL;
    return b->ops->create(b, name, expect, err);
}

int upload_write(struct upload *u, const void *data, size_t len, struct error *err)
{
    if (u->failed < 0)
        return error_set(err, u->failed, "an earlier write of this upload failed");
    if (len == 0)
        return 0;
    int rc = u->backend->ops->write(u, data, len, err);
    if (rc < 0)
        u->failed = rc;
    return rc;
}

int upload_finish(struct upload *u, struct error *err)
{
    const struct backend_ops *ops = u->backend->ops;
    int rc;
    if (u->failed < 0)
        rc = error_set(err, u->failed, "an earlier write of this upload failed");
    else
        rc = ops->finish(u, err);
    ops->release(u);
    return rc;
}

void upload_drop(struct upload *u)
{
    if (u != NULL)
        u->backend->ops->release(u);
}

int backend_put(struct backend *b, const char *name, const void *data, size_t len, struct error *err)
{
    /* The code must survive a NULL err, so the cause is kept here. */
    struct error cause = ERROR_INIT;
    struct upload *u = backend_create(b, name, len, &cause);
    if (u == NULL)
        return error_copy(err, &cause);
    int rc = upload_write(u, data, len, err);
    if (rc < 0) {
        upload_drop(u);
        return rc;
    }
    return upload_finish(u, err);
}

int backend_read(struct backend *b, const char *name, uint64_t offset, void *data, size_t len,
                 struct error *err)
{
    int rc = backend_name_check(name, err);
    if (rc < 0 || len == 0)
        return rc;
    if (len > INT64_MAX || offset > (uint64_t)INT64_MAX - len)
        return error_corrupt(err, "short-file", "%s: no file reaches offset %llu", name,
                             (unsigned long long)offset);
    return b->ops->read(b, name, offset, data, len, err);
}

int backend_read_all(struct backend *b, const char *name, uint64_t limit, struct buf *out, struct error *err)
{
    struct backend_stat st;
    int rc = backend_stat(b, name, &st, err);
    if (rc < 0)
        return rc;
    if (st.is_dir)
        return error_set(err, E_IO, "%s is a directory", name);
    if (st.size > limit || st.size > SIZE_MAX)
        return error_corrupt(err, "too-large", "%s has %llu bytes, the limit is %llu", name,
                             (unsigned long long)st.size, (unsigned long long)limit);
    size_t len = (size_t)st.size;
    buf_clear(out);
    rc = buf_reserve(out, len, err);
    if (rc < 0)
        return rc;
    rc = backend_read(b, name, 0, out->data, len, err);
    if (rc == 0)
        out->len = len;
    return rc;
}

int backend_stat(struct backend *b, const char *name, struct backend_stat *st, struct error *err)
{
    int rc = backend_name_check(name, err);
    return rc < 0 ? rc : b->ops->stat(b, name, st, err);
}

int backend_list(struct backend *b, const char *dir, backend_list_fn *fn, void *arg, struct error *err)
{
    if (dir[0] != '\0') {
        int rc = backend_name_check(dir, err);
        if (rc < 0)
            return rc;
    }
    return b->ops->list(b, dir, fn, arg, err);
}

int backend_remove(struct backend *b, const char *name, struct error *err)
{
    int rc = backend_name_check(name, err);
    return rc < 0 ? rc : b->ops->remove(b, name, err);
}

int backend_make_dir(struct backend *b, const char *name, unsigned mode, struct error *err)
{
    int rc = backend_name_check(name, err);
    return rc < 0 ? rc : b->ops->make_dir(b, name, mode, err);
}

int backend_space(struct backend *b, struct backend_space *space, struct error *err)
{
    return b->ops->space(b, space, err);
}
