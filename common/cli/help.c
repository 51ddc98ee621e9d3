#include <stdio.h>
#include <string.h>

#include "common/cli/option.h"
#include "common/cli/out.h"

#include "common/base/banned.h"

enum { TERM_COLUMN = 26, TERM_INDENT = 2, WIDTH_MAX = 100, WIDTH_MIN = 40 };

struct help {
    const struct cli_program *program;
    struct buf *out;
    struct error *err;
    size_t width;
};

static int spaces(struct help *h, size_t n)
{
    return buf_printf(h->out, h->err, "%*s", (int)n, "");
}

/* Words of `text` from column `used` on, later lines indented; an empty line stays one. Ends the line. */
static int wrap(struct help *h, const char *text, size_t indent, size_t used)
{
    int rc = 0;
    bool first = true;
    while (*text != '\0' && rc == 0) {
        size_t len = strcspn(text, " \n");
        char word[256];
        size_t n = len < sizeof word ? len : sizeof word - 1;
        memcpy(word, text, n);
        word[n] = '\0';
        size_t columns = out_columns(word);
        bool fits = first || used + 1 + columns <= h->width;
        if (len != 0 && !fits) {
            rc = buf_append(h->out, "\n", 1, h->err);
            used = indent;
            first = true;
            if (rc == 0)
                rc = spaces(h, indent);
        }
        if (len != 0 && rc == 0) {
            rc = buf_printf(h->out, h->err, "%s%s", first ? "" : " ", word);
            used += columns + (first ? 0 : 1);
            first = false;
        }
        text += len;
        if (rc == 0 && text[0] == '\n' && text[1] == '\n') {
            rc = buf_printf(h->out, h->err, "\n\n%*s", (int)indent, "");
            used = indent;
            first = true;
        }
        text += strspn(text, " \n");
    }
    return rc == 0 ? buf_append(h->out, "\n", 1, h->err) : rc;
}

/* "  term     text", the text below when the term is long. */
static int put_term(struct help *h, const char *term, const char *text)
{
    size_t used = TERM_INDENT + out_columns(term);
    int rc = buf_printf(h->out, h->err, "%*s%s", TERM_INDENT, "", term);
    if (rc == 0 && used + 2 > TERM_COLUMN) {
        rc = buf_append(h->out, "\n", 1, h->err);
        used = 0;
    }
    if (rc == 0)
        rc = spaces(h, TERM_COLUMN - used);
    return rc == 0 ? wrap(h, text, TERM_COLUMN, TERM_COLUMN) : rc;
}

static int put_option(const struct cli_option *o, void *arg)
{
    struct help *h = arg;
    struct buf term = BUF_INIT;
    struct buf text = BUF_INIT;
    const char *metavar = cli_option_metavar(o);
    char letter[5] = "    ";
    if (o->letter != '\0') {
        letter[0] = '-';
        letter[1] = o->letter;
        letter[2] = ',';
    }
    int rc = buf_printf(&term, h->err, "%s--%s%s%s", letter, o->name, metavar != NULL ? " " : "",
                        metavar != NULL ? metavar : "");
    if (rc == 0)
        rc = cli_option_help(h->program, o, &text, h->err);
    if (rc == 0)
        rc = put_term(h, (const char *)term.data, (const char *)text.data);
    buf_free(&text);
    buf_free(&term);
    return rc;
}

static int put_title(struct help *h, const char *title)
{
    return buf_printf(h->out, h->err, "\n%s:\n", title);
}

static int put_texts(struct help *h, const char *title, const struct cli_text *list)
{
    if (list == NULL || list->what == NULL)
        return 0;
    int rc = put_title(h, title);
    for (; list->what != NULL && rc == 0; list++)
        rc = put_term(h, list->what, list->text);
    return rc;
}

static int put_verbs(struct help *h)
{
    int rc = put_title(h, "Commands");
    for (const struct cli_verb *v = h->program->verbs; v->name != NULL && rc == 0; v++)
        if (!v->hidden)
            rc = put_term(h, v->name, v->summary);
    return rc;
}

static int put_exit_codes(struct help *h)
{
    int rc = put_title(h, "Exit status");
    for (int code = 0; code < 256 && rc == 0; code++) {
        char term[16];
        const char *text = cli_exit_text(code);
        (void)snprintf(term, sizeof term, "%d", code);
        if (text != NULL)
            rc = put_term(h, term, text);
    }
    return rc;
}

static int put_program(struct help *h)
{
    const struct cli_program *p = h->program;
    int rc =
        buf_printf(h->out, h->err, "%s - %s\n\nUsage: %s [OPTION ...] COMMAND [OPTION ...] [ARGUMENT ...]\n",
                   p->name, p->summary, p->name);
    if (rc == 0 && p->description != NULL) {
        rc = buf_append(h->out, "\n", 1, h->err);
        if (rc == 0)
            rc = wrap(h, p->description, 0, 0);
    }
    if (rc == 0)
        rc = put_verbs(h);
    if (rc == 0)
        rc = put_title(h, "Options of every command");
    if (rc == 0)
        rc = cli_option_each(p, NULL, put_option, h);
    if (rc == 0)
        rc = put_texts(h, "Examples", p->examples);
    if (rc == 0)
        rc = put_texts(h, "Files", p->files);
    if (rc == 0)
        rc = put_texts(h, "Environment", p->environment);
    if (rc == 0)
        rc = put_exit_codes(h);
    if (rc == 0)
        rc = buf_printf(h->out, h->err, "\n\"%s COMMAND --help\" says more about a command.\n", p->name);
    return rc;
}

static int put_verb(struct help *h, const struct cli_verb *v)
{
    const char *name = h->program->name;
    int rc = buf_printf(h->out, h->err, "Usage: %s %s%s%s%s\n\n", name, v->name,
                        v->options != NULL && v->options->name != NULL ? " [OPTION ...]" : "",
                        v->synopsis != NULL ? " " : "", v->synopsis != NULL ? v->synopsis : "");
    if (rc == 0)
        rc = wrap(h, v->summary, 0, 0);
    if (rc == 0 && v->help != NULL) {
        rc = buf_append(h->out, "\n", 1, h->err);
        if (rc == 0)
            rc = wrap(h, v->help, 0, 0);
    }
    if (rc == 0 && v->options != NULL && v->options->name != NULL) {
        rc = put_title(h, "Options");
        if (rc == 0)
            rc = cli_option_each(h->program, v, put_option, h);
    }
    if (rc == 0)
        rc = put_title(h, "Options of every command");
    return rc == 0 ? cli_option_each(h->program, NULL, put_option, h) : rc;
}

int cli_help(const struct cli_program *program, const struct cli_verb *verb, size_t width, struct buf *out,
             struct error *err)
{
    struct help h = { .program = program, .out = out, .err = err, .width = width };
    if (h.width > WIDTH_MAX)
        h.width = WIDTH_MAX;
    if (h.width < WIDTH_MIN)
        h.width = WIDTH_MIN;
    return verb != NULL ? put_verb(&h, verb) : put_program(&h);
}
