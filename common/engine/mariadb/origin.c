/* One moment of the source: what there is, and the connections that show it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/engine/mariadb/internal.h"
#include "common/engine/mariadb/sql.h"
#include "common/sys/interrupt.h"

#include "common/base/banned.h"

enum { ALIVE_MS = 30000 };

/* ---- the release ------------------------------------------------------------------------------------------- */

bool maria_is_tested(const struct maria *c)
{
    unsigned long version = mysql_get_server_version(c->conn); /* 101119 */
    return version / 10000 == MARIA_MAJOR && version / 100 % 100 == MARIA_MINOR;
}

int maria_check_release(const struct maria *c, bool allow_untested, struct error *err)
{
    char shown[80];
    const char *version = mysql_get_server_info(c->conn);
    if (maria_is_tested(c) || allow_untested)
        return 0;
    return error_set(
        err, E_UNSUPPORTED,
        "%s: the server is of MariaDB %s, and this engine is tested with %d.%d only; `allow_untested: "
        "yes` tries it all the same",
        c->where, str_printable(shown, sizeof shown, version != NULL ? version : "?"), MARIA_MAJOR,
        MARIA_MINOR);
}

/* ---- tables without transactions --------------------------------------------------------------------------- */

static int by_turn(const void *a, const void *b)
{
    const struct maria_table *x = a;
    const struct maria_table *y = b;
    if (x->transactional != y->transactional)
        return x->transactional ? 1 : -1; /* those that are locked come first, so that the lock ends soon */
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    int order = strcmp(x->database, y->database);
    return order != 0 ? order : strcmp(x->name, y->name);
}

static int refuse_others(const struct maria_origin *o, size_t n, struct error *err)
{
    char shown[200];
    const struct maria_table *t = vec_at(&o->tables, 0);
    return error_set(
        err, E_UNSUPPORTED,
        "%zu tables have no transactions, so no snapshot shows them (%s.%s, ...): convert them (ALTER "
        "TABLE ... ENGINE=InnoDB), or say `non_transactional: lock` to lock them against writes while "
        "they are read, or leave them out with `exclude_table_data`",
        n, t->database, str_printable(shown, sizeof shown, t->name));
}

static int lock_others(struct maria_origin *o, size_t n, struct error *err)
{
    struct buf sql = BUF_INIT;
    int rc = buf_printf(&sql, err, "LOCK TABLES ");
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct maria_table *t = vec_at(&o->tables, i);
        char *name = maria_qualified(t->database, t->name, err);
        rc = name != NULL ? buf_printf(&sql, err, "%s%s READ", i == 0 ? "" : ", ", name) : E_NOMEM;
        free(name);
        t->locked = true;
    }
    if (rc == 0)
        rc = maria_open(&o->lock, &o->set->at, err);
    if (rc == 0)
        rc = maria_session(&o->lock, o->set->lock_ms, err);
    if (rc == 0)
        rc = maria_exec_len(&o->lock, (const char *)sql.data, sql.len, err);
    buf_free(&sql);
    o->nlocked = n;
    return rc < 0 ? error_wrap(err, "lock the tables without transactions") : 0;
}

static int settle_others(struct maria_origin *o, struct error *err)
{
    size_t n = 0;
    vec_sort(&o->tables, by_turn);
    while (n < o->tables.len && !((struct maria_table *)vec_at(&o->tables, n))->transactional)
        n++;
    if (n == 0)
        return 0;
    return o->set->other == OTHER_LOCK ? lock_others(o, n, err) : refuse_others(o, n, err);
}

int maria_origin_unlock(struct maria_origin *o, struct error *err)
{
    if (o->lock.conn == NULL)
        return 0;
    int rc = maria_exec(&o->lock, "UNLOCK TABLES", err);
    maria_close(&o->lock);
    return rc < 0 ? error_wrap(err, "the locks of tables without transactions did not hold") : 0;
}

/* ---- all of it ------------------------------------------------------------------------------------------------- */

static void refuse_finding(bool fatal, const char *what, const char *cure, void *arg)
{
    struct error *err = arg;
    if (fatal && err->code == 0)
        (void)error_set(err, E_DENIED, "%s: %s", what, cure);
}

