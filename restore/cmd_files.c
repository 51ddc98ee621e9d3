/* restore files: a snapshot's members below a directory. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/cli/progress.h"
#include "common/sys/interrupt.h"
#include "restore/paths.h"
#include "restore/streams.h"
#include "restore/target/space.h"
#include "restore/target/tree.h"
#include "restore/verbs.h"

#include "common/base/banned.h"

struct files {
    struct cli_context *cli;
    struct chosen chosen;
    struct paths paths;
    struct fetcher *data; /* the catalog is read at the same time, by chosen.fetcher */
    struct tree *tree;
    struct progress *progress;
    uint64_t bytes; /* to restore */
    uint64_t members;
    uint64_t nfiles, ndirs, nlinks;
    uint64_t done;
    uint64_t missed;
    bool corrupt;
};

/* ---- what there is to do ------------------------------------------------------------------------------- */

static int count_member(const struct member *m, void *arg, struct error *err)
{
    struct files *f = arg;
    if (!paths_take(&f->paths, m->entry.path))
        return interrupt_check(err);
    f->members++;
    f->bytes += m->ref.len;
    int rc = check_total(&f->chosen, f->bytes, err);
    return rc < 0 ? rc : interrupt_check(err);
}

static int plan(struct files *f, struct error *err)
{
    const char *to = cli_text(f->cli, "to");
    int rc = snapshot_members(f->chosen.snap->object, f->chosen.fetcher, count_member, f, err);
    if (rc < 0)
        return error_wrap(err, "%s", f->chosen.name);
    if (paths_missed(&f->paths) != NULL)
        return member_not_found(&f->chosen, paths_missed(&f->paths), err);
    rc = space_check(to, f->bytes, f->members, err);
    return rc < 0 ? rc : tree_open(to, &f->tree, err);
}

/* ---- doing it ------------------------------------------------------------------------------------------ */

/* What cannot get better with the next member. The rest is told, and the others are restored. */
static bool stops(const struct error *why)
{
    switch (why->code) {
    case E_CORRUPT:
    case E_NOT_FOUND:
    case E_AUTH:
    case E_CONFLICT:
    case E_DENIED:
    case E_EXISTS:
    case E_UNSUPPORTED:
        return false;
    case E_IO:
        return why->sys != ENAMETOOLONG && why->sys != ENOTDIR && why->sys != ELOOP && why->sys != EINVAL &&
               why->sys != EILSEQ && why->sys != EISDIR;
    default:
        return true;
    }
}

static int missed(const char *path, const struct error *why, void *arg, struct error *err)
{
    struct files *f = arg;
    char shown[512];
    if (stops(why)) {
        (void)error_copy(err, why);
        return error_wrap(err, "%s", str_printable(shown, sizeof shown, path));
    }
    f->missed++;
    f->corrupt = f->corrupt || why->code == E_CORRUPT || why->code == E_NOT_FOUND;
    log_event(LOG_ALARM, "not restored: %s: %s", str_printable(shown, sizeof shown, path), why->text);
    return 0;
}

static void on_bytes(uint64_t bytes, void *arg)
{
    struct files *f = arg;
    f->done += bytes;
    progress_add(f->progress, bytes);
}

static int make_file(struct files *f, const struct member *m, struct error *why)
{
    struct source *src = stream_watched(&f->chosen, f->data, &m->ref, why);
    if (src == NULL)
        return why->code < 0 ? why->code : E_NOMEM;
    int rc = tree_file(f->tree, &m->entry, src, m->ref.len, on_bytes, f, why);
    source_free(src);
    return rc;
}

static int make_member(const struct member *m, void *arg, struct error *err)
{
    struct files *f = arg;
    struct error why = ERROR_INIT;
    int rc = interrupt_check(&why);
    if (rc == 0 && !paths_take(&f->paths, m->entry.path))
        return 0;
    progress_item(f->progress, m->entry.path);
    if (rc == 0 && m->entry.type == CATALOG_REGULAR) {
        rc = make_file(f, m, &why);
        f->nfiles += rc == 0;
    } else if (rc == 0 && m->entry.type == CATALOG_DIR) {
        rc = tree_dir(f->tree, &m->entry, &why);
        f->ndirs += rc == 0;
    } else if (rc == 0) {
        rc = tree_link(f->tree, &m->entry, cli_flag(f->cli, "unsafe-links"), &why);
        f->nlinks += rc == 0;
    }
    return rc < 0 ? missed(m->entry.path, &why, f, err) : 0;
}

