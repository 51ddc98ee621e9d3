/* check storage: can it be reached and used, and what may the account do. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backupd/host.h"
#include "backupd/report.h"
#include "backupd/storage/probe.h"
#include "backupd/verbs.h"
#include "common/backend/sftp_probe.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/sys/dirs.h"

#include "common/base/banned.h"

#define NO_SUCH_NAME "backupd-check.none"

const struct cli_option check_storage_options[] = {
    { .name = "probe",
      .kind = CLI_FLAG,
      .help =
          "Also try what the account may do: overwrite, remove, rename, link, set attributes, make directories, "
          "look into other hosts' files. Nothing is changed." },
    { .name = "user",
      .kind = CLI_STRING,
      .metavar = "USER",
      .help =
          "Ask as this account instead of the configured one: the retention host's, a reader's, the admin's." },
    { .name = "key", .kind = CLI_FILE, .help = "Private SSH key of --user; without it the agent." },
    { .name = "role",
      .kind = CLI_CHOICE,
      .choices = probe_roles,
      .metavar = "ROLE",
      .fallback = "writer",
      .help = "What the account is for: writer, retention, reader or admin. Decides what is a warning." },
    CLI_OPTIONS_END
};

/* An unknown or changed host key: show what the server says now, and the line that would pin it. */
static void add_host_key(const struct conf_repository *r, struct report *report, bool trusted)
{
    char *fingerprint = NULL;
    char *line = NULL;
    if (r->storage.type != CONF_STORAGE_SFTP ||
        access_scan_host_key(&r->storage, &fingerprint, &line, NULL) < 0)
        return;
    const char *key = strchr(line, ' '); /* behind the host's name */
    report_add(report, "host key", trusted ? OUT_PLAIN : OUT_WARN, "%s", fingerprint);
    if (!trusted) {
        report_add(report, "trusted", OUT_WARN, "no: compare it with what the server's owner says");
        report_add(report, "to trust it", OUT_PLAIN, "host_key: \"%s\"", key != NULL ? key + 1 : line);
    }
    free(fingerprint);
    free(line);
}

static void add_abilities(struct backend *b, struct report *report)
{
    struct backend_space space;
    char left[NUMBER_TEXT_MAX];
    char total[NUMBER_TEXT_MAX];
    struct sftp_probe named; /* a server that names no fsync refuses it at the first file */
    bool sync = (backend_caps(b) & BACKEND_FSYNC) != 0 &&
                ((backend_caps(b) & BACKEND_LOCAL) != 0 || sftp_probe(b, NULL, NULL, &named, NULL) < 0 ||
                 named.fsync);
    report_add(report, "durable", sync ? OUT_PLAIN : OUT_WARN, "%s",
               sync ? "yes: the storage confirms that files are on disk"
                    : "unknown: the server has no fsync, a power cut there may cost the newest files");
    if (backend_space(b, &space, NULL) == 0)
        report_add(report, "free", OUT_PLAIN, "%s of %s", size_format(left, space.available),
                   size_format(total, space.total));
    else
        report_add(report, "free", OUT_PLAIN, "unknown: the server does not tell");
}

static int ignore_entry(const char *name, const struct backend_stat *st, void *arg, struct error *err)
{
    (void)name;
    (void)st;
    (void)arg;
    (void)err;
    return 0;
}

/* A request for a name that does not exist is answered with just that, unless the account may not ask. */
static void probe_remove(struct backend *b, const char *name, struct report *report)
{
    struct backend_stat st;
    if (backend_stat(b, name, &st, NULL) != E_NOT_FOUND)
        return;
    bool may = backend_remove(b, name, NULL) == E_NOT_FOUND;
    report_add(
        report, "removing", may ? OUT_WARN : OUT_GOOD, "%s",
        may ? "allowed: whoever breaks into this host can delete backups; a write-once account prevents it"
            : "refused to this account, as it should be");
}

/* Only calls that cannot change anything: the names do not exist, or exist already. */
static void probe(struct backend *b, const uint8_t *id, struct report *report)
{
    char name[NAME_TEXT_MAX];
    if (id != NULL)
        probe_remove(b, name_pack(name, id, SESSION_MAX, IDX_MAX, ATTEMPTS - 1), report);
    int rc = backend_make_dir(b, "charter", 0750, NULL);
    report_add(report, "directories", OUT_PLAIN, "%s",
               rc == E_EXISTS ? "this account can make some"
                              : "this account cannot make any, as it should be");
}

