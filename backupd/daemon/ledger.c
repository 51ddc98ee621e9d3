#include "backupd/daemon/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backupd/daemon/accepted.h"
#include "backupd/daemon/alarms.h"
#include "backupd/daemon/run_mark.h"
#include "backupd/daemon/supervisor.h"
#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/base/vec.h"
#include "common/sys/dirs.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

/* A run that waits: as it began, as it ended, or both in one. The strings are its own. */
struct waiting {
    struct history_run run;
    char *owned[4];
    size_t bytes;
    bool ended;
};

/* The newest that is known of a job, and what the history has of it. */
struct stand {
    struct history_job job;
    struct history_job stored;
    char *name;
    bool waits;
};

enum { STAND_TEXT_MAX = HISTORY_NAME_MAX + 64, STANDS_SPARE = 16 /* ", ...", and what escaping needs */ };

struct ledger {
    struct history *history; /* NULL: a damaged one was put aside and a new one cannot be made */
    char *state;
    char *path;
    int fd;       /* for others to read; -1: it could not be made */
    bool fd_told; /* that it cannot be written */
    bool damaged;
    bool moved;   /* the file of the open history was removed, and there is no new one yet */
    int64_t last; /* the highest id */
    struct vec runs;
    struct vec jobs;
    size_t bytes;
    int64_t tried;
    struct trouble trouble;
    uint64_t errors;
    uint64_t changes;
    uint64_t files;
};

static int64_t now(void)
{
    return (int64_t)clock_wall();
}

/* ---- what waits -------------------------------------------------------------------------------------------------------- */

static void waiting_free(struct waiting *w)
{
    for (size_t i = 0; i < sizeof w->owned / sizeof w->owned[0]; i++)
        free(w->owned[i]);
}

/* Texts are cut as the history cuts them. */
static char *keep(const char *text, size_t limit, size_t *bytes)
{
    size_t n = text != NULL ? strnlen(text, limit) : 0;
    char *copy = mem_alloc(n + 1, 1, NULL);
    if (copy != NULL && n > 0)
        memcpy(copy, text, n);
    *bytes += n + 1;
    return copy;
}

static bool waiting_make(struct waiting *w, const struct history_run *run, bool ended)
{
    *w = (struct waiting){ .run = *run, .ended = ended, .bytes = sizeof *w };
    w->run.job = w->owned[0] = keep(run->job, HISTORY_NAME_MAX, &w->bytes);
    w->run.reason = w->owned[1] = keep(run->reason, HISTORY_TEXT_MAX, &w->bytes);
    w->run.text = w->owned[2] = keep(run->text, HISTORY_TEXT_MAX, &w->bytes);
    w->run.result = w->owned[3] = keep(run->result, HISTORY_RESULT_MAX, &w->bytes);
    for (size_t i = 0; i < sizeof w->owned / sizeof w->owned[0]; i++)
        if (w->owned[i] == NULL) {
            waiting_free(w);
            return false;
        }
    return true;
}

static void lose(struct ledger *l, const struct history_run *run)
{
    log_event(LOG_WARN, "run %lld of %s (%s%s%.200s) will not be in the history: too much waits for it",
              (long long)run->id, run->job, history_verdict_name(run->verdict),
              run->text != NULL && run->text[0] != '\0' ? ": " : "", run->text != NULL ? run->text : "");
    l->trouble.lost++;
}

static void lose_stand(struct ledger *l, const struct history_job *job)
{
    log_event(LOG_WARN, "where %s stands will not be in the history: there is no memory to keep it%s",
              job->name, job->paused ? "; it is paused" : "");
    l->trouble.lost++;
}

static void drop(struct ledger *l, size_t i)
{
    struct waiting *list = l->runs.len > 0 ? vec_at(&l->runs, 0) : NULL;
    l->bytes -= list[i].bytes;
    waiting_free(&list[i]);
    memmove(list + i, list + i + 1, (l->runs.len - i - 1) * sizeof *list);
    l->runs.len--;
}

