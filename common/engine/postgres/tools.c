#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/engine/postgres/internal.h"

#include "common/base/banned.h"

#define DEBIAN_DIR "/usr/lib/postgresql"
enum { VERSION_LIMIT = 4096, VERSION_MS = 30000, OWN_ARGS = 5, LINES_MAX = 20, REASON_MAX = 700 };

unsigned pgsql_tool_choose(const unsigned *majors, size_t n, unsigned wanted)
{
    unsigned best = 0;
    for (size_t i = 0; i < n; i++)
        if (majors[i] >= wanted && (best == 0 || majors[i] < best))
            best = majors[i];
    return best;
}

/* "pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)" */
unsigned pgsql_tool_version(const char *printed, char version[PGSQL_VERSION_MAX])
{
    static const char mark[] = " (PostgreSQL) ";
    const char *at = strstr(printed, mark);
    uint64_t major = 0;
    char digits[8];
    if (at == NULL)
        return 0;
    at += sizeof mark - 1;
    (void)snprintf(digits, sizeof digits, "%.*s", (int)strspn(at, "0123456789"), at);
    (void)snprintf(version, PGSQL_VERSION_MAX, "%.*s", (int)strcspn(at, "\n"), at);
    return number_parse(digits, 1, PGSQL_MAJOR_MAX, &major, NULL) == 0 ? (unsigned)major : 0;
}

void pgsql_tool_free(struct pgsql_tool *t)
{
    free(t->path);
    *t = (struct pgsql_tool){ .path = NULL };
}

/* Takes the path. */
static int ask_version(char *path, struct pgsql_tool *out, struct error *err)
{
    const char *const argv[] = { path, "--version", NULL };
    struct child_options opt = { .timeout_ms = VERSION_MS };
    struct buf said = BUF_INIT;
    out->path = path;
    int rc = path != NULL ? child_run(argv, &opt, &said, VERSION_LIMIT, err) : E_NOMEM;
    if (rc == 0)
        rc = buf_append(&said, "", 1, err);
    if (rc == 0) {
        out->major = pgsql_tool_version((const char *)said.data, out->version);
        if (out->major == 0)
            rc = error_set(err, E_UNSUPPORTED, "%s does not say which version of PostgreSQL it is", path);
    }
    buf_free(&said);
    if (rc < 0)
        pgsql_tool_free(out);
    return rc;
}

static int missing(const char *name, unsigned major, const char *where, struct error *err)
{
    return error_set(err, E_NOT_FOUND,
                     "%s %u or newer is not in %s: apt-get install postgresql-client-%u, or say where it is "
                     "with `bin_dir`",
                     name, major, where, major);
}

static char *debian_path(const char *name, unsigned major, struct error *err)
{
    return str_printf(err, DEBIAN_DIR "/%u/bin/%s", major, name);
}

static unsigned installed(const char *name, unsigned wanted)
{
    unsigned majors[PGSQL_MAJOR_MAX + 1];
    size_t n = 0;
    for (unsigned i = wanted; i <= PGSQL_MAJOR_MAX; i++) {
        char *path = debian_path(name, i, NULL);
        if (path != NULL && access(path, X_OK) == 0)
            majors[n++] = i;
        free(path);
    }
    return pgsql_tool_choose(majors, n, wanted);
}

int pgsql_tool_find(const char *name, unsigned major, const char *bin_dir, struct pgsql_tool *out,
                    struct error *err)
{
    struct error why = ERROR_INIT;
    unsigned found = 0;
    int rc;
    *out = (struct pgsql_tool){ .path = NULL };
    if (bin_dir != NULL) {
        rc = ask_version(str_printf(err, "%s/%s", bin_dir, name), out, &why);
    } else {
        found = installed(name, major);
        rc = ask_version(found != 0 ? debian_path(name, found, err) : str_dup(name, err), out, &why);
    }
    if (rc == E_NOT_FOUND)
        return missing(name, major, bin_dir != NULL ? bin_dir : DEBIAN_DIR "/*/bin or PATH", err);
    if (rc < 0)
        return error_copy(err, &why);
    if (out->major < major) {
        rc = error_set(err, E_UNSUPPORTED,
                       "%s is of version %s, the server of version %u: apt-get install "
                       "postgresql-client-%u, or say with `bin_dir` where a newer one is",
                       out->path, out->version, major, major);
        pgsql_tool_free(out);
        return rc;
    }
    return 0;
}

struct child *pgsql_tool_start(const struct pgsql_tool *t, const struct pgsql *c, const char *database_option,
                               const char *const *more, bool to_stdin, struct error *err)
{
    return pgsql_tool_start_with(t, c, database_option, more, to_stdin, NULL, err);
}

