/* Looks at the logs, at what is listed, and at the times of files; judges every writer. */
#include "restore/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/number.h"
#include "common/base/str.h"
#include "common/repo/check.h"
#include "common/repo/names.h"

#include "common/base/banned.h"

enum { HOUR = 3600, ATTEMPTS_LOOKED_AT = 4 };

void watch_init(struct watch *w, struct cli_context *cli, struct station *st, uint64_t now)
{
    *w = (struct watch){ .cli = cli,
                         .st = st,
                         .now = now,
                         .names = VEC_OF(struct watch_name),
                         .wishes = VEC_OF(struct watch_wish),
                         .rows = VEC_OF(struct watch_row),
                         .problems = VEC_OF(char *) };
}

void watch_free(struct watch *w)
{
    for (size_t i = 0; i < w->problems.len; i++)
        free(*(char **)vec_at(&w->problems, i));
    vec_free(&w->names);
    vec_free(&w->wishes);
    vec_free(&w->rows);
    vec_free(&w->problems);
}

/* ---- what is wrong with logs and files -------------------------------------------------------------------------------- */

static void on_finding(void *arg, const struct check_finding *f)
{
    struct watch *w = arg;
    if (f->note || strcmp(f->name, ERR_LOG_LATE) == 0) /* lateness is judged here */
        return;
    if (w->nproblems++ >= WATCH_PROBLEMS_MAX)
        return;
    char *text = str_printf(NULL, "%s%s%s: %s", f->name, f->where[0] != '\0' ? " " : "", f->where, f->text);
    char **slot = text != NULL ? vec_push(&w->problems, NULL) : NULL;
    if (slot != NULL)
        *slot = text;
    else
        free(text);
}

static int look_for_problems(struct watch *w, struct error *err)
{
    struct check_options options = {
        .level = CHECK_L0, .listed_only = true, .finding = on_finding, .arg = w
    };
    struct check_result result;
    int rc = check_run(w->st->repo, &options, &result, err);
    if (w->nproblems > 0)
        w->verdict = WATCH_CRITICAL;
    return rc;
}

/* ---- times -------------------------------------------------------------------------------------------------------------- */

/* When the storage says that the file was written; 0: it does not say, or the file is gone (a finding of its own). */
static int stored_at(struct watch *w, const char *name, uint64_t *out, struct error *err)
{
    struct backend_stat st = { .mtime = 0 };
    struct error why = ERROR_INIT;
    int rc = backend_stat(w->st->backend, name, &st, &why);
    *out = rc == 0 ? st.mtime : 0;
    return rc == E_RETRY || rc == E_NOMEM || rc == E_CANCELLED ? error_copy(err, &why) : 0;
}

