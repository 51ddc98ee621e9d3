/* key passphrase: another passphrase for a key file; the repository is not touched. */
#include <string.h>
#include <sys/stat.h>

#include "backupd/keys/change.h"
#include "backupd/keys/fresh.h"
#include "backupd/verbs.h"
#include "common/cli/json.h"
#include "common/sys/atomic_file.h"

#include "common/base/banned.h"

const struct cli_option key_passphrase_options[] = {
    { .name = "passphrase-file",
      .kind = CLI_FILE,
      .help = "The passphrase it has now: the first line of this file. Default: it is asked for." },
    FRESH_OPTIONS,
    KEY_YES_OPTION,
    CLI_OPTIONS_END
};

/* The text of a key is replaced by typing another one, not by this verb. */
static int must_be_file(const char *path, struct error *err)
{
    struct buf bytes = BUF_INIT;
    int rc = keyfile_load(path, &bytes, err);
    if (rc == 0 && !keyfile_begins(bytes.data, bytes.len))
        rc = error_set(
            err, E_USAGE,
            "%s is no key file. Of a kit's text make a new kit with another passphrase: `backupd key "
            "export-kit`",
            path);
    buf_wipe(&bytes);
    return rc;
}

/* What is written must open again, with the same content, before it takes the old one's place. */
static int replace(const char *path, enum keyfile_role role, const struct secret *block,
                   const struct fresh *f, struct error *err)
{
    struct buf bytes = BUF_INIT;
    struct secret *again = NULL;
    enum keyfile_role found = 0;
    int rc = keyfile_encode(role, block, f->passphrase, &f->kdf, &bytes, err);
    if (rc == 0 && (again = keyfile_decode(bytes.data, bytes.len, &found, f->passphrase, err)) == NULL)
        rc = E_INTERNAL;
    if (rc == 0 && (found != role || secret_len(again) != secret_len(block) ||
                    !secret_equal(secret_view(again), secret_view(block), secret_len(block))))
        rc = error_set(err, E_INTERNAL, "the new file does not open to the same key; nothing was changed");
    if (rc == 0)
        rc = file_write_atomic(path, bytes.data, bytes.len, 0400, FILE_REPLACE, err);
    secret_free(again);
    buf_wipe(&bytes);
    return rc;
}

static void tell(struct cli_context *cli, const char *path, enum keyfile_role role, const struct fresh *f)
{
    const struct out *out = &cli->out;
    if (cli->quiet || cli->json)
        return;
    out_heading(out, "What changes");
    out_line(out, OUT_PLAIN, "  %s (%s) gets %s", path, access_role_name(role),
             f->passphrase != NULL ? "another passphrase" : "no passphrase: whoever has it can use it");
    out_heading(out, "What it cannot undo");
    out_line(out, OUT_PLAIN,
             "  copies of the file, and its text on paper, keep the old passphrase. When that is");
    out_line(out, OUT_PLAIN, "  known to somebody, a new passphrase is not enough: change the key");
}

int cmd_key_passphrase(struct cli_context *cli, struct error *err)
{
    const char *path = cli->args[0];
    struct conf_secret old = key_passphrase_ref(cli, "passphrase-file");
    struct fresh fresh = { .passphrase = NULL };
    enum keyfile_role role = 0;
    struct secret *block = NULL;
    struct error why = ERROR_INIT;
    int rc = must_be_file(path, &why);
    if (rc == 0)
        rc = (block = access_any_key_block(path, &role, &old, true, &why)) != NULL ? 0 : why.code;
    if (rc == 0 && role == KEYFILE_WRITER && !cli_flag(cli, "no-new-passphrase"))
        rc = error_set(&why, E_USAGE,
                       "a writer's key is read at night, when nobody can type: it has no passphrase");
    if (rc == 0)
        rc = fresh_read(cli, "New passphrase: ", &fresh, &why);
    if (rc == 0) {
        tell(cli, path, role, &fresh);
        rc = out_flush(&cli->out, &why);
    }
    if (rc == 0)
        rc = key_ask(cli, "Replace the file", &why);
    if (rc == 0)
        rc = replace(path, role, block, &fresh, &why);
    if (rc == 0 && cli->json) {
        struct jsonout *o = jsonout_new("summary");
        jsonout_str(o, "file", path);
        jsonout_str(o, "role", access_role_name(role));
        jsonout_bool(o, "passphrase", fresh.passphrase != NULL);
        rc = jsonout_emit(o, &why);
    } else if (rc == 0 && !cli->quiet) {
        out_line(&cli->out, OUT_GOOD, "%s has its new passphrase. The repository was not touched.", path);
    }
    secret_free(block);
    fresh_free(&fresh);
    return rc < 0 ? error_copy(err, &why) : 0;
}