/* What a daemon that knows only the history would do otherwise with this job; false: nothing that is not told with a run of it. */
static bool stand_says(const struct ledger *l, const struct stand *s, char out[STAND_TEXT_MAX])
{
    const struct history_job *now_is = &s->job;
    const struct history_job *stored = &s->stored;
    bool has_run = false;
    out[0] = '\0';
    if (!s->waits)
        return false;
    for (size_t i = 0; i < l->runs.len && !has_run; i++)
        has_run = strcmp(((const struct waiting *)vec_at(&l->runs, i))->run.job, s->name) == 0;
    if (now_is->paused != stored->paused)
        (void)snprintf(out, STAND_TEXT_MAX, "%s is %s", s->name,
                       now_is->paused ? "paused" : "no longer paused");
    else if (now_is->due != 0 && now_is->by_hand && !now_is->running &&
             (stored->due != now_is->due || !stored->by_hand))
        (void)snprintf(out, STAND_TEXT_MAX, "%s was started by hand and waits", s->name);
    else if (!has_run && now_is->due == 0 && stored->due != 0)
        (void)snprintf(out, STAND_TEXT_MAX, "%s is not to start any more", s->name);
    else if (!has_run)
        (void)snprintf(out, STAND_TEXT_MAX, "where %s stands", s->name);
    return out[0] != '\0';
}

/* Those that the text has no room for are in the number. */
static void count_stands(struct ledger *l)
{
    struct trouble *t = &l->trouble;
    char one[STAND_TEXT_MAX];
    size_t used = 0;
    t->states = 0;
    t->stands[0] = '\0';
    for (size_t i = 0; i < l->jobs.len; i++) {
        if (!stand_says(l, vec_at(&l->jobs, i), one))
            continue;
        t->states++;
        size_t n = strlen(one) + (used > 0 ? 2 : 0);
        if (used + n + STANDS_SPARE > sizeof t->stands) {
            (void)snprintf(t->stands + used, sizeof t->stands - used, ", ...");
            continue;
        }
        (void)snprintf(t->stands + used, sizeof t->stands - used, "%s%s", used > 0 ? ", " : "", one);
        used += n;
    }
}

static void count(struct ledger *l)
{
    l->trouble.ends = l->trouble.more = 0;
    for (size_t i = 0; i < l->runs.len; i++) {
        const struct waiting *w = vec_at(&l->runs, i);
        l->trouble.ends += w->ended ? 1 : 0;
        l->trouble.more += w->ended ? 0 : 1;
    }
    count_stands(l);
}

/* The end of a run takes the place of its beginning. */
static void add(struct ledger *l, const struct history_run *run, bool ended)
{
    struct waiting w;
    if (!waiting_make(&w, run, ended)) {
        lose(l, run);
        return;
    }
    for (size_t i = 0; i < l->runs.len; i++)
        if (((struct waiting *)vec_at(&l->runs, i))->run.id == run->id) {
            drop(l, i);
            break;
        }
    struct waiting *slot = vec_push(&l->runs, NULL);
    if (slot == NULL) {
        waiting_free(&w);
        lose(l, run);
        return;
    }
    *slot = w;
    l->bytes += w.bytes;
    while (l->runs.len > LEDGER_RUNS_MAX || (l->bytes > LEDGER_BYTES_MAX && l->runs.len > 1)) {
        lose(l, &((struct waiting *)vec_at(&l->runs, 0))->run);
        drop(l, 0);
    }
}

/* NULL: without memory for it. */
static struct stand *stand_of(struct ledger *l, const struct history_job *job)
{
    struct stand *s = NULL;
    for (size_t i = 0; i < l->jobs.len && s == NULL; i++)
        if (strcmp(((struct stand *)vec_at(&l->jobs, i))->name, job->name) == 0)
            s = vec_at(&l->jobs, i);
    if (s == NULL) {
        char *name = str_dup(job->name, NULL);
        s = name != NULL ? vec_push(&l->jobs, NULL) : NULL;
        if (s == NULL) {
            free(name);
            return NULL;
        }
        *s = (struct stand){ .name = name };
    }
    s->job = *job;
    s->job.name = s->name;
    return s;
}

static void is_stored(struct stand *s)
{
    s->stored = s->job;
    s->waits = false;
}

static bool any_waits(const struct ledger *l)
{
    bool any = l->runs.len > 0 || l->history == NULL || l->moved;
    for (size_t i = 0; i < l->jobs.len && !any; i++)
        any = ((const struct stand *)vec_at(&l->jobs, i))->waits;
    return any;
}

/* ---- for others to see --------------------------------------------------------------------------------------------------- */

/* While the disk is not full yet; later it may be there already, from a daemon before. */
static void make_file(struct ledger *l)
{
    struct error why = ERROR_INIT;
    char *path = path_join(l->state, TROUBLE_FILE, &why);
    if (path == NULL || trouble_make(path, &l->fd, &why) < 0) {
        l->fd = -1;
        if (!l->fd_told)
            log_event(LOG_WARN, "a history that takes nothing would be seen in this log only: %s", why.text);
        l->fd_told = true;
    }
    free(path);
}

