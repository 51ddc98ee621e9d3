/* What a restore would do, and whether the target has what it needs. Nothing is touched. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/statvfs.h>

#include "common/base/fact.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/engine/lacking.h"
#include "common/engine/mariadb/grants.h"
#include "common/engine/mariadb/restore.h"
#include "common/engine/mariadb/sql.h"
#include "common/engine/name.h"

#include "common/base/banned.h"

enum { SAY_MAX = 1024, SHOWN_MAX = 300, TABLES_SHOWN = 30 };

struct fits {
    struct maria_target *t;
    const struct maria_plan *p;
    engine_plan_fn *fn;
    void *arg;
};

static void say(const struct fits *f, enum engine_plan_kind kind, const char *cure, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static void say(const struct fits *f, enum engine_plan_kind kind, const char *cure, const char *fmt, ...)
{
    char text[SAY_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    f->fn(kind, text, cure, f->arg);
}

static uint64_t number_of(const char *facts, const char *key)
{
    uint64_t n = 0;
    return fact_number(facts, key, &n) ? n : 0;
}

/* ---- what is made ------------------------------------------------------------------------------------------- */

static uint64_t tell_made(const struct fits *f)
{
    char shown[SHOWN_MAX];
    char n[3][NUMBER_TEXT_MAX];
    uint64_t rows = 0;
    uint64_t bytes = 0;
    const struct maria_plan *p = f->p;
    str_printable(shown, sizeof shown, f->t->goal.database);
    if (!f->t->exists)
        say(f, PLAN_CREATE, NULL, "database %s", shown);
    for (size_t i = 0; i < p->loads.len; i++) {
        const struct maria_load *l = vec_at(&p->loads, i);
        rows += l->t.rows;
        bytes += l->len;
        if (p->partial && i < TABLES_SHOWN)
            say(f, PLAN_CREATE, NULL, "table %s: %s rows, %s", str_printable(shown, sizeof shown, l->t.name),
                count_format(n[0], l->t.rows), size_format(n[1], l->len));
    }
    say(f, PLAN_CREATE, NULL, "%s rows in %s %s, %s as text", count_format(n[0], rows),
        count_format(n[1], p->loads.len), plural(p->loads.len, "table", "tables"), size_format(n[2], bytes));
    if (p->partial)
        say(f, PLAN_NOTE, NULL,
            "triggers of these tables come with them, and the sequences that their columns draw from; left out: "
            "views, routines, events, and what else there is");
    else
        say(f, PLAN_CREATE, NULL, "%llu views, %llu triggers, %llu procedures, %llu functions, %llu events",
            (unsigned long long)number_of(p->code_facts, "views"),
            (unsigned long long)number_of(p->code_facts, "triggers"),
            (unsigned long long)number_of(p->code_facts, "procedures"),
            (unsigned long long)number_of(p->code_facts, "functions"),
            (unsigned long long)number_of(p->code_facts, "events"));
    return bytes;
}

static void note_absent(const char *text, void *arg)
{
    const struct fits *f = arg;
    say(f, PLAN_NOTE, NULL, "%s", text);
}

static int tell_existing(const struct fits *f, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && f->t->exists && i < f->p->loads.len; i++) {
        const struct maria_load *l = vec_at(&f->p->loads, i);
        char shown[SHOWN_MAX];
        bool there = false;
        rc = maria_target_has(f->t, l->t.name, &there, err);
        if (rc == 0 && there)
            say(f, PLAN_MISSING,
                "nothing is replaced: restore into a new database, or rename or drop this one",
                "table %s exists already in the target", str_printable(shown, sizeof shown, l->t.name));
    }
    return rc;
}

/* ---- the server --------------------------------------------------------------------------------------------- */