/* The same where there is nothing yet: a directory below one that does not exist cannot come into being. */
static void probe_empty(struct backend *b, struct report *report)
{
    struct backend_stat st;
    probe_remove(b, NO_SUCH_NAME, report);
    if (backend_stat(b, NO_SUCH_NAME, &st, NULL) != E_NOT_FOUND)
        return;
    bool may = backend_make_dir(b, NO_SUCH_NAME "/none", 0750, NULL) == E_NOT_FOUND;
    report_add(
        report, "directories", OUT_PLAIN, "%s",
        may ? "this account may ask for some: it can run `init` if the directory is its own"
            : "refused to this account, as it should be: `init` needs one that may, once (--setup-user, "
              "--setup-key, or --setup-path on the server itself)");
}

/* The directory itself is missing: what the account may do is asked in the one above, where init makes it. */
static void probe_above(const struct conf_repository *r, struct report *report)
{
    struct conf_storage above = r->storage;
    char *dir = path_dir(r->storage.path, NULL);
    if (dir == NULL)
        return;
    above.path = dir;
    struct backend *b = access_storage(&above, NULL);
    if (b != NULL && backend_list(b, "", ignore_entry, NULL, NULL) == 0)
        probe_empty(b, report);
    backend_close(b);
    free(dir);
}

/* What there is to say before `init`. `there`: the storage's directory is. */
static void add_before_init(struct cli_context *cli, const struct conf_repository *r, struct backend *b,
                            bool there, struct report *report)
{
    struct backend_stat st;
    struct access_root root;
    char command[HOST_COMMAND_MAX];
    if (access_root(r, &root, NULL) != E_NOT_FOUND)
        return; /* this host has keys: its repository is missing, and a new one is no cure */
    if (there && backend_stat(b, "charter", &st, NULL) != E_NOT_FOUND) {
        if (cli_flag(cli, "probe"))
            probe(b, NULL, report);
        return;
    }
    if (there && cli_flag(cli, "probe"))
        probe_empty(b, report);
    else if (cli_flag(cli, "probe"))
        probe_above(r, report);
    report_add(report, "repository", OUT_PLAIN, "none yet");
    report_add(report, "next", OUT_PLAIN, "%s init %s", host_command(cli, NULL, command), r->name);
}

static int add_writers(const struct conf_repository *r, struct backend *b, struct report *report,
                       size_t *alarms, struct error *err)
{
    struct vec ids = { .item = WRITER_ID_LEN };
    size_t used = 0;
    size_t spare = 0;
    size_t closed = 0;
    int rc = access_writer_ids(r, &ids, err);
    for (size_t i = 0; rc == 0 && i < ids.len; i++) {
        const uint8_t *id = vec_at(&ids, i);
        struct repo *repo = NULL;
        rc = host_open(NULL, r, b, id, &repo, err);
        const struct repo_writer *w = rc == 0 ? repo_writer_find(repo, id) : NULL;
        bool active =
            w != NULL && charter_writer_at(repo_charter(repo), id, (uint32_t)w->records.len + 1) != NULL;
        used += active && w->records.len > 0;
        spare += active && w->records.len == 0;
        closed += !active;
        if (rc == 0) {
            *alarms += repo_alarms(repo, id);
            host_findings(repo);
        }
        repo_close(repo);
    }
    if (rc == 0) {
        report_add(report, "writers", spare > 0 ? OUT_PLAIN : OUT_WARN, "%zu in use, %zu spare%s", used,
                   spare, spare > 0 ? "" : ": a new job needs one to be enrolled with the root key");
        if (closed > 0)
            report_add(report, "retired", OUT_WARN, "%zu %s that the charter does not know or has retired",
                       closed, plural(closed, "writer", "writers"));
    }
    vec_free(&ids);
    return rc;
}

