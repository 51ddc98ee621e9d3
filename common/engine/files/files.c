#include "common/engine/files/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/archive/walk.h"
#include "common/base/alloc.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/engine/files/internal.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

enum { NOTES = WALK_METADATA + 1, NAMED_MAX = 100, PATH_SHOWN = 700 };

struct engine_run {
    struct files_settings set;
    struct walk *walk;
    struct walk_item item;
    struct content content;
    uint64_t notes[NOTES];                  /* by enum walk_note */
    uint64_t members[CATALOG_HARDLINK + 1]; /* by enum catalog_type */
    uint64_t changed;
    uint64_t broken;
    uint64_t wals;
    uint64_t live; /* directories of databases in use */
    bool reading;  /* a file that was not read to its end */
    bool done;
};

/* ---- what is told -------------------------------------------------------------------------------------- */

/* Each is named, up to a limit: a tree of a million unreadable files does not fill the disk with log. */
static void tell(enum log_level level, uint64_t count, const char *what, const char *path, const char *why)
{
    char shown[PATH_SHOWN];
    if (count > NAMED_MAX)
        return;
    log_event(level, "%s: \"%s\": %s%s", what, str_printable(shown, sizeof shown, path), why,
              count == NAMED_MAX ? " (and from here on they are only counted)" : "");
}

static void on_note(void *arg, enum walk_note what, const char *path, const char *why)
{
    static const struct {
        enum log_level level;
        const char *text;
    } says[NOTES] = {
        [WALK_EXCLUDED] = { LOG_DEBUG, "left out" },
        [WALK_SPECIAL] = { LOG_WARN, "not stored" },
        [WALK_MOUNT] = { LOG_INFO, "not entered" },
        [WALK_UNREAD] = { LOG_WARN, "missing in this snapshot" },
        [WALK_DIR_CHANGED] = { LOG_WARN, "directory changed" },
        [WALK_METADATA] = { LOG_WARN, "stored without some metadata" },
    };
    struct engine_run *run = arg;
    run->notes[what]++;
    tell(says[what].level, run->notes[what], says[what].text, path, why);
}

static bool on_name(void *arg, const char *path, bool is_dir)
{
    const struct engine_run *run = arg;
    return files_settings_exclude(&run->set, path, is_dir);
}

/* The tree itself is the operator's choice, and a mistake. What lies in it anybody may have put there, so it must not
 * keep the rest from being stored; it is missing, by name. */
static int on_dir(void *arg, int dir, const char *path, struct error *err)
{
    struct engine_run *run = arg;
    char what[LIVE_TEXT_MAX];
    char text[LIVE_TEXT_MAX + 200];
    if (strcmp(path, ".") == 0)
        return live_refuse(dir, path, err);
    if (!live_is_database(dir, what, sizeof what))
        return 0;
    (void)snprintf(
        text, sizeof text,
        "it is %s: its files copied one by one are no backup; back it up as a database and `exclude` it here",
        what);
    tell(LOG_WARN, ++run->live, "what is in this directory is missing in this snapshot", path, text);
    return 1;
}

/* ---- the run ------------------------------------------------------------------------------------------- */

static void files_close(struct engine_run *run)
{
    if (run == NULL)
        return;
    walk_close(run->walk);
    content_free(&run->content);
    files_settings_free(&run->set);
    free(run);
}

static struct engine_run *files_open(const struct engine_job *job, struct error *err)
{
    struct engine_run *run = mem_alloc(1, sizeof *run, err);
    if (run == NULL)
        return NULL;
    if (files_settings_read(job, &run->set, err) < 0) {
        free(run);
        return NULL;
    }
    struct walk_options options = { .root = run->set.path,
                                    .one_file_system = run->set.one_file_system,
                                    .excluded = on_name,
                                    .enter = on_dir,
                                    .note = on_note,
                                    .arg = run };
    run->walk = walk_open(&options, err);
    if (run->walk != NULL)
        return run;
    files_close(run);
    return NULL;
}

/* The metadata is of the same moment as the bytes, also when they were read twice. */
static int begin_file(struct engine_run *run, struct error *err)
{
    struct catalog_entry *e = &run->item.entry;
    int rc = content_begin(&run->content, run->item.fd, &run->item.st, err);
    const struct stat *st = &run->content.st;
    e->mtime = st->st_mtim.tv_sec;
    e->mtime_nsec = (uint32_t)st->st_mtim.tv_nsec;
    run->reading = true;
    if (live_is_wal(run->item.fd, e->path))
        tell(
            LOG_WARN, ++run->wals, "a database in use", e->path,
            "the write-ahead log of an SQLite database: its files copied one by one may not fit together; use "
            "the engine sqlite for it, and `exclude` here");
    return rc;
}

