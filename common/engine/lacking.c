#include "common/engine/lacking.h"

#include <stdio.h>

#include "common/base/str.h"

#include "common/base/banned.h"

enum { SHOWN = 2, TEXT_MAX = 1024 };

void lacking_collect(enum engine_plan_kind kind, const char *what, const char *cure, void *arg)
{
    struct lacking *l = arg;
    char shown[TEXT_MAX];
    if (kind != PLAN_MISSING || l->n++ >= SHOWN)
        return;
    (void)buf_printf(&l->list, NULL, "%s%s%s%s", l->n != 1 ? "; " : "",
                     str_printable(shown, sizeof shown, what), cure != NULL ? ": " : "",
                     cure != NULL ? cure : "");
}

int lacking_end(struct lacking *l, const char *where, int rc, struct error *err)
{
    char more[64] = "";
    if (rc == 0 && l->n != 0)
        rc = buf_append(&l->list, "", 1, err);
    if (l->n > SHOWN)
        (void)snprintf(more, sizeof more, "; and %zu more, which `restore plan` lists", l->n - SHOWN);
    if (rc == 0 && l->n != 0)
        rc = error_set(err, E_UNSUPPORTED, "%s: %s%s; nothing was changed", where, (const char *)l->list.data,
                       more);
    buf_free(&l->list);
    return rc;
}
