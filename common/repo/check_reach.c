/* Which packs a stream needs: a snapshot that uses it must list them all, or retention may delete them. */
#include <string.h>

#include "common/base/map.h"
#include "common/repo/check_internal.h"
#include "common/base/banned.h"

struct reach {
    struct vec *packs; /* struct pack_key, each once */
    struct map known;  /* struct pack_key -> nothing */
    struct map nodes;  /* struct blob_ref -> nothing */
};

static int on_blob(void *arg, enum blob_kind kind, const struct blob_ref *ref, struct error *err)
{
    struct reach *r = arg;
    struct pack_key key = { .session = ref->session, .idx = ref->idx };
    bool fresh = false;
    if (map_put(&r->known, &key, &fresh, err) == NULL)
        return E_NOMEM;
    struct pack_key *slot = fresh ? vec_push(r->packs, err) : NULL;
    if (slot != NULL)
        *slot = key;
    else if (fresh)
        return E_NOMEM;
    if (kind != BLOB_NODE)
        return 0;
    if (map_put(&r->nodes, ref, &fresh, err) == NULL)
        return E_NOMEM;
    return fresh ? 0 : 1;
}

int check_reach(struct fetcher *f, const struct snap_view *view, const struct stream_ref *ref,
                struct vec *packs, struct error *err)
{
    struct reach r = { .packs = packs,
                       .known = MAP_OF(sizeof(struct pack_key), 1),
                       .nodes = MAP_OF(sizeof(struct blob_ref), 1) };
    int rc = stream_visit(f, view, ref, on_blob, &r, err);
    map_free(&r.known);
    map_free(&r.nodes);
    return rc;
}

int check_in_view(const struct vec *packs, const struct snap_view *view, struct error *err)
{
    for (size_t i = 0; i < packs->len; i++) {
        const struct pack_key *p = vec_at(packs, i);
        if (!snap_view_has(view, p->session, p->idx))
            return error_corrupt(err, ERR_VIEW_INCOMPLETE,
                                 "a blob lies in pack %u-%06x, which the snapshot does not "
                                 "list",
                                 p->session, p->idx);
    }
    return 0;
}
