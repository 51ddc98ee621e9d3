#include "backupd/keys/kit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/str.h"
#include "common/crypto/hash.h"
#include "common/crypto/paper.h"
#include "common/sys/atomic_file.h"
#include "common/sys/dirs.h"

#include "common/base/banned.h"

enum { SECRET_MODE = 0400, CODE_BYTES = 5 };

int kit_text(const char *name, const struct access_root *pin, bool passphrase, const struct buf *kit_file,
             struct buf *out, struct error *err)
{
    char id[2 * REPO_ID_LEN + 1];
    char print[ACCESS_FINGERPRINT_MAX];
    hex_encode(id, pin->repo_id, REPO_ID_LEN);
    int rc = buf_printf(
        out, err,
        "# Restore kit of the backup repository \"%s\"\n"
        "# repository %s\n"
        "# root key   %s\n"
        "# %s\n"
        "#\n"
        "# Whoever has this text%s can read every backup. Keep it in a safe.\n"
        "# To use it, type the lines below into a file (chmod 400) and name that file as the kit:\n"
        "#     restore list --kit FILE\n"
        "# Lines that begin with # may be left out; upper and lower case are the same.\n"
        "# To see whether it was typed right, and is complete:\n"
        "#     backupd key verify-kit --kit FILE\n"
        "\n",
        name, id, access_fingerprint(pin, print),
        passphrase ? "It needs its passphrase." : "It has no passphrase.",
        passphrase ? " and its passphrase" : "");
    if (rc == 0)
        rc = buf_reserve(out, (size_t)2 * PAPER_MAX, err); /* at once: growing would leave copies behind */
    return rc == 0 ? paper_encode(kit_file->data, kit_file->len, out, err) : rc;
}

static int save_text(const char *path, const struct buf *text, struct error *err)
{
    return file_write_atomic(path, text->data, text->len, SECRET_MODE, FILE_EXCLUSIVE, err);
}

static int encode(const struct restore_kit *kit, const struct secret *passphrase,
                  const struct keyfile_kdf *kdf, struct buf *out, struct error *err)
{
    struct secret *block = restore_kit_encode(kit, err);
    int rc = block != NULL ? keyfile_encode(KEYFILE_KIT, block, passphrase, kdf, out, err) : E_NOMEM;
    secret_free(block);
    return rc;
}

int kit_save(const char *path, const char *text_path, const char *name, const struct restore_kit *kit,
             const struct secret *passphrase, const struct keyfile_kdf *kdf, struct error *err)
{
    struct access_root pin;
    struct buf bytes = BUF_INIT;
    struct buf text = BUF_INIT;
    memcpy(pin.repo_id, kit->repo_id, REPO_ID_LEN);
    memcpy(pin.root_pk, kit->root_pk, SIGN_PK_LEN);
    int rc = encode(kit, passphrase, kdf, &bytes, err);
    if (rc == 0)
        rc = kit_text(name, &pin, passphrase != NULL, &bytes, &text, err);
    if (rc == 0 && path != NULL)
        rc = keyfile_save(path, &bytes, err);
    if (rc == 0 && text_path != NULL) {
        rc = save_text(text_path, &text, err);
        if (rc < 0 && path != NULL)
            (void)unlink(path); /* both or neither */
    }
    buf_wipe(&bytes);
    buf_wipe(&text);
    return rc;
}

/* ---- confirmed? ---------------------------------------------------------------------------------------- */

int kit_mark_unconfirmed(const char *keys_dir, struct error *err)
{
    static const char text[] = "Nobody has tried the restore kit yet: backupd key verify-kit\n";
    char *path = path_join(keys_dir, KIT_UNCONFIRMED_FILE, err);
    int rc = path != NULL ? file_write_atomic(path, text, sizeof text - 1, 0600, FILE_REPLACE, err) : E_NOMEM;
    free(path);
    return rc;
}

bool kit_is_unconfirmed(const char *keys_dir)
{
    char *path = path_join(keys_dir, KIT_UNCONFIRMED_FILE, NULL);
    bool there = path != NULL && access(path, F_OK) == 0;
    free(path);
    return there;
}

int kit_confirm(const char *keys_dir, struct error *err)
{
    char *path = path_join(keys_dir, KIT_UNCONFIRMED_FILE, err);
    if (path == NULL)
        return E_NOMEM;
    int rc = unlink(path) == 0                     ? 1
             : errno == ENOENT || errno == ENOTDIR ? 0
                                                   : error_sys(err, "remove %s", path);
    free(path);
    return rc;
}

const char *kit_code(const uint8_t repo_id[REPO_ID_LEN], const uint8_t rid[RID_LEN], char out[KIT_CODE_MAX])
{
    char repo[2 * REPO_ID_LEN + 1];
    char who[2 * RID_LEN + 1];
    char text[sizeof repo + sizeof who + 16];
    uint8_t hash[HASH_LEN];
    hex_encode(repo, repo_id, REPO_ID_LEN);
    hex_encode(who, rid, RID_LEN);
    int n = snprintf(text, sizeof text, "bk1 kit %s %s", repo, who);
    file_hash(text, (size_t)n, hash);
    hex_encode(out, hash, CODE_BYTES);
    return out;
}

bool kit_code_fits(const struct charter *c, const char *code)
{
    char one[KIT_CODE_MAX];
    for (size_t i = 0; i < c->recipients.len; i++) {
        const struct charter_recipient *r = vec_at(&c->recipients, i);
        if (strcmp(code, kit_code(c->repo_id, r->rid, one)) == 0)
            return true;
    }
    return false;
}
