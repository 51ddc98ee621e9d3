#include <stdio.h>
#include <stdlib.h>

#include "backupd/ask.h"
#include "backupd/daemon/crew.h"
#include "backupd/host.h"
#include "backupd/schedule_notes.h"
#include "backupd/schedule_warn.h"
#include "backupd/verbs.h"
#include "common/base/clock.h"
#include "common/base/number.h"
#include "common/base/zone.h"
#include "common/cli/json.h"
#include "common/cli/out.h"

#include "common/base/banned.h"

enum { NEXT_DEFAULT = 5, NEXT_MAX = 1000 };

const struct cli_option schedule_options[] = { { .name = "next",
                                                 .letter = 'n',
                                                 .kind = CLI_INTEGER,
                                                 .metavar = "N",
                                                 .min = 1,
                                                 .max = NEXT_MAX,
                                                 .help = "So many times of each job (default 5)." },
                                               ASK_QUERY_OPTIONS,
                                               CLI_OPTIONS_END };

/* The k-th time after now, with the jitter; 0: none. */
static int64_t time_of(const struct planner_rules *r, int64_t now, uint64_t k)
{
    int64_t t = now - r->jitter;
    for (uint64_t i = 0; i <= k && (t = calendar_next(r->calendar, t)) != 0; i++)
        continue;
    return t != 0 ? t + r->jitter : 0;
}

static int print_json(const struct crew *crew, const struct schedule_notes *notes, size_t job, int64_t now,
                      uint64_t n, struct error *err)
{
    char why[SCHEDULE_NOTE_MAX];
    const struct planner_rules *r = &crew->rules[job];
    const struct conf_job *conf = &crew->conf->jobs[job];
    struct jsonout *o = jsonout_new("schedule");
    jsonout_str(o, "job", conf->name);
    jsonout_str(o, "schedule", conf->schedule.when);
    jsonout_i64(o, "jitter_seconds", r->jitter);
    waits_json(o, crew, notes->planner, job, now);
    struct jsonout *times = jsonout_array(o, "next");
    for (uint64_t k = 0; r->calendar != NULL && k < n; k++) {
        int64_t t = time_of(r, now, k);
        if (t == 0)
            break;
        jsonout_time(times, NULL, (uint64_t)t);
    }
    jsonout_bool(o, "comes_again", r->calendar != NULL && !schedule_is_over(r, now));
    struct jsonout *skipped = jsonout_array(o, "will_be_skipped"); /* those of "next", and why */
    for (uint64_t k = 0; r->calendar != NULL && k < n; k++) {
        int64_t t = time_of(r, now, k);
        if (t == 0)
            break;
        if (schedule_notes_why(notes, job, t, why, sizeof why)[0] == '\0')
            continue;
        struct jsonout *one = jsonout_object(skipped, NULL);
        jsonout_time(one, "time", (uint64_t)t);
        jsonout_str(one, "reason", why);
    }
    const struct schedule_skip *last = &notes->skips[job];
    struct jsonout *was = last->due != 0 ? jsonout_object(o, "last_skipped") : NULL;
    if (was != NULL) {
        jsonout_time(was, "due", (uint64_t)last->due);
        jsonout_u64(was, "count", last->count);
        jsonout_str(was, "reason", last->reason);
    } else {
        jsonout_str(o, "last_skipped", NULL);
    }
    return jsonout_emit(o, err);
}

/* What will come of a time; beside the first one also what became of the last. */
static void add_note(struct table *t, const struct schedule_notes *notes, size_t job, int64_t at, bool first)
{
    char why[SCHEDULE_NOTE_MAX] = "";
    char wall[32];
    const struct schedule_skip *last = &notes->skips[job];
    if (at != 0 && schedule_notes_why(notes, job, at, why, sizeof why)[0] != '\0')
        table_cell(t, OUT_WARN, "will be skipped: %s", why);
    else if (first && last->due != 0 && last->count > 1)
        table_cell(t, OUT_DIM, "the last %llu, up to %s, were skipped: %s", (unsigned long long)last->count,
                   zone_format(wall, last->due), last->reason);
    else if (first && last->due != 0)
        table_cell(t, OUT_DIM, "the one of %s was skipped: %s", zone_format(wall, last->due), last->reason);
    else
        table_cell(t, OUT_PLAIN, "%s", "");
}

