/*
 * recipient.h - who can read: the public line that a person's own machine prints, and the groups of a charter.
 *
 *     bk1-recipient 9f3a...(32 hex) 41c0...(64 hex) NAME 0e5751c026
 *                   repository      public key           check
 *
 * One line of ASCII, so that it can be sent by mail or read out. The check is the first 5 bytes of BLAKE2b-256 of
 * everything before it: a typing mistake is found. It does not say whose key it is: who signs compares the
 * fingerprint (access_key_print) with that person, over the telephone.
 *
 *     rc = recipient_line(&line, repo_id, pk, "anna", err);             // appends, with '\n'
 *     rc = recipient_parse(text, len, &r, err);                         // E_USAGE says what is wrong
 *     rc = recipient_add(&charter, &r, with, nwith, err);               // a group of its own, or with others
 *     rc = recipient_remove(&charter, rid, &groups, err);               // and every group that needs it
 */
#ifndef BACKUPD_KEYS_RECIPIENT_H
#define BACKUPD_KEYS_RECIPIENT_H

#include "common/base/buffer.h"
#include "common/repo/charter.h"

enum { RECIPIENT_LINE_MAX = 256 };

struct recipient_offer {
    uint8_t repo_id[REPO_ID_LEN];
    struct charter_recipient who; /* expires is 0 */
};

bool recipient_name_valid(const char *name);
int recipient_line(struct buf *out, const uint8_t repo_id[REPO_ID_LEN], const uint8_t pk[BOX_PK_LEN],
                   const char *name, struct error *err);
/* The line may stand anywhere in a text, as what new-recipient prints. */
int recipient_parse(const char *text, size_t len, struct recipient_offer *out, struct error *err);
/* By name or rid; NULL when there is none, or more than one of this name. Borrowed. */
const struct charter_recipient *recipient_find(const struct charter *c, const char *text);
/* A new group: this recipient with all of `with` (names or rids), none of which can open alone through it. */
int recipient_add(struct charter *c, const struct charter_recipient *who, const char *const *with,
                  size_t nwith, struct error *err);
/* Takes the recipient and each group it is in; *groups is how many. E_USAGE: nobody would be left at `now`. */
int recipient_remove(struct charter *c, const uint8_t rid[RID_LEN], uint64_t now, size_t *groups,
                     struct error *err);

#endif
