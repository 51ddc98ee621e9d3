#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/str.h"
#include "common/engine/sqlite/internal.h"

#include "common/base/banned.h"

enum { UTF8_MAX = 4 };

/* The bytes of one character, or 0. */
static size_t character(const char *s)
{
    for (size_t n = 1; n <= UTF8_MAX && s[n - 1] != '\0'; n++)
        if (utf8_valid(s, n))
            return n;
    return 0;
}

/* The path without what means nothing in it: "/srv//a/./b.db" is "srv/a/b.db". '%' and bytes that are no UTF-8
 * become %XX, so that two paths never have one name. */
static char *name_of(const char *path, const char *job, struct error *err)
{
    struct buf out = BUF_INIT;
    int rc = 0;
    for (const char *at = path; rc == 0 && *at != '\0';) {
        size_t len = strcspn(at, "/");
        const char *end = at + len;
        if (len == 2 && strncmp(at, "..", len) == 0)
            rc = error_set(err, E_USAGE, "job %s: \"%s\": write `path` without \"..\"", job, path);
        bool counts = len > 0 && !(len == 1 && at[0] == '.');
        if (rc == 0 && counts && out.len > 0)
            rc = buf_append(&out, "/", 1, err);
        for (; rc == 0 && counts && at < end;) {
            size_t n = *at == '%' ? 0 : character(at);
            rc = n > 0 ? buf_append(&out, at, n, err)
                       : buf_printf(&out, err, "%%%02X", (unsigned)(unsigned char)*at);
            at += n > 0 ? n : 1;
        }
        at = end + (*end == '/');
    }
    if (rc == 0)
        rc = buf_append(&out, "", 1, err);
    if (rc == 0)
        return (char *)out.data;
    buf_free(&out);
    return NULL;
}

/* SQLite's own files beside a database are part of it and not to be copied. */
static bool is_companion(const char *path)
{
    static const char *const suffixes[] = { "-wal", "-shm", "-journal" };
    struct stat st;
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        size_t cut = strlen(path) - strlen(suffixes[i]);
        if (!str_ends(path, suffixes[i]))
            continue;
        char *main = str_dup_len(path, cut, NULL);
        bool there = main != NULL && lstat(main, &st) == 0 && S_ISREG(st.st_mode);
        free(main);
        return there;
    }
    return false;
}

static int add(const char *path, const struct settings *s, const char *job, bool by_hand, struct vec *out,
               struct error *err)
{
    struct listed *item = vec_push(out, err);
    if (item == NULL)
        return E_NOMEM;
    struct error why = ERROR_INIT;
    *item = (struct listed){ .path = str_dup(path, &why), .by_hand = by_hand };
    item->name = s->name != NULL ? str_dup(s->name, &why) : name_of(path, job, &why);
    return item->path != NULL && item->name != NULL ? 0 : error_copy(err, &why);
}

static int add_matches(const char *pattern, const struct settings *s, const char *job, struct vec *out,
                       struct error *err)
{
    struct vec found = VEC_OF(char *);
    int rc = sqlite_match_files(pattern, &found, err);
    size_t n = 0;
    for (size_t i = 0; rc == 0 && i < found.len; i++) {
        const char *path = *(char **)vec_at(&found, i);
        if (is_companion(path)) {
            log_event(LOG_DEBUG, "%s belongs to the database beside it", path);
            continue;
        }
        n++;
        rc = add(path, s, job, false, out, err);
    }
    if (rc == 0 && n == 0 && !s->allow_empty)
        rc = error_set(err, E_NOT_FOUND,
                       "%s: no file matches; correct the job's `path`, or accept it with `allow_empty: yes`",
                       pattern);
    for (size_t i = 0; i < found.len; i++)
        free(*(char **)vec_at(&found, i));
    vec_free(&found);
    return rc;
}

static void free_item(struct listed *item)
{
    free(item->path);
    free(item->name);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct listed *)a)->name, ((const struct listed *)b)->name);
}

static void drop_doubles(struct vec *list)
{
    size_t kept = 0;
    vec_sort(list, by_name);
    for (size_t i = 0; i < list->len; i++) {
        struct listed *item = vec_at(list, i);
        struct listed *last = kept > 0 ? vec_at(list, kept - 1) : NULL;
        if (last != NULL && strcmp(last->name, item->name) == 0) {
            last->by_hand |= item->by_hand;
            free_item(item);
            continue;
        }
        *(struct listed *)vec_at(list, kept++) = *item;
    }
    list->len = kept;
}

int sqlite_list_files(const struct settings *s, const char *job, struct vec *out, struct error *err)
{
    int rc = 0;
    *out = (struct vec)VEC_OF(struct listed);
    for (size_t i = 0; rc == 0 && i < s->patterns.len; i++) {
        const char *text = *(char **)vec_at(&s->patterns, i);
        if (sqlite_match_is_pattern(text)) {
            rc = add_matches(text, s, job, out, err);
            continue;
        }
        char *path = sqlite_match_unquote(text, err);
        rc = path == NULL ? E_NOMEM : add(path, s, job, true, out, err);
        free(path);
    }
    if (rc == 0)
        drop_doubles(out);
    else
        sqlite_list_free(out);
    return rc;
}

void sqlite_list_free(struct vec *list)
{
    for (size_t i = 0; i < list->len; i++)
        free_item(vec_at(list, i));
    vec_free(list);
}
