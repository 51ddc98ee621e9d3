#include <stdlib.h>
#include <string.h>

#include "common/access/access.h"
#include "common/base/str.h"
#include "common/base/reader.h"
#include "common/crypto/hash.h"
#include "common/repo/charter.h"
#include "common/sys/atomic_file.h"
#include "common/sys/dirs.h"

#include "common/base/banned.h"

enum { ROOT_READ_MAX = 1024 };

/* "bk1 root REPO_ID PK" */
static bool parse(const struct buf *text, struct access_root *out)
{
    struct line l;
    struct reader r = reader_of(text->data, text->len);
    return line_next(&r, &l) && l.n == 4 && line_is(&l, 0, "bk1") && line_is(&l, 1, "root") &&
           line_hex(&l, 2, out->repo_id, REPO_ID_LEN) && line_hex(&l, 3, out->root_pk, SIGN_PK_LEN) &&
           reader_at_end(&r);
}

int access_root_file(const char *path, struct access_root *out, struct error *err)
{
    struct buf text = BUF_INIT;
    int rc = file_read_small(path, ROOT_READ_MAX, &text, err);
    if (rc == 0 && !parse(&text, out))
        rc = error_corrupt(err, "root-file",
                           "%s is not a root key file: copy it again from where it was made", path);
    buf_free(&text);
    return rc;
}

int access_root(const struct conf_repository *repository, struct access_root *out, struct error *err)
{
    char *path = path_join(repository->keys, ACCESS_ROOT_FILE, err);
    if (path == NULL)
        return E_NOMEM;
    int rc = access_root_file(path, out, err);
    if (rc == E_NOT_FOUND)
        rc = error_set(
            err, E_NOT_FOUND,
            "repository %s: %s is missing; `backupd init` makes a new repository, and a host that joins "
            "one needs a copy of this file",
            repository->name, path);
    free(path);
    return rc;
}

static int write_root(const char *keys_dir, const struct access_root *root, enum file_write_how how,
                      struct error *err)
{
    char repo[2 * REPO_ID_LEN + 1];
    char pk[2 * SIGN_PK_LEN + 1];
    char *path = path_join(keys_dir, ACCESS_ROOT_FILE, err);
    hex_encode(repo, root->repo_id, REPO_ID_LEN);
    hex_encode(pk, root->root_pk, SIGN_PK_LEN);
    char *text = path != NULL ? str_printf(err, "bk1 root %s %s\n", repo, pk) : NULL;
    int rc = text != NULL ? file_write_atomic(path, text, strlen(text), 0400, how, err) : E_NOMEM;
    free(text);
    free(path);
    return rc;
}

int access_write_root(const char *keys_dir, const struct access_root *root, struct error *err)
{
    return write_root(keys_dir, root, FILE_EXCLUSIVE, err);
}

int access_replace_root(const char *keys_dir, const struct access_root *root, struct error *err)
{
    return write_root(keys_dir, root, FILE_REPLACE, err);
}

const char *access_key_print(const uint8_t pk[SIGN_PK_LEN], char out[ACCESS_FINGERPRINT_MAX])
{
    enum { SHOWN = 10, GROUP = 4 };
    uint8_t hash[HASH_LEN];
    char hex[2 * SHOWN + 1];
    size_t n = 0;
    file_hash(pk, SIGN_PK_LEN, hash);
    hex_encode(hex, hash, SHOWN);
    for (size_t i = 0; hex[i] != '\0'; i++) {
        if (i > 0 && i % GROUP == 0)
            out[n++] = '-';
        out[n++] = hex[i];
    }
    out[n] = '\0';
    return out;
}

const char *access_fingerprint(const struct access_root *root, char out[ACCESS_FINGERPRINT_MAX])
{
    return access_key_print(root->root_pk, out);
}
