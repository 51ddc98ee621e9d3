/* restore files: a snapshot's members below a directory. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/cli/progress.h"
#include "common/sys/interrupt.h"
#include "restore/aliases.h"
#include "restore/paths.h"
#include "restore/streams.h"
#include "restore/target/space.h"
#include "restore/target/tree.h"
#include "restore/verbs.h"

#include "common/base/banned.h"

enum { LOSSES_NAMED = 20, NOTES_NAMED = 100 };

struct files {
    struct cli_context *cli;
    struct chosen chosen;
    struct paths paths;
    struct aliases aliases;
    struct tree_policy policy;
    struct fetcher *data; /* the catalog is read at the same time, by chosen.fetcher */
    struct tree *tree;
    struct progress *progress;
    uint64_t bytes; /* to restore */
    uint64_t members;
    uint64_t nfiles, ndirs, nlinks;
    uint64_t done;
    uint64_t missed;
    uint64_t changed;    /* restored as they were caught in the middle of a change */
    uint64_t incomplete; /* restored as far as they could be read */
    uint64_t told;       /* losses */
    bool corrupt;
};

/* ---- what of the metadata ------------------------------------------------------------------------------ */

static void on_lost(const char *path, const char *what, const char *why, void *arg)
{
    struct files *f = arg;
    char shown[512];
    if (++f->told > LOSSES_NAMED)
        return;
    log_event(LOG_WARN, "without %s%s%s: %s%s", what, why != NULL ? " " : "", why != NULL ? why : "",
              str_printable(shown, sizeof shown, path),
              f->told == LOSSES_NAMED ? " (and from here on they are only counted)" : "");
}

static void choose_policy(struct files *f)
{
    const char *owner = cli_text(f->cli, "owner");
    char source[16];
    struct tree_policy *p = &f->policy;
    *p = (struct tree_policy){ .setid = cli_flag(f->cli, "preserve-setid"),
                               .xattrs = !cli_flag(f->cli, "no-xattrs"),
                               .lost = on_lost,
                               .arg = f };
    p->files = fact_get(f->chosen.snap->object->priv.facts, "source", source, sizeof source) &&
               strcmp(source, "files") == 0;
    if (owner == NULL)
        p->owner = geteuid() == 0 ? TREE_OWNER_NUMBER : TREE_OWNER_NONE;
    else if (strcmp(owner, "none") != 0)
        p->owner = strcmp(owner, "name") == 0 ? TREE_OWNER_NAME : TREE_OWNER_NUMBER;
    if (!p->files) /* the streams of a database have no owner */
        p->owner = TREE_OWNER_NONE;
}

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
        choose_policy(f);
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

/* What the backup itself said about this file. */
static void tell_doubts(struct files *f, const struct member *m)
{
    char yes[8];
    char shown[512];
    bool incomplete = fact_get(m->facts, "incomplete", yes, sizeof yes);
    bool changed = fact_get(m->facts, "changed", yes, sizeof yes);
    f->incomplete += incomplete;
    f->changed += changed && !incomplete;
    if ((!incomplete && !changed) || f->incomplete + f->changed > NOTES_NAMED)
        return;
    log_event(LOG_WARN, "%s: %s", str_printable(shown, sizeof shown, m->entry.path),
              incomplete ? "the backup could not read it to its end: only its beginning was restored"
                         : "it was written to while the backup read it: it may be neither old nor new");
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
        tell_doubts(f, m);
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

/* ---- the verdict --------------------------------------------------------------------------------------- */

static const char *owner_text(const struct files *f)
{
    static const char *const texts[] = {
        [TREE_OWNER_NONE] = "none", [TREE_OWNER_NUMBER] = "number", [TREE_OWNER_NAME] = "name"
    };
    return texts[f->policy.owner];
}

static void tell_rest(const struct files *f)
{
    const struct out *out = &f->cli->out;
    const char *facts = f->chosen.snap->object->priv.facts;
    char n[NUMBER_TEXT_MAX];
    if (fact_get(facts, "missing", n, sizeof n) && strcmp(n, "0") != 0)
        out_line(out, OUT_WARN, "The backup itself could not read %s members: they are not in this snapshot.",
                 n);
    if (f->changed != 0)
        out_line(out, OUT_WARN, "%s files were written to while the backup read them.",
                 count_format(n, f->changed));
    if (f->policy.files && f->policy.owner == TREE_OWNER_NONE)
        out_line(out, OUT_PLAIN, "Owners were not restored: everything belongs to who restored it.");
    if (f->tree->setid != 0)
        out_line(out, OUT_PLAIN,
                 "%s files lost their set-user-id, set-group-id or capability; --preserve-setid keeps them.",
                 count_format(n, f->tree->setid));
}

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
    jsonout_u64(o, "incomplete", f->incomplete);
    jsonout_u64(o, "changed", f->changed);
    jsonout_str(o, "owner", owner_text(f));
    jsonout_u64(o, "metadata_lost", f->tree->losses);
    jsonout_u64(o, "setid_left_out", f->tree->setid);
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
    out_line(&f->cli->out, OUT_PLAIN, "Restored %s files, %s directories, %s links: %s.",
             count_format(n[0], f->nfiles), count_format(n[1], f->ndirs), count_format(n[2], f->nlinks),
             rate_format(rate, f->done, ms));
    if (f->missed == 0)
        out_line(&f->cli->out, OUT_PLAIN,
                 "Checked: every blob authenticated, every stream against its check.");
    tell_rest(f);
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
    return error_set(err, f->corrupt ? E_CORRUPT : E_DENIED, "%llu of %llu members are missing in %s",
                     missing, (unsigned long long)f->members, to);
}

/* All is there, but not as it was saved. */
static int imperfect(const struct files *f, struct error *err)
{
    f->cli->exit_code = CLI_EXIT_PARTLY;
    if (f->incomplete != 0)
        return error_set(err, E_IO, "%llu files in %s end where the backup could not read on",
                         (unsigned long long)f->incomplete, cli_text(f->cli, "to"));
    return error_set(
        err, E_DENIED,
        "%llu times an owner or an extended attribute could not be restored in %s; --owner none and "
        "--no-xattrs leave them out",
        (unsigned long long)f->tree->losses, cli_text(f->cli, "to"));
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
    else if (rc == 0 && (f.incomplete != 0 || f.tree->losses != 0))
        rc = imperfect(&f, err);
    aliases_free(&f.aliases);
    tree_free(f.tree);
    fetcher_free(f.data);
    paths_free(&f.paths);
    chosen_close(&f.chosen, rc);
    return rc;
}
