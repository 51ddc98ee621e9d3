#include <string.h>

#include "common/base/str.h"
#include "common/cli/option.h"
#include "common/base/suggest.h"

#include "common/base/banned.h"

struct parser {
    const struct cli_program *program;
    struct cli_context *cli;
    char **argv;
    int argc;
    int next; /* index of the next argument */
    struct error *err;
};

static int add_value(struct parser *p, const struct cli_option *o, const char *shown, const char *text)
{
    uint64_t number = 0;
    for (size_t i = 0; o->kind != CLI_FLAG && !o->many && i < p->cli->values.len; i++)
        if (((const struct cli_value *)vec_at(&p->cli->values, i))->option == o)
            return error_set(p->err, E_USAGE, "option '%s' is given twice", shown);
    if (text != NULL) {
        int rc = cli_option_read(o, text, &number, p->err);
        if (rc < 0)
            return error_wrap(p->err, "option '%s'", shown);
    }
    struct cli_value *v = vec_push(&p->cli->values, p->err);
    if (v == NULL)
        return E_NOMEM;
    *v = (struct cli_value){ o, text, number };
    return 0;
}

/* Is it an option of some verb, so that only its place is wrong? */
static const struct cli_verb *verb_with(const struct cli_program *program, const char *name, size_t len)
{
    for (const struct cli_verb *v = program->verbs; v->name != NULL; v++)
        for (const struct cli_option *o = v->options; o != NULL && o->name != NULL; o++)
            if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
                return v;
    return NULL;
}

static int offer_option(const struct cli_option *option, void *arg)
{
    suggest_offer(arg, option->name);
    return 0;
}

static int unknown_option(struct parser *p, const char *name, size_t len)
{
    char word[64] = "";
    char hint[SUGGEST_TEXT_MAX];
    memcpy(word, name, len < sizeof word ? len : sizeof word - 1);
    const struct cli_verb *owner = verb_with(p->program, name, len);
    if (p->cli->verb == NULL && owner != NULL)
        return error_set(p->err, E_USAGE, "option '--%s' has to stand behind its command ('%s')", word,
                         owner->name);
    struct suggestion near = suggest_for(word);
    (void)cli_option_each(p->program, NULL, offer_option, &near);
    if (p->cli->verb != NULL)
        (void)cli_option_each(p->program, p->cli->verb, offer_option, &near);
    return error_set(p->err, E_USAGE, "unknown option '--%s'%s", word, suggest_text(&near, "--", hint));
}

/* The value of an option that needs one: what is attached, or the next argument. */
static int take_value(struct parser *p, const struct cli_option *o, const char *shown, const char *attached)
{
    const char *text = attached;
    if (text == NULL && p->next < p->argc)
        text = p->argv[p->next++];
    if (text == NULL)
        return error_set(p->err, E_USAGE, "option '%s' needs a value (%s)", shown, cli_option_metavar(o));
    return add_value(p, o, shown, text);
}

static int long_option(struct parser *p, const char *arg)
{
    char shown[64];
    const char *name = arg + 2;
    size_t len = strcspn(name, "=");
    const char *value = name[len] == '=' ? name + len + 1 : NULL;
    const struct cli_option *o = cli_option_long(p->program, p->cli->verb, name, len);
    if (o == NULL)
        return unknown_option(p, name, len);
    size_t room = len + 3 < sizeof shown ? len + 2 : sizeof shown - 1;
    memcpy(shown, arg, room);
    shown[room] = '\0';
    if (o->kind != CLI_FLAG)
        return take_value(p, o, shown, value);
    if (value != NULL)
        return error_set(p->err, E_USAGE, "option '%s' takes no value", shown);
    return add_value(p, o, shown, NULL);
}

static int short_options(struct parser *p, const char *arg)
{
    int rc = 0;
    for (const char *c = arg + 1; *c != '\0' && rc == 0; c++) {
        char shown[3] = { '-', *c, '\0' };
        const struct cli_option *o = cli_option_letter(p->program, p->cli->verb, *c);
        if (o == NULL)
            return error_set(p->err, E_USAGE, "unknown option '%s' in '%s'", shown, arg);
        if (o->kind != CLI_FLAG)
            return take_value(p, o, shown, c[1] != '\0' ? c + 1 : NULL);
        rc = add_value(p, o, shown, NULL);
    }
    return rc;
}

/* Matches the words from `word` on with a verb's name; the number of words, or 0. */
static int verb_words(const struct parser *p, const char *name, const char *word)
{
    const char *space = strchr(name, ' ');
    if (space == NULL)
        return strcmp(name, word) == 0 ? 1 : 0;
    size_t len = (size_t)(space - name);
    if (strlen(word) != len || memcmp(word, name, len) != 0 || p->next >= p->argc)
        return 0;
    return strcmp(p->argv[p->next], space + 1) == 0 ? 2 : 0;
}

