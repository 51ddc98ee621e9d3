/*
 * drill_cert.h - the certificate of a drill: a signed statement that one snapshot was restored and looked at.
 *
 * Lines like a charter's, in this order, all of them (docs/format.md, section 23):
 *
 *     bk1 drill 1
 *     repo REPO_ID
 *     charter VERSION HASH       the newest one that the drill host knew, and F of its file
 *     key PK                     that signs; a `drill` line of that charter
 *     id ID                      of the drill: 1..39 of A-Z a-z 0-9 -
 *     record WRITER HASH         of the snapshot: the writer's id, F of its record; zeros when none was found
 *     times MADE STARTED FINISHED        of the snapshot's record, of the drill
 *     verdict pass|fail|could_not_run
 *     scope whole|part           part: not all tables, or columns were masked
 *     checks PASS FAIL COULD_NOT_RUN SKIPPED HASH
 *     measured RTO_MS RTO_TARGET_S AGE_S RPO_S BYTES     RTO_TARGET_S 0: none; RPO_S: - when it is not known
 *     result SIZE HASH           of ID.json
 *     page SIZE HASH             of ID.html
 *     snapshot TEXT | engine TEXT | host TEXT | tool TEXT | server TEXT     five lines; - when there is nothing to say
 *     sig SIGNATURE              Ed25519, tag "bk1 sig drill", over all bytes before this line
 *
 *     rc = drill_cert_build(&cert, seed, &bytes, err);             // fills in cert.key
 *     rc = drill_cert_parse(data, len, &cert, err);                // syntax, and the signature of the key it names itself
 *     rc = drill_cert_judge(&cert, repo, &retired, err);           // whether the charters know that key
 */
#ifndef COMMON_REPO_DRILL_CERT_H
#define COMMON_REPO_DRILL_CERT_H

#include "common/repo/repo.h"

#define ERR_DRILL_CERTIFICATE "drill-certificate" /* syntax or signature */

enum {
    DRILL_CERT_MAX = 16 * 1024, /* bytes */
    DRILL_CERT_ID_MAX = 40,     /* with NUL; as in restore/drill/result.h */
    DRILL_CERT_TEXT_MAX = 256,  /* with NUL */
};
enum drill_cert_verdict { DRILL_CERT_PASS, DRILL_CERT_FAIL, DRILL_CERT_COULD_NOT_RUN, DRILL_CERT_VERDICTS };

struct drill_cert {
    uint8_t repo_id[REPO_ID_LEN];
    uint32_t charter;
    uint8_t charter_hash[HASH_LEN];
    uint8_t key[SIGN_PK_LEN];
    char id[DRILL_CERT_ID_MAX];
    uint8_t writer[WRITER_ID_LEN];
    uint8_t record_hash[HASH_LEN];
    uint64_t made, started, finished; /* seconds since 1970 */
    enum drill_cert_verdict verdict;
    bool whole;
    uint64_t checks[4]; /* pass, fail, could not run, skipped */
    uint8_t checks_hash[HASH_LEN];
    uint64_t rto_ms, rto_target_seconds, age_seconds, rpo_seconds, bytes;
    bool rpo_known;
    uint64_t result_size, page_size;
    uint8_t result_hash[HASH_LEN], page_hash[HASH_LEN];
    char snapshot[DRILL_CERT_TEXT_MAX];
    char engine[DRILL_CERT_TEXT_MAX];
    char host[DRILL_CERT_TEXT_MAX];
    char tool[DRILL_CERT_TEXT_MAX];
    char server[DRILL_CERT_TEXT_MAX];
};

/* "pass", "fail", "could_not_run" */
const char *drill_cert_verdict_name(enum drill_cert_verdict v);
bool drill_cert_id_good(const char *id);

/* Appends; the texts are made one line. E_USAGE: an id that is none. */
int drill_cert_build(struct drill_cert *c, const struct secret *seed, struct buf *out, struct error *err);
/* E_CORRUPT "drill-certificate". */
int drill_cert_parse(const void *data, size_t len, struct drill_cert *out, struct error *err);
/* A certificate counts when it is of this repository, names a charter of it with that charter's hash, its key is active in that
 * one, and the newest charter still names the key, active or retired (*retired; may be NULL). E_CONFLICT: another repository, or a
 * charter that is not of this one. E_AUTH: not a drill key, or taken out since. */
int drill_cert_judge(const struct drill_cert *c, const struct repo *repo, bool *retired, struct error *err);

#endif