static void publish(struct ledger *l)
{
    struct error why = ERROR_INIT;
    l->changes++;
    if (l->fd < 0)
        make_file(l);
    if (l->fd < 0)
        return;
    bool bad = trouble_write(l->fd, &l->trouble, &why) < 0;
    if (bad && !l->fd_told)
        log_event(LOG_WARN, "`backupd status` does not hear how the history is: %s", why.text);
    l->fd_told = bad;
}

static void is_wrong(struct ledger *l, const struct error *why)
{
    struct trouble *t = &l->trouble;
    bool first = t->since == 0;
    const char *gone = l->moved ? SUPERVISOR_HISTORY " is gone, and cannot be made anew: " : "";
    l->damaged = l->damaged || why->code == E_CORRUPT;
    if (why->code == E_NO_SPACE)
        (void)snprintf(t->why, sizeof t->why,
                       "%sdatabase or disk is full, make room on the file system of %.600s", gone, l->state);
    else
        (void)snprintf(t->why, sizeof t->why, "%s%.600s", gone, why->text);
    count(l);
    if (first) {
        t->since = now();
        /* Told to people by the notices, who look at the trouble itself: its words change. */
        alarms_quiet(true);
        log_event(LOG_ALARM,
                  "the history takes nothing: %s. What happens is kept in memory and written when it can be",
                  t->why);
        alarms_quiet(false);
    }
    publish(l);
}

static void is_well(struct ledger *l, size_t nruns)
{
    if (l->trouble.since == 0)
        return;
    log_event(LOG_WARN, "the history takes again what happens: %zu %s written late, %llu %s lost", nruns,
              plural(nruns, "run was", "runs were"), (unsigned long long)l->trouble.lost,
              plural(l->trouble.lost, "was", "were"));
    l->trouble = (struct trouble){ .since = 0 };
    publish(l);
}

/* ---- writing --------------------------------------------------------------------------------------------------------------- */

static int write_all(struct history *h, void *arg, struct error *err)
{
    const struct ledger *l = arg;
    int rc = 0;
    for (size_t i = 0; rc >= 0 && i < l->runs.len; i++) {
        struct waiting *w = vec_at(&l->runs, i);
        rc = w->ended ? history_end(h, w->run.id, &w->run, NULL, err)
                      : history_begin(h, &w->run, NULL, NULL, err);
    }
    for (size_t i = 0; rc >= 0 && i < l->jobs.len; i++) {
        const struct stand *s = vec_at(&l->jobs, i);
        rc = s->waits ? history_job_write(h, &s->job, err) : 0;
    }
    return rc;
}

static void forget(struct ledger *l)
{
    while (l->runs.len > 0)
        drop(l, l->runs.len - 1);
    for (size_t i = 0; i < l->jobs.len; i++)
        is_stored(vec_at(&l->jobs, i));
}

/* A damaged file is put aside by opening it, which looks at all of it. Closed before: SQLite removes by name what belongs to it. */
static int open_again(struct ledger *l, struct error *err)
{
    history_close(l->history);
    l->history = NULL;
    int rc = history_open(l->path, &l->history, err);
    if (rc < 0)
        return rc;
    l->damaged = false;
    int64_t last = 0;
    l->files += history_last(l->history, &last, NULL) == 0 && last < l->last ? 1 : 0;
    for (size_t i = 0; i < l->jobs.len; i++) {
        struct stand *s = vec_at(&l->jobs, i);
        s->stored = (struct history_job){ .name = s->name };
        s->waits = true;
    }
    return 0;
}

/* Somebody took the file away. What the open one holds, which is all of it, goes into a new one; until that is there nothing more
 * is written into the one that nobody will find. */
static int make_anew(struct ledger *l, struct error *err)
{
    int rc = history_save(l->history, l->path, err);
    if (rc < 0 && rc != E_CORRUPT)
        return rc;
    bool lost = rc < 0;
    uint64_t files = l->files;
    if ((rc = open_again(l, err)) < 0)
        return rc;
    l->files = files + 1; /* also when it has all of the old one */
    l->moved = false;
    if (lost)
        log_event(LOG_ALARM, "%s was removed, and damaged: a new one begins with where each job stands",
                  l->path);
    return 0;
}

static void look_for_file(struct ledger *l)
{
    if (l->moved || l->damaged || l->history == NULL || !history_is_moved(l->history))
        return;
    l->moved = true;
    log_event(
        LOG_ALARM,
        "%s (or what belongs to it) was removed or replaced while the daemon runs: all that it held is written into a new "
        "one",
        l->path);
}

