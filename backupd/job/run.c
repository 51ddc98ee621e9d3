#include "backupd/job/run.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backupd/host.h"
#include "backupd/job/assign.h"
#include "backupd/job/hook.h"
#include "backupd/job/last.h"
#include "backupd/job/pump.h"
#include "backupd/job/summary.h"
#include "backupd/keys/kit.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/sys/dirs.h"
#include "common/sys/interrupt.h"

#include "common/base/banned.h"

enum { PAUSE_GROWS = 4, PAUSE_MAX_MS = 3600 * 1000, LOOK_US = 100000 };

/* Everything one run holds. */
struct held {
    const struct conf_repository *repository;
    const struct engine *engine;
    struct engine_job job;
    struct backend *backend;
    struct writer_keys keys;
    char *state; /* this writer's directory */
    char *base;  /* of the repository's state */
    struct hooks hooks;
};

/* ---- probe --------------------------------------------------------------------------------------------- */

struct findings {
    const char *job;
    struct error first;
    bool fatal;
};

static void on_finding(bool fatal, const char *what, const char *cure, void *arg)
{
    struct findings *f = arg;
    if (!fatal || f->fatal) {
        log_event(LOG_WARN, "%s: %s (%s)", f->job, what, cure);
        return;
    }
    f->fatal = true;
    (void)error_set(&f->first, E_UNSUPPORTED, "%s (%s)", what, cure);
}

static int probe(const struct held *h, struct error *err)
{
    struct findings f = { .job = h->job.name, .first = ERROR_INIT, .fatal = false };
    int rc = h->engine->probe(&h->job, on_finding, &f, err);
    if (rc == 0 && f.fatal)
        rc = error_copy(err, &f.first);
    return rc;
}

/* ---- one attempt --------------------------------------------------------------------------------------- */

static int add_tags(struct session *s, const char *const *tags, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; tags != NULL && tags[i] != NULL && rc == 0; i++)
        rc = session_note(s, "tag", tags[i], err);
    return rc;
}

/* What retention is told: tags, and whether all of the source is in it. */
static int add_notes(const struct job_run *run, struct session *s, struct error *err)
{
    int rc = add_tags(s, run->job->tags.names, err);
    if (rc == 0)
        rc = add_tags(s, run->tags, err);
    if (rc == 0 && summary_flawed(run))
        rc = session_note(s, "incomplete", "1", err);
    return rc;
}

static int attempt(struct job_run *run, const struct held *h, struct error *err)
{
    struct session *session = NULL;
    struct engine_run *source = NULL;
    struct buf facts = BUF_INIT;
    struct progress *progress = NULL;
    struct session_options options = {
        .backend = h->backend,
        .keys = &h->keys,
        .state_dir = h->state,
        .label = run->job->name,
        .uploads = h->repository->storage.connections,
        .level = (int)(run->level != 0 ? run->level : run->job->compression),
        .scrub = run->scrub,
        .judge = watch_judge,
        .judge_arg = run->watch,
    };
    watch_attempt(run->watch, h->backend, run->writer);
    int rc = session_begin(&options, &session, err);
    if (rc < 0)
        goto out;
    progress = progress_start(run->cli, run->job->name, NULL); /* a run without a display is a run, too */
    struct pump pump = { .engine = h->engine,
                         .session = session,
                         .progress = progress,
                         .watch = run->watch,
                         .no_dedup = !run->job->dedup,
                         .fingerprint_seed = h->job.fingerprint_seed };
    source = h->engine->open(&h->job, err);
    if (source == NULL) {
        rc = err->code < 0 ? err->code : E_IO;
        goto out;
    }
    rc = pump_streams(&pump, source, err);
    if (rc == 0)
        rc = h->engine->finish(source, err);
    if (rc == 0)
        rc = pump_facts(&pump, source, run->job, &facts, err);
    run->flaws = (struct engine_flaws){ .missing = 0 };
    if (rc == 0 && h->engine->flaws != NULL)
        h->engine->flaws(source, &run->flaws);
    if (rc == 0)
        rc = add_notes(run, session, err);
    if (rc == 0)
        rc = interrupt_check(err);
    if (rc == 0) {
        progress_item(progress, "finishing");
        rc = session_commit(session, (const char *)facts.data, &run->session, err);
        if (rc == 0)
            last_write(h->state, h->job.name, run->session.logical);
    }
out:
    if (source != NULL)
        h->engine->close(source);
    session_free(session);
    progress_stop(progress);
    buf_free(&facts);
    return rc;
}

/* E_CANCELLED when a stop was requested meanwhile. */
static int pause_for(uint64_t ms, struct error *err)
{
    uint64_t end = clock_mono_ms() + ms;
    while (clock_mono_ms() < end && !interrupt_requested())
        (void)usleep(LOOK_US);
    return interrupt_check(err);
}

