/* `drills`: what is restored for a look at it, and what has to be true then. */
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/number.h"
#include "common/base/str.h"
#include "common/conf/problem.h"
#include "common/conf/reader.h"

#include "common/base/banned.h"

enum { LIST_MAX = 1024 };

/* "0.8..1.5", "..10", "5.." */
bool conf_range_parse(const char *text, double *min, double *max)
{
    char low[64];
    char *end = NULL;
    const char *dots = strstr(text, "..");
    if (dots == NULL || (size_t)(dots - text) >= sizeof low || strlen(text) == 2)
        return false;
    memcpy(low, text, (size_t)(dots - text));
    low[dots - text] = '\0';
    *min = -__builtin_inf();
    *max = __builtin_inf();
    if (low[0] != '\0') {
        *min = strtod(low, &end);
        if (*end != '\0')
            return false;
    }
    if (dots[2] != '\0') {
        *max = strtod(dots + 2, &end);
        if (*end != '\0')
            return false;
    }
    return *min <= *max;
}

static bool is_map(struct load *l, const char *what, const struct conf_node *n, const char *example)
{
    if (n->kind == NODE_MAP)
        return true;
    if (n->kind != NODE_BAD)
        conf_problem_add(l->problems, n->place, "%s: expected %s, found %s", what, example,
                         conf_node_kind(n));
    return false;
}

static void range_read(struct load *l, const char *what, const struct conf_node *n, struct conf_assert *a)
{
    if (conf_value_is_text(l, what, n) && !conf_range_parse(n->text, &a->min, &a->max))
        conf_problem_add(l->problems, n->place, "%s: '%s' is no range: write it like 10..20, 10.. or ..20",
                         what, n->text);
}

/* expect: VALUE, or one of { value: , range: , regex: , rows: } */
static void expect_read(struct load *l, const char *what, const struct conf_node *n, struct conf_assert *a)
{
    static const char *const kinds[] = { "value", "range", "regex", "rows" };
    const struct conf_node *value = n;
    size_t kind = 0;
    regex_t tried;
    uint64_t rows = 0;
    if (n->kind == NODE_MAP) {
        const char *key = n->items.len == 2 ? conf_node_at(n, 0)->text : "";
        while (kind < 4 && strcmp(key, kinds[kind]) != 0)
            kind++;
        if (kind == 4) {
            conf_problem_add(l->problems, n->place,
                             "%s.expect: one of value, range, regex or rows, like { range: 10..20 }", what);
            return;
        }
        value = conf_node_at(n, 1);
    }
    if (!conf_value_is_text(l, what, value))
        return;
    a->kind = (enum conf_assert_kind)(CONF_ASSERT_VALUE + kind);
    a->text = conf_keep_text(l, value->text);
    if (a->kind == CONF_ASSERT_RANGE)
        range_read(l, what, value, a);
    if (a->kind == CONF_ASSERT_REGEX) {
        if (regcomp(&tried, value->text, REG_EXTENDED | REG_NOSUB) != 0)
            conf_problem_add(l->problems, value->place, "%s: '%s' is no regular expression", what,
                             value->text);
        else
            regfree(&tried);
    }
    if (a->kind == CONF_ASSERT_ROWS && number_parse(value->text, 0, UINT32_MAX, &rows, NULL) < 0 &&
        !conf_range_parse(value->text, &a->min, &a->max))
        conf_problem_add(l->problems, value->place, "%s: '%s' is neither a number of rows nor a range", what,
                         value->text);
    else if (a->kind == CONF_ASSERT_ROWS && strstr(value->text, "..") == NULL)
        a->min = a->max = (double)rows;
}

/* fresh: { query: SQL, within: DURATION } */
static void fresh_read(struct load *l, const char *what, const struct conf_node *n, struct conf_assert *a)
{
    uint64_t seconds = 0;
    if (!is_map(l, what, n, "{ query: SQL, within: 26h }"))
        return;
    a->kind = CONF_ASSERT_FRESH;
    for (size_t i = 0; i < n->items.len; i += 2) {
        const struct conf_node *key = conf_node_at(n, i);
        const struct conf_node *value = conf_node_at(n, i + 1);
        struct error why = ERROR_INIT;
        if (strcmp(key->text, "query") == 0 && conf_value_is_text(l, what, value))
            a->sql = conf_keep_text(l, value->text);
        else if (strcmp(key->text, "within") == 0 && conf_value_is_text(l, what, value)) {
            if (duration_parse(value->text, &seconds, &why) < 0)
                conf_problem_add(l->problems, value->place, "%s: %s", what, why.text);
            a->within_ms = seconds * 1000;
        } else if (strcmp(key->text, "query") != 0 && strcmp(key->text, "within") != 0)
            conf_problem_add(l->problems, key->place, "%s.fresh: unknown setting '%s': query and within",
                             what, key->text);
    }
    if (a->within_ms == 0)
        conf_problem_add(l->problems, n->place, "%s.fresh: 'within' is missing, like within: 26h", what);
}

