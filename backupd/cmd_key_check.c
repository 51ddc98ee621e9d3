/* key check: does each escrow key open every session? */
#include <stdlib.h>
#include <string.h>

#include "backupd/host.h"
#include "backupd/keys/change.h"
#include "backupd/keys/proof.h"
#include "backupd/verbs.h"
#include "common/base/number.h"
#include "common/cli/json.h"

#include "common/base/banned.h"

const struct cli_option key_check_options[] = {
    KEY_REPO_OPTION,
    { .name = "kit",
      .kind = CLI_FILE,
      .many = true,
      .help = "A restore kit to check, file or text; may be given more than once. Default: `kit` of the "
              "configuration." },
    { .name = "key",
      .kind = CLI_FILE,
      .many = true,
      .help = "The key of a member of a group; all that are given are checked together, beside the kits." },
    { .name = "kit-passphrase-file",
      .kind = CLI_FILE,
      .help = "The passphrase of all of them: the first line of this file. Default: it is asked for, each." },
    CLI_OPTIONS_END
};

enum { MEMBERS_MAX = ENVELOPE_SHARES_MAX };

struct checking {
    struct cli_context *cli;
    const struct conf_repository *repository;
    struct backend *backend;
    struct repo *repo;
    struct restore_kit first; /* W and V, also for the members */
    size_t bad;
};

static int open_repo(struct checking *k, const struct restore_kit *kit, struct error *err)
{
    struct repo_options options = { .writer = NULL };
    struct error why = ERROR_INIT;
    if (k->repo != NULL)
        return 0;
    k->backend = access_storage(&k->repository->storage, &why);
    int rc = k->backend != NULL ? repo_open(k->backend, kit->root_pk, &options, &k->repo, &why) : why.code;
    if (rc == E_NOT_FOUND)
        k->cli->exit_code = CLI_EXIT_NO_REPOSITORY;
    if (rc == 0)
        host_findings(k->repo);
    return rc < 0 ? error_copy(err, &why) : 0;
}

static int tell(struct checking *k, const char *what, const struct proof *p, struct error *err)
{
    const struct out *out = &k->cli->out;
    bool good = p->failed == 0 && (p->opened + p->shared > 0 || p->sessions == 0);
    k->bad += !good;
    if (k->cli->json) {
        struct jsonout *o = jsonout_new("key");
        jsonout_str(o, "key", what);
        jsonout_u64(o, "sessions", p->sessions);
        jsonout_u64(o, "opened", p->opened);
        jsonout_u64(o, "shared", p->shared);
        jsonout_u64(o, "not_for_it", p->foreign);
        jsonout_u64(o, "failed", p->failed);
        jsonout_u64(o, "partial", p->partial);
        jsonout_str(o, "first_failed", p->failed > 0 ? p->first : NULL);
        jsonout_bool(o, "ok", good);
        return jsonout_emit(o, err);
    }
    if (good && k->cli->quiet)
        return 0;
    out_line(out, good ? OUT_GOOD : OUT_BAD, "%s: opens %llu of %llu %s", what, (unsigned long long)p->opened,
             (unsigned long long)p->sessions, plural(p->sessions, "session", "sessions"));
    if (p->shared > 0)
        out_line(out, OUT_PLAIN, "    of %llu its share opens; the others of its group are needed, too",
                 (unsigned long long)p->shared);
    if (p->foreign > 0)
        out_line(out, OUT_PLAIN,
                 "    %llu %s made when it was no recipient (before it was added, after it expired "
                 "or was removed)",
                 (unsigned long long)p->foreign, plural(p->foreign, "was", "were"));
    if (p->partial > 0)
        out_line(
            out, OUT_WARN,
            "    the newest snapshot of %llu %s shares data with such sessions: this key alone does not restore it",
            (unsigned long long)p->partial, plural(p->partial, "writer", "writers"));
    if (p->failed > 0) {
        out_line(out, OUT_BAD, "    %llu should open and %s not. The first is %s",
                 (unsigned long long)p->failed, plural(p->failed, "does", "do"), p->first);
        out_line(out, OUT_PLAIN, "    %s", p->reason);
    } else if (!good) {
        out_line(out, OUT_BAD, "    it opens nothing: it is of no use here");
    }
    return 0;
}

