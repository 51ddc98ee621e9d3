/* key export-kit and verify-kit: the restore kit on paper and in the safe. */
#include <stdlib.h>
#include <string.h>

#include "backupd/host.h"
#include "backupd/keys/change.h"
#include "backupd/keys/fresh.h"
#include "backupd/keys/kit.h"
#include "backupd/keys/proof.h"
#include "backupd/keys/recipient.h"
#include "backupd/report.h"
#include "backupd/verbs.h"
#include "common/base/number.h"
#include "common/base/str.h"

#include "common/base/banned.h"

const struct cli_option key_export_kit_options[] = {
    KEY_REPO_OPTION,
    KEY_KIT_OPTIONS,
    { .name = "recipient-key",
      .kind = CLI_FILE,
      .help =
          "Put this recipient's own key (`key new-recipient`) into the new kit instead of the old kit's: for a "
          "restore station or a person of its own." },
    { .name = "recipient-passphrase-file",
      .kind = CLI_FILE,
      .help = "The passphrase of that key: the first line of this file." },
    { .name = "to", .kind = CLI_FILE, .help = "The new kit's file; never over an existing one." },
    { .name = "text", .kind = CLI_FILE, .help = "Its text, to print." },
    FRESH_OPTIONS,
    CLI_OPTIONS_END
};

const struct cli_option key_verify_kit_options[] = {
    KEY_REPO_OPTION,
    { .name = "kit",
      .kind = CLI_FILE,
      .help =
          "The kit: its file, or a file with its text as somebody typed it from the paper; - for that text on "
          "stdin. Default: `kit` of the configuration." },
    { .name = "kit-passphrase-file",
      .kind = CLI_FILE,
      .help = "Its passphrase: the first line of this file. Default: it is asked for." },
    { .name = "confirmation",
      .kind = CLI_STRING,
      .metavar = "CODE",
      .help = "On the host that backs up: the code that `key verify-kit` printed where the kit is." },
    CLI_OPTIONS_END
};

/* ---- export -------------------------------------------------------------------------------------------- */

/* Another R for the kit: that of a recipient made on its own machine. */
static int take_recipient(struct cli_context *cli, struct restore_kit *kit, struct error *err)
{
    struct conf_secret pass = key_passphrase_ref(cli, "recipient-passphrase-file");
    struct member_kit m = { .r = NULL };
    struct error why = ERROR_INIT;
    const char *path = cli_text(cli, "recipient-key");
    if (path == NULL)
        return 0;
    struct secret *block = access_key_block(path, KEYFILE_MEMBER, &pass, true, &why);
    int rc = block != NULL ? member_kit_decode(block, &m, &why) : why.code;
    secret_free(block);
    if (rc == 0 && memcmp(m.repo_id, kit->repo_id, REPO_ID_LEN) != 0)
        rc = error_set(&why, E_CONFLICT, "%s is the key of a recipient of another repository", path);
    if (rc == 0) {
        secret_free(kit->r);
        kit->r = m.r;
        m.r = NULL;
    }
    member_kit_free(&m);
    return rc < 0 ? error_copy(err, &why) : 0;
}

/* What it pins: root.pub where that is there and of this repository (it may be newer), else what the old kit did. */
static void newest_pin(const struct conf_repository *repository, struct restore_kit *kit)
{
    struct access_root root;
    if (access_root(repository, &root, NULL) == 0 && memcmp(root.repo_id, kit->repo_id, REPO_ID_LEN) == 0)
        memcpy(kit->root_pk, root.root_pk, SIGN_PK_LEN);
}

static int export(struct cli_context *cli, const struct conf_repository *repository, struct error *err)
{
    struct restore_kit kit = { .w = NULL };
    struct fresh fresh = { .passphrase = NULL };
    struct access_root pin;
    char print[ACCESS_FINGERPRINT_MAX];
    const char *to = cli_text(cli, "to");
    const char *text = cli_text(cli, "text");
    if (to == NULL && text == NULL)
        return error_set(err, E_USAGE, "where to? Give --to FILE, --text FILE, or both");
    int rc = key_kit(cli, repository, NULL, &kit, err);
    if (rc == 0)
        rc = take_recipient(cli, &kit, err);
    if (rc == 0)
        newest_pin(repository, &kit);
    if (rc == 0)
        rc = fresh_read(cli, "New passphrase for the new kit: ", &fresh, err);
    if (rc == 0)
        rc = kit_save(to, text, repository->name, &kit, fresh.passphrase, &fresh.kdf, err);
    if (rc == 0) {
        struct report r;
        memcpy(pin.repo_id, kit.repo_id, REPO_ID_LEN);
        memcpy(pin.root_pk, kit.root_pk, SIGN_PK_LEN);
        report_init(&r, cli, "kit", repository->name, err);
        if (to != NULL)
            report_add(&r, "restore kit", OUT_BOLD, "%s", to);
        if (text != NULL)
            report_add(&r, "as text", OUT_PLAIN, "%s   print it", text);
        report_add(&r, "root key", OUT_PLAIN, "%s", access_fingerprint(&pin, print));
        report_add(&r, "passphrase", fresh.passphrase != NULL ? OUT_PLAIN : OUT_WARN, "%s",
                   fresh.passphrase != NULL ? "yes" : "none: whoever holds it can read every backup");
        report_add(&r, "the old kit", OUT_PLAIN,
                   "still opens what it opened: destroy its copies, or remove its "
                   "recipient, if that is not meant");
        report_add(&r, "next", OUT_PLAIN,
                   "backupd key verify-kit --kit FILE, with the paper typed back once");
        rc = report_print(&r, true, err);
    }
    fresh_free(&fresh);
    restore_kit_free(&kit);
    return rc;
}

