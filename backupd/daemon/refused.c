#include "backupd/daemon/refused.h"

#include <stdio.h>
#include <string.h>

#include "backupd/daemon/supervisor_internal.h"
#include "common/base/log.h"
#include "common/state/refusals.h"

#include "common/base/banned.h"

void refused_note(struct refused *r, const char *account, const char *what, int64_t now)
{
    size_t i = 0;
    while (i < r->n && strcmp(r->waiting[i].account, account) != 0)
        i++;
    if (i == r->n && r->n + 1 >= REFUSED_ACCOUNTS && strcmp(account, REFUSALS_OTHERS) != 0) {
        refused_note(r, REFUSALS_OTHERS, what, now);
        return;
    }
    if (i == r->n) {
        r->waiting[r->n].count = 0;
        r->waiting[r->n++].first = now;
        (void)snprintf(r->waiting[i].account, sizeof r->waiting[i].account, "%s", account);
    }
    (void)snprintf(r->waiting[i].what, sizeof r->waiting[i].what, "%s", what);
    r->waiting[i].last = now;
    r->waiting[i].count++;
}

/* A clock that was set back does not hold it up. */
static bool is_time(const struct refused *r, int64_t now)
{
    return r->tried == 0 || now < r->tried || now - r->tried >= REFUSED_PAUSE;
}

void refused_write(struct supervisor *s, bool now)
{
    struct refused *r = &s->refused;
    struct error why = ERROR_INIT;
    int64_t time = supervisor_now();
    if (r->n == 0 || (!now && !is_time(r, time)))
        return;
    r->tried = time;
    while (r->n > 0 && ledger_history(s->ledger) != NULL) {
        size_t last = r->n - 1;
        const struct refusal row = { .account = r->waiting[last].account,
                                     .what = r->waiting[last].what,
                                     .first = r->waiting[last].first,
                                     .last = r->waiting[last].last,
                                     .count = r->waiting[last].count };
        if (refusals_add(ledger_history(s->ledger), &row, &why) < 0) {
            if (!r->told)
                log_event(LOG_WARN, "refused logins are not in the history: %s", why.text);
            r->told = true;
            return;
        }
        r->n--;
    }
    r->told = false;
}

int64_t refused_wake(const struct supervisor *s)
{
    return s->refused.n > 0 ? s->refused.tried + REFUSED_PAUSE : INT64_MAX;
}
