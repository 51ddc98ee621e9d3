/* What belongs to the selected tables: their triggers, and the sequences that their columns draw from. */
#include <string.h>

#include "common/engine/mariadb/restore.h"
#include "common/engine/mariadb/statement.h"
#include "common/engine/name.h"

#include "common/base/banned.h"

static bool is_in(const struct vec *names, const char *name)
{
    for (size_t i = 0; name != NULL && i < names->len; i++)
        if (strcmp(*(char **)vec_at(names, i), name) == 0)
            return true;
    return false;
}

static bool is_selected(const struct maria_plan *p, const char *table)
{
    for (size_t i = 0; table != NULL && i < p->loads.len; i++)
        if (strcmp(((struct maria_load *)vec_at(&p->loads, i))->t.name, table) == 0)
            return true;
    return false;
}

bool maria_parts_want(const struct maria_plan *p, const struct maria_statement *s)
{
    if (maria_word_is(s, 0, "set"))
        return true;
    if (maria_word_is(s, 0, "do")) /* SETVAL(name, ...) */
        return is_in(&p->draws, maria_word_name(s, 3));
    if (maria_word_is(s, 0, "alter")) /* around a trigger that was made under another character set */
        return !p->target->into_nonempty;
    if (maria_word_is(s, 1, "sequence"))
        return is_in(&p->draws, maria_word_name(s, 2));
    if (maria_word_is(s, 1, "table"))
        return is_selected(p, maria_word_name(s, 2));
    return is_selected(p, maria_trigger_table(s));
}

/* One that the target has stays as it is there: others draw from it, too. */
static int add_sequence(struct maria_target *t, struct maria_plan *p, const char *name, struct error *err)
{
    bool there = false;
    if (name == NULL || is_in(&p->draws, name))
        return 0;
    int rc = t->exists ? maria_target_has(t, name, &there, err) : 0;
    return rc == 0 && !there ? names_add(&p->draws, name, err) : rc;
}

static int take(struct maria_target *t, struct maria_plan *p, const struct maria_statement *s,
                struct error *err)
{
    int rc = 0;
    if (!maria_word_is(s, 0, "create") || !maria_word_is(s, 1, "table") ||
        !is_selected(p, maria_word_name(s, 2)))
        return 0;
    for (size_t i = maria_word_find(s, 3, "nextval"); rc == 0 && i < s->words.len;
         i = maria_word_find(s, i + 1, "nextval"))
        if (maria_word_is(s, i + 1, "("))
            rc = add_sequence(t, p, maria_word_name(s, maria_word_is(s, i + 3, ".") ? i + 4 : i + 2), err);
    return rc;
}

int maria_parts_find(struct maria_target *t, struct maria_plan *p, struct error *err)
{
    struct maria_plan_script script;
    int rc = maria_plan_script_open(p, true, "schema.sql", MARIA_SCRIPT_MAX, &script, err);
    struct maria_statement s;
    while (rc == 0 && (rc = maria_statement_next(&script.statements, true, &s, err)) > 0) {
        rc = take(t, p, &s, err);
        maria_statement_free(&s);
    }
    maria_plan_script_close(&script);
    return rc < 0 ? error_wrap(err, "schema.sql") : 0;
}