static int with_repository(struct cli_context *cli,
                           int (*run)(struct cli_context *cli, const struct conf_repository *repository,
                                      struct error *err),
                           struct error *err)
{
    struct conf *conf = host_configuration(cli, false, err);
    if (conf == NULL)
        return err->code;
    const struct conf_repository *repository = conf_find_repository(conf, cli_text(cli, "repo"), err);
    int rc = repository != NULL ? run(cli, repository, err) : E_USAGE;
    conf_free(conf);
    return rc;
}

int cmd_key_export_kit(struct cli_context *cli, struct error *err)
{
    return with_repository(cli, export, err);
}

/* ---- verify -------------------------------------------------------------------------------------------- */

struct verifying {
    struct cli_context *cli;
    const struct conf_repository *repository;
    struct restore_kit kit;
    struct backend *backend;
    struct repo *repo;
    struct proof proof;
    size_t writers; /* of this host, whose keys follow from W and V of the kit */
};

/* The keys that this host holds must follow from W and V: that proves them before there is any session. */
static int fits_writers(struct verifying *v, struct error *err)
{
    struct vec ids = { .item = WRITER_ID_LEN };
    struct error why = ERROR_INIT;
    int rc = access_writer_ids(v->repository, &ids, &why);
    if (rc == E_NOT_FOUND)
        rc = 0;
    for (size_t i = 0; rc == 0 && i < ids.len; i++) {
        struct writer_keys keys = { .w_w = NULL };
        const uint8_t *id = vec_at(&ids, i);
        rc = access_writer_keys(v->repository, id, &keys, &why);
        struct secret *w = rc == 0 ? writer_root_derive(v->kit.w, id, &why) : NULL;
        struct secret *view = w != NULL ? view_key_derive(v->kit.v, id, &why) : NULL;
        if (rc == 0 && view == NULL)
            rc = E_NOMEM;
        else if (rc == 0 && (!secret_equal(secret_view(w), secret_view(keys.w_w), KEY_LEN) ||
                             !secret_equal(secret_view(view), secret_view(keys.v_w), KEY_LEN)))
            rc = error_set(&why, E_AUTH,
                           "the kit does not fit the keys of this host's writers: its W or V is of "
                           "another repository");
        v->writers += rc == 0;
        secret_free(w);
        secret_free(view);
        writer_keys_free(&keys);
    }
    vec_free(&ids);
    return rc < 0 ? error_copy(err, &why) : 0;
}

/* Opens the repository as the kit pins it; only the writers' logs that this account may read are asked for when
 * there is a host's key directory, all of them otherwise. */
static int open_repo(struct verifying *v, struct error *err)
{
    struct repo_options options = { .writer = NULL };
    struct access_root root;
    struct error why = ERROR_INIT;
    v->backend = access_storage(&v->repository->storage, &why);
    int rc = v->backend != NULL ? repo_open(v->backend, v->kit.root_pk, &options, &v->repo, &why) : why.code;
    if (rc == E_NOT_FOUND)
        v->cli->exit_code = CLI_EXIT_NO_REPOSITORY;
    if (rc == E_CORRUPT && why.name != NULL && strcmp(why.name, ERR_CHARTER_ROOT) == 0)
        (void)error_wrap(&why, "this is not the kit of %s", backend_where(v->backend));
    if (rc == 0 && memcmp(v->repo->repo_id, v->kit.repo_id, REPO_ID_LEN) != 0)
        rc = error_set(&why, E_CONFLICT, "this is not the kit of %s", backend_where(v->backend));
    if (rc == 0 && access_root(v->repository, &root, NULL) == 0 &&
        memcmp(root.repo_id, v->kit.repo_id, REPO_ID_LEN) != 0)
        rc = error_set(&why, E_CONFLICT, "the kit is of another repository than this host's keys");
    if (rc < 0)
        return error_copy(err, &why);
    host_findings(v->repo);
    return 0;
}

static int judge(struct verifying *v, uint8_t rid[RID_LEN], const struct charter_recipient **who,
                 struct error *err)
{
    uint8_t pk[BOX_PK_LEN];
    const struct secret *sk = v->kit.r;
    struct opener opener = { .w = v->kit.w, .v = v->kit.v, .sks = &sk, .nsks = 1 };
    int rc = box_public(sk, pk, err);
    if (rc == 0)
        rc = box_rid(pk, rid, err);
    if (rc == 0)
        rc = fits_writers(v, err);
    if (rc == 0)
        rc = proof_run(v->repo, &opener, (const uint8_t(*)[RID_LEN])rid, 1, true, &v->proof, err);
    if (rc < 0)
        return rc;
    *who = charter_recipient_find(repo_charter(v->repo), rid);
    if (*who == NULL)
        return error_set(
            err, E_AUTH,
            "charter %u does not name the kit's key among its recipients: it was removed, or never "
            "added. It opens no new session",
            repo_charter(v->repo)->version);
    if (v->proof.failed > 0)
        return error_set(err, E_AUTH, "the kit does not open %s: %s", v->proof.first, v->proof.reason);
    return 0;
}

