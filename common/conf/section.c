#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/conf/problem.h"
#include "common/conf/reader.h"

#include "common/base/banned.h"

enum { WHAT_MAX = 256 };

/* "repositories.shop.storage.port" */
static const char *what_of(char out[WHAT_MAX], const struct frame *f, const char *name)
{
    (void)snprintf(out, WHAT_MAX, "%s%s%s", f->path, f->path[0] == '\0' ? "" : ".", name);
    return out;
}

static void *slot_of(const struct frame *f, const struct rule *rule)
{
    return (uint8_t *)f->base + rule->offset;
}

size_t conf_section_index(enum conf_section section, const char *name)
{
    size_t count = 0;
    const struct rule *rules = conf_rules_of(section, &count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(rules[i].setting.name, name) == 0)
            return i;
    return SIZE_MAX;
}

static void unknown_setting(struct load *l, const struct frame *f, const struct conf_node *key)
{
    size_t count = 0;
    const struct rule *rules = conf_rules_of(f->section, &count);
    struct suggestion near = suggest_for(key->text);
    char hint[SUGGEST_TEXT_MAX];
    for (size_t i = 0; i < count; i++)
        suggest_offer(&near, rules[i].setting.name);
    conf_problem_add(l->problems, key->place, "unknown setting '%s'%s%s%s", key->text,
                     f->path[0] == '\0' ? "" : " in ", f->path, suggest_text(&near, "", hint));
}

bool conf_section_read(struct load *l, struct frame *f, other_fn *other, void *arg)
{
    size_t count = 0;
    const struct rule *rules = conf_rules_of(f->section, &count);
    char what[WHAT_MAX];
    if (f->map->kind != NODE_MAP) {
        const struct conf_node *n = f->map;
        const char *name = f->path[0] == '\0' ? "the file" : f->path;
        if (n->kind == NODE_SCALAR && n->text[0] == '\0')
            conf_problem_add(l->problems, n->place, "%s has no settings", name);
        else if (n->kind != NODE_BAD)
            conf_problem_add(l->problems, n->place, "%s: expected settings (name: value), found %s", name,
                             conf_node_kind(n));
        return false;
    }
    for (size_t i = 0; i < f->map->items.len; i += 2) {
        const struct conf_node *key = conf_node_at(f->map, i);
        const struct conf_node *value = conf_node_at(f->map, i + 1);
        size_t r = conf_section_index(f->section, key->text);
        if (r >= count) {
            if (other != NULL)
                other(l, f, key, value, arg);
            else
                unknown_setting(l, f, key);
            continue;
        }
        f->keys[r] = key;
        f->values[r] = value;
        if (rules[r].setting.type != CONF_MAPPING)
            f->good[r] =
                conf_value_read(l, &rules[r], what_of(what, f, key->text), value, slot_of(f, &rules[r]));
    }
    return true;
}

void conf_section_complete(struct load *l, struct frame *f, unsigned ignore)
{
    size_t count = 0;
    const struct rule *rules = conf_rules_of(f->section, &count);
    for (size_t i = 0; i < count; i++) {
        const struct conf_setting *s = &rules[i].setting;
        if (f->keys[i] != NULL)
            continue;
        if ((s->flags & CONF_REQUIRED) != 0 && (s->flags & ignore) == 0)
            conf_problem_add(l->problems, f->map->place, "%s: '%s' is missing", f->path, s->name);
        else if (s->type != CONF_MAPPING)
            conf_value_default(l, &rules[i], slot_of(f, &rules[i]));
    }
}

void conf_section_foreign(struct load *l, const struct frame *f, unsigned all, unsigned mine,
                          const char *type)
{
    size_t count = 0;
    const struct rule *rules = conf_rules_of(f->section, &count);
    for (size_t i = 0; i < count; i++) {
        unsigned only = rules[i].setting.flags & all;
        if (f->keys[i] != NULL && only != 0 && (only & mine) == 0)
            conf_problem_add(l->problems, f->keys[i]->place, "%s: '%s' has no meaning with type %s", f->path,
                             rules[i].setting.name, type);
    }
}
