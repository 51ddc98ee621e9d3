#include "backupd/notices/compose.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backupd/notices/compose_internal.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/base/zone.h"
#include "common/cli/exit.h"
#include "common/crypto/secret.h"

#include "common/base/banned.h"

enum { VALUE_MAX = 2048, COLUMN = 15, SUBJECT_WHAT = 70 };

const char *notice_host(char out[NOTICE_HOST_MAX])
{
    char name[NOTICE_HOST_MAX] = "";
    size_t n = 0;
    (void)gethostname(name, sizeof name - 1);
    for (const char *p = name; *p != '\0'; p++)
        if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '.' ||
            *p == '-')
            out[n++] = *p;
    out[n] = '\0';
    if (n == 0)
        (void)snprintf(out, NOTICE_HOST_MAX, "localhost");
    return out;
}

const char *notice_uid(char out[NOTICE_UID_TEXT])
{
    uint8_t bytes[NOTICES_UID_LEN];
    random_bytes(bytes, sizeof bytes);
    hex_encode(out, bytes, sizeof bytes);
    return out;
}

bool notice_is(const struct notice_facts *f, const char *event)
{
    return strcmp(f->event, event) == 0;
}

/* ---- the subject and the first sentence ------------------------------------------------------------------------------ */

static const char *verb_of(const struct notice_facts *f)
{
    static const char *const verbs[][2] = {
        { "failure", "failed" },
        { NOTICE_CANCELLED, "was cancelled" },
        { "warning", "ended with a warning" },
        { "recovery", "is well again" },
        { "missed", "did not run" },
        { "anomaly", "saw something unusual" },
        { "start", "has started" },
        { "success", "is done" },
    };
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (notice_is(f, verbs[i][0]))
            return f->run != NULL && f->run->verdict == HISTORY_STOPPED && i == 0 ? "was stopped"
                                                                                  : verbs[i][1];
    return f->run != NULL && f->run->verdict == HISTORY_OK ? "is done" : "has ended";
}

/* Nothing is broken: it is slower than somebody thought. */
static bool is_out_of_time(const struct notice_facts *f)
{
    return notice_is(f, "failure") && f->run != NULL && history_is_out_of_time(f->run->verdict, f->run->text);
}

static const char *more_of(const struct notice_facts *f)
{
    if (f->task == CONF_TASK_DRILL && notice_is(f, "failure"))
        return f->run != NULL && f->run->exit_code == CLI_EXIT_DIFFERS
                   ? " What was restored is not what was backed up: look at it today."
                   : " It does not say that a backup is bad: nothing is known of it until a drill runs.";
    if (f->task == CONF_TASK_VERIFY && notice_is(f, "failure") && f->run != NULL &&
        f->run->exit_code == CLI_EXIT_DIFFERS)
        return " Something on the storage is damaged, and what needs it cannot be restored whole.";
    if (f->task != CONF_TASK_NONE)
        return "";
    if (notice_is(f, NOTICE_CANCELLED) && f->run != NULL && f->run->started == 0)
        return " It had not begun; there is no new snapshot.";
    if (is_out_of_time(f))
        return " It was not done in the time that it has. What it stored until then is used by the next run, which has less to do; "
               "there is no new snapshot.";
    if (notice_is(f, "failure") || notice_is(f, NOTICE_CANCELLED))
        return " What it stored until then is used by the next run; there is no new snapshot.";
    if (notice_is(f, "warning") && f->run != NULL && f->run->exit_code == CLI_EXIT_OK)
        return " There is a new snapshot, and what the run says of something else is to be looked at.";
    if (notice_is(f, "warning"))
        return " There is a new snapshot, but something is missing in it or was left behind.";
    if (notice_is(f, "missed"))
        return " There is no snapshot of the time that passed.";
    if (notice_is(f, "anomaly"))
        return " There is a new snapshot; it may be of data that somebody has damaged. Look before older snapshots expire.";
    return "";
}

static const char *noun_of(const struct notice_facts *f)
{
    return f->task == CONF_TASK_NONE ? "Job" : f->task == CONF_TASK_DRILL ? "Restore drill" : "Task";
}

