/*
 * measure - what consecutive nights of one SQLite database cost, with the real engine and session.
 *
 *     measure [--avg BYTES] [--content] [--level N] DIR DB...
 *
 * Backs up each DB as one night of the same stream into a fresh local repository below DIR (removed by the
 * caller) and prints a line per night: logical, fresh, stored, padding-free bytes, seconds, CPU seconds, peak
 * memory. --content cuts by content instead of pages; --avg sets the average chunk.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/backend/local.h"
#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/number.h"
#include "common/engine/engine.h"
#include "tests/support/world.h"

static int night(struct world *w, const char *db, const struct session_options *base,
                 struct session_result *r, struct error *err)
{
    char state[WORLD_PATH_MAX];
    struct engine_option option = { .key = "path", .value = db };
    struct engine_option name = { .key = "name", .value = "shop.db" };
    struct engine_option options[] = { option, name };
    struct engine_job job = { .name = "measure", .options = options, .noptions = 2 };
    struct session_options o = *base;
    struct session *s = NULL;
    struct stream_writer *out = NULL;
    struct engine_stream stream;
    struct engine_run *run = NULL;
    const struct engine *e = engine_find("sqlite", err);
    uint8_t *block = mem_alloc(MIB, 1, err);
    o.backend = w->backend;
    o.keys = &w->writers[0];
    o.state_dir = world_state(w, 0, state);
    o.label = "measure";
    int rc = block != NULL ? session_begin(&o, &s, err) : E_NOMEM;
    run = rc == 0 ? e->open(&job, err) : NULL;
    if (rc == 0)
        rc = run != NULL ? e->next(run, &stream, err) : err->code;
    if (rc == 1) {
        struct session_stream_options so = { .name = stream.name,
                                             .page_size = stream.page_size,
                                             .mode_bits = 0640 };
        rc = session_stream(s, &so, &out, err);
    }
    for (int64_t n = 1; rc == 0 && n > 0;) {
        n = e->read(run, block, MIB, err);
        rc = n < 0 ? (int)n : n > 0 ? stream_write(out, block, (size_t)n, err) : 0;
    }
    if (rc == 0)
        rc = stream_finish(out, NULL, err);
    if (rc == 0)
        rc = e->finish(run, err);
    if (rc == 0)
        rc = session_commit(s, NULL, r, err);
    if (run != NULL)
        e->close(run);
    session_free(s);
    free(block);
    return rc;
}

static double cpu_seconds(void)
{
    struct rusage u;
    (void)getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_utime.tv_sec + (double)u.ru_utime.tv_usec / 1e6 + (double)u.ru_stime.tv_sec +
           (double)u.ru_stime.tv_usec / 1e6;
}

static long peak_kib(void)
{
    struct rusage u;
    (void)getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss;
}

int main(int argc, char **argv)
{
    struct session_options base = { .level = 3 };
    struct error err = ERROR_INIT;
    uint64_t number = 0;
    int at = 1;
    for (; at < argc && argv[at][0] == '-'; at++) {
        if (strcmp(argv[at], "--content") == 0) {
            base.force_content = true;
        } else if (at + 1 < argc && size_parse(argv[at + 1], &number, &err) == 0) {
            if (strcmp(argv[at], "--avg") == 0)
                base.chunk_avg = (uint32_t)number;
            else if (strcmp(argv[at], "--level") == 0)
                base.level = (int)number;
            at++;
        }
    }
    if (argc - at < 2) {
        (void)fprintf(stderr, "usage: measure [--avg BYTES] [--content] [--level N] DIR DB...\n");
        return 2;
    }
    struct world w;
    mem_settle();
    if (mkdir(argv[at], 0700) != 0 && access(argv[at], W_OK) != 0) {
        perror(argv[at]);
        return 1;
    }
    world_init(&w, backend_local(argv[at], &err), 1);
    int rc = 0;
    for (int i = at + 1; rc == 0 && i < argc; i++) {
        struct session_result r;
        uint64_t start = clock_mono_ms();
        double cpu = cpu_seconds();
        rc = night(&w, argv[i], &base, &r, &err);
        if (rc == 0)
            (void)printf("night=%d logical=%llu fresh=%llu stored=%llu packs=%llu seconds=%.2f cpu=%.2f "
                         "peak_kib=%ld\n",
                         i - at - 1, (unsigned long long)r.logical, (unsigned long long)r.fresh,
                         (unsigned long long)r.stored, (unsigned long long)r.packs,
                         (double)(clock_mono_ms() - start) / 1000, cpu_seconds() - cpu, peak_kib());
        (void)fflush(stdout);
    }
    if (rc < 0)
        (void)fprintf(stderr, "measure: %s\n", err.text);
    world_free(&w);
    return rc < 0 ? 1 : 0;
}
