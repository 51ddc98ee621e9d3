/*
 * measure_nights - what consecutive nights of the streams of a database cost, and what each stream would take alone.
 *
 *     measure_nights [--avg BYTES] [--scattered] DIR NIGHT...
 *
 * NIGHT is a directory with a file for each stream, for example tables as COPY writes them. Backs them up, one night after the
 * other, into a fresh local repository below DIR (removed by the caller), with the real session, and prints a line per
 * night as `measure` does. --avg sets the average chunk (default: 1 KiB, as for rows); --scattered never stores again what
 * a table left behind.
 */
#include <dirent.h>
#include <fcntl.h>
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
#include "tests/support/world.h"

enum { PATH_LEN = 4096 };

static int put_file(struct session *s, const char *dir, const char *name, uint8_t *block, struct error *err)
{
    char path[PATH_LEN];
    struct stream_writer *out = NULL;
    struct session_stream_options o = { .name = name, .mode_bits = 0600 };
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_sys(err, "%s", path);
    int rc = session_stream(s, &o, &out, err);
    for (ssize_t n = 1; rc == 0 && n > 0;) {
        n = read(fd, block, MIB);
        rc = n < 0 ? error_sys(err, "%s", path) : n > 0 ? stream_write(out, block, (size_t)n, err) : 0;
    }
    (void)close(fd);
    return rc == 0 ? stream_finish(out, NULL, err) : rc;
}

static int no_dots(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static int night(struct world *w, const char *dir, const struct session_options *base,
                 struct session_result *r, struct error *err)
{
    char state[WORLD_PATH_MAX];
    struct session_options o = *base;
    struct session *s = NULL;
    struct dirent **names = NULL;
    int n = scandir(dir, &names, no_dots, alphasort);
    if (n < 0)
        return error_sys(err, "%s", dir);
    uint8_t *block = mem_alloc(MIB, 1, err);
    o.backend = w->backend;
    o.keys = &w->writers[0];
    o.state_dir = world_state(w, 0, state);
    o.label = "measure";
    int rc = block != NULL ? session_begin(&o, &s, err) : E_NOMEM;
    for (int i = 0; i < n; i++) {
        if (rc == 0)
            rc = put_file(s, dir, names[i]->d_name, block, err);
        free(names[i]);
    }
    if (rc == 0)
        rc = session_commit(s, NULL, r, err);
    session_free(s);
    free(names);
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
    struct session_options base = { .level = 3, .chunk_avg = 1024 };
    struct error err = ERROR_INIT;
    uint64_t number = 0;
    int at = 1;
    for (; at < argc && argv[at][0] == '-'; at++) {
        if (strcmp(argv[at], "--scattered") == 0)
            base.scattered = true;
        else if (at + 1 < argc && size_parse(argv[++at], &number, &err) == 0)
            base.chunk_avg = (uint32_t)number;
    }
    if (argc - at < 2) {
        (void)fprintf(stderr, "usage: measure_nights [--avg BYTES] [--scattered] DIR NIGHT...\n");
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
            (void)printf("night=%d logical=%llu fresh=%llu gathered=%llu drained=%llu stored=%llu packs=%llu "
                         "needed=%llu seconds=%.2f cpu=%.2f peak_kib=%ld\n",
                         i - at - 1, (unsigned long long)r.logical, (unsigned long long)r.fresh,
                         (unsigned long long)r.gathered, (unsigned long long)r.drained,
                         (unsigned long long)r.stored, (unsigned long long)r.packs,
                         (unsigned long long)r.needed, (double)(clock_mono_ms() - start) / 1000,
                         cpu_seconds() - cpu, peak_kib());
        (void)fflush(stdout);
    }
    if (rc < 0)
        (void)fprintf(stderr, "measure_nights: %s\n", err.text);
    world_free(&w);
    return rc < 0 ? 1 : 0;
}
