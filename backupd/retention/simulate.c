/* The nights of the next years: what the rules would leave if every job went on as its cadence says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backupd/retention/judge_internal.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/cli/json.h"
#include "common/cli/out.h"
#include "common/sys/interrupt.h"

#include "common/base/banned.h"

enum { DAY = 86400 };

/* A label of a writer, and when its next snapshot comes. */
struct course {
    struct policy_snapshot next; /* what all of it have in common; seq: the next */
    struct policy rules;
    bool has_rules;
    char label[LABEL_MAX + 1];
    uint64_t due;
    uint64_t every;
};

struct simulation {
    struct judge *j;
    struct vec lines;    /* struct course */
    struct vec live;     /* struct policy_snapshot */
    struct vec verdicts; /* struct policy_verdict */
    uint64_t now, last_run;
    size_t alarms; /* runs that had one */
};

static struct course *course_of(struct simulation *s, const uint8_t *writer, const char *label,
                                struct error *err)
{
    for (size_t i = 0; i < s->lines.len; i++) {
        struct course *l = vec_at(&s->lines, i);
        if (memcmp(l->next.writer, writer, WRITER_ID_LEN) == 0 && strcmp(l->label, label) == 0)
            return l;
    }
    struct course *l = vec_push(&s->lines, err);
    if (l == NULL)
        return NULL;
    memcpy(l->next.writer, writer, WRITER_ID_LEN);
    (void)snprintf(l->label, sizeof l->label, "%s", label);
    l->has_rules = judge_rules(s->j, label, &l->rules);
    l->every = policy_cadence(0);
    return l;
}

/* The jobs of this host that have no snapshot yet are shown, too: writers 0, 1, 2 ... of nobody. */
static int add_jobs(struct simulation *s, struct error *err)
{
    for (size_t i = 0; i < s->j->conf->njobs; i++) {
        const struct conf_job *job = &s->j->conf->jobs[i];
        bool known = strcmp(job->repository, s->j->repository->name) != 0;
        for (size_t k = 0; k < s->lines.len && !known; k++)
            known = strcmp(((const struct course *)vec_at(&s->lines, k))->label, job->name) == 0;
        uint8_t nobody[WRITER_ID_LEN] = { 0 };
        nobody[WRITER_ID_LEN - 1] = (uint8_t)i;
        nobody[WRITER_ID_LEN - 2] = (uint8_t)(i >> 8);
        if (!known && course_of(s, nobody, job->name, err) == NULL)
            return E_NOMEM;
    }
    return 0;
}

/* What there is now. */
static int begin(struct simulation *s, struct error *err)
{
    const struct repo_retention *last = repo_retention_head(prune_repo(s->j->prune));
    s->now = prune_time(s->j->prune);
    s->last_run = last != NULL ? last->clock : 0;
    for (size_t i = 0; i < s->j->asked.len; i++) {
        const struct policy_snapshot *p = vec_at(&s->j->asked, i);
        struct course *l = p->unreadable ? NULL : course_of(s, p->writer, p->label, err);
        struct policy_snapshot *slot = p->unreadable ? NULL : vec_push(&s->live, err);
        if (p->unreadable)
            continue;
        if (l == NULL || slot == NULL)
            return E_NOMEM;
        *slot = *p;
        l->next.seq = p->seq + 1;
        l->next.cadence_hours = p->cadence_hours;
        l->next.retired = p->retired;
        l->every = policy_cadence(p->cadence_hours);
    }
    int rc = add_jobs(s, err);
    for (size_t i = 0; i < s->lines.len; i++) {
        struct course *l = vec_at(&s->lines, i);
        l->due = s->now;
        l->next.label = l->label;
    }
    return rc;
}

/* The labels and rules live in s->lines, which grows no more. */
static void bind_rules(struct simulation *s)
{
    for (size_t i = 0; i < s->live.len; i++) {
        struct policy_snapshot *p = vec_at(&s->live, i);
        const struct course *l = course_of(s, p->writer, p->label, NULL);
        p->rules = l->has_rules ? &l->rules : NULL;
    }
}

/* The snapshots that came since the run before. */
static int new_ones(struct simulation *s, struct error *err)
{
    for (size_t i = 0; i < s->lines.len; i++) {
        struct course *l = vec_at(&s->lines, i);
        for (; !l->next.retired && l->due <= s->now; l->due += l->every) {
            struct policy_snapshot *slot = vec_push(&s->live, err);
            if (slot == NULL)
                return E_NOMEM;
            *slot = l->next;
            slot->rules = l->has_rules ? &l->rules : NULL;
            l->next.seq++;
        }
    }
    return 0;
}

static bool same_course(const struct policy_snapshot *a, const struct policy_snapshot *b)
{
    return memcmp(a->writer, b->writer, WRITER_ID_LEN) == 0 && strcmp(a->label, b->label) == 0;
}

/* Of each course only the last one is the newest. */
static void mark_newest(struct simulation *s)
{
    for (size_t i = 0; i < s->live.len; i++) {
        struct policy_snapshot *p = vec_at(&s->live, i);
        const struct course *c = course_of(s, p->writer, p->label, NULL);
        p->newest = c != NULL && p->seq + 1 == c->next.seq;
    }
}