/* Without these rights the server hides things without a word. */
static int refuse_silence(struct maria_origin *o, struct error *err)
{
    struct error why = ERROR_INIT;
    int rc =
        maria_rights(&o->main, o->set, &o->databases, o->set->other == OTHER_LOCK, refuse_finding, &why, err);
    if (rc == 0 && why.code < 0)
        rc = error_set(err, why.code, "%s: %s", o->main.where, why.text);
    return rc;
}

static int refuse_views(struct maria_origin *o, struct error *err)
{
    struct error why = ERROR_INIT;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < o->databases.len; i++)
        rc = maria_check_views(&o->main, vec_at(&o->databases, i), refuse_finding, &why, err);
    return rc == 0 && why.code < 0 ? error_copy(err, &why) : rc;
}

static int list_all(struct maria_origin *o, struct error *err)
{
    int rc = maria_list_databases(&o->main, o->set, &o->databases, err);
    if (rc == 0)
        rc = refuse_silence(o, err);
    for (size_t i = 0; rc == 0 && i < o->databases.len; i++)
        rc = maria_list_contents(&o->main, o->set, vec_at(&o->databases, i), &o->tables, err);
    return rc == 0 ? refuse_views(o, err) : rc;
}

int maria_origin_open(struct maria_origin *o, const struct maria_settings *s, struct error *err)
{
    *o = (struct maria_origin){ .set = s,
                                .tables = VEC_OF(struct maria_table),
                                .databases = VEC_OF(struct maria_database) };
    int rc = maria_open(&o->main, &s->at, err);
    if (rc == 0)
        rc = maria_check_release(&o->main, s->allow_untested, err);
    if (rc == 0)
        rc = maria_session(&o->main, s->lock_ms, err);
    if (rc == 0)
        rc = list_all(o, err);
    if (rc == 0)
        rc = settle_others(o, err);
    if (rc == 0)
        rc = maria_moment_open(o, err);
    if (rc == 0)
        rc = maria_origin_facts(o, err);
    o->checked_ms = clock_mono_ms();
    if (rc < 0)
        maria_origin_close(o);
    return rc;
}

int maria_origin_unchanged(struct maria_origin *o, struct error *err)
{
    for (size_t i = 0; i < o->databases.len; i++) {
        const struct maria_database *db = vec_at(&o->databases, i);
        char now[FINGERPRINT_TEXT_MAX];
        char shown[200];
        int rc = maria_schema_hash(&o->main, db->name, o->set->seed, now, err);
        if (rc < 0)
            return rc;
        if (strcmp(now, db->schema) != 0)
            return error_set(err, E_RETRY, "definitions of database %s were changed during the backup",
                             str_printable(shown, sizeof shown, db->name));
    }
    return 0;
}

static int ask(struct maria *c, struct error *err)
{
    if (c->conn == NULL)
        return 0;
    int rc = maria_exec(c, "DO 0", err);
    return rc < 0 ? error_wrap(err, "a connection that was idle") : 0;
}

int maria_origin_alive(struct maria_origin *o, bool now, struct error *err)
{
    if (!now && clock_mono_ms() - o->checked_ms < ALIVE_MS)
        return 0;
    o->checked_ms = clock_mono_ms();
    int rc = ask(&o->main, err);
    if (rc == 0)
        rc = ask(&o->lock, err);
    return rc;
}

int maria_origin_tick(void *origin, bool now, struct error *err)
{
    int rc = interrupt_check(err);
    return rc == 0 ? maria_origin_alive(origin, now, err) : rc;
}

void maria_origin_close(struct maria_origin *o)
{
    for (size_t i = 0; i < o->nreaders; i++)
        maria_close(&o->readers[i]);
    maria_close(&o->lock);
    maria_close(&o->main);
    maria_tables_free(&o->tables);
    maria_databases_free(&o->databases);
    free(o->binlog_file);
    free(o->binlog_position);
    buf_free(&o->about);
    *o = (struct maria_origin){ .set = NULL };
}
