#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/engine/mariabackup/internal.h"
#include "common/engine/redact.h"
#include "common/sys/child.h"

#include "common/base/banned.h"

enum { VERSION_MS = 30000 };

static const char completed[] = "completed OK!";

const char *mb_series(const char *version, char out[MB_SERIES_MAX])
{
    static const char digits[] = "0123456789";
    size_t major = strspn(version, digits);
    size_t minor = version[major] == '.' ? strspn(version + major + 1, digits) : 0;
    out[0] = '\0';
    if (major > 0 && minor > 0 && strstr(version, "MariaDB") != NULL)
        (void)snprintf(out, MB_SERIES_MAX, "%.*s", (int)(major + 1 + minor), version);
    return out;
}

char *mb_tool_find(const char *bin_dir, const char *const *names, struct error *err)
{
    struct error why = ERROR_INIT;
    for (; *names != NULL; names++) {
        error_clear(&why);
        char *name = bin_dir != NULL ? str_printf(err, "%s/%s", bin_dir, *names) : str_dup(*names, err);
        char *path = name != NULL ? child_find(name, &why) : NULL;
        free(name);
        if (path != NULL || why.code != E_NOT_FOUND) {
            if (path == NULL)
                (void)error_copy(err, &why);
            return path;
        }
    }
    (void)error_copy(err, &why);
    return NULL;
}

/* "mariabackup based on MariaDB server 10.11.19-MariaDB debian-linux-gnu (x86_64)", on stderr. */
static int ask_version(struct mb_tool *t, struct error *err)
{
    static const char mark[] = "based on MariaDB server ";
    const char *const argv[] = { t->path, "--version", NULL };
    struct child_options opt = { .timeout_ms = VERSION_MS };
    struct child *c = child_start(argv, &opt, err);
    if (c == NULL)
        return err->code;
    int rc = child_finish(c, err);
    const char *at = rc == 0 ? strstr(child_stderr(c, NULL), mark) : NULL;
    if (at != NULL)
        (void)snprintf(t->version, sizeof t->version, "%.*s", (int)strcspn(at + sizeof mark - 1, " \n"),
                       at + sizeof mark - 1);
    else if (rc == 0)
        rc =
            error_set(err, E_UNSUPPORTED, "%s does not say which version of MariaDB it is made for", t->path);
    child_free(c);
    return rc;
}

int mb_tool_mariabackup(const char *bin_dir, const char *series, struct mb_tool *out, struct error *err)
{
    static const char *const names[] = { "mariabackup", "mariadb-backup", NULL };
    struct error why = ERROR_INIT;
    char own[MB_SERIES_MAX];
    *out = (struct mb_tool){ .path = mb_tool_find(bin_dir, names, &why) };
    if (out->path == NULL && why.code == E_NOT_FOUND)
        return error_set(
            err, E_NOT_FOUND,
            "mariabackup is not in %s: apt-get install mariadb-backup, or say where it is with `bin_dir`",
            bin_dir != NULL ? bin_dir : "PATH");
    int rc = out->path != NULL ? ask_version(out, &why) : why.code;
    if (rc == 0 && series != NULL && strcmp(mb_series(out->version, own), series) != 0)
        rc = error_set(
            &why, E_UNSUPPORTED,
            "%s is of version %s, the server of %s, and they must be of one series: install the package "
            "mariadb-backup of release %s, or say with `bin_dir` where it is",
            out->path, out->version, series, series);
    if (rc < 0) {
        free(out->path);
        out->path = NULL;
        return error_copy(err, &why);
    }
    return 0;
}

int mb_tool_verdict(const struct child *c, int rc, const char *what, struct error *err)
{
    char said[CHILD_LAST_LINE_MAX];
    char clean[CHILD_LAST_LINE_MAX];
    if (rc < 0)
        return rc;
    if (str_ends(child_last_line(c, said), completed))
        return 0;
    return error_set(err, E_IO, "%s ended with status 0, but not with \"%s\": its last words are \"%s\"",
                     what, completed, redact_text(clean, sizeof clean, said));
}
