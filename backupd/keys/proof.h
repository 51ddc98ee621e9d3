/*
 * proof.h - does a key open every session that it must open? (LK: headers only)
 *
 *     struct proof p;
 *     rc = proof_run(repo, &opener, rids, nrids, false, &p, err);    // newest: only the newest session of each writer
 *     if (p.failed > 0) ... p.first names it, p.reason says why ...
 *
 * Asked is every session of which something is left: the snapshot object of a live snapshot, and one pack of each
 * session that a record introduces. A session whose charter did not name these recipients (it began before they were
 * added, or after they were removed or had expired) cannot open to them: it is counted apart.
 */
#ifndef BACKUPD_KEYS_PROOF_H
#define BACKUPD_KEYS_PROOF_H

#include "common/repo/fetch.h"
#include "common/repo/repo.h"
#include "common/repo/snapshot.h"

struct proof {
    uint64_t sessions; /* asked */
    uint64_t opened;
    uint64_t shared;  /* opened only together with others; the share of these keys opens */
    uint64_t foreign; /* not sealed to these recipients, and rightly so */
    uint64_t failed;
    uint64_t partial; /* newest snapshots of writers that open, but need packs of sessions that do not */
    char first[SNAPSHOT_NAME_MAX + 64]; /* the first one that failed, with the reason */
    char reason[ERROR_TEXT_MAX];
    char newest[SNAPSHOT_NAME_MAX]; /* the newest snapshot that opened, for people; "" */
    uint64_t newest_time;
};

int proof_run(const struct repo *repo, const struct opener *opener, const uint8_t (*rids)[RID_LEN],
              size_t nrids, bool newest, struct proof *out, struct error *err);

#endif
