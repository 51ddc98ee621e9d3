/* Files of the snapshot into a private directory, and their bytes once more from there. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/archive/gaps.h"
#include "common/base/clock.h"
#include "common/base/str.h"
#include "common/cli/progress.h"
#include "common/sys/fdio.h"
#include "common/sys/interrupt.h"
#include "restore/drill/mask.h"
#include "restore/target/tree.h"

#include "common/base/banned.h"

struct walk {
    struct drill *d;
    struct fetcher *data;
    struct tree *tree;
    uint64_t files, others, bytes;
    uint64_t missed;
    char first[512];
};

static void add_bytes(uint64_t bytes, void *arg)
{
    struct walk *w = arg;
    w->bytes += bytes;
    progress_add(w->d->progress, bytes);
}

static int make_file(struct walk *w, const struct member *m, struct error *why)
{
    struct gaps gaps;
    int rc = gaps_parse(m->facts, m->ref.len, &gaps, why);
    if (rc < 0)
        return rc;
    struct source *src = stream_watched(&w->d->db.c, w->data, &m->ref, why);
    rc = src == NULL ? (why->code < 0 ? why->code : E_NOMEM)
                     : tree_file(w->tree, &m->entry, src, m->ref.len, &gaps, add_bytes, w, why);
    source_free(src);
    gaps_free(&gaps);
    w->files += rc == 0;
    return rc;
}

static int miss(struct walk *w, const char *path, const struct error *why)
{
    char shown[200];
    if (w->missed++ == 0)
        (void)snprintf(w->first, sizeof w->first, "%s: %.250s", str_printable(shown, sizeof shown, path),
                       why->text);
    return 0;
}

/* What cannot be made here for want of rights says nothing about the backup: it is told. Damage ends it. */
static int make_member(const struct member *m, void *arg, struct error *err)
{
    struct walk *w = arg;
    struct error why = ERROR_INIT;
    int rc = interrupt_check(err);
    if (rc < 0)
        return rc;
    if (m->entry.type == CATALOG_REGULAR)
        rc = make_file(w, m, &why);
    else if (m->entry.type == CATALOG_DIR)
        rc = tree_dir(w->tree, &m->entry, &why);
    else
        rc = tree_link(w->tree, &m->entry, true, &why);
    w->others += rc == 0 && m->entry.type != CATALOG_REGULAR;
    if (rc == E_DENIED || rc == E_UNSUPPORTED || rc == E_EXISTS)
        return miss(w, m->entry.path, &why);
    return rc < 0 ? (void)error_copy(err, &why), error_wrap(err, "%s", m->entry.path) : 0;
}

static int missed_late(const char *path, const struct error *why, void *arg, struct error *err)
{
    (void)err;
    return miss(arg, path, why);
}

static int tell(const struct walk *w, struct error *err)
{
    char found[96];
    (void)snprintf(found, sizeof found, "%llu files of %llu bytes, %llu directories and links",
                   (unsigned long long)w->files, (unsigned long long)w->bytes, (unsigned long long)w->others);
    int rc = drill_note(w->d, "storage", "every file opened, stream checks equal", NULL, DRILL_PASS, NULL,
                        found, NULL, err);
    if (rc == 0 && w->missed > 0)
        rc = drill_note(w->d, "files", "members that this user cannot make", NULL, DRILL_COULD_NOT_RUN, NULL,
                        NULL, w->first, err);
    return rc;
}

int drill_restore_files(struct drill *d, struct error *err)
{
    struct walk w = { .d = d };
    struct chosen *c = &d->db.c;
    int rc = drill_mask_begin(d, err);
    rc = rc < 0 ? rc : drill_place(d, err);
    if (rc == 0 && (d->s.to = scratch_path(&d->s, "files", err)) == NULL)
        rc = E_NOMEM;
    rc = rc == 0 ? tree_open(d->s.to, &w.tree, err) : rc;
    if (rc < 0)
        return rc;
    w.tree->policy = (struct tree_policy){ .owner = TREE_OWNER_NONE };
    w.data = fetcher_new(c->st.repo, c->snap->writer, &c->st.opener, 0, err);
    d->restoring = clock_mono_us();
    d->progress = progress_start(d->o->cli, "restoring", NULL);
    progress_total(d->progress, d->db.m.bytes);
    rc = w.data != NULL ? snapshot_members(c->snap->object, c->fetcher, make_member, &w, err) : E_NOMEM;
    rc = rc == 0 ? tree_finish(w.tree, missed_late, &w, err) : rc;
    progress_stop(d->progress);
    d->progress = NULL;
    d->read_failed = rc == E_CORRUPT;
    if (rc == 0) {
        d->loaded = clock_mono_us();
        d->bytes = w.bytes;
        d->fetched_us = fetcher_waited_us(w.data);
        rc = tell(&w, err);
    }
    tree_free(w.tree);
    fetcher_free(w.data);
    return rc;
}