static int add_repository(struct cli_context *cli, const struct conf_repository *r, struct backend *b,
                          struct report *report, size_t *alarms, struct error *err)
{
    struct vec ids = { .item = WRITER_ID_LEN };
    struct repo *repo = NULL;
    struct access_root root;
    char id[2 * REPO_ID_LEN + 1];
    char print[ACCESS_FINGERPRINT_MAX];
    const uint8_t none[WRITER_ID_LEN] = { 0 };
    int rc = access_root(r, &root, err);
    if (rc == E_NOT_FOUND)
        cli->exit_code = CLI_EXIT_NO_REPOSITORY;
    if (rc == 0)
        rc = host_open(cli, r, b, none, &repo, err);
    if (rc < 0)
        return rc;
    hex_encode(id, repo->repo_id, REPO_ID_LEN);
    report_add(report, "repository", OUT_PLAIN, "%s", id);
    report_add(report, "root key", OUT_PLAIN, "%s", access_fingerprint(&root, print));
    report_add(report, "charter", OUT_PLAIN, "version %u, %zu %s", (unsigned)repo_charter(repo)->version,
               repo_charter(repo)->writers.len, plural(repo_charter(repo)->writers.len, "writer", "writers"));
    repo_close(repo);
    if (access_writer_ids(r, &ids, NULL) < 0)
        vec_clear(&ids);
    if (cli_choice(cli, "role") != SETUP_WRITER)
        report_add(report, "asked as", OUT_PLAIN, "%s, by %s", probe_roles[cli_choice(cli, "role")],
                   r->storage.user != NULL ? r->storage.user : "this user");
    else if (ids.len == 0)
        report_add(report, "writers", OUT_WARN, "this host holds no writer's key: it cannot back up");
    else
        rc = add_writers(r, b, report, alarms, err);
    if (rc == 0 && cli_flag(cli, "probe") && r->storage.type == CONF_STORAGE_SFTP)
        storage_probe(b, (enum setup_role)cli_choice(cli, "role"), &ids, report);
    else if (rc == 0 && cli_flag(cli, "probe"))
        probe(b, ids.len > 0 ? vec_at(&ids, 0) : NULL, report);
    vec_free(&ids);
    return rc;
}

static int check_one(struct cli_context *cli, const struct conf_repository *r, struct error *err)
{
    struct report report;
    struct error why = ERROR_INIT;
    size_t alarms = 0;
    report_init(&report, cli, "storage", r->name, err);
    struct backend *b = access_storage(&r->storage, &why);
    int rc = b != NULL ? access_connect(b, &r->storage, &why) : why.code;
    if (b != NULL)
        report_add(&report, "storage", OUT_PLAIN, "%s", backend_where(b));
    if (rc == 0 || rc == E_AUTH || rc == E_CONFLICT)
        add_host_key(r, &report, rc == 0);
    if (rc == 0)
        rc = backend_list(b, "", ignore_entry, NULL, &why); /* the directory, not only the account */
    bool there = rc == 0;
    if (there) {
        add_abilities(b, &report);
        rc = add_repository(cli, r, b, &report, &alarms, &why);
    }
    if (rc == E_NOT_FOUND) {
        cli->exit_code = CLI_EXIT_NO_REPOSITORY;
        add_before_init(cli, r, b, there, &report);
    }
    backend_close(b);
    int printed = report_print(&report, rc == 0 && alarms == 0, err);
    if (rc < 0) {
        (void)error_copy(err, &why);
        return error_wrap(err, "%s", r->name);
    }
    if (printed == 0 && alarms > 0)
        return error_set(err, E_CORRUPT, "%s: %zu %s in the logs of this host's writers (see above)", r->name,
                         alarms, plural(alarms, "finding", "findings"));
    return printed;
}

/* --user and --key: how another account sees it. */
static int check_as(struct cli_context *cli, const struct conf_repository *configured, struct error *err)
{
    struct conf_repository r = *configured;
    if (cli_given(cli, "user") || cli_given(cli, "key")) {
        if (r.storage.type != CONF_STORAGE_SFTP)
            return error_set(err, E_USAGE, "--user and --key are for storage over SFTP");
        if (cli_given(cli, "user"))
            r.storage.user = cli_text(cli, "user");
        r.storage.key = cli_text(cli, "key");
        r.storage.agent = r.storage.key == NULL;
        r.storage.passphrase = (struct conf_secret){ .kind = CONF_SECRET_NONE };
    }
    return check_one(cli, &r, err);
}

int cmd_check_storage(struct cli_context *cli, struct error *err)
{
    struct conf *conf = host_configuration(cli, false, err);
    if (conf == NULL)
        return err->code;
    int rc = 0;
    if (cli->nargs > 0) {
        const struct conf_repository *r = conf_find_repository(conf, cli->args[0], err);
        rc = r != NULL ? check_as(cli, r, err) : E_USAGE;
    }
    for (size_t i = 0; cli->nargs == 0 && rc == 0 && i < conf->nrepositories; i++)
        rc = check_as(cli, &conf->repositories[i], err);
    conf_free(conf);
    return rc;
}
