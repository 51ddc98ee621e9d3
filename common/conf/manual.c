#include <string.h>

#include "common/conf/setting.h"

#include "common/base/banned.h"

struct page {
    struct buf *out;
    struct error *err;
    enum conf_section section;
    bool open; /* a list is */
};

/* Text of a page: a leading dot or quote would be a request, a backslash an escape. In mdoc a sentence starts
 * on a new line. */
static int put_text(struct page *page, const char *text)
{
    enum { LINE_SOFT = 60 };
    int rc = *text == '.' || *text == '\'' ? buf_append(page->out, "\\&", 2, page->err) : 0;
    size_t line = 0;
    for (; *text != '\0' && rc == 0; text++, line++) {
        bool sentence = text[0] == ' ' && line > 0 && text[-1] == '.';
        if (*text == '\\')
            rc = buf_append(page->out, "\\e", 2, page->err);
        else if (sentence || (text[0] == ' ' && line > LINE_SOFT))
            rc = buf_append(page->out, "\n", 1, page->err);
        else
            rc = buf_append(page->out, text, 1, page->err);
        if (sentence || (text[0] == ' ' && line > LINE_SOFT))
            line = 0;
    }
    return rc == 0 ? buf_append(page->out, "\n", 1, page->err) : rc;
}

static int open_section(struct page *page, enum conf_section section)
{
    static const char *const titles[] = {
        [CONF_AT_TOP] = "The file",          [CONF_AT_REPOSITORY] = "A repository",
        [CONF_AT_STORAGE] = "Its storage",   [CONF_AT_JOB] = "A job",
        [CONF_AT_TASK] = "A task",           [CONF_AT_DAEMON] = "The daemon",
        [CONF_AT_KEEP] = "What stays",       [CONF_AT_NOTIFY] = "A channel of notices",
        [CONF_AT_WEB] = "The status page",   [CONF_AT_ANOMALIES] = "What is unusual",
        [CONF_AT_DRILLS] = "Restore drills", [CONF_AT_DRILL] = "A drill",
    };
    const char *path = conf_section_path(section);
    int rc = page->open ? buf_printf(page->out, page->err, ".El\n") : 0;
    if (rc == 0)
        rc = buf_printf(page->out, page->err, ".Ss %s\n", titles[section]);
    if (rc == 0 && path[0] != '\0')
        rc = buf_printf(page->out, page->err, "Settings below\n.Ic %s :\n", path);
    if (rc == 0)
        rc = buf_printf(page->out, page->err, ".Bl -tag -width Ds\n");
    page->open = true;
    page->section = section;
    return rc;
}

/* Which types of storage or channel the setting is for. */
static int put_types(struct page *page, const struct conf_setting *s)
{
    static const struct {
        unsigned flag;
        const char *type;
    } types[] = { { CONF_ONLY_SFTP, "sftp" },
                  { CONF_ONLY_WEBHOOK, "webhook" },
                  { CONF_ONLY_PING, "ping" },
                  { CONF_ONLY_MAIL, "mail" },
                  { CONF_ONLY_PROGRAM, "command" } };
    bool required = (s->flags & CONF_REQUIRED) != 0;
    size_t n = 0;
    int rc = 0;
    for (size_t i = 0; i < sizeof types / sizeof types[0] && rc == 0; i++)
        if ((s->flags & types[i].flag) != 0)
            rc = buf_printf(page->out, page->err, "%s %s",
                            n++ > 0    ? " or"
                            : required ? "Required with type"
                                       : "Only with type",
                            types[i].type);
    if (rc == 0 && n == 0 && required)
        rc = buf_printf(page->out, page->err, "Required");
    return rc == 0 && (n > 0 || required) ? buf_printf(page->out, page->err, ".\n") : rc;
}

static int put_setting(const struct conf_setting *s, void *arg)
{
    struct page *page = arg;
    int rc = !page->open || page->section != s->section ? open_section(page, s->section) : 0;
    if (rc == 0)
        rc = buf_printf(page->out, page->err, ".It Ic %s : Ar ", s->name);
    if (rc == 0)
        rc = conf_type_format(s, page->out, page->err);
    if (rc == 0)
        rc = buf_append(page->out, "\n", 1, page->err);
    if (rc == 0)
        rc = put_text(page, s->help);
    if (rc == 0)
        rc = put_types(page, s);
    if (rc == 0 && s->fallback != NULL && s->fallback[0] == '(') /* in words */
        rc = buf_printf(page->out, page->err, "Default: %.*s.\n", (int)strlen(s->fallback) - 2,
                        s->fallback + 1);
    else if (rc == 0 && s->fallback != NULL)
        rc = buf_printf(page->out, page->err, "Default: %s.\n", s->fallback);
    if (rc == 0 && (s->flags & CONF_RELOADABLE) == 0)
        rc = buf_printf(page->out, page->err, "A change takes effect when the program is started again.\n");
    return rc;
}

static const char head[] =
    ".Dt BACKUPD.YAML 5\n.Os\n.Sh NAME\n.Nm backupd.yaml\n"
    ".Nd configuration of backupd and restore\n"
    ".Sh DESCRIPTION\n"
    "The file is YAML, at most 1 MiB of UTF-8.\n"
    "Files\n.Pa conf.d/*.yaml\nbeside it are merged into it in the order of their names;\n"
    "a name that is given twice is an error.\n"
    "A relative file name is relative to the directory of the main file.\n"
    "A value is read as its setting asks for, however it looks.\n"
    "Anchors, aliases, tags, merge keys and several documents are refused.\n"
    "Every mistake is reported in one run, with file, line and column.\n"
    ".Pp\n"
    "Sizes are like 512K, 16MiB or 2GiB, durations like 90s, 15m, 6h, 7d, 4w or 1y (of 365 days).\n"
    "A secret is never written in the file, only where it is:\n"
    ".Bl -tag -width Ds\n"
    ".It Li \"{ file: PATH }\"\nThe first line of a file that only its owner may read.\n"
    ".It Li \"{ credential: NAME }\"\nThe file\n.Ar NAME\nin\n.Ev CREDENTIALS_DIRECTORY ,\n"
    "where systemd puts credentials.\n"
    ".It Li \"{ command: [PROGRAM, ARG, ...] }\"\nWhat a program prints; it is run without a shell.\n"
    ".El\n"
    ".Sh SETTINGS\n";

static const char tail[] =
    ".El\n.Pp\n"
    "Every other setting of a job is an option of its engine,\na single value or a list of values.\n"
    ".Sh FILES\n.Bl -tag -width Ds\n"
    ".It Pa /etc/backupd/backupd.yaml\nThe configuration.\n"
    ".It Pa /etc/backupd/conf.d/*.yaml\nMore of it.\n.El\n"
    ".Sh EXAMPLES\n.Bd -literal -offset indent\n"
    "repositories:\n  shop:\n    storage:\n      type: sftp\n      host: backup.example.net\n"
    "      user: shop\n      path: shop\n      key: id_ed25519\n      host_key: \"ssh-ed25519 AAAA...\"\n"
    "jobs:\n  shop-db:\n    engine: sqlite\n    path: /var/lib/shop/shop.db\n"
    ".Ed\n";

int conf_man(const char *date, struct buf *out, struct error *err)
{
    struct page page = { .out = out, .err = err };
    int rc = buf_printf(out, err, ".Dd %s\n", date);
    if (rc == 0)
        rc = buf_append(out, head, sizeof head - 1, err);
    if (rc == 0)
        rc = conf_describe(put_setting, &page);
    if (rc == 0)
        rc = buf_append(out, tail, sizeof tail - 1, err);
    return rc;
}
