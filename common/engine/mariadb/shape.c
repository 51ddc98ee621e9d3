/* What a statement of a snapshot's script may be: a snapshot must not do more than fill its database. */
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/engine/mariadb/sql.h"
#include "common/engine/mariadb/statement.h"

#include "common/base/banned.h"

static bool is_one_of(const struct maria_statement *s, size_t i, const char *const *words)
{
    for (; *words != NULL; words++)
        if (maria_word_is(s, i, *words))
            return true;
    return false;
}

/* Variables of the session and of the user, and values without a call. */
static bool is_setting(const struct maria_statement *s)
{
    static const char *const settings[] = { "names",     "character_set_client", "character_set_results",
                                            "time_zone", "collation_connection", "sql_mode",
                                            "sql_notes", "foreign_key_checks",   "unique_checks",
                                            NULL };
    static const char *const never[] = { "global",    "(",        "password", "role",
                                         "statement", "@@global", "persist",  NULL };
    const char *first = maria_word_name(s, 1);
    if (first == NULL || (first[0] != '@' && !is_one_of(s, 1, settings)) || strncmp(first, "@@", 2) == 0)
        return false;
    for (size_t i = 1; i < s->words.len; i++)
        if (is_one_of(s, i, never))
            return false;
    for (size_t i = maria_word_find(s, 2, ","); i < s->words.len; i = maria_word_find(s, i + 1, ",")) {
        const char *next = maria_word_name(s, i + 1);
        if (next == NULL || (next[0] != '@' && !is_one_of(s, i + 1, settings)) || strncmp(next, "@@", 2) == 0)
            return false;
    }
    return s->words.len < MARIA_WORDS_MAX;
}

static const char *const code[] = { "trigger", "event", "function", "procedure", "package", "view", NULL };
static const char *const dropped[] = { "table",    "view",      "sequence", "trigger", "event",
                                       "function", "procedure", "package",  NULL };

/* Behind the words between CREATE and the kind of object: OR REPLACE, DEFINER = a @ b, ALGORITHM = x and the like. */
static size_t kind_at(const struct maria_statement *s)
{
    static const char *const between[] = { "or",        "replace", "algorithm", "undefined", "merge",
                                           "temptable", "sql",     "security",  "definer",   "invoker",
                                           "=",         "@",       "aggregate", "unique",    NULL };
    size_t i = 1;
    for (; i < s->words.len; i++) {
        const struct maria_word *w = vec_at(&s->words, i);
        bool account = (w->quoted || w->text[0] == '\'') && i > 1 &&
                       (maria_word_is(s, i - 1, "=") || maria_word_is(s, i - 1, "@"));
        if (!account && !is_one_of(s, i, between))
            break;
    }
    return i;
}

/* CREATE TABLE: a definition of its own, not the rows of a query. */
static bool is_definition(const struct maria_statement *s)
{
    return maria_word_is(s, 1, "table") || maria_word_is(s, 1, "sequence");
}

/* DROP kind IF EXISTS name, and no other name. */
static bool is_drop(const struct maria_statement *s)
{
    size_t i = 2 + maria_word_is(s, 2, "body");
    return is_one_of(s, 1, dropped) && maria_word_is(s, i, "if") && maria_word_is(s, i + 1, "exists") &&
           maria_word_name(s, i + 2) != NULL && s->words.len == i + 3;
}

enum maria_shape maria_shape_of(const struct maria_statement *s)
{
    if (maria_word_is(s, 0, "set"))
        return is_setting(s) ? SHAPE_SETTING : SHAPE_UNKNOWN;
    if (maria_word_is(s, 0, "do"))
        return maria_word_is(s, 1, "setval") && maria_word_is(s, 2, "(") &&
                       maria_word_find(s, 3, "(") == s->words.len
                   ? SHAPE_VALUE
                   : SHAPE_UNKNOWN;
    if (maria_word_is(s, 0, "drop"))
        return is_drop(s) ? SHAPE_OBJECT : SHAPE_UNKNOWN;
    if (maria_word_is(s, 0, "alter") && maria_word_is(s, 1, "database"))
        return maria_word_name(s, 2) != NULL && maria_word_is(s, 3, "character") ? SHAPE_DATABASE
                                                                                 : SHAPE_UNKNOWN;
    if (!maria_word_is(s, 0, "create"))
        return SHAPE_UNKNOWN;
    return is_definition(s) || is_one_of(s, kind_at(s), code) ? SHAPE_OBJECT : SHAPE_UNKNOWN;
}

const char *maria_view_made(const struct maria_statement *s)
{
    size_t kind = maria_word_is(s, 0, "create") ? kind_at(s) : s->words.len;
    return maria_word_is(s, kind, "view") ? maria_word_name(s, kind + 1) : NULL;
}

