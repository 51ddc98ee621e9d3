#include "common/cli/option.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/suggest.h"

#include "common/base/banned.h"

static const struct cli_option global[] = {
    { .name = "config", .kind = CLI_FILE, .help = "Read this configuration file." },
    { .name = "json", .help = "Print JSON, one object per line, instead of text." },
    { .name = "quiet", .letter = 'q', .help = "Print only results, warnings and errors." },
    { .name = "verbose", .letter = 'v', .many = true, .help = "Say more; twice: everything." },
    { .name = "no-color", .help = "Print without colours; so does the environment variable NO_COLOR." },
    { .name = "help", .letter = 'h', .help = "Print this help." },
    { .name = "version", .help = "Print the version." },
    { .name = "man", .hidden = true, .help = "Print the manual page (mdoc)." },
    { .name = "bash-completion", .hidden = true, .help = "Print the completion script for bash." },
    CLI_OPTIONS_END
};

const struct cli_option *cli_global_options(void)
{
    return global;
}

static const struct cli_option *find_in(const struct cli_option *table, const char *name, size_t len,
                                        char letter)
{
    for (; table != NULL && table->name != NULL; table++) {
        bool same = name != NULL ? strlen(table->name) == len && memcmp(table->name, name, len) == 0
                                 : table->letter == letter;
        if (same)
            return table;
    }
    return NULL;
}

static const struct cli_option *find(const struct cli_program *program, const struct cli_verb *verb,
                                     const char *name, size_t len, char letter)
{
    const struct cli_option *o = verb != NULL ? find_in(verb->options, name, len, letter) : NULL;
    if (o == NULL)
        o = find_in(program->options, name, len, letter);
    return o != NULL ? o : find_in(global, name, len, letter);
}

const struct cli_option *cli_option_long(const struct cli_program *program, const struct cli_verb *verb,
                                         const char *name, size_t len)
{
    return find(program, verb, name, len, 0);
}

const struct cli_option *cli_option_letter(const struct cli_program *program, const struct cli_verb *verb,
                                           char letter)
{
    return letter == '\0' ? NULL : find(program, verb, NULL, 0, letter);
}

static int each_in(const struct cli_option *table, int (*fn)(const struct cli_option *, void *), void *arg)
{
    int rc = 0;
    for (; table != NULL && table->name != NULL && rc >= 0; table++)
        if (!table->hidden)
            rc = fn(table, arg);
    return rc;
}

int cli_option_each(const struct cli_program *program, const struct cli_verb *verb,
                    int (*fn)(const struct cli_option *option, void *arg), void *arg)
{
    int rc = each_in(verb != NULL ? verb->options : program->options, fn, arg);
    return rc < 0 || verb != NULL ? rc : each_in(global, fn, arg);
}

/* "2.5%" is 250: two digits behind the point are plenty, and no floating point is needed. */
static int percent_read(const char *text, uint64_t *out, struct error *err)
{
    const char *p = text;
    uint64_t v = 0;
    size_t digits = strspn(p, "0123456789");
    bool good = digits >= 1 && digits <= 3;
    for (size_t i = 0; good && i < digits; i++)
        v = v * 10 + (uint64_t)(*p++ - '0');
    v *= 100;
    if (good && *p == '.') {
        size_t places = strspn(++p, "0123456789");
        good = places >= 1 && places <= 2;
        for (uint64_t unit = 10; good && places > 0; places--, unit /= 10)
            v += unit * (uint64_t)(*p++ - '0');
    }
    if (good && *p == '%')
        p++;
    if (!good || *p != '\0' || v > 10000)
        return error_set(err, E_USAGE, "'%s' is not a percentage (like 5%% or 2.5%%)", text);
    *out = v;
    return 0;
}

static int choice_read(const struct cli_option *o, const char *text, uint64_t *out, struct error *err)
{
    char hint[SUGGEST_TEXT_MAX];
    struct suggestion near = suggest_for(text);
    struct buf list = BUF_INIT;
    for (size_t i = 0; o->choices[i] != NULL; i++) {
        if (strcmp(o->choices[i], text) == 0) {
            buf_free(&list);
            *out = i;
            return 0;
        }
        suggest_offer(&near, o->choices[i]);
        (void)buf_printf(&list, NULL, "%s%s", i == 0 ? "" : ", ", o->choices[i]);
    }
    int rc = error_set(err, E_USAGE, "'%s' is none of: %.*s%s", text, (int)list.len,
                       list.data != NULL ? (const char *)list.data : "", suggest_text(&near, "", hint));
    buf_free(&list);
    return rc;
}

