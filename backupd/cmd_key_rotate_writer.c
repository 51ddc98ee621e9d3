/* key rotate-writer: another signing key for the same writer, from its next record on. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backupd/host.h"
#include "backupd/keys/writer.h"
#include "backupd/verbs.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/sys/atomic_file.h"
#include "common/sys/dirs.h"
#include "common/sys/filelock.h"

#include "common/base/banned.h"

#define NEW_SUFFIX ".new"
enum { ID_HEX = 2 * WRITER_ID_LEN };

const struct cli_option key_rotate_writer_options[] = {
    KEY_CHANGE_OPTIONS,
    KEY_KIT_OPTIONS,
    { .name = "to",
      .kind = CLI_FILE,
      .metavar = "DIR",
      .help =
          "Put the new key file there, made with the kit: for a writer whose host is another one. Without, "
          "the key file in this host's key directory is replaced." },
    { .name = "despite-alarms",
      .kind = CLI_FLAG,
      .help = "Also when its log ends with an alarm: what comes after that is given up." },
    CLI_OPTIONS_END
};

struct rotation {
    struct key_change *c;
    uint8_t id[WRITER_ID_LEN];
    char hex[ID_HEX + 1];
    char *path;  /* of the key file as it will be */
    char *fresh; /* of the new one until then; the same with --to */
    struct writer_keys keys;
    uint32_t last;
    struct filelock *lock;
    bool signed_before; /* an earlier run was ended between the charter and the rename */
};

/* While a run of this writer is going on its record would be signed with the old key. */
static int take_lock(struct rotation *r, struct error *err)
{
    char *dir = str_printf(err, "%s/%s/%s", r->c->conf->state, r->c->repository->name, r->hex);
    char *path = dir != NULL ? path_join(dir, "lock", err) : NULL;
    int rc = path != NULL ? 0 : E_NOMEM;
    if (rc == 0 && access(dir, F_OK) == 0) {
        struct error why = ERROR_INIT;
        r->lock = filelock_take(path, &why);
        if (r->lock == NULL) {
            rc = error_copy(err, &why);
            (void)error_wrap(err, "a run of this writer is going on: wait for its end");
        }
    }
    free(path);
    free(dir);
    return rc;
}

static int from_host(struct rotation *r, struct error *err)
{
    r->path = access_writer_path(r->c->repository->keys, r->id, err);
    r->fresh = r->path != NULL ? str_printf(err, "%s" NEW_SUFFIX, r->path) : NULL;
    if (r->fresh == NULL)
        return E_NOMEM;
    if (access(r->fresh, F_OK) == 0) /* an earlier run left it */
        return key_writer_load(r->fresh, r->c, r->id, &r->keys, err);
    int rc = key_writer_load(r->path, r->c, r->id, &r->keys, err);
    if (rc == E_NOT_FOUND)
        return error_set(
            err, E_NOT_FOUND,
            "the key of writer %s is not on this host (%s): run this there, or make the new file "
            "with the kit: --to DIR --kit FILE",
            r->hex, r->path);
    if (rc < 0)
        return rc;
    secret_free(r->keys.seed);
    r->keys.seed = secret_random(SIGN_SEED_LEN, err);
    return r->keys.seed != NULL ? 0 : E_NOMEM;
}

static int from_kit(struct rotation *r, const char *dir, struct error *err)
{
    struct restore_kit kit = { .w = NULL };
    r->path = access_writer_path(dir, r->id, err);
    r->fresh = r->path != NULL ? str_dup(r->path, err) : NULL;
    if (r->fresh == NULL)
        return E_NOMEM;
    if (access(r->fresh, F_OK) == 0)
        return key_writer_load(r->fresh, r->c, r->id, &r->keys, err);
    int rc = key_kit(r->c->cli, r->c->repository, NULL, &kit, err);
    if (rc == 0 && memcmp(kit.repo_id, r->c->repo->repo_id, REPO_ID_LEN) != 0)
        rc = error_set(err, E_CONFLICT, "the kit is of another repository than the root key");
    if (rc == 0)
        rc = dir_make_private(dir, err);
    if (rc == 0) {
        memcpy(r->keys.repo_id, kit.repo_id, REPO_ID_LEN);
        memcpy(r->keys.root_pk, key_change_pin(r->c), SIGN_PK_LEN);
        memcpy(r->keys.writer_id, r->id, WRITER_ID_LEN);
        r->keys.w_w = writer_root_derive(kit.w, r->id, err);
        r->keys.v_w = r->keys.w_w != NULL ? view_key_derive(kit.v, r->id, err) : NULL;
        r->keys.seed = r->keys.v_w != NULL ? secret_random(SIGN_SEED_LEN, err) : NULL;
        rc = r->keys.seed != NULL ? 0 : E_NOMEM;
    }
    restore_kit_free(&kit);
    return rc;
}

