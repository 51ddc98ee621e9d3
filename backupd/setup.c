#include "backupd/setup.h"

#include "common/base/banned.h"

int setup_storage(const struct cli_context *cli, const struct conf_repository *repository,
                  struct conf_storage *out, bool *other, struct error *err)
{
    const char *user = cli_text(cli, "setup-user");
    const char *key = cli_text(cli, "setup-key");
    const char *path = cli_text(cli, "setup-path");
    *out = repository->storage;
    *other = user != NULL || key != NULL || path != NULL;
    if ((user != NULL || key != NULL) && repository->storage.type != CONF_STORAGE_SFTP)
        return error_set(err, E_USAGE, "--setup-user and --setup-key are for storage over SFTP");
    if (user == NULL && key == NULL && path != NULL) {
        *out = (struct conf_storage){ .type = CONF_STORAGE_LOCAL, .path = path };
        return 0;
    }
    if (user != NULL)
        out->user = user;
    if (user != NULL || key != NULL) {
        out->key = key;
        out->agent = key == NULL;
        out->passphrase = (struct conf_secret){ .kind = CONF_SECRET_NONE };
    }
    if (path != NULL)
        out->path = path;
    return 0;
}
