/* Scripts of a snapshot, statement by statement, as far as their shape is known. */
#include <stdlib.h>
#include <string.h>

#include "common/base/fact.h"
#include "common/base/str.h"
#include "common/engine/mariadb/restore.h"
#include "common/engine/mariadb/statement.h"
#include "common/engine/name.h"

#include "common/base/banned.h"

enum { SHOWN_MAX = 120 };

/* Its beginning on one line, for messages. */
static const char *shown_of(const struct maria_statement *s, char out[SHOWN_MAX])
{
    char line[SHOWN_MAX / 2];
    size_t to = 0;
    for (size_t i = 0; i < s->len && to + 1 < sizeof line; i++) {
        bool space = s->text[i] == '\n' || s->text[i] == '\t' || s->text[i] == ' ';
        if (!space || (to > 0 && line[to - 1] != ' '))
            line[to++] = space ? ' ' : s->text[i];
    }
    line[to] = '\0';
    return str_printable(out, SHOWN_MAX, line);
}

static bool is_made(const struct maria_target *t, const char *view)
{
    for (size_t i = 0; view != NULL && i < t->made.len; i++)
        if (strcmp(*(char **)vec_at(&t->made, i), view) == 0)
            return true;
    return false;
}

/* Nothing is dropped but the placeholders of views that were made here: what was there before stays, and a name that is
 * taken stops the restore. Of a part only what belongs to it is made. */
static bool is_passed_over(const struct maria_target *t, const struct maria_plan *p,
                           const struct maria_statement *s)
{
    if (maria_word_is(s, 0, "drop"))
        return !is_made(t, maria_view_dropped(s));
    return p->partial && !maria_parts_want(p, s);
}

static int run_one(struct maria_target *t, const struct maria_plan *p, const struct maria_statement *s,
                   struct error *err)
{
    char shown[SHOWN_MAX];
    struct buf sql = BUF_INIT;
    if (s->words.len == 0) /* a comment */
        return 0;
    if (maria_shape_of(s) == SHAPE_UNKNOWN)
        return error_corrupt(err, ERR_MARIA_SCRIPT, "a statement is none that fills a database: %s ...",
                             shown_of(s, shown));
    if (is_passed_over(t, p, s))
        return 0;
    int rc = maria_statement_fit(s, p->database, t->goal.database, p->target->no_owner, &sql, err);
    if (rc == 0)
        rc = maria_exec_len(&t->c, (const char *)sql.data, sql.len, err);
    buf_free(&sql);
    if (rc == 0 && maria_view_made(s) != NULL)
        rc = names_add(&t->made, maria_view_made(s), err);
    return rc < 0 ? error_wrap(err, "%s ...", shown_of(s, shown)) : 0;
}

static bool backslash(const struct maria_target *t)
{
    return (t->c.conn->server_status & SERVER_STATUS_NO_BACKSLASH_ESCAPES) == 0;
}

int maria_run_script(struct maria_target *t, const struct maria_plan *p, const char *rest, struct error *err)
{
    struct maria_plan_script script;
    int rc = maria_plan_script_open(p, true, rest, MARIA_SCRIPT_MAX, &script, err);
    struct maria_statement s;
    while (rc == 0 && (rc = maria_statement_next(&script.statements, backslash(t), &s, err)) > 0) {
        rc = run_one(t, p, &s, err);
        maria_statement_free(&s);
    }
    maria_plan_script_close(&script);
    return rc < 0 ? error_wrap(err, "%s", rest) : 0;
}

/* Of load.sql only the values of sequences: rows come from the streams themselves. */
int maria_run_sequences(struct maria_target *t, const struct maria_plan *p, struct error *err)
{
    struct maria_plan_script script;
    uint64_t expected = 0;
    uint64_t done = 0;
    int rc = maria_plan_script_open(p, true, "load.sql", MARIA_SCRIPT_MAX, &script, err);
    struct maria_statement s;
    while (rc == 0 && (rc = maria_statement_next(&script.statements, true, &s, err)) > 0) {
        bool value = maria_shape_of(&s) == SHAPE_VALUE && (!p->partial || maria_parts_want(p, &s));
        rc = value ? maria_exec_len(&t->c, s.text, s.len, err) : 0;
        done += value;
        maria_statement_free(&s);
    }
    maria_plan_script_close(&script);
    if (rc == 0 && !fact_number(p->script_facts, "sequences", &expected))
        expected = UINT64_MAX;
    if (rc == 0 && done != (p->partial ? p->draws.len : expected))
        rc = error_corrupt(err, ERR_MARIA_FACTS, "load.sql sets %llu sequences, the snapshot has %llu",
                           (unsigned long long)done, (unsigned long long)expected);
    return rc < 0 ? error_wrap(err, "sequences") : 0;
}

static size_t line_of(const char *script, const char *at)
{
    size_t n = 1;
    for (const char *p = script; p < at; p++)
        n += *p == '\n';
    return n;
}

int maria_run_after(struct maria_target *t, const struct maria_plan *p, struct error *err)
{
    const char *script = p->target->after_sql;
    const char *name = p->target->after_name != NULL ? p->target->after_name : "the script";
    uint64_t done = 0;
    int rc = 0;
    if (script == NULL)
        return 0;
    struct maria_statements all = maria_statements_of(script, strlen(script));
    rc = maria_exec(&t->c, "START TRANSACTION", err);
    while (rc == 0) {
        struct maria_statement s;
        rc = maria_statement_next(&all, backslash(t), &s, err);
        if (rc <= 0)
            break;
        rc = s.words.len > 0 ? maria_exec_len(&t->c, s.text, s.len, err) : 0;
        if (rc < 0)
            (void)error_wrap(err, "line %zu", line_of(script, s.text));
        done += s.words.len > 0;
        maria_statement_free(&s);
    }
    /* Without it, and without a statement that commits by itself, nothing of the script stays. */
    if (rc == 0)
        rc = maria_exec(&t->c, "COMMIT", err);
    else
        (void)maria_exec(&t->c, "ROLLBACK", NULL);
    if (rc == 0 && p->target->after_statements != NULL)
        *p->target->after_statements = done;
    return rc < 0 ? error_wrap(err, "%s", name) : 0;
}
