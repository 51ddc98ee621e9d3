#include "common/repo/repo.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/number.h"
#include "common/repo/repo_internal.h"

#include "common/base/banned.h"

enum { HOUR = 3600 };

/* ---- asking ------------------------------------------------------------------------------------------ */

struct repo_record *repo_record_at(const struct repo_writer *w, uint32_t seq)
{
    return seq >= 1 && seq <= w->records.len ? repo_record_item(w, seq - 1) : NULL;
}

struct repo_record *repo_head(const struct repo_writer *w)
{
    return repo_record_at(w, (uint32_t)w->records.len);
}

struct repo_retention *repo_retention_head(const struct repo *repo)
{
    return repo->retention.len > 0 ? repo_retention_at(repo, repo->retention.len - 1) : NULL;
}

const struct record_pack *repo_pack_find(const struct repo_writer *w, uint32_t session, uint32_t idx,
                                         uint32_t *seq)
{
    struct intro_key key = { .session = session, .idx = idx };
    const struct repo_intro *intro = map_get(&w->packs, &key);
    if (intro == NULL)
        return NULL;
    if (seq != NULL)
        *seq = intro->seq;
    return vec_at(&repo_record_item(w, intro->seq - 1)->rec.packs, intro->item);
}

bool repo_record_live(const struct repo_record *r)
{
    return r->rec.kind == RECORD_SNAPSHOT && !r->is_void && !r->expired;
}

uint32_t repo_fence(const struct repo_writer *w)
{
    return w->seen.len > 0 ? ((const struct repo_seen *)vec_at(&w->seen, w->seen.len - 1))->fence : 0;
}

uint32_t repo_session_max(const struct repo *repo, const uint8_t writer[WRITER_ID_LEN])
{
    const struct repo_writer *w = repo_writer_find(repo, writer);
    const struct repo_record *head = w != NULL ? repo_head(w) : NULL;
    uint32_t max = head != NULL ? head->rec.session : 0;
    size_t pos = 0;
    const void *key = NULL;
    while (map_next(&repo->items, &pos, &key) != NULL) {
        struct item_key item;
        memcpy(&item, key, sizeof item);
        if (memcmp(item.writer, writer, WRITER_ID_LEN) == 0 && item.session > max)
            max = item.session;
    }
    return max;
}

const uint8_t *repo_prev_hash(const struct repo *repo, const struct repo_writer *w)
{
    const struct repo_record *head = w != NULL ? repo_head(w) : NULL;
    const struct repo_retention *ret = w == NULL ? repo_retention_head(repo) : NULL;
    if (head != NULL)
        return head->hash;
    return ret != NULL ? ret->hash : repo_charter_at(repo, 0)->hash;
}

size_t repo_alarms(const struct repo *repo, const uint8_t *id)
{
    size_t n = 0;
    for (size_t i = 0; i < repo->findings.len; i++) {
        const struct repo_finding *f = vec_at(&repo->findings, i);
        if (!f->note && (id == NULL || (f->has_writer && memcmp(f->writer, id, WRITER_ID_LEN) == 0)))
            n++;
    }
    return n;
}

/* ---- marks ------------------------------------------------------------------------------------------- */

/* Charter marks stop everything: an old charter may name keys that were withdrawn. */
static int check_charter_mark(const struct repo *repo, const struct marks *m, struct error *err)
{
    if (m->charter.seq == 0)
        return 0;
    if (memcmp(m->repo_id, repo->repo_id, REPO_ID_LEN) != 0)
        return error_named(err, E_CONFLICT, ERR_CHARTER_REPO, "%s is another repository than last time",
                           backend_where(repo->backend));
    if (m->charter.seq > repo->charters.len ||
        memcmp(repo_charter_at(repo, m->charter.seq - 1)->hash, m->charter.hash, HASH_LEN) != 0)
        return error_named(err, E_CONFLICT, ERR_LOG_ROLLBACK,
                           "the storage shows charter %zu, but charter %u was here or was another one",
                           repo->charters.len, m->charter.seq);
    return 0;
}

