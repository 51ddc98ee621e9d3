#include "common/repo/repo_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/banned.h"

enum { FINDINGS_MAX = 4096 }; /* more of them help nobody */

/* ---- findings ---------------------------------------------------------------------------------------- */

struct repo_log repo_log_retention(struct repo *repo)
{
    return (struct repo_log){ .repo = repo,
                              .kind = NAME_RETENTION,
                              .stopped = &repo->retention_stopped,
                              .forked = &repo->retention_forked,
                              .torn_next = &repo->retention_torn_next };
}

struct repo_log repo_log_writer(struct repo *repo, struct repo_writer *w)
{
    return (struct repo_log){ .repo = repo,
                              .kind = NAME_RECORD,
                              .writer = w->id,
                              .stopped = &w->stopped,
                              .forked = &w->forked,
                              .torn_next = &w->torn_next };
}

static void log_name(const struct repo_log *l, uint32_t seq, uint8_t attempt, char out[NAME_TEXT_MAX])
{
    struct name n = { .kind = l->kind, .seq = seq, .attempt = attempt };
    if (l->writer != NULL)
        memcpy(n.writer, l->writer, WRITER_ID_LEN);
    (void)name_format(out, &n);
}

int repo_finding_add(const struct repo_log *l, enum repo_weight weight, uint32_t seq, int attempt,
                     const struct error *what, struct error *err)
{
    if (l->repo->findings.len == FINDINGS_MAX)
        return 0;
    struct repo_finding *f = vec_push(&l->repo->findings, err);
    if (f == NULL)
        return E_NOMEM;
    f->code = what->code;
    f->name = what->name != NULL ? what->name : error_code_name(what->code); /* e.g. a read that failed */
    f->note = weight == FINDING_NOTE;
    f->has_writer = l->writer != NULL;
    if (l->writer != NULL)
        memcpy(f->writer, l->writer, WRITER_ID_LEN);
    f->seq = seq;
    if (attempt >= 0)
        log_name(l, seq, (uint8_t)attempt, f->where);
    (void)snprintf(f->text, sizeof f->text, "%.*s", FINDING_TEXT_MAX - 1, what->text);
    return 0;
}

/* ---- one step along a log ------------------------------------------------------------------------------ */

int repo_log_stop(const struct repo_log *l, uint32_t seq, int attempt, const struct error *why,
                  struct error *err)
{
    *l->stopped = true;
    return repo_finding_add(l, FINDING_ALARM, seq, attempt, why, err);
}

static int no_key(const struct repo_log *l, struct shelf *s, uint32_t seq, struct error *err)
{
    struct buf bytes = BUF_INIT;
    struct error why = ERROR_INIT;
    int rc = shelf_read(s, seq, 0, &bytes, &why);
    buf_free(&bytes);
    if (rc == 0)
        return 0;
    if (rc < 0 && rc != E_CORRUPT && rc != E_IO)
        return error_copy(err, &why);
    (void)error_corrupt(&why, l->writer != NULL ? ERR_RECORD_WRITER : ERR_RETENTION_KEY,
                        "the charter names no key for seq %u: it and what follows is ignored", seq);
    *l->stopped = true;
    return repo_finding_add(l, FINDING_NOTE, seq, 0, &why, err);
}

/* The log ends here: is that as it should be? */
static int log_end(const struct repo_log *l, const struct shelf *s, uint32_t seq, const struct pick *p,
                   struct error *err)
{
    struct error why = ERROR_INIT;
    bool more = s->listed && s->last > seq;
    if (p->what == PICK_FORK) {
        *l->forked = true;
        (void)error_named(&why, E_CONFLICT, ERR_LOG_FORK, "two valid and different records of seq %u", seq);
        return repo_log_stop(l, seq, p->attempt, &why, err);
    }
    if (p->what == PICK_INVALID && (p->damaged || more)) {
        *l->torn_next = p->bad;
        return repo_log_stop(l, seq, p->bad_attempt, &p->why, err);
    }
    if (p->what == PICK_NOTHING && more) {
        (void)error_corrupt(&why, ERR_LOG_GAP, "record %u is missing, record %u is there", seq, s->last);
        return repo_log_stop(l, seq, 0, &why, err);
    }
    if (p->bad == *l->torn_next)
        return 0;
    *l->torn_next = p->bad;
    return p->bad == 0 ? 0 : repo_finding_add(l, FINDING_NOTE, seq, p->bad_attempt, &p->why, err);
}

int repo_log_next(const struct repo_log *l, struct shelf *s, const uint8_t *pk, uint32_t seq, struct pick *p,
                  struct error *err)
{
    *p = (struct pick){ .bytes = BUF_INIT };
    if (*l->stopped || seq > SEQ_MAX)
        return 0;
    if (pk == NULL)
        return no_key(l, s, seq, err);
    struct repo_expect j = {
        .kind = l->kind, .repo_id = l->repo->repo_id, .writer = l->writer, .pk = pk, .seq = seq
    };
    int rc = pick_attempt(s, &j, p, err);
    if (rc < 0)
        return rc;
    if (p->what != PICK_VALID)
        return log_end(l, s, seq, p, err);
    *l->torn_next = 0;
    if (p->damaged && (rc = repo_finding_add(l, FINDING_NOTE, seq, p->bad_attempt, &p->why, err)) < 0)
        return rc;
    return 1;
}

int repo_log_taken(const struct repo_log *l, uint32_t seq, uint8_t attempt, int rc, const struct error *why,
                   struct error *err)
{
    if (rc == 0)
        return 1;
    if (rc == E_CORRUPT || rc == E_CONFLICT)
        return repo_log_stop(l, seq, attempt, why, err);
    return error_copy(err, why);
}
