#include "backupd/daemon/part.h"

#include <stdlib.h>

#include "backupd/daemon/aftermath.h"
#include "backupd/daemon/control.h"
#include "backupd/daemon/notices.h"
#include "backupd/daemon/pages.h"
#include "backupd/daemon/supervisor_internal.h"
#include "backupd/daemon/watchdog.h"
#include "common/base/alloc.h"

#include "common/base/banned.h"

/* Every part of the daemon, in the order in which they hear of things. */
static const struct part_kind *const kinds[] = {
    &part_watchdog, &control_part, &aftermath_part, &notices_part, &part_pages,
};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

struct parts {
    void *self[KINDS];
    size_t nopen;       /* of kinds */
    size_t nfds[KINDS]; /* of the last wait */
};

int parts_open(struct supervisor *s, struct parts **out, struct error *err)
{
    struct parts *p = mem_alloc(1, sizeof *p, err);
    int rc = 0;
    *out = p;
    if (p == NULL)
        return E_NOMEM;
    for (; p->nopen < KINDS && kinds[p->nopen] != NULL; p->nopen++) {
        const struct part_kind *kind = kinds[p->nopen];
        rc = kind->open != NULL ? kind->open(s, &p->self[p->nopen], err) : 0;
        if (rc < 0)
            return error_wrap(err, "%s", kind->name);
    }
    return 0;
}

void parts_event(struct supervisor *s, const struct daemon_event *e)
{
    const struct parts *p = s->parts;
    for (size_t i = 0; p != NULL && i < p->nopen; i++)
        if (kinds[i]->event != NULL)
            kinds[i]->event(s, p->self[i], e);
}

size_t parts_fds(struct supervisor *s, struct pollfd *fds, size_t cap)
{
    struct parts *p = s->parts;
    size_t n = 0;
    for (size_t i = 0; p != NULL && i < p->nopen; i++) {
        p->nfds[i] = kinds[i]->fds != NULL ? kinds[i]->fds(s, p->self[i], fds + n, cap - n) : 0;
        n += p->nfds[i];
    }
    return n;
}

void parts_look(struct supervisor *s, const struct pollfd *fds, size_t n)
{
    const struct parts *p = s->parts;
    size_t at = 0;
    for (size_t i = 0; p != NULL && i < p->nopen && at <= n; i++) {
        if (kinds[i]->look != NULL)
            kinds[i]->look(s, p->self[i], fds + at, p->nfds[i]);
        at += p->nfds[i];
    }
}

int64_t parts_wake(struct supervisor *s)
{
    const struct parts *p = s->parts;
    int64_t best = INT64_MAX;
    for (size_t i = 0; p != NULL && i < p->nopen; i++) {
        int64_t at = kinds[i]->wake != NULL ? kinds[i]->wake(s, p->self[i]) : INT64_MAX;
        best = at < best ? at : best;
    }
    return best;
}

void parts_close(struct supervisor *s)
{
    struct parts *p = s->parts;
    for (size_t i = p != NULL ? p->nopen : 0; i > 0; i--)
        if (kinds[i - 1]->close != NULL)
            kinds[i - 1]->close(s, p->self[i - 1]);
    free(p);
    s->parts = NULL;
}
