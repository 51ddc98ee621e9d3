/* A drill's look at what was restored: definitions and rights against the scripts of the snapshot. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/fact.h"
#include "common/base/str.h"
#include "common/engine/mariadb/restore.h"
#include "common/engine/mariadb/sql.h"
#include "common/engine/mariadb/statement.h"
#include "common/engine/name.h"

#include "common/base/banned.h"

enum { VERSION_MAX = 64, SUBJECT_MAX = 300 };

static int tell(const struct maria_plan *p, const struct engine_check *check, struct error *err)
{
    return p->target->check(check, p->target->drill_arg, err);
}

/* " AUTO_INCREMENT=N" says what comes next, which is no definition. */
static void drop_counter(char *text)
{
    static const char mark[] = " AUTO_INCREMENT=";
    char *at = strstr(text, mark);
    if (at == NULL)
        return;
    char *end = at + sizeof mark - 1;
    end += strspn(end, "0123456789");
    memmove(at, end, strlen(end) + 1);
}

/* The definition as this server tells it, or NULL when it is not there. */
static int shown_now(struct maria *c, const char *database, const char *table, char **out, struct error *err)
{
    struct error why = ERROR_INIT;
    MYSQL_RES *r = NULL;
    char *name = maria_qualified(database, table, err);
    int rc = name != NULL ? maria_queryf(c, &r, &why, "SHOW CREATE TABLE %s", name) : E_NOMEM;
    MYSQL_ROW row = rc == 0 && r != NULL ? mysql_fetch_row(r) : NULL;
    *out = row != NULL && row[1] != NULL ? str_dup(row[1], err) : NULL;
    mysql_free_result(r);
    free(name);
    return rc < 0 && (c->broken || rc == E_CANCELLED || rc == E_NOMEM) ? error_copy(err, &why) : 0;
}

/* CREATE TABLE `name` (...) */
static int compare_table(struct maria_target *t, const struct maria_plan *p, const struct maria_statement *s,
                         size_t *differ, struct error *err)
{
    const struct maria_word *first = vec_at(&s->words, 0);
    const char *table = maria_word_name(s, 2);
    char *now = NULL;
    char *before = str_dup_len(first->at, s->len - (size_t)(first->at - s->text), err);
    int rc = before != NULL ? shown_now(&t->c, t->goal.database, table, &now, err) : E_NOMEM;
    if (rc == 0) {
        drop_counter(before);
        if (now != NULL)
            drop_counter(now);
        struct engine_check check = { .kind = "definitions",
                                      .name = "definition of the table",
                                      .subject = table,
                                      .differs = now == NULL || strcmp(now, before) != 0 };
        check.expected = check.differs ? before : NULL;
        check.found = check.differs ? (now != NULL ? now : "no such table") : NULL;
        *differ += check.differs;
        rc = check.differs ? tell(p, &check, err) : 0;
    }
    free(now);
    free(before);
    return rc;
}

static int compare_tables(struct maria_target *t, const struct maria_plan *p, size_t *differ,
                          struct error *err)
{
    struct maria_plan_script script;
    int rc = maria_plan_script_open(p, true, "schema.sql", MARIA_SCRIPT_MAX, &script, err);
    struct maria_statement s;
    while (rc == 0 && (rc = maria_statement_next(&script.statements, true, &s, err)) > 0) {
        rc = 0;
        if (maria_word_is(&s, 0, "create") && maria_word_is(&s, 1, "table") && maria_word_name(&s, 2) != NULL)
            rc = compare_table(t, p, &s, differ, err);
        maria_statement_free(&s);
    }
    maria_plan_script_close(&script);
    return rc < 0 ? rc : 0;
}

