/*
 * L2: past deletions. The logs prove that each was condemned, acknowledged and fenced (repo.h); with the views that are
 * still there it can be seen, too, that it was not needed. What is live now is check.c's matter: here it is what was.
 */
#include <string.h>

#include "common/repo/check_internal.h"
#include "common/repo/names.h"
#include "common/base/banned.h"

/* Whether it was a live snapshot after record d, or became one again later. */
static bool lived_after(const struct check_writer *w, const struct repo_record *r, uint32_t d)
{
    const struct vec *log = &w->check->repo->retention;
    bool lived = true; /* not expired yet */
    for (size_t k = 0; k < log->len; k++) {
        const struct repo_retention *ret = vec_at(log, k);
        if (ret->rec.seq == d + 1 && lived)
            return true;
        for (size_t i = 0; i < ret->rec.ops.len; i++) {
            const struct retention_op *op = vec_at(&ret->rec.ops, i);
            if (op->seq != r->rec.seq || memcmp(op->writer, w->writer->id, WRITER_ID_LEN) != 0)
                continue;
            lived = op->op == RETENTION_REVIVE || (lived && op->op != RETENTION_EXPIRE);
            if (ret->rec.seq > d && lived)
                return true;
        }
    }
    return lived;
}

static void report(struct check_writer *w, const struct snapshot *s, const struct record_pack *pack,
                   uint32_t d)
{
    char where[NAME_TEXT_MAX];
    char name[SNAPSHOT_NAME_MAX];
    struct error why = ERROR_INIT;
    const char *list[] = { snapshot_name(s, name) };
    const struct repo_retention *ret = vec_at(&w->check->repo->retention, d - 1);
    (void)error_corrupt(
        &why, ERR_RETENTION_LISTS,
        "retention record %u deleted pack %u-%06x, which this snapshot needed and which was live then", d,
        pack->session, pack->idx);
    struct check_finding f = { .name = ERR_RETENTION_LISTS,
                               .where = name_retention(where, d, ret->attempt),
                               .text = why.text,
                               .snapshots = list,
                               .nsnapshots = 1 };
    check_report(w->check, &f);
}

static void check_one(struct check_writer *w, const struct snapshot *s)
{
    for (size_t i = 0; i < s->view.packs.len; i++) {
        const struct pack_key *k = vec_at(&s->view.packs, i);
        const struct record_pack *in = repo_pack_find(w->writer, k->session, k->idx, NULL);
        uint32_t d =
            in != NULL
                ? repo_item_find(w->check->repo, w->writer->id, k->session, k->idx, in->attempt).deleted
                : 0;
        if (d == 0 || !lived_after(w, s->record, d))
            continue;
        report(w, s, in, d);
        return; /* the first of a snapshot */
    }
}

int check_past(struct check_writer *w, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < w->writer->records.len; i++) {
        const struct repo_record *r = vec_at(&w->writer->records, i);
        struct snapshot *s = NULL;
        struct error why = ERROR_INIT;
        if (r->rec.kind != RECORD_SNAPSHOT || r->is_void || !r->expired ||
            repo_item_find(w->check->repo, w->writer->id, r->rec.session, IDX_SNAP, r->rec.snap_attempt)
                    .deleted != 0)
            continue;
        rc = snapshot_load(w->check->repo, w->writer, r, &s, &why);
        rc = rc < 0 ? rc : snapshot_open_view(s, w->view_key, &why);
        if (rc == 0)
            check_one(w, s);
        else if (check_is_verdict(rc)) /* nobody promised that an expired one can still be read */
            rc = 0;
        else
            (void)error_copy(err, &why);
        snapshot_free(s);
    }
    return rc;
}