static int files_next(struct engine_run *run, struct engine_stream *out, struct error *err)
{
    if (run->reading)
        return error_set(err, E_INTERNAL, "%s: the file was not read to its end", run->set.path);
    int rc = run->done ? 0 : walk_next(run->walk, &run->item, err);
    if (rc < 0) {
        char shown[PATH_SHOWN];
        return error_wrap(err, "%s", str_printable(shown, sizeof shown, run->set.path));
    }
    if (rc == 0) {
        run->done = true;
        return 0;
    }
    const struct catalog_entry *e = &run->item.entry;
    rc = e->type == CATALOG_REGULAR ? begin_file(run, err) : 0;
    if (rc < 0)
        return rc;
    run->members[e->type]++;
    *out = (struct engine_stream){
        .name = e->path,
        .mode = CHUNK_CONTENT,
        .size_hint = e->type == CATALOG_REGULAR ? content_length(&run->content) : 0,
        .mode_bits = e->mode,
        .entry = e,
    };
    return 1;
}

static void end_file(struct engine_run *run)
{
    const struct content *c = &run->content;
    run->reading = false;
    if (c->broken != 0)
        tell(LOG_WARN, ++run->broken, "stored only in part", run->item.entry.path, strerror(c->broken));
    else if (c->changed)
        tell(LOG_WARN, ++run->changed, "changed", run->item.entry.path,
             "somebody wrote to it while it was read: what is stored may be neither old nor new");
}

static int64_t files_read(struct engine_run *run, void *data, size_t cap, struct error *err)
{
    if (!run->reading || cap == 0)
        return error_set(err, E_INTERNAL, "files: read without a file or without room");
    int64_t n = content_read(&run->content, data, cap);
    if (n == 0)
        end_file(run);
    return n;
}

static int files_stream_facts(struct engine_run *run, struct buf *out, struct error *err)
{
    return content_facts(&run->content, out, err);
}

static int files_finish(struct engine_run *run, struct error *err)
{
    return run->done && !run->reading
               ? 0
               : error_set(err, E_INTERNAL, "%s: the tree was not read to its end", run->set.path);
}

static int files_run_facts(struct engine_run *run, struct buf *out, struct error *err)
{
    char path[4096];
    const struct stat *root = walk_root(run->walk);
    const uint64_t *n = run->notes;
    const struct {
        const char *key;
        uint64_t value;
    } counts[] = {
        { "files", run->members[CATALOG_REGULAR] },
        { "directories", run->members[CATALOG_DIR] },
        { "symlinks", run->members[CATALOG_SYMLINK] },
        { "hardlinks", run->members[CATALOG_HARDLINK] },
        { "excluded", n[WALK_EXCLUDED] },
        { "special", n[WALK_SPECIAL] },
        { "other_file_systems", n[WALK_MOUNT] },
        { "missing", n[WALK_UNREAD] + run->broken + run->live },
        { "changed", run->changed },
        { "metadata_missing", n[WALK_METADATA] },
        { "directories_changed", n[WALK_DIR_CHANGED] },
        { "live_databases", run->live },
        { "sqlite_logs", run->wals },
    };
    int rc =
        buf_printf(out, err,
                   "source=files\nsource_path=%s\nroot_mode=%04o\nroot_uid=%lu\nroot_gid=%lu\n"
                   "root_mtime=%lld\n",
                   str_printable(path, sizeof path, run->set.path), (unsigned)root->st_mode & 07777U,
                   (unsigned long)root->st_uid, (unsigned long)root->st_gid, (long long)root->st_mtim.tv_sec);
    for (size_t i = 0; rc == 0 && i < sizeof counts / sizeof counts[0]; i++)
        rc = buf_printf(out, err, "%s=%llu\n", counts[i].key, (unsigned long long)counts[i].value);
    return rc;
}

static void files_flaws(const struct engine_run *run, struct engine_flaws *out)
{
    *out = (struct engine_flaws){ .missing = run->notes[WALK_UNREAD] + run->broken + run->live,
                                  .changed = run->changed,
                                  .metadata = run->notes[WALK_METADATA] };
}

/* ---- before a run -------------------------------------------------------------------------------------- */

int files_probe(const struct engine_job *job, engine_finding_fn *fn, void *arg, struct error *err)
{
    struct files_settings s;
    struct error why = ERROR_INIT;
    int rc = files_settings_read(job, &s, err);
    if (rc < 0)
        return rc;
    int fd = open(s.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        int sys = errno;
        (void)error_sys(&why, "open the directory %s", s.path);
        fn(true, why.text,
           sys == EACCES ? "run backupd as a user who may read it"
                         : "correct the job's `path`: it must be a directory",
           arg);
    } else if (live_refuse(fd, s.path, &why) < 0) {
        fn(true, why.text, "use the engine of that database", arg);
    }
    fd_drop(&fd);
    files_settings_free(&s);
    return 0;
}

static const char *const required[] = { "path", NULL };
static const char *const allowed[] = { "path", "exclude", "one_file_system", NULL };
static const char *const paths[] = { "path", NULL };

const struct engine engine_files = {
    .name = "files",
    .required_options = required,
    .allowed_options = allowed,
    .path_options = paths,
    .probe = files_probe,
    .open = files_open,
    .next = files_next,
    .read = files_read,
    .stream_facts = files_stream_facts,
    .finish = files_finish,
    .run_facts = files_run_facts,
    .flaws = files_flaws,
    .close = files_close,
    .export = files_export,
};
