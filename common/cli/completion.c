#include <string.h>

#include "common/cli/option.h"

#include "common/base/banned.h"

/*
 * The script needs nothing but bash. It walks the words before the cursor to find the verb (one or two
 * words), passing over the values of options, and then offers what may stand here.
 */
struct script {
    const struct cli_program *program;
    const struct cli_verb *verb; /* whose options are being written */
    struct buf *out;
    struct error *err;
};

static int put_valued(const struct cli_option *o, void *arg)
{
    struct script *s = arg;
    if (o->kind == CLI_FLAG)
        return 0;
    if (o->letter != '\0')
        return buf_printf(s->out, s->err, "            --%s | -%c) ((i++)) ;;\n", o->name, o->letter);
    return buf_printf(s->out, s->err, "            --%s) ((i++)) ;;\n", o->name);
}

/* Options with a value are passed over whatever verb they belong to; a flag of one verb that takes a value in
 * another is not worth more. */
static int put_walk(struct script *s)
{
    int rc = buf_printf(s->out, s->err,
                        "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
                        "    local words='' verb='' options='' i\n"
                        "    COMPREPLY=()\n"
                        "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                        "        case ${COMP_WORDS[i]} in\n");
    if (rc == 0)
        rc = cli_option_each(s->program, NULL, put_valued, s);
    if (rc == 0)
        rc = buf_printf(s->out, s->err,
                        "            -*) ;;\n"
                        "            *) words+=\"${COMP_WORDS[i]} \" ;;\n"
                        "        esac\n"
                        "    done\n");
    return rc;
}

static int put_find_verb(struct script *s)
{
    int rc = buf_printf(s->out, s->err, "    case $words in\n");
    for (int two = 1; two >= 0; two--)
        for (const struct cli_verb *v = s->program->verbs; v->name != NULL && rc == 0; v++)
            if (!v->hidden && (strchr(v->name, ' ') != NULL) == (two == 1))
                rc = buf_printf(s->out, s->err, "        '%s '*) verb='%s' ;;\n", v->name, v->name);
    return rc == 0 ? buf_printf(s->out, s->err, "    esac\n") : rc;
}

static int put_value_case(const struct cli_option *o, void *arg)
{
    struct script *s = arg;
    if (o->kind == CLI_FLAG)
        return 0;
    const char *verb = s->verb != NULL ? s->verb->name : "";
    const char *quote = s->verb != NULL ? "'" : "";
    int rc = buf_printf(s->out, s->err, "        %s%s%s:--%s", quote, s->verb != NULL ? verb : "*", quote,
                        o->name);
    if (rc == 0 && o->letter != '\0')
        rc = buf_printf(s->out, s->err, " | %s%s%s:-%c", quote, s->verb != NULL ? verb : "*", quote,
                        o->letter);
    if (rc == 0)
        rc = buf_printf(s->out, s->err, ") ");
    if (rc == 0 && o->kind == CLI_CHOICE) {
        rc = buf_printf(s->out, s->err, "mapfile -t COMPREPLY < <(compgen -W '");
        for (size_t i = 0; o->choices[i] != NULL && rc == 0; i++)
            rc = buf_printf(s->out, s->err, "%s%s", i == 0 ? "" : " ", o->choices[i]);
        if (rc == 0)
            rc = buf_printf(s->out, s->err, "' -- \"$cur\"); ");
    } else if (rc == 0 && o->kind == CLI_FILE) {
        rc = buf_printf(s->out, s->err,
                        "compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); ");
    }
    return rc == 0 ? buf_printf(s->out, s->err, "return ;;\n") : rc;
}

static int put_values(struct script *s)
{
    int rc = buf_printf(s->out, s->err, "    case $verb:$prev in\n");
    for (const struct cli_verb *v = s->program->verbs; v->name != NULL && rc == 0; v++) {
        s->verb = v;
        if (!v->hidden)
            rc = cli_option_each(s->program, v, put_value_case, s);
    }
    s->verb = NULL;
    if (rc == 0)
        rc = cli_option_each(s->program, NULL, put_value_case, s);
    return rc == 0 ? buf_printf(s->out, s->err, "    esac\n") : rc;
}

static int put_name(const struct cli_option *o, void *arg)
{
    struct script *s = arg;
    int rc = buf_printf(s->out, s->err, " --%s", o->name);
    if (rc == 0 && o->letter != '\0')
        rc = buf_printf(s->out, s->err, " -%c", o->letter);
    return rc;
}

static int put_options(struct script *s)
{
    int rc = buf_printf(s->out, s->err, "    if [[ $cur == -* ]]; then\n        case $verb in\n");
    for (const struct cli_verb *v = s->program->verbs; v->name != NULL && rc == 0; v++) {
        if (v->hidden || v->options == NULL || v->options->name == NULL)
            continue;
        rc = buf_printf(s->out, s->err, "            '%s') options='", v->name);
        if (rc == 0)
            rc = cli_option_each(s->program, v, put_name, s);
        if (rc == 0)
            rc = buf_printf(s->out, s->err, "' ;;\n");
    }
    if (rc == 0)
        rc = buf_printf(s->out, s->err, "        esac\n        options+='");
    if (rc == 0)
        rc = cli_option_each(s->program, NULL, put_name, s);
    if (rc == 0)
        rc = buf_printf(s->out, s->err,
                        "'\n        mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$cur\")\n"
                        "        return\n    fi\n");
    return rc;
}

/* Whether `name` has a first word that an earlier verb has too. */
static bool first_word_seen(const struct cli_program *program, const struct cli_verb *verb)
{
    size_t len = strcspn(verb->name, " ");
    for (const struct cli_verb *v = program->verbs; v != verb; v++)
        if (!v->hidden && strcspn(v->name, " ") == len && memcmp(v->name, verb->name, len) == 0)
            return true;
    return false;
}

static int put_second_words(struct script *s, const struct cli_verb *first)
{
    size_t len = strcspn(first->name, " ");
    int rc = 0;
    bool any = false;
    for (const struct cli_verb *v = s->program->verbs; v->name != NULL && rc == 0; v++) {
        if (v->hidden || strncmp(v->name, first->name, len) != 0 || v->name[len] != ' ')
            continue;
        if (!any)
            rc = buf_printf(s->out, s->err, "        '%.*s ') mapfile -t COMPREPLY < <(compgen -W '",
                            (int)len, first->name);
        if (rc == 0)
            rc = buf_printf(s->out, s->err, "%s%s", any ? " " : "", v->name + len + 1);
        any = true;
    }
    return rc == 0 && any ? buf_printf(s->out, s->err, "' -- \"$cur\") ;;\n") : rc;
}

static int put_words(struct script *s)
{
    int rc = buf_printf(s->out, s->err,
                        "    case $words in\n"
                        "        '' | 'help ') mapfile -t COMPREPLY < <(compgen -W 'help");
    for (const struct cli_verb *v = s->program->verbs; v->name != NULL && rc == 0; v++)
        if (!v->hidden && !first_word_seen(s->program, v))
            rc = buf_printf(s->out, s->err, " %.*s", (int)strcspn(v->name, " "), v->name);
    if (rc == 0)
        rc = buf_printf(s->out, s->err, "' -- \"$cur\") ;;\n");
    for (const struct cli_verb *v = s->program->verbs; v->name != NULL && rc == 0; v++)
        if (!v->hidden && !first_word_seen(s->program, v))
            rc = put_second_words(s, v);
    for (const struct cli_verb *v = s->program->verbs; v->name != NULL && rc == 0; v++)
        if (!v->hidden && v->file_args)
            rc = buf_printf(
                s->out, s->err,
                "        '%s '*) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n",
                v->name);
    return rc == 0 ? buf_printf(s->out, s->err, "    esac\n") : rc;
}

int cli_bash_completion(const struct cli_program *program, struct buf *out, struct error *err)
{
    struct script s = { .program = program, .out = out, .err = err };
    int rc = buf_printf(out, err, "# bash completion for %s\n# shellcheck shell=bash\n_%s()\n{\n",
                        program->name, program->name);
    if (rc == 0)
        rc = put_walk(&s);
    if (rc == 0)
        rc = put_find_verb(&s);
    if (rc == 0)
        rc = put_values(&s);
    if (rc == 0)
        rc = put_options(&s);
    if (rc == 0)
        rc = put_words(&s);
    return rc == 0 ? buf_printf(out, err, "}\ncomplete -F _%s %s\n", program->name, program->name) : rc;
}