static int tell_collation(const struct fits *f, struct error *err)
{
    char charset[64];
    char collation[64];
    int64_t n = 0;
    if (!fact_get(f->p->schema_facts, "charset", charset, sizeof charset) ||
        !fact_get(f->p->schema_facts, "collation", collation, sizeof collation))
        return 0;
    char *literal = maria_literal_text(collation, err);
    char *sql = literal != NULL ? str_printf(err,
                                             "SELECT count(*) FROM information_schema."
                                             "collation_character_set_applicability WHERE "
                                             "%s IN (collation_name, full_collation_name)",
                                             literal)
                                : NULL;
    int rc = sql != NULL ? maria_number(&f->t->c, sql, &n, err) : E_NOMEM;
    if (rc == 0)
        say(f, n > 0 ? PLAN_FITS : PLAN_MISSING, n > 0 ? NULL : "restore to a release that knows it",
            n > 0 ? "the database's character set and collation, %s and %s, are known here"
                  : "this server does not know the database's character set and collation, %s and %s",
            charset, collation);
    free(literal);
    free(sql);
    return rc;
}

/* What the server says of a variable and the snapshot says of the source. */
static int tell_settings(const struct fits *f, struct error *err)
{
    MYSQL_RES *r = NULL;
    char mode[SAY_MAX / 2];
    char cases[16] = "";
    const struct maria_plan *p = f->p;
    int rc = maria_query(&f->t->c,
                         "SELECT @@global.sql_mode, @@lower_case_table_names, @@event_scheduler, @@log_bin, "
                         "@@log_bin_trust_function_creators, @@global.max_allowed_packet",
                         &r, err);
    MYSQL_ROW row = rc == 0 ? mysql_fetch_row(r) : NULL;
    if (row != NULL && fact_get(p->target->facts, "sql_mode", mode, sizeof mode) && strcmp(mode, row[0]) != 0)
        say(f, PLAN_NOTE, NULL, "applications get another sql_mode: %s, where the snapshot is from: %s",
            row[0], mode);
    if (row != NULL && fact_get(p->target->facts, "lower_case_table_names", cases, sizeof cases) &&
        strcmp(cases, row[1]) != 0)
        say(f, PLAN_NOTE, NULL,
            "lower_case_table_names is %s here and was %s: names of tables are compared in another way",
            row[1], cases);
    bool folds = row != NULL && strcmp(row[1], "0") != 0;
    for (size_t i = 0; folds && i < p->loads.len; i++)
        for (size_t j = 0; j < i; j++) {
            const char *a = ((struct maria_load *)vec_at(&p->loads, i))->t.name;
            const char *b = ((struct maria_load *)vec_at(&p->loads, j))->t.name;
            if (strcasecmp(a, b) == 0)
                say(f, PLAN_MISSING, "restore to a server with lower_case_table_names=0",
                    "tables %s and %s are one name here (lower_case_table_names is %s)", b, a, row[1]);
        }
    if (row != NULL && !p->partial && number_of(p->code_facts, "events") > 0)
        say(f, PLAN_NOTE, NULL, "events: this server's event_scheduler is %s, and stays so", row[2]);
    if (row != NULL && !p->partial && number_of(p->code_facts, "functions") > 0 && strcmp(row[3], "1") == 0 &&
        strcmp(row[4], "0") == 0)
        say(f, PLAN_NOTE, "SET GLOBAL log_bin_trust_function_creators = 1, for as long as the restore runs",
            "this server writes a binary log: functions without DETERMINISTIC are refused");
    if (row != NULL)
        say(f, PLAN_NOTE, NULL,
            "max_allowed_packet is %s here: longer values are restored, and applications can send none",
            row[5]);
    mysql_free_result(r);
    return rc;
}

/* ---- rights ------------------------------------------------------------------------------------------------- */

static size_t add_right(const struct grants *g, unsigned right, const char *name, const char *database,
                        char *out, size_t used, size_t cap)
{
    if (grants_has(g, right, database, NULL) || used >= cap)
        return used;
    return used + (size_t)snprintf(out + used, cap - used, "%s%s", used != 0 ? ", " : "", name);
}