const char *maria_view_dropped(const struct maria_statement *s)
{
    return maria_word_is(s, 0, "drop") && maria_word_is(s, 1, "view") ? maria_word_name(s, 4) : NULL;
}

const char *maria_trigger_table(const struct maria_statement *s)
{
    size_t kind = maria_word_is(s, 0, "create") ? kind_at(s) : s->words.len;
    if (!maria_word_is(s, kind, "trigger"))
        return NULL;
    size_t on = maria_word_find(s, kind + 1, "on");
    return maria_word_name(s, maria_word_is(s, on + 2, ".") ? on + 3 : on + 1);
}

/* ---- in another database ------------------------------------------------------------------------------------ */

struct cut {
    const char *from; /* up to here it was copied */
    struct buf *out;
};

static int copy_to(struct cut *c, const char *to, const char *go_on, struct error *err)
{
    int rc = buf_append(c->out, c->from, (size_t)(to - c->from), err);
    c->from = go_on;
    return rc;
}

/* A name of the database in front of the object's own, as people may have written it. */
static int cut_qualifier(struct cut *c, const struct maria_statement *s, size_t i, const char *from,
                         struct error *err)
{
    const char *name = maria_word_name(s, i);
    if (name == NULL || !maria_word_is(s, i + 1, ".") || maria_word_name(s, i + 2) == NULL)
        return 0;
    if (strcmp(name, from) != 0) {
        char shown[200];
        return error_set(err, E_UNSUPPORTED,
                         "it belongs to database %s, which is not the one that is restored",
                         str_printable(shown, sizeof shown, name));
    }
    const struct maria_word *first = vec_at(&s->words, i);
    const struct maria_word *object = vec_at(&s->words, i + 2);
    return copy_to(c, first->at, object->at, err);
}

static int cut_definer(struct cut *c, const struct maria_statement *s, size_t kind, struct error *err)
{
    size_t i = maria_word_find(s, 1, "definer");
    if (i + 1 >= kind || !maria_word_is(s, i + 1, "="))
        return 0;
    size_t last = maria_word_is(s, i + 3, "@") ? i + 4 : i + 2;
    const struct maria_word *first = vec_at(&s->words, i);
    const struct maria_word *end = last < s->words.len ? vec_at(&s->words, last) : first;
    return copy_to(c, first->at, end->at + end->len, err);
}

/* The server shows a sequence with its database, also in that database's own tables: a copy would go on drawing numbers
 * from the one that is in use. */
static int cut_sequences(struct cut *c, const struct maria_statement *s, size_t i, const char *from,
                         struct error *err)
{
    static const char *const drawn[] = { "nextval", "lastval", "setval", NULL };
    int rc = 0;
    for (; rc == 0 && i + 4 < s->words.len; i++)
        if (is_one_of(s, i, drawn) && maria_word_is(s, i + 1, "(") && maria_word_is(s, i + 3, ".") &&
            strcmp(maria_word_name(s, i + 2) != NULL ? maria_word_name(s, i + 2) : "", from) == 0)
            rc = cut_qualifier(c, s, i + 2, from, err);
    return rc;
}

static int fit_object(struct cut *c, const struct maria_statement *s, const char *from, bool no_owner,
                      struct error *err)
{
    size_t kind = kind_at(s);
    size_t name = kind + 1;
    int rc = no_owner ? cut_definer(c, s, kind, err) : 0;
    if (maria_word_is(s, name, "if")) /* NOT EXISTS */
        name += maria_word_is(s, name + 1, "not") ? 3 : 2;
    if (rc == 0)
        rc = cut_qualifier(c, s, name, from, err);
    /* CREATE TRIGGER x BEFORE INSERT ON db.table */
    size_t on = maria_word_is(s, kind, "trigger") ? maria_word_find(s, name, "on") : s->words.len;
    if (rc == 0)
        rc = cut_qualifier(c, s, on + 1, from, err);
    bool declares = maria_word_is(s, kind, "table") || maria_word_is(s, kind, "view");
    return rc == 0 && declares ? cut_sequences(c, s, name, from, err) : rc;
}

int maria_statement_fit(const struct maria_statement *s, const char *from, const char *into, bool no_owner,
                        struct buf *out, struct error *err)
{
    struct cut c = { .from = s->text, .out = out };
    int rc = 0;
    if (maria_word_is(s, 0, "alter")) {
        const struct maria_word *w = vec_at(&s->words, 2);
        rc = copy_to(&c, w->at, w->at + w->len, err);
        if (rc == 0)
            rc = maria_quote(out, into, err);
    } else if (maria_word_is(s, 0, "create")) {
        rc = fit_object(&c, s, from, no_owner, err);
    }
    return rc == 0 ? copy_to(&c, s->text + s->len, s->text + s->len, err) : rc;
}