static int one_run(struct simulation *s, struct error *err)
{
    struct policy_run run = judge_run(s->j, s->now, s->last_run);
    struct policy_summary sum;
    size_t left = 0;
    mark_newest(s);
    while (s->verdicts.len < s->live.len)
        if (vec_push(&s->verdicts, err) == NULL)
            return E_NOMEM;
    int rc = policy_decide(&run, s->live.data, s->live.len, s->verdicts.data, &sum, err);
    if (rc < 0)
        return rc;
    s->alarms += sum.alarms.len != 0;
    for (size_t i = 0; i < s->live.len; i++) {
        struct policy_snapshot p = *(struct policy_snapshot *)vec_at(&s->live, i);
        const struct policy_verdict *v = vec_at(&s->verdicts, i);
        if (v->expire)
            continue;
        if (p.first_seen == 0) {
            p.first_seen = s->now;
            p.seen_after = s->last_run;
        }
        memmove(vec_at(&s->verdicts, left), v, sizeof *v);
        memcpy(vec_at(&s->live, left++), &p, sizeof p);
    }
    s->live.len = left;
    policy_summary_free(&sum);
    return 0;
}

/* ---- showing ------------------------------------------------------------------------------------------- */

static int show_json(const struct simulation *s, const struct course *l, struct error *err)
{
    struct jsonout *o = jsonout_new("simulation");
    char hex[2 * WRITER_ID_LEN + 1];
    hex_encode(hex, l->next.writer, WRITER_ID_LEN);
    jsonout_str(o, "repository", s->j->repository->name);
    jsonout_str(o, "job", l->label);
    jsonout_str(o, "writer", hex);
    jsonout_time(o, "at", s->now);
    struct jsonout *nights = jsonout_array(o, "snapshots");
    for (size_t i = 0; i < s->live.len; i++) {
        const struct policy_snapshot *p = vec_at(&s->live, i);
        if (!same_course(p, &l->next))
            continue;
        struct jsonout *n = jsonout_object(nights, NULL);
        jsonout_time(n, "first_seen", p->first_seen);
        jsonout_str(n, "reason", ((const struct policy_verdict *)vec_at(&s->verdicts, i))->reason);
    }
    return jsonout_emit(o, err);
}

static int show_text(const struct simulation *s, const struct course *l, struct error *err)
{
    struct table *t = table_new(err);
    char at[JUDGE_DATE_MAX];
    table_column(t, "first seen", false);
    table_column(t, "age", true);
    table_column(t, "why", false);
    for (size_t i = s->live.len; i-- > 0;) {
        const struct policy_snapshot *p = vec_at(&s->live, i);
        char night[JUDGE_DATE_MAX];
        if (!same_course(p, &l->next))
            continue;
        unsigned long long days = (s->now - p->first_seen) / DAY;
        table_cell(t, OUT_BOLD, "%s", judge_date(night, p->first_seen));
        table_cell(t, OUT_PLAIN, "%llu %s", days, days == 1 ? "day" : "days");
        table_cell(t, OUT_PLAIN, "%s", ((const struct policy_verdict *)vec_at(&s->verdicts, i))->reason);
    }
    out_heading(&s->j->cli->out, "%s on %s: %zu %s", l->label, judge_date(at, s->now), table_rows(t),
                plural(table_rows(t), "snapshot", "snapshots"));
    int rc = table_print(t, &s->j->cli->out, err);
    out_line(&s->j->cli->out, OUT_PLAIN, "%s", "");
    table_free(t);
    return rc;
}

static int show(const struct simulation *s, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; i < s->lines.len && rc == 0; i++)
        rc = s->j->cli->json ? show_json(s, vec_at(&s->lines, i), err)
                             : show_text(s, vec_at(&s->lines, i), err);
    if (rc == 0 && !s->j->cli->json && s->lines.len == 0)
        out_line(&s->j->cli->out, OUT_PLAIN, "There are neither snapshots nor jobs to look at.");
    else if (rc == 0 && !s->j->cli->json)
        out_line(
            &s->j->cli->out, OUT_DIM,
            "If every job went on by its writer's cadence and this ran once a day. Nothing was changed.");
    if (rc == 0 && !s->j->cli->json && s->alarms != 0)
        out_line(
            &s->j->cli->out, OUT_WARN,
            "On %zu of these days there would be an alarm or a warning, for example for more new snapshots than "
            "max_new.",
            s->alarms);
    return rc;
}

int judge_simulate(struct judge *j, uint64_t seconds, struct error *err)
{
    struct simulation s = { .j = j,
                            .lines = VEC_OF(struct course),
                            .live = VEC_OF(struct policy_snapshot),
                            .verdicts = VEC_OF(struct policy_verdict) };
    int rc = begin(&s, err);
    uint64_t end = s.now + seconds;
    bind_rules(&s);
    while (rc == 0) {
        rc = interrupt_check(err);
        if (rc == 0)
            rc = new_ones(&s, err);
        if (rc == 0)
            rc = one_run(&s, err);
        if (rc < 0 || s.now >= end)
            break;
        s.last_run = s.now;
        s.now = end - s.now < DAY ? end : s.now + DAY;
    }
    if (rc == 0)
        rc = show(&s, err);
    vec_free(&s.lines);
    vec_free(&s.live);
    vec_free(&s.verdicts);
    return rc;
}
