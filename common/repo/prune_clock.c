/* The clock of a retention host: a wrong one must not expire anything (docs/format.md 8, "Policy clock"). */
#include <stdio.h>
#include <string.h>

#include "common/base/number.h"
#include "common/repo/prune_internal.h"
#include "common/base/banned.h"

/* Junk by name, so that every reader passes over it. */
#define PROBE "ret/clock"

/* The storage's time, from a file just written; 0 when it does not say. */
static int storage_time(struct backend *b, uint64_t *out, struct error *err)
{
    static const char text[] = "Written by retention to see the storage's clock; it may be removed.\n";
    struct error why = ERROR_INIT;
    struct backend_stat st = { .mtime = 0 };
    int rc = backend_remove(b, PROBE, &why); /* of a run that was cut */
    if (rc < 0 && rc != E_NOT_FOUND)
        return error_copy(err, &why);
    rc = backend_put(b, PROBE, text, sizeof text - 1, err);
    rc = rc < 0 ? rc : backend_stat(b, PROBE, &st, err);
    rc = rc < 0 ? rc : backend_remove(b, PROBE, err);
    *out = st.mtime;
    return rc < 0 ? error_wrap(err, "look at the storage's clock") : 0;
}

static int distrust(struct prune *p, const char *what, uint64_t other, struct error *err)
{
    char now[NUMBER_TEXT_MAX];
    char then[NUMBER_TEXT_MAX];
    p->clock_trusted = false;
    return prune_alarm(
        p, NULL, "CLOCK", err,
        "this host's clock says %s, %s %s: nothing is expired or deleted until a person confirms "
        "that this host's clock is right",
        time_format(now, p->options.now), what, time_format(then, other));
}

/* Against the last record. Sets T. */
static int against_log(struct prune *p, struct error *err)
{
    const struct repo_retention *last = repo_retention_head(p->repo);
    uint64_t now = p->options.now;
    p->time = now;
    if (last == NULL)
        return 0;
    bool behind = now + PRUNE_BEHIND_MAX < last->clock;
    bool ahead = now > last->clock + RETENTION_CLOCK_STEP;
    if (now < last->clock || ((behind || ahead) && !p->options.confirm_clock))
        p->time = last->clock;
    if (!behind && !ahead)
        return 0;
    if (!p->options.confirm_clock)
        return distrust(
            p, behind ? "behind the last retention record," : "far ahead of the last retention record,",
            last->clock, err);
    if (ahead)
        p->catch_up = (now - last->clock - 1) / RETENTION_CLOCK_STEP;
    if (p->catch_up > PRUNE_CATCH_UP_MAX)
        return error_set(err, E_USAGE,
                         "this host's clock is more than %d weeks ahead of the last retention record",
                         PRUNE_CATCH_UP_MAX);
    return 0;
}

int prune_clock_check(struct prune *p, struct error *err)
{
    uint64_t storage = 0;
    p->clock_trusted = true;
    int rc = against_log(p, err);
    if (rc < 0 || p->options.dry_run || p->halted || p->options.confirm_clock || !p->clock_trusted)
        return rc;
    rc = storage_time(p->repo->backend, &storage, err);
    if (rc < 0 || storage == 0)
        return rc;
    uint64_t apart = storage > p->options.now ? storage - p->options.now : p->options.now - storage;
    if (apart <= PRUNE_STORAGE_MAX)
        return 0;
    const struct repo_retention *last = repo_retention_head(p->repo);
    p->time = last != NULL ? last->clock : p->time;
    return distrust(p, "but the storage's says", storage, err);
}
