#include "backupd/daemon/pages.h"
#include "backupd/daemon/supervisor_internal.h"
#include "backupd/pages/metrics.h"
#include "common/base/log.h"
#include "common/sys/atomic_file.h"

#include "common/base/banned.h"

enum { MODE = 0644 }; /* node_exporter is another account */

int64_t textfile_wake(const struct textfile *t)
{
    return t->dirty ? t->written + 1 : INT64_MAX;
}

void textfile_write(struct textfile *t, const struct supervisor *s, const struct view_daemon *daemon,
                    const struct drills_file *drills)
{
    struct error why = ERROR_INIT;
    struct buf text = BUF_INIT;
    struct view view;
    const struct trouble trouble = ledger_trouble(s->ledger);
    const struct view_options options = {
        .now = supervisor_now(), .daemon = *daemon, .drills = drills, .trouble = &trouble
    };
    t->dirty = false;
    t->written = options.now;
    if (s->conf->daemon.textfile == NULL)
        return;
    int rc = view_make(&s->crew, ledger_history(s->ledger), &options, &view, &why);
    if (rc == 0) {
        rc = metrics_write(&view, &text, &why);
        view_free(&view);
    }
    if (rc == 0)
        rc = file_write_atomic(s->conf->daemon.textfile, text.data, text.len, MODE, FILE_REPLACE, &why);
    buf_free(&text);
    if (rc < 0 && !t->told)
        log_event(LOG_ALARM, "the metrics could not be written: %s", why.text);
    t->told = rc < 0;
}

/* A clock that was set back does not hold it up. */
void textfile_look(struct textfile *t, const struct supervisor *s, const struct view_daemon *daemon,
                   const struct drills_file *drills)
{
    int64_t now = supervisor_now();
    if (t->dirty && (now > t->written || now < t->written - 1))
        textfile_write(t, s, daemon, drills);
}
