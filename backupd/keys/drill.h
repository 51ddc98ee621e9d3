/*
 * drill.h - the kit and the signing key of a host that rehearses restores.
 *
 * Made in one step where the root key and the restore kit are, like a writer's: a recipient with an expiry date in a
 * group of its own, a `drill` line with the public key that certificates are signed with, and one key file with both
 * secrets and the roots of the writers that it may open (common/repo/drill_keys.h).
 */
#ifndef BACKUPD_KEYS_DRILL_H
#define BACKUPD_KEYS_DRILL_H

#include "backupd/keys/change.h"

/* key add-recipient --drill: --kit, --to, --expires, --writer. The whole of the change. */
int key_drill_add(struct key_change *c, struct error *err);
/* key retire-drill. */
int key_drill_retire(struct key_change *c, struct error *err);

/* "--expires DATE": 00:00 UTC of a day to come (cmd_key_recipient.c). */
int key_parse_date(const char *text, uint64_t *out, struct error *err);

#endif
