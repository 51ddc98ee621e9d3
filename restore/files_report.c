/* restore files: what is wanted of the metadata, and what is told at the end. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/fact.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "restore/files_run.h"
#include "restore/target/space.h"

#include "common/base/banned.h"

enum { LOSSES_NAMED = 20, NOTES_NAMED = 100 };

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

void files_choose_policy(struct files *f)
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

/* What the backup itself said about this file. */
void files_tell_doubts(struct files *f, const struct member *m)
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
        out_line(out, OUT_WARN, "The backup itself could not read %s %s: not in this snapshot.", n,
                 strcmp(n, "1") == 0 ? "member" : "members");
    if (f->changed != 0)
        out_line(out, OUT_WARN, "%s %s written to while the backup read it.", count_format(n, f->changed),
                 plural(f->changed, "file was", "files were"));
    if (f->policy.files && f->policy.owner == TREE_OWNER_NONE)
        out_line(out, OUT_PLAIN, "Owners were not restored: everything belongs to who restored it.");
    if (f->tree->setid != 0)
        out_line(
            out, OUT_PLAIN,
            "%s %s restored without set-user-id, set-group-id or capability; --preserve-setid keeps them.",
            count_format(n, f->tree->setid), plural(f->tree->setid, "file was", "files were"));
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

int files_summary(const struct files *f, uint64_t ms, struct error *err)
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
    return error_set(err, f->corrupt ? E_CORRUPT : E_DENIED, "%llu of %llu members %s missing in %s", missing,
                     (unsigned long long)f->members, plural(missing, "is", "are"), to);
}

/* All is there, but not as it was saved. */
static int imperfect(const struct files *f, struct error *err)
{
    f->cli->exit_code = CLI_EXIT_PARTLY;
    if (f->incomplete != 0)
        return error_set(err, E_IO, "%llu %s in %s where the backup could not read on",
                         (unsigned long long)f->incomplete, plural(f->incomplete, "file ends", "files end"),
                         cli_text(f->cli, "to"));
    return error_set(
        err, E_DENIED,
        "%llu %s an owner, a set-id bit or an extended attribute could not be restored in %s; --owner none, no "
        "--preserve-setid and --no-xattrs leave them out",
        (unsigned long long)f->tree->losses, plural(f->tree->losses, "time", "times"),
        cli_text(f->cli, "to"));
}

int files_verdict(const struct files *f, struct error *err)
{
    if (f->missed != 0)
        return incomplete(f, err);
    return f->incomplete != 0 || f->tree->losses != 0 ? imperfect(f, err) : 0;
}
