/* `drills: NAME: mask`: { column: PATTERN, with: null | hash | { constant: TEXT } } */
#include <string.h>

#include "common/conf/problem.h"
#include "common/conf/reader.h"

#include "common/base/banned.h"

#define EXAMPLE "{ column: public.customers.email, with: hash }"
#define RULES "null, hash or { constant: TEXT }"

static void constant_read(struct load *l, const char *what, const struct conf_node *n, struct conf_mask *m)
{
    const struct conf_node *value = n->items.len == 2 ? conf_node_at(n, 1) : NULL;
    if (value == NULL || strcmp(conf_node_at(n, 0)->text, "constant") != 0) {
        conf_problem_add(l->problems, n->place, "%s.with: expected " RULES, what);
        return;
    }
    m->rule = CONF_MASK_CONSTANT;
    if (value->kind == NODE_SCALAR && value->plain && value->text[0] == '\0')
        conf_problem_add(l->problems, value->place, "%s.with.constant has no value (the empty text is \"\")",
                         what);
    else if (value->kind == NODE_SCALAR)
        m->constant = conf_keep_text(l, value->text);
    else if (value->kind != NODE_BAD)
        conf_problem_add(l->problems, value->place, "%s.with.constant: expected a text, found %s", what,
                         conf_node_kind(value));
}

static void rule_read(struct load *l, const char *what, const struct conf_node *n, struct conf_mask *m)
{
    if (n->kind == NODE_MAP)
        constant_read(l, what, n, m);
    else if (n->kind == NODE_SCALAR && strcmp(n->text, "null") == 0)
        m->rule = CONF_MASK_NULL;
    else if (n->kind == NODE_SCALAR && strcmp(n->text, "hash") == 0)
        m->rule = CONF_MASK_HASH;
    else if (n->kind != NODE_BAD)
        conf_problem_add(l->problems, n->place, "%s.with: expected " RULES ", found %s%s%s", what,
                         n->kind == NODE_SCALAR ? "'" : "",
                         n->kind == NODE_SCALAR ? n->text : conf_node_kind(n),
                         n->kind == NODE_SCALAR ? "'" : "");
}

static void column_read(struct load *l, const char *what, const struct conf_node *n, struct conf_mask *m)
{
    if (!conf_value_is_text(l, what, n))
        return;
    m->column = conf_keep_text(l, n->text);
    if (strchr(n->text, '.') == NULL)
        conf_problem_add(l->problems, n->place,
                         "%s: '%s' names no column: write SCHEMA.TABLE.COLUMN (PostgreSQL) or TABLE.COLUMN",
                         what, n->text);
}

void conf_mask_item(struct load *l, const char *what, const struct conf_node *n, void *slot)
{
    struct conf_mask *m = slot;
    bool column = false;
    bool with = false;
    if (n->kind != NODE_MAP) {
        if (n->kind != NODE_BAD)
            conf_problem_add(l->problems, n->place, "%s: expected a rule, like " EXAMPLE ", found %s", what,
                             conf_node_kind(n));
        return;
    }
    for (size_t i = 0; i < n->items.len; i += 2) {
        const struct conf_node *key = conf_node_at(n, i);
        const struct conf_node *value = conf_node_at(n, i + 1);
        bool is_column = strcmp(key->text, "column") == 0;
        bool is_with = strcmp(key->text, "with") == 0;
        if (is_column)
            column_read(l, what, value, m);
        else if (is_with)
            rule_read(l, what, value, m);
        else
            conf_problem_add(l->problems, key->place, "unknown setting '%s' in %s: column and with",
                             key->text, what);
        column = column || is_column;
        with = with || is_with;
    }
    if (!column || !with)
        conf_problem_add(l->problems, n->place, "%s: '%s' is missing, as in " EXAMPLE, what,
                         !column ? "column" : "with");
}
