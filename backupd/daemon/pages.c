#include "backupd/daemon/pages.h"

#include <stdlib.h>

#include "backupd/daemon/supervisor_internal.h"
#include "common/base/alloc.h"
#include "common/base/log.h"

#include "common/base/banned.h"

struct pages {
    struct view_daemon daemon;
    struct drills_file drills;
    struct textfile textfile;
    struct web *web;
    uint64_t changes; /* of the ledger, as seen last */
    uint64_t files;
};

/* Held open as long as somebody sees it (drills_file.h). */
static void look_at_drills(struct pages *p, const struct supervisor *s)
{
    if (s->conf->web.kind != CONF_LISTEN_NONE || s->conf->daemon.textfile != NULL)
        drills_file_look(&p->drills, s->conf->state, true, supervisor_now());
    else
        drills_file_close(&p->drills);
}

static int pages_open(struct supervisor *s, void **self, struct error *err)
{
    struct pages *p = mem_alloc(1, sizeof *p, err);
    struct error why = ERROR_INIT;
    *self = p;
    if (p == NULL)
        return E_NOMEM;
    look_at_drills(p, s);
    p->daemon =
        (struct view_daemon){ .asked = true, .alive = true, .started = supervisor_now(), .has_errors = true };
    p->web = web_open(s, &why);
    if (why.code == 0)
        return 0;
    *self = NULL;
    drills_file_close(&p->drills);
    free(p);
    return error_copy(err, &why);
}

static void reloaded(struct pages *p, struct supervisor *s)
{
    struct error why = ERROR_INIT;
    if (p->web != NULL && web_fits(p->web, &s->conf->web)) {
        web_restart(p->web, s);
        return;
    }
    web_close(p->web);
    p->web = web_open(s, &why);
    if (why.code != 0)
        log_event(LOG_ALARM, "the status page is not served: %s", why.text);
}

/* What changes of it is no event. A server that cannot open files any more needs to be another one to see the new history. */
static void look_at_history(struct pages *p, struct supervisor *s)
{
    uint64_t files = ledger_files(s->ledger);
    p->daemon.history_errors = ledger_errors(s->ledger);
    p->textfile.dirty = p->textfile.dirty || p->changes != ledger_changes(s->ledger) || p->files != files;
    p->changes = ledger_changes(s->ledger);
    if (p->web != NULL && p->files != files)
        web_restart(p->web, s);
    p->files = files;
}

static void pages_event(struct supervisor *s, void *self, const struct daemon_event *e)
{
    struct pages *p = self;
    p->textfile.dirty = true;
    if (e->kind == DAEMON_RELOADED)
        reloaded(p, s);
}

static size_t pages_fds(struct supervisor *s, void *self, struct pollfd *fds, size_t cap)
{
    struct pages *p = self;
    (void)s;
    return web_fds(p->web, fds, cap);
}

static void pages_look(struct supervisor *s, void *self, const struct pollfd *fds, size_t n)
{
    struct pages *p = self;
    (void)fds;
    (void)n;
    look_at_drills(p, s);
    look_at_history(p, s);
    web_look(p->web, s, &p->daemon);
    textfile_look(&p->textfile, s, &p->daemon, &p->drills);
}

static int64_t pages_wake(struct supervisor *s, void *self)
{
    struct pages *p = self;
    if (p->changes != ledger_changes(s->ledger) || p->files != ledger_files(s->ledger))
        return supervisor_now();
    int64_t web = web_wake(p->web);
    int64_t text = s->conf->daemon.textfile != NULL ? textfile_wake(&p->textfile) : INT64_MAX;
    return web < text ? web : text;
}

/* The last thing that the file says is that there is no daemon any more. */
static void pages_close(struct supervisor *s, void *self)
{
    struct pages *p = self;
    if (p == NULL)
        return;
    web_close(p->web);
    p->daemon.alive = false;
    if (s->conf != NULL && s->ledger != NULL)
        textfile_write(&p->textfile, s, &p->daemon, &p->drills);
    drills_file_close(&p->drills);
    free(p);
}

const struct part_kind part_pages = { .name = "pages",
                                      .open = pages_open,
                                      .event = pages_event,
                                      .fds = pages_fds,
                                      .look = pages_look,
                                      .wake = pages_wake,
                                      .close = pages_close };
