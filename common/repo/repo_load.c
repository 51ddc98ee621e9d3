#include "common/repo/repo_internal.h"

#include <string.h>

#include "common/base/str.h"

#include "common/base/banned.h"

/* ---- charters ---------------------------------------------------------------------------------------- */

struct charter *repo_charter_at(const struct repo *repo, size_t i)
{
    return vec_at(&repo->charters, i);
}

const struct charter *repo_charter(const struct repo *repo)
{
    return repo_charter_at(repo, repo->charters.len - 1);
}

/* Whether charters end before this version: 1 yes, 0 no, or the error that stops everything. */
static int charters_end(struct repo *repo, const struct shelf *s, uint32_t version, const struct pick *p,
                        struct error *err)
{
    struct repo_log l = { .repo = repo, .kind = NAME_CHARTER };
    if (p->what == PICK_VALID)
        return p->damaged ? repo_finding_add(&l, FINDING_NOTE, version, p->bad_attempt, &p->why, err) : 0;
    if (p->what == PICK_FORK)
        return error_named(err, E_CONFLICT, ERR_LOG_FORK, "there are two different charters %u", version);
    if (p->what == PICK_NOTHING && version == 1)
        return error_named(err, E_NOT_FOUND, ERR_CHARTER_MISSING, "there is no repository: no charter at %s",
                           backend_where(repo->backend));
    if (p->what == PICK_INVALID && (version == 1 || p->damaged || s->last > version)) {
        char file[NAME_TEXT_MAX];
        (void)error_copy(err, &p->why);
        (void)error_wrap(err, "%s", name_charter(file, version, p->bad_attempt));
        return p->why.code;
    }
    if (s->last > version)
        return error_corrupt(err, ERR_LOG_GAP, "charter %u is missing, charter %u is there", version,
                             s->last);
    int rc = p->what == PICK_INVALID
                 ? repo_finding_add(&l, FINDING_NOTE, version, p->bad_attempt, &p->why, err)
                 : 0;
    return rc < 0 ? rc : 1;
}

static int take_charter(struct repo *repo, const struct buf *bytes, struct error *err)
{
    struct charter *c = vec_push(&repo->charters, err);
    if (c == NULL)
        return E_NOMEM;
    int rc = charter_parse(bytes->data, bytes->len, c, err);
    if (rc == 0) {
        size_t n = repo->charters.len;
        rc = charter_follows(n > 1 ? repo_charter_at(repo, n - 2) : NULL, repo_charter_at(repo, n - 1), err);
    }
    return rc;
}

int repo_load_charters(struct repo *repo, const uint8_t pin[SIGN_PK_LEN], struct error *err)
{
    struct shelf s = shelf_of(repo->backend, NAME_CHARTER, NULL);
    bool pinned = false;
    int rc = shelf_list(&s, err);
    for (uint32_t version = 1; rc == 0; version++) {
        struct pick p;
        uint8_t signer[SIGN_PK_LEN];
        if (version > 1)
            memcpy(signer, repo_charter(repo)->root_pk, SIGN_PK_LEN);
        struct repo_expect j = { .kind = NAME_CHARTER, .pk = version > 1 ? signer : NULL, .seq = version };
        rc = pick_attempt(&s, &j, &p, err);
        rc = rc < 0 ? rc : charters_end(repo, &s, version, &p, err);
        rc = rc != 0 ? rc : take_charter(repo, &p.bytes, err);
        pick_free(&p);
        if (rc == 0 && version == 1)
            memcpy(signer, repo_charter(repo)->root_pk, SIGN_PK_LEN);
        pinned = pinned || (rc == 0 && memcmp(signer, pin, SIGN_PK_LEN) == 0);
    }
    repo->junk += s.junk;
    shelf_free(&s);
    if (rc < 0)
        return rc;
    memcpy(repo->repo_id, repo_charter_at(repo, 0)->repo_id, REPO_ID_LEN);
    return pinned
               ? 0
               : error_corrupt(
                     err, ERR_CHARTER_ROOT,
                     "%s: no charter is signed by the root key of this kit (or root.pub): it is of another repository, or the charters were replaced",
                     backend_where(repo->backend));
}

/* ---- retention log ----------------------------------------------------------------------------------- */

struct repo_retention *repo_retention_at(const struct repo *repo, size_t i)
{
    return vec_at(&repo->retention, i);
}

static void retention_pop(struct repo *repo)
{
    retention_free(&repo_retention_at(repo, repo->retention.len - 1)->rec);
    repo->retention.len--;
}

void repo_retention_cut(struct repo *repo, size_t k)
{
    while (repo->retention.len > k)
        retention_pop(repo);
    for (size_t i = 0; i < repo->writers.len; i++) {
        struct repo_writer *w = vec_at(&repo->writers, i);
        if (w->seen.len > k)
            w->seen.len = k;
    }
}