/* All that waits, in one transaction. */
static void flush(struct ledger *l)
{
    struct error why = ERROR_INIT;
    int rc = l->moved && l->history != NULL     ? make_anew(l, &why)
             : l->history == NULL || l->damaged ? open_again(l, &why)
                                                : 0;
    l->tried = now();
    if (rc == 0)
        l->moved = false;
    if (rc == 0)
        rc = history_together(l->history, write_all, l, &why);
    if (rc == E_CORRUPT && !l->damaged && open_again(l, &why) == 0)
        rc = history_together(l->history, write_all, l, &why);
    if (rc < 0) {
        is_wrong(l, &why);
        return;
    }
    size_t n = l->runs.len;
    forget(l);
    is_well(l, n);
}

static void say_newest(struct ledger *l, const struct history_run *run)
{
    const char *text = run->text != NULL ? run->text : "";
    (void)snprintf(l->trouble.newest, sizeof l->trouble.newest, "%s: %s%s%.600s", run->job,
                   history_verdict_name(run->verdict), text[0] != '\0' ? ": " : "", text);
}

/* One that is not taken at once waits, and what waits goes first. */
static void put(struct ledger *l, struct history_run *run, const struct history_job *job, bool ended)
{
    struct stand *s = job != NULL ? stand_of(l, job) : NULL;
    struct error why = ERROR_INIT;
    bool was_waiting = any_waits(l);
    int rc = was_waiting   ? E_BUSY
             : run == NULL ? history_job_write(l->history, job, &why)
             : !ended      ? history_begin(l->history, run, job, &run->id, &why)
                           : history_end(l->history, run->id, run, job, &why);
    if (rc == 0) {
        l->last = run != NULL && run->id > l->last ? run->id : l->last;
        if (s != NULL)
            is_stored(s);
        return;
    }
    if (s != NULL)
        s->waits = true;
    else if (job != NULL)
        lose_stand(l, job);
    if (run != NULL && run->id == 0)
        run->id = ++l->last;
    if (run != NULL)
        add(l, run, ended);
    if (run != NULL && ended) {
        say_newest(l, run);
        l->errors++;
    }
    if (was_waiting || rc == E_CORRUPT) {
        flush(l);
    } else {
        l->tried = now();
        is_wrong(l, &why);
    }
}

void ledger_begin(struct ledger *l, struct history_run *run, const struct history_job *job)
{
    put(l, run, job, false);
}

void ledger_end(struct ledger *l, const struct history_run *run, const struct history_job *job)
{
    struct history_run copy = *run;
    put(l, &copy, job, true);
}

void ledger_skip(struct ledger *l, const struct history_run *run, const struct history_job *job)
{
    struct history_run copy = *run;
    copy.id = 0;
    put(l, &copy, job, false);
}

void ledger_job(struct ledger *l, const struct history_job *job)
{
    put(l, NULL, job, false);
}

void ledger_prune(struct ledger *l, int64_t wall, int64_t seconds)
{
    struct error why = ERROR_INIT;
    if (any_waits(l) || history_prune(l->history, wall, seconds, &why) == 0)
        return;
    log_event(LOG_WARN, "the history keeps what is old: %s", why.text);
    l->damaged = why.code == E_CORRUPT;
    if (l->damaged)
        flush(l);
}

/* ---- for the loop ------------------------------------------------------------------------------------------------------------ */

int64_t ledger_wake(const struct ledger *l)
{
    return l != NULL && l->trouble.since != 0 ? l->tried + LEDGER_PAUSE : INT64_MAX;
}

/* A clock that was set back does not hold it up. */
void ledger_look(struct ledger *l)
{
    int64_t t = now();
    bool was = l->moved;
    look_for_file(l);
    if (l->moved != was || (l->trouble.since != 0 && (t >= l->tried + LEDGER_PAUSE || t < l->tried)))
        flush(l);
}

struct history *ledger_history(const struct ledger *l)
{
    return l != NULL ? l->history : NULL;
}

struct trouble ledger_trouble(const struct ledger *l)
{
    return l != NULL ? l->trouble : (struct trouble){ .since = 0 };
}

uint64_t ledger_errors(const struct ledger *l)
{
    return l != NULL ? l->errors : 0;
}

uint64_t ledger_changes(const struct ledger *l)
{
    return l != NULL ? l->changes : 0;
}

uint64_t ledger_files(const struct ledger *l)
{
    return l != NULL ? l->files : 0;
}

/* ---- beginning and end ---------------------------------------------------------------------------------------------------------- */

