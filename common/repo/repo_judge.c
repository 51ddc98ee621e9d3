#include "common/repo/repo_internal.h"

#include <string.h>

#include "common/base/str.h"

#include "common/base/banned.h"

enum { DAY = 86400 };

static struct item_key item_key_of(const uint8_t *writer, uint32_t session, uint32_t idx, uint8_t attempt)
{
    struct item_key k = { .session = session, .place = (idx & IDX_SNAP) | (uint32_t)attempt << 24 };
    memcpy(k.writer, writer, WRITER_ID_LEN);
    return k;
}

struct repo_item repo_item_find(const struct repo *repo, const uint8_t writer[WRITER_ID_LEN],
                                uint32_t session, uint32_t idx, uint8_t attempt)
{
    struct item_key key = item_key_of(writer, session, idx, attempt);
    const struct repo_item *item = map_get(&repo->items, &key);
    return item != NULL ? *item : (struct repo_item){ .condemned = 0 };
}

/* How many retention records, from the first on, have not seen record n yet. */
static size_t unseen(const struct repo_writer *w, uint32_t n)
{
    size_t lo = 0;
    size_t hi = w->seen.len;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (((const struct repo_seen *)vec_at(&w->seen, mid))->head < n)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* The VOID rule: some record j has a fence above ack, and record j+1 has not seen n. Heads and fences never
 * fall, so the last such j decides. */
static bool is_void(const struct repo_writer *w, uint32_t n, uint32_t ack)
{
    size_t f = unseen(w, n);
    return f >= 2 && ack < ((const struct repo_seen *)vec_at(&w->seen, f - 2))->fence;
}

/* Reads on in a log that retention has seen more of. */
static int catch_up(struct repo *repo, size_t k, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; i < repo->writers.len && rc == 0; i++) {
        struct repo_writer *w = vec_at(&repo->writers, i);
        const struct retention_head *h = retention_head_of(&repo_retention_at(repo, k)->rec, w->id);
        if (h == NULL || h->head <= w->records.len)
            continue;
        rc = repo_extend_writer(repo, w, err);
        h = retention_head_of(&repo_retention_at(repo, k)->rec, w->id); /* the log may have grown and moved */
        if (rc == 0 && h->head > w->records.len && !w->behind) {
            struct repo_log l = repo_log_writer(repo, w);
            struct error why = ERROR_INIT;
            w->behind = true;
            if (w->stopped)
                continue; /* that has been said */
            (void)error_corrupt(&why, ERR_LOG_GAP,
                                "retention record %zu has seen record %u, the log ends at %zu", k + 1,
                                h->head, w->records.len);
            rc = repo_finding_add(&l, FINDING_ALARM, h->head, -1, &why, err);
        }
    }
    return rc;
}

static int check_heads(const struct repo *repo, const struct retention_record *r, struct error *err)
{
    for (size_t i = 0; i < r->heads.len; i++) {
        const struct retention_head *h = vec_at(&r->heads, i);
        const struct repo_writer *w = repo_writer_find(repo, h->writer);
        bool wrong = w == NULL ? charter_writer_last(repo_charter(repo), h->writer) == NULL
                               : h->head > 0 && h->head <= w->records.len &&
                                     memcmp(h->hash, repo_record_item(w, h->head - 1)->hash, HASH_LEN) != 0;
        if (wrong)
            return error_corrupt(err, ERR_RETENTION_HEADS,
                                 "retention record %u names a head that is not in the writer's log", r->seq);
    }
    return 0;
}

