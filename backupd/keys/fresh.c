#include "backupd/keys/fresh.h"

#include <string.h>

#include "common/crypto/passphrase.h"

#include "common/base/banned.h"

enum { MIB_BITS = 20 };

int fresh_read(const struct cli_context *cli, const char *question, struct fresh *out, struct error *err)
{
    const char *file = cli_text(cli, "new-passphrase-file");
    bool none = cli_flag(cli, "no-new-passphrase");
    *out =
        (struct fresh){ .kdf = { .mem_mib = (uint32_t)(cli_number(cli, "passphrase-memory") >> MIB_BITS) } };
    if (none && file != NULL)
        return error_set(err, E_USAGE, "--new-passphrase-file and --no-new-passphrase exclude each other");
    if (none)
        return 0;
    struct error why = ERROR_INIT;
    out->passphrase =
        file != NULL ? passphrase_from_file(file, &why)
                     : passphrase_from_terminal(question, true,
                                                "--new-passphrase-file FILE (or --no-new-passphrase)", &why);
    return out->passphrase != NULL ? 0 : error_copy(err, &why);
}

int fresh_save(const char *path, enum keyfile_role role, const struct secret *block, const struct fresh *f,
               struct error *err)
{
    struct buf bytes = BUF_INIT;
    int rc = keyfile_encode(role, block, f->passphrase, &f->kdf, &bytes, err);
    if (rc == 0)
        rc = keyfile_save(path, &bytes, err);
    buf_wipe(&bytes);
    return rc;
}

void fresh_free(struct fresh *f)
{
    secret_free(f->passphrase);
    f->passphrase = NULL;
}