int cli_option_read(const struct cli_option *o, const char *text, uint64_t *number, struct error *err)
{
    uint64_t v = 0;
    uint64_t max = o->max != 0 ? o->max : UINT64_MAX;
    int rc = 0;
    switch (o->kind) {
    case CLI_FLAG:
    case CLI_STRING:
    case CLI_FILE:
        return 0;
    case CLI_CHOICE:
        return choice_read(o, text, number, err);
    case CLI_INTEGER:
        rc = number_parse(text, o->min, max, &v, err);
        break;
    case CLI_SIZE:
        rc = size_parse(text, &v, err);
        break;
    case CLI_DURATION:
        rc = duration_parse(text, &v, err);
        break;
    case CLI_PERCENT:
        rc = percent_read(text, &v, err);
        break;
    }
    if (rc == 0 && (v < o->min || v > max))
        rc = error_set(err, E_USAGE, "'%s' is too %s", text, v < o->min ? "small" : "large");
    if (rc == 0)
        *number = v;
    return rc;
}

const char *cli_option_metavar(const struct cli_option *option)
{
    static const char *const names[] = {
        [CLI_FLAG] = NULL,   [CLI_STRING] = "TEXT",   [CLI_FILE] = "FILE",       [CLI_INTEGER] = "N",
        [CLI_SIZE] = "SIZE", [CLI_DURATION] = "TIME", [CLI_PERCENT] = "PERCENT", [CLI_CHOICE] = "WORD",
    };
    return option->kind != CLI_FLAG && option->metavar != NULL ? option->metavar : names[option->kind];
}

int cli_option_help(const struct cli_program *program, const struct cli_option *o, struct buf *out,
                    struct error *err)
{
    const char *fallback = o->fallback;
    if (fallback == NULL && strcmp(o->name, "config") == 0)
        fallback = program->default_config;
    int rc = buf_printf(out, err, "%s", o->help != NULL ? o->help : "");
    for (size_t i = 0; o->kind == CLI_CHOICE && o->choices[i] != NULL && rc == 0; i++)
        rc = buf_printf(out, err, "%s%s%s", i == 0 ? " One of: " : ", ", o->choices[i],
                        o->choices[i + 1] == NULL ? "." : "");
    if (rc == 0 && o->required)
        rc = buf_printf(out, err, " Required.");
    if (rc == 0 && o->many && o->kind != CLI_FLAG)
        rc = buf_printf(out, err, " May be given more than once.");
    if (rc == 0 && fallback != NULL)
        rc = buf_printf(out, err, " Default: %s.", fallback);
    return rc;
}

/* ---- values ---------------------------------------------------------------------------------------- */

/* The i-th value given for a name (SIZE_MAX: the last), or NULL. */
static const struct cli_value *value_of(const struct cli_context *cli, const struct cli_option *o, size_t i)
{
    const struct cli_value *last = NULL;
    for (size_t j = 0; j < cli->values.len; j++) {
        const struct cli_value *v = vec_at(&cli->values, j);
        if (v->option != o)
            continue;
        last = v;
        if (i-- == 0)
            return v;
    }
    return i > cli->values.len ? last : NULL;
}

static const struct cli_option *must_find(const struct cli_context *cli, const char *name)
{
    const struct cli_option *o = cli_option_long(cli->program, cli->verb, name, strlen(name));
    if (o == NULL) {
        log_event(LOG_ALARM, "no option --%s in the tables of %s", name, cli->program->name);
        abort();
    }
    return o;
}

bool cli_given(const struct cli_context *cli, const char *name)
{
    return value_of(cli, must_find(cli, name), 0) != NULL;
}

bool cli_flag(const struct cli_context *cli, const char *name)
{
    return cli_given(cli, name);
}

size_t cli_count(const struct cli_context *cli, const char *name)
{
    const struct cli_option *o = must_find(cli, name);
    size_t n = 0;
    for (size_t i = 0; i < cli->values.len; i++)
        n += ((const struct cli_value *)vec_at(&cli->values, i))->option == o;
    return n;
}

const char *cli_text_at(const struct cli_context *cli, const char *name, size_t i)
{
    const struct cli_value *v = i < cli->values.len ? value_of(cli, must_find(cli, name), i) : NULL;
    return v != NULL ? v->text : NULL;
}

const char *cli_text(const struct cli_context *cli, const char *name)
{
    const struct cli_option *o = must_find(cli, name);
    const struct cli_value *v = value_of(cli, o, SIZE_MAX);
    return v != NULL ? v->text : o->fallback;
}

uint64_t cli_number(const struct cli_context *cli, const char *name)
{
    const struct cli_option *o = must_find(cli, name);
    const struct cli_value *v = value_of(cli, o, SIZE_MAX);
    uint64_t number = v != NULL ? v->number : 0;
    if (v == NULL && o->fallback != NULL)
        (void)cli_option_read(o, o->fallback, &number, NULL); /* 0 when the table is wrong */
    return number;
}

size_t cli_choice(const struct cli_context *cli, const char *name)
{
    return (size_t)cli_number(cli, name);
}