/* The storage's time of the first charter that names the writer. */
static int enrolled_at(struct watch *w, struct watch_row *row, struct error *err)
{
    const struct vec *charters = &w->st->repo->charters;
    uint32_t version = 0;
    for (size_t i = 0; i < charters->len && version == 0; i++)
        if (charter_writer_last(vec_at(charters, i), row->writer->id) != NULL)
            version = (uint32_t)i + 1;
    for (uint8_t attempt = 0; attempt < ATTEMPTS_LOOKED_AT && row->when == 0; attempt++) {
        char name[NAME_TEXT_MAX];
        int rc = stored_at(w, name_charter(name, version, attempt), &row->when, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* The last good snapshots' times as the writer claims; the newest good one to row->last. */
static size_t last_times(struct watch_row *row, uint64_t times[WATCH_INTERVALS + 1])
{
    const struct vec *records = &row->writer->records;
    size_t n = 0;
    for (size_t i = records->len; i > 0 && n <= WATCH_INTERVALS; i--) {
        const struct repo_record *r = vec_at(records, i - 1);
        if (r->rec.kind != RECORD_SNAPSHOT || r->is_void)
            continue;
        row->last = row->last != NULL ? row->last : r;
        times[WATCH_INTERVALS - n++] = r->rec.time;
    }
    return n;
}

static int read_times(struct watch *w, struct watch_row *row, struct error *err)
{
    uint64_t times[WATCH_INTERVALS + 1];
    char name[NAME_TEXT_MAX];
    size_t n = last_times(row, times);
    watch_usual(times + WATCH_INTERVALS + 1 - n, n, &row->usual);
    if (row->last == NULL)
        return enrolled_at(w, row, err);
    row->claimed = row->last->rec.time;
    (void)name_record(name, row->writer->id, row->last->rec.seq, row->last->attempt);
    int rc = stored_at(w, name, &row->stored, err);
    /* Neither a storage that touches files nor a writer with a wrong clock makes a backup younger than the other says. */
    row->when = row->stored != 0 && row->stored < row->claimed ? row->stored : row->claimed;
    return rc;
}

/* ---- judging ------------------------------------------------------------------------------------------------------------ */

static void say(struct watch_row *row, enum watch_verdict v, const char *text)
{
    row->verdict = watch_worse(row->verdict, v);
    size_t len = strlen(row->text);
    (void)snprintf(row->text + len, sizeof row->text - len, "%s%s", len > 0 ? "; " : "", text);
}

static void compare_times(struct watch *w, struct watch_row *row)
{
    char text[WATCH_TEXT_MAX];
    char claimed[NUMBER_TEXT_MAX];
    char stored[NUMBER_TEXT_MAX];
    (void)time_format(claimed, row->claimed);
    (void)time_format(stored, row->stored);
    if (row->claimed > w->now + WATCH_DISAGREE) {
        (void)snprintf(text, sizeof text, "the writer says %s, which is yet to come: look at its clock",
                       claimed);
        say(row, WATCH_WARNING, text);
    } else if (row->stored != 0 && row->claimed > row->stored + WATCH_DISAGREE) {
        (void)snprintf(text, sizeof text,
                       "the writer says %s, the storage had it at %s: look at their clocks", claimed, stored);
        say(row, WATCH_WARNING, text);
    } else if (row->stored > row->claimed + WATCH_DISAGREE) {
        (void)snprintf(text, sizeof text,
                       "the storage dates it %s, later than the writer: a copy, or files that were touched",
                       stored);
        say(row, WATCH_OK, text);
    }
}

static void judge_never(struct watch_row *row, const struct watch_rule *rule, bool expected, uint64_t cadence)
{
    uint64_t limit = watch_never_limit(rule, cadence);
    row->spare = !expected;
    row->limits = (struct watch_limits){ .warning = expected ? limit : 0 };
    if (!expected)
        say(row, WATCH_OK, "has never published: a spare one");
    else if (row->when == 0 || row->age > limit)
        say(row, WATCH_WARNING, "has never published a backup");
    else
        say(row, WATCH_OK, "has not published yet");
}

static void judge(struct watch *w, struct watch_row *row)
{
    const struct charter *charter = repo_charter(w->st->repo);
    const struct charter_writer *line = charter_writer_last(charter, row->writer->id);
    uint64_t cadence = line != NULL ? (uint64_t)line->cadence_hours * HOUR : 0;
    bool own = false;
    struct watch_rule rule = watch_rule_of(w, row, &own);
    row->retired = charter_writer_retired(charter, row->writer->id);
    row->age = row->when != 0 && w->now > row->when ? w->now - row->when : 0;
    if (row->retired) {
        say(row, WATCH_OK, "retired");
        return;
    }
    if (row->last == NULL) {
        judge_never(row, &rule, own || row->named || cli_flag(w->cli, "no-spares"), cadence);
        return;
    }
    watch_limits(&rule, &row->usual, cadence, &row->limits);
    enum watch_verdict v = watch_age_verdict(row->age, &row->limits);
    if (v != WATCH_OK)
        say(row, v, v == WATCH_CRITICAL ? "no good backup for too long" : "late");
    else if (row->limits.warning == 0 && row->limits.critical == 0)
        say(row, WATCH_OK, "too few to know when one is late: --max-age");
    compare_times(w, row);
}

/* ---- all writers -------------------------------------------------------------------------------------------------------- */

/* With a kit the name of the job is in the newest snapshot. One that does not open stays without a name. */
static void name_by_kit(struct watch *w, struct watch_row *row)
{
    struct snapshot *s = NULL;
    struct secret *key = row->last != NULL && w->st->opener.v != NULL
                             ? view_key_derive(w->st->opener.v, row->writer->id, NULL)
                             : NULL;
    if (key != NULL && snapshot_load(w->st->repo, row->writer, row->last, &s, NULL) == 0 &&
        snapshot_open_view(s, key, NULL) == 0 && conf_name_is_good(s->view.label)) {
        (void)snprintf(row->name, sizeof row->name, "%.*s", CONF_NAME_MAX, s->view.label);
        row->named = true;
    }
    snapshot_free(s);
    secret_free(key);
}

static void name_row(struct watch *w, struct watch_row *row)
{
    const char *name = watch_name_of(w, row->writer->id);
    (void)hex_encode(row->id, row->writer->id, WRITER_ID_LEN);
    (void)snprintf(row->name, sizeof row->name, "%s", name != NULL ? name : row->id);
    row->named = name != NULL;
    if (!row->named)
        name_by_kit(w, row);
}

static int rank(const struct watch_row *r)
{
    static const int order[] = {
        [WATCH_CRITICAL] = 0, [WATCH_UNKNOWN] = 1, [WATCH_WARNING] = 2, [WATCH_OK] = 3
    };
    return r->retired ? 5 : r->spare ? 4 : order[r->verdict];
}

static int worst_first(const void *a, const void *b)
{
    const struct watch_row *x = a;
    const struct watch_row *y = b;
    int by = rank(x) - rank(y);
    return by != 0 ? by : strcmp(x->name, y->name);
}

int watch_look(struct watch *w, struct error *err)
{
    struct repo *repo = w->st->repo;
    int rc = look_for_problems(w, err);
    for (size_t i = 0; rc == 0 && i < repo->writers.len; i++) {
        struct watch_row *row = vec_push(&w->rows, err);
        if (row == NULL)
            return E_NOMEM;
        *row = (struct watch_row){ .writer = vec_at(&repo->writers, i) };
        rc = read_times(w, row, err);
        if (rc < 0)
            break;
        name_row(w, row);
        judge(w, row);
        w->verdict = watch_worse(w->verdict, row->verdict);
    }
    rc = rc < 0 ? rc : watch_wishes_used(w, err);
    if (rc == 0)
        vec_sort(&w->rows, worst_first);
    return rc;
}