/* The hash holds for one version of the server and one name of the database. */
static bool is_comparable(struct maria_target *t, const struct maria_plan *p)
{
    char before[VERSION_MAX] = "";
    char *now = maria_text(&t->c, "SELECT version()", NULL);
    bool same = now != NULL && fact_get(p->target->facts, "server_version", before, sizeof before) &&
                strcspn(before, "-") == strcspn(now, "-") && strncmp(before, now, strcspn(now, "-")) == 0 &&
                strcmp(p->database, t->goal.database) == 0;
    free(now);
    return same;
}

static int compare_hash(struct maria_target *t, const struct maria_plan *p, size_t tables, struct error *err)
{
    char before[FINGERPRINT_TEXT_MAX];
    char now[FINGERPRINT_TEXT_MAX];
    if (!is_comparable(t, p) || !fact_get(p->schema_facts, "schema", before, sizeof before))
        return 0;
    int rc = maria_schema_hash(&t->c, t->goal.database, p->seed, now, err);
    struct engine_check check = { .kind = "definitions",
                                  .name = "all definitions",
                                  .subject = tables != 0 ? NULL
                                                         : "columns, indexes, keys, views, triggers, "
                                                           "routines, events",
                                  .differs = strcmp(before, now) != 0,
                                  .expected = before,
                                  .found = now };
    return rc == 0 ? tell(p, &check, err) : rc;
}

/* ---- rights ------------------------------------------------------------------------------------------------ */

/* "'user'@'host'" of GRANT ... TO account, as the script writes it. */
static char *grantee_of(const struct maria_statement *s, struct error *err)
{
    size_t at = s->words.len;
    for (size_t i = maria_word_find(s, 1, "to"); i < s->words.len; i = maria_word_find(s, i + 1, "to"))
        at = i + 1;
    if (at >= s->words.len)
        return NULL;
    const struct maria_word *first = vec_at(&s->words, at);
    bool host = at + 2 < s->words.len && maria_word_is(s, at + 1, "@");
    const struct maria_word *last = vec_at(&s->words, host ? at + 2 : at);
    return str_dup_len(first->at, (size_t)(last->at + last->len - first->at), err);
}

static int is_granted(struct maria *c, const char *grantee, const char *grant, size_t len, bool *out,
                      struct error *err)
{
    struct error why = ERROR_INIT;
    MYSQL_RES *r = NULL;
    MYSQL_ROW row;
    int rc = maria_queryf(c, &r, &why, "SHOW GRANTS FOR %s", grantee);
    *out = false;
    while (rc == 0 && !*out && (row = mysql_fetch_row(r)) != NULL)
        *out = row[0] != NULL && strlen(row[0]) == len && memcmp(row[0], grant, len) == 0;
    mysql_free_result(r);
    return rc < 0 && (c->broken || rc == E_CANCELLED) ? error_copy(err, &why) : 0;
}

/* Of the accounts that every server has its own; and CURRENT_USER(), who runs the script. */
static bool is_servers_own(const char *grantee)
{
    static const char *const names[] = { "root", "mariadb.sys", "mysql", "PUBLIC" };
    if (strchr("'`", grantee[0]) == NULL)
        return true;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strncmp(grantee + 1, names[i], strlen(names[i])) == 0 &&
            strchr("'`", grantee[1 + strlen(names[i])]) != NULL)
            return true;
    return false;
}

/* GRANT ... ON [TABLE | FUNCTION | ...] database.object: an object that is not here. Servers keep rights on what was dropped
 * long ago, and accounts have rights in databases that this snapshot is not of. */
