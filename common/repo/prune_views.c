/* R1: every snapshot with its view. Objects are kept in state_dir/views under their hash, which proves them. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/str.h"
#include "common/repo/prune_internal.h"
#include "common/repo/snapshot.h"
#include "common/sys/atomic_file.h"
#include "common/sys/dirs.h"
#include "common/base/banned.h"

#define VIEWS "views"
enum { HASH_HEX = 2 * HASH_LEN };

static char *cache_path(const struct prune *p, const struct repo_record *r, struct error *err)
{
    char name[sizeof VIEWS + 1 + HASH_HEX + 1] = VIEWS "/";
    hex_encode(name + sizeof VIEWS, r->rec.snap_hash, HASH_LEN);
    return prune_path(p, name, err);
}

/* 0 and *out; or E_NOT_FOUND for whatever the cache does not have. */
static int from_cache(const struct prune *p, const struct prune_snapshot *s, struct snapshot **out)
{
    struct buf bytes = BUF_INIT;
    char *path = cache_path(p, s->record, NULL);
    int rc = path != NULL ? file_read_small(path, SNAP_MAX, &bytes, NULL) : E_NOMEM;
    if (rc == 0)
        rc = snapshot_from_bytes(p->repo, s->writer, s->record, &bytes, out, NULL);
    buf_free(&bytes);
    free(path);
    return rc == 0 ? 0 : E_NOT_FOUND;
}

/* A cache that cannot be written costs time, nothing else. */
static void into_cache(const struct prune *p, const struct snapshot *object)
{
    char *path = cache_path(p, object->record, NULL);
    if (path != NULL)
        (void)file_write_atomic(path, object->bytes.data, object->bytes.len, 0600, FILE_REPLACE, NULL);
    free(path);
}

static bool is_verdict(int code)
{
    return code == E_CORRUPT || code == E_NOT_FOUND || code == E_IO || code == E_DENIED || code == E_AUTH;
}

static int load(const struct prune *p, const struct prune_writer *pw, const struct prune_snapshot *s,
                struct snapshot **out, struct error *err)
{
    const struct record *r = &s->record->rec;
    const struct prune_file *f = prune_file_find(pw, r->session, IDX_SNAP, r->snap_attempt);
    if (f != NULL && f->size == r->snap_size && from_cache(p, s, out) == 0)
        return 0;
    int rc = snapshot_load(p->repo, s->writer, s->record, out, err);
    if (rc == 0)
        into_cache(p, *out);
    return rc;
}

static int open_view(struct prune *p, const struct prune_writer *pw, struct prune_snapshot *s,
                     struct error *err)
{
    struct error why = ERROR_INIT;
    struct snapshot *object = NULL;
    int rc = load(p, pw, s, &object, &why);
    if (rc == 0)
        rc = snapshot_open_view(object, pw->view_key, &why);
    if (rc == 0) {
        snap_view_free(&s->view);
        s->view = object->view;
        object->view = (struct snap_view){ .packs = VEC_OF(struct pack_key) };
        s->readable = true;
    }
    snapshot_free(object);
    if (rc == 0)
        return 0;
    if (!is_verdict(rc))
        return error_copy(err, &why);
    s->why = str_dup(why.text, err);
    if (s->why == NULL)
        return E_NOMEM;
    if (s->state != PRUNE_LIVE)
        return 0;
    return prune_alarm(
        p, pw->w->id, why.name, err,
        "session %u: %s; nothing of this writer is condemned or deleted until it can be read, or is "
        "expired by name",
        s->record->rec.session, why.text);
}

static uint64_t clock_at(const struct prune *p, uint32_t k)
{
    return k >= 1 && k <= p->repo->retention.len
               ? ((const struct repo_retention *)vec_at(&p->repo->retention, k - 1))->clock
               : p->time;
}

/* The record that expired it last. */
static uint64_t expired_at(const struct prune *p, const struct prune_snapshot *s)
{
    for (size_t k = p->repo->retention.len; k > 0; k--) {
        const struct repo_retention *ret = vec_at(&p->repo->retention, k - 1);
        for (size_t i = 0; i < ret->rec.ops.len; i++) {
            const struct retention_op *op = vec_at(&ret->rec.ops, i);
            if (op->op == RETENTION_EXPIRE && op->seq == s->record->rec.seq &&
                memcmp(op->writer, s->writer->id, WRITER_ID_LEN) == 0)
                return ret->clock;
        }
    }
    return p->time;
}

