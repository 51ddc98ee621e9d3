#include "restore/drill/drill.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/cli/progress.h"
#include "restore/drill/evidence.h"
#include "restore/drill/internal.h"
#include "restore/drill/limit.h"
#include "restore/drill/mask.h"
#include "version.h"

#include "common/base/banned.h"

enum { HOST_MAX = 256, FIRST_MAX = 512 };

int drill_note(struct drill *d, const char *kind, const char *name, const char *subject, enum drill_verdict v,
               const char *expected, const char *found, const char *text, struct error *err)
{
    const struct drill_detail detail = { .expected = expected, .found = found, .text = text };
    return drill_check_add(d->r, kind, name, subject, v, &detail, err);
}

/* ---- who and what --------------------------------------------------------------------------------------- */

/* "20261128T231502Z-2f9c01ab": after the dash three digits are the millisecond, so that ids sort as the drills began, and
 * five are random. */
static int make_id(struct drill_result *r, struct error *err)
{
    enum { MS = 1000000, LAST_MS = 999, RANDOM_BITS = 20 };
    uint32_t random = 0;
    char time[NUMBER_TEXT_MAX];
    char plain[NUMBER_TEXT_MAX] = "";
    size_t n = 0;
    struct timespec now;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random ||
        clock_gettime(CLOCK_REALTIME, &now) < 0)
        return error_sys(err, "random bytes, or the time");
    uint32_t ms = (uint64_t)now.tv_sec == r->started ? (uint32_t)(now.tv_nsec / MS) : LAST_MS;
    for (const char *at = time_format(time, r->started); *at != '\0'; at++)
        if (*at != '-' && *at != ':')
            plain[n++] = *at;
    (void)snprintf(r->id, sizeof r->id, "%.20s-%03" PRIx32 "%05" PRIx32, plain, ms,
                   random & ((1U << RANDOM_BITS) - 1));
    return 0;
}

static int introduce(struct drill *d, struct error *err)
{
    char host[HOST_MAX] = "";
    d->r->started = clock_wall();
    d->r->rto_target_seconds = d->o->rto_seconds;
    (void)gethostname(host, sizeof host - 1);
    int rc = make_id(d->r, err);
    rc = rc < 0 ? rc : drill_text(&d->r->drill, d->o->drill, err);
    rc = rc < 0 ? rc : drill_text(&d->r->host, host, err);
    rc = rc < 0 ? rc : drill_text(&d->r->job, d->o->job, err);
    return rc < 0 ? rc : drill_text(&d->r->tool_version, BACKUP_VERSION, err);
}

static int describe(struct drill *d, struct error *err)
{
    const struct chosen *c = &d->db.c;
    struct drill_result *r = d->r;
    memcpy(r->record_hash, c->snap->record->hash, HASH_LEN);
    hex_encode(r->writer, c->snap->writer->id, WRITER_ID_LEN);
    r->snapshot_time = c->snap->record->rec.time;
    r->age_seconds = r->started > r->snapshot_time ? r->started - r->snapshot_time : 0;
    int rc = drill_text(&r->snapshot, c->name, err);
    rc = rc < 0 ? rc : drill_text(&r->job, c->snap->object->view.label, err);
    return rc < 0 ? rc : drill_text(&r->engine, d->db.engine != NULL ? d->db.engine->name : "files", err);
}

/* ---- the steps ------------------------------------------------------------------------------------------ */

static int check_age(struct drill *d, struct error *err)
{
    char texts[2][NUMBER_TEXT_MAX];
    uint64_t most = d->o->max_age_seconds;
    if (most == 0)
        return 0;
    return drill_note(d, "age", "age of the snapshot", d->r->snapshot,
                      d->r->age_seconds > most ? DRILL_FAIL : DRILL_PASS,
                      duration_format(texts[0], most * 1000),
                      duration_format(texts[1], d->r->age_seconds * 1000), NULL, err);
}