struct child *pgsql_tool_start_with(const struct pgsql_tool *t, const struct pgsql *c,
                                    const char *database_option, const char *const *more, bool to_stdin,
                                    const int *keep, struct error *err)
{
    char *conninfo = NULL;
    char *passfile = NULL;
    struct child *child = NULL;
    size_t n = 0;
    while (more[n] != NULL)
        n++;
    const char **argv = mem_alloc(n + OWN_ARGS, sizeof *argv, err);
    if (argv == NULL)
        return NULL;
    argv[0] = t->path;
    n = 1;
    if (pgsql_for_children(c, &conninfo, &passfile, err) < 0) {
        free(argv);
        return NULL;
    }
    char *variable = passfile != NULL ? str_printf(err, "PGPASSFILE=%s", passfile) : NULL;
    /* Messages are read by a program, too: pgsql_tool_reason. */
    /* pg_dumpall, other than pg_dump, would obey the role's own limits. */
    const char *limits =
        to_stdin ? variable : "PGOPTIONS=-c statement_timeout=0 -c idle_in_transaction_session_timeout=0";
    const char *const env[] = { "PGCONNECT_TIMEOUT=30", "LC_MESSAGES=C", limits, to_stdin ? NULL : variable,
                                NULL };
    struct child_options opt = {
        .env = env, .want_stdin = to_stdin, .want_stdout = !to_stdin && keep == NULL, .keep = keep
    };
    if (passfile != NULL && variable == NULL)
        goto out;
    for (size_t i = 0; more[i] != NULL; i++)
        argv[n++] = more[i];
    argv[n++] = "--no-password";
    argv[n++] = database_option;
    argv[n++] = conninfo;
    argv[n] = NULL;
    child = child_start(argv, &opt, err);
out:
    free(argv);
    free(variable);
    free(conninfo);
    free(passfile);
    return child;
}

/* ---- how it ended ----------------------------------------------------------------------------------------- */

/* The part of a line that says something, or NULL: "pg_restore: error: TEXT", "DETAIL:  TEXT", "HINT:  TEXT". */
static const char *telling(const char *line, bool begun)
{
    static const char error[] = ": error: ";
    const char *at = NULL;
    static const char detail[] = ": detail: Error message from server: "; /* not its "Query was" */
    if (begun && (at = strstr(line, detail)) != NULL)
        return at + sizeof detail - 1;
    if (begun)
        return str_starts(line, "DETAIL:") || str_starts(line, "HINT:") ? line : NULL;
    at = strstr(line, error);
    return at != NULL ? at + sizeof error - 1 : NULL;
}

/* A statement may follow its error, in many lines: the last one is no reason. */
const char *pgsql_tool_reason(const char *said, char *out, size_t cap)
{
    char line[REASON_MAX];
    char shown[REASON_MAX];
    size_t used = 0;
    out[0] = '\0';
    for (const char *at = said; *at != '\0';) {
        size_t len = strcspn(at, "\n");
        (void)snprintf(line, sizeof line, "%.*s", (int)(len < sizeof line ? len : sizeof line - 1), at);
        const char *part = telling(line, used != 0);
        at += len + (at[len] == '\n');
        if (part == NULL || used + 3 >= cap)
            continue;
        (void)snprintf(out + used, cap - used, "%s%s", used != 0 ? "; " : "",
                       str_printable(shown, sizeof shown, part));
        used = strlen(out);
    }
    return out;
}

static void warn(const struct child *c, const char *name)
{
    const char *at = child_stderr(c, NULL);
    for (int i = 0; *at != '\0' && i < LINES_MAX; i++) {
        char line[512];
        char shown[512];
        size_t len = strcspn(at, "\n");
        (void)snprintf(line, sizeof line, "%.*s", (int)(len < sizeof line ? len : sizeof line - 1), at);
        if (line[0] != '\0')
            log_event(LOG_WARN, "%s said: %s", name, str_printable(shown, sizeof shown, line));
        at += len + (at[len] == '\n');
    }
}

/* What these tools say of a connection or a lock that was lost: passing, like the same of our own sessions. */
static bool is_passing(const char *reason)
{
    static const char *const texts[] = { "server closed the connection unexpectedly",
                                         "terminating connection due to",
                                         "connection to server",
                                         "no connection to the server",
                                         "could not receive data from server",
                                         "could not send data to server",
                                         "due to lock timeout",
                                         "due to conflict with recovery" };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strstr(reason, texts[i]) != NULL)
            return true;
    return false;
}

int pgsql_tool_finish(struct child *c, const char *name, struct error *err)
{
    struct error why = ERROR_INIT;
    char reason[REASON_MAX];
    int rc = child_finish(c, &why);
    if (rc == 0)
        warn(c, name);
    else if (rc == E_IO && *pgsql_tool_reason(child_stderr(c, NULL), reason, sizeof reason) != '\0')
        return error_set(err, is_passing(child_stderr(c, NULL)) ? E_RETRY : rc,
                         "%s failed with status %d: %s", name, child_status(c), reason);
    return rc < 0 ? error_copy(err, &why) : 0;
}
