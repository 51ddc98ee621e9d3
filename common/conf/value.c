#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/conf/problem.h"
#include "common/conf/reader.h"

#include "common/base/banned.h"

static const char secret_forms[] = "a secret is never written here, only where it is: {file: PATH}, "
                                   "{credential: NAME} or {command: [PROGRAM, ARG, ...]}";

void *conf_keep_block(struct load *l, void *block)
{
    void **slot = block != NULL ? vec_push(&l->conf->owned, l->err) : NULL;
    if (slot == NULL) {
        free(block);
        l->rc = E_NOMEM;
        return NULL;
    }
    *slot = block;
    return block;
}

const char *conf_keep_text(struct load *l, const char *s)
{
    return conf_keep_block(l, s != NULL ? str_dup(s, l->err) : NULL);
}

const char *conf_keep_format(struct load *l, const char *fmt, ...)
{
    char text[ERROR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return conf_keep_text(l, n < 0 ? "" : text);
}

const char *conf_keep_path(struct load *l, const char *name)
{
    if (name == NULL || name[0] == '/')
        return conf_keep_text(l, name);
    return conf_keep_block(l, str_printf(l->err, "%s/%s", l->conf->dir, name));
}

bool conf_value_is_text(struct load *l, const char *what, const struct conf_node *value)
{
    if (value->kind == NODE_BAD)
        return false;
    if (value->kind != NODE_SCALAR)
        conf_problem_add(l->problems, value->place, "%s: expected a single value, found %s", what,
                         conf_node_kind(value));
    else if (value->plain && value->text[0] == '\0')
        conf_problem_add(l->problems, value->place, "%s has no value", what);
    else
        return true;
    return false;
}

static bool path_is_good(struct load *l, const char *what, const struct conf_node *value)
{
    if (value->text[0] != '~')
        return true;
    conf_problem_add(l->problems, value->place, "%s: '~' is not expanded: write the whole path", what);
    return false;
}

static bool bool_parse(const char *s, bool *out)
{
    static const char *const words[] = { "false", "true", "no", "yes", "off", "on" };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(s, words[i]) == 0) {
            *out = i % 2 == 1;
            return true;
        }
    }
    return false;
}

static int choice_parse(const struct conf_setting *s, const char *text, unsigned *out, struct error *err)
{
    char hint[SUGGEST_TEXT_MAX];
    char list[256] = "";
    struct suggestion near = suggest_for(text);
    for (unsigned i = 0; s->choices[i] != NULL; i++) {
        if (strcmp(s->choices[i], text) == 0) {
            *out = i;
            return 0;
        }
        suggest_offer(&near, s->choices[i]);
        size_t used = strlen(list);
        (void)snprintf(list + used, sizeof list - used, "%s%s", i == 0 ? "" : ", ", s->choices[i]);
    }
    return error_set(err, E_USAGE, "'%s' is none of: %s%s", text, list, suggest_text(&near, "", hint));
}

static int bounds_check(const struct conf_setting *s, const char *text, uint64_t v, struct error *err)
{
    struct buf range = BUF_INIT;
    if (s->max == 0 || (v >= s->min && v <= s->max))
        return 0;
    int rc = conf_type_format(s, &range, NULL);
    rc = error_set(err, E_USAGE, "'%s' is out of bounds (%.*s)", text, rc < 0 ? 0 : (int)range.len,
                   range.data == NULL ? "" : (const char *)range.data);
    buf_free(&range);
    return rc;
}

/* Numbers are decimal here; YAML 1.1 would read 010 as eight, so it is refused rather than guessed. */
static int number_read(const struct conf_setting *s, const char *text, void *slot, struct error *err)
{
    uint64_t v = 0;
    int rc = 0;
    if (s->type == CONF_INTEGER) {
        if (text[0] == '0' && text[1] != '\0')
            return error_set(err, E_USAGE, "'%s' is not a whole number (no leading zeros)", text);
        rc = number_parse(text, 0, UINT32_MAX, &v, err);
    } else if (s->type == CONF_SIZE) {
        rc = size_parse(text, &v, err);
    } else {
        rc = duration_parse(text, &v, err);
    }
    if (rc == 0)
        rc = bounds_check(s, text, v, err);
    if (rc < 0)
        return rc;
    if (s->type == CONF_INTEGER)
        *(unsigned *)slot = (unsigned)v;
    else
        *(uint64_t *)slot = s->type == CONF_DURATION ? v * 1000 : v;
    return 0;
}

/* The text forms of every type but SECRET and MAPPING. */
static int text_read(struct load *l, const struct conf_setting *s, const char *text, void *slot,
                     struct error *err)
{
    switch (s->type) {
    case CONF_BOOL:
        return bool_parse(text, slot) ? 0 : error_set(err, E_USAGE, "'%s' is neither true nor false", text);
    case CONF_INTEGER:
    case CONF_SIZE:
    case CONF_DURATION:
        return number_read(s, text, slot, err);
    case CONF_CHOICE:
        return choice_parse(s, text, slot, err);
    case CONF_PATH:
        *(const char **)slot = conf_keep_path(l, text);
        return 0;
    case CONF_STRING:
    case CONF_REFERENCE:
        *(const char **)slot = conf_keep_text(l, text);
        return 0;
    case CONF_COMMAND:
    case CONF_SECRET:
    case CONF_NAMES:
    case CONF_TEXTS:
    case CONF_MAPPING:
        break;
    }
    return error_set(err, E_INTERNAL, "no text form for %s", s->name);
}

