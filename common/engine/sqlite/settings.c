#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/engine/option.h"
#include "common/engine/sqlite/internal.h"

#include "common/base/banned.h"

enum { BUSY_MAX_S = 3600, BLOCK_MAX_S = 86400, BUSY_S = 10, BLOCK_S = 2 };

#define WAL_LIMIT_MAX ((uint64_t)1 << 50)
#define SPOOL_DEFAULT "/var/tmp"

static int add_pattern(struct settings *s, const char *text, struct error *err)
{
    char **slot = vec_push(&s->patterns, err);
    if (slot == NULL)
        return E_NOMEM;
    /* SQLite takes "file:..." for a URI and ":memory:" for no file at all. */
    *slot = str_printf(err, "%s%s", text[0] == '/' ? "" : "./", text);
    return *slot == NULL ? E_NOMEM : 0;
}

static int read_paths(const struct engine_job *job, struct settings *s, struct error *err)
{
    size_t n = option_count(job, "path");
    for (size_t i = 0; i < n; i++) {
        const char *text = option_at(job, "path", i);
        if (text[0] == '\0')
            break;
        int rc = add_pattern(s, text, err);
        if (rc < 0)
            return rc;
    }
    if (s->patterns.len == 0 || s->patterns.len != n)
        return error_set(err, E_USAGE, "job %s: the option `path` must name the SQLite database file",
                         job->name);
    return 0;
}

/* One file has a plain name; of several each is named by its path, so that no two are alike on any night. */
static int read_name(const struct engine_job *job, struct settings *s, struct error *err)
{
    if (settings_one_file(s)) {
        char *path = sqlite_match_unquote(engine_option(job, "path"), err);
        int rc = path == NULL ? E_NOMEM : option_stream_name(job, path, &s->name, err);
        free(path);
        return rc;
    }
    if (engine_option(job, "name") != NULL)
        return error_set(err, E_USAGE,
                         "job %s: `name` is for one file; several are named by their paths: leave it out",
                         job->name);
    return 0;
}

/* One of the words of `words` ("a b c"), or *out as it is. */
static int read_word(const struct engine_job *job, const char *key, const char *const words[], int *out,
                     struct error *err)
{
    const char *text = engine_option(job, key);
    char known[64] = "";
    if (text == NULL)
        return 0;
    for (int i = 0; words[i] != NULL; i++) {
        size_t used = strlen(known);
        (void)snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "", words[i]);
        if (strcmp(text, words[i]) == 0) {
            *out = i;
            return 0;
        }
    }
    return error_set(err, E_USAGE, "job %s: %s: \"%s\" is none of: %s", job->name, key, text, known);
}

static int read_spool(const struct engine_job *job, struct settings *s, struct error *err)
{
    const char *text = engine_option(job, "spool");
    if (text == NULL)
        text = SPOOL_DEFAULT;
    if (strcmp(text, "none") == 0)
        return 0;
    if (text[0] != '/')
        return error_set(err, E_USAGE, "job %s: spool: \"%s\" is neither a whole path nor \"none\"",
                         job->name, text);
    s->spool = str_dup(text, err);
    return s->spool == NULL ? E_NOMEM : 0;
}

static int read_words(const struct engine_job *job, struct settings *s, struct error *err)
{
    static const char *const checks[] = { "quick", "full", "none", NULL };
    static const char *const blocks[] = { "warn", "fail", NULL };
    int check = CHECK_QUICK;
    int block = 0;
    int rc = read_word(job, "check", checks, &check, err);
    if (rc == 0)
        rc = read_word(job, "on_block", blocks, &block, err);
    s->check = (enum check_kind)check;
    s->block_fails = block == 1;
    return rc;
}

int settings_read(const struct engine_job *job, struct settings *out, struct error *err)
{
    *out = (struct settings){ .patterns = VEC_OF(char *) };
    int rc = read_paths(job, out, err);
    if (rc == 0)
        rc = read_name(job, out, err);
    if (rc == 0)
        rc = read_words(job, out, err);
    if (rc == 0)
        rc = read_spool(job, out, err);
    if (rc == 0)
        rc = option_flag(job, "skip_others", false, &out->skip_others, err);
    if (rc == 0)
        rc = option_flag(job, "allow_empty", false, &out->allow_empty, err);
    if (rc == 0)
        rc = option_duration(job, "busy_timeout", BUSY_S, 0, BUSY_MAX_S, &out->busy_ms, err);
    if (rc == 0)
        rc = option_duration(job, "max_block", BLOCK_S, 0, BLOCK_MAX_S, &out->block_ms, err);
    if (rc == 0)
        rc = option_size(job, "max_wal", 0, WAL_LIMIT_MAX, &out->wal_max, err);
    if (rc < 0)
        settings_free(out);
    return rc;
}

bool settings_one_file(const struct settings *s)
{
    return s->patterns.len == 1 && !sqlite_match_is_pattern(*(char **)vec_at(&s->patterns, 0));
}

void settings_free(struct settings *s)
{
    for (size_t i = 0; i < s->patterns.len; i++)
        free(*(char **)vec_at(&s->patterns, i));
    vec_free(&s->patterns);
    free(s->name);
    free(s->spool);
    *s = (struct settings){ .name = NULL };
}
