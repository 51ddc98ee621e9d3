/* key rotate-root and key pin: another root key, and how hosts learn of it. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backupd/host.h"
#include "backupd/keys/change.h"
#include "backupd/keys/fresh.h"
#include "backupd/verbs.h"
#include "common/base/str.h"
#include "common/sys/dirs.h"

#include "common/base/banned.h"

const struct cli_option key_rotate_root_options[] = {
    KEY_CHANGE_OPTIONS,
    { .name = "new-root-key",
      .kind = CLI_FILE,
      .required = true,
      .help =
          "File of the new root key. It is made when it is not there; an earlier run that was ended may have "
          "left it, and is then gone on with." },
    { .name = "new-root-passphrase-file",
      .kind = CLI_FILE,
      .help = "Its passphrase, when it is there already." },
    FRESH_OPTIONS,
    CLI_OPTIONS_END
};

const struct cli_option key_pin_options[] = { KEY_REPO_OPTION, KEY_YES_OPTION, CLI_OPTIONS_END };

static int load_new(struct key_change *c, struct root_keys *out, struct error *err)
{
    struct conf_secret pass = key_passphrase_ref(c->cli, "new-root-passphrase-file");
    struct error why = ERROR_INIT;
    if (pass.kind == CONF_SECRET_NONE)
        pass = key_passphrase_ref(c->cli, "new-passphrase-file");
    struct secret *block =
        access_key_block(cli_text(c->cli, "new-root-key"), KEYFILE_ROOT, &pass, true, &why);
    int rc = block != NULL ? root_keys_decode(block, out, &why) : why.code;
    secret_free(block);
    if (rc == 0 && memcmp(out->repo_id, c->pin.repo_id, REPO_ID_LEN) != 0)
        rc = error_set(&why, E_CONFLICT, "--new-root-key is the root key of another repository");
    return rc < 0 ? error_copy(err, &why) : 0;
}

static int make_new(struct key_change *c, struct root_keys *out, struct error *err)
{
    struct fresh fresh = { .passphrase = NULL };
    int rc = fresh_read(c->cli, "New passphrase for the new root key: ", &fresh, err);
    memcpy(out->repo_id, c->pin.repo_id, REPO_ID_LEN);
    out->seed = rc == 0 ? secret_random(SIGN_SEED_LEN, err) : NULL;
    struct secret *block = out->seed != NULL ? root_keys_encode(out, err) : NULL;
    if (rc == 0)
        rc = block != NULL ? fresh_save(cli_text(c->cli, "new-root-key"), KEYFILE_ROOT, block, &fresh, err)
                           : E_NOMEM;
    secret_free(block);
    fresh_free(&fresh);
    return rc;
}

/* root.pub beside the new key: what hosts pin from now on. */
static int write_pub(const struct key_change *c, const uint8_t pk[SIGN_PK_LEN], struct error *err)
{
    struct access_root pin = c->pin;
    char *dir = path_dir(cli_text(c->cli, "new-root-key"), err);
    char *sub = dir != NULL ? path_join(dir, "new-root", err) : NULL;
    memcpy(pin.root_pk, pk, SIGN_PK_LEN);
    int rc = sub != NULL ? dir_make_private(sub, err) : E_NOMEM;
    if (rc == 0)
        rc = access_replace_root(sub, &pin, err);
    free(sub);
    free(dir);
    return rc;
}

