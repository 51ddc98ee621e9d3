/*
 * R3 to R5: what a retention record condemns, how far its fences go, what it lists as deleted.
 *
 * docs/format.md 19 and tests/model/prune.pml say why this is safe: nothing is deleted that was not condemned up to the
 * fence of the record BEFORE, and a session that did not acknowledge that fence is void unless it is in the heads here.
 */
#include <string.h>

#include "common/repo/prune_internal.h"
#include "common/base/banned.h"

/* What one writer's lists are made from. */
struct sifter {
    struct prune *p;
    struct prune_writer *pw;
    struct retention_record *r;
    struct prune_plan *plan;
    struct map live; /* packs that live snapshots need, after the decisions */
    struct map
        kept; /* packs that must not be deleted now: those, and of what expired only lately or is held */
    uint32_t session; /* of the head */
};

/* Expired so lately, or held, that it stays whole for now. */
static bool stays_whole(const struct prune *p, const struct prune_snapshot *s)
{
    if (s->state == PRUNE_LIVE || prune_lives_after(s))
        return true;
    return s->state == PRUNE_EXPIRED &&
           (prune_held_after(s) || p->time - s->expired_at < p->options.delete_after);
}

static int collect_uses(struct sifter *f, struct error *err)
{
    int rc = 0;
    for (size_t i = f->pw->first; rc == 0 && i < f->pw->first + f->pw->count; i++) {
        const struct prune_snapshot *s = prune_snapshot_at(f->p, i);
        if (prune_lives_after(s))
            rc = pack_uses_add(&f->live, &s->view, err);
        if (rc == 0 && stays_whole(f->p, s))
            rc = pack_uses_add(&f->kept, &s->view, err);
    }
    return rc;
}

