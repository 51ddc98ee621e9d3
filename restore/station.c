#include "restore/station.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/backend/local.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/str.h"

#include "common/base/banned.h"

/* ---- configuration and storage ------------------------------------------------------------------------- */

static int load_conf(struct station *st, struct error *err)
{
    struct conf_problems problems = CONF_PROBLEMS_INIT;
    struct buf text = BUF_INIT;
    int rc = 0;
    st->conf = access_configuration(st->cli->config, false, &problems, err);
    if (st->conf == NULL) {
        rc = err->code < 0 ? err->code : E_INTERNAL;
        if (problems.list.len != 0 && conf_problems_format(&problems, &text, NULL) == 0)
            (void)fwrite(text.data, 1, text.len, stderr);
    }
    buf_free(&text);
    conf_problems_free(&problems);
    return rc;
}

/* A configuration that is not needed still knows the sources not to restore onto; a broken one must not stop a
 * restore that can do without. */
static void load_conf_if_there(struct station *st)
{
    struct error why = ERROR_INIT;
    if (access(st->cli->config, R_OK) < 0)
        return;
    struct conf_problems problems = CONF_PROBLEMS_INIT;
    st->conf = access_configuration(st->cli->config, false, &problems, &why);
    if (st->conf == NULL)
        log_event(LOG_WARN, "going on without the configuration: %s", why.text);
    conf_problems_free(&problems);
}

static int open_storage(struct station *st, struct error *err)
{
    const char *dir = cli_text(st->cli, "storage");
    st->backend = dir != NULL ? backend_local(dir, err) : access_storage(&st->repository->storage, err);
    if (st->backend != NULL)
        return 0;
    if (err->code == E_NOT_FOUND)
        st->cli->exit_code = CLI_EXIT_NO_REPOSITORY;
    return err->code < 0 ? err->code : E_INTERNAL;
}

static int read_configuration(struct station *st, struct error *err)
{
    const struct cli_context *cli = st->cli;
    const char *name = st->wanted;
    bool alone = cli_given(cli, "storage") && (cli_given(cli, "kit") || cli_given(cli, "root-key"));
    if (alone && name == NULL && !cli->config_given) {
        load_conf_if_there(st);
        return 0;
    }
    int rc = load_conf(st, err);
    if (rc == E_NOT_FOUND)
        st->cli->exit_code = CLI_EXIT_USAGE;
    if (rc == E_NOT_FOUND && !alone)
        return error_wrap(err,
                          "a configuration is needed, or --storage DIR with --kit FILE or --root-key FILE");
    if (rc < 0)
        return rc;
    st->repository = conf_find_repository(st->conf, name, err);
    if (st->repository == NULL)
        return name != NULL ? err->code : error_wrap(err, "--repo is missing");
    return 0;
}

const char *station_where(const struct station *st)
{
    return backend_where(st->backend);
}

/* ---- the logs ------------------------------------------------------------------------------------------ */

bool finding_alarms(const struct repo_finding *f)
{
    return !f->note && strcmp(f->name, ERR_LOG_LATE) != 0;
}

static void print_finding(const struct repo_finding *f)
{
    enum log_level level = finding_alarms(f) ? LOG_ALARM : f->note ? LOG_INFO : LOG_WARN;
    log_event(level, "%s%s%s: %s", f->name, f->where[0] != '\0' ? ": " : "", f->where, f->text);
}

static int open_repo(struct station *st, bool quietly, struct error *err)
{
    struct repo_options options = { .marks = st->marks_path != NULL && !st->first_time ? &st->marks : NULL,
                                    .now = clock_wall() };
    int rc = repo_open(st->backend, st->root.root_pk, &options, &st->repo, err);
    if (rc < 0) {
        if (rc == E_NOT_FOUND)
            st->cli->exit_code = CLI_EXIT_NO_REPOSITORY;
        return rc;
    }
    if (memcmp(st->repo->repo_id, st->root.repo_id, REPO_ID_LEN) != 0)
        return error_set(err, E_CONFLICT, "%s holds another repository than the one these keys belong to",
                         station_where(st));
    for (size_t i = 0; i < st->repo->findings.len; i++) {
        const struct repo_finding *f = vec_at(&st->repo->findings, i);
        st->alarms += finding_alarms(f);
        if (!quietly)
            print_finding(f);
    }
    return station_check_receipts(st, err);
}

static bool concerns(const struct repo_finding *f, const struct repo_writer *w)
{
    return finding_alarms(f) && (!f->has_writer || memcmp(f->writer, w->id, WRITER_ID_LEN) == 0);
}

int station_trusts(const struct station *st, const struct repo_writer *writer, struct error *err)
{
    if (cli_flag(st->cli, "despite-alarms"))
        return 0;
    for (size_t i = 0; i < st->repo->findings.len; i++) {
        const struct repo_finding *f = vec_at(&st->repo->findings, i);
        if (concerns(f, writer)) {
            (void)error_set(
                err, E_CONFLICT,
                "nothing was restored: %s: %s. Somebody may have hidden or changed backups; when you have "
                "looked into it, name the snapshot and add --despite-alarms",
                f->name, f->text);
            return E_CONFLICT;
        }
    }
    return 0;
}

/* ---- open and close ------------------------------------------------------------------------------------ */

static int open_all(struct station *st, enum station_kit kit, bool quietly, struct error *err)
{
    int rc = read_configuration(st, err);
    rc = rc < 0 ? rc : station_read_kit(st, kit, err);
    rc = rc < 0 ? rc : station_read_root(st, err);
    rc = rc < 0 ? rc : station_load_marks(st, err);
    st->answered = rc == 0;
    rc = rc < 0 ? rc : open_storage(st, err);
    rc = rc < 0 ? rc : open_repo(st, quietly, err);
    if (rc < 0)
        return rc;
    st->answered = false;
    rc = station_judge_drill_kit(st, err);
    rc = rc < 0 ? rc : station_read_approvals(st, err);
    st->answered = rc == 0;
    return rc;
}

static int open_station(struct cli_context *cli, const char *wanted, enum station_kit kit, bool quietly,
                        struct station *st, struct error *err)
{
    *st = (struct station){
        .cli = cli, .wanted = wanted, .drill = DRILL_KEYS_INIT, .opened = OPENED_SHARES_INIT
    };
    marks_init(&st->marks);
    return open_all(st, kit, quietly, err);
}

int station_open(struct cli_context *cli, enum station_kit kit, struct station *st, struct error *err)
{
    return open_station(cli, cli_text(cli, "repo"), kit, false, st, err);
}

int station_open_quietly(struct cli_context *cli, enum station_kit kit, struct station *st, struct error *err)
{
    return open_station(cli, cli_text(cli, "repo"), kit, true, st, err);
}

int station_open_named(struct cli_context *cli, const char *repository, enum station_kit kit,
                       struct station *st, struct error *err)
{
    return open_station(cli, repository != NULL ? repository : cli_text(cli, "repo"), kit, true, st, err);
}

void station_close(struct station *st)
{
    repo_close(st->repo);
    backend_close(st->backend);
    restore_kit_free(&st->kit);
    drill_keys_free(&st->drill);
    shares_free(&st->opened);
    marks_free(&st->marks);
    free(st->marks_path);
    conf_free(st->conf);
    *st = (struct station){ .cli = st->cli, .drill = DRILL_KEYS_INIT };
}

void station_killable(void)
{
    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGTERM, SIG_DFL);
}
