/*
 * engine_drain - drives the engine of a job through its contract and throws the bytes away: what reading alone costs.
 *
 *     engine_drain [--facts | --stall STREAM FIFO] CONFIG JOB
 *
 * Prints "streams N bytes N wall SECONDS cpu SECONDS", where cpu is of this process and of the children it waited
 * for (pg_dump and the like). --facts prints before it a line "stream NAME BYTES" and the facts of each stream,
 * indented, and those of the run. --stall reads once from that stream, prints "stalled", and then nothing until
 * somebody opened the FIFO for writing and closed it: a storage that does not take more. Exits with 0 only after the engine's own verdict.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/access/access.h"
#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/conf/conf.h"
#include "common/crypto/secret.h"
#include "common/engine/engine.h"

#include "common/base/banned.h"

enum { BLOCK = 1 << 20 };

struct drain {
    const struct engine *engine;
    struct engine_run *run;
    uint8_t *block;
    uint64_t streams;
    uint64_t bytes;
    bool facts;
    const char *stall; /* a stream; NULL: none */
    const char *fifo;
};

static double cpu_of(int who)
{
    struct rusage use;
    (void)getrusage(who, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

static void print_facts(const struct buf *facts)
{
    const char *end = (const char *)facts->data + facts->len;
    for (const char *at = (const char *)facts->data; at != NULL && at < end;) {
        const char *line = memchr(at, '\n', (size_t)(end - at));
        size_t len = line != NULL ? (size_t)(line - at) : (size_t)(end - at);
        printf("  %.*s\n", (int)len, at);
        at += len + 1;
    }
}

static void stall(struct drain *d)
{
    char none;
    puts("stalled");
    (void)fflush(stdout);
    int fd = open(d->fifo, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && read(fd, &none, 1) > 0)
        ;
    if (fd >= 0)
        (void)close(fd);
    d->stall = NULL;
}

static int drain_one(struct drain *d, const struct engine_stream *s, struct error *err)
{
    struct buf facts = BUF_INIT;
    const void *data = NULL;
    uint64_t len = 0;
    int64_t n = s->entry != NULL && s->entry->type != CATALOG_REGULAR ? 0 : 1;
    char name[1024];
    (void)snprintf(name, sizeof name, "%s", s->name);
    while (n > 0) {
        n = engine_lend(d->engine, d->run, d->block, BLOCK, &data, err);
        len += n > 0 ? (uint64_t)n : 0;
        if (d->stall != NULL && strcmp(d->stall, name) == 0) {
            stall(d);
        }
    }
    int rc = n < 0 ? (int)n : 0;
    if (rc == 0)
        rc = d->engine->stream_facts(d->run, &facts, err);
    if (rc == 0 && d->facts) {
        printf("stream %s %llu\n", name, (unsigned long long)len);
        print_facts(&facts);
    }
    buf_free(&facts);
    d->streams++;
    d->bytes += len;
    return rc;
}

static int drain_run(struct drain *d, const struct engine_job *job, struct error *err)
{
    struct engine_stream s;
    struct buf facts = BUF_INIT;
    d->run = d->engine->open(job, err);
    int rc = d->run != NULL ? 1 : err->code;
    while (rc > 0 && (rc = d->engine->next(d->run, &s, err)) > 0) {
        int done = drain_one(d, &s, err);
        rc = done < 0 ? done : 1;
    }
    if (rc == 0)
        rc = d->engine->finish(d->run, err);
    if (rc == 0)
        rc = d->engine->run_facts(d->run, &facts, err);
    if (rc == 0 && d->facts) {
        printf("run\n");
        print_facts(&facts);
    }
    buf_free(&facts);
    d->engine->close(d->run);
    return rc;
}

static int drain_job(struct drain *d, const struct conf *conf, const char *name, struct error *err)
{
    struct engine_job job = { .name = NULL };
    const struct conf_job *found = conf_find_job(conf, name, err);
    if (found == NULL || (d->engine = engine_find(found->engine, err)) == NULL ||
        (d->block = mem_alloc(1, BLOCK, err)) == NULL)
        return err->code;
    int rc = access_job(conf, found, &job, err);
    if (rc == 0)
        rc = drain_run(d, &job, err);
    access_job_free(&job);
    free(d->block);
    return rc;
}

static void on_event(enum log_level level, const char *text, void *arg)
{
    (void)arg;
    if (level >= LOG_WARN)
        fprintf(stderr, "engine_drain: %s\n", text);
}

int main(int argc, char **argv)
{
    struct conf_problems problems = CONF_PROBLEMS_INIT;
    struct error err = ERROR_INIT;
    struct drain d = { .facts = argc == 4 && strcmp(argv[1], "--facts") == 0 };
    if (argc == 6 && strcmp(argv[1], "--stall") == 0) {
        d.stall = argv[2];
        d.fifo = argv[3];
    }
    if (argc != 3 + d.facts + (d.stall != NULL ? 3 : 0)) {
        fprintf(stderr, "usage: engine_drain [--facts | --stall STREAM FIFO] CONFIG JOB\n");
        return 2;
    }
    log_to(on_event, NULL);
    uint64_t began = clock_mono_ms();
    struct conf *conf =
        crypto_init(&err) == 0 ? access_configuration(argv[argc - 2], true, &problems, &err) : NULL;
    int rc = conf != NULL ? drain_job(&d, conf, argv[argc - 1], &err) : err.code;
    if (rc < 0)
        fprintf(stderr, "engine_drain: %s: %s\n", error_code_name(rc), err.text);
    else
        printf("streams %llu bytes %llu wall %.3f cpu %.3f\n", (unsigned long long)d.streams,
               (unsigned long long)d.bytes, (double)(clock_mono_ms() - began) / 1000.0,
               cpu_of(RUSAGE_SELF) + cpu_of(RUSAGE_CHILDREN));
    conf_problems_free(&problems);
    conf_free(conf);
    return rc < 0;
}
