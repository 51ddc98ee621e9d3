#include <stdlib.h>
#include <string.h>

#include "common/access/access.h"
#include "common/sys/dirs.h"

#include "common/base/banned.h"

int access_retention_keys(const struct conf_repository *repository, const char *path, bool prompt,
                          struct retention_keys *out, struct error *err)
{
    struct access_root root;
    struct error why = ERROR_INIT;
    struct secret *block = NULL;
    int rc = access_root(repository, &root, err);
    if (rc < 0)
        return rc;
    char *own = path == NULL ? path_join(repository->keys, ACCESS_RETENTION_FILE, err) : NULL;
    const char *from = path != NULL ? path : own;
    if (from == NULL)
        return E_NOMEM;
    block = access_key_block(from, KEYFILE_RETENTION, NULL, prompt, &why);
    rc = block != NULL ? retention_keys_decode(block, out, &why) : why.code;
    if (rc == E_NOT_FOUND && path == NULL)
        rc = error_set(
            err, E_NOT_FOUND,
            "repository %s: %s is missing. Snapshots expire on the host that holds the retention key: copy it "
            "there from the directory that `backupd init` made, or name it for this run",
            repository->name, from);
    else if (rc < 0)
        (void)error_copy(err, &why);
    else if (memcmp(out->repo_id, root.repo_id, REPO_ID_LEN) != 0 ||
             memcmp(out->root_pk, root.root_pk, SIGN_PK_LEN) != 0) {
        retention_keys_free(out);
        rc = error_set(err, E_CONFLICT, "%s belongs to another repository than %s", from, repository->name);
    }
    secret_free(block);
    free(own);
    return rc;
}