static int tell(struct verifying *v, const struct charter_recipient *who, const uint8_t rid[RID_LEN],
                bool confirmed, struct error *err)
{
    struct report r;
    char id[2 * REPO_ID_LEN + 1];
    char code[KIT_CODE_MAX];
    char date[NUMBER_TEXT_MAX];
    const struct proof *p = &v->proof;
    hex_encode(id, v->repo->repo_id, REPO_ID_LEN);
    report_init(&r, v->cli, "kit", v->repository->name, err);
    report_add(&r, "repository", OUT_PLAIN, "%s, the one at %s", id, backend_where(v->backend));
    report_add(&r, "recipient", OUT_PLAIN, "%s, in charter %u", who->name, repo_charter(v->repo)->version);
    if (who->expires != 0)
        report_add(&r, "expires", OUT_WARN, "%s", time_format(date, who->expires));
    if (v->writers > 0)
        report_add(&r, "this host", OUT_PLAIN, "the keys of its %zu %s follow from the kit", v->writers,
                   plural(v->writers, "writer", "writers"));
    if (p->shared > 0)
        report_add(&r, "opens", OUT_GOOD,
                   "its share of the newest session of %llu %s; a restore takes others of its group, too",
                   (unsigned long long)p->shared, plural(p->shared, "writer", "writers"));
    else if (p->sessions > 0)
        report_add(&r, "opens", OUT_GOOD, "the newest session of %llu %s, %s among them",
                   (unsigned long long)p->opened, plural(p->opened, "writer", "writers"), p->newest);
    else
        report_add(&r, "opens", v->writers > 0 ? OUT_PLAIN : OUT_WARN,
                   "there is no session yet: run this once more after the first backup");
    if (p->partial > 0)
        report_add(
            &r, "complete", OUT_WARN,
            "not for all: the newest snapshot of %llu %s shares data with sessions from before this key was a "
            "recipient; this kit alone does not restore it",
            (unsigned long long)p->partial, plural(p->partial, "writer", "writers"));
    else
        report_add(&r, "complete", OUT_GOOD, "yes");
    if (confirmed)
        report_add(&r, "confirmed", OUT_GOOD, "this host may back up now");
    if (v->writers == 0 || v->cli->json) /* the host that backs up is another one */
        report_add(&r, "confirmation", OUT_PLAIN,
                   "%s   for `backupd key verify-kit --confirmation` on the host that "
                   "backs up",
                   kit_code(v->repo->repo_id, rid, code));
    return report_print(&r, true, err);
}

static int verify(struct cli_context *cli, const struct conf_repository *repository, struct error *err)
{
    struct verifying v = { .cli = cli, .repository = repository };
    const struct charter_recipient *who = NULL;
    uint8_t rid[RID_LEN];
    int confirmed = 0;
    int rc = key_kit(cli, repository, NULL, &v.kit, err);
    if (rc == 0)
        rc = open_repo(&v, err);
    if (rc == 0)
        rc = judge(&v, rid, &who, err);
    if (rc == 0 && v.proof.partial == 0 && (confirmed = kit_confirm(repository->keys, err)) < 0)
        rc = confirmed;
    if (rc == 0)
        rc = tell(&v, who, rid, confirmed > 0, err);
    restore_kit_free(&v.kit);
    repo_close(v.repo);
    backend_close(v.backend);
    return rc;
}

static int confirm(struct cli_context *cli, const struct conf_repository *repository, struct error *err)
{
    static const uint8_t none[WRITER_ID_LEN] = { 0 };
    struct repo *repo = NULL;
    struct backend *backend = access_storage(&repository->storage, err);
    int rc = backend != NULL ? host_open(cli, repository, backend, none, &repo, err) : err->code;
    if (rc == 0 && !kit_code_fits(repo_charter(repo), cli_text(cli, "confirmation")))
        rc = error_set(
            err, E_AUTH,
            "that is not the code of a kit of this repository: `backupd key verify-kit` prints it where "
            "the kit is");
    if (rc == 0)
        rc = kit_confirm(repository->keys, err);
    if (rc >= 0 && !cli->quiet && !cli->json)
        out_line(&cli->out, OUT_GOOD, "%s: %s", repository->name,
                 rc > 0 ? "this host may back up now" : "confirmed already");
    repo_close(repo);
    backend_close(backend);
    return rc < 0 ? rc : 0;
}

int cmd_key_verify_kit(struct cli_context *cli, struct error *err)
{
    return with_repository(cli, cli_given(cli, "confirmation") ? confirm : verify, err);
}