static int attempts(struct job_run *run, const struct held *h, struct error *err)
{
    uint64_t pause = run->job->retry_pause_ms;
    for (run->reruns = 0;; run->reruns++) {
        struct error why = ERROR_INIT;
        int rc = attempt(run, h, &why);
        if (rc == 0)
            return 0;
        if (rc != E_RETRY || run->reruns >= run->job->retries || interrupt_requested())
            return error_copy(err, &why);
        log_event(LOG_WARN, "%s: %s; running once more in %llu s (repetition %u of %u)", run->job->name,
                  why.text, (unsigned long long)(pause + 999) / 1000, run->reruns + 1, run->job->retries);
        rc = pause_for(pause, err);
        if (rc < 0)
            return rc;
        pause = pause * PAUSE_GROWS < PAUSE_MAX_MS ? pause * PAUSE_GROWS : PAUSE_MAX_MS;
    }
}

/* ---- the run ------------------------------------------------------------------------------------------- */

static int writer_state(struct job_run *run, struct held *h, struct error *err)
{
    char hex[2 * WRITER_ID_LEN + 1];
    hex_encode(hex, run->writer, WRITER_ID_LEN);
    h->state = path_join(h->base, hex, err);
    return h->state != NULL ? 0 : E_NOMEM;
}

/* The source may only be there when this is done. */
static int before(struct job_run *run, struct held *h, struct error *err)
{
    struct error why = ERROR_INIT;
    h->base = host_state(run->conf, h->repository, &why);
    if (h->base == NULL)
        return error_copy(err, &why);
    h->hooks.state = h->base;
    return hooks_before(&h->hooks, err);
}

/* Backups whose kit nobody has tried are worth nothing on the day they are needed. */
static int kit_tried(const struct job_run *run, const struct held *h, struct error *err)
{
    char command[HOST_COMMAND_MAX];
    if (run->kit_unconfirmed || !kit_is_unconfirmed(h->repository->keys))
        return 0;
    return error_set(
        err, E_UNSUPPORTED,
        "nobody has tried the restore kit yet, so nothing is backed up: run `%s key verify-kit --kit "
        "FILE` here, or on the restore station, which prints a code for --confirmation here (or "
        "back up without: --kit-unconfirmed)",
        host_command(run->cli, run->conf, command));
}

static int prepare(struct job_run *run, struct held *h, struct error *err)
{
    struct access_root root;
    int rc = 0;
    h->repository = conf_find_repository(run->conf, run->job->repository, err);
    h->engine = h->repository != NULL ? engine_find(run->job->engine, err) : NULL;
    if (h->engine == NULL)
        return E_USAGE;
    rc = access_root(h->repository, &root, err); /* first: a host without keys should hear just that */
    if (rc == E_NOT_FOUND)
        run->cli->exit_code = CLI_EXIT_NO_REPOSITORY;
    if (rc == 0)
        rc = kit_tried(run, h, err);
    if (rc == 0)
        rc = access_job(run->conf, run->job, &h->job, err);
    if (rc == 0)
        rc = before(run, h, err);
    if (rc == 0)
        rc = probe(h, err);
    if (rc < 0)
        return rc;
    h->backend = access_storage(&h->repository->storage, err);
    if (h->backend == NULL) {
        run->cli->exit_code = err->code == E_NOT_FOUND ? CLI_EXIT_NO_REPOSITORY : 0;
        return err->code < 0 ? err->code : E_IO;
    }
    (void)str_printable(run->where, sizeof run->where, backend_where(h->backend));
    rc = assign_writer(run->cli, run->conf, h->repository, run->job->name, h->backend, run->writer, err);
    if (rc == 0)
        rc = access_writer_keys(h->repository, run->writer, &h->keys, err);
    if (rc == 0)
        rc = writer_seed_derive(h->keys.w_w, &h->job.fingerprint_seed, err);
    if (rc == 0 && (rc = writer_state(run, h, err)) == 0)
        last_read(h->state, &h->job);
    return rc;
}

int job_run(struct job_run *run, struct error *err)
{
    struct held h = { .engine = NULL, .hooks = { .job = run->job } };
    struct error why = ERROR_INIT;
    uint64_t begin = clock_mono_ms();
    int rc = prepare(run, &h, &why);
    if (rc == 0) {
        run->watch = watch_new(run->conf, run->job);
        rc = attempts(run, &h, &why);
    }
    if (rc == 0)
        watch_published(run->watch, run->session.session);
    else
        watch_refused(run->conf, run->job, &why, &run->refused);
    if (rc == E_NOT_FOUND && why.name != NULL && strcmp(why.name, ERR_CHARTER_MISSING) == 0)
        run->cli->exit_code = CLI_EXIT_NO_REPOSITORY;
    run->after_failed = !hooks_after(&h.hooks, rc == 0 ? NULL : &why);
    run->milliseconds = clock_mono_ms() - begin;
    free(h.state);
    free(h.base);
    writer_keys_free(&h.keys);
    backend_close(h.backend);
    access_job_free(&h.job);
    return rc < 0 ? error_copy(err, &why) : 0;
}

void job_run_free(struct job_run *run)
{
    watch_free(run->watch);
    run->watch = NULL;
    anomalies_free(&run->refused);
}
