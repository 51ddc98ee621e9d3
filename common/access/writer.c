#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/access/access.h"
#include "common/base/str.h"

#include "common/base/banned.h"

#define PREFIX "writer-"
#define SUFFIX ".key"
enum {
    HEX_LEN = 2 * WRITER_ID_LEN,
    HEX_AT = sizeof PREFIX - 1,
    NAME_LEN = HEX_AT + HEX_LEN + sizeof SUFFIX - 1,
};

char *access_writer_path(const char *keys_dir, const uint8_t id[WRITER_ID_LEN], struct error *err)
{
    char hex[HEX_LEN + 1];
    hex_encode(hex, id, WRITER_ID_LEN);
    return str_printf(err, "%s/" PREFIX "%s" SUFFIX, keys_dir, hex);
}

static bool id_of(const char *name, uint8_t id[WRITER_ID_LEN])
{
    return strlen(name) == NAME_LEN && str_starts(name, PREFIX) && str_ends(name, SUFFIX) &&
           hex_decode(id, WRITER_ID_LEN, name + HEX_AT);
}

static int by_id(const void *a, const void *b)
{
    return memcmp(a, b, WRITER_ID_LEN);
}

int access_writer_ids(const struct conf_repository *repository, struct vec *out, struct error *err)
{
    int rc = 0;
    DIR *dir = opendir(repository->keys);
    if (dir == NULL && errno == ENOENT)
        return error_set(err, E_NOT_FOUND,
                         "repository %s: there is no key directory %s; `backupd init` makes it",
                         repository->name, repository->keys);
    if (dir == NULL)
        return error_sys(err, "list %s", repository->keys);
    while (rc == 0) {
        uint8_t id[WRITER_ID_LEN];
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (entry == NULL) {
            rc = errno != 0 ? error_sys(err, "list %s", repository->keys) : 0;
            break;
        }
        if (!id_of(entry->d_name, id))
            continue;
        uint8_t *slot = vec_push(out, err);
        if (slot == NULL)
            rc = E_NOMEM;
        else
            memcpy(slot, id, WRITER_ID_LEN);
    }
    (void)closedir(dir);
    vec_sort(out, by_id);
    return rc;
}

int access_writer_keys(const struct conf_repository *repository, const uint8_t id[WRITER_ID_LEN],
                       struct writer_keys *out, struct error *err)
{
    struct access_root root;
    struct error why = ERROR_INIT;
    int rc = access_root(repository, &root, err);
    if (rc < 0)
        return rc;
    char *path = access_writer_path(repository->keys, id, err);
    if (path == NULL)
        return E_NOMEM;
    struct secret *block = access_key_block(path, KEYFILE_WRITER, NULL, false, &why);
    rc = block != NULL ? writer_keys_decode(block, out, &why) : why.code;
    if (rc < 0) {
        (void)error_copy(err, &why);
        goto out;
    }
    if (memcmp(out->repo_id, root.repo_id, REPO_ID_LEN) != 0 ||
        memcmp(out->writer_id, id, WRITER_ID_LEN) != 0) {
        writer_keys_free(out);
        rc = error_set(err, E_CONFLICT, "%s belongs to another repository or writer than its place says",
                       path);
        goto out;
    }
    /* root.pub decides what this host pins: after a rotation of the root key its files may name either. */
    memcpy(out->root_pk, root.root_pk, SIGN_PK_LEN);
out:
    secret_free(block);
    free(path);
    return rc;
}
