/* key add-writer, retire-writer: who may add backups. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backupd/host.h"
#include "backupd/keys/writer.h"
#include "backupd/verbs.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/sys/dirs.h"

#include "common/base/banned.h"

enum { ID_HEX = 2 * WRITER_ID_LEN, COUNT_MAX = 256 };

const struct cli_option key_add_writer_options[] = {
    KEY_CHANGE_OPTIONS,
    KEY_KIT_OPTIONS,
    { .name = "to",
      .kind = CLI_FILE,
      .metavar = "DIR",
      .help = "Where to put the new key files; default: this host's key directory of the repository." },
    { .name = "count",
      .kind = CLI_INTEGER,
      .fallback = "1",
      .min = 1,
      .max = COUNT_MAX,
      .help = "How many." },
    { .name = "cadence",
      .kind = CLI_INTEGER,
      .metavar = "HOURS",
      .fallback = "36",
      .max = CHARTER_CADENCE_MAX,
      .help = "A writer whose newest snapshot is older is reported as late; 0: never." },
    CLI_OPTIONS_END
};

const struct cli_option key_retire_writer_options[] = {
    KEY_CHANGE_OPTIONS,
    { .name = "despite-alarms",
      .kind = CLI_FLAG,
      .help = "Also when its log ends with an alarm that is no fork: what comes after that is given up." },
    CLI_OPTIONS_END
};

/* ---- add ----------------------------------------------------------------------------------------------- */

struct adding {
    struct key_change c;
    struct restore_kit kit;
    struct vec keys;  /* struct writer_keys */
    struct vec paths; /* char *, of files that were written */
    const char *dir;
};

static int make_keys(struct adding *a, struct error *err)
{
    uint32_t cadence = (uint32_t)cli_number(a->c.cli, "cadence");
    int rc = key_kit(a->c.cli, a->c.repository, NULL, &a->kit, err);
    if (rc == 0 && memcmp(a->kit.repo_id, a->c.repo->repo_id, REPO_ID_LEN) != 0)
        rc = error_set(err, E_CONFLICT, "the kit is of another repository than the root key");
    if (rc < 0)
        return rc;
    memcpy(a->kit.root_pk, key_change_pin(&a->c), SIGN_PK_LEN);
    for (uint64_t i = 0; rc == 0 && i < cli_number(a->c.cli, "count"); i++) {
        char hex[ID_HEX + 1];
        struct writer_keys *w = vec_push(&a->keys, err);
        rc = w != NULL ? writer_keys_generate(&a->kit, w, err) : E_NOMEM;
        if (rc == 0)
            rc = key_writer_open(&a->c.next, w->writer_id, w->seed, cadence, 1, err);
        if (rc == 0) {
            hex_encode(hex, w->writer_id, WRITER_ID_LEN);
            key_change_says(&a->c, CHANGE_WHAT, "writer %s may add backups, from record 1", hex);
        }
    }
    return rc;
}

/* Of the same repository, and never another pin than the one that is there. */
static int save_root(const struct adding *a, struct error *err)
{
    struct access_root pin = a->c.pin;
    memcpy(pin.root_pk, a->kit.root_pk, SIGN_PK_LEN);
    struct error why = ERROR_INIT;
    int rc = access_write_root(a->dir, &pin, &why);
    return rc < 0 && rc != E_EXISTS ? error_copy(err, &why) : 0;
}

static int save_keys(struct adding *a, struct error *err)
{
    int rc = dir_make_private(a->dir, err);
    if (rc == 0)
        rc = save_root(a, err);
    for (size_t i = 0; rc == 0 && i < a->keys.len; i++) {
        const struct writer_keys *w = vec_at(&a->keys, i);
        char **slot = vec_push(&a->paths, err);
        char *path = slot != NULL ? access_writer_path(a->dir, w->writer_id, err) : NULL;
        rc = path != NULL ? key_writer_save(path, w, err) : E_NOMEM;
        if (slot != NULL)
            *slot = path;
        if (rc < 0 && slot != NULL)
            a->paths.len--;
        if (rc < 0)
            free(path);
    }
    return rc;
}

static void take_back(const struct adding *a)
{
    for (size_t i = 0; i < a->paths.len; i++)
        (void)unlink(*(char **)vec_at(&a->paths, i));
}

