/* Who was refused at the control socket, lately. */
#include <stdlib.h>

#include "backupd/pages/view_internal.h"
#include "common/base/str.h"
#include "common/state/refusals.h"

#include "common/base/banned.h"

struct reading {
    struct view *view;
    struct error *err;
};

static int keep(const struct refusal *r, void *arg)
{
    struct reading *reading = arg;
    if (r->last > reading->view->options.now + VIEW_AHEAD)
        return 0;
    struct view_refusal *kept = vec_push(&reading->view->refusals, reading->err);
    if (kept == NULL)
        return E_NOMEM;
    *kept = (struct view_refusal){ .account = str_dup(r->account, reading->err),
                                   .what = str_dup(r->what, reading->err),
                                   .first = r->first,
                                   .last = r->last,
                                   .count = r->count };
    return kept->account != NULL && kept->what != NULL ? 0 : E_NOMEM;
}

int view_add_refusals(struct view *view, struct history *h, struct error *err)
{
    struct reading reading = { .view = view, .err = err };
    int rc = h != NULL ? refusals_total(h, &view->refused, err) : 0;
    if (rc == 0 && view->refused > 0)
        rc = refusals_each(h, view->options.now - VIEW_REFUSED_SECONDS, keep, &reading, err);
    return rc;
}

void view_free_refusals(struct view *view)
{
    for (size_t i = 0; i < view->refusals.len; i++) {
        struct view_refusal *r = vec_at(&view->refusals, i);
        free(r->account);
        free(r->what);
    }
    vec_free(&view->refusals);
}
