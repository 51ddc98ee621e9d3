/* Not glob(3): it leaves out what a directory without rights hides, and a backup must not. */
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/engine/sqlite/internal.h"
#include "common/sys/interrupt.h"

#include "common/base/banned.h"

enum { DEPTH_MAX = 100 };

static bool is_quote(const char *at)
{
    return at[0] == '\\' && at[1] != '\0' && strchr("*?[\\", at[1]) != NULL;
}

static bool has_magic(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (is_quote(text + i))
            i++;
        else if (strchr("*?[", text[i]) != NULL)
            return true;
    }
    return false;
}

bool sqlite_match_is_pattern(const char *path)
{
    return has_magic(path, strlen(path));
}

static char *unquote(const char *text, size_t len, struct error *err)
{
    char *out = str_dup_len(text, len, err);
    size_t n = 0;
    for (size_t i = 0; out != NULL && i < len; i++) {
        i += is_quote(text + i) && i + 1 < len;
        out[n++] = text[i];
    }
    if (out != NULL)
        out[n] = '\0';
    return out;
}

char *sqlite_match_unquote(const char *path, struct error *err)
{
    return unquote(path, strlen(path), err);
}

static bool is_nothing(int sys)
{
    return sys == ENOENT || sys == ENOTDIR;
}

static int hidden_error(const char *path, struct error *err)
{
    (void)error_sys(err, "%s", path);
    return error_wrap(err,
                      "which databases there are cannot be told without it (give this user rights on it, or "
                      "name the files one by one)");
}

static int keep(const char *path, struct vec *out, struct error *err)
{
    if (out->len >= FILES_MAX)
        return error_set(err, E_USAGE, "%s: more than %d files match; make several jobs", path, FILES_MAX);
    char **slot = vec_push(out, err);
    if (slot == NULL)
        return E_NOMEM;
    *slot = str_dup(path, err);
    return *slot == NULL ? E_NOMEM : 0;
}

static int descend(const char *base, const char *rest, int depth, struct vec *out, struct error *err);

/* A name that is not to be matched must only be there. */
static int take_literal(const char *path, const char *rest, int depth, struct vec *out, struct error *err)
{
    struct stat st;
    if (rest != NULL)
        return descend(path, rest, depth, out, err);
    if (lstat(path, &st) == 0)
        return keep(path, out, err);
    return is_nothing(errno) ? 0 : hidden_error(path, err);
}

/* Patterns end in files and go through directories; links are followed, but not by "**", which could go in circles. */
static int take_match(const char *path, bool deep, const char *rest, int depth, struct vec *out,
                      struct error *err)
{
    struct stat st;
    bool there = (deep ? lstat(path, &st) : stat(path, &st)) == 0;
    if (!there && !is_nothing(errno) && errno != ELOOP)
        return hidden_error(path, err);
    bool dir = there && S_ISDIR(st.st_mode);
    if (rest != NULL || deep)
        return dir ? descend(path, rest, depth, out, err) : 0;
    return dir ? 0 : keep(path, out, err);
}

/* Every entry of a directory that `component` matches; for "**" every subdirectory, with the same pattern again. */
static int take_entries(const char *base, const char *component, const char *rest, const char *again,
                        int depth, struct vec *out, struct error *err)
{
    DIR *d = opendir(base[0] == '\0' ? "/" : base);
    if (d == NULL)
        return is_nothing(errno) ? 0 : hidden_error(base, err);
    int rc = 0;
    while (rc == 0 && (rc = interrupt_check(err)) == 0) {
        errno = 0;
        const struct dirent *e = readdir(d);
        if (e == NULL) {
            rc = errno != 0 ? hidden_error(base, err) : 0;
            break;
        }
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
            fnmatch(again != NULL ? "*" : component, e->d_name, FNM_PERIOD) != 0)
            continue;
        char *path = str_printf(err, "%s/%s", base, e->d_name);
        rc = path == NULL ? E_NOMEM
                          : take_match(path, again != NULL, again != NULL ? again : rest, depth, out, err);
        free(path);
    }
    (void)closedir(d);
    return rc;
}

/* "base/rest", of which base is done. */
static int descend(const char *base, const char *rest, int depth, struct vec *out, struct error *err)
{
    rest += strspn(rest, "/");
    size_t len = strcspn(rest, "/");
    const char *more = rest[len] == '/' ? rest + len + 1 : NULL;
    if (depth > DEPTH_MAX)
        return error_set(err, E_USAGE, "%s: more than %d directories deep", base, DEPTH_MAX);
    if (len == 2 && strncmp(rest, "**", len) == 0) {
        int rc = more != NULL ? descend(base, more, depth + 1, out, err)
                              : take_entries(base, "*", NULL, NULL, depth, out, err);
        return rc < 0 ? rc : take_entries(base, "*", NULL, rest, depth + 1, out, err);
    }
    char *component = NULL;
    char *path = NULL;
    int rc = E_NOMEM;
    if (has_magic(rest, len)) {
        component = str_dup_len(rest, len, err);
        rc = component == NULL ? E_NOMEM : take_entries(base, component, more, NULL, depth + 1, out, err);
    } else if ((component = unquote(rest, len, err)) != NULL &&
               (path = str_printf(err, "%s/%s", base, component)) != NULL) {
        rc = take_literal(path, more, depth + 1, out, err);
    }
    free(component);
    free(path);
    return rc;
}

int sqlite_match_files(const char *pattern, struct vec *out, struct error *err)
{
    const char *deep = strstr(pattern, "**");
    if (deep != NULL && strstr(deep + 1, "**") != NULL)
        return error_set(err, E_USAGE, "%s: a pattern has `**` once at most", pattern);
    if (pattern[0] == '/')
        return descend("", pattern, 0, out, err);
    return descend(".", str_starts(pattern, "./") ? pattern + 2 : pattern, 0, out, err);
}
