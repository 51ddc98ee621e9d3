#include "backupd/keys/change.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backupd/host.h"
#include "common/base/str.h"
#include "common/cli/json.h"
#include "common/cli/prompt.h"
#include "common/repo/names.h"

#include "common/base/banned.h"

struct conf_secret key_passphrase_ref(const struct cli_context *cli, const char *option)
{
    const char *file = cli_text(cli, option);
    return (struct conf_secret){ .kind = file != NULL ? CONF_SECRET_FILE : CONF_SECRET_NONE, .text = file };
}

int key_ask(struct cli_context *cli, const char *question, struct error *err)
{
    if (cli_flag(cli, "yes"))
        return 0;
    int rc = prompt_confirm(question, "--yes", err);
    if (rc == 0)
        return error_set(err, E_CANCELLED, "nothing was changed");
    return rc < 0 ? rc : 0;
}

int key_kit(struct cli_context *cli, const struct conf_repository *repository, const char *path,
            struct restore_kit *out, struct error *err)
{
    struct conf_secret pass = key_passphrase_ref(cli, "kit-passphrase-file");
    if (path == NULL)
        path = cli_text(cli, "kit");
    if (path == NULL)
        path = repository->kit;
    if (pass.kind == CONF_SECRET_NONE)
        pass = repository->kit_passphrase;
    if (path == NULL)
        return error_set(err, E_USAGE, "this needs the restore kit: give --kit FILE");
    return access_kit(path, &pass, true, out, err);
}

/* ---- opening ------------------------------------------------------------------------------------------- */

static int read_root_key(struct key_change *c, struct error *err)
{
    struct conf_secret pass = key_passphrase_ref(c->cli, "root-passphrase-file");
    struct error why = ERROR_INIT;
    struct secret *block = access_key_block(cli_text(c->cli, "root-key"), KEYFILE_ROOT, &pass, true, &why);
    int rc = block != NULL ? root_keys_decode(block, &c->root, &why) : why.code;
    secret_free(block);
    return rc < 0 ? error_copy(err, &why) : 0;
}

/* A machine that has root.pub pins that: it may be older than the root key, which then proves its own descent. */
static int read_pin(struct key_change *c, struct error *err)
{
    struct error why = ERROR_INIT;
    int rc = access_root(c->repository, &c->pin, &why);
    if (rc == E_NOT_FOUND) {
        memcpy(c->pin.repo_id, c->root.repo_id, REPO_ID_LEN);
        return sign_public(c->root.seed, c->pin.root_pk, err);
    }
    if (rc < 0)
        return error_copy(err, &why);
    if (memcmp(c->pin.repo_id, c->root.repo_id, REPO_ID_LEN) != 0)
        return error_set(err, E_CONFLICT, "the root key is of another repository than %s/%s",
                         c->repository->keys, ACCESS_ROOT_FILE);
    return 0;
}

static int not_the_root(const struct key_change *c, const uint8_t pk[SIGN_PK_LEN], struct error *err)
{
    char a[ACCESS_FINGERPRINT_MAX];
    char b[ACCESS_FINGERPRINT_MAX];
    return error_set(err, E_AUTH,
                     "this root key (%s) may not sign: charter %u names another one (%s). The root key was "
                     "rotated: take the newer one out of the safe",
                     access_key_print(pk, a), repo_charter(c->repo)->version,
                     access_key_print(repo_charter(c->repo)->root_pk, b));
}

static int open_repo(struct key_change *c, struct error *err)
{
    struct repo_options options = { .writer = NULL };
    uint8_t pk[SIGN_PK_LEN];
    struct error why = ERROR_INIT;
    c->backend = access_storage(&c->setup, &why);
    int rc = c->backend != NULL ? repo_open(c->backend, c->pin.root_pk, &options, &c->repo, &why) : why.code;
    if (rc == E_NOT_FOUND)
        c->cli->exit_code = CLI_EXIT_NO_REPOSITORY;
    if (rc < 0)
        return error_copy(err, &why);
    if (memcmp(c->repo->repo_id, c->root.repo_id, REPO_ID_LEN) != 0)
        return error_set(err, E_CONFLICT, "%s holds another repository than the root key is for",
                         backend_where(c->backend));
    host_findings(c->repo);
    rc = sign_public(c->root.seed, pk, err);
    if (rc == 0 && memcmp(pk, repo_charter(c->repo)->root_pk, SIGN_PK_LEN) != 0)
        rc = not_the_root(c, pk, err);
    return rc;
}

