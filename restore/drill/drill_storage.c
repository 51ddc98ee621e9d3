/* Logs, signatures and packs of the snapshot. */
#include <stdio.h>
#include <string.h>

#include "common/repo/check.h"
#include "restore/drill/internal.h"

#include "common/base/banned.h"

struct look {
    struct drill *d;
    size_t bad;
    int rc;
    struct error why;
};

/* Of the whole log, or of this snapshot: what is wrong with others is theirs. */
static bool concerns(const struct look *l, const struct check_finding *f)
{
    bool mine = f->nsnapshots == 0;
    for (size_t i = 0; !mine && i < f->nsnapshots; i++)
        mine = strcmp(f->snapshots[i], l->d->db.c.name) == 0;
    return mine && !f->note && strcmp(f->name, ERR_LOG_LATE) != 0;
}

static void on_finding(void *arg, const struct check_finding *f)
{
    struct look *l = arg;
    char text[1024];
    if (l->rc < 0 || !concerns(l, f))
        return;
    l->bad++;
    (void)snprintf(text, sizeof text, "%s: %s", f->name, f->text);
    l->rc = drill_note(l->d, "storage", "logs, signatures, packs", f->where, DRILL_FAIL, NULL, NULL, text,
                       &l->why);
}

int drill_storage(struct drill *d, struct error *err)
{
    struct look l = { .d = d, .why = ERROR_INIT };
    const struct snap *snap = d->db.c.snap;
    struct check_result result = { .writers = 0 };
    struct check_options options = { .level = CHECK_L2,
                                     .opener = d->db.c.st.opener,
                                     .writer = snap->writer->id,
                                     .session = snap->record->rec.session,
                                     .finding = on_finding,
                                     .arg = &l };
    int rc = check_run(d->db.c.st.repo, &options, &result, err);
    if (rc == 0 && l.rc < 0)
        rc = error_copy(err, &l.why);
    if (rc == 0 && l.bad == 0)
        rc = drill_note(d, "storage", "logs, signatures, packs", d->db.c.name, DRILL_PASS, NULL, NULL, NULL,
                        err);
    return rc;
}
