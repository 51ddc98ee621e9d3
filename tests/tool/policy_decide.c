/*
 * policy_decide - asks common/repo/policy.h about cases written as lines, for the oracle in
 * tests/support/policy_oracle.py.
 *
 *     case NOW LAST_RUN MIN_KEEP_DAYS ZONE STOPPED(0|1)
 *     rules LAST HOURLY DAILY WEEKLY MONTHLY YEARLY WITHIN FLOOR ERASE SHARE MAX_NEW PROVEN TAG,TAG|-      the next ones are ruled so
 *     snap WRITER SEQ LABEL|- FIRST_SEEN SEEN_AFTER CADENCE FLAGS|- TAG,TAG|-
 *     end
 *
 * FLAGS: h held, e expired, n newest, r retired, i incomplete, a anomalous, p proven, u unreadable. Answers: for
 * each snap "N expire|keep early|- RULE[,RULE...] REASON", for each alarm "alarm KIND WRITER LABEL COUNT", "end".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/zone.h"
#include "common/repo/policy.h"
#include "common/base/banned.h"

enum { RULES = 4096, SNAPS = 200000, TEXT = 256, TAGS = 8 };

struct rules {
    struct policy policy;
    char words[TEXT];
    const char *tags[TAGS + 1];
};
struct text {
    char label[64];
    char notes[TEXT];
};

static struct rules rules[RULES];
static struct policy_snapshot snaps[SNAPS];
static struct policy_verdict verdicts[SNAPS];
static struct text texts[SNAPS];
static size_t nrules, nsnaps;
static struct policy_run run;

static void die(const char *what)
{
    (void)fprintf(stderr, "policy_decide: %s\n", what);
    exit(2);
}

static void read_case(const char *line)
{
    char zone[64];
    int stopped = 0;
    struct error err = ERROR_INIT;
    run = (struct policy_run){ .zone = policy_local_zone };
    if (sscanf(line, "case %lu %lu %u %63s %d", &run.now, &run.last_run, &run.min_keep_days, zone,
               &stopped) != 5)
        die(line);
    if (zone_set(zone, &err) < 0)
        die(err.text);
    run.stopped = stopped != 0 ? "a test" : NULL;
    nrules = 0;
    nsnaps = 0;
}

static void read_rules(const char *line)
{
    struct rules *r = &rules[nrules++];
    *r = (struct rules){ .policy = POLICY_INIT };
    struct policy *p = &r->policy;
    if (nrules == RULES ||
        sscanf(line, "rules %u %u %u %u %u %u %lu %u %lu %u %u %u %255s", &p->last, &p->hourly, &p->daily,
               &p->weekly, &p->monthly, &p->yearly, &p->within, &p->floor, &p->erase_after, &p->max_share,
               &p->max_new, &p->proven, r->words) != 13)
        die(line);
    size_t n = 0;
    char *save = NULL;
    for (char *t = strtok_r(r->words, ",", &save); t != NULL && n < TAGS; t = strtok_r(NULL, ",", &save))
        if (strcmp(t, "-") != 0)
            r->tags[n++] = t;
    p->tags = r->tags;
}

static void read_snap(const char *line)
{
    struct policy_snapshot *s = &snaps[nsnaps];
    struct text *t = &texts[nsnaps++];
    unsigned writer = 0;
    char flags[16];
    char tags[TEXT];
    char *save = NULL;
    *s = (struct policy_snapshot){ .rules = nrules > 0 ? &rules[nrules - 1].policy : NULL };
    if (nsnaps == SNAPS || sscanf(line, "snap %u %u %63s %lu %lu %u %15s %255s", &writer, &s->seq, t->label,
                                  &s->first_seen, &s->seen_after, &s->cadence_hours, flags, tags) != 8)
        die(line);
    s->writer[0] = (uint8_t)(writer >> 8);
    s->writer[1] = (uint8_t)writer;
    s->label = strcmp(t->label, "-") == 0 ? NULL : t->label;
    s->held = strchr(flags, 'h') != NULL;
    s->expired = strchr(flags, 'e') != NULL;
    s->newest = strchr(flags, 'n') != NULL;
    s->retired = strchr(flags, 'r') != NULL;
    s->incomplete = strchr(flags, 'i') != NULL;
    s->anomalous = strchr(flags, 'a') != NULL;
    s->proven = strchr(flags, 'p') != NULL;
    s->unreadable = strchr(flags, 'u') != NULL;
    s->unique = 1;
    t->notes[0] = '\0';
    for (char *w = strtok_r(tags, ",", &save); w != NULL; w = strtok_r(NULL, ",", &save)) {
        size_t used = strlen(t->notes);
        if (strcmp(w, "-") != 0)
            (void)snprintf(t->notes + used, sizeof t->notes - used, "tag=%s\n", w);
    }
    s->notes = t->notes;
}

static void answer(void)
{
    static const char *const kinds[] = { "unusual", "unsorted", "overdue", "held", "unreadable", "share" };
    struct policy_summary sum;
    struct error err = ERROR_INIT;
    if (policy_decide(&run, snaps, nsnaps, verdicts, &sum, &err) < 0)
        die(err.text);
    for (size_t i = 0; i < nsnaps; i++) {
        const struct policy_verdict *v = &verdicts[i];
        (void)printf("%zu %s %s ", i, v->expire ? "expire" : "keep", v->early ? "early" : "-");
        if (v->rules == 0)
            (void)printf("%s", policy_rule_name(v->rule));
        const char *comma = "";
        for (unsigned r = 0; r < POLICY_RULES; r++) {
            if ((v->rules & 1u << r) != 0) {
                (void)printf("%s%s", comma, policy_rule_name((enum policy_rule)r));
                comma = ",";
            }
        }
        (void)printf(" %s\n", v->reason);
    }
    for (size_t i = 0; i < sum.alarms.len; i++) {
        const struct policy_alarm *a = vec_at(&sum.alarms, i);
        (void)printf("alarm %s %u %s %zu\n", kinds[a->kind], (unsigned)(a->writer[0] << 8 | a->writer[1]),
                     a->label[0] != '\0' ? a->label : "-", a->count);
    }
    (void)printf("end\n");
    (void)fflush(stdout);
    policy_summary_free(&sum);
}

int main(void)
{
    char line[1024];
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (strncmp(line, "case ", 5) == 0)
            read_case(line);
        else if (strncmp(line, "rules ", 6) == 0)
            read_rules(line);
        else if (strncmp(line, "snap ", 5) == 0)
            read_snap(line);
        else if (strncmp(line, "end", 3) == 0)
            answer();
        else
            die(line);
    }
    return 0;
}