static int prove(struct checking *k, const char *what, const struct secret *const *sks, size_t n,
                 struct error *err)
{
    uint8_t rids[MEMBERS_MAX][RID_LEN];
    struct proof p;
    struct opener opener = { .w = k->first.w, .v = k->first.v, .sks = sks, .nsks = n };
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        uint8_t pk[BOX_PK_LEN];
        rc = box_public(sks[i], pk, err);
        if (rc == 0)
            rc = box_rid(pk, rids[i], err);
    }
    if (rc == 0)
        rc = proof_run(k->repo, &opener, (const uint8_t(*)[RID_LEN])rids, n, false, &p, err);
    return rc == 0 ? tell(k, what, &p, err) : rc;
}

/* Each kit by itself, with its own W and V. */
static int one_kit(struct checking *k, const char *path, struct error *err)
{
    struct restore_kit kit = { .w = NULL };
    int rc = key_kit(k->cli, k->repository, path, &kit, err);
    if (rc == 0)
        rc = open_repo(k, &kit, err);
    if (rc == 0 && memcmp(kit.repo_id, k->repo->repo_id, REPO_ID_LEN) != 0)
        rc = error_set(err, E_CONFLICT, "%s is the kit of another repository", path);
    if (rc == 0) {
        restore_kit_free(&k->first);
        k->first = kit;
        kit = (struct restore_kit){ .w = NULL };
        const struct secret *sk = k->first.r;
        rc = prove(k, path, &sk, 1, err);
    }
    restore_kit_free(&kit);
    return rc;
}

static int members(struct checking *k, size_t n, struct error *err)
{
    struct member_kit m[MEMBERS_MAX] = { { .r = NULL } };
    const struct secret *sks[MEMBERS_MAX];
    struct conf_secret pass = key_passphrase_ref(k->cli, "kit-passphrase-file");
    struct error why = ERROR_INIT;
    int rc = n > MEMBERS_MAX ? error_set(err, E_USAGE, "a group has at most %d members", MEMBERS_MAX) : 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct secret *block =
            access_key_block(cli_text_at(k->cli, "key", i), KEYFILE_MEMBER, &pass, true, &why);
        rc = block != NULL ? member_kit_decode(block, &m[i], &why) : why.code;
        secret_free(block);
        sks[i] = m[i].r;
        if (rc < 0)
            (void)error_copy(err, &why);
    }
    if (rc == 0)
        rc = prove(k, n == 1 ? cli_text_at(k->cli, "key", 0) : "the members' keys together", sks, n, err);
    for (size_t i = 0; i < MEMBERS_MAX; i++)
        member_kit_free(&m[i]);
    return rc;
}

static int check_all(struct checking *k, struct error *err)
{
    size_t kits = cli_count(k->cli, "kit");
    size_t n = cli_count(k->cli, "key");
    int rc = 0;
    if (kits == 0 && k->repository->kit == NULL)
        return error_set(err, E_USAGE,
                         "which key? Give --kit FILE (more than once, for each copy in escrow)");
    if (kits == 0)
        rc = one_kit(k, k->repository->kit, err);
    for (size_t i = 0; rc == 0 && i < kits; i++)
        rc = one_kit(k, cli_text_at(k->cli, "kit", i), err);
    if (rc == 0 && n > 0)
        rc = members(k, n, err);
    if (rc == 0 && k->bad > 0) {
        k->cli->exit_code = CLI_EXIT_DIFFERS;
        rc = error_set(err, E_AUTH, "%zu %s not open every session that %s should", k->bad,
                       plural(k->bad, "key does", "keys do"), plural(k->bad, "it", "they"));
    }
    return rc;
}

int cmd_key_check(struct cli_context *cli, struct error *err)
{
    struct checking k = { .cli = cli };
    struct conf *conf = host_configuration(cli, false, err);
    if (conf == NULL)
        return err->code;
    k.repository = conf_find_repository(conf, cli_text(cli, "repo"), err);
    int rc = k.repository != NULL ? check_all(&k, err) : E_USAGE;
    restore_kit_free(&k.first);
    repo_close(k.repo);
    backend_close(k.backend);
    conf_free(conf);
    return rc;
}