/* So much of it is a subject: whole words, if there are any. */
static size_t cut_at(const char *what)
{
    size_t n = strlen(what);
    if (n <= SUBJECT_WHAT)
        return n;
    n = SUBJECT_WHAT;
    while (n > SUBJECT_WHAT / 2 && what[n] != ' ')
        n--;
    while (n > 0 && ((unsigned char)what[n] & 0xc0) == 0x80)
        n--;
    return n;
}

static int put_heads(const struct notice_facts *f, struct notice_words *w, struct error *err)
{
    char what[VALUE_MAX];
    int rc = 0;
    if (f->job != NULL) {
        const char *verb = verb_of(f);
        rc = buf_printf(&w->subject, err, "[backupd] %s: %s%s %s", f->host,
                        f->task == CONF_TASK_DRILL ? "restore drill " : "", f->job, verb);
        return rc == 0 ? buf_printf(&w->text, err, "%s %s on %s %s.%s\n\n", noun_of(f), f->job, f->host, verb,
                                    more_of(f))
                       : rc;
    }
    bool test = notice_is(f, "test");
    (void)str_printable(what, sizeof what, f->what);
    rc = test ? buf_printf(&w->subject, err, "[backupd] %s: a test", f->host)
              : buf_printf(&w->subject, err, "[backupd] %s: %s: %.*s%s", f->host,
                           notice_is(f, "recovery") ? "well again" : "alarm", (int)cut_at(what), what,
                           what[cut_at(what)] != '\0' ? "..." : "");
    if (rc < 0)
        return rc;
    return buf_printf(&w->text, err,
                      test                       ? "This is a test from %s: notices arrive here.\n\n"
                      : notice_is(f, "recovery") ? "The backup daemon on %s is well again.\n\n"
                                                 : "The backup daemon on %s raises an alarm.\n\n",
                      f->host);
}

/* There is no backup, or no drill, of that time. */
static bool is_night_lost(const struct notice_facts *f)
{
    return notice_is(f, "failure") || notice_is(f, "missed") || notice_is(f, NOTICE_CANCELLED);
}

/* ---- the rest of the text --------------------------------------------------------------------------------------------- */

static int put_row(struct buf *out, const char *title, const char *value, struct error *err)
{
    char safe[VALUE_MAX];
    return buf_printf(out, err, "%-*s %s\n", COLUMN, title, str_printable(safe, sizeof safe, value));
}

static const char *time_text(const struct notice_facts *f, int64_t t, char out[128])
{
    char wall[32];
    (void)snprintf(out, 128, "%s%s%.80s", zone_format(wall, t), f->zone != NULL ? " " : "",
                   f->zone != NULL ? f->zone : "");
    return out;
}

static int put_when(const struct notice_facts *f, struct buf *out, struct error *err)
{
    const struct history_run *r = f->run;
    char at[128];
    char took[NUMBER_TEXT_MAX];
    char line[256];
    int64_t seconds = r != NULL && r->ended > r->started && r->started != 0 ? r->ended - r->started : 0;
    (void)time_text(f, r != NULL && r->started != 0 ? r->started : f->time, at);
    if (seconds > 0)
        (void)snprintf(line, sizeof line, "%s, for %s", at, duration_format(took, (uint64_t)seconds * 1000));
    else
        (void)snprintf(line, sizeof line, "%s", at);
    return put_row(out, "When:", line, err);
}

/* "2026-11-26 02:30, 3 times" */
static int put_since(const struct notice_facts *f, struct buf *out, struct error *err)
{
    char at[128];
    char line[256];
    if (f->told.since == 0 || (f->told.count <= 1 && !notice_is(f, "recovery")))
        return 0;
    (void)snprintf(line, sizeof line, "%s, %llu %s", time_text(f, f->told.since, at),
                   (unsigned long long)f->told.count, plural(f->told.count, "time", "times"));
    return put_row(out, notice_is(f, "recovery") ? "Not well since:" : "Since:", line, err);
}

