/*
 * prune_help.h - a world with a retention host, nights and runs, for the tests of prune.h.
 *
 * The clock is the tests' own: `now`. Each night of a writer has a stream "same", that all nights share, and a stream
 * "own" that only it has: so every night has a pack of its own, and needs that one and the first night's.
 *
 * For that a catalog has to be one chunk (CHUNK_AVG: its smallest chunk is larger). Most of a catalog is the same every night,
 * where it would be cut depends on the world's random keys, and a piece of it in an older pack would make a night need
 * that pack, too: correct, but then no number of packs is known beforehand.
 */
#ifndef TESTS_UNIT_REPO_PRUNE_HELP_H
#define TESTS_UNIT_REPO_PRUNE_HELP_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/backend/fault.h"
#include "common/backend/memory.h"
#include "common/base/clock.h"
#include "common/repo/prune.h"
#include "tests/support/world.h"

enum { SAME = 60000, OWN = 20000, CHUNK_AVG = 32768, HOUR = 3600, DAYS = 86400 };

static uint64_t now = 1800000000;

static uint64_t fake_wall(void *arg)
{
    (void)arg;
    return now;
}
static uint64_t fake_mono(void *arg)
{
    (void)arg;
    return now * 1000;
}
static const struct clock_source fake_clock = { .wall = fake_wall, .mono_ms = fake_mono };

struct night {
    uint8_t same[SAME];
    uint8_t own[OWN];
    struct world_stream streams[2];
};

static inline struct night *night_of(size_t writer, uint32_t number)
{
    struct night *n = malloc(sizeof *n);
    ck_assert_ptr_nonnull(n);
    world_fill(n->same, SAME, 77 + writer, true);
    world_fill(n->own, OWN, writer * 100000 + number, false);
    n->streams[0] = (struct world_stream){ .name = "same", .data = n->same, .len = SAME };
    n->streams[1] = (struct world_stream){ .name = "own", .data = n->own, .len = OWN };
    return n;
}

static inline int backup_rc(struct world *w, size_t writer, uint32_t number, struct error *err)
{
    struct session_result r;
    struct night *n = night_of(writer, number);
    int rc = world_backup(w, writer, n->streams, 2, &r, err);
    free(n);
    return rc;
}

static inline void backup(struct world *w, size_t writer, uint32_t number)
{
    struct error err = ERROR_INIT;
    ck_assert_msg(backup_rc(w, writer, number, &err) == 0, "%s", err.text);
}

static inline void nights(struct world *w, size_t writer, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i <= to; i++, now += DAYS)
        backup(w, writer, i);
}

static inline struct prune_options host_of(struct world *w)
{
    static char state[WORLD_PATH_MAX + 16];
    (void)snprintf(state, sizeof state, "%s/retention", w->dir);
    return (
        struct prune_options){ .backend = w->backend, .keys = &w->retention, .state_dir = state, .now = now };
}

static inline struct prune *open_host(const struct prune_options *o)
{
    struct error err = ERROR_INIT;
    struct prune *p = NULL;
    ck_assert_msg(prune_open(o, &p, &err) == 0, "%s", err.text);
    return p;
}

/* The snapshot of this writer and seq. */
static inline size_t at(const struct prune *p, const struct world *w, size_t writer, uint32_t seq)
{
    const struct vec *v = prune_snapshots(p);
    for (size_t i = 0; i < v->len; i++) {
        const struct prune_snapshot *s = vec_at(v, i);
        if (s->seq == seq && memcmp(s->writer->id, w->writers[writer].writer_id, WRITER_ID_LEN) == 0)
            return i;
    }
    ck_abort_msg("no snapshot %u of writer %zu", seq, writer);
}

static inline void decide(struct prune *p, const struct world *w, uint32_t seq, enum retention_op_kind op)
{
    struct error err = ERROR_INIT;
    ck_assert_msg(prune_decide(p, at(p, w, 0, seq), op, false, &err) == 0, "%s", err.text);
}

static inline struct prune_plan finish(struct prune *p)
{
    struct error err = ERROR_INIT;
    struct prune_plan plan;
    ck_assert_msg(prune_run(p, NULL, &plan, &err) == 0, "%s", err.text);
    prune_close(p);
    return plan;
}

/* A run without decisions. */
static inline struct prune_plan run(struct world *w)
{
    struct prune_options o = host_of(w);
    return finish(open_host(&o));
}

/* A run that expires these seqs of writer 0 (0 ends the list). */
static inline struct prune_plan expire(struct world *w, const uint32_t *seqs)
{
    struct prune_options o = host_of(w);
    struct prune *p = open_host(&o);
    for (; *seqs != 0; seqs++)
        decide(p, w, *seqs, RETENTION_EXPIRE);
    return finish(p);
}

static inline size_t count_entry(const char *name)
{
    return name[0] != '.';
}
static inline int count_one(const char *name, const struct backend_stat *st, void *arg, struct error *err)
{
    (void)st;
    (void)err;
    *(size_t *)arg += count_entry(name);
    return 0;
}
/* Files in w/WRITER/<sub>. */
static inline size_t files(struct world *w, size_t writer, const char *sub)
{
    char dir[NAME_TEXT_MAX];
    size_t n = 0;
    ck_assert_int_eq(backend_list(w->backend, name_writer_sub(dir, w->writers[writer].writer_id, sub),
                                  count_one, &n, NULL),
                     0);
    return n;
}

static inline void expect_level(struct world *w, enum check_level level)
{
    struct error err = ERROR_INIT;
    char names[512];
    int rc = world_verify(w, level, names, sizeof names, &err);
    ck_assert_msg(rc == 0, "verify: %d %s %s", rc, names, err.text);
}

static inline void expect_sound(struct world *w)
{
    expect_level(w, CHECK_L3);
}

static inline void world_with_host(struct world *w, size_t nwriters)
{
    clock_fake(&fake_clock);
    world_init(w, backend_memory(NULL), nwriters);
    w->session_chunk_avg = CHUNK_AVG;
}

static inline void forget_host(struct world *w)
{
    char command[WORLD_PATH_MAX + 64];
    (void)snprintf(command, sizeof command, "rm -rf '%s/retention'", w->dir);
    ck_assert_int_eq(system(command), 0);
}

static inline void end(struct world *w)
{
    forget_host(w);
    world_free(w);
    clock_fake(NULL);
}

#endif