int ledger_job_read(struct ledger *l, const char *name, struct history_job *out, struct error *err)
{
    for (size_t i = 0; i < l->jobs.len; i++) {
        const struct stand *s = vec_at(&l->jobs, i);
        if (s->waits && strcmp(s->name, name) == 0) {
            *out = s->job;
            out->name = name;
            return 1;
        }
    }
    int rc = l->history != NULL ? history_job_read(l->history, name, out, err) : 0;
    struct stand *s = rc == 1 ? stand_of(l, out) : NULL;
    if (s != NULL)
        is_stored(s);
    return rc;
}

bool ledger_is_stored(const struct ledger *l, const char *name)
{
    for (size_t i = 0; i < l->jobs.len; i++) {
        const struct stand *s = vec_at(&l->jobs, i);
        if (strcmp(s->name, name) == 0)
            return !s->waits;
    }
    return true;
}

/* What a daemon before this one had to leave behind. */
static void tell_left(struct ledger *l)
{
    struct trouble t;
    if (l->fd < 0 || trouble_read(l->fd, &t, NULL) != 1)
        return;
    uint64_t others = t.more + t.lost + t.states;
    if (t.ends + others > 0)
        log_event(
            LOG_ALARM,
            "the daemon before this one could not write everything into its history (%s): %llu %s of runs and "
            "%llu other %s are missing in it%s%s%s%s",
            t.why, (unsigned long long)t.ends, plural(t.ends, "end", "ends"), (unsigned long long)others,
            plural(others, "entry", "entries"), t.newest[0] != '\0' ? "; the newest: " : "", t.newest,
            t.stands[0] != '\0' ? "; not stored, so not known to this one: " : "", t.stands);
}

static bool is_there(const char *state, const char *name)
{
    struct stat st;
    char *path = path_join(state, name, NULL);
    bool yes = path != NULL && lstat(path, &st) == 0;
    free(path);
    return yes;
}

/* Before it is made. */
static void tell_missing(const char *state)
{
    if (!is_there(state, SUPERVISOR_HISTORY) &&
        (is_there(state, TROUBLE_FILE) || is_there(state, ACCEPTED_FILE) || is_there(state, RUN_MARKS)))
        log_event(
            LOG_WARN,
            "the history begins anew: there was none in %s, and a daemon has run here before. What was paused is not, and "
            "what was missed is not made up for",
            state);
}

int ledger_open(const char *state, struct ledger **out, struct error *err)
{
    struct ledger *l = mem_alloc(1, sizeof *l, err);
    *out = l;
    if (l == NULL)
        return E_NOMEM;
    *l = (struct ledger){ .fd = -1, .runs = VEC_OF(struct waiting), .jobs = VEC_OF(struct stand) };
    l->state = str_dup(state, err);
    l->path = path_join(state, SUPERVISOR_HISTORY, err);
    tell_missing(state);
    int rc = l->state != NULL && l->path != NULL ? history_open(l->path, &l->history, err) : E_NOMEM;
    if (rc == 0)
        rc = history_last(l->history, &l->last, err);
    if (rc < 0) {
        ledger_close(l);
        *out = NULL;
        return rc;
    }
    make_file(l);
    tell_left(l);
    publish(l);
    return 0;
}

static void tell_lost(const struct ledger *l)
{
    char stand[STAND_TEXT_MAX];
    size_t n = l->runs.len + (size_t)l->trouble.states;
    for (size_t i = 0; i < l->runs.len; i++) {
        const struct waiting *w = vec_at(&l->runs, i);
        log_event(LOG_WARN, "not in the history: run %lld of %s: %s%s%s", (long long)w->run.id, w->run.job,
                  w->ended ? history_verdict_name(w->run.verdict) : "began",
                  w->run.text[0] != '\0' ? ": " : "", w->run.text);
    }
    for (size_t i = 0; i < l->jobs.len; i++)
        if (stand_says(l, vec_at(&l->jobs, i), stand))
            log_event(LOG_WARN, "not in the history, and forgotten: %s", stand);
    log_event(LOG_ALARM, "the daemon ends, and %zu %s will not be in the history: %s%s%s", n,
              plural(n, "entry", "entries"), l->trouble.why,
              l->trouble.stands[0] != '\0' ? "; forgotten: " : "", l->trouble.stands);
}

void ledger_close(struct ledger *l)
{
    if (l == NULL)
        return;
    look_for_file(l);
    if (l->trouble.since != 0 || l->moved)
        flush(l);
    if (l->trouble.since != 0)
        tell_lost(l);
    forget(l);
    vec_free(&l->runs);
    for (size_t i = 0; i < l->jobs.len; i++)
        free(((struct stand *)vec_at(&l->jobs, i))->name);
    vec_free(&l->jobs);
    history_close(l->history);
    fd_drop(&l->fd);
    free(l->state);
    free(l->path);
    free(l);
}