static int put_last_good(const struct notice_facts *f, struct buf *out, struct error *err)
{
    char at[128];
    if (!is_night_lost(f))
        return 0;
    int rc =
        put_row(out, "Last good run:",
                f->last_good != 0 ? time_text(f, f->last_good, at) : "none that this host remembers", err);
    return rc == 0 && f->next != 0 ? put_row(out, "Next run:", time_text(f, f->next, at), err) : rc;
}

static int put_anomalies(const struct notice_facts *f, struct buf *out, struct error *err)
{
    size_t n = jsonin_len(f->anomalies);
    int rc = 0;
    for (size_t i = 0; i < n && i < NOTICE_ANOMALIES_MAX && rc == 0; i++) {
        static const char *const rows[][2] = {
            { "what", "Unusual:" }, { "seen", "  seen" }, { "usual", "  usual" }, { "look_at", "  look at" }
        };
        for (size_t k = 0; k < sizeof rows / sizeof rows[0] && rc == 0; k++) {
            char value[VALUE_MAX / 4];
            const struct jsonin_value *v = jsonin_get(jsonin_at(f->anomalies, i), rows[k][0]);
            if (v != NULL)
                rc = put_row(out, rows[k][1], jsonin_show(v, value, sizeof value), err);
        }
    }
    if (rc == 0 && n > NOTICE_ANOMALIES_MAX)
        rc = buf_printf(out, err, "... and %zu more\n", n - NOTICE_ANOMALIES_MAX);
    return rc;
}

/* ---- what to do ------------------------------------------------------------------------------------------------------- */

typedef int command_fn(const char *line, const char *why, void *arg);

static int out_of_time_commands(const struct notice_facts *f, command_fn *fn, void *arg)
{
    bool window = str_starts(f->run->text, HISTORY_WINDOW_OVER);
    char line[NOTICE_COMMAND_MAX];
    (void)snprintf(line, sizeof line, "%s history %s", f->command, f->job);
    int rc = fn(
        line,
        "how long its last runs took: slower each night (it grows), or at once (the source, the network or the "
        "storage was busy with something else)?",
        arg);
    (void)snprintf(line, sizeof line, "%s schedule %s", f->command, f->job);
    return rc < 0 ? rc
                  : fn(line,
                       window ? "when it begins: earlier, or give it a longer `window` in the configuration"
                              : "when it begins; `max_duration` in the configuration is what it may take",
                       arg);
}

/* Is what it needs there? */
static int check_commands(const struct notice_facts *f, command_fn *fn, void *arg)
{
    char line[NOTICE_COMMAND_MAX];
    (void)snprintf(line, sizeof line, "%s check database %s", f->command, f->job);
    int rc = fn(line, "is the source there, and may it be read?", arg);
    if (rc < 0)
        return rc;
    (void)snprintf(line, sizeof line, "%s check storage", f->command);
    return fn(line, "is the storage there?", arg);
}

/* By the daemon, which knows then that all is well again. */
static int again_commands(const struct notice_facts *f, command_fn *fn, void *arg)
{
    char line[NOTICE_COMMAND_MAX];
    int rc = 0;
    if (f->paused) {
        (void)snprintf(line, sizeof line, "%s resume %s", f->command, f->job);
        rc = fn(line, "it is paused: nothing of it runs by itself until then", arg);
    }
    (void)snprintf(line, sizeof line, "%s start %s", f->command, f->job);
    bool at_once = f->paused || notice_is(f, NOTICE_CANCELLED);
    return rc == 0 ? fn(line, at_once ? "make up for it now" : "once more now, when the cause is gone", arg)
                   : rc;
}