static int take_retention(struct repo *repo, const struct pick *p, struct error *err)
{
    struct repo_retention *r = vec_push(&repo->retention, err);
    if (r == NULL)
        return E_NOMEM;
    const struct repo_retention *prev = repo->retention.len > 1 ? r - 1 : NULL;
    int rc = retention_decode(p->bytes.data, p->bytes.len, &r->rec, err);
    rc = rc < 0 ? rc
                : retention_follows(prev != NULL ? &prev->rec : NULL,
                                    prev != NULL ? prev->hash : repo_charter_at(repo, 0)->hash, &r->rec, err);
    if (rc == 0 && r->rec.charter > repo_charter(repo)->version)
        rc = error_corrupt(err, ERR_RETENTION_CHARTER,
                           "retention record %u names charter %u, the newest is %u", r->rec.seq,
                           r->rec.charter, repo_charter(repo)->version);
    if (rc < 0) {
        retention_pop(repo);
        return rc;
    }
    file_hash(p->bytes.data, p->bytes.len, r->hash);
    r->attempt = p->attempt;
    r->clock = retention_clock(r->rec.seq, prev != NULL ? prev->clock : 0, r->rec.time);
    return 0;
}

static int load_retention(struct repo *repo, struct shelf *s, struct error *err)
{
    struct repo_log l = repo_log_retention(repo);
    int rc = 1;
    while (rc > 0) {
        struct pick p;
        uint32_t seq = (uint32_t)repo->retention.len + 1;
        rc = repo_log_next(&l, s, charter_retention_key(repo_charter(repo), seq), seq, &p, err);
        if (rc > 0) {
            struct error why = ERROR_INIT;
            rc = take_retention(repo, &p, &why);
            rc = repo_log_taken(&l, seq, p.attempt, rc, &why, err);
        }
        pick_free(&p);
    }
    return rc;
}

int repo_load_retention(struct repo *repo, struct error *err)
{
    struct shelf s = shelf_of(repo->backend, NAME_RETENTION, NULL);
    int rc = shelf_list(&s, err);
    rc = rc < 0 ? rc : load_retention(repo, &s, err);
    repo->junk += s.junk;
    shelf_free(&s);
    return rc;
}

int repo_extend_retention(struct repo *repo, struct error *err)
{
    struct shelf s = shelf_of(repo->backend, NAME_RETENTION, NULL);
    return load_retention(repo, &s, err);
}

/* ---- writers' logs ------------------------------------------------------------------------------------ */

struct repo_record *repo_record_item(const struct repo_writer *w, size_t i)
{
    return vec_at(&w->records, i);
}

/* The retention record it acknowledges may be younger than what was read of that log. */
static int check_ack(struct repo *repo, const struct repo_writer *w, const struct record *r,
                     struct error *err)
{
    if (r->ack > repo->retention.len) {
        int rc = repo_extend_retention(repo, err);
        if (rc < 0)
            return rc;
    }
    if (r->ack > repo->retention.len) {
        struct repo_log l = repo_log_retention(repo);
        struct error why = ERROR_INIT;
        char id[2 * WRITER_ID_LEN + 1];
        hex_encode(id, w->id, WRITER_ID_LEN);
        (void)error_corrupt(&why, ERR_LOG_GAP, "writer %s has seen retention record %u, the log ends at %zu",
                            id, r->ack, repo->retention.len);
        bool known = repo->retention_stopped || repo->retention_behind;
        repo->retention_behind = true;
        return known ? 0 : repo_finding_add(&l, FINDING_ALARM, r->ack, -1, &why, err);
    }
    if (r->ack > 0 && memcmp(r->ack_hash, repo_retention_at(repo, r->ack - 1)->hash, HASH_LEN) != 0)
        return error_corrupt(err, ERR_RECORD_ACK, "record %u acknowledges another retention record %u",
                             r->seq, r->ack);
    return 0;
}

static int check_packs_new(const struct repo_writer *w, const struct record *r, struct error *err)
{
    for (size_t i = 0; i < r->packs.len; i++) {
        const struct record_pack *p = vec_at(&r->packs, i);
        struct intro_key key = { .session = p->session, .idx = p->idx };
        if (map_get(&w->packs, &key) != NULL)
            return error_corrupt(err, ERR_RECORD_PACKS, "record %u introduces pack %08x-%06x a second time",
                                 r->seq, p->session, p->idx);
    }
    return 0;
}

