/* body.c - a notice as JSON; docs/daemon.md describes it. */
#include <string.h>

#include "backupd/notices/compose_internal.h"
#include "common/base/number.h"
#include "common/cli/json.h"

#if __has_include("version.h")
#include "version.h"
#else
#define BACKUP_VERSION "unknown"
#endif

#include "common/base/banned.h"

enum { RECEIPT_MAX = 128, VALUE_MAX = 512 };

static void put_run(struct jsonout *o, const struct history_run *r)
{
    struct jsonin *summary = NULL;
    if (r == NULL) {
        jsonout_str(o, "run", NULL);
        return;
    }
    if (r->result != NULL && r->result[0] != '\0')
        summary = jsonin_parse(r->result, strlen(r->result), NULL);
    struct jsonout *run = jsonout_object(o, "run");
    jsonout_i64(run, "run", r->id);
    jsonout_str(run, "verdict", history_verdict_name(r->verdict));
    jsonout_str(run, "reason", r->reason);
    jsonout_time(run, "due", (uint64_t)r->due);
    jsonout_time(run, "started", (uint64_t)r->started);
    jsonout_time(run, "ended", (uint64_t)r->ended);
    jsonout_u64(run, "attempt", r->attempt);
    jsonout_u64(run, "count", r->count);
    jsonout_i64(run, "exit_code", r->exit_code);
    jsonout_str(run, "text", r->text);
    jsonout_str(run, "receipt", jsonin_text(jsonin_get(jsonin_top(summary), "receipt")));
    jsonin_free(summary);
}

static void put_anomalies(struct jsonout *o, const struct jsonin_value *list)
{
    static const char *const keys[] = { "kind", "severity", "what", "seen", "usual", "look_at" };
    struct jsonout *out = jsonout_array(o, "anomalies");
    for (size_t i = 0; i < jsonin_len(list) && i < NOTICE_ANOMALIES_MAX; i++) {
        struct jsonout *one = jsonout_object(out, NULL);
        for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
            char value[VALUE_MAX];
            jsonout_str(one, keys[k],
                        jsonin_show(jsonin_get(jsonin_at(list, i), keys[k]), value, sizeof value));
        }
    }
}

static int put_command(const char *line, const char *why, void *arg)
{
    (void)why;
    jsonout_str(arg, NULL, line);
    return 0;
}

int notice_body(const struct notice_facts *f, struct notice_words *w, struct error *err)
{
    struct jsonout *o = jsonout_new("notice");
    jsonout_u64(o, "version", NOTICE_VERSION);
    jsonout_str(o, "id", f->uid);
    jsonout_str(o, "event", f->event);
    jsonout_str(o, "host", f->host);
    jsonout_str(o, "job", f->job);
    jsonout_time(o, "time", (uint64_t)f->time);
    jsonout_time(o, "since", (uint64_t)(f->told.since != 0 ? f->told.since : f->time));
    jsonout_u64(o, "count", f->told.count > 0 ? f->told.count : 1);
    jsonout_time(o, "last_good", (uint64_t)f->last_good);
    jsonout_time(o, "next", (uint64_t)f->next);
    jsonout_str(o, "what", f->what);
    jsonout_str(o, "subject", (const char *)w->subject.data);
    jsonout_str(o, "text", (const char *)w->text.data);
    put_run(o, f->run);
    put_anomalies(o, f->anomalies);
    (void)notice_commands(f, put_command, jsonout_array(o, "commands"));
    jsonout_str(o, "program", "backupd " BACKUP_VERSION);
    return jsonout_text(o, &w->body, err);
}