static int is_of_others(struct maria *c, const struct maria_statement *s, bool *out, struct error *err)
{
    size_t dot = maria_word_find(s, maria_word_find(s, 1, "on"), ".");
    const char *database = dot < s->words.len ? maria_word_name(s, dot - 1) : NULL;
    const char *object = database != NULL ? maria_word_name(s, dot + 1) : NULL;
    int64_t n = 0;
    *out = false;
    if (object == NULL) /* a whole database, or everything */
        return 0;
    char *schema = maria_literal_text(database, err);
    char *name = schema != NULL ? maria_literal_text(object, err) : NULL;
    char *sql =
        name != NULL
            ? str_printf(err,
                         "SELECT (SELECT count(*) FROM information_schema.tables WHERE table_schema = %s AND "
                         "table_name = %s) + (SELECT count(*) FROM information_schema.routines WHERE "
                         "routine_schema = %s AND routine_name = %s)",
                         schema, name, schema, name)
            : NULL;
    int rc = sql != NULL ? maria_number(c, sql, &n, err) : E_NOMEM;
    *out = rc == 0 && n == 0;
    free(schema);
    free(name);
    free(sql);
    return rc;
}

struct grants {
    size_t looked_at;
    size_t of_others;
};

/* A right on a routine or the like is text, too; what it says is not looked at. */
static int compare_grant(struct maria_target *t, const struct maria_plan *p, const struct maria_statement *s,
                         struct grants *count, struct error *err)
{
    const struct maria_word *first = vec_at(&s->words, 0);
    size_t len = s->len - (size_t)(first->at - s->text);
    char subject[SUBJECT_MAX];
    bool granted = false;
    bool others = false;
    char *grantee = grantee_of(s, err);
    if (grantee == NULL || is_servers_own(grantee)) {
        free(grantee);
        return 0;
    }
    int rc = is_granted(&t->c, grantee, first->at, len, &granted, err);
    if (rc == 0 && !granted)
        rc = is_of_others(&t->c, s, &others, err);
    count->looked_at += !others;
    count->of_others += others;
    struct engine_check check = { .kind = "rights",
                                  .name = "right of an account",
                                  .subject = str_printable(subject, sizeof subject, grantee),
                                  .differs = true,
                                  .found = "not granted" };
    /* Without the password's hash, which stands behind the account. */
    char *what = str_dup_len(first->at, len, err);
    char *secret = what != NULL ? strstr(what, " IDENTIFIED ") : NULL;
    if (secret != NULL)
        *secret = '\0';
    check.expected = what;
    if (rc == 0 && !granted && !others)
        rc = what != NULL ? tell(p, &check, err) : E_NOMEM;
    free(what);
    free(grantee);
    return rc;
}

static int compare_rights(struct maria_target *t, const struct maria_plan *p, struct error *err)
{
    struct maria_plan_script script;
    struct grants count = { 0, 0 };
    if (!p->users || !p->target->create_roles)
        return 0;
    int rc = maria_plan_script_open(p, false, "users.sql", MARIA_USERS_MAX, &script, err);
    struct maria_statement s;
    while (rc == 0 && (rc = maria_statement_next(&script.statements, true, &s, err)) > 0) {
        rc = maria_word_is(&s, 0, "grant") ? compare_grant(t, p, &s, &count, err) : 0;
        maria_statement_free(&s);
    }
    maria_plan_script_close(&script);
    char subject[SUBJECT_MAX];
    int len = snprintf(subject, sizeof subject, "%zu statements", count.looked_at);
    if (count.of_others != 0)
        (void)snprintf(subject + len, sizeof subject - (size_t)len,
                       "; %zu left out, on tables and routines that are not of this database",
                       count.of_others);
    struct engine_check check = { .kind = "rights",
                                  .name = "rights of accounts looked at",
                                  .subject = subject };
    return rc == 0 ? tell(p, &check, err) : rc;
}

int maria_compare_definitions(struct maria_target *t, const struct maria_plan *p, struct error *err)
{
    size_t differ = 0;
    char left_out[8];
    if (p->target->check == NULL || p->partial || p->target->into_nonempty ||
        fact_get(p->schema_facts, "excluded", left_out, sizeof left_out))
        return 0;
    int rc = is_comparable(t, p) ? compare_tables(t, p, &differ, err) : 0;
    if (rc == 0)
        rc = compare_hash(t, p, differ, err);
    return rc == 0 ? compare_rights(t, p, err) : rc;
}
