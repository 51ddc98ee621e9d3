#include <string.h>

#include "common/cli/option.h"

#include "common/base/banned.h"

/* mdoc: a word that is also a macro's name is protected by \&; sentences start on new lines. */
struct man {
    const struct cli_program *program;
    struct buf *out;
    struct error *err;
};

static int put_char(struct man *m, const char *c, bool line_start)
{
    if (*c == '\\')
        return buf_append(m->out, "\\e", 2, m->err);
    if (line_start && (*c == '.' || *c == '\''))
        return buf_printf(m->out, m->err, "\\&%c", *c);
    return buf_append(m->out, c, 1, m->err);
}

/* Running text; an empty line in it becomes a paragraph. Ends the line. */
static int put_text(struct man *m, const char *text)
{
    enum { LINE_SOFT = 60 };
    int rc = 0;
    size_t line = 0;
    for (const char *p = text; *p != '\0' && rc == 0; p++) {
        bool sentence = line > 0 && (p[-1] == '.' || p[-1] == '?') && *p == ' ';
        if (p[0] == '\n' && p[1] == '\n') {
            rc = buf_append(m->out, "\n.Pp\n", 5, m->err);
            p += strspn(p, "\n ") - 1;
            line = 0;
        } else if (*p == '\n' || sentence || (*p == ' ' && line > LINE_SOFT)) {
            rc = line > 0 ? buf_append(m->out, "\n", 1, m->err) : 0;
            line = 0;
        } else if (*p != ' ' || line > 0) {
            rc = put_char(m, p, line == 0);
            line++;
        }
    }
    return rc == 0 ? buf_append(m->out, "\n", 1, m->err) : rc;
}

/* An argument of a macro, as one. */
static int put_argument(struct man *m, const char *text)
{
    int rc = buf_append(m->out, " \"\\&", 4, m->err);
    for (; *text != '\0' && rc == 0; text++)
        rc = *text == '"' ? buf_append(m->out, "\\(dq", 4, m->err) : put_char(m, text, false);
    return rc == 0 ? buf_append(m->out, "\"", 1, m->err) : rc;
}

static int put_item(struct man *m, const char *macro, const char *what, const char *text)
{
    int rc = buf_printf(m->out, m->err, ".It %s", macro);
    if (rc == 0)
        rc = put_argument(m, what);
    if (rc == 0)
        rc = buf_append(m->out, "\n", 1, m->err);
    return rc == 0 ? put_text(m, text) : rc;
}

static int list_begin(struct man *m)
{
    return buf_printf(m->out, m->err, ".Bl -tag -width Ds\n");
}

static int list_end(struct man *m)
{
    return buf_printf(m->out, m->err, ".El\n");
}

static int put_option(const struct cli_option *o, void *arg)
{
    struct man *m = arg;
    struct buf text = BUF_INIT;
    const char *metavar = cli_option_metavar(o);
    int rc = buf_printf(m->out, m->err, ".It ");
    if (rc == 0 && o->letter != '\0')
        rc = buf_printf(m->out, m->err, "Fl \\&%c , ", o->letter);
    if (rc == 0)
        rc = buf_printf(m->out, m->err, "Fl \\&-%s", o->name);
    if (rc == 0 && metavar != NULL) {
        rc = buf_printf(m->out, m->err, " Ar");
        if (rc == 0)
            rc = put_argument(m, metavar);
    }
    if (rc == 0)
        rc = buf_append(m->out, "\n", 1, m->err);
    if (rc == 0)
        rc = cli_option_help(m->program, o, &text, m->err);
    if (rc == 0)
        rc = put_text(m, (const char *)text.data);
    buf_free(&text);
    return rc;
}

static int put_verb(struct man *m, const struct cli_verb *v)
{
    bool options = v->options != NULL && v->options->name != NULL;
    int rc = buf_printf(m->out, m->err, ".Ss");
    if (rc == 0)
        rc = put_argument(m, v->name);
    if (rc == 0)
        rc = buf_printf(m->out, m->err, "\n.Nm %s Cm", m->program->name);
    if (rc == 0)
        rc = put_argument(m, v->name);
    if (rc == 0 && options)
        rc = buf_printf(m->out, m->err, " Op Ar option ...");
    if (rc == 0 && v->synopsis != NULL) {
        rc = buf_printf(m->out, m->err, "%s", options ? "\n.Ar" : " Ar"); /* Op takes the rest of its line */
        if (rc == 0)
            rc = put_argument(m, v->synopsis);
    }
    if (rc == 0)
        rc = buf_printf(m->out, m->err, "\n.Pp\n");
    if (rc == 0)
        rc = put_text(m, v->summary);
    if (rc == 0 && v->help != NULL) {
        rc = buf_printf(m->out, m->err, ".Pp\n");
        if (rc == 0)
            rc = put_text(m, v->help);
    }
    if (rc < 0 || !options)
        return rc;
    rc = list_begin(m);
    if (rc == 0)
        rc = cli_option_each(m->program, v, put_option, m);
    return rc == 0 ? list_end(m) : rc;
}

