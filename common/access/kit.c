/* Key files that may have a passphrase, as a file or as typed text. */
#include <stdlib.h>
#include <string.h>

#include "common/access/access.h"
#include "common/base/str.h"
#include "common/cli/prompt.h"
#include "common/crypto/passphrase.h"
#include "common/crypto/paper.h"

#include "common/base/banned.h"

#define KEYFILE_MAGIC "BK1KEYF\n"

static const char *role_name(enum keyfile_role role)
{
    switch (role) {
    case KEYFILE_ROOT:
        return "root key";
    case KEYFILE_WRITER:
        return "writer's key";
    case KEYFILE_RETENTION:
        return "retention key";
    case KEYFILE_KIT:
        return "restore kit";
    case KEYFILE_MEMBER:
        return "quorum member's kit";
    case KEYFILE_DRILL:
        return "drill key";
    default:
        return "key";
    }
}

static struct secret *ask(const char *path, enum keyfile_role role, struct error *err)
{
    char *question = str_printf(err, "Passphrase of the %s %s: ", role_name(role), path);
    struct secret *s =
        question != NULL ? passphrase_from_terminal(question, false, "a passphrase file", err) : NULL;
    free(question);
    return s;
}

static struct secret *passphrase(const char *path, enum keyfile_role role, const struct conf_secret *ref,
                                 bool prompt, struct error *err)
{
    if (ref != NULL && ref->kind != CONF_SECRET_NONE)
        return access_secret(ref, err);
    if (prompt && prompt_possible())
        return ask(path, role, err);
    (void)error_set(
        err, E_AUTH,
        "the %s %s is protected by a passphrase: give it in a file (the configuration's kit_passphrase or "
        "the option for it), or run this on a terminal",
        role_name(role), path);
    return NULL;
}

/* The bytes of a key file out of the file itself or of its text form. */
static struct secret *key_bytes(const struct buf *file, struct error *err)
{
    if (file->len >= sizeof KEYFILE_MAGIC - 1 &&
        memcmp(file->data, KEYFILE_MAGIC, sizeof KEYFILE_MAGIC - 1) == 0)
        return secret_copy(file->data, file->len, err);
    if (file->len == 0) {
        (void)error_corrupt(err, "key-file", "the file is empty");
        return NULL;
    }
    return paper_decode((const char *)file->data, file->len, err);
}

struct secret *access_key_block(const char *path, enum keyfile_role role, const struct conf_secret *reference,
                                bool prompt, struct error *err)
{
    struct buf file = BUF_INIT;
    struct secret *bytes = NULL;
    struct secret *pass = NULL;
    struct secret *block = NULL;
    enum keyfile_role found = 0;
    struct error why = ERROR_INIT;
    if (keyfile_load(path, &file, err) < 0)
        goto out;
    bytes = key_bytes(&file, &why);
    if (bytes == NULL) {
        (void)error_copy(err, &why);
        (void)error_wrap(err, "%s %s", role_name(role), path);
        goto out;
    }
    if (keyfile_needs_passphrase(secret_view(bytes), secret_len(bytes)) &&
        (pass = passphrase(path, role, reference, prompt, err)) == NULL)
        goto out;
    block = keyfile_decode(secret_view(bytes), secret_len(bytes), &found, pass, &why);
    if (block == NULL) {
        (void)error_copy(err, &why);
        (void)error_wrap(err, "%s", path);
    } else if (found != role) {
        secret_free(block);
        block = NULL;
        (void)error_named(err, E_USAGE, ERR_KEY_BLOCK, "%s holds a %s; what is needed here is a %s", path,
                          role_name(found), role_name(role));
    }
out:
    secret_free(pass);
    secret_free(bytes);
    buf_wipe(&file);
    return block;
}

int access_kit(const char *path, const struct conf_secret *reference, bool prompt, struct restore_kit *out,
               struct error *err)
{
    struct error why = ERROR_INIT;
    struct secret *block = access_key_block(path, KEYFILE_KIT, reference, prompt, &why);
    int rc = block != NULL ? restore_kit_decode(block, out, &why) : why.code;
    if (rc < 0)
        (void)error_copy(err, &why);
    secret_free(block);
    return rc;
}