static bool object_deleted(const struct prune *p, const struct repo_writer *w, const struct repo_record *r)
{
    return repo_item_find(p->repo, w->id, r->rec.session, IDX_SNAP, r->rec.snap_attempt).deleted != 0;
}

/* The object and all its packs are there and not deleted. */
static bool all_there(const struct prune *p, const struct prune_writer *pw, const struct prune_snapshot *s)
{
    const struct record *r = &s->record->rec;
    bool there = s->readable && prune_file_find(pw, r->session, IDX_SNAP, r->snap_attempt) != NULL;
    for (size_t i = 0; there && i < s->view.packs.len; i++) {
        const struct pack_key *k = vec_at(&s->view.packs, i);
        const struct record_pack *in = repo_pack_find(s->writer, k->session, k->idx, NULL);
        const struct prune_file *f = in != NULL ? prune_file_find(pw, k->session, k->idx, in->attempt) : NULL;
        there = f != NULL && f->size == in->size &&
                repo_item_find(p->repo, pw->w->id, k->session, k->idx, in->attempt).deleted == 0;
    }
    return there;
}

static int add_snapshot(struct prune *p, struct prune_writer *pw, const struct repo_record *r,
                        struct error *err)
{
    struct prune_snapshot *s = vec_push(&p->snapshots, err);
    if (s == NULL)
        return E_NOMEM;
    *s = (struct prune_snapshot){ .writer = pw->w,
                                  .record = r,
                                  .seq = r->rec.seq,
                                  .state = r->is_void   ? PRUNE_VOID
                                           : r->expired ? PRUNE_EXPIRED
                                                        : PRUNE_LIVE,
                                  .held = r->held,
                                  .first_seen = clock_at(p, r->first_seen),
                                  .view = { .packs = VEC_OF(struct pack_key) } };
    pw->count++;
    s->expired_at = r->expired ? expired_at(p, s) : 0;
    int rc = open_view(p, pw, s, err);
    s->revivable = rc == 0 && s->state == PRUNE_EXPIRED && all_there(p, pw, s);
    return rc;
}

static int load_writer(struct prune *p, struct prune_writer *pw, struct error *err)
{
    int rc = 0;
    pw->first = p->snapshots.len;
    pw->view_key = view_key_derive(p->options.keys->v, pw->w->id, err);
    if (pw->view_key == NULL)
        return E_NOMEM;
    for (size_t n = 0; rc == 0 && n < pw->head; n++) {
        const struct repo_record *r = vec_at(&pw->w->records, n);
        if (r->rec.kind == RECORD_SNAPSHOT && !(!repo_record_live(r) && object_deleted(p, pw->w, r)))
            rc = add_snapshot(p, pw, r, err);
    }
    for (size_t i = pw->first + pw->count; rc == 0 && i > pw->first; i--) {
        struct prune_snapshot *s = prune_snapshot_at(p, i - 1);
        if (s->state == PRUNE_VOID)
            continue;
        s->newest = true;
        break;
    }
    return rc;
}

/* What belongs to no snapshot any more leaves the cache. */
static void sweep_cache(const struct prune *p)
{
    struct map known = MAP_OF(HASH_LEN, 1);
    char *path = prune_path(p, VIEWS, NULL);
    DIR *dir = path != NULL ? opendir(path) : NULL;
    const struct dirent *e = NULL;
    bool complete = dir != NULL;
    for (size_t i = 0; complete && i < p->snapshots.len; i++)
        complete = map_put(&known, prune_snapshot_at(p, i)->record->rec.snap_hash, NULL, NULL) != NULL;
    while (complete && (e = readdir(dir)) != NULL) {
        uint8_t hash[HASH_LEN];
        bool ours = strlen(e->d_name) == HASH_HEX && hex_decode(hash, HASH_LEN, e->d_name);
        if (ours && map_get(&known, hash) == NULL)
            (void)unlinkat(dirfd(dir), e->d_name, 0);
    }
    if (dir != NULL)
        (void)closedir(dir);
    map_free(&known);
    free(path);
}

int prune_load_views(struct prune *p, struct error *err)
{
    char *dir = prune_path(p, VIEWS, err);
    int rc = dir != NULL ? dir_make_private(dir, err) : E_NOMEM;
    for (size_t i = 0; rc == 0 && i < p->writers.len; i++)
        rc = load_writer(p, prune_writer_at(p, i), err);
    if (rc == 0)
        sweep_cache(p);
    free(dir);
    return rc;
}

void prune_snapshot_free(struct prune_snapshot *s)
{
    snap_view_free(&s->view);
    free(s->why);
}