/* Calls fn for each command that helps, as it would be typed. */
int notice_commands(const struct notice_facts *f, int (*fn)(const char *line, const char *why, void *arg),
                    void *arg)
{
    char line[NOTICE_COMMAND_MAX];
    int rc = 0;
    if (notice_is(f, "start") || notice_is(f, "success") || notice_is(f, "test"))
        return 0;
    if (f->old_configuration) {
        (void)snprintf(line, sizeof line, "%s check config", f->command);
        rc = fn(line, "every mistake in the configuration, which is not the one that runs", arg);
    }
    if (rc == 0 && f->job == NULL) {
        (void)snprintf(line, sizeof line, "%s status", f->command);
        return fn(line, "how each job stands; the alarm itself is in the daemon's log", arg);
    }
    if (rc == 0 && f->run != NULL && f->run->id != 0) {
        (void)snprintf(line, sizeof line, "%s show %lld", f->command, (long long)f->run->id);
        rc = fn(line, "all about this run", arg);
    }
    if (rc == 0 && notice_is(f, "missed")) {
        (void)snprintf(line, sizeof line, "%s schedule %s", f->command, f->job);
        rc = fn(line, "when it is due next", arg);
    }
    if (rc == 0 && notice_is(f, "failure") && f->task == CONF_TASK_DRILL) {
        /* "backupd --config FILE" of the other program. */
        (void)snprintf(line, sizeof line, "restore%s drill show latest",
                       f->command + (str_starts(f->command, "backupd") ? strlen("backupd") : 0));
        rc = fn(line, "what the drill found, check by check", arg);
    }
    if (rc == 0 && is_out_of_time(f))
        rc = out_of_time_commands(f, fn, arg);
    else if (rc == 0 && notice_is(f, "failure") && f->task == CONF_TASK_NONE)
        rc = check_commands(f, fn, arg);
    if (rc == 0 && is_night_lost(f))
        return again_commands(f, fn, arg);
    if (rc == 0 && notice_is(f, "anomaly")) {
        (void)snprintf(line, sizeof line, "%s anomaly accept %s", f->command, f->job);
        rc = fn(line, "if you know why, and that is how it is now", arg);
    }
    (void)snprintf(line, sizeof line, "%s history %s", f->command, f->job);
    return rc == 0 ? fn(line, "its runs before", arg) : rc;
}

struct lines {
    struct buf *out;
    struct error *err;
    size_t n;
};

static int put_command(const char *line, const char *why, void *arg)
{
    struct lines *l = arg;
    int rc = l->n++ == 0 ? buf_printf(l->out, l->err, "\nWhat to do:\n") : 0;
    return rc == 0 ? buf_printf(l->out, l->err, "  %s\n      %s\n", line, why) : rc;
}

static int put_end(const struct notice_facts *f, struct buf *out, struct error *err)
{
    char text[NUMBER_TEXT_MAX];
    bool repeats =
        is_night_lost(f) || notice_is(f, "warning") || notice_is(f, "anomaly") || notice_is(f, "alarm");
    if (!repeats || f->repeat_after == 0)
        return 0;
    if (f->repeat_after % 3600 == 0)
        (void)snprintf(text, sizeof text, "%lld h", (long long)(f->repeat_after / 3600));
    else
        (void)duration_format(text, (uint64_t)f->repeat_after * 1000);
    return buf_printf(out, err, "\nShould the same happen again, it is counted, and told after %s.\n", text);
}

static int put_text(const struct notice_facts *f, struct buf *out, struct error *err)
{
    struct lines lines = { .out = out, .err = err };
    int rc = f->what[0] != '\0' ? put_row(out, "What happened:", f->what, err) : 0;
    rc = rc == 0 ? put_when(f, out, err) : rc;
    rc = rc == 0 ? put_since(f, out, err) : rc;
    rc = rc == 0 ? put_last_good(f, out, err) : rc;
    rc = rc == 0 ? put_anomalies(f, out, err) : rc;
    rc = rc == 0 ? notice_commands(f, put_command, &lines) : rc;
    return rc == 0 ? put_end(f, out, err) : rc;
}

static int terminate(struct buf *b, struct error *err)
{
    return buf_append(b, "", 1, err);
}

int notice_compose(const struct notice_facts *f, struct notice_words *w, struct error *err)
{
    int rc = put_heads(f, w, err);
    rc = rc == 0 ? put_text(f, &w->text, err) : rc;
    rc = rc == 0 ? terminate(&w->subject, err) : rc;
    rc = rc == 0 ? terminate(&w->text, err) : rc;
    rc = rc == 0 ? notice_body(f, w, err) : rc;
    return rc == 0 ? terminate(&w->body, err) : rc;
}

void notice_words_free(struct notice_words *w)
{
    buf_free(&w->subject);
    buf_free(&w->text);
    buf_free(&w->body);
}