/* Code that runs as somebody else, and code of a server with a binary log, need more than rights in the database. */
static int tell_code_rights(const struct fits *f, const struct grants *g, const char *account,
                            struct error *err)
{
    const struct maria_plan *p = f->p;
    struct vec definers = VEC_OF(char *);
    char cure[SAY_MAX];
    int64_t refuses = 0;
    bool super = grants_has(g, RIGHT_SUPER, NULL, NULL);
    bool others = false;
    uint64_t logged = number_of(p->code_facts, "triggers") + number_of(p->code_facts, "functions");
    char *me = maria_text(&f->t->c, "SELECT CURRENT_USER()", err);
    int rc = me != NULL ? names_of_fact(p->code_facts, "definers", ERR_MARIA_NAME, &definers, err)
                        : maria_failed(err);
    for (size_t i = 0; rc == 0 && i < definers.len; i++)
        others = others || strcmp(*(char **)vec_at(&definers, i), me) != 0;
    if (rc == 0)
        rc = maria_number(&f->t->c, "SELECT @@log_bin AND NOT @@log_bin_trust_function_creators", &refuses,
                          err);
    enum engine_plan_kind kind = p->partial ? PLAN_NOTE : PLAN_MISSING;
    if (rc == 0 && others && !p->target->no_owner && !super && !grants_has(g, RIGHT_SET_USER, NULL, NULL)) {
        (void)snprintf(cure, sizeof cure, "GRANT SET USER ON *.* TO %s, or say --no-owner", account);
        say(f, kind, cure, "the account %s may make no code that runs as others", account);
    }
    if (rc == 0 && logged > 0 && refuses != 0 && !super) {
        (void)snprintf(cure, sizeof cure,
                       "SET GLOBAL log_bin_trust_function_creators = 1, for as long as the restore runs, or "
                       "GRANT SUPER ON *.* TO %s",
                       account);
        say(f, kind, cure,
            "this server writes a binary log, and the account %s may make no triggers and functions",
            account);
    }
    names_free(&definers);
    free(me);
    return rc;
}

static int tell_rights(const struct fits *f, struct error *err)
{
    static const struct {
        unsigned right;
        const char *name;
        bool code;
    } needed[] = { { RIGHT_CREATE, "CREATE", false },      { RIGHT_ALTER, "ALTER", false },
                   { RIGHT_DROP, "DROP", false },          { RIGHT_INSERT, "INSERT", false },
                   { RIGHT_SELECT, "SELECT", false },      { RIGHT_REFERENCES, "REFERENCES", false },
                   { RIGHT_TRIGGER, "TRIGGER", false },    { RIGHT_CREATE_VIEW, "CREATE VIEW", true },
                   { RIGHT_SHOW_VIEW, "SHOW VIEW", true }, { RIGHT_CREATE_ROUTINE, "CREATE ROUTINE", true },
                   { RIGHT_EVENT, "EVENT", true } };
    struct grants g = GRANTS_INIT;
    char list[SAY_MAX / 2] = "";
    char cure[SAY_MAX];
    size_t used = 0;
    const char *database = f->t->goal.database;
    char *account = maria_account(&f->t->c, err);
    char *quoted = maria_quoted_text(database, err);
    int rc = account != NULL && quoted != NULL ? maria_grants(&f->t->c, &g, err) : maria_failed(err);
    for (size_t i = 0; rc == 0 && i < sizeof needed / sizeof needed[0]; i++)
        if (!needed[i].code || !f->p->partial)
            used = add_right(&g, needed[i].right, needed[i].name, database, list, used, sizeof list);
    if (rc == 0 && used != 0) {
        (void)snprintf(cure, sizeof cure, "GRANT %s ON %s.* TO %s", list, quoted, account);
        say(f, PLAN_MISSING, cure, "the account %s has no right %s in this database", account, list);
    } else if (rc == 0) {
        say(f, PLAN_FITS, NULL, "the account %s has the rights that are needed in the database", account);
    }
    if (rc == 0)
        rc = tell_code_rights(f, &g, account, err);
    free(account);
    free(quoted);
    grants_free(&g);
    return rc;
}

