/*
 * measure_nights - what consecutive nights of the streams of a database cost, and what each stream would take alone.
 *
 *     measure_nights [--avg BYTES] [--scattered] [--keep N] DIR NIGHT... | -
 *
 * NIGHT is a directory with a file for each stream: tables as COPY writes them, or NAME.db, a file of 4 KiB pages; `-` reads the names of the
 * directories from standard input, a line each, so that they can be made one after the other. Backs them up, one night after the
 * other, into a fresh local repository below DIR (removed by the caller), with the real session, and prints a line per
 * night as `measure` does; then restores the snapshot, whole, to nowhere: `read` is what had to be fetched for it. `kept` are the bytes of the
 * packs that the last N snapshots (default: all) refer to: what is left on the storage once the others have expired. --avg sets the average chunk (default: 1 KiB, as for rows); --scattered never stores again what
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
#include "common/base/map.h"
#include "common/base/number.h"
#include "common/repo/snapshot.h"
#include "common/stream/stream.h"
#include "tests/support/world.h"

enum { PATH_LEN = 4096 };

static int put_file(struct session *s, const char *dir, const char *name, uint8_t *block, struct error *err)
{
    char path[PATH_LEN];
    struct stream_writer *out = NULL;
    const char *dot = strrchr(name, '.');
    bool pages = dot != NULL && strcmp(dot, ".db") == 0;
    struct session_stream_options o = { .name = name, .mode_bits = 0600, .page_size = pages ? 4096 : 0 };
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

/* ---- reading it back ---- */

static int add_ref(const struct member *m, void *arg, struct error *err)
{
    struct stream_ref *slot = vec_push(arg, err);
    if (slot == NULL)
        return E_NOMEM;
    *slot = m->ref;
    return 0;
}

static int read_stream(const struct snapshot *snap, struct fetcher *f, const struct stream_ref *ref,
                       uint8_t *block, uint64_t *bytes, struct error *err)
{
    struct source *src = snapshot_stream(snap, f, ref, err);
    int64_t n = src != NULL ? 1 : E_NOMEM;
    while (n > 0) {
        n = source_read(src, block, MIB, err);
        *bytes += n > 0 ? (uint64_t)n : 0;
    }
    source_free(src);
    return (int)n;
}

struct night_read {
    uint64_t logical, read;
};

/* Bytes of the packs that the newest `keep` snapshots need. */
static int count_kept(const struct repo *repo, const struct repo_writer *writer, const struct secret *v_w,
                      unsigned keep, uint64_t *kept, struct error *err)
{
    struct map packs = MAP_OF(sizeof(struct pack_key), sizeof(bool));
    size_t n = writer->records.len;
    int rc = 0;
    for (size_t i = keep != 0 && n > keep ? n - keep : 0; rc == 0 && i < n; i++) {
        struct snapshot *snap = NULL;
        rc = snapshot_load(repo, writer, vec_at(&writer->records, i), &snap, err);
        if (rc == 0)
            rc = snapshot_open_view(snap, v_w, err);
        for (size_t k = 0; rc == 0 && k < snap->view.packs.len; k++) {
            const struct pack_key *key = vec_at(&snap->view.packs, k);
            bool added = false;
            if (map_put(&packs, key, &added, err) == NULL)
                rc = E_NOMEM;
            *kept += added ? repo_pack_find(writer, key->session, key->idx, NULL)->size : 0;
        }
        snapshot_free(snap);
    }
    map_free(&packs);
    return rc;
}

