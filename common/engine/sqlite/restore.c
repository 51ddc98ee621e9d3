#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/number.h"
#include "common/base/str.h"
#include "common/engine/sqlite/restore.h"
#include "common/engine/sqlite/swap.h"
#include "common/sys/dirs.h"

#include "common/base/banned.h"

/* ---- several, below a directory ------------------------------------------------------------------------- */

static int note_made(struct work *w, const char *path, struct error *err)
{
    char **slot = vec_push(&w->made, err);
    if (slot == NULL)
        return E_NOMEM;
    *slot = str_dup(path, err);
    return *slot == NULL ? E_NOMEM : 0;
}

/* Leaves the directory as it was found. */
static void undo(struct work *w)
{
    for (size_t i = w->made.len; i > 0; i--) {
        const char *path = *(char **)vec_at(&w->made, i - 1);
        if (unlink(path) < 0)
            (void)rmdir(path);
    }
}

static int make_dir(struct work *w, const char *path, struct error *err)
{
    if (mkdir(path, 0700) == 0)
        return note_made(w, path, err);
    return errno == EEXIST ? 0 : error_sys(err, "make the directory %s", path);
}

/* The directories above `path`, as far as they lie below the target. */
static int make_parents(struct work *w, const char *path, size_t from, struct error *err)
{
    int rc = 0;
    for (const char *at = strchr(path + from, '/'); rc == 0 && at != NULL; at = strchr(at + 1, '/')) {
        char *dir = str_dup_len(path, (size_t)(at - path), err);
        rc = dir == NULL ? E_NOMEM : make_dir(w, dir, err);
        free(dir);
    }
    return rc;
}

static int build_below(struct work *w, const struct wanted *o, const char *root, struct error *err)
{
    struct place p = { .path = NULL };
    char *path = str_printf(err, "%s/%s", root, o->name);
    int rc = path == NULL ? E_NOMEM : make_parents(w, path, strlen(root) + 1, err);
    if (rc == 0)
        rc = sqlite_place_of(path, &p, err);
    if (rc == 0)
        rc = sqlite_restore_one(w, o, &p, err);
    if (rc == 0)
        rc = note_made(w, path, err);
    sqlite_place_free(&p);
    free(path);
    return rc;
}

static bool is_empty_dir(const char *path)
{
    DIR *d = opendir(path);
    const struct dirent *e = NULL;
    bool empty = d != NULL;
    while (empty && (e = readdir(d)) != NULL)
        empty = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
    if (d != NULL)
        (void)closedir(d);
    return empty;
}

static int sync_made(struct work *w, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < w->made.len; i++) {
        struct stat st;
        const char *path = *(char **)vec_at(&w->made, i);
        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
            rc = dir_sync(path, err);
    }
    return rc;
}

static int build_all(struct work *w, const struct place *p, struct error *err)
{
    struct stat st;
    if (lstat(p->path, &st) == 0 && !is_empty_dir(p->path))
        return error_set(err, E_EXISTS,
                         "%s is not empty: the snapshot holds %zu databases, which need a directory of "
                         "their own",
                         p->path, w->wanted.len);
    int rc = make_dir(w, p->path, err);
    for (size_t i = 0; rc == 0 && i < w->wanted.len; i++)
        rc = build_below(w, vec_at(&w->wanted, i), p->path, err);
    if (rc == 0)
        rc = sync_made(w, err);
    if (rc == 0)
        rc = dir_sync(p->dir, err);
    if (rc < 0)
        undo(w);
    return rc;
}

/* ---- the way back ---------------------------------------------------------------------------------------- */

/* A database of several is named by its stream, or by the end of its name, as long as that says which. */
static bool is_meant(const char *name, const char *wanted)
{
    size_t n = strlen(name);
    size_t w = strlen(wanted);
    return strcmp(name, wanted) == 0 ||
           (n > w && name[n - w - 1] == '/' && strcmp(name + n - w, wanted) == 0);
}

static void free_wanted(struct wanted *o)
{
    free(o->name);
    free(o->facts);
}

static int select_one(struct work *w, const struct engine_selection *select, struct error *err)
{
    if (select == NULL)
        return 0;
    if (select->ntables > 0 || select->nschemas > 0)
        return error_set(
            err, E_UNSUPPORTED,
            "an SQLite database is restored as a whole file; take tables out of it with the sqlite3 shell");
    if (select->database == NULL)
        return 0;
    size_t kept = 0;
    for (size_t i = 0; i < w->wanted.len; i++) {
        struct wanted *o = vec_at(&w->wanted, i);
        if (is_meant(o->name, select->database))
            *(struct wanted *)vec_at(&w->wanted, kept++) = *o;
        else
            free_wanted(o);
    }
    w->wanted.len = kept;
    if (kept == 1)
        return 0;
    return error_set(err, kept == 0 ? E_NOT_FOUND : E_USAGE,
                     kept == 0 ? "the snapshot holds no database \"%s\"; `restore ls` names them"
                               : "\"%s\" could be several databases of the snapshot; give more of its path",
                     select->database);
}

static int take_stream(const char *name, uint64_t len, const char *facts, void *arg, struct error *err)
{
    struct work *w = arg;
    struct wanted *o = vec_push(&w->wanted, err);
    if (o == NULL)
        return E_NOMEM;
    *o = (struct wanted){ .name = str_dup(name, err), .facts = str_dup(facts, err), .len = len };
    return o->name == NULL || o->facts == NULL ? E_NOMEM : 0;
}

