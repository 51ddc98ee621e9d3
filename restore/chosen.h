/*
 * chosen.h - one verb's snapshot: station, selector and keys in one step.
 *
 *     struct chosen c;
 *     rc = chosen_open(cli, KIT_NEEDED, cli->args[0], &c, err);
 *     rc = rc < 0 ? rc : chosen_unlock(&c, err);         // facts and catalog; needs the kit
 *     ...
 *     chosen_close(&c, rc);                              // always; keeps the marks when rc is 0
 *
 * chosen_describe() prints what somebody should know before restoring: whose
 * snapshot it is, who signed it, since when it has been seen.
 */
#ifndef RESTORE_CHOSEN_H
#define RESTORE_CHOSEN_H

#include "common/cli/json.h"
#include "restore/select.h"

struct chosen {
    struct station st;
    struct snaps all;
    struct snap *snap;
    struct fetcher *fetcher; /* after chosen_unlock */
    char name[SNAPSHOT_NAME_MAX];
};

int chosen_open(struct cli_context *cli, enum station_kit kit, const char *selector, struct chosen *c,
                struct error *err);
int chosen_unlock(struct chosen *c, struct error *err);
/* Refuses (station_trusts), describes on `out` unless --quiet, and unlocks: the beginning of every restore. */
int chosen_begin(struct chosen *c, const struct out *out, struct error *err);
void chosen_close(struct chosen *c, int rc);

/* Writer, sequence, first seen, signer, charter, receipt. */
void chosen_describe(const struct chosen *c, struct table *pairs);
/* The same and what is public, as fields of a JSON object. */
void snap_json(const struct snaps *all, const struct snap *snap, struct jsonout *o);
/* The member's path as an error calls it. */
int member_not_found(const struct chosen *c, const char *path, struct error *err);

#endif
