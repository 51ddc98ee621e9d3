/* R2: decisions. What readers would refuse (docs/format.md 8, check 5) is refused here, with a reason for people. */
#include <string.h>

#include "common/repo/prune_internal.h"
#include "common/base/banned.h"

enum { DAY = 86400 };

bool prune_lives_after(const struct prune_snapshot *s)
{
    if (s->decided && s->decision == RETENTION_EXPIRE)
        return false;
    return s->state == PRUNE_LIVE ||
           (s->state == PRUNE_EXPIRED && s->decided && s->decision == RETENTION_REVIVE);
}

bool prune_held_after(const struct prune_snapshot *s)
{
    if (s->decided && (s->decision == RETENTION_HOLD || s->decision == RETENTION_RELEASE))
        return s->decision == RETENTION_HOLD;
    return s->held;
}

/* A line of the last record, or NULL. */
static const struct retention_head *line_before(const struct prune *p, const uint8_t *writer)
{
    const struct repo_retention *last = repo_retention_head(p->repo);
    return last != NULL ? retention_head_of(&last->rec, writer) : NULL;
}

static bool was_seen(const struct prune *p, const struct prune_snapshot *s)
{
    const struct retention_head *line = line_before(p, s->writer->id);
    return line != NULL && line->head >= s->record->rec.seq;
}

static const char *cannot_expire(const struct prune *p, const struct prune_snapshot *s, bool by_name)
{
    uint64_t keep = (uint64_t)repo_charter(p->repo)->min_keep_days * DAY;
    if (!p->clock_trusted)
        return "nothing expires while this host's clock is not trusted";
    if (s->state == PRUNE_VOID)
        return "it is void: no snapshot";
    if (s->state == PRUNE_EXPIRED)
        return "it is expired already";
    if (s->held)
        return "it is held; release it first";
    if (s->newest)
        return "it is the newest of its writer, which never expires";
    if (!by_name && p->time - s->first_seen < keep)
        return "it is younger than the repository's min-keep; it can only be expired by name, with a note";
    return NULL;
}

static const char *cannot(const struct prune *p, const struct prune_snapshot *s, enum retention_op_kind op,
                          bool by_name)
{
    if (!p->clock_trusted && !was_seen(p, s))
        return "no retention record has seen it yet, and this host's clock is not trusted";
    switch (op) {
    case RETENTION_EXPIRE:
        return cannot_expire(p, s, by_name);
    case RETENTION_REVIVE:
        if (s->state != PRUNE_EXPIRED)
            return "it is not expired";
        return s->revivable ? NULL : "its object or one of its packs is gone";
    case RETENTION_HOLD:
    case RETENTION_RELEASE:
        return NULL;
    default:
        return "there is no such operation";
    }
}

int prune_decide(struct prune *p, size_t i, enum retention_op_kind op, bool by_name, struct error *err)
{
    if (i >= p->snapshots.len)
        return error_set(err, E_INTERNAL, "a decision about snapshot %zu of %zu", i, p->snapshots.len);
    struct prune_snapshot *s = prune_snapshot_at(p, i);
    if (p->halted)
        return error_set(err, E_CONFLICT,
                         "the retention log or the charter shows an alarm: nothing can be decided");
    if (op == RETENTION_EXPIRE && !by_name && prune_blocked(p, s->writer->id))
        return error_set(err, E_CONFLICT, "session %u cannot expire: this writer shows an alarm",
                         s->record->rec.session);
    const char *why = cannot(p, s, op, by_name);
    if (why != NULL)
        return error_set(err, E_USAGE, "%s/%u: %s", s->readable ? s->view.label : "?", s->record->rec.session,
                         why);
    s->decided = true;
    s->by_name = by_name;
    s->decision = op;
    return 0;
}

void prune_forget_decisions(struct prune *p)
{
    for (size_t i = 0; i < p->snapshots.len; i++)
        prune_snapshot_at(p, i)->decided = false;
    for (size_t i = 0; i < p->writers.len; i++)
        prune_writer_at(p, i)->cut_off = false;
}

int prune_cut_off(struct prune *p, const uint8_t writer[WRITER_ID_LEN], struct error *err)
{
    for (size_t i = 0; i < p->writers.len; i++) {
        struct prune_writer *pw = prune_writer_at(p, i);
        if (memcmp(pw->w->id, writer, WRITER_ID_LEN) != 0)
            continue;
        pw->cut_off = true;
        return 0;
    }
    return error_set(err, E_NOT_FOUND, "there is no such writer");
}