/* The record of a session, or NULL. Sessions grow along the log. */
static const struct repo_record *record_of_session(const struct repo_writer *w, uint32_t session)
{
    size_t lo = 0;
    size_t hi = w->records.len;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const struct repo_record *r = repo_record_item(w, mid);
        if (r->rec.session == session)
            return r;
        if (r->rec.session < session)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

/* Whether r is expired once the operations of this retention record (NULL: those before) are done. */
static bool expired_after(const struct retention_record *rec, const uint8_t *writer,
                          const struct repo_record *r)
{
    bool expired = r->expired;
    for (size_t i = 0; rec != NULL && i < rec->ops.len; i++) {
        const struct retention_op *op = vec_at(&rec->ops, i);
        if (op->seq == r->rec.seq && memcmp(op->writer, writer, WRITER_ID_LEN) == 0)
            expired = op->op == RETENTION_EXPIRE || (expired && op->op != RETENTION_REVIVE);
    }
    return expired;
}

/* A snap that a live record names is never listed. */
static bool is_live_snap(const struct repo_writer *w, const struct retention_record *rec,
                         const struct retention_item *item)
{
    const struct repo_record *r = item->idx == IDX_SNAP ? record_of_session(w, item->session) : NULL;
    return r != NULL && r->rec.kind == RECORD_SNAPSHOT && r->rec.snap_attempt == item->attempt &&
           !is_void(w, r->rec.seq, r->rec.ack) && !expired_after(rec, w->id, r);
}

static int check_condemned(const struct repo *repo, const struct retention_record *r, struct error *err)
{
    for (size_t i = 0; i < r->condemned.len; i++) {
        const struct retention_item *item = vec_at(&r->condemned, i);
        const struct repo_writer *w = repo_writer_find(repo, item->writer);
        const struct retention_head *h = retention_head_of(r, item->writer);
        uint32_t head = h != NULL ? h->head : 0;
        if (w == NULL || head > w->records.len)
            continue; /* cannot be judged without that log */
        if (head == 0 || item->session > repo_record_item(w, head - 1)->rec.session ||
            is_live_snap(w, r, item))
            return error_corrupt(err, ERR_RETENTION_LISTS, "retention record %u condemns what may be in use",
                                 r->seq);
    }
    return 0;
}

static int check_deleted(const struct repo *repo, const struct retention_record *r, struct error *err)
{
    for (size_t i = 0; i < r->deleted.len; i++) {
        const struct retention_item *item = vec_at(&r->deleted, i);
        const struct repo_writer *w = repo_writer_find(repo, item->writer);
        if (w == NULL)
            continue;
        const struct repo_seen *before = r->seq > 1 ? vec_at(&w->seen, r->seq - 2) : NULL;
        struct repo_item known = repo_item_find(repo, item->writer, item->session, item->idx, item->attempt);
        if (before == NULL || known.condemned == 0 || known.condemned > before->fence ||
            is_live_snap(w, NULL, item) || is_live_snap(w, r, item))
            return error_corrupt(err, ERR_RETENTION_LISTS,
                                 "retention record %u deletes what was not condemned up to its fence",
                                 r->seq);
    }
    return 0;
}

static uint32_t newest_snapshot(const struct repo_writer *w, uint32_t head)
{
    for (uint32_t n = head; n > 0; n--) {
        const struct repo_record *r = repo_record_item(w, n - 1);
        if (r->rec.kind == RECORD_SNAPSHOT && !is_void(w, n, r->rec.ack))
            return n;
    }
    return 0;
}

/* Why a snapshot must not expire now, or NULL. */
static const char *keeps(const struct repo *repo, size_t k, const struct repo_writer *w,
                         const struct repo_record *r, uint32_t newest)
{
    const struct repo_retention *ret = repo_retention_at(repo, k);
    if (r->rec.kind != RECORD_SNAPSHOT)
        return "is no snapshot";
    if (ret->rec.time != ret->clock)
        return "cannot expire while the clock jumped";
    if (r->held)
        return "is held";
    if (is_void(w, r->rec.seq, r->rec.ack))
        return NULL;
    if (r->rec.seq == newest)
        return "is the newest of its writer";
    const struct repo_retention *first = repo_retention_at(repo, unseen(w, r->rec.seq));
    uint64_t keep = (uint64_t)repo_charter_at(repo, ret->rec.charter - 1)->min_keep_days * DAY;
    if (ret->clock - first->clock < keep && !ret->rec.has_note)
        return "is younger than min-keep";
    return NULL;
}

/* Why an operation is not allowed, or NULL. */
static const char *op_refused(const struct repo *repo, size_t k, const struct retention_op *op, uint32_t head,
                              uint32_t newest)
{
    const struct repo_writer *w = repo_writer_find(repo, op->writer);
    if (op->seq > head)
        return "was not seen yet";
    const struct repo_record *r = repo_record_item(w, op->seq - 1);
    if (op->op == RETENTION_EXPIRE)
        return keeps(repo, k, w, r, newest);
    if (op->op == RETENTION_REVIVE &&
        (!r->expired ||
         repo_item_find(repo, w->id, r->rec.session, IDX_SNAP, r->rec.snap_attempt).deleted != 0))
        return "cannot be revived";
    return NULL;
}

static int check_ops(const struct repo *repo, size_t k, struct error *err)
{
    const struct retention_record *rec = &repo_retention_at(repo, k)->rec;
    const struct repo_writer *w = NULL;
    uint32_t head = 0;
    uint32_t newest = 0;
    for (size_t i = 0; i < rec->ops.len; i++) {
        const struct retention_op *op = vec_at(&rec->ops, i);
        if (w == NULL || memcmp(w->id, op->writer, WRITER_ID_LEN) != 0) { /* sorted: once per writer */
            const struct retention_head *h = retention_head_of(rec, op->writer);
            w = repo_writer_find(repo, op->writer);
            head = h != NULL ? h->head : 0;
            newest = w != NULL && head <= w->records.len ? newest_snapshot(w, head) : 0;
        }
        if (w == NULL || head > w->records.len)
            continue; /* cannot be judged without that log */
        const char *why = op_refused(repo, k, op, head, newest);
        if (why != NULL)
            return error_corrupt(err, ERR_RETENTION_EXPIRE, "retention record %u: snapshot record %u %s",
                                 rec->seq, op->seq, why);
    }
    return 0;
}

static int apply_items(struct repo *repo, const struct vec *items, uint32_t seq, bool deleted,
                       struct error *err)
{
    for (size_t i = 0; i < items->len; i++) {
        const struct retention_item *item = vec_at(items, i);
        struct item_key key = item_key_of(item->writer, item->session, item->idx, item->attempt);
        if (repo_writer_find(repo, item->writer) == NULL)
            continue; /* one writer's host does not keep what concerns the others */
        struct repo_item *known = map_put(&repo->items, &key, NULL, err);
        if (known == NULL)
            return E_NOMEM;
        uint32_t *at = deleted ? &known->deleted : &known->condemned;
        if (*at == 0)
            *at = seq;
    }
    return 0;
}

static void apply_ops(const struct repo *repo, const struct retention_record *rec)
{
    for (size_t i = 0; i < rec->ops.len; i++) {
        const struct retention_op *op = vec_at(&rec->ops, i);
        const struct repo_writer *w = repo_writer_find(repo, op->writer);
        struct repo_record *r = w != NULL ? repo_record_at(w, op->seq) : NULL;
        if (r == NULL)
            continue;
        if (op->op == RETENTION_EXPIRE || op->op == RETENTION_REVIVE)
            r->expired = op->op == RETENTION_EXPIRE;
        else
            r->held = op->op == RETENTION_HOLD;
    }
}

static int push_seen(struct repo *repo, const struct retention_record *rec, struct error *err)
{
    for (size_t i = 0; i < repo->writers.len; i++) {
        struct repo_writer *w = vec_at(&repo->writers, i);
        const struct retention_head *h = retention_head_of(rec, w->id);
        struct repo_seen *s = vec_push(&w->seen, err);
        if (s == NULL)
            return E_NOMEM;
        s->head = h != NULL ? h->head : 0;
        s->fence = h != NULL ? h->fence : 0;
    }
    return 0;
}

/* All rules of record k (from 0); its heads are pushed. */
static int check_rules(struct repo *repo, size_t k, struct error *err)
{
    const struct retention_record *rec = &repo_retention_at(repo, k)->rec;
    int rc = check_heads(repo, rec, err);
    rc = rc < 0 ? rc : check_condemned(repo, rec, err);
    rc = rc < 0 ? rc : check_deleted(repo, rec, err);
    return rc < 0 ? rc : check_ops(repo, k, err);
}

/* Record k (from 0): all rules first, then its effects. */
static int judge_one(struct repo *repo, size_t k, struct error *err)
{
    int rc = push_seen(repo, &repo_retention_at(repo, k)->rec, err);
    if (rc < 0)
        return rc;
    const struct retention_record *rec = &repo_retention_at(repo, k)->rec;
    rc = check_rules(repo, k, err);
    rc = rc < 0 ? rc : apply_items(repo, &rec->condemned, rec->seq, false, err);
    rc = rc < 0 ? rc : apply_items(repo, &rec->deleted, rec->seq, true, err);
    if (rc == 0)
        apply_ops(repo, rec);
    return rc;
}

int repo_retention_check(struct repo *repo, const struct retention_record *r, struct error *err)
{
    const struct repo_retention *head = repo_retention_head(repo);
    uint64_t before = head != NULL ? head->clock : 0;
    size_t k = repo->retention.len;
    struct repo_retention *slot = vec_push(&repo->retention, err);
    if (slot == NULL)
        return E_NOMEM;
    slot->rec = *r; /* borrowed: it leaves again below */
    slot->clock = retention_clock(r->seq, before, r->time);
    int rc = push_seen(repo, r, err);
    rc = rc < 0 ? rc : check_rules(repo, k, err);
    repo->retention.len = k;
    for (size_t i = 0; i < repo->writers.len; i++) {
        struct repo_writer *w = vec_at(&repo->writers, i);
        w->seen.len = w->seen.len > k ? k : w->seen.len;
    }
    return rc;
}

static void settle_records(struct repo *repo)
{
    for (size_t i = 0; i < repo->writers.len; i++) {
        struct repo_writer *w = vec_at(&repo->writers, i);
        for (size_t n = 0; n < w->records.len; n++) {
            struct repo_record *r = repo_record_item(w, n);
            size_t f = unseen(w, r->rec.seq);
            r->first_seen = f < w->seen.len ? (uint32_t)f + 1 : 0;
            r->is_void = is_void(w, r->rec.seq, r->rec.ack);
        }
    }
}

int repo_judge(struct repo *repo, struct error *err)
{
    int rc = 0;
    while (repo->judged < repo->retention.len && rc == 0) {
        struct error why = ERROR_INIT;
        size_t k = repo->judged;
        rc = catch_up(repo, k, err);
        if (rc < 0)
            return rc;
        rc = judge_one(repo, k, &why);
        if (rc == E_CORRUPT) {
            struct repo_log l = repo_log_retention(repo);
            uint8_t attempt = repo_retention_at(repo, k)->attempt;
            repo_retention_cut(repo, k);
            rc = repo_log_stop(&l, (uint32_t)k + 1, attempt, &why, err);
        } else if (rc < 0) {
            rc = error_copy(err, &why);
        } else {
            repo->judged++;
        }
    }
    settle_records(repo);
    return rc;
}
