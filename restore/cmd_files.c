/* restore files: a snapshot's members below a directory. */
#include <errno.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/sys/interrupt.h"
#include "restore/files_run.h"
#include "restore/options.h"
#include "restore/target/space.h"
#include "restore/verbs.h"

#include "common/base/banned.h"

static const char *const owner_choices[] = { "number", "name", "none", NULL };

const struct cli_option files_options[] = {
    JOB_OPTION,
    ALARMS_OPTION,
    { .name = "to",
      .letter = 't',
      .kind = CLI_FILE,
      .metavar = "DIR",
      .required = true,
      .help = "Directory to restore into. It must be empty or not exist yet." },
    { .name = "unsafe-links",
      .kind = CLI_FLAG,
      .help = "Also make symbolic links that lead out of the directory. They are left out otherwise." },
    { .name = "owner",
      .kind = CLI_CHOICE,
      .choices = owner_choices,
      .metavar = "HOW",
      .help =
          "Whose the files are: `number` (user and group as saved; what root gets without this option), `name` "
          "(the user and group of these names here, by number when there is none), or `none` (yours; what "
          "everybody else gets)." },
    { .name = "preserve-setid",
      .kind = CLI_FLAG,
      .help = "Keep set-user-id and set-group-id bits and capabilities of files whose owner is restored." },
    { .name = "no-xattrs", .kind = CLI_FLAG, .help = "Leave extended attributes and ACLs out." },
    CLI_OPTIONS_END
};

/* ---- what there is to do ------------------------------------------------------------------------------- */

static int add_bytes(struct files *f, uint64_t len, struct error *err)
{
    f->bytes += len;
    int rc = check_total(&f->chosen, f->bytes, err);
    return rc < 0 ? rc : interrupt_check(err);
}

static int count_member(const struct member *m, void *arg, struct error *err)
{
    struct files *f = arg;
    const struct catalog_entry *e = &m->entry;
    if (!paths_take(&f->paths, e->path))
        return interrupt_check(err);
    f->members++;
    if (e->type == CATALOG_HARDLINK && !paths_match(&f->paths, e->target)) {
        int rc = aliases_note(&f->aliases, e->target, e->path, err);
        if (rc < 0)
            return rc;
    }
    return add_bytes(f, m->ref.len, err);
}

static int count_alias(const struct member *m, void *arg, struct error *err)
{
    struct files *f = arg;
    bool more = m->entry.type == CATALOG_REGULAR && aliases_find(&f->aliases, m->entry.path) != NULL;
    return add_bytes(f, more ? m->ref.len : 0, err);
}

static int plan(struct files *f, struct error *err)
{
    const char *to = cli_text(f->cli, "to");
    int rc = snapshot_members(f->chosen.snap->object, f->chosen.fetcher, count_member, f, err);
    aliases_settle(&f->aliases);
    if (rc == 0 && f->aliases.list.len != 0)
        rc = snapshot_members(f->chosen.snap->object, f->chosen.fetcher, count_alias, f, err);
    if (rc < 0)
        return error_wrap(err, "%s", f->chosen.name);
    if (paths_missed(&f->paths) != NULL)
        return member_not_found(&f->chosen, paths_missed(&f->paths), err);
    rc = space_check(to, f->bytes, f->members, err);
    rc = rc < 0 ? rc : tree_open(to, &f->tree, err);
    if (rc == 0) {
        files_choose_policy(f);
        f->tree->policy = f->policy;
    }
    return rc;
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
        /* EIO: a bad place on the storage's disk costs what is there, not everything */
        return why->sys != ENAMETOOLONG && why->sys != ENOTDIR && why->sys != ELOOP && why->sys != EINVAL &&
               why->sys != EILSEQ && why->sys != EISDIR && why->sys != EIO;
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
    f->corrupt = f->corrupt || why->code == E_CORRUPT || why->code == E_NOT_FOUND || why->sys == EIO;
    log_event(LOG_ALARM, "not restored: %s: %s", str_printable(shown, sizeof shown, path), why->text);
    return 0;
}

static void on_bytes(uint64_t bytes, void *arg)
{
    struct files *f = arg;
    f->done += bytes;
    progress_add(f->progress, bytes);
}

static int make_file(struct files *f, const struct member *m, const char *path, struct error *why)
{
    struct gaps gaps;
    struct catalog_entry e = m->entry;
    e.path = path;
    int rc = gaps_parse(m->facts, m->ref.len, &gaps, why);
    if (rc < 0)
        return rc;
    struct source *src = stream_watched(&f->chosen, f->data, &m->ref, why);
    if (src == NULL)
        rc = why->code < 0 ? why->code : E_NOMEM;
    rc = rc < 0 ? rc : tree_file(f->tree, &e, src, m->ref.len, &gaps, on_bytes, f, why);
    source_free(src);
    gaps_free(&gaps);
    f->nfiles += rc == 0;
    if (rc == 0)
        files_tell_doubts(f, m);
    return rc;
}

/* A hard link; one to a file whose first name was not chosen leads to that file's alias, which is there. */
static int make_hard_link(struct files *f, const struct catalog_entry *entry, struct error *why)
{
    struct catalog_entry e = *entry;
    const char *alias = aliases_find(&f->aliases, e.target);
    if (alias != NULL && strcmp(alias, e.path) == 0)
        return 0;
    if (alias != NULL)
        e.target = alias;
    int rc = tree_link(f->tree, &e, false, why);
    f->nlinks += rc == 0;
    return rc;
}

static int make_member(const struct member *m, void *arg, struct error *err)
{
    struct files *f = arg;
    struct error why = ERROR_INIT;
    const char *path = m->entry.path;
    int rc = interrupt_check(&why);
    if (rc == 0 && !paths_take(&f->paths, path)) {
        path = m->entry.type == CATALOG_REGULAR ? aliases_find(&f->aliases, path) : NULL;
        if (path == NULL)
            return 0;
    }
    progress_item(f->progress, path);
    if (rc == 0 && m->entry.type == CATALOG_REGULAR) {
        rc = make_file(f, m, path, &why);
    } else if (rc == 0 && m->entry.type == CATALOG_DIR) {
        rc = tree_dir(f->tree, &m->entry, &why);
        f->ndirs += rc == 0;
    } else if (rc == 0 && m->entry.type == CATALOG_HARDLINK) {
        rc = make_hard_link(f, &m->entry, &why);
    } else if (rc == 0) {
        rc = tree_link(f->tree, &m->entry, cli_flag(f->cli, "unsafe-links"), &why);
        f->nlinks += rc == 0;
    }
    return rc < 0 ? missed(path, &why, f, err) : 0;
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
        rc = files_summary(&f, clock_mono_ms() - began, err);
    rc = rc < 0 ? rc : files_verdict(&f, err);
    aliases_free(&f.aliases);
    tree_free(f.tree);
    fetcher_free(f.data);
    paths_free(&f.paths);
    chosen_close(&f.chosen, rc);
    return rc;
}