static void say(struct key_change *c, const uint8_t pk[SIGN_PK_LEN])
{
    char old[ACCESS_FINGERPRINT_MAX];
    char new[ACCESS_FINGERPRINT_MAX];
    key_change_says(c, CHANGE_WHAT, "the root key is %s instead of %s", access_key_print(pk, new),
                    access_key_print(repo_charter(c->repo)->root_pk, old));
    key_change_says(c, CHANGE_WHAT,
                    "charter %u, signed by the old key, names the new one; charter %u, signed by the",
                    c->next.version, c->next.version + 1);
    key_change_says(c, CHANGE_WHAT, "  new key, says the same once more, so that the new one can be pinned");
    key_change_says(c, CHANGE_WHOM, "who signs changes: only with the new key from now on");
    key_change_says(c, CHANGE_WHOM, "hosts, kits and auditors that pin the old key go on as before");
    key_change_says(c, CHANGE_FINAL,
                    "the old key never signs for this repository again. Who has a copy of it, and");
    key_change_says(c, CHANGE_FINAL,
                    "  the storage, can still show a false repository to those who pin the old one:");
    key_change_says(c, CHANGE_FINAL, "  on each host run `backupd key pin`, and export the kits again");
    key_change_says(c, CHANGE_NEXT, "On each host, and on the restore station: backupd key pin");
    key_change_says(c, CHANGE_NEXT,
                    "Its new root.pub lies in the directory new-root beside the new key, for auditors");
    key_change_says(c, CHANGE_NEXT,
                    "  and for new hosts. Kits: backupd key export-kit. Then destroy the old root key.");
}

/* The second charter: the same content, signed by the new key. `repo` is opened anew, with the pin of before. */
static int endorse(struct key_change *c, struct root_keys *fresh, struct error *err)
{
    struct repo_options options = { .writer = NULL };
    struct repo *again = NULL;
    int rc = repo_open(c->backend, c->pin.root_pk, &options, &again, err);
    if (rc < 0)
        return rc;
    repo_close(c->repo);
    c->repo = again;
    charter_free(&c->next);
    buf_clear(&c->bytes);
    rc = charter_next(repo_charter(c->repo), &c->next, err);
    if (rc < 0)
        return rc;
    struct root_keys old = c->root;
    c->root = *fresh; /* it signs */
    *fresh = old;
    rc = key_change_publish(c, err);
    return rc < 0 ? error_wrap(err, "the new root key is named, but has not signed yet: run this once more")
                  : 0;
}

static int rotate(struct key_change *c, struct root_keys *fresh, struct error *err)
{
    uint8_t pk[SIGN_PK_LEN];
    bool there = access(cli_text(c->cli, "new-root-key"), F_OK) == 0;
    int rc = 0;
    if (there)
        rc = load_new(c, fresh, err);
    if (rc == 0 && !there) { /* asked before anything is made */
        fresh->seed = NULL;
        rc = make_new(c, fresh, err);
    }
    if (rc == 0)
        rc = sign_public(fresh->seed, pk, err);
    if (rc < 0)
        return rc;
    if (memcmp(pk, repo_charter(c->repo)->root_pk, SIGN_PK_LEN) == 0)
        return error_set(err, E_USAGE, "the new root key is the one that counts already");
    memcpy(c->next.root_pk, pk, SIGN_PK_LEN);
    say(c, pk);
    rc = key_change_confirm(c, err);
    if (rc == 0)
        rc = write_pub(c, pk, err);
    if (rc == 0)
        rc = key_change_publish(c, err);
    if (rc < 0 && !there && !c->maybe)
        (void)unlink(cli_text(c->cli, "new-root-key"));
    if (rc == 0)
        rc = endorse(c, fresh, err);
    return rc == 0 ? key_change_report(c, err) : rc;
}

/* An earlier run was ended between the two charters: the newest one names the new key, which has not signed. */
static int finish(struct key_change *c, struct error *err)
{
    struct root_keys fresh = { .seed = NULL };
    uint8_t pk[SIGN_PK_LEN];
    int rc = load_new(c, &fresh, err);
    if (rc == 0)
        rc = sign_public(fresh.seed, pk, err);
    if (rc == 0 && memcmp(pk, repo_charter(c->repo)->root_pk, SIGN_PK_LEN) != 0)
        rc = error_set(err, E_AUTH, "charter %u names neither --root-key nor --new-root-key as its root",
                       repo_charter(c->repo)->version);
    if (rc == 0) {
        key_change_says(c, CHANGE_WHAT,
                        "the rotation of the root key that an earlier run began is completed");
        rc = endorse(c, &fresh, err);
    }
    root_keys_free(&fresh);
    return rc == 0 ? key_change_report(c, err) : rc;
}