static int check_mark(const struct repo_log *l, const struct mark *m, size_t head, const uint8_t *hash,
                      struct error *err)
{
    struct error why = ERROR_INIT;
    if (m->seq <= head && (hash == NULL || memcmp(hash, m->hash, HASH_LEN) == 0))
        return 0;
    if (m->seq > head)
        (void)error_named(&why, E_CONFLICT, ERR_LOG_ROLLBACK, "the log ends at %zu, but record %u was here",
                          head, m->seq);
    else
        (void)error_named(&why, E_CONFLICT, ERR_LOG_ROLLBACK, "record %u is another one than last time",
                          m->seq);
    return repo_finding_add(l, FINDING_ALARM, m->seq, 0, &why, err);
}

static int check_log_marks(struct repo *repo, const struct marks *m, struct error *err)
{
    struct repo_log l = repo_log_retention(repo);
    bool seen = m->retention.seq >= 1 && m->retention.seq <= repo->retention.len;
    int rc = check_mark(&l, &m->retention, repo->retention.len,
                        seen ? repo_retention_at(repo, m->retention.seq - 1)->hash : NULL, err);
    for (size_t i = 0; i < repo->writers.len && rc == 0; i++) {
        struct repo_writer *w = vec_at(&repo->writers, i);
        const struct mark *mark = marks_writer(m, w->id);
        if (mark == NULL)
            continue;
        const struct repo_record *r = repo_record_at(w, mark->seq);
        l = repo_log_writer(repo, w);
        rc = check_mark(&l, mark, w->records.len, r != NULL ? r->hash : NULL, err);
    }
    return rc;
}

/* A mark rises when the log still holds what it says (at: the hash there, or NULL). */
static bool may_rise(const struct mark *m, size_t head, const uint8_t *at)
{
    return head > m->seq && (m->seq == 0 || (at != NULL && memcmp(at, m->hash, HASH_LEN) == 0));
}

static void lift(struct mark *m, size_t head, const uint8_t hash[HASH_LEN])
{
    m->seq = (uint32_t)head;
    memcpy(m->hash, hash, HASH_LEN);
}

static void raise_retention(const struct repo *repo, struct mark *m)
{
    size_t head = repo->retention.len;
    const uint8_t *at = m->seq >= 1 && m->seq <= head ? repo_retention_at(repo, m->seq - 1)->hash : NULL;
    if (may_rise(m, head, at))
        lift(m, head, repo_retention_head(repo)->hash);
}

static int raise_writer(const struct repo_writer *w, struct marks *m, struct error *err)
{
    const struct mark none = { .seq = 0 };
    const struct mark *mark = marks_writer(m, w->id);
    mark = mark != NULL ? mark : &none;
    const struct repo_record *at = repo_record_at(w, mark->seq);
    if (!may_rise(mark, w->records.len, at != NULL ? at->hash : NULL))
        return 0;
    return marks_set_writer(m, w->id, (uint32_t)w->records.len, repo_head(w)->hash, err);
}

int repo_marks_raise(const struct repo *repo, struct marks *m, struct error *err)
{
    int rc = check_charter_mark(repo, m, err);
    if (rc < 0)
        return rc;
    memcpy(m->repo_id, repo->repo_id, REPO_ID_LEN);
    lift(&m->charter, repo->charters.len, repo_charter(repo)->hash);
    raise_retention(repo, &m->retention);
    for (size_t i = 0; i < repo->writers.len && rc == 0; i++)
        rc = raise_writer(vec_at(&repo->writers, i), m, err);
    return rc;
}

/* ---- opening ----------------------------------------------------------------------------------------- */