static void print_head(struct table *t, const struct conf_job *conf, bool first)
{
    table_cell(t, OUT_BOLD, "%s", first ? conf->name : "");
    table_cell(t, OUT_DIM, "%s",
               !first                        ? ""
               : conf->schedule.when != NULL ? conf->schedule.when
                                             : "(only by hand)");
}

/* The run that is due already, before those that are to come. */
static bool print_waiting(struct table *t, const struct crew *crew, const struct schedule_notes *notes,
                          size_t job, int64_t now)
{
    char wall[32];
    char why[WAITS_TEXT_MAX];
    if (!waits_is(notes->planner, job))
        return false;
    print_head(t, &crew->conf->jobs[job], true);
    table_cell(t, OUT_PLAIN, "%s", zone_format(wall, planner_state(notes->planner, job)->from));
    table_cell(t, OUT_DIM, "%s", "");
    table_cell(t, OUT_WARN, "%s", waits_line(crew, notes->planner, job, now, why));
    return true;
}

static void print_job(struct table *t, const struct crew *crew, const struct schedule_notes *notes,
                      size_t job, int64_t now, uint64_t n)
{
    const struct planner_rules *r = &crew->rules[job];
    const struct conf_job *conf = &crew->conf->jobs[job];
    bool waits = print_waiting(t, crew, notes, job, now);
    for (uint64_t k = 0; k < n; k++) {
        char wall[32];
        char in[NUMBER_TEXT_MAX];
        int64_t at = r->calendar != NULL ? time_of(r, now, k) : 0;
        if (at == 0 && (k > 0 || waits))
            return;
        print_head(t, conf, k == 0 && !waits);
        table_cell(t, OUT_PLAIN, "%s",
                   at != 0                       ? zone_format(wall, at)
                   : conf->schedule.when != NULL ? SCHEDULE_OVER
                                                 : "");
        table_cell(t, OUT_DIM, "%s", at != 0 ? duration_format(in, (uint64_t)(at - now) * 1000) : "");
        add_note(t, notes, job, at, k == 0);
        if (at == 0)
            return;
    }
}

int cmd_schedule(struct cli_context *cli, struct error *err)
{
    struct vec jobs = VEC_OF(const struct conf_job *);
    struct crew crew = { .n = 0 };
    struct schedule_notes notes = { .crew = NULL };
    struct table *t = NULL;
    int64_t now = (int64_t)clock_wall();
    uint64_t n = cli_number(cli, "next") > 0 ? (uint64_t)cli_number(cli, "next") : NEXT_DEFAULT;
    struct conf *conf = NULL;
    int rc = ask_or_read(cli, "schedule", true, &conf, err);
    if (conf == NULL)
        return rc;
    rc = host_scheduled(cli, conf, &jobs, err);
    if (rc == 0)
        rc = crew_make(conf, &crew, err);
    if (rc == 0)
        rc = schedule_notes_read(&crew, &notes, err);
    if (rc == 0 && !cli->json) {
        t = table_new(err);
        table_column(t, "job", false);
        table_column(t, "schedule", false);
        table_column(t, "next", false);
        table_column(t, "in", true);
        table_column(t, "", false);
    }
    for (size_t i = 0; rc == 0 && i < jobs.len; i++) {
        size_t job = (size_t)(*(const struct conf_job **)vec_at(&jobs, i) - conf->jobs);
        if (cli->json)
            rc = print_json(&crew, &notes, job, now, n, err);
        else
            print_job(t, &crew, &notes, job, now, n);
    }
    if (rc == 0 && !cli->json)
        rc = table_print(t, &cli->out, err);
    if (rc == 0 && !cli->json)
        rc = out_flush(&cli->out, err);
    table_free(t);
    schedule_notes_free(&notes);
    crew_free(&crew);
    vec_free(&jobs);
    conf_free(conf);
    return rc;
}