int cmd_key_rotate_root(struct cli_context *cli, struct error *err)
{
    struct key_change c;
    struct root_keys fresh = { .seed = NULL };
    struct error why = ERROR_INIT;
    struct conf *conf = host_configuration(cli, false, err);
    if (conf == NULL)
        return err->code;
    int rc = key_change_open(cli, conf, &c, &why);
    if (rc == E_AUTH && c.repo != NULL && access(cli_text(cli, "new-root-key"), F_OK) == 0)
        rc = finish(&c, &why);
    else if (rc == 0)
        rc = rotate(&c, &fresh, &why);
    root_keys_free(&fresh);
    key_change_close(&c);
    conf_free(conf);
    return rc < 0 ? error_copy(err, &why) : 0;
}

/* ---- pin ----------------------------------------------------------------------------------------------- */

static int pin(struct cli_context *cli, const struct conf_repository *repository, const struct repo *repo,
               const struct access_root *old, struct error *err)
{
    char a[ACCESS_FINGERPRINT_MAX];
    char b[ACCESS_FINGERPRINT_MAX];
    size_t n = repo->charters.len;
    struct access_root newest = *old;
    memcpy(newest.root_pk, ((const struct charter *)vec_at(&repo->charters, n > 1 ? n - 2 : 0))->root_pk,
           SIGN_PK_LEN); /* who signed the newest one */
    if (memcmp(newest.root_pk, old->root_pk, SIGN_PK_LEN) == 0) {
        if (!cli->quiet)
            out_line(&cli->out, OUT_PLAIN, "%s pins the newest root key already: %s", repository->name,
                     access_fingerprint(old, a));
        return 0;
    }
    out_line(&cli->out, OUT_PLAIN, "%s: this host pins %s; since then the root key was rotated to %s.",
             repository->name, access_fingerprint(old, a), access_fingerprint(&newest, b));
    out_line(&cli->out, OUT_PLAIN,
             "The old key's own signature says so. If the old key was stolen, that proves nothing: "
             "compare with whoever rotated it.");
    int rc = out_flush(&cli->out, err);
    if (rc == 0)
        rc = key_ask(cli, "Pin the new one from now on, and refuse what only the old one has signed", err);
    if (rc == 0)
        rc = access_replace_root(repository->keys, &newest, err);
    if (rc == 0)
        out_line(&cli->out, OUT_GOOD, "%s/%s pins %s.", repository->keys, ACCESS_ROOT_FILE,
                 access_fingerprint(&newest, b));
    return rc;
}

int cmd_key_pin(struct cli_context *cli, struct error *err)
{
    static const uint8_t none[WRITER_ID_LEN] = { 0 };
    struct access_root old;
    struct repo *repo = NULL;
    struct backend *backend = NULL;
    struct error why = ERROR_INIT;
    struct conf *conf = host_configuration(cli, false, err);
    if (conf == NULL)
        return err->code;
    const struct conf_repository *repository = conf_find_repository(conf, cli_text(cli, "repo"), &why);
    int rc = repository != NULL ? access_root(repository, &old, &why) : E_USAGE;
    if (rc == 0)
        rc = (backend = access_storage(&repository->storage, &why)) != NULL ? 0 : why.code;
    if (rc == 0)
        rc = host_open(cli, repository, backend, none, &repo, &why);
    if (rc == 0)
        rc = pin(cli, repository, repo, &old, &why);
    repo_close(repo);
    backend_close(backend);
    conf_free(conf);
    return rc < 0 ? error_copy(err, &why) : 0;
}
