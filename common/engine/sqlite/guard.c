#include <sys/stat.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/engine/sqlite/internal.h"
#include "common/sys/interrupt.h"

#include "common/base/banned.h"

#define WAL_WARN ((uint64_t)1 << 30) /* growth during the copy that is worth a word */

static uint64_t wal_size(const struct guard *g)
{
    struct stat st;
    return g->wal_path != NULL && stat(g->wal_path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

void sqlite_guard_begin(struct guard *g, const struct settings *s, const struct origin *o, const char *path)
{
    *g = (struct guard){ .set = s, .origin = o, .path = path, .why = ERROR_INIT };
    const char *name = o->wal ? sqlite3_db_filename(o->db, "main") : NULL;
    g->wal_path = name != NULL && name[0] != '\0' ? sqlite3_filename_wal(name) : NULL;
    g->wal_before = wal_size(g);
}

static int check_wal(struct guard *g, struct error *err)
{
    uint64_t size = wal_size(g);
    char now[NUMBER_TEXT_MAX];
    char limit[NUMBER_TEXT_MAX];
    if (g->set->wal_max != 0 && size > g->set->wal_max)
        return error_set(
            err, E_BUSY,
            "%s: the write-ahead log has grown to %s during the copy, and `max_wal` is %s; the run was "
            "given up so that the log can be reset; raise `max_wal`, or back up at a quieter hour",
            g->path, size_format(now, size), size_format(limit, g->set->wal_max));
    if (!g->told && size > g->wal_before && size - g->wal_before > WAL_WARN) {
        g->told = true;
        log_event(
            LOG_WARN,
            "%s: the write-ahead log has grown to %s, for it cannot be reset during the copy; see that the "
            "disk has room (`max_wal` gives the run up instead)",
            g->path, size_format(now, size));
    }
    return 0;
}

static int check_block(const struct guard *g, struct error *err)
{
    uint64_t held = clock_mono_ms() - g->origin->since_ms;
    char limit[NUMBER_TEXT_MAX];
    if (!g->set->block_fails || held <= g->set->block_ms)
        return 0;
    return error_set(
        err, E_BUSY,
        "%s: writers had to wait longer than `max_block` (%s) for the copy, and `on_block` is fail: "
        "given up, they go on; switch the database to WAL (PRAGMA journal_mode=WAL), raise "
        "`max_block`, or back up at a quieter hour",
        g->path, duration_format(limit, g->set->block_ms));
}

int sqlite_guard_check(struct guard *g, struct error *err)
{
    int rc = interrupt_check(err);
    if (rc < 0 || g->origin == NULL)
        return rc;
    return g->origin->wal ? check_wal(g, err) : check_block(g, err);
}

int sqlite_guard_stops(void *guard)
{
    struct guard *g = guard;
    return sqlite_guard_check(g, &g->why) < 0;
}

void sqlite_guard_end(const struct guard *g)
{
    uint64_t held = clock_mono_ms() - g->origin->since_ms;
    char text[NUMBER_TEXT_MAX];
    if (!g->origin->wal && held > g->set->block_ms)
        log_event(LOG_WARN,
                  "%s: writers had to wait %s for the backup, because the database uses a rollback journal; "
                  "with `PRAGMA journal_mode=WAL` they would go on",
                  g->path, duration_format(text, held));
}
