/* R6: one record of the retention log, journalled before it is sent and sent again byte for byte after a crash. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/repo/prune_internal.h"
#include "common/repo/torn.h"
#include "common/sys/atomic_file.h"
#include "common/base/banned.h"

#define PENDING "retention.pending"
#define TORN_SEEN "retention.torn"

static int forget_pending(const struct prune *p, struct error *err)
{
    char *path = prune_path(p, PENDING, err);
    int rc = path == NULL                           ? E_NOMEM
             : unlink(path) == 0 || errno == ENOENT ? 0
                                                    : error_sys(err, "remove %s", path);
    free(path);
    return rc;
}

/* Pointers to records die with repo_reload. */
static void find_records_again(struct prune *p)
{
    for (size_t i = 0; i < p->snapshots.len; i++) {
        struct prune_snapshot *s = prune_snapshot_at(p, i);
        s->record = repo_record_at(s->writer, s->seq);
    }
}

/* The bytes are journalled: on to the storage, and into the picture. */
static int send_bytes(struct prune *p, const struct buf *bytes, uint32_t seq, struct error *err)
{
    int rc = repo_publish_retention(p->repo, bytes->data, bytes->len, NULL, err);
    rc = rc < 0 ? rc : repo_reload(p->repo, err);
    find_records_again(p);
    if (rc == 0 && (p->repo->retention_stopped || p->repo->retention_forked || p->repo->retention.len < seq))
        rc = error_set(err, E_CONFLICT,
                       "retention record %u was published, but the log ends at %zu: run again to see why",
                       seq, p->repo->retention.len);
    return rc < 0 ? error_wrap(err, "retention record %u", seq) : forget_pending(p, err);
}

/* ---- what was on its way ---------------------------------------------------------------------------- */

static bool is_ours(const struct prune *p, uint32_t seq)
{
    uint8_t pk[SIGN_PK_LEN];
    const uint8_t *named = charter_retention_key(repo_charter(p->repo), seq);
    return named != NULL && sign_public(p->options.keys->seed, pk, NULL) == 0 &&
           memcmp(named, pk, SIGN_PK_LEN) == 0;
}

static int settle_record(struct prune *p, const struct buf *bytes, const struct retention_record *r,
                         struct error *err)
{
    uint8_t hash[HASH_LEN];
    size_t head = p->repo->retention.len;
    file_hash(bytes->data, bytes->len, hash);
    if (r->seq <= head) {
        const struct repo_retention *there = vec_at(&p->repo->retention, r->seq - 1);
        if (memcmp(there->hash, hash, HASH_LEN) == 0)
            return forget_pending(p, err);
        return error_named(
            err, E_CONFLICT, ERR_LOG_FORK,
            "retention record %u is on the storage with other content than what this host was about to "
            "publish: a second retention host is running, or its key is in other hands. Stop both, find "
            "out, and name a new retention key with the root key",
            r->seq);
    }
    /* A log that shows an alarm, or a key that was replaced: it is said, and nothing is published. */
    if (r->seq != head + 1 || repo_alarms(p->repo, NULL) != 0 || !is_ours(p, r->seq))
        return 0;
    log_event(LOG_WARN, "the last retention run was cut while it published record %u; sending it again",
              r->seq);
    return send_bytes(p, bytes, r->seq, err);
}

int prune_settle(struct prune *p, struct error *err)
{
    struct buf bytes = BUF_INIT;
    struct retention_record r;
    struct error why = ERROR_INIT;
    retention_init(&r);
    char *path = prune_path(p, PENDING, err);
    char *torn = prune_path(p, TORN_SEEN, err);
    int rc = path != NULL && torn != NULL ? file_read_small(path, RECORD_MAX, &bytes, &why) : E_NOMEM;
    if (p->options.dry_run && rc != E_NOMEM) {
        rc = 0;
    } else if (rc == E_NOT_FOUND) {
        rc = torn_wait(
            torn, p->repo->retention_torn_next,
            "a half-written record lies in the retention log and this host does not know it: if no other "
            "retention host is at work",
            err);
    } else if (rc < 0) {
        (void)error_copy(err, &why);
    } else {
        rc = retention_decode(bytes.data, bytes.len, &r, err);
        rc = rc < 0 ? error_wrap(err, "%s", path) : settle_record(p, &bytes, &r, err);
    }
    retention_free(&r);
    buf_free(&bytes);
    free(path);
    free(torn);
    return rc;
}

/* ---- publishing ------------------------------------------------------------------------------------- */

/* What readers would refuse is a mistake of this program; it must not get into a log that never forgets. */
static int check_acceptable(struct prune *p, const struct retention_record *r, struct error *err)
{
    struct error why = ERROR_INIT;
    int rc = repo_retention_check(p->repo, r, &why);
    if (rc != E_CORRUPT)
        return rc < 0 ? error_copy(err, &why) : 0;
    return error_set(err, E_INTERNAL, "about to publish what readers would refuse: %s", why.text);
}

int prune_publish(struct prune *p, struct retention_record *r, const char *note, struct error *err)
{
    struct buf bytes = BUF_INIT;
    r->seq = (uint32_t)p->repo->retention.len + 1;
    memcpy(r->prev, repo_prev_hash(p->repo, NULL), HASH_LEN);
    char *path = prune_path(p, PENDING, err);
    int rc = path != NULL ? retention_encode(r, p->options.keys->seed, p->options.keys->v, note, &bytes, err)
                          : E_NOMEM;
    rc = rc < 0 ? rc : check_acceptable(p, r, err);
    rc = rc < 0 ? rc : file_write_atomic(path, bytes.data, bytes.len, 0600, FILE_REPLACE, err);
    rc = rc < 0 ? rc : send_bytes(p, &bytes, r->seq, err);
    buf_free(&bytes);
    free(path);
    return rc;
}
