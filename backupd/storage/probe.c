#include "backupd/storage/probe.h"

#include <stdio.h>
#include <string.h>

#include "common/backend/sftp_probe.h"
#include "common/repo/names.h"

#include "common/base/banned.h"

#define NO_SUCH_NAME "backupd-check.none"

const char *const probe_roles[] = { "admin", "retention", "reader", "writer", NULL };

struct place { /* a name found in a listing */
    char name[NAME_TEXT_MAX];
    const char *dir;
};

static int first_file(const char *name, const struct backend_stat *st, void *arg, struct error *err)
{
    struct place *p = arg;
    (void)err;
    if (!st->is_dir && p->name[0] == '\0')
        (void)snprintf(p->name, sizeof p->name, "%s/%s", p->dir, name);
    return 0;
}

/* A file of this account, or one that it may at least read: a record of a writer, a retention record, a charter. */
static bool find_own(struct backend *b, enum setup_role role, const struct vec *ids, struct place *out)
{
    char dir[NAME_TEXT_MAX];
    *out = (struct place){ .dir = role == SETUP_RETENTION ? "ret" : "charter" };
    for (size_t i = 0; role == SETUP_WRITER && out->name[0] == '\0' && i < ids->len; i++) {
        out->dir = name_writer_sub(dir, vec_at(ids, i), "log");
        (void)backend_list(b, dir, first_file, out, NULL);
    }
    if (role != SETUP_WRITER)
        (void)backend_list(b, out->dir, first_file, out, NULL);
    bool own = out->name[0] != '\0' && role != SETUP_READER;
    if (out->name[0] == '\0') {
        out->dir = "charter";
        (void)backend_list(b, out->dir, first_file, out, NULL);
    }
    return own;
}

/* A request that this role does not need. */
static void add_row(struct report *report, const char *key, enum probe_answer answer, const char *refused,
                    const char *allowed)
{
    if (answer == PROBE_UNKNOWN)
        report_add(report, key, OUT_PLAIN, "not tried");
    else if (answer == PROBE_REFUSED)
        report_add(report, key, OUT_GOOD, "%s", refused);
    else
        report_add(report, key, OUT_WARN, "%s", allowed);
}

static void add_overwriting(struct report *report, enum probe_answer answer, bool own)
{
    if (!own && answer == PROBE_REFUSED)
        report_add(report, "overwriting", OUT_PLAIN,
                   "refused here, but nothing of this account is stored yet: try again then");
    else
        add_row(report, "overwriting", answer, "refused: what is stored stays as it is",
                "allowed: whoever breaks into this host can change and empty backups; `backupd storage "
                "setup-script` prints accounts that prevent it");
}

/* ---- others ---------------------------------------------------------------------------------------------- */

struct others {
    struct backend *b;
    const struct vec *ids;
    size_t seen;
    size_t open;
};

static int ignore_entry(const char *name, const struct backend_stat *st, void *arg, struct error *err)
{
    (void)name;
    (void)st;
    (void)arg;
    (void)err;
    return 0;
}

static int look_into(const char *name, const struct backend_stat *st, void *arg, struct error *err)
{
    struct others *o = arg;
    char dir[NAME_TEXT_MAX];
    char path[NAME_TEXT_MAX];
    (void)err;
    for (size_t i = 0; i < o->ids->len; i++)
        if (strcmp(name_writer_dir(dir, vec_at(o->ids, i)) + sizeof "w/" - 1, name) == 0)
            return 0;
    int n = snprintf(path, sizeof path, "w/%s", name);
    if (!st->is_dir || n < 0 || (size_t)n >= sizeof path)
        return 0;
    o->seen++;
    o->open += backend_list(o->b, path, ignore_entry, NULL, NULL) == 0;
    return 0;
}

static void add_others(struct backend *b, const struct vec *ids, struct report *report)
{
    struct others o = { .b = b, .ids = ids };
    if (backend_list(b, "w", look_into, &o, NULL) < 0 || o.seen == 0)
        return;
    if (o.open > 0)
        report_add(report, "other hosts", OUT_WARN,
                   "the directories of %zu other %s are open to this account", o.open,
                   o.open == 1 ? "writer" : "writers");
    else
        report_add(report, "other hosts", OUT_GOOD, "their writers' directories are closed to this account");
}

/* One account for all roles cannot forge anything, but it can stand in the others' way. */
static void add_separate(struct backend *b, const struct vec *ids, struct report *report)
{
    char dir[NAME_TEXT_MAX];
    uint32_t own = 0;
    uint32_t charter = 0;
    uint32_t retention = 0;
    if (ids->len == 0 || sftp_owner(b, name_writer_dir(dir, vec_at(ids, 0)), &own, NULL) < 0 ||
        sftp_owner(b, "charter", &charter, NULL) < 0 || sftp_owner(b, "ret", &retention, NULL) < 0)
        report_add(report, "roles", OUT_PLAIN, "unknown: the server does not tell who owns what");
    else if (own == charter || own == retention)
        report_add(
            report, "roles", OUT_WARN,
            "one account (uid %u) owns this host's files and those of %s: its key can put files in their "
            "way, though never forge or change any; an account for each role prevents it",
            (unsigned)own,
            own != charter     ? "the retention log"
            : own == retention ? "all other roles"
                               : "the charters");
    else
        report_add(report, "roles", OUT_GOOD, "charters and the retention log belong to other accounts");
}

/* ---- all of it ------------------------------------------------------------------------------------------- */

static void add_removing(struct report *report, enum setup_role role, enum probe_answer answer)
{
    if (role != SETUP_RETENTION)
        add_row(
            report, "removing", answer, "refused to this account, as it should be",
            "allowed: whoever breaks into this host can delete backups; a write-once account prevents it");
    else
        report_add(report, "removing", answer == PROBE_ALLOWED ? OUT_GOOD : OUT_WARN, "%s",
                   answer == PROBE_ALLOWED ? "allowed: that is what this account is for"
                                           : "refused: this account cannot delete what has expired");
}

void storage_probe(struct backend *b, enum setup_role role, const struct vec *ids, struct report *report)
{
    struct place file;
    struct sftp_probe p;
    struct error why = ERROR_INIT;
    bool own = find_own(b, role, ids, &file);
    if (sftp_probe(b, file.name[0] != '\0' ? file.name : NULL, NO_SUCH_NAME, &p, &why) < 0) {
        report_add(report, "not probed", OUT_WARN, "%s", why.text);
        return;
    }
    add_overwriting(report, p.overwrite, own || role == SETUP_READER);
    if (role == SETUP_READER)
        add_row(report, "creating", p.create, "refused: this account only reads",
                "allowed: a reader needs no more than to read (internal-sftp -R)");
    else if (p.create == PROBE_REFUSED)
        report_add(report, "creating", OUT_WARN, "refused: nothing can be stored with this account");
    add_removing(report, role, p.remove);
    add_row(report, "renaming", p.rename, "refused, as it should be",
            "this account may ask for it: a renamed backup is a missing one");
    add_row(report, "links", p.link, "refused, as they should be", "this account may ask for some");
    add_row(report, "attributes", p.attributes, "refused: neither sizes, modes nor times can be set",
            "this account may ask to set some: a size of 0 empties a file");
    add_row(report, "directories", p.make_dir, "this account cannot make any, as it should be",
            "this account can make some");
    if (role == SETUP_WRITER) {
        add_others(b, ids, report);
        add_separate(b, ids, report);
    }
}