/* Late: its newest snapshot is older than the cadence. A writer that is retired or never began is not. */
static int check_late(struct repo *repo, struct repo_writer *w, uint64_t now, struct error *err)
{
    const struct charter_writer *line = charter_writer_last(repo_charter(repo), w->id);
    const struct repo_record *r = NULL;
    for (uint32_t n = (uint32_t)w->records.len; n > 0 && r == NULL; n--)
        if (repo_record_at(w, n)->rec.kind == RECORD_SNAPSHOT && !repo_record_at(w, n)->is_void)
            r = repo_record_at(w, n);
    if (w->records.len == 0 || line->cadence_hours == 0 || line->last_seq != SEQ_OPEN)
        return 0;
    uint64_t time = r != NULL ? r->rec.time : repo_record_at(w, 1)->rec.time;
    if (now <= time || now - time <= (uint64_t)line->cadence_hours * HOUR)
        return 0;
    struct repo_log l = repo_log_writer(repo, w);
    struct error why = ERROR_INIT;
    (void)error_named(&why, E_CONFLICT, ERR_LOG_LATE,
                      "the newest snapshot is %llu %s old, one is due every %u",
                      (unsigned long long)((now - time) / HOUR), plural((now - time) / HOUR, "hour", "hours"),
                      line->cadence_hours);
    return repo_finding_add(&l, FINDING_ALARM, (uint32_t)w->records.len, -1, &why, err);
}

static int load(struct repo *repo, const uint8_t root_pk[SIGN_PK_LEN], const struct repo_options *o,
                struct error *err)
{
    int rc = repo_load_charters(repo, root_pk, err);
    if (rc == E_NOT_FOUND && o->marks != NULL && o->marks->charter.seq != 0) {
        char file[NAME_TEXT_MAX];
        return error_named(err, E_CONFLICT, ERR_CHARTER_MISSING, "%s is gone from %s; charter %u was here",
                           name_charter(file, 1, 0), backend_where(repo->backend), o->marks->charter.seq);
    }
    if (rc == 0 && o->marks != NULL)
        rc = check_charter_mark(repo, o->marks, err);
    rc = rc < 0 ? rc : repo_load_retention(repo, err);
    rc = rc < 0 ? rc : repo_load_writers(repo, o->writer, err);
    rc = rc < 0 ? rc : repo_judge(repo, err);
    if (rc == 0 && o->marks != NULL)
        rc = check_log_marks(repo, o->marks, err);
    for (size_t i = 0; i < repo->writers.len && rc == 0 && o->now != 0; i++)
        rc = check_late(repo, vec_at(&repo->writers, i), o->now, err);
    return rc;
}

int repo_open(struct backend *b, const uint8_t root_pk[SIGN_PK_LEN], const struct repo_options *options,
              struct repo **out, struct error *err)
{
    struct repo *repo = mem_alloc(1, sizeof *repo, err);
    if (repo == NULL)
        return E_NOMEM;
    *repo = (struct repo){ .backend = b,
                           .charters = VEC_OF(struct charter),
                           .retention = VEC_OF(struct repo_retention),
                           .writers = VEC_OF(struct repo_writer),
                           .findings = VEC_OF(struct repo_finding),
                           .items = MAP_OF(sizeof(struct item_key), sizeof(struct repo_item)) };
    int rc = load(repo, root_pk, options, err);
    if (rc < 0) {
        repo_close(repo);
        return rc;
    }
    *out = repo;
    return 0;
}

int repo_reload(struct repo *repo, struct error *err)
{
    int rc = repo_extend_retention(repo, err);
    for (size_t i = 0; i < repo->writers.len && rc == 0; i++)
        rc = repo_extend_writer(repo, vec_at(&repo->writers, i), err);
    return rc < 0 ? rc : repo_judge(repo, err);
}

static void writer_free(struct repo_writer *w)
{
    for (size_t i = 0; i < w->records.len; i++)
        record_free(&repo_record_item(w, i)->rec);
    vec_free(&w->records);
    vec_free(&w->seen);
    map_free(&w->packs);
}

void repo_close(struct repo *repo)
{
    if (repo == NULL)
        return;
    repo_retention_cut(repo, 0);
    for (size_t i = 0; i < repo->charters.len; i++)
        charter_free(repo_charter_at(repo, i));
    for (size_t i = 0; i < repo->writers.len; i++)
        writer_free(vec_at(&repo->writers, i));
    vec_free(&repo->charters);
    vec_free(&repo->retention);
    vec_free(&repo->writers);
    vec_free(&repo->findings);
    map_free(&repo->items);
    free(repo);
}
