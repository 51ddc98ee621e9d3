/*
 * certificate.h - a signed statement about the destruction of a repository's keys.
 *
 * ASCII lines like a charter's, and remarks that begin with '#' and are signed, too:
 *
 *     bk1 shred 1
 *     repo REPO_ID
 *     root PK                         the root key that signed this, and was destroyed after it
 *     charter VERSION HASH            the newest charter then
 *     time SECONDS
 *     destroyed ROLE HASH PATH        overwritten and removed; HASH is F of the file; PATH is text for people
 *     kept ROLE HASH PATH             could not be destroyed
 *     recipient RID NAME destroyed    a key file of this recipient was among them, opened and compared
 *     recipient RID NAME unseen       none was, or none that could be opened: its key may exist
 *     sig SIGNATURE                   Ed25519, tag "bk1 sig shred", over all bytes before this line
 *
 * PATH is the rest of the line with what is not printable as '?'.
 */
#ifndef BACKUPD_KEYS_CERTIFICATE_H
#define BACKUPD_KEYS_CERTIFICATE_H

#include "backupd/keys/shred.h"
#include "common/access/access.h"

enum { CERTIFICATE_MAX = 1024 * 1024 };

/* Appends the certificate about s, signed by its root key. */
int certificate_build(const struct shred *s, uint64_t now, struct buf *out, struct error *err);

struct certificate {
    uint8_t repo_id[REPO_ID_LEN];
    uint8_t root_pk[SIGN_PK_LEN];
    uint64_t version; /* of the charter */
    uint64_t time;
    uint64_t destroyed, kept, seen, unseen;
};
/* Syntax and signature by the root key that it names itself; whether that is the right one is the caller's to ask.
 * E_CORRUPT "certificate". */
int certificate_check(const void *data, size_t len, struct certificate *out, struct error *err);

#endif
