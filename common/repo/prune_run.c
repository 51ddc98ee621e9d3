/* A run: plan, catch up the policy clock, publish, remove. */
#include <string.h>

#include "common/base/str.h"
#include "common/repo/prune_internal.h"
#include "common/base/banned.h"

int prune_plan(struct prune *p, struct prune_plan *plan, struct error *err)
{
    struct retention_record r;
    retention_init(&r);
    int rc = prune_build(p, &r, plan, err);
    if (rc == 0)
        vec_sort(&r.deleted, retention_item_order);
    if (rc == 0 && !p->halted)
        rc = prune_remove(p, plan->publishes ? &r : NULL, false, plan, err);
    retention_free(&r);
    return rc;
}

/* Only what a person decided may come with a note, and what needs one does not go without. */
static int check_note(const struct prune *p, const char *note, struct error *err)
{
    if (note != NULL && (note[0] == '\0' || strlen(note) > PRUNE_NOTE_MAX || !utf8_valid(note, strlen(note))))
        return error_set(err, E_USAGE, "a note is 1 to %d bytes of UTF-8", PRUNE_NOTE_MAX);
    for (size_t i = 0; note == NULL && i < p->snapshots.len; i++) {
        const struct prune_snapshot *s = prune_snapshot_at(p, i);
        if (s->decided && s->by_name)
            return error_set(err, E_USAGE,
                             "what a person decides about a snapshot by name needs a note: who, why");
    }
    return 0;
}

/* Records that say nothing but the time: the policy clock goes 7 days in one. */
static int catch_up(struct prune *p, struct error *err)
{
    int rc = 0;
    for (uint64_t i = 0; rc == 0 && i < p->catch_up; i++) {
        struct retention_record r;
        bool moved = false;
        const struct repo_retention *last = repo_retention_head(p->repo);
        retention_init(&r);
        memcpy(r.repo_id, p->repo->repo_id, REPO_ID_LEN);
        r.charter = repo_charter(p->repo)->version;
        r.time = last->clock + RETENTION_CLOCK_STEP;
        rc = prune_add_heads(p, true, &r, &moved, err);
        rc = rc < 0 ? rc : prune_publish(p, &r, NULL, err);
        retention_free(&r);
    }
    return rc;
}

static int publish_and_remove(struct prune *p, struct retention_record *r, const char *note,
                              struct prune_plan *plan, struct error *err)
{
    int rc = 0;
    if (plan->publishes) {
        rc = catch_up(p, err);
        rc = rc < 0 ? rc : prune_publish(p, r, note, err);
        if (rc == 0 && repo_alarms(p->repo, NULL) == 0)
            rc = prune_save_marks(p, err);
    }
    return rc < 0 ? rc : prune_remove(p, NULL, true, plan, err);
}

int prune_run(struct prune *p, const char *note, struct prune_plan *plan, struct error *err)
{
    struct retention_record r;
    if (p->options.dry_run || p->done)
        return error_set(err, E_INTERNAL, "a retention run that was opened dry, or was over");
    int rc = check_note(p, note, err);
    rc = rc < 0 ? rc : prune_plan(p, plan, err);
    if (rc < 0)
        return rc;
    if (p->halted)
        return error_set(err, E_CONFLICT,
                         "the retention log or the charter shows an alarm: nothing is published or removed");
    retention_init(&r);
    p->done = true;
    struct prune_plan again;
    rc = prune_build(p, &r, &again, err);
    rc = rc < 0 ? rc : publish_and_remove(p, &r, note, plan, err);
    retention_free(&r);
    return rc;
}