static int run(struct drill *d, struct error *err)
{
    const struct drill_options *o = d->o;
    d->opened = true;
    int rc = database_open_any(o->cli, o->selector, &d->db, err);
    if (d->db.c.snap != NULL && d->db.c.snap->object != NULL && d->db.c.snap->object->has_view && rc == 0)
        rc = describe(d, err);
    d->began = clock_mono_us();
    rc = rc < 0 ? rc : drill_storage(d, err);
    d->checking_us = clock_mono_us() - d->began;
    rc = rc < 0 ? rc : members_load(&d->db.c, &d->db.m, err);
    rc = rc < 0 ? rc : drill_sample(d, err);
    if (rc == 0)
        rc = d->db.engine == NULL ? drill_restore_files(d, err) : drill_restore(d, err);
    rc = rc < 0 ? rc : drill_doubt_of_room(d, err);
    rc = rc < 0 ? rc : drill_sample_left_out(d, err);
    rc = rc < 0 ? rc : drill_freshness(d, err);
    rc = rc < 0 ? rc : check_age(d, err);
    if (rc == 0 && d->db.engine != NULL) {
        rc = drill_engine_checks(d, err);
        rc = rc < 0 ? rc : drill_asserts(d, err);
    }
    return rc;
}

static void account(struct drill *d)
{
    struct drill_phases *p = &d->r->phases;
    uint64_t now = clock_mono_us();
    uint64_t end = d->loaded != 0 ? d->loaded : now;
    uint64_t start = d->restoring != 0 ? d->restoring : end;
    uint64_t index = d->indexing != 0 ? end - d->indexing : 0;
    uint64_t wall = end - start - index;
    uint64_t others = d->fetched_us + d->opening_us;
    p->prepare_ms = (start - d->began - d->checking_us) / 1000;
    p->fetch_ms = d->fetched_us / 1000;
    p->decrypt_ms = d->opening_us / 1000;
    p->index_ms = index / 1000;
    p->load_ms = wall > others ? (wall - others) / 1000 : 0;
    p->check_ms = (d->checking_us + (now - end)) / 1000;
    d->r->rto_ms = d->loaded != 0 ? (end - d->began - d->checking_us) / 1000 : 0;
    d->r->bytes = d->bytes;
    if (d->db.c.fetcher != NULL)
        d->r->bytes_fetched = fetcher_bytes_read(d->db.c.fetcher);
}

static int check_times(struct drill *d, struct error *err)
{
    char texts[2][NUMBER_TEXT_MAX];
    if (d->loaded == 0 || d->r->rto_target_seconds == 0)
        return 0;
    bool late = d->r->rto_ms > d->r->rto_target_seconds * 1000;
    return drill_note(d, "rto", "recovery time", NULL, late ? DRILL_FAIL : DRILL_PASS,
                      duration_format(texts[0], d->r->rto_target_seconds * 1000),
                      duration_format(texts[1], d->r->rto_ms), NULL, err);
}

/* ---- what a failure says -------------------------------------------------------------------------------- */

/* Bytes that are not what their author wrote, logs that contradict each other: that is the backup. */
static bool blames_backup(const struct drill *d, int code)
{
    if (drill_mask_blamed(d) && !(code == E_CORRUPT && d->loaded != 0))
        return false;
    if (code == E_CORRUPT || code == E_CONFLICT)
        return true;
    /* The server is there, has room, and does not take what was backed up. */
    return code == E_IO && d->restoring != 0 && !d->read_failed && d->loaded == 0 && d->placed &&
           scratch_alive(&d->s) && scratch_room_left(&d->s);
}

static const char *cure_of(const struct drill *d, int code, const char *why)
{
    switch (code) {
    case E_NO_SPACE:
        return "make room, or choose another place with --scratch DIR (drills.NAME.scratch)";
    case E_NOMEM:
        return "give it more (--memory, drills.NAME.memory), end something else, or drill on a machine with more "
               "memory, or a part (--table, --sample)";
    case E_DENIED:
        return "give this user the right, or choose another place with --scratch DIR (drills.NAME.scratch)";
    case E_AUTH:
        return "use a kit of this repository that may open it (--kit): a drill kit opens what was stored since its recipient "
               "is in the charter, until it expires, and older snapshots after `restore grant`";
    case E_BUSY:
    case E_RETRY:
        return "try again";
    case E_NOT_FOUND:
        return d->placed ? d->restoring == 0 ? "install what is missing"
                                             : "name what the snapshot holds (`restore ls`)"
               : d->opened && d->db.c.st.repo == NULL
                   ? "see that what is named is there: the storage (mounted, reached), the kit, the snapshot"
                   : "name a snapshot that is there (`restore list`), or make a backup; snapshots of writers that are newer than "
                     "the drill kit need a new kit";
    case E_UNSUPPORTED:
        return drill_cure_of_lack(why);
    default:
        return "see the reason; `restore plan` and `restore verify` tell more";
    }
}

