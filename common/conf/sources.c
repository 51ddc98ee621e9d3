#include "common/conf/sources.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/conf/conf.h"
#include "common/conf/file.h"

#include "common/base/banned.h"

#define MAGIC "backupd configuration, packed 1\n"

enum { MAGIC_LEN = sizeof MAGIC - 1, DIGITS_MAX = 10 };

static struct conf_source *add(struct conf_sources *s, char *name, struct error *err)
{
    struct conf_source *f = name != NULL ? vec_push(&s->files, err) : NULL;
    if (f == NULL) {
        free(name);
        return NULL;
    }
    *f = (struct conf_source){ .name = name, .text = BUF_INIT };
    return f;
}

void conf_sources_free(struct conf_sources *sources)
{
    for (size_t i = 0; i < sources->files.len; i++) {
        struct conf_source *f = vec_at(&sources->files, i);
        free(f->name);
        free(f->problem);
        buf_free(&f->text);
    }
    vec_free(&sources->files);
}

/* ---- from files ------------------------------------------------------------------------------------------------------ */

/* A drop-in that cannot be read is one problem more, not the end of the search for others. */
static int read_drop_in(struct conf_sources *s, char *name, struct error *err)
{
    struct error why = ERROR_INIT;
    struct conf_source *f = add(s, name, err);
    if (f == NULL)
        return E_NOMEM;
    if (conf_file_read(name, false, &f->text, &why) == 0)
        return 0;
    f->problem = str_dup(why.text, err);
    return f->problem != NULL ? 0 : E_NOMEM;
}

static int read_drop_ins(struct conf_sources *s, const char *main_file, struct error *err)
{
    struct vec names = VEC_OF(char *);
    char *dir = conf_file_dir(main_file, err);
    char *drop = dir == NULL ? NULL : str_printf(err, "%s/conf.d", strcmp(dir, "/") == 0 ? "" : dir);
    int rc = E_NOMEM;
    if (drop != NULL)
        rc = conf_file_list(strchr(main_file, '/') == NULL ? "conf.d" : drop, &names, err);
    for (size_t i = 0; i < names.len; i++) {
        char *name = *(char **)vec_at(&names, i);
        if (rc == 0)
            rc = read_drop_in(s, name, err);
        else
            free(name);
    }
    vec_free(&names);
    free(drop);
    free(dir);
    return rc;
}

/* ---- packed ---------------------------------------------------------------------------------------------------------- */

static int damaged(const char *path, struct error *err)
{
    return error_set(err, E_CORRUPT, "%s is no packed configuration, or is cut off", path);
}

struct reading {
    const char *path;
    const uint8_t *at;
    size_t left;
};

/* Decimal digits and the byte that ends them. */
static int read_length(struct reading *r, char end, size_t limit, size_t *out, struct error *err)
{
    size_t n = 0;
    size_t digits = 0;
    while (digits < r->left && digits < DIGITS_MAX && r->at[digits] >= '0' && r->at[digits] <= '9')
        n = n * 10 + (size_t)(r->at[digits++] - '0');
    if (digits == 0 || digits >= r->left || r->at[digits] != (uint8_t)end || n > limit)
        return damaged(r->path, err);
    r->at += digits + 1;
    r->left -= digits + 1;
    *out = n;
    return 0;
}

/* len bytes and a newline. */
static const char *read_bytes(struct reading *r, size_t len, struct error *err)
{
    const char *start = (const char *)r->at;
    if (r->left <= len || r->at[len] != '\n') {
        (void)damaged(r->path, err);
        return NULL;
    }
    r->at += len + 1;
    r->left -= len + 1;
    return start;
}

static int unpack_one(struct conf_sources *s, struct reading *r, struct error *err)
{
    size_t name_len = 0;
    size_t text_len = 0;
    const char *name = NULL;
    const char *text = NULL;
    if (s->files.len > CONF_FILES_MAX)
        return damaged(r->path, err);
    int rc = read_length(r, ' ', PATH_MAX, &name_len, err);
    if (rc == 0)
        rc = read_length(r, '\n', CONF_FILE_MAX, &text_len, err);
    if (rc < 0)
        return rc;
    if ((name = read_bytes(r, name_len, err)) == NULL || (text = read_bytes(r, text_len, err)) == NULL)
        return E_CORRUPT;
    if (memchr(name, '\0', name_len) != NULL)
        return damaged(r->path, err);
    struct conf_source *f = add(s, str_dup_len(name, name_len, err), err);
    rc = f != NULL ? buf_reserve(&f->text, text_len + 1, err) : E_NOMEM;
    if (rc == 0)
        rc = buf_append(&f->text, text, text_len, err);
    if (rc == 0)
        f->text.data[text_len] = '\0';
    return rc;
}

static int unpack(struct conf_sources *s, const char *path, const struct buf *packed, struct error *err)
{
    struct reading r = { .path = path, .at = packed->data + MAGIC_LEN, .left = packed->len - MAGIC_LEN };
    int rc = r.left > 0 ? 0 : damaged(path, err);
    while (rc == 0 && r.left > 0)
        rc = unpack_one(s, &r, err);
    return rc;
}

bool conf_is_packed(const struct buf *text)
{
    return text->len >= MAGIC_LEN && memcmp(text->data, MAGIC, MAGIC_LEN) == 0;
}

static int pack_one(const char *name, const struct buf *text, struct buf *out, struct error *err)
{
    int rc = buf_printf(out, err, "%zu %zu\n%s\n", strlen(name), text->len, name);
    if (rc == 0)
        rc = buf_append(out, text->data, text->len, err);
    return rc == 0 ? buf_append(out, "\n", 1, err) : rc;
}

int conf_sources_pack(const struct conf_sources *sources, struct buf *out, struct error *err)
{
    int rc = buf_append(out, MAGIC, MAGIC_LEN, err);
    for (size_t i = 0; rc == 0 && i < sources->files.len; i++) {
        const struct conf_source *f = conf_source_at(sources, i);
        char *name = i == 0 ? conf_file_absolute(f->name, err) : str_dup(f->name, err);
        rc = name != NULL ? pack_one(name, &f->text, out, err) : E_NOMEM;
        free(name);
    }
    return rc;
}

/* ---- either ---------------------------------------------------------------------------------------------------------- */

static int read_main(struct conf_sources *s, const char *path, const char *make_one, struct error *err)
{
    struct buf text = BUF_INIT;
    struct error why = ERROR_INIT;
    int rc = conf_file_read(path, true, &text, &why);
    if (rc == 0 && conf_is_packed(&text)) {
        s->packed = true;
        rc = unpack(s, path, &text, err);
    } else if (rc == 0) {
        struct conf_source *f = add(s, str_dup(path, err), err);
        rc = f != NULL ? 0 : E_NOMEM;
        if (f != NULL) {
            f->text = text;
            text = (struct buf)BUF_INIT;
            rc = read_drop_ins(s, path, err);
        }
    } else if (rc == E_NOT_FOUND) {
        rc = error_set(err, E_NOT_FOUND, "there is no configuration %s: write one with `%s`", path,
                       make_one != NULL ? make_one : "backupd init");
    } else {
        rc = error_copy(err, &why);
    }
    buf_free(&text);
    return rc;
}

int conf_sources_read(const char *path, const char *make_one, struct conf_sources *out, struct error *err)
{
    *out = (struct conf_sources){ .files = VEC_OF(struct conf_source) };
    int rc = read_main(out, path, make_one, err);
    if (rc < 0)
        conf_sources_free(out);
    return rc;
}