int key_change_open(struct cli_context *cli, const struct conf *conf, struct key_change *c, struct error *err)
{
    memset(c, 0, sizeof *c);
    c->cli = cli;
    c->conf = conf;
    charter_init(&c->next);
    for (size_t i = 0; i < CHANGE_PARTS; i++)
        c->says[i] = (struct vec)VEC_OF(char *);
    c->repository = conf_find_repository(conf, cli_text(cli, "repo"), err);
    if (c->repository == NULL)
        return E_USAGE;
    int rc = setup_storage(cli, c->repository, &c->setup, &c->other_setup, err);
    if (rc == 0)
        rc = read_root_key(c, err);
    if (rc == 0)
        rc = read_pin(c, err);
    if (rc == 0)
        rc = open_repo(c, err);
    return rc == 0 ? charter_next(repo_charter(c->repo), &c->next, err) : rc;
}

void key_change_close(struct key_change *c)
{
    for (size_t i = 0; i < CHANGE_PARTS; i++) {
        for (size_t k = 0; k < c->says[i].len; k++)
            free(*(char **)vec_at(&c->says[i], k));
        vec_free(&c->says[i]);
    }
    charter_free(&c->next);
    buf_free(&c->bytes);
    repo_close(c->repo);
    backend_close(c->backend);
    root_keys_free(&c->root);
}

int key_change_run(struct cli_context *cli, int (*edit)(struct key_change *c, struct error *err),
                   struct error *err)
{
    struct key_change c;
    struct conf *conf = host_configuration(cli, false, err);
    if (conf == NULL)
        return err->code;
    int rc = key_change_open(cli, conf, &c, err);
    if (rc == 0)
        rc = edit(&c, err);
    key_change_close(&c);
    conf_free(conf);
    return rc;
}

const uint8_t *key_change_pin(const struct key_change *c)
{
    size_t n = c->repo->charters.len;
    const struct charter *signer = vec_at(&c->repo->charters, n > 1 ? n - 2 : 0);
    return signer->root_pk;
}

size_t key_change_alarms(const struct key_change *c, const uint8_t id[WRITER_ID_LEN])
{
    size_t n = 0;
    for (size_t i = 0; i < c->repo->findings.len; i++) {
        const struct repo_finding *f = vec_at(&c->repo->findings, i);
        n += f->has_writer && memcmp(f->writer, id, WRITER_ID_LEN) == 0 && !f->note &&
             strcmp(f->name, ERR_LOG_LATE) != 0;
    }
    return n;
}

/* ---- telling ------------------------------------------------------------------------------------------- */

