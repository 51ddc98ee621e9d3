#include "backupd/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/str.h"
#include "common/cli/json.h"
#include "common/sys/dirs.h"

#include "common/base/banned.h"

static int print_problems(const struct cli_context *cli, const struct conf_problems *problems,
                          struct error *err)
{
    struct buf text = BUF_INIT;
    int rc = conf_problems_format(problems, &text, err);
    if (rc == 0 && text.len > 0 && fwrite(text.data, 1, text.len, stderr) != text.len)
        rc = error_sys(err, "print the problems");
    buf_free(&text);
    for (size_t i = 0; cli->json && rc == 0 && i < problems->list.len; i++) {
        const struct conf_problem *p = vec_at(&problems->list, i);
        struct jsonout *o = jsonout_new("finding");
        jsonout_str(o, "file", p->place.file);
        jsonout_u64(o, "line", p->place.line);
        jsonout_u64(o, "column", p->place.column);
        jsonout_str(o, "message", p->text);
        rc = jsonout_emit(o, err);
    }
    return rc;
}

struct conf *host_configuration_packed(struct cli_context *cli, bool need_jobs, struct buf *packed,
                                       struct error *err)
{
    struct conf_problems problems = CONF_PROBLEMS_INIT;
    struct conf *conf = access_configuration_packed(cli->config, need_jobs, packed, &problems, err);
    if (conf == NULL && problems.total > 0)
        (void)print_problems(cli, &problems, NULL); /* the reason is in err already */
    if (conf == NULL && err->code == E_NOT_FOUND)
        cli->exit_code = CLI_EXIT_USAGE;
    conf_problems_free(&problems);
    return conf;
}

struct conf *host_configuration(struct cli_context *cli, bool need_jobs, struct error *err)
{
    return host_configuration_packed(cli, need_jobs, NULL, err);
}

const char *host_command(const struct cli_context *cli, const struct conf *conf, char out[HOST_COMMAND_MAX])
{
    static const char with[] = "backupd --config ";
    (void)snprintf(out, HOST_COMMAND_MAX, "%s", cli->config_given ? with : "backupd");
    if (cli->config_given)
        (void)str_shell_word(out + sizeof with - 1, HOST_COMMAND_MAX - sizeof with,
                             conf != NULL && conf->packed ? conf->file : cli->config);
    return out;
}

typedef const struct conf_job *find_fn(const struct conf *conf, const char *name, struct error *err);

static int named(const struct cli_context *cli, const struct conf *conf, size_t all, find_fn *find,
                 struct vec *out, struct error *err)
{
    size_t n = cli->nargs > 0 ? cli->nargs : all;
    for (size_t i = 0; i < n; i++) {
        const struct conf_job *job = cli->nargs > 0 ? find(conf, cli->args[i], err) : &conf->jobs[i];
        bool twice = false;
        if (job == NULL)
            return E_USAGE;
        for (size_t j = 0; j < out->len; j++)
            twice = twice || *(const struct conf_job **)vec_at(out, j) == job;
        const struct conf_job **slot = twice ? NULL : vec_push(out, err);
        if (!twice && slot == NULL)
            return E_NOMEM;
        if (slot != NULL)
            *slot = job;
    }
    return 0;
}

int host_jobs(const struct cli_context *cli, const struct conf *conf, struct vec *out, struct error *err)
{
    return named(cli, conf, conf->njobs, conf_find_job, out, err);
}

int host_scheduled(const struct cli_context *cli, const struct conf *conf, struct vec *out, struct error *err)
{
    return named(cli, conf, conf->njobs + conf->ntasks, conf_find_scheduled, out, err);
}

char *host_state(const struct conf *conf, const struct conf_repository *repository, struct error *err)
{
    char *path = path_join(conf->state, repository->name, err);
    if (path != NULL && dir_make_private(path, err) < 0) {
        free(path);
        path = NULL;
    }
    return path;
}

int host_open(struct cli_context *cli, const struct conf_repository *repository, struct backend *backend,
              const uint8_t id[WRITER_ID_LEN], struct repo **out, struct error *err)
{
    struct access_root root;
    struct error why = ERROR_INIT;
    struct repo_options options = { .writer = id };
    int rc = access_root(repository, &root, &why);
    if (rc == 0)
        rc = repo_open(backend, root.root_pk, &options, out, &why);
    if (rc == E_NOT_FOUND && cli != NULL)
        cli->exit_code = CLI_EXIT_NO_REPOSITORY;
    if (rc < 0)
        return error_copy(err, &why);
    if (memcmp((*out)->repo_id, root.repo_id, REPO_ID_LEN) != 0) {
        repo_close(*out);
        *out = NULL;
        return error_set(err, E_CONFLICT, "%s holds another repository than this host's keys are for",
                         backend_where(backend));
    }
    return 0;
}

void host_findings(const struct repo *repo)
{
    for (size_t i = 0; i < repo->findings.len; i++) {
        const struct repo_finding *f = vec_at(&repo->findings, i);
        log_event(f->note ? LOG_DEBUG : LOG_ALARM, "%s%s%s", f->where, f->where[0] != '\0' ? ": " : "",
                  f->text);
    }
}