static int put_texts(struct man *m, const char *title, const char *macro, const struct cli_text *list)
{
    if (list == NULL || list->what == NULL)
        return 0;
    int rc = buf_printf(m->out, m->err, ".Sh %s\n", title);
    if (rc == 0)
        rc = list_begin(m);
    for (; list->what != NULL && rc == 0; list++)
        rc = put_item(m, macro, list->what, list->text);
    return rc == 0 ? list_end(m) : rc;
}

static int put_exit_codes(struct man *m)
{
    int rc = buf_printf(m->out, m->err, ".Sh EXIT STATUS\n");
    if (rc == 0)
        rc = list_begin(m);
    for (int code = 0; code < 256 && rc == 0; code++)
        if (cli_exit_text(code) != NULL) {
            rc = buf_printf(m->out, m->err, ".It %d\n", code);
            if (rc == 0)
                rc = put_text(m, cli_exit_text(code));
        }
    return rc == 0 ? list_end(m) : rc;
}

static int put_see_also(struct man *m)
{
    const struct cli_text *list = m->program->see_also;
    if (list == NULL || list->what == NULL)
        return 0;
    int rc = buf_printf(m->out, m->err, ".Sh SEE ALSO\n");
    for (; list->what != NULL && rc == 0; list++)
        rc = buf_printf(m->out, m->err, ".Xr %s %s%s\n", list->what, list->text,
                        list[1].what != NULL ? " ," : "");
    return rc;
}

static int put_head(struct man *m)
{
    const struct cli_program *p = m->program;
    char upper[64] = "";
    for (size_t i = 0; p->name[i] != '\0' && i + 1 < sizeof upper; i++)
        upper[i] = (char)(p->name[i] >= 'a' && p->name[i] <= 'z' ? p->name[i] - 'a' + 'A' : p->name[i]);
    int rc =
        buf_printf(m->out, m->err,
                   ".Dd %s\n.Dt %s %d\n.Os\n.Sh NAME\n.Nm %s\n.Nd %s\n.Sh SYNOPSIS\n.Nm\n.Op Ar option ...\n"
                   ".Ar command\n.Op Ar option ...\n.Op Ar argument ...\n.Sh DESCRIPTION\n",
                   p->date != NULL ? p->date : "November 24, 2026", upper, p->section != 0 ? p->section : 1,
                   p->name, p->summary);
    return rc == 0 ? put_text(m, p->description != NULL ? p->description : p->summary) : rc;
}

static int put_tail(struct man *m)
{
    const struct cli_program *p = m->program;
    int rc = put_texts(m, "ENVIRONMENT", "Ev", p->environment);
    if (rc == 0)
        rc = put_texts(m, "FILES", "Pa", p->files);
    if (rc == 0)
        rc = put_exit_codes(m);
    if (rc == 0)
        rc = put_texts(m, "EXAMPLES", "Li", p->examples);
    return rc == 0 ? put_see_also(m) : rc;
}

int cli_man(const struct cli_program *program, struct buf *out, struct error *err)
{
    struct man m = { .program = program, .out = out, .err = err };
    int rc = put_head(&m);
    if (rc == 0)
        rc = buf_printf(out, err, ".Sh OPTIONS OF EVERY COMMAND\n");
    if (rc == 0)
        rc = list_begin(&m);
    if (rc == 0)
        rc = cli_option_each(program, NULL, put_option, &m);
    if (rc == 0)
        rc = list_end(&m);
    if (rc == 0)
        rc = buf_printf(out, err, ".Sh COMMANDS\n");
    for (const struct cli_verb *v = program->verbs; v->name != NULL && rc == 0; v++)
        if (!v->hidden)
            rc = put_verb(&m, v);
    return rc == 0 ? put_tail(&m) : rc;
}