/* The way out where it is the mask that does not fit, or may not. */
static int tell_mask(struct drill *d, int code, struct error *err)
{
    if (drill_mask_misfit(d) != NULL)
        return drill_text(&d->r->cure, "correct `mask` of this drill in the configuration", err);
    if (!drill_mask_blamed(d) || drill_limit_passed() ||
        (code != E_IO && code != E_CORRUPT && code != E_UNSUPPORTED))
        return 0;
    return drill_text(
        &d->r->cure,
        "a constraint may refuse the masked values: choose another rule for the column; a drill "
        "without `mask` tells whether the backup is good",
        err);
}

static int judge_failure(struct drill *d, const struct error *why, struct error *err)
{
    bool timed_out = drill_limit_passed();
    const struct error *misfit = drill_mask_misfit(d);
    why = misfit != NULL ? misfit : why;
    char reason[DRILL_REASON_MAX];
    drill_reason(d, why->text, reason);
    int code = drill_cause(why);
    int rc = tell_mask(d, code, err);
    if (rc < 0)
        return rc;
    if (misfit == NULL && blames_backup(d, code) && !timed_out) {
        bool storage = d->restoring == 0 || d->read_failed;
        return drill_note(d, storage ? "storage" : "load", storage ? "stored bytes" : "loading",
                          d->r->snapshot, DRILL_FAIL, NULL, NULL, reason, err);
    }
    d->r->verdict = DRILL_COULD_NOT_RUN;
    rc = timed_out ? drill_text(&d->r->reason, "it took longer than it may (--timeout)", err)
                   : drill_text(&d->r->reason, reason, err);
    if (rc == 0 && d->r->cure == NULL)
        rc = drill_text(&d->r->cure,
                        timed_out ? "give it more time, or drill a part (--table, --sample)"
                                  : cure_of(d, code, why->text),
                        err);
    return rc;
}

/* What is for people to look at must hold nothing that they are not to see. */
static bool may_keep(const struct drill *d)
{
    const struct out out = d->o->cli->json ? out_on(stderr, true) : d->o->cli->out;
    if (drill_mask_may_show(d))
        return true;
    out_line(
        &out, OUT_WARN,
        "What was restored is not kept: it is not proven that no original value of the masked columns is "
        "left.");
    (void)out_flush(&out, NULL);
    return false;
}

static bool is_no_drill(int code)
{
    return code == E_USAGE || code == E_INTERNAL || (code == E_CANCELLED && !drill_limit_passed());
}

int drill_run(const struct drill_options *options, struct drill_result *result, struct error *err)
{
    struct drill d = { .o = options,
                       .r = result,
                       .database = options->database,
                       .tables = options->tables,
                       .ntables = options->ntables };
    struct error why = ERROR_INIT;
    int rc = introduce(&d, err);
    if (rc < 0)
        return rc;
    if (!process_limits_set(&options->limits))
        rc = error_sys(err, "the limits of the drill");
    d.began = clock_mono_us();
    rc = rc < 0 ? rc : drill_limit_start(options->timeout_seconds, err);
    rc = rc < 0 ? rc : run(&d, &why);
    if (rc < 0 && why.code == 0)
        (void)error_set(&why, rc, "no memory");
    if (rc < 0 && is_no_drill(rc))
        rc = error_copy(err, &why);
    else if (rc < 0)
        rc = judge_failure(&d, &why, err);
    account(&d);
    drill_limit_end();
    rc = rc < 0 ? rc : check_times(&d, err);
    rc = rc < 0 ? rc : drill_result_settle(result, err);
    rc = rc < 0 ? rc : drill_remember(&d, err);
    if (rc == 0)
        drill_sample_keep(&d);
    bool kept = rc == 0 && options->keep != NULL && d.placed && d.loaded != 0 && may_keep(&d);
    if (kept)
        rc = drill_text(&result->connect, d.s.connect != NULL ? d.s.connect : d.s.to, err);
    if (kept && rc == 0)
        *options->keep = d.s;
    else if (d.placed)
        scratch_close(&d.s);
    free(d.name);
    free(d.prefix);
    drill_units_free(&d);
    drill_mask_free(&d);
    if (rc == 0 && d.opened && d.db.c.st.repo != NULL && options->origin != NULL)
        rc = evidence_origin(&d.db.c.st, options->origin, err);
    if (d.opened)
        database_close(&d.db, rc == 0 && result->verdict == DRILL_PASS ? 0 : E_CANCELLED);
    result->finished = clock_wall();
    return rc;
}