static int read_back(struct world *w, unsigned keep, struct night_read *out, uint64_t *kept,
                     struct error *err)
{
    struct repo *repo = NULL;
    struct snapshot *snap = NULL;
    struct fetcher *f = NULL;
    struct vec refs = VEC_OF(struct stream_ref);
    struct repo_options o = { .now = 0 };
    uint8_t *block = mem_alloc(MIB, 1, err);
    int rc = block != NULL ? repo_open(w->backend, w->root_pk, &o, &repo, err) : E_NOMEM;
    struct repo_writer *writer = rc == 0 ? repo_writer_find(repo, w->writers[0].writer_id) : NULL;
    if (rc == 0)
        rc = snapshot_load(repo, writer, repo_head(writer), &snap, err);
    if (rc == 0)
        rc = snapshot_open_view(snap, w->writers[0].v_w, err);
    if (rc == 0)
        rc = count_kept(repo, writer, w->writers[0].v_w, keep, kept, err);
    if (rc == 0) {
        f = fetcher_new(repo, writer, &w->opener, 0, err);
        rc = f != NULL ? snapshot_members(snap, f, add_ref, &refs, err) : E_NOMEM;
    }
    for (size_t i = 0; rc == 0 && i < refs.len; i++)
        rc = read_stream(snap, f, vec_at(&refs, i), block, &out->logical, err);
    if (rc == 0)
        out->read = fetcher_bytes_read(f);
    fetcher_free(f);
    snapshot_free(snap);
    repo_close(repo);
    vec_free(&refs);
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

struct measure {
    struct world w;
    struct session_options base;
    unsigned keep;
    int nights;
    struct night_read first;
};

/* One night, and its line. */
static int one(struct measure *m, const char *dir, struct error *err)
{
    struct session_result r;
    struct night_read got = { 0 };
    uint64_t kept = 0;
    uint64_t start = clock_mono_ms();
    double cpu = cpu_seconds();
    int rc = night(&m->w, dir, &m->base, &r, err);
    double seconds = (double)(clock_mono_ms() - start) / 1000;
    cpu = cpu_seconds() - cpu;
    if (rc == 0)
        rc = read_back(&m->w, m->keep, &got, &kept, err);
    if (rc == 0 && got.logical != r.logical)
        rc = error_set(err, E_INTERNAL, "%llu bytes came back", (unsigned long long)got.logical);
    if (rc < 0)
        return rc;
    if (m->nights == 0)
        m->first = got;
    /* Against what the same bytes took on the first night, when everything lay together. */
    double even = (double)m->first.read * (double)got.logical / (double)m->first.logical;
    (void)printf(
        "night=%d logical=%llu fresh=%llu gathered=%llu drained=%llu stored=%llu packs=%llu needed=%llu "
        "seconds=%.2f cpu=%.2f peak_kib=%ld read=%llu amplification=%.3f kept=%llu\n",
        m->nights++, (unsigned long long)r.logical, (unsigned long long)r.fresh,
        (unsigned long long)r.gathered, (unsigned long long)r.drained, (unsigned long long)r.stored,
        (unsigned long long)r.packs, (unsigned long long)r.needed, seconds, cpu, peak_kib(),
        (unsigned long long)got.read, even > 0 ? (double)got.read / even : 0, (unsigned long long)kept);
    (void)fflush(stdout);
    return 0;
}

static int from_stdin(struct measure *m, struct error *err)
{
    char line[PATH_LEN];
    int rc = 0;
    while (rc == 0 && fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        rc = one(m, line, err);
    }
    return rc;
}

int main(int argc, char **argv)
{
    struct measure m = { .base = { .level = 3, .chunk_avg = 1024 } };
    struct error err = ERROR_INIT;
    uint64_t number = 0;
    int at = 1;
    for (; at < argc && argv[at][0] == '-' && argv[at][1] != '\0'; at++) {
        if (strcmp(argv[at], "--scattered") == 0)
            m.base.scattered = true;
        else if (strcmp(argv[at], "--keep") == 0 && at + 1 < argc &&
                 size_parse(argv[++at], &number, &err) == 0)
            m.keep = (unsigned)number;
        else if (at + 1 < argc && size_parse(argv[++at], &number, &err) == 0)
            m.base.chunk_avg = (uint32_t)number;
    }
    if (argc - at < 2) {
        (void)fprintf(stderr,
                      "usage: measure_nights [--avg BYTES] [--scattered] [--keep N] DIR NIGHT... | -\n");
        return 2;
    }
    mem_settle();
    if (mkdir(argv[at], 0700) != 0 && access(argv[at], W_OK) != 0) {
        perror(argv[at]);
        return 1;
    }
    world_init(&m.w, backend_local(argv[at], &err), 1);
    int rc = 0;
    if (strcmp(argv[at + 1], "-") == 0)
        rc = from_stdin(&m, &err);
    for (int i = at + 1; rc == 0 && i < argc && argv[i][0] != '-'; i++)
        rc = one(&m, argv[i], &err);
    if (rc < 0)
        (void)fprintf(stderr, "measure_nights: %s\n", err.text);
    world_free(&m.w);
    return rc < 0 ? 1 : 0;
}
