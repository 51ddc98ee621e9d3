/*
 * database.h - what the verbs that deal with databases share: snapshot, engine, target, selection.
 *
 *     struct database db;
 *     rc = database_open(cli, &cli->out, &db, err);        // the snapshot, its engine; nothing of the target
 *     rc = rc < 0 ? rc : database_target(&db, err);        // from the options; reads the script of --after
 *     rc = rc < 0 ? rc : members_load(&db.c, &db.m, err);
 *     ...
 *     database_close(&db, rc);                             // always
 *
 * Verbs with a target have the options of `restore database` (cmd_database.c).
 */
#ifndef RESTORE_DATABASE_H
#define RESTORE_DATABASE_H

#include "common/crypto/hash.h"
#include "restore/streams.h"

struct database {
    struct chosen c;
    struct members m;
    const struct engine *engine;
    struct engine_job job; /* the configured source, when source is set */
    bool source;
    struct engine_selection select;
    const char **schemas;
    const char **tables;
    struct engine_target target; /* .progress, .checked and the like are the verb's */
    struct buf after;            /* the script of --after, NUL-terminated */
    uint8_t after_hash[HASH_LEN];
    uint64_t began; /* monotonic milliseconds; not the time a passphrase took to type */
};

/* `describe`: where the snapshot is described. An engine without a way back is an error that says what there is. */
int database_open(struct cli_context *cli, const struct out *describe, struct database *db,
                  struct error *err);
/* Any snapshot, described on cli->out; db->engine stays NULL when it holds files. */
int database_open_any(struct cli_context *cli, const char *selector, struct database *db, struct error *err);
/* Fills select from --database, --schema and --table. `table` (or NULL) is one more. */
int database_select(struct database *db, const char *table, struct error *err);
int database_target(struct database *db, struct error *err);
void database_close(struct database *db, int rc);

#endif