static void assert_read(struct load *l, const char *what, const struct conf_node *n, struct conf_assert *a)
{
    size_t verdicts = 0;
    if (!is_map(l, what, n, "an assertion, like { sql: SELECT 1, expect: 1 }"))
        return;
    for (size_t i = 0; i < n->items.len; i += 2) {
        const struct conf_node *key = conf_node_at(n, i);
        const struct conf_node *value = conf_node_at(n, i + 1);
        if (strcmp(key->text, "sql") == 0 && conf_value_is_text(l, what, value)) {
            a->sql = conf_keep_text(l, value->text);
        } else if (strcmp(key->text, "name") == 0 && conf_value_is_text(l, what, value)) {
            a->name = conf_keep_text(l, value->text);
        } else if (strcmp(key->text, "expect") == 0) {
            expect_read(l, what, value, a);
            verdicts++;
        } else if (strcmp(key->text, "fresh") == 0) {
            fresh_read(l, what, value, a);
            verdicts++;
        } else if (strcmp(key->text, "ratio_to_previous") == 0) {
            a->kind = CONF_ASSERT_RATIO;
            a->text = conf_keep_text(l, value->kind == NODE_SCALAR ? value->text : "");
            range_read(l, what, value, a);
            verdicts++;
        } else if (strcmp(key->text, "sql") != 0 && strcmp(key->text, "name") != 0) {
            conf_problem_add(l->problems, key->place,
                             "unknown setting '%s' in %s: sql, expect, fresh, ratio_to_previous, name",
                             key->text, what);
        }
    }
    if (verdicts != 1)
        conf_problem_add(l->problems, n->place, "%s: one of expect, fresh or ratio_to_previous is needed",
                         what);
    else if (a->sql == NULL)
        conf_problem_add(l->problems, n->place, "%s: what to ask is missing (%s)", what,
                         a->kind == CONF_ASSERT_FRESH ? "fresh.query" : "sql");
}

/* A list, each of whose items fills a struct of `size`; *n of them. */
typedef void item_fn(struct load *l, const char *what, const struct conf_node *n, void *slot);
static void *list_read(struct load *l, const char *path, const char *key, const struct conf_node *list,
                       size_t size, item_fn *fn, size_t *n)
{
    struct vec items = { .item = size };
    *n = 0;
    if (list == NULL || list->kind == NODE_BAD)
        return NULL;
    if (list->kind != NODE_LIST || list->items.len == 0 || list->items.len > LIST_MAX) {
        conf_problem_add(l->problems, list->place, "%s.%s: expected a list of 1 to %d items", path, key,
                         LIST_MAX);
        return NULL;
    }
    for (size_t i = 0; i < list->items.len; i++) {
        const char *what = conf_keep_format(l, "%s.%s[%zu]", path, key, i + 1);
        void *slot = vec_push(&items, l->err);
        if (slot == NULL || what == NULL) {
            l->rc = E_NOMEM;
            break;
        }
        fn(l, what, conf_node_at(list, i), slot);
    }
    *n = items.len;
    if (items.len != 0)
        return conf_keep_block(l, items.data);
    vec_free(&items);
    return NULL;
}

static void assert_item(struct load *l, const char *what, const struct conf_node *n, void *slot)
{
    assert_read(l, what, n, slot);
}

static void table_item(struct load *l, const char *what, const struct conf_node *n, void *slot)
{
    if (conf_value_is_text(l, what, n))
        *(const char **)slot = conf_keep_text(l, n->text);
}

void conf_drill_read(struct load *l, const struct conf_node *key, const struct conf_node *value)
{
    struct conf_drill *d = NULL;
    const char *path = conf_keep_format(l, "drills.%s", key->text);
    if (path == NULL || !conf_name_read(l, "drill", key))
        return;
    for (size_t i = 0; i < l->drills.len; i++) {
        const struct conf_drill *other = vec_at(&l->drills, i);
        if (strcmp(other->name, key->text) == 0) {
            conf_problem_add(l->problems, key->place, "drill '%s' is also at %s:%u", key->text,
                             other->place.file, other->place.line);
            return;
        }
    }
    if ((d = vec_push(&l->drills, l->err)) == NULL) {
        l->rc = E_NOMEM;
        return;
    }
    d->name = conf_keep_text(l, key->text);
    d->place = key->place;
    d->place.file = conf_keep_text(l, key->place.file);
    struct frame f = { .section = CONF_AT_DRILL, .path = path, .map = value, .base = d };
    if (!conf_section_read(l, &f, NULL, NULL))
        return;
    conf_section_complete(l, &f, 0);
    d->asserts = list_read(l, path, "assert", f.values[conf_section_index(CONF_AT_DRILL, "assert")],
                           sizeof(struct conf_assert), assert_item, &d->nasserts);
    d->tables = list_read(l, path, "tables", f.values[conf_section_index(CONF_AT_DRILL, "tables")],
                          sizeof(const char *), table_item, &d->ntables);
    d->masks = list_read(l, path, "mask", f.values[conf_section_index(CONF_AT_DRILL, "mask")],
                         sizeof(struct conf_mask), conf_mask_item, &d->nmasks);
}

const struct conf_drill *conf_find_drill(const struct conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->ndrills; i++)
        if (strcmp(conf->drills[i].name, name) == 0)
            return &conf->drills[i];
    return NULL;
}
