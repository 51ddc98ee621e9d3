/* A drill's look at sequences: is what comes next what was backed up? */
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/engine/mariadb/restore.h"
#include "common/engine/mariadb/sql.h"
#include "common/engine/mariadb/statement.h"

#include "common/base/banned.h"

enum { NAME_AT = 3 }; /* DO SETVAL ( name , value , 0 ) */

/* The text between the first two commas, for free(); NULL without err->code: it is not of that form. */
static char *value_of(const struct maria_statement *s, struct error *err)
{
    size_t from = maria_word_find(s, NAME_AT, ",");
    size_t to = maria_word_find(s, from + 1, ",");
    if (to >= s->words.len)
        return NULL;
    const struct maria_word *a = vec_at(&s->words, from);
    const struct maria_word *b = vec_at(&s->words, to);
    const char *at = a->at + a->len;
    at += strspn(at, " ");
    return str_dup_len(at, (size_t)(b->at - at), err);
}

static int compare_value(struct maria_target *t, const struct maria_plan *p, const struct maria_statement *s,
                         struct error *err)
{
    const char *sequence = maria_word_name(s, NAME_AT);
    char *expected = sequence != NULL ? value_of(s, err) : NULL;
    char *name = expected != NULL ? maria_qualified(t->goal.database, sequence, err) : NULL;
    char *sql = name != NULL ? str_printf(err, "SELECT next_not_cached_value FROM %s", name) : NULL;
    struct error why = ERROR_INIT;
    char *now = sql != NULL ? maria_text(&t->c, sql, &why) : NULL;
    int rc = sql != NULL ? 0 : err->code;
    if (now == NULL && (t->c.broken || why.code == E_CANCELLED || why.code == E_NOMEM))
        rc = error_copy(err, &why);
    struct engine_check check = { .kind = "sequence",
                                  .name = "value of the sequence",
                                  .subject = sequence,
                                  .differs = now == NULL || expected == NULL || strcmp(now, expected) != 0,
                                  .expected = expected,
                                  .found = now != NULL ? now : "no such sequence" };
    if (rc == 0 && expected != NULL)
        rc = p->target->check(&check, p->target->drill_arg, err);
    free(now);
    free(sql);
    free(name);
    free(expected);
    return rc;
}

int maria_compare_values(struct maria_target *t, const struct maria_plan *p, struct error *err)
{
    struct maria_plan_script script;
    struct maria_statement s;
    if (p->target->check == NULL || p->partial || p->target->into_nonempty)
        return 0;
    int rc = maria_plan_script_open(p, true, "load.sql", MARIA_SCRIPT_MAX, &script, err);
    while (rc == 0 && (rc = maria_statement_next(&script.statements, true, &s, err)) > 0) {
        rc = maria_shape_of(&s) == SHAPE_VALUE ? compare_value(t, p, &s, err) : 0;
        maria_statement_free(&s);
    }
    maria_plan_script_close(&script);
    return rc;
}
