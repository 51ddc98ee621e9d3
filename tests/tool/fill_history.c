/*
 * fill_history FILE SEED NIGHTS NOW JOB... - writes a history as a daemon would have had it: so many nights of each job up to NOW
 * (seconds since 1970), with sizes that grow, failures, skipped nights, a night that was tried twice. The same seed
 * gives the same history. JOB is a name, or NAME=KIND with KIND good (default), failing, stopped, cancelled, missed, stale, new, warning,
 * running, paused, unusual or hostile (texts full of markup).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/number.h"
#include "common/state/history.h"
#include "common/base/banned.h"

enum { DAY = 86400, RESULT_MAX = 512 };

static const char markup[] =
    "<script>alert(1)</script> \"quoted\" 'single' & <b onclick=x> \xe2\x80\xae txet\nline";

static uint64_t state;

static uint64_t draw(uint64_t n)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (state >> 33) % n;
}

static void die(const struct error *err)
{
    (void)fprintf(stderr, "fill_history: %s\n", err->text);
    exit(1);
}

struct filling {
    struct history *h;
    const char *job;
    const char *kind;
    int64_t now;
    uint64_t size;
};

static int is(const struct filling *f, const char *kind)
{
    return strcmp(f->kind, kind) == 0;
}

static int64_t begin(struct filling *f, int64_t due, int64_t started, unsigned attempt)
{
    struct error err = ERROR_INIT;
    struct history_run run = { .job = f->job,
                               .reason =
                                   attempt > 1 ? "once more, after a failure that may have passed" : "due",
                               .due = due,
                               .started = started,
                               .attempt = attempt,
                               .count = 1 };
    int64_t id = 0;
    if (history_begin(f->h, &run, NULL, &id, &err) < 0)
        die(&err);
    return id;
}

static void end(struct filling *f, int64_t id, int64_t ended, enum history_verdict verdict, const char *text)
{
    struct error err = ERROR_INIT;
    char result[RESULT_MAX] = "";
    uint64_t fresh = f->size / 40 + draw(f->size / 40 + 1);
    if (verdict == HISTORY_OK || verdict == HISTORY_WARNING)
        (void)snprintf(
            result, sizeof result,
            "{\"message_type\":\"summary\",\"total_bytes_processed\":%" PRIu64 ",\"data_added\":%" PRIu64
            ",\"data_added_packed\":%" PRIu64 ",\"receipt\":\"abcd\"%s}",
            f->size, fresh, fresh / 3,
            is(f, "unusual") ? ",\"anomalies\":[{\"kind\":\"rows\",\"what\":\"table t has <few> rows\"}]"
                             : "");
    struct history_run run = { .ended = ended, .verdict = verdict, .text = text, .result = result };
    run.exit_code = verdict == HISTORY_OK ? 0 : verdict == HISTORY_WARNING ? 3 : 1;
    if (history_end(f->h, id, &run, NULL, &err) < 0)
        die(&err);
}

static void finish_well(struct filling *f, int64_t id, int64_t at, int warning)
{
    end(f, id, at, warning ? HISTORY_WARNING : HISTORY_OK,
        warning ? "2 files could not be read: see the warnings" : "");
}

static void skip(struct filling *f, int64_t due, const char *why)
{
    struct error err = ERROR_INIT;
    struct history_run run = {
        .job = f->job, .reason = why, .due = due, .count = 1, .ended = due + 60, .verdict = HISTORY_SKIPPED
    };
    if (history_skip(f->h, &run, NULL, &err) < 0)
        die(&err);
}

static void night(struct filling *f, int64_t due, int last)
{
    uint64_t luck = draw(100);
    int64_t took = 200 + (int64_t)draw(400);
    int64_t started = due + (int64_t)draw(5);
    const char *text = is(f, "hostile") ? markup : "server 'db1' closed the connection unexpectedly";
    f->size += f->size / 200 + draw(f->size / 100 + 1);
    if ((last && is(f, "missed")) || (luck < 3 && !(last && is(f, "cancelled")))) {
        skip(f, due, last && is(f, "hostile") ? markup : "could not start within its window");
        return;
    }
    int64_t id = begin(f, due, started, 1);
    if (last && is(f, "running"))
        return;
    if (last && (is(f, "failing") || is(f, "hostile")))
        end(f, id, started + took, HISTORY_FAILED, text);
    else if (last && is(f, "stopped"))
        end(f, id, started + took, HISTORY_STOPPED, "its window is over");
    else if (last && is(f, "cancelled"))
        end(f, id, started + took, HISTORY_STOPPED, HISTORY_CANCELLED "alice");
    else if (luck < 6 && !last) {
        end(f, id, started + 30, HISTORY_FAILED, text);
        id = begin(f, due, started + 330, 2);
        end(f, id, started + 330 + took, luck == 5 ? HISTORY_FAILED : HISTORY_OK, luck == 5 ? text : "");
    } else
        finish_well(f, id, started + took, (last && is(f, "warning")) || luck > 97);
}

static void put_job(struct filling *f)
{
    struct error err = ERROR_INIT;
    struct history_job job = { .name = f->job, .last_due = f->now - 3600, .paused = is(f, "paused") };
    if (is(f, "running")) {
        job.running = true;
        job.started = f->now - 600;
        job.due = f->now - 600;
    }
    if (history_job_write(f->h, &job, &err) < 0)
        die(&err);
}

int main(int argc, char **argv)
{
    struct error err = ERROR_INIT;
    uint64_t seed = 0;
    uint64_t nights = 0;
    uint64_t now = 0;
    struct history *h = NULL;
    if (argc < 6 || number_parse(argv[2], 0, UINT64_MAX, &seed, &err) < 0 ||
        number_parse(argv[3], 0, 100000, &nights, &err) < 0 ||
        number_parse(argv[4], 0, INT64_MAX, &now, &err) < 0) {
        (void)fprintf(stderr, "usage: fill_history FILE SEED NIGHTS NOW JOB[=KIND]...\n");
        return 2;
    }
    if (history_open(argv[1], &h, &err) < 0)
        die(&err);
    for (int a = 5; a < argc; a++) {
        char *kind = strchr(argv[a], '=');
        struct filling f = {
            .h = h, .job = argv[a], .kind = kind != NULL ? kind + 1 : "good", .now = (int64_t)now
        };
        if (kind != NULL)
            *kind = '\0';
        state = seed + (uint64_t)a;
        f.size = (UINT64_C(1) << 28) << draw(6);
        for (uint64_t n = is(&f, "new") ? 0 : nights; n > 0; n--) {
            int64_t due = f.now - (int64_t)(n - 1) * DAY - 600;
            if (!is(&f, "stale") || n > 5)
                night(&f, due, n == 1);
        }
        put_job(&f);
    }
    history_close(h);
    return 0;
}