/* "key" alone: its second words are what is missing. */
static int half_verb(struct parser *p, const char *word)
{
    struct buf list = BUF_INIT;
    size_t len = strlen(word);
    for (const struct cli_verb *v = p->program->verbs; v->name != NULL; v++)
        if (!v->hidden && strncmp(v->name, word, len) == 0 && v->name[len] == ' ')
            (void)buf_printf(&list, NULL, "%s%s", list.len == 0 ? "" : ", ", v->name + len + 1);
    int rc = 0;
    if (list.len != 0)
        rc = error_set(p->err, E_USAGE, "'%s' needs one of: %.*s", word, (int)list.len,
                       (const char *)list.data);
    buf_free(&list);
    return rc;
}

static int take_verb(struct parser *p, const char *word)
{
    int best = 0;
    char hint[SUGGEST_TEXT_MAX];
    struct suggestion near = suggest_for(word);
    for (const struct cli_verb *v = p->program->verbs; v->name != NULL; v++) {
        int words = verb_words(p, v->name, word);
        if (words > best) {
            best = words;
            p->cli->verb = v;
        }
        if (!v->hidden)
            suggest_offer(&near, v->name);
    }
    if (best != 0) {
        p->next += best - 1;
        return 0;
    }
    if (strcmp(word, "help") == 0)
        return add_value(p, cli_option_long(p->program, NULL, "help", 4), word, NULL);
    int rc = half_verb(p, word);
    return rc < 0 ? rc
                  : error_set(p->err, E_USAGE, "unknown command '%s'%s", word, suggest_text(&near, "", hint));
}

static int take_word(struct parser *p, const char *word)
{
    if (p->cli->verb == NULL)
        return take_verb(p, word);
    const char **slot = vec_push(&p->cli->positional, p->err);
    if (slot == NULL)
        return E_NOMEM;
    *slot = word;
    return 0;
}

static int check_counts(struct parser *p)
{
    const struct cli_verb *verb = p->cli->verb;
    size_t n = p->cli->positional.len;
    if (verb == NULL)
        return 0;
    if (n < (size_t)verb->min_args)
        return error_set(p->err, E_USAGE, "an argument is missing: %s %s", verb->name,
                         verb->synopsis != NULL ? verb->synopsis : "");
    if (n > (size_t)verb->max_args)
        return error_set(p->err, E_USAGE,
                         verb->max_args == 0 ? "'%s' is too much: it takes no arguments"
                                             : "'%s' is one argument too many",
                         *(const char *const *)vec_at(&p->cli->positional, (size_t)verb->max_args));
    for (const struct cli_option *o = verb->options; o != NULL && o->name != NULL; o++)
        if (o->required && !cli_given(p->cli, o->name))
            return error_set(p->err, E_USAGE, "option '--%s %s' is missing", o->name, cli_option_metavar(o));
    return 0;
}

static int parse_all(struct parser *p)
{
    bool ended = false;
    int rc = 0;
    while (p->next < p->argc && rc == 0) {
        const char *arg = p->argv[p->next++];
        if (ended || arg[0] != '-' || arg[1] == '\0')
            rc = take_word(p, arg);
        else if (strcmp(arg, "--") == 0)
            ended = true;
        else
            rc = arg[1] == '-' ? long_option(p, arg) : short_options(p, arg);
    }
    return rc;
}

/* After a mistake before the command: a verb with an answer of its own to it has to be known all the same. */
static void find_answering_verb(struct parser *p)
{
    while (p->cli->verb == NULL && p->next < p->argc) {
        const char *word = p->argv[p->next++];
        for (const struct cli_verb *v = p->program->verbs; v->name != NULL; v++)
            if (v->unable != NULL && verb_words(p, v->name, word) != 0)
                p->cli->verb = v;
    }
}

int cli_parse(const struct cli_program *program, int argc, char **argv, struct cli_context *cli,
              struct error *err)
{
    struct parser p = { .program = program, .cli = cli, .argv = argv, .argc = argc, .next = 1, .err = err };
    cli->program = program;
    cli->values = (struct vec)VEC_OF(struct cli_value);
    cli->positional = (struct vec)VEC_OF(const char *);
    int rc = parse_all(&p);
    if (rc < 0)
        find_answering_verb(&p);
    /* also after a mistake, so that it is reported in the form that was asked for */
    cli->json = cli_flag(cli, "json");
    cli->quiet = cli_flag(cli, "quiet");
    cli->verbose = (unsigned)cli_count(cli, "verbose");
    cli->config_given = cli_given(cli, "config");
    cli->config = cli->config_given ? cli_text(cli, "config") : program->default_config;
    cli->out = out_on(stdout, cli_flag(cli, "no-color"));
    cli->args = cli->positional.data;
    cli->nargs = cli->positional.len;
    bool only_text = cli_flag(cli, "help") || cli_flag(cli, "version");
    return rc < 0 || only_text ? rc : check_counts(&p);
}

void cli_context_free(struct cli_context *cli)
{
    vec_free(&cli->values);
    vec_free(&cli->positional);
    cli->args = NULL;
    cli->nargs = 0;
}
