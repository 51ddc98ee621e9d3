/* Connections whose snapshots show the same moment. */
#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/str.h"
#include "common/engine/mariadb/internal.h"

#include "common/base/banned.h"

/*
 * STAGE_S: what waits for the end of a statement may make others wait, so it waits no longer than this, and is tried a
 * few times. HOLD_S: the server ends the block when nothing is heard of us any more.
 */
enum { STAGE_S = 2, STAGE_TRIES = 2, HOLD_S = 20 };

struct place {
    char file[512];
    char position[32];
};

/* Where the snapshot of this connection is in the binary log; "" without a log. */
static int place_of(struct maria *c, struct place *out, struct error *err)
{
    MYSQL_RES *r = NULL;
    MYSQL_ROW row;
    *out = (struct place){ .file = "" };
    int rc = maria_query(c, "SHOW STATUS LIKE 'binlog\\_snapshot\\_%'", &r, err);
    while (rc == 0 && (row = mysql_fetch_row(r)) != NULL) {
        if (strcasecmp(row[0], "binlog_snapshot_file") == 0)
            (void)snprintf(out->file, sizeof out->file, "%s", row[1]);
        else if (strcasecmp(row[0], "binlog_snapshot_position") == 0)
            (void)snprintf(out->position, sizeof out->position, "%s", row[1]);
    }
    mysql_free_result(r);
    return rc;
}

static int begin_all(struct maria_origin *o, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < o->nreaders; i++)
        rc = maria_exec(&o->readers[i], "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", err);
    return rc;
}

/* The place of all of them, for facts. */
static int find_place(struct maria_origin *o, struct error *err)
{
    struct place first;
    int rc = place_of(&o->readers[0], &first, err);
    for (size_t i = 1; rc == 0 && i < o->nreaders; i++) {
        struct place p;
        rc = place_of(&o->readers[i], &p, err);
        if (rc == 0 && (strcmp(p.file, first.file) != 0 || strcmp(p.position, first.position) != 0))
            rc = error_set(err, E_RETRY, "%s: snapshots taken while commits were blocked differ",
                           o->main.where);
    }
    if (rc == 0 && ((o->binlog_file = str_dup(first.file, err)) == NULL ||
                    (o->binlog_position = str_dup(first.position, err)) == NULL))
        rc = E_NOMEM;
    return rc;
}

/* One snapshot is always of one moment. */
static void keep_one(struct maria_origin *o, const char *why)
{
    log_event(LOG_WARN, "%s: one connection reads in place of %zu: %s", o->main.where, o->nreaders, why);
    for (size_t i = 1; i < o->nreaders; i++)
        maria_close(&o->readers[i]);
    o->nreaders = 1;
}

/*
 * Commits wait while the snapshots are taken, milliseconds; statements run on, which FLUSH TABLES WITH READ LOCK would
 * stop. Equal places in the binary log would be no proof: not every commit is in it (sql_log_bin, filters, a replica
 * without log_slave_updates). *taken false: something that runs was in the way, and no snapshot is left.
 */
static int begin_staged(struct maria_origin *o, bool *taken, struct error *err)
{
    struct error why = ERROR_INIT;
    struct error late = ERROR_INIT;
    int rc = maria_exec(&o->main, "BACKUP STAGE START", &why);
    bool started = rc == 0;
    if (started)
        rc = maria_exec(&o->main, "BACKUP STAGE BLOCK_COMMIT", &why);
    bool in_the_way = rc < 0 && o->main.number == ER_LOCK_WAIT_TIMEOUT;
    if (rc == 0)
        rc = begin_all(o, &why);
    *taken = rc == 0;
    int ended = started ? maria_exec(&o->main, "BACKUP STAGE END", &late) : 0;
    if (rc < 0 && !in_the_way)
        return error_copy(err, &why);
    return ended < 0 ? error_copy(err, &late) : 0;
}

static int try_staged(struct maria_origin *o, bool *taken, struct error *err)
{
    int rc = maria_execf(&o->main, err, "SET SESSION lock_wait_timeout=%d, wait_timeout=%d", STAGE_S, HOLD_S);
    for (int i = 0; rc == 0 && !*taken && i < STAGE_TRIES; i++)
        rc = begin_staged(o, taken, err);
    return rc == 0 ? maria_session(&o->main, o->set->lock_ms, err) : rc;
}

static int align(struct maria_origin *o, struct error *err)
{
    bool may = false;
    bool taken = false;
    int rc = maria_may_reload(&o->main, &may, err);
    if (rc == 0 && may)
        rc = try_staged(o, &taken, err);
    if (rc < 0 || taken)
        return rc;
    keep_one(o,
             may ? "a statement that runs for long is in the way of BACKUP STAGE, which blocks commits while "
                   "snapshots are taken"
                 : "to block commits while snapshots are taken needs a right: GRANT RELOAD ON *.*");
    return begin_all(o, err);
}

int maria_moment_open(struct maria_origin *o, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < o->set->readers; i++) {
        struct maria *c = &o->readers[i];
        rc = maria_open(c, &o->set->at, err);
        o->nreaders = i + 1;
        if (rc == 0)
            rc = maria_session(c, o->set->lock_ms, err);
        if (rc == 0)
            rc = maria_exec(c, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", err);
    }
    if (rc == 0)
        rc = o->nreaders == 1 ? begin_all(o, err) : align(o, err);
    return rc == 0 ? find_place(o, err) : rc;
}

static int check_one(struct maria *c, struct error *err)
{
    int rc = maria_exec(c, "DO 0", err);
    if (rc == 0 && !(c->conn->server_status & SERVER_STATUS_IN_TRANS))
        rc = error_set(err, E_RETRY, "%s: the transaction of a snapshot ended", c->where);
    return rc;
}

int maria_moment_holds(struct maria_origin *o, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < o->nreaders; i++)
        rc = check_one(&o->readers[i], err);
    return rc;
}
