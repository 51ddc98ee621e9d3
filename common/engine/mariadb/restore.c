#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/fact.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/engine/mariadb/restore.h"

#include "common/base/banned.h"

/* They fire when the server's scheduler runs, which is left as it is. */
static int tell_events(struct maria_target *t, const struct maria_plan *p, struct error *err)
{
    uint64_t events = 0;
    if (!fact_number(p->code_facts, "events", &events) || events == 0)
        return 0;
    char *scheduler = maria_text(&t->c, "SELECT @@event_scheduler", err);
    if (scheduler == NULL)
        return maria_failed(err);
    if (strcmp(scheduler, "ON") == 0)
        log_event(LOG_WARN,
                  "%s: %llu events were restored, and this server's event_scheduler is ON: they run",
                  t->c.where, (unsigned long long)events);
    free(scheduler);
    return 0;
}

static int fill_code(struct maria_target *t, struct maria_plan *p, struct error *err)
{
    maria_plan_phase(p, "sequences");
    int rc = maria_run_sequences(t, p, err);
    maria_plan_phase(p, "triggers, routines, views");
    if (rc == 0)
        rc = maria_run_script(t, p, "code.sql", err);
    if (rc == 0 && p->target->create_roles)
        rc = maria_make_users(t, p, err);
    return rc == 0 && !p->partial ? maria_tell_definers(t, p, err) : rc;
}

static int fill(struct maria_target *t, struct maria_plan *p, struct error *err)
{
    maria_plan_phase(p, "definitions");
    int rc = p->partial ? maria_parts_find(t, p, err) : 0;
    if (rc == 0)
        rc = maria_run_script(t, p, "schema.sql", err);
    if (rc == 0 && p->target->defined != NULL)
        rc = p->target->defined(p->target->drill_arg, err);
    if (rc == 0)
        rc = maria_load_tables(t, p, err);
    if (rc == 0)
        rc = fill_code(t, p, err);
    if (rc == 0 && p->target->loaded != NULL)
        rc = p->target->loaded(p->target->drill_arg, err);
    maria_plan_phase(p, "comparing");
    if (rc == 0 && !p->target->no_verify)
        rc = maria_compare(t, p, err);
    if (rc == 0)
        rc = maria_run_after(t, p, err);
    if (rc == 0 && p->partial && p->target->left != NULL)
        rc = buf_printf(
            p->target->left, err,
            "Views, routines and events are not made, also those that triggers of these tables call: they are "
            "in code.sql (restore cat).\n");
    return rc == 0 && !p->partial ? tell_events(t, p, err) : rc;
}

static int fill_marked(struct maria_target *t, struct maria_plan *p, struct error *err)
{
    struct error why = ERROR_INIT;
    char shown[200];
    int rc = maria_target_begin(t, p, err);
    if (rc < 0)
        return rc;
    rc = fill(t, p, &why);
    if (rc == 0)
        rc = maria_target_end(t, p, &why);
    if (rc == 0)
        return 0;
    rc = error_copy(err, &why);
    if (p->target->drill_arg != NULL) /* nothing of it stays */
        return rc;
    return error_wrap(
        err,
        "%s: database %s holds only a part of the snapshot and must not be used (its comment says so, "
        "too); drop it (DROP DATABASE) and restore into a new one",
        t->c.where, str_printable(shown, sizeof shown, t->goal.database));
}

static void warn_absent(const char *text, void *arg)
{
    (void)arg;
    log_event(LOG_WARN, "%s", text);
}

int maria_look(const struct engine_target *target, struct error *err)
{
    struct maria_target t;
    if (target->data_only)
        return error_set(err, E_UNSUPPORTED,
                         "the engine mariadb does not restore rows alone; restore into a new database");
    int rc = maria_target_open(target, &t, err);
    maria_target_close(&t);
    return rc;
}

int maria_restore(const struct engine_streams *streams, const struct engine_target *target, struct error *err)
{
    struct maria_plan plan = { .streams = NULL };
    struct maria_target t;
    int rc = maria_target_open(target, &t, err);
    if (rc == 0)
        rc = maria_plan_make(&plan, streams, target, err);
    if (rc == 0 && plan.partial && target->create_roles)
        rc = error_set(err, E_USAGE, "--create-roles is for a whole database");
    if (rc == 0)
        rc = maria_fits_or_fail(&t, &plan, err);
    if (rc == 0)
        rc = maria_absent(&plan, warn_absent, NULL, err);
    if (rc == 0)
        rc = fill_marked(&t, &plan, err);
    maria_plan_free(&plan);
    maria_target_close(&t);
    return rc;
}
