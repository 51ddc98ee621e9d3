/* The writer's log at the start of a session: a record that was on its way, one that is half there. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/repo/session_internal.h"
#include "common/sys/atomic_file.h"
#include "common/base/banned.h"

enum { TORN_STALL_SECONDS = 15 * 60 };

#define TORN_SEEN "record.torn"

static int forget(struct session *s, const char *name, struct error *err)
{
    char *path = session_path(s, name, err);
    if (path == NULL)
        return E_NOMEM;
    int rc = unlink(path) == 0 || errno == ENOENT ? 0 : error_sys(err, "remove %s", path);
    free(path);
    return rc;
}

/* The record is on the storage: marks, cache, and nothing is pending any more. */
int session_record_published(struct session *s, const struct record *r, struct error *err)
{
    struct vec names = VEC_OF(struct cache_pack_name);
    char *path = session_path(s, "marks", err);
    int rc = path != NULL ? repo_marks_raise(s->repo, &s->marks, err) : E_NOMEM;
    if (rc == 0)
        rc = marks_save(path, &s->marks, err);
    for (size_t i = 0; rc == 0 && i < r->packs.len; i++) {
        const struct record_pack *p = vec_at(&r->packs, i);
        struct cache_pack_name *slot = vec_push(&names, err);
        if (slot == NULL)
            rc = E_NOMEM;
        else
            *slot = (struct cache_pack_name){ .session = p->session, .idx = p->idx };
    }
    if (rc == 0)
        rc = cache_mark_introduced(s->cache, r->seq, names.data, names.len, err);
    if (rc == 0)
        rc = forget(s, SESSION_PENDING_RECORD, err);
    vec_free(&names);
    free(path);
    return rc;
}

static int send_pending(struct session *s, const struct buf *bytes, const struct record *r, struct error *err)
{
    const struct repo_record *head = repo_head(s->writer);
    uint32_t head_seq = head != NULL ? head->rec.seq : 0;
    uint8_t hash[HASH_LEN];
    record_hash(bytes->data, bytes->len, hash);
    if (r->seq <= head_seq) {
        const struct repo_record *there = repo_record_at(s->writer, r->seq);
        if (there != NULL && memcmp(there->hash, hash, HASH_LEN) == 0)
            return session_record_published(s, r, err);
        (void)error_corrupt(
            err, ERR_LOG_FORK,
            "record %u of this writer is on the storage with other content than "
            "what this host was about to publish: a second copy of this host is running, or its keys "
            "are in other hands. Stop both, find out, then retire this writer with the root key",
            r->seq);
        if (err != NULL)
            err->code = E_CONFLICT;
        return E_CONFLICT;
    }
    if (r->seq != head_seq + 1)
        return error_set(err, E_CONFLICT,
                         "this host was about to publish record %u, but the storage shows only %u", r->seq,
                         head_seq);
    const struct charter_writer *line = charter_writer_at(repo_charter(s->repo), r->writer_id, r->seq);
    if (line != NULL && record_verify(bytes->data, bytes->len, line->pk, NULL) < 0) {
        /* Nobody will ever accept it: what it introduced is adopted by this run. */
        log_event(
            LOG_WARN,
            "the last run was cut while it published record %u, and this writer's key was rotated since: the "
            "record is given up, this run replaces it",
            r->seq);
        return forget(s, SESSION_PENDING_RECORD, err);
    }
    log_event(LOG_WARN, "the last run was cut while it published record %u; sending it again", r->seq);
    int rc = repo_publish_record(s->repo, bytes->data, bytes->len, NULL, err);
    if (rc == 0)
        rc = repo_reload(s->repo, err);
    s->writer = rc == 0 ? repo_writer_find(s->repo, s->options.keys->writer_id) : s->writer;
    if (rc < 0)
        return error_wrap(err, "record %u of an earlier run", r->seq);
    if (repo_fence(s->writer) > r->ack)
        log_event(LOG_WARN, "record %u came too late and is void; this run replaces it", r->seq);
    return session_record_published(s, r, err);
}

int session_settle_record(struct session *s, struct error *err)
{
    struct buf bytes = BUF_INIT;
    struct record r;
    record_init(&r);
    char *path = session_path(s, SESSION_PENDING_RECORD, err);
    int rc = path != NULL ? file_read_small(path, RECORD_MAX, &bytes, err) : E_NOMEM;
    if (rc == E_NOT_FOUND) {
        error_clear(err);
        rc = 0;
    } else if (rc == 0) {
        rc = record_decode(bytes.data, bytes.len, &r, err);
        if (rc == 0)
            rc = send_pending(s, &bytes, &r, err);
        else
            rc = error_wrap(err, "%s", path);
    }
    record_free(&r);
    buf_free(&bytes);
    free(path);
    return rc;
}

/* A torn record that this host does not know: perhaps somebody is writing it right now. */
int session_wait_for_torn(struct session *s, struct error *err)
{
    if (s->writer->torn_next == 0)
        return forget(s, TORN_SEEN, err);
    char *path = session_path(s, TORN_SEEN, err);
    struct buf seen = BUF_INIT;
    if (path == NULL)
        return E_NOMEM;
    uint64_t now = clock_wall();
    uint64_t since = now;
    int rc = file_read_small(path, NUMBER_TEXT_MAX, &seen, NULL);
    if (rc == 0 && buf_append(&seen, "", 1, err) == 0)
        rc = number_parse((const char *)seen.data, 0, UINT64_MAX, &since, NULL);
    if (rc < 0 || since > now) {
        buf_clear(&seen);
        rc = buf_printf(&seen, err, "%llu", (unsigned long long)now);
        since = now;
        if (rc == 0)
            rc = file_write_atomic(path, seen.data, seen.len, 0600, FILE_REPLACE, err);
    }
    uint64_t minutes = now - since < TORN_STALL_SECONDS ? (TORN_STALL_SECONDS - (now - since)) / 60 + 1 : 0;
    if (rc == 0 && minutes > 0)
        rc = error_set(err, E_BUSY,
                       "a half-written record lies in this writer's log and this host does not know it: "
                       "if no other host uses this writer's key, run again in %llu %s",
                       (unsigned long long)minutes, plural(minutes, "minute", "minutes"));
    buf_free(&seen);
    free(path);
    return rc;
}