/* `name`: what the list is called in messages. */
static bool command_read(struct load *l, const char *what, const char *name, const struct conf_node *list,
                         struct conf_command *out)
{
    if (list->kind == NODE_BAD)
        return false;
    if (list->kind != NODE_LIST || list->items.len == 0) {
        conf_problem_add(l->problems, list->place,
                         "%s: %s has to be a list [PROGRAM, ARG, ...]; it is run without a shell", what,
                         name);
        return false;
    }
    const char **argv = conf_keep_block(l, mem_alloc(list->items.len + 1, sizeof *argv, l->err));
    if (argv == NULL)
        return false;
    for (size_t i = 0; i < list->items.len; i++) {
        const struct conf_node *item = conf_node_at(list, i);
        if (!conf_value_is_text(l, what, item))
            return false;
        argv[i] = conf_keep_text(l, item->text);
    }
    if (argv[0] != NULL && argv[0][0] != '/') {
        conf_problem_add(l->problems, conf_node_at(list, 0)->place,
                         "%s: the program of %s needs its whole path, like /usr/bin/%s", what, name, argv[0]);
        return false;
    }
    *out = (struct conf_command){ .argv = argv, .argc = list->items.len };
    return true;
}

static bool name_keep(struct load *l, const char *what, const struct conf_node *value, bool any,
                      const char **out)
{
    if (!conf_value_is_text(l, what, value))
        return false;
    if (!any && !conf_name_is_good(value->text)) {
        conf_problem_add(l->problems, value->place,
                         "%s: '%s' is no good name: use 1 to %d of a-z 0-9 . _ -, a letter or digit first",
                         what, value->text, CONF_NAME_MAX);
        return false;
    }
    *out = conf_keep_text(l, value->text);
    return *out != NULL;
}

/* any: texts instead of names. */
static bool names_read(struct load *l, const char *what, const struct conf_node *value, bool any,
                       struct conf_names *out)
{
    bool list = value->kind == NODE_LIST;
    size_t n = list ? value->items.len : 1;
    if (value->kind == NODE_BAD)
        return false;
    const char **names = conf_keep_block(l, mem_alloc(n + 1, sizeof *names, l->err));
    if (names == NULL)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!name_keep(l, what, list ? conf_node_at(value, i) : value, any, &names[i]))
            return false;
    *out = (struct conf_names){ .names = names, .n = n };
    return true;
}

static bool credential_is_good(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    return name[0] != '.' && name[0] != '\0' && name[strspn(name, allowed)] == '\0';
}

static bool secret_read(struct load *l, const char *what, const struct conf_node *value,
                        struct conf_secret *out)
{
    if (value->kind == NODE_BAD)
        return false;
    if (value->kind != NODE_MAP || value->items.len != 2) {
        conf_problem_add(l->problems, value->place, "%s: %s", what, secret_forms);
        return false;
    }
    const struct conf_node *key = conf_node_at(value, 0);
    const struct conf_node *arg = conf_node_at(value, 1);
    if (strcmp(key->text, "command") == 0) {
        struct conf_command command = { .argv = NULL };
        if (!command_read(l, what, "command", arg, &command))
            return false;
        *out =
            (struct conf_secret){ .kind = CONF_SECRET_COMMAND, .argv = command.argv, .argc = command.argc };
        return true;
    }
    bool file = strcmp(key->text, "file") == 0;
    if (!file && strcmp(key->text, "credential") != 0) {
        conf_problem_add(l->problems, key->place, "%s: '%s' is no form of a secret: %s", what, key->text,
                         secret_forms);
        return false;
    }
    if (!conf_value_is_text(l, what, arg) || (file && !path_is_good(l, what, arg)))
        return false;
    if (file ? arg->text[0] == '\0' : !credential_is_good(arg->text)) {
        conf_problem_add(l->problems, arg->place,
                         file ? "%s: the file name is empty" : "%s: a credential is a plain name without '/'",
                         what);
        return false;
    }
    out->kind = file ? CONF_SECRET_FILE : CONF_SECRET_CREDENTIAL;
    out->text = file ? conf_keep_path(l, arg->text) : conf_keep_text(l, arg->text);
    return true;
}

bool conf_value_read(struct load *l, const struct rule *rule, const char *what, const struct conf_node *value,
                     void *slot)
{
    struct error err = ERROR_INIT;
    if (rule->setting.type == CONF_SECRET)
        return secret_read(l, what, value, slot);
    if (rule->setting.type == CONF_NAMES || rule->setting.type == CONF_TEXTS)
        return names_read(l, what, value, rule->setting.type == CONF_TEXTS, slot);
    if (rule->setting.type == CONF_COMMAND)
        return command_read(l, what, rule->setting.name, value, slot);
    if (!conf_value_is_text(l, what, value))
        return false;
    if (value->text[0] == '\0') {
        conf_problem_add(l->problems, value->place, "%s is empty", what);
        return false;
    }
    if (rule->setting.type == CONF_PATH && !path_is_good(l, what, value))
        return false;
    if (text_read(l, &rule->setting, value->text, slot, &err) < 0) {
        conf_problem_add(l->problems, value->place, "%s: %s", what, err.text);
        return false;
    }
    return true;
}

void conf_value_default(struct load *l, const struct rule *rule, void *slot)
{
    const char *text = rule->setting.fallback;
    if (text != NULL && text[0] != '(' && text_read(l, &rule->setting, text, slot, l->err) < 0)
        l->rc = E_INTERNAL;
}
