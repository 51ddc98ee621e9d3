#include "backupd/daemon/stall.h"

#include "common/base/clock.h"

#include "common/base/banned.h"

/* Enough looks to be exact to a tenth, and not more often than anybody needs. */
enum { LOOKS = 10, LOOK_MIN_MS = 1000, LOOK_MAX_MS = 60000, BUSY_PERCENT = 2, IO_MIN = 64 * 1024 };

void stall_begin(struct stall *s, uint64_t limit_ms)
{
    uint64_t now = clock_mono_ms();
    *s = (struct stall){ .limit_ms = limit_ms, .moved = now, .looked = now };
}

static uint64_t pause_of(const struct stall *s)
{
    uint64_t pause = s->limit_ms / LOOKS;
    return pause < LOOK_MIN_MS ? LOOK_MIN_MS : pause > LOOK_MAX_MS ? LOOK_MAX_MS : pause;
}

uint64_t stall_look_at(const struct stall *s)
{
    return s->limit_ms != 0 ? s->looked + pause_of(s) : UINT64_MAX;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

bool stall_look(struct stall *s, const struct child_run *run)
{
    struct process_usage usage;
    uint64_t now = clock_mono_ms();
    if (s->limit_ms == 0 || now < stall_look_at(s))
        return false;
    bool moved = run->moves != s->moves || !process_usage(child_pid(run->child), &usage);
    if (!moved) {
        /* Processes of a tree come and go: the sums may fall, which is movement, too. */
        moved = distance(usage.cpu_ms, s->usage.cpu_ms) * 100 > (now - s->looked) * BUSY_PERCENT ||
                distance(usage.io, s->usage.io) >= IO_MIN;
        s->usage = usage;
    }
    s->moves = run->moves;
    s->looked = now;
    if (moved)
        s->moved = now;
    return now - s->moved >= s->limit_ms;
}
