#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backupd/host.h"
#include "backupd/init/keys.h"
#include "backupd/init/plan.h"
#include "backupd/init/report.h"
#include "backupd/init/storage.h"
#include "backupd/verbs.h"
#include "common/base/log.h"
#include "common/crypto/passphrase.h"
#include "common/sys/interrupt.h"

#include "common/base/banned.h"

struct init {
    struct init_request request;
    struct vec files;
    struct init_keys keys;
    struct charter charter;
    struct buf charter_bytes;
    struct backend *backend;
};

/* There is nothing to guess from without a configuration: the error shows a small one. */
static int no_configuration(struct cli_context *cli, struct error *err)
{
    cli->exit_code = CLI_EXIT_USAGE;
    return error_set(
        err, E_NOT_FOUND,
        "there is no configuration %s. Write a file like this one, then run `backupd init` again:\n"
        "repositories:\n"
        "  main:\n"
        "    storage:\n"
        "      type: sftp\n"
        "      host: backup.example.org\n"
        "      user: shop\n"
        "      path: shop\n"
        "      key: /etc/backupd/ssh.key\n"
        "jobs:\n"
        "  shop:\n"
        "    engine: sqlite\n"
        "    path: /srv/shop/shop.db",
        cli->config);
}

static struct conf *configuration(struct cli_context *cli, struct error *err)
{
    if (access(cli->config, F_OK) < 0) {
        (void)no_configuration(cli, err);
        return NULL;
    }
    return host_configuration(cli, false, err);
}

static int get_passphrase(const struct init_request *r, const char *whose, struct secret **out,
                          struct error *err)
{
    *out = NULL;
    if (r->how == PASS_NONE)
        return 0;
    struct error why = ERROR_INIT;
    char question[256];
    (void)snprintf(question, sizeof question, "New passphrase for %s: ", whose);
    *out = r->how == PASS_FILE ? passphrase_from_file(r->passphrase_file, &why)
                               : passphrase_from_terminal(question, true, "--kit-passphrase-file", &why);
    return *out != NULL ? 0 : error_copy(err, &why);
}

/* With --people: each one's own kit, under a passphrase that the others need not know. */
static int seal_people(struct init *in, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < in->request.people.n; i++) {
        struct secret *passphrase = NULL;
        char whose[128];
        (void)snprintf(whose, sizeof whose, "the restore kit of %s", in->request.people.name[i]);
        rc = get_passphrase(&in->request, whose, &passphrase, err);
        rc = rc < 0 ? rc : init_keys_seal_person(&in->request, i, passphrase, &in->keys, err);
        secret_free(passphrase);
    }
    return rc;
}

/* Everything that can be refused without a change is refused here. */
static int look(struct init *in, struct error *err)
{
    int rc = init_plan(&in->request, &in->files, err);
    if (rc == 0)
        rc = init_files_absent(&in->files, err);
    if (rc == 0)
        rc = init_storage_open(&in->request, &in->backend, err);
    return rc == 0 ? init_storage_empty(in->backend, err) : rc;
}

static int make_keys(struct init *in, struct error *err)
{
    struct secret *passphrase = NULL;
    bool people = in->request.people.n != 0;
    int rc = get_passphrase(&in->request, people ? "the root key and the retention key" : "the restore kit",
                            &passphrase, err);
    if (rc == 0)
        rc = init_keys_generate(&in->request, &in->keys, err);
    if (rc == 0)
        rc = init_keys_seal(&in->request, passphrase, &in->keys, err);
    if (rc == 0)
        rc = seal_people(in, err);
    if (rc == 0)
        rc = init_charter(&in->request, &in->keys, &in->charter, &in->charter_bytes, err);
    secret_free(passphrase);
    return rc == 0 ? interrupt_check(err) : rc;
}

/* Directories before files, the charter last: until it stands there is no repository, and a failure takes the
 * files back. */
static int make(struct init *in, struct error *err)
{
    bool maybe = false;
    int rc = init_storage_dirs(&in->request, in->backend, &in->charter, &in->request.unmade, err);
    if (rc == 0)
        rc = init_files_write(&in->request, &in->keys, &in->files, err);
    if (rc < 0)
        return rc;
    rc = init_storage_publish(in->backend, &in->charter_bytes, &maybe, err);
    if (rc < 0 && !maybe)
        init_files_remove(&in->files);
    else if (rc < 0)
        (void)error_wrap(
            err, "the keys were written, but it is not known whether the charter reached the storage. "
                 "See with `backupd check storage`: when there is no repository, remove the new key files "
                 "and run init again");
    return rc;
}

int cmd_init(struct cli_context *cli, struct error *err)
{
    struct init in = { .files = VEC_OF(struct init_file) };
    struct error seen = ERROR_INIT;
    struct conf *conf = configuration(cli, err);
    if (conf == NULL)
        return err->code;
    charter_init(&in.charter);
    int rc = init_request_read(cli, conf, &in.request, err);
    if (rc == 0)
        rc = look(&in, err);
    if (rc == 0)
        rc = make_keys(&in, err);
    if (rc == 0)
        rc = make(&in, err);
    if (rc == 0 && in.request.other_setup && init_storage_verify(&in.request, &in.keys.pin, &seen) < 0)
        log_event(LOG_WARN, "the repository is there, but the configured account cannot see it: %s",
                  seen.text);
    if (rc == 0)
        rc = init_report(cli, &in.request, &in.keys, &in.files, err);
    backend_close(in.backend);
    buf_free(&in.charter_bytes);
    charter_free(&in.charter);
    init_keys_free(&in.keys);
    init_files_free(&in.files);
    init_request_free(&in.request);
    conf_free(conf);
    return rc;
}