static int tell_definers(const struct fits *f, struct error *err)
{
    struct vec missing = VEC_OF(char *);
    char list[SAY_MAX / 2];
    int rc = f->p->partial ? 0 : maria_missing_definers(f->t, f->p, &missing, err);
    if (rc == 0 && missing.len > 0 && !f->p->target->create_roles)
        say(f, PLAN_NOTE, "--create-roles makes them, --no-owner does without",
            "views, triggers or routines run as %s, which this server has not: they will fail",
            names_text(&missing, list, sizeof list));
    names_free(&missing);
    return rc;
}

/* ---- room --------------------------------------------------------------------------------------------------- */

static int tell_room(const struct fits *f, uint64_t bytes, struct error *err)
{
    char n[2][NUMBER_TEXT_MAX];
    struct statvfs fs;
    char *dir = maria_is_local(&f->t->goal.at) ? maria_text(&f->t->c, "SELECT @@datadir", err) : NULL;
    if (dir != NULL && statvfs(dir, &fs) == 0 && fs.f_frsize != 0) {
        uint64_t have = (uint64_t)fs.f_bavail * fs.f_frsize;
        say(f, have < bytes ? PLAN_MISSING : PLAN_FITS,
            have < bytes ? "make room, or restore to another server" : NULL,
            "%s are free at %s; the rows are %s as text, indexes come on top", size_format(n[0], have), dir,
            size_format(n[1], bytes));
    } else {
        say(f, PLAN_NOTE, NULL,
            "how much room the server has is not visible from here; the rows are %s as text, indexes come on top",
            size_format(n[1], bytes));
    }
    free(dir);
    return 0;
}

/* ---- the whole ---------------------------------------------------------------------------------------------- */

int maria_fits(struct maria_target *t, const struct maria_plan *p, engine_plan_fn *fn, void *arg,
               struct error *err)
{
    struct fits f = { .t = t, .p = p, .fn = fn, .arg = arg };
    uint64_t bytes = tell_made(&f);
    int rc = maria_absent(p, note_absent, &f, err);
    if (rc == 0)
        rc = tell_existing(&f, err);
    if (rc == 0)
        rc = tell_collation(&f, err);
    if (rc == 0)
        rc = tell_settings(&f, err);
    if (rc == 0)
        rc = tell_rights(&f, err);
    if (rc == 0)
        rc = tell_definers(&f, err);
    if (rc == 0)
        rc = tell_room(&f, bytes, err);
    say(&f, PLAN_NOTE, NULL, "%s",
        p->target->no_verify ? "rows are not compared afterwards (--no-verify)"
                             : "afterwards the rows of every table are read back and compared with what was "
                               "backed up");
    return rc;
}

int maria_fits_or_fail(struct maria_target *t, const struct maria_plan *p, struct error *err)
{
    struct lacking l = LACKING_INIT;
    int rc = maria_fits(t, p, lacking_collect, &l, err);
    return lacking_end(&l, t->c.where, rc, err);
}

int maria_plan_tell(const struct engine_streams *streams, const struct engine_target *target,
                    engine_plan_fn *fn, void *arg, struct error *err)
{
    struct maria_plan plan = { .streams = NULL };
    struct maria_target t;
    int rc = maria_target_reach(target, &t, err);
    if (rc == 0)
        rc = maria_plan_make(&plan, streams, target, err);
    if (rc == 0)
        rc = maria_target_findings(target, &t, fn, arg, err);
    if (rc == 0)
        rc = maria_fits(&t, &plan, fn, arg, err);
    maria_plan_free(&plan);
    maria_target_close(&t);
    return rc;
}