/* The snapshot whose object this is, or NULL: garbage. */
static const struct prune_snapshot *owner_of(const struct sifter *f, uint32_t session, uint8_t attempt)
{
    for (size_t lo = f->pw->first, hi = lo + f->pw->count; lo < hi;) { /* sessions grow along a log */
        size_t mid = lo + (hi - lo) / 2;
        const struct prune_snapshot *s = prune_snapshot_at(f->p, mid);
        if (s->record->rec.session == session)
            return s->record->rec.snap_attempt == attempt ? s : NULL;
        if (s->record->rec.session < session)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

/* Whether a view that names (session, idx) means this attempt. Without a record that introduces it every attempt is
 * meant: then something is odd, and it stays. */
static bool is_meant(const struct sifter *f, uint32_t session, uint32_t idx, uint8_t attempt)
{
    const struct record_pack *in = repo_pack_find(f->pw->w, session, idx, NULL);
    return in == NULL || in->attempt == attempt;
}

static bool needed(const struct sifter *f, const struct map *uses, uint32_t session, uint32_t idx,
                   uint8_t attempt)
{
    return is_meant(f, session, idx, attempt) && pack_uses_of(uses, session, idx) != 0;
}

static int push(struct vec *list, const struct sifter *f, uint32_t session, uint32_t idx, uint8_t attempt,
                struct error *err)
{
    struct retention_item *item = vec_push(list, err);
    if (item == NULL)
        return E_NOMEM;
    *item = (struct retention_item){ .session = session, .idx = idx, .attempt = attempt };
    memcpy(item->writer, f->pw->w->id, WRITER_ID_LEN);
    return 0;
}

/* Bytes of the file, when it is there. */
static uint64_t file_size(const struct sifter *f, uint32_t session, uint32_t idx, uint8_t attempt)
{
    const struct prune_file *file = prune_file_find(f->pw, session, idx, attempt);
    return file != NULL ? file->size : 0;
}

/* ---- R3: condemn ------------------------------------------------------------------------------------ */

static int condemn(struct sifter *f, uint32_t session, uint32_t idx, uint8_t attempt, struct error *err)
{
    const struct prune_snapshot *s = idx == IDX_SNAP ? owner_of(f, session, attempt) : NULL;
    bool used =
        idx == IDX_SNAP ? s != NULL && prune_lives_after(s) : needed(f, &f->live, session, idx, attempt);
    if (used || session > f->session || f->r->condemned.len >= PRUNE_ITEMS_MAX ||
        repo_item_find(f->p->repo, f->pw->w->id, session, idx, attempt).condemned != 0)
        return 0;
    f->plan->condemned++;
    f->plan->condemned_bytes += file_size(f, session, idx, attempt);
    return push(&f->r->condemned, f, session, idx, attempt, err);
}

/* Also what a record names and the storage has lost: otherwise it would be missed for ever. */
static int condemn_lost(struct sifter *f, struct error *err)
{
    int rc = 0;
    for (uint32_t n = 1; rc == 0 && n <= f->pw->head; n++) {
        const struct repo_record *r = repo_record_at(f->pw->w, n);
        for (size_t i = 0; rc == 0 && i < r->rec.packs.len; i++) {
            const struct record_pack *in = vec_at(&r->rec.packs, i);
            if (prune_file_find(f->pw, in->session, in->idx, in->attempt) == NULL)
                rc = condemn(f, in->session, in->idx, in->attempt, err);
        }
        if (rc == 0 && r->rec.kind == RECORD_SNAPSHOT &&
            prune_file_find(f->pw, r->rec.session, IDX_SNAP, r->rec.snap_attempt) == NULL)
            rc = condemn(f, r->rec.session, IDX_SNAP, r->rec.snap_attempt, err);
    }
    return rc;
}

static int condemn_all(struct sifter *f, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < f->pw->files.len; i++) {
        const struct prune_file *file = vec_at(&f->pw->files, i);
        rc = condemn(f, file->session, file->idx, file->attempt, err);
    }
    return rc < 0 ? rc : condemn_lost(f, err);
}

/* ---- R4: fence -------------------------------------------------------------------------------------- */

static bool is_retired(const struct prune *p, const struct prune_writer *pw)
{
    const struct charter_writer *line = charter_writer_last(repo_charter(p->repo), pw->w->id);
    return line != NULL && line->last_seq != SEQ_OPEN && pw->head >= line->last_seq;
}

static bool is_silent(const struct prune *p, const struct repo_record *head)
{
    if (p->options.silent_after == 0 || head->first_seen == 0)
        return false;
    const struct repo_retention *first = vec_at(&p->repo->retention, head->first_seen - 1);
    return p->time - first->clock >= p->options.silent_after;
}

/* What the head acknowledges; everything, when nothing more can come or nobody waits any longer. */
static uint32_t fence_of(const struct prune *p, const struct prune_writer *pw)
{
    uint32_t before = repo_fence(pw->w);
    uint32_t last = (uint32_t)p->repo->retention.len; /* k - 1 */
    const struct repo_record *head = repo_record_at(pw->w, pw->head);
    if (head == NULL || prune_writer_blocked(p, pw))
        return before;
    bool cut = pw->cut_off || is_retired(p, pw) || is_silent(p, head);
    uint32_t fence = cut || head->rec.ack > last ? last : head->rec.ack;
    return fence > before ? fence : before;
}

/* ---- R5: delete ------------------------------------------------------------------------------------- */

/* Whether a condemned item must stay for now. */
static bool must_wait(const struct sifter *f, const struct retention_item *item, uint32_t condemned)
{
    const struct repo_retention *c = vec_at(&f->p->repo->retention, condemned - 1);
    if (condemned > repo_fence(f->pw->w) || f->p->time - c->clock < f->p->options.delete_after)
        return true;
    if (item->idx != IDX_SNAP)
        return needed(f, &f->kept, item->session, item->idx, item->attempt);
    const struct prune_snapshot *s = owner_of(f, item->session, item->attempt);
    return s != NULL && stays_whole(f->p, s);
}

static int delete_one(struct sifter *f, const struct retention_item *item, struct error *err)
{
    struct repo_item known =
        repo_item_find(f->p->repo, item->writer, item->session, item->idx, item->attempt);
    uint64_t size = file_size(f, item->session, item->idx, item->attempt);
    if (known.deleted != 0)
        return 0;
    if (must_wait(f, item, known.condemned) || f->r->deleted.len >= PRUNE_ITEMS_MAX) {
        bool again = needed(f, &f->live, item->session, item->idx, item->attempt) && item->idx != IDX_SNAP;
        f->plan->waiting += again ? 0 : 1; /* a revived snapshot needs it */
        f->plan->waiting_bytes += again ? 0 : size;
        return 0;
    }
    f->plan->deleted++;
    f->plan->deleted_bytes += size;
    return push(&f->r->deleted, f, item->session, item->idx, item->attempt, err);
}

/* Everything that some record condemned; the first one that did is the one that counts. */
static int delete_all(struct sifter *f, struct error *err)
{
    const struct repo *repo = f->p->repo;
    int rc = 0;
    for (size_t k = 0; rc == 0 && k < repo->retention.len; k++) {
        const struct repo_retention *ret = vec_at(&repo->retention, k);
        for (size_t i = 0; rc == 0 && i < ret->rec.condemned.len; i++) {
            const struct retention_item *item = vec_at(&ret->rec.condemned, i);
            if (memcmp(item->writer, f->pw->w->id, WRITER_ID_LEN) == 0 &&
                repo_item_find(repo, item->writer, item->session, item->idx, item->attempt).condemned ==
                    k + 1)
                rc = delete_one(f, item, err);
        }
    }
    return rc;
}

/* ---- the record ------------------------------------------------------------------------------------- */

static const struct retention_head *line_before(const struct prune *p, const uint8_t *writer)
{
    const struct repo_retention *last = repo_retention_head(p->repo);
    return last != NULL ? retention_head_of(&last->rec, writer) : NULL;
}

/* Whether a record that no line covers yet would become void if the next record did not cover it either: it was
 * published, and perhaps confirmed, before the fence above its ack was. */
static bool must_cover(const struct prune_writer *pw, const struct retention_head *before)
{
    const struct repo_record *first = repo_record_at(pw->w, before->head + 1);
    return first != NULL && first->rec.seq <= pw->head && first->rec.ack < before->fence;
}

/* The line of a writer; false: none. still: nothing new is to count as seen by this record. */
static bool line_of(const struct prune *p, const struct prune_writer *pw, bool still,
                    struct retention_head *out)
{
    const struct retention_head *before = line_before(p, pw->w->id);
    const struct repo_record *head = repo_record_at(pw->w, pw->head);
    bool repeat = head == NULL || (before != NULL && before->head > pw->head) ||
                  (still && (before == NULL || !must_cover(pw, before)));
    if (repeat && before == NULL)
        return false;
    *out = before != NULL ? *before : (struct retention_head){ .fence = 0 };
    if (repeat)
        return true;
    memcpy(out->writer, pw->w->id, WRITER_ID_LEN);
    out->head = head->rec.seq;
    memcpy(out->hash, head->hash, HASH_LEN);
    if (!still)
        out->fence = fence_of(p, pw);
    return true;
}

int prune_add_heads(const struct prune *p, bool still, struct retention_record *r, bool *moved,
                    struct error *err)
{
    for (size_t i = 0; i < p->writers.len; i++) {
        const struct prune_writer *pw = prune_writer_at(p, i);
        struct retention_head line;
        if (!line_of(p, pw, still, &line))
            continue;
        const struct retention_head *before = line_before(p, pw->w->id);
        *moved |= before == NULL || before->head != line.head || before->fence != line.fence;
        struct retention_head *slot = vec_push(&r->heads, err);
        if (slot == NULL)
            return E_NOMEM;
        *slot = line;
    }
    return 0;
}

static int add_ops(struct prune *p, struct retention_record *r, struct prune_plan *plan, struct error *err)
{
    for (size_t i = 0; i < p->snapshots.len; i++) {
        const struct prune_snapshot *s = prune_snapshot_at(p, i);
        if (!s->decided)
            continue;
        struct retention_op *op = vec_push(&r->ops, err);
        if (op == NULL)
            return E_NOMEM;
        memcpy(op->writer, s->writer->id, WRITER_ID_LEN);
        op->seq = s->record->rec.seq;
        op->op = s->decision;
        plan->expires += s->decision == RETENTION_EXPIRE;
        plan->revives += s->decision == RETENTION_REVIVE;
    }
    return 0;
}

static void count_bytes(const struct sifter *f)
{
    const void *key = NULL;
    for (size_t i = 0; i < f->pw->files.len; i++)
        f->plan->stored_bytes += ((const struct prune_file *)vec_at(&f->pw->files, i))->size;
    for (size_t pos = 0; map_next(&f->live, &pos, &key) != NULL;) {
        const struct pack_key *k = key;
        f->plan->live_bytes += prune_pack_size(f->pw->w, k->session, k->idx);
    }
}

static int add_lists(struct prune *p, struct prune_writer *pw, struct retention_record *r,
                     struct prune_plan *plan, struct error *err)
{
    struct sifter f = { .p = p,
                        .pw = pw,
                        .r = r,
                        .plan = plan,
                        .live = MAP_OF(sizeof(struct pack_key), sizeof(struct pack_use)),
                        .kept = MAP_OF(sizeof(struct pack_key), sizeof(struct pack_use)),
                        .session = prune_head_session(pw) };
    int rc = collect_uses(&f, err);
    if (rc == 0)
        count_bytes(&f);
    if (rc == 0 && !plan->stopped && !prune_writer_blocked(p, pw)) {
        rc = condemn_all(&f, err);
        rc = rc < 0 ? rc : delete_all(&f, err);
    }
    map_free(&f.live);
    map_free(&f.kept);
    return rc;
}

/* With a clock that is not trusted only decisions are published, and the policy clock stands still. */
static bool is_due(const struct prune *p, const struct retention_record *r, bool moved)
{
    const struct repo_retention *last = repo_retention_head(p->repo);
    if (p->halted)
        return false;
    if (r->ops.len != 0)
        return last != NULL || p->clock_trusted;
    if (!p->clock_trusted)
        return false;
    return last == NULL || p->catch_up != 0 || moved || r->condemned.len != 0 || r->deleted.len != 0 ||
           p->time - last->clock >= PRUNE_HEARTBEAT;
}

int prune_build(struct prune *p, struct retention_record *r, struct prune_plan *plan, struct error *err)
{
    bool moved = false;
    *plan = (struct prune_plan){ .stopped = p->halted || !p->clock_trusted,
                                 .clock_untrusted = !p->clock_trusted,
                                 .time = p->time };
    memcpy(r->repo_id, p->repo->repo_id, REPO_ID_LEN);
    r->charter = repo_charter(p->repo)->version;
    r->time = p->time;
    int rc = prune_add_heads(p, plan->stopped, r, &moved, err);
    for (size_t i = 0; rc == 0 && i < p->writers.len; i++)
        rc = add_lists(p, prune_writer_at(p, i), r, plan, err);
    rc = rc < 0 ? rc : add_ops(p, r, plan, err);
    plan->publishes = rc == 0 && is_due(p, r, moved);
    if (plan->publishes)
        plan->seq = (uint32_t)(p->repo->retention.len + p->catch_up) + 1;
    return rc;
}
