/* R1: what is on the storage of each writer. Listed after the logs were read: a pack that came later is not seen. */
#include <string.h>

#include "common/repo/prune_internal.h"
#include "common/base/banned.h"

struct listing {
    struct prune_writer *pw;
    enum name_kind kind;
    uint32_t last;
};

static int on_entry(const char *entry, const struct backend_stat *st, void *arg, struct error *err)
{
    struct listing *l = arg;
    struct name n;
    if (!name_parse(l->kind, l->pw->w->id, entry, &n) || n.session > l->last)
        return 0; /* of a session that may still be running, or junk */
    struct prune_file *f = vec_push(&l->pw->files, err);
    if (f == NULL)
        return E_NOMEM;
    *f = (struct prune_file){ .session = n.session,
                              .idx = l->kind == NAME_SNAP ? IDX_SNAP : n.idx,
                              .attempt = n.attempt,
                              .size = st->size };
    return 0;
}

static int by_place(const void *a, const void *b)
{
    const struct prune_file *x = a;
    const struct prune_file *y = b;
    if (x->session != y->session)
        return x->session < y->session ? -1 : 1;
    if (x->idx != y->idx)
        return x->idx < y->idx ? -1 : 1;
    return (x->attempt > y->attempt) - (x->attempt < y->attempt);
}

int prune_list_files(struct prune *p, struct prune_writer *pw, struct error *err)
{
    static const struct {
        enum name_kind kind;
        const char *sub;
    } dirs[] = { { NAME_PACK, "pack" }, { NAME_SNAP, "snap" } };
    int rc = 0;
    uint32_t last = prune_head_session(pw);
    for (size_t i = 0; rc == 0 && last != 0 && i < sizeof dirs / sizeof dirs[0]; i++) {
        char dir[NAME_TEXT_MAX];
        struct error why = ERROR_INIT;
        struct listing l = { .pw = pw, .kind = dirs[i].kind, .last = last };
        name_writer_sub(dir, pw->w->id, dirs[i].sub);
        rc = backend_list(p->repo->backend, dir, on_entry, &l, &why);
        if (rc == E_NOT_FOUND)
            rc = 0; /* then every file is missing, and that is said */
        else if (rc < 0)
            return error_copy(err, &why);
    }
    vec_sort(&pw->files, by_place);
    return rc;
}

const struct prune_file *prune_file_find(const struct prune_writer *pw, uint32_t session, uint32_t idx,
                                         uint8_t attempt)
{
    const struct prune_file key = { .session = session, .idx = idx, .attempt = attempt };
    size_t lo = 0;
    size_t hi = pw->files.len;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const struct prune_file *f = vec_at(&pw->files, mid);
        int order = by_place(f, &key);
        if (order == 0)
            return f;
        if (order < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}