/* Closes the old key and opens the new one, unless that was signed by a run before this one. */
static int edit(struct rotation *r, struct error *err)
{
    uint8_t pk[SIGN_PK_LEN];
    const struct charter_writer *line = charter_writer_last(&r->c->next, r->id);
    uint32_t cadence = line->cadence_hours;
    int rc = sign_public(r->keys.seed, pk, err);
    if (rc < 0)
        return rc;
    r->signed_before = memcmp(line->pk, pk, SIGN_PK_LEN) == 0;
    if (r->signed_before)
        return 0;
    rc = key_writer_close(r->c, r->id, cli_flag(r->c->cli, "despite-alarms"), &r->last, err);
    const struct repo_writer *w = rc == 0 ? repo_writer_find(r->c->repo, r->id) : NULL;
    if (w != NULL && w->forked)
        return error_set(
            err, E_CONFLICT,
            "the log of writer %s forks after record %u: two copies of it are writing. It cannot go "
            "on; retire it (`backupd key retire-writer %s`) and give the job another",
            r->hex, r->last, r->hex);
    return rc == 0 ? key_writer_open(&r->c->next, r->id, r->keys.seed, cadence, r->last + 1, err) : rc;
}

static void say(struct rotation *r)
{
    struct key_change *c = r->c;
    bool elsewhere = cli_text(c->cli, "to") != NULL;
    key_change_says(c, CHANGE_WHAT, "writer %s signs with a new key from record %u on", r->hex, r->last + 1);
    key_change_says(c, CHANGE_WHOM,
                    "who has a copy of the old key: what it signs from now on counts for nobody");
    key_change_says(c, CHANGE_WHOM, "the writer's host: %s",
                    elsewhere ? "its next run is refused until the new file is in its key directory"
                              : "it goes on with the new file, and stores nothing twice");
    key_change_says(c, CHANGE_FINAL,
                    "the old key never signs again. What it could open it still opens: this writer's");
    key_change_says(c, CHANGE_FINAL,
                    "  own lists and trailers (W_w and V_w stay). To change those, retire the writer");
    if (elsewhere)
        key_change_says(c, CHANGE_NEXT,
                        "Put %s into the key directory of its host, in the place of the old one.", r->path);
}

/* Somebody else's run may have ended meanwhile, with a record under the old key. */
static int look_again(struct rotation *r, struct error *err)
{
    struct repo_options options = { .writer = r->id };
    struct repo *repo = NULL;
    int rc = repo_open(r->c->backend, r->c->pin.root_pk, &options, &repo, err);
    if (rc == 0 && repo_alarms(repo, r->id) > 0 && key_change_alarms(r->c, r->id) == 0)
        log_event(
            LOG_ALARM,
            "a run that was going on published record %u with the old key meanwhile: it counts for nobody, "
            "and stands in the way of this writer. Retire it and give the job another",
            r->last + 1);
    repo_close(repo);
    return rc;
}

static int rotate(struct rotation *r, struct error *err)
{
    struct key_change *c = r->c;
    const char *dir = cli_text(c->cli, "to");
    int rc = key_writer_find(c, c->cli->args[0], r->id, err);
    hex_encode(r->hex, r->id, WRITER_ID_LEN);
    if (rc == 0)
        rc = take_lock(r, err);
    if (rc == 0)
        rc = dir != NULL ? from_kit(r, dir, err) : from_host(r, err);
    if (rc == 0)
        rc = edit(r, err);
    if (rc < 0)
        return rc;
    if (!r->signed_before) {
        bool there = access(r->fresh, F_OK) == 0;
        say(r);
        rc = key_change_confirm(c, err);
        if (rc == 0 && !there)
            rc = key_writer_save(r->fresh, &r->keys, err);
        if (rc == 0)
            rc = key_change_publish(c, err);
        if (rc < 0 && !there && !c->maybe)
            (void)unlink(r->fresh);
    }
    if (rc == 0 && strcmp(r->fresh, r->path) != 0)
        rc = file_publish(r->fresh, r->path, FILE_REPLACE, err);
    if (rc == 0 && r->signed_before) {
        if (!c->cli->json && !c->cli->quiet)
            out_line(&c->cli->out, OUT_PLAIN, "Charter %u knows the new key already; %s is in its place now.",
                     repo_charter(c->repo)->version, r->path);
        return 0;
    }
    if (rc == 0)
        rc = look_again(r, err);
    return rc == 0 ? key_change_report(c, err) : rc;
}

static int run(struct key_change *c, struct error *err)
{
    struct rotation r = { .c = c };
    int rc = rotate(&r, err);
    filelock_free(r.lock);
    writer_keys_free(&r.keys);
    free(r.fresh);
    free(r.path);
    return rc;
}

int cmd_key_rotate_writer(struct cli_context *cli, struct error *err)
{
    return key_change_run(cli, run, err);
}