void key_change_says(struct key_change *c, enum change_part part, const char *fmt, ...)
{
    char text[ERROR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    if (vsnprintf(text, sizeof text, fmt, ap) < 0)
        text[0] = '\0';
    va_end(ap);
    char **slot = vec_push(&c->says[part], &c->lost);
    if (slot != NULL)
        *slot = str_dup(text, &c->lost);
}

static void tell(const struct key_change *c, enum change_part from, enum change_part to)
{
    static const char *const titles[CHANGE_PARTS] = { "What changes", "For whom", "What it cannot undo",
                                                      "Next" };
    const struct out *out = &c->cli->out;
    for (enum change_part part = from; part <= to; part++) {
        const struct vec *lines = &c->says[part];
        if (lines->len > 0)
            out_heading(out, "%s", titles[part]);
        for (size_t i = 0; i < lines->len; i++)
            out_line(out, OUT_PLAIN, "  %s", *(char **)vec_at(lines, i));
    }
}

int key_change_confirm(struct key_change *c, struct error *err)
{
    char question[ERROR_TEXT_MAX];
    if (c->lost.code < 0)
        return error_copy(err, &c->lost);
    if (!c->cli->json && !c->cli->quiet) {
        out_heading(&c->cli->out, "Repository %s, charter %u to %u", c->repository->name,
                    repo_charter(c->repo)->version, c->next.version);
        tell(c, CHANGE_WHAT, CHANGE_FINAL);
        int rc = out_flush(&c->cli->out, err);
        if (rc < 0)
            return rc;
    }
    (void)snprintf(question, sizeof question, "Sign charter %u of %s", c->next.version, c->repository->name);
    return key_ask(c->cli, question, err);
}

static void put_lines(struct jsonout *o, const char *key, const struct vec *lines)
{
    struct jsonout *list = jsonout_array(o, key);
    for (size_t i = 0; i < lines->len; i++)
        jsonout_str(list, NULL, *(char **)vec_at(lines, i));
}

int key_change_report(struct key_change *c, struct error *err)
{
    char id[2 * REPO_ID_LEN + 1];
    if (c->lost.code < 0)
        return error_copy(err, &c->lost);
    if (c->cli->json) {
        struct jsonout *o = jsonout_new("summary");
        hex_encode(id, c->repo->repo_id, REPO_ID_LEN);
        jsonout_str(o, "repository", c->repository->name);
        jsonout_str(o, "repository_id", id);
        jsonout_u64(o, "charter", c->next.version);
        put_lines(o, "changes", &c->says[CHANGE_WHAT]);
        put_lines(o, "affects", &c->says[CHANGE_WHOM]);
        put_lines(o, "cannot_undo", &c->says[CHANGE_FINAL]);
        put_lines(o, "next", &c->says[CHANGE_NEXT]);
        return jsonout_emit(o, err);
    }
    if (c->cli->quiet)
        return 0;
    out_line(&c->cli->out, OUT_GOOD, "Charter %u is signed and published.", c->next.version);
    tell(c, CHANGE_NEXT, CHANGE_NEXT);
    return 0;
}

/* ---- publishing ---------------------------------------------------------------------------------------- */

/* As a reader will see it: the chain from the pin up to this very charter. */
static int verify(const struct key_change *c, struct error *err)
{
    static const uint8_t none[WRITER_ID_LEN] = { 0 };
    struct repo_options options = { .writer = none };
    struct repo *again = NULL;
    struct error why = ERROR_INIT;
    int rc = repo_open(c->backend, c->pin.root_pk, &options, &again, &why);
    if (rc == 0 && (repo_charter(again)->version != c->next.version ||
                    memcmp(repo_charter(again)->hash, c->next.hash, HASH_LEN) != 0))
        rc = error_set(&why, E_CONFLICT, "the newest charter is another one than the one just published");
    repo_close(again);
    return rc < 0 ? error_copy(err, &why) : 0;
}

int key_change_publish(struct key_change *c, struct error *err)
{
    char name[NAME_TEXT_MAX];
    struct backend_stat st;
    struct error why = ERROR_INIT;
    int rc = charter_build(&c->next, c->root.seed, &c->bytes, &why);
    if (rc == 0)
        rc = repo_publish_charter(c->backend, repo_charter(c->repo), c->bytes.data, c->bytes.len, NULL, &why);
    if (rc == E_DENIED)
        (void)error_wrap(&why, "this account may not add a charter; name one that may: --setup-user USER "
                               "--setup-key FILE");
    if (rc == E_CONFLICT)
        (void)error_wrap(&why,
                         "somebody else changed the repository at the same time; nothing was changed here: "
                         "look with `key show` and run it again");
    c->maybe = rc < 0 && rc != E_CONFLICT && rc != E_USAGE &&
               backend_stat(c->backend, name_charter(name, c->next.version, 0), &st, NULL) != E_NOT_FOUND;
    if (rc < 0)
        return error_copy(err, &why);
    c->maybe = true; /* it stands: whatever fails now, it is not taken back */
    rc = verify(c, err);
    return rc < 0 ? error_wrap(err, "the charter was published, but does not read back as it should") : 0;
}