static int index_packs(struct repo_writer *w, const struct record *r, struct error *err)
{
    for (size_t i = 0; i < r->packs.len; i++) {
        const struct record_pack *p = vec_at(&r->packs, i);
        struct intro_key key = { .session = p->session, .idx = p->idx };
        struct repo_intro *intro = map_put(&w->packs, &key, NULL, err);
        if (intro == NULL)
            return E_NOMEM;
        intro->seq = r->seq;
        intro->item = (uint32_t)i;
    }
    return 0;
}

static int take_record(struct repo *repo, struct repo_writer *w, const struct pick *p, struct error *err)
{
    struct repo_record *r = vec_push(&w->records, err);
    if (r == NULL)
        return E_NOMEM;
    const struct repo_record *prev = w->records.len > 1 ? r - 1 : NULL;
    int rc = record_decode(p->bytes.data, p->bytes.len, &r->rec, err);
    rc = rc < 0 ? rc
                : record_follows(prev != NULL ? &prev->rec : NULL,
                                 prev != NULL ? prev->hash : repo_charter_at(repo, 0)->hash, &r->rec, err);
    if (rc == 0 && r->rec.charter > repo_charter(repo)->version)
        rc = error_corrupt(err, ERR_RECORD_CHARTER, "record %u names charter %u, the newest is %u",
                           r->rec.seq, r->rec.charter, repo_charter(repo)->version);
    rc = rc < 0 ? rc : check_packs_new(w, &r->rec, err);
    rc = rc < 0 ? rc : check_ack(repo, w, &r->rec, err);
    rc = rc < 0 ? rc : index_packs(w, &r->rec, err);
    if (rc < 0) {
        record_free(&r->rec);
        w->records.len--;
        return rc;
    }
    file_hash(p->bytes.data, p->bytes.len, r->hash);
    r->attempt = p->attempt;
    return 0;
}

static int load_writer(struct repo *repo, struct repo_writer *w, struct shelf *s, struct error *err)
{
    struct repo_log l = repo_log_writer(repo, w);
    int rc = 1;
    while (rc > 0) {
        struct pick p;
        uint32_t seq = (uint32_t)w->records.len + 1;
        const struct charter_writer *line = charter_writer_at(repo_charter(repo), w->id, seq);
        rc = repo_log_next(&l, s, line != NULL ? line->pk : NULL, seq, &p, err);
        if (rc > 0) {
            struct error why = ERROR_INIT;
            rc = take_record(repo, w, &p, &why);
            rc = repo_log_taken(&l, seq, p.attempt, rc, &why, err);
        }
        pick_free(&p);
    }
    return rc;
}

int repo_extend_writer(struct repo *repo, struct repo_writer *w, struct error *err)
{
    struct shelf s = shelf_of(repo->backend, NAME_RECORD, w->id);
    return load_writer(repo, w, &s, err);
}

struct repo_writer *repo_writer_find(const struct repo *repo, const uint8_t id[WRITER_ID_LEN])
{
    for (size_t i = 0; i < repo->writers.len; i++) {
        struct repo_writer *w = vec_at(&repo->writers, i);
        if (memcmp(w->id, id, WRITER_ID_LEN) == 0)
            return w;
    }
    return NULL;
}

static int add_writer(struct repo *repo, const uint8_t id[WRITER_ID_LEN], struct error *err)
{
    struct repo_writer *w = vec_push(&repo->writers, err);
    if (w == NULL)
        return E_NOMEM;
    *w = (struct repo_writer){ .records = VEC_OF(struct repo_record),
                               .seen = VEC_OF(struct repo_seen),
                               .packs = MAP_OF(sizeof(struct intro_key), sizeof(struct repo_intro)) };
    memcpy(w->id, id, WRITER_ID_LEN);
    return 0;
}

static int list_writer(struct repo *repo, struct repo_writer *w, struct error *err)
{
    struct shelf s = shelf_of(repo->backend, NAME_RECORD, w->id);
    int rc = shelf_list(&s, err);
    rc = rc < 0 ? rc : load_writer(repo, w, &s, err);
    repo->junk += s.junk;
    shelf_free(&s);
    return rc;
}

int repo_load_writers(struct repo *repo, const uint8_t *only, struct error *err)
{
    const struct charter *c = repo_charter(repo);
    int rc = 0;
    for (size_t i = 0; i < c->writers.len && rc == 0; i++) {
        const struct charter_writer *line = vec_at(&c->writers, i); /* several lines per id are possible */
        if ((only == NULL || memcmp(line->id, only, WRITER_ID_LEN) == 0) &&
            repo_writer_find(repo, line->id) == NULL)
            rc = add_writer(repo, line->id, err);
    }
    for (size_t i = 0; i < repo->writers.len && rc == 0; i++)
        rc = list_writer(repo, vec_at(&repo->writers, i), err);
    return rc;
}