/* A link that was noted but could not be made. */
static int missed_late(const char *path, const struct error *why, void *arg, struct error *err)
{
    struct files *f = arg;
    f->nlinks -= f->nlinks != 0;
    return missed(path, why, arg, err);
}

static int make_all(struct files *f, struct error *err)
{
    struct chosen *c = &f->chosen;
    f->data = fetcher_new(c->st.repo, c->snap->writer, &c->st.opener, 0, err);
    if (f->data == NULL)
        return err->code < 0 ? err->code : E_NOMEM;
    f->progress = progress_start(f->cli, "restoring", NULL);
    progress_total(f->progress, f->bytes);
    int rc = snapshot_members(c->snap->object, c->fetcher, make_member, f, err);
    rc = rc < 0 ? rc : tree_finish(f->tree, missed_late, f, err);
    progress_stop(f->progress);
    if (rc < 0 || (f->members != 0 && f->missed == f->members))
        tree_undo(f->tree);
    return rc < 0 ? error_wrap(err, "nothing was left in %s", cli_text(f->cli, "to")) : 0;
}

/* ---- the verdict --------------------------------------------------------------------------------------- */

static int summary_json(const struct files *f, uint64_t ms, struct error *err)
{
    struct jsonout *o = jsonout_new("summary");
    jsonout_str(o, "snapshot", f->chosen.name);
    jsonout_str(o, "target", cli_text(f->cli, "to"));
    jsonout_u64(o, "files", f->nfiles);
    jsonout_u64(o, "directories", f->ndirs);
    jsonout_u64(o, "links", f->nlinks);
    jsonout_u64(o, "bytes", f->done);
    jsonout_u64(o, "missed", f->missed);
    jsonout_double(o, "seconds", (double)ms / 1000.0);
    return jsonout_emit(o, err);
}

static int summary(const struct files *f, uint64_t ms, struct error *err)
{
    char rate[RATE_TEXT_MAX];
    char n[3][NUMBER_TEXT_MAX];
    if (f->cli->json)
        return summary_json(f, ms, err);
    if (f->cli->quiet)
        return 0;
    out_line(&f->cli->out, OUT_PLAIN, "Restored %s %s, %s %s, %s %s: %s.", count_format(n[0], f->nfiles),
             plural(f->nfiles, "file", "files"), count_format(n[1], f->ndirs),
             plural(f->ndirs, "directory", "directories"), count_format(n[2], f->nlinks),
             plural(f->nlinks, "link", "links"), rate_format(rate, f->done, ms));
    if (f->missed == 0)
        out_line(&f->cli->out, OUT_PLAIN,
                 "Checked: every blob authenticated, every stream against its check.");
    return 0;
}

/* The last word when something is missing: the exit code and how many. */
static int incomplete(const struct files *f, struct error *err)
{
    const char *to = cli_text(f->cli, "to");
    unsigned long long missing = f->missed;
    f->cli->exit_code = f->corrupt ? CLI_EXIT_DIFFERS : CLI_EXIT_PARTLY;
    if (f->missed == f->members)
        return error_set(err, f->corrupt ? E_CORRUPT : E_DENIED,
                         "nothing could be restored, %s was left as it was", to);
    return error_set(err, f->corrupt ? E_CORRUPT : E_DENIED, "%llu of %llu members %s missing in %s", missing,
                     (unsigned long long)f->members, plural(missing, "is", "are"), to);
}

int cmd_files(struct cli_context *cli, struct error *err)
{
    struct files f = { .cli = cli };
    int rc = tree_possible(cli_text(cli, "to"), err);
    rc = rc < 0 ? rc : paths_of(&f.paths, cli->args + 1, cli->nargs - 1, err);
    rc = rc < 0 ? rc : chosen_open(cli, KIT_NEEDED, cli->args[0], &f.chosen, err);
    rc = rc < 0 ? rc : chosen_begin(&f.chosen, &cli->out, err);
    uint64_t began = clock_mono_ms(); /* not the time a passphrase took to type */
    rc = rc < 0 ? rc : plan(&f, err);
    rc = rc < 0 ? rc : make_all(&f, err);
    if (rc == 0 && (f.missed == 0 || f.missed != f.members))
        rc = summary(&f, clock_mono_ms() - began, err);
    if (rc == 0 && f.missed != 0)
        rc = incomplete(&f, err);
    tree_free(f.tree);
    fetcher_free(f.data);
    paths_free(&f.paths);
    chosen_close(&f.chosen, rc);
    return rc;
}