static int add(struct adding *a, struct error *err)
{
    struct key_change *c = &a->c;
    a->dir = cli_text(c->cli, "to") != NULL ? cli_text(c->cli, "to") : c->repository->keys;
    int rc = make_keys(a, err);
    if (rc < 0)
        return rc;
    key_change_says(c, CHANGE_WHOM, "the host that gets the key %s: it can add backups, and read none",
                    plural(a->keys.len, "file", "files"));
    key_change_says(c, CHANGE_WHOM, "everybody else: nothing changes");
    key_change_says(c, CHANGE_FINAL, "a writer can be retired, but its line stays in every later charter");
    key_change_says(c, CHANGE_NEXT,
                    "%zu key %s in %s: move %s to the key directory of the host that backs up,", a->keys.len,
                    plural(a->keys.len, "file", "files"), a->dir, plural(a->keys.len, "it", "them"));
    key_change_says(c, CHANGE_NEXT, "with %s beside it. A job without a writer takes a free one by itself.",
                    ACCESS_ROOT_FILE);
    rc = key_change_confirm(c, err);
    if (rc == 0)
        rc = repo_create_dirs(c->backend, &c->next, err);
    if (rc == E_DENIED)
        return error_wrap(err,
                          "a writer needs directories: name an account that may make them (--setup-user, "
                          "--setup-key)");
    if (rc == 0)
        rc = save_keys(a, err);
    if (rc == 0)
        rc = key_change_publish(c, err);
    if (rc < 0 && !c->maybe)
        take_back(a);
    return rc == 0 ? key_change_report(c, err) : rc;
}

int cmd_key_add_writer(struct cli_context *cli, struct error *err)
{
    struct adding a = { .keys = VEC_OF(struct writer_keys), .paths = VEC_OF(char *) };
    struct conf *conf = host_configuration(cli, false, err);
    if (conf == NULL)
        return err->code;
    int rc = key_change_open(cli, conf, &a.c, err);
    if (rc == 0)
        rc = add(&a, err);
    for (size_t i = 0; i < a.keys.len; i++)
        writer_keys_free(vec_at(&a.keys, i));
    for (size_t i = 0; i < a.paths.len; i++)
        free(*(char **)vec_at(&a.paths, i));
    vec_free(&a.keys);
    vec_free(&a.paths);
    restore_kit_free(&a.kit);
    key_change_close(&a.c);
    conf_free(conf);
    return rc;
}

/* ---- retire -------------------------------------------------------------------------------------------- */

static int retire(struct key_change *c, struct error *err)
{
    uint8_t id[WRITER_ID_LEN];
    char hex[ID_HEX + 1];
    uint32_t last = 0;
    int rc = key_writer_find(c, c->cli->args[0], id, err);
    if (rc == 0)
        rc = key_writer_close(c, id, cli_flag(c->cli, "despite-alarms"), &last, err);
    if (rc < 0)
        return rc;
    hex_encode(hex, id, WRITER_ID_LEN);
    char *job = key_writer_job(c->conf, c->repository, id);
    const struct repo_writer *w = repo_writer_find(c->repo, id);
    key_change_says(c, CHANGE_WHAT, "writer %s%s%s%s is closed after record %u%s", hex,
                    job != NULL ? " (job " : "", job != NULL ? job : "", job != NULL ? ")" : "", last,
                    w != NULL && w->forked ? ", before the fork of its log" : "");
    key_change_says(c, CHANGE_WHOM, "the host with its key: what it adds from now on counts for nobody,");
    key_change_says(c, CHANGE_WHOM, "  also a run that is going on now; its next run is refused");
    key_change_says(c, CHANGE_WHOM,
                    "restores: its snapshots up to record %u stay, until retention lets them go", last);
    key_change_says(c, CHANGE_FINAL,
                    "a closed writer is never opened again: a job that goes on needs another");
    key_change_says(c, CHANGE_FINAL,
                    "  one (a spare, or `backupd key add-writer`), and stores everything once more");
    if (job != NULL)
        key_change_says(c, CHANGE_NEXT,
                        "Job %s is assigned to it in %s/%s/jobs: remove that line, and it takes "
                        "a spare writer.",
                        job, c->conf->state, c->repository->name);
    free(job);
    rc = key_change_confirm(c, err);
    if (rc == 0)
        rc = key_change_publish(c, err);
    return rc == 0 ? key_change_report(c, err) : rc;
}

int cmd_key_retire_writer(struct cli_context *cli, struct error *err)
{
    return key_change_run(cli, retire, err);
}