static int build_wanted(struct work *w, const struct place *p, struct error *err)
{
    if (w->wanted.len == 0)
        return error_set(err, E_UNSUPPORTED, "the snapshot holds no stream to restore");
    if (w->wanted.len > 1 && w->target->after_sql != NULL)
        return error_set(err, E_USAGE, "--after runs on one database: name it with --database");
    if (w->wanted.len > 1)
        return build_all(w, p, err);
    int rc = sqlite_place_refuse_existing(p, false, err);
    return rc < 0 ? rc : sqlite_restore_one(w, vec_at(&w->wanted, 0), p, err);
}

static void work_free(struct work *w)
{
    for (size_t i = 0; i < w->wanted.len; i++)
        free_wanted(vec_at(&w->wanted, i));
    for (size_t i = 0; i < w->made.len; i++)
        free(*(char **)vec_at(&w->made, i));
    vec_free(&w->wanted);
    vec_free(&w->made);
}

static int look(const struct engine_target *target, struct place *p, struct error *err)
{
    int rc = sqlite_place_of(target->to, p, err);
    if (rc == 0)
        rc = sqlite_place_refuse_source(p, target->source, err);
    return rc < 0 ? rc : sqlite_place_refuse_existing(p, true, err);
}

int sqlite_look(const struct engine_target *target, struct error *err)
{
    struct place p;
    int rc = look(target, &p, err);
    sqlite_place_free(&p);
    return rc;
}

/* For a drill. */
static int compare(const struct work *w, const struct place *p, struct error *err)
{
    bool several = w->wanted.len > 1;
    int rc = w->target->loaded != NULL ? w->target->loaded(w->target->drill_arg, err) : 0;
    for (size_t i = 0; rc == 0 && w->target->check != NULL && i < w->wanted.len; i++) {
        const struct wanted *o = vec_at(&w->wanted, i);
        char *path = several ? str_printf(err, "%s/%s", p->path, o->name) : str_dup(p->path, err);
        rc = path != NULL ? sqlite_compare(w, o, path, err) : E_NOMEM;
        free(path);
    }
    return rc;
}

int sqlite_restore(const struct engine_streams *streams, const struct engine_target *target,
                   struct error *err)
{
    struct work w = {
        .streams = streams, .target = target, .wanted = VEC_OF(struct wanted), .made = VEC_OF(char *)
    };
    struct place p;
    int rc = look(target, &p, err);
    if (rc == 0)
        rc = streams->each(streams->arg, take_stream, &w, err);
    if (rc == 0)
        rc = select_one(&w, target->select, err);
    if (rc == 0)
        rc = build_wanted(&w, &p, err);
    if (rc == 0)
        rc = compare(&w, &p, err);
    if (rc == 0 && target->checked != NULL && w.unchecked == 0)
        rc = buf_printf(target->checked, err, "quick_check ok");
    work_free(&w);
    sqlite_place_free(&p);
    return rc;
}

/* ---- what it would do ------------------------------------------------------------------------------------ */

static void tell_files(const struct work *w, const char *to, engine_plan_fn *fn, void *arg)
{
    char text[2048];
    char size[NUMBER_TEXT_MAX];
    for (size_t i = 0; i < w->wanted.len; i++) {
        const struct wanted *o = vec_at(&w->wanted, i);
        bool several = w->wanted.len > 1;
        (void)snprintf(text, sizeof text, "file %s%s%s: %s", to, several ? "/" : "", several ? o->name : "",
                       size_format(size, o->len));
        fn(PLAN_CREATE, text, NULL, arg);
    }
    fn(PLAN_NOTE, "it gets its name only after SQLite's quick_check passed", NULL, arg);
}

static void tell_stale(const struct place *p, engine_plan_fn *fn, void *arg)
{
    static const char *const suffixes[] = { "-wal", "-journal" };
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        char *path = str_printf(NULL, "%s%s", p->path, suffixes[i]);
        struct stat st;
        char text[2048];
        if (path != NULL && lstat(path, &st) == 0 && st.st_size != 0) {
            (void)snprintf(text, sizeof text, "%s belongs to another database: it is moved aside", path);
            fn(PLAN_DROP, text, NULL, arg);
        }
        free(path);
    }
}

int sqlite_plan(const struct engine_streams *streams, const struct engine_target *target, engine_plan_fn *fn,
                void *arg, struct error *err)
{
    struct work w = {
        .streams = streams, .target = target, .wanted = VEC_OF(struct wanted), .made = VEC_OF(char *)
    };
    struct error why = ERROR_INIT;
    struct place p = { .path = NULL };
    int rc = streams->each(streams->arg, take_stream, &w, err);
    if (rc == 0)
        rc = select_one(&w, target->select, err);
    if (rc == 0 && !target->beside && look(target, &p, &why) < 0)
        fn(PLAN_MISSING, why.text, NULL, arg);
    if (rc == 0 && target->beside && sqlite_look_any(target, &why) < 0)
        fn(PLAN_MISSING, why.text, NULL, arg);
    if (rc == 0 && target->beside)
        fn(PLAN_CREATE, "a new file next to the live one, which stays as it is", NULL, arg);
    if (rc == 0)
        tell_files(&w, target->to, fn, arg);
    if (rc == 0 && p.path != NULL && w.wanted.len == 1)
        tell_stale(&p, fn, arg);
    if (rc == 0 && target->after_sql != NULL)
        fn(PLAN_NOTE, "the script of --after runs before it gets its name, in one transaction", NULL, arg);
    work_free(&w);
    sqlite_place_free(&p);
    return rc;
}
