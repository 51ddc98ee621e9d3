/* R7: the files of everything that is listed as deleted, by this record or an earlier one. */
#include <stdlib.h>
#include <string.h>

#include "common/repo/prune_internal.h"
#include "common/sys/interrupt.h"
#include "common/base/banned.h"

/* By a list of the log, or of the record to come (NULL: none). */
static bool is_deleted(const struct prune *p, const struct retention_record *next,
                       const struct prune_writer *pw, const struct prune_file *f)
{
    struct retention_item key = { .session = f->session, .idx = f->idx, .attempt = f->attempt };
    memcpy(key.writer, pw->w->id, WRITER_ID_LEN);
    if (repo_item_find(p->repo, key.writer, f->session, f->idx, f->attempt).deleted != 0)
        return true;
    return next != NULL && next->deleted.len != 0 &&
           bsearch(&key, next->deleted.data, next->deleted.len, next->deleted.item, retention_item_order) !=
               NULL;
}

/* No list may hit what a live snapshot needs; if one does all the same, the file stays and people hear of it. */
static bool is_needed(const struct prune *p, const struct prune_writer *pw, const struct map *live,
                      const struct prune_file *f)
{
    if (f->idx != IDX_SNAP) {
        const struct record_pack *in = repo_pack_find(pw->w, f->session, f->idx, NULL);
        return (in == NULL || in->attempt == f->attempt) && pack_uses_of(live, f->session, f->idx) != 0;
    }
    for (size_t i = pw->first; i < pw->first + pw->count; i++) {
        const struct prune_snapshot *s = prune_snapshot_at(p, i);
        if (s->record->rec.session == f->session && s->record->rec.snap_attempt == f->attempt)
            return prune_lives_after(s);
    }
    return false;
}

static int remove_file(struct prune *p, const struct prune_writer *pw, const struct prune_file *f,
                       struct error *err)
{
    char name[NAME_TEXT_MAX];
    struct error why = ERROR_INIT;
    if (f->idx == IDX_SNAP)
        name_snap(name, pw->w->id, f->session, f->attempt);
    else
        name_pack(name, pw->w->id, f->session, f->idx, f->attempt);
    int rc = interrupt_check(err);
    if (rc < 0)
        return rc;
    rc = backend_remove(p->repo->backend, name, &why);
    return rc == 0 || rc == E_NOT_FOUND ? 0 : error_copy(err, &why);
}

static int remove_of(struct prune *p, struct prune_writer *pw, const struct retention_record *next,
                     bool really, struct prune_plan *plan, struct error *err)
{
    struct map live = MAP_OF(sizeof(struct pack_key), sizeof(struct pack_use));
    int rc = 0;
    for (size_t i = pw->first; rc == 0 && i < pw->first + pw->count; i++)
        if (prune_lives_after(prune_snapshot_at(p, i)))
            rc = pack_uses_add(&live, &prune_snapshot_at(p, i)->view, err);
    for (size_t i = 0; rc == 0 && i < pw->files.len; i++) {
        const struct prune_file *f = vec_at(&pw->files, i);
        if (!is_deleted(p, next, pw, f))
            continue;
        if (is_needed(p, pw, &live, f)) {
            rc =
                really
                    ? prune_alarm(
                          p, pw->w->id, ERR_RETENTION_LISTS, err,
                          "session %u, pack %06x is listed as deleted and a live snapshot needs it: it stays",
                          f->session, f->idx)
                    : 0;
            continue;
        }
        if (really)
            rc = remove_file(p, pw, f, err);
        plan->removes += really ? 0 : 1;
        plan->removes_bytes += really ? 0 : f->size;
        plan->removed += really && rc == 0 ? 1 : 0;
        plan->removed_bytes += really && rc == 0 ? f->size : 0;
    }
    map_free(&live);
    return rc;
}

int prune_remove(struct prune *p, const struct retention_record *next, bool really, struct prune_plan *plan,
                 struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < p->writers.len; i++)
        if (!prune_writer_blocked(p, prune_writer_at(p, i)))
            rc = remove_of(p, prune_writer_at(p, i), next, really, plan, err);
    return rc;
}
