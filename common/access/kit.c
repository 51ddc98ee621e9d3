/* Key files that may have a passphrase, as a file or as typed text. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/access/access.h"
#include "common/base/str.h"
#include "common/cli/prompt.h"
#include "common/crypto/passphrase.h"
#include "common/crypto/paper.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

const char *access_role_name(enum keyfile_role role)
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
    char *question = str_printf(err, "Passphrase of the %s %s: ", access_role_name(role), path);
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
        access_role_name(role), path);
    return NULL;
}

/* The bytes of a key file out of the file itself or of its text form. */
static struct secret *key_bytes(const struct buf *file, struct error *err)
{
    if (keyfile_begins(file->data, file->len))
        return secret_copy(file->data, file->len, err);
    if (file->len == 0) {
        (void)error_corrupt(err, "key-file", "the file is empty");
        return NULL;
    }
    return paper_decode((const char *)file->data, file->len, err);
}

/* The role is readable without the passphrase. */
static enum keyfile_role role_of(const struct secret *bytes)
{
    enum { ROLE_AT = 8 };
    return secret_len(bytes) > ROLE_AT ? (enum keyfile_role)secret_view(bytes)[ROLE_AT] : 0;
}

static int load(const char *path, struct buf *out, struct error *err)
{
    if (strcmp(path, "-") != 0)
        return keyfile_load(path, out, err);
    int rc = buf_reserve(out, KEYFILE_MAX + 1, err);
    return rc == 0 ? fd_read_all(STDIN_FILENO, KEYFILE_MAX, out, "stdin", err) : rc;
}

struct secret *access_any_key_block(const char *path, enum keyfile_role *role,
                                    const struct conf_secret *reference, bool prompt, struct error *err)
{
    struct buf file = BUF_INIT;
    struct secret *bytes = NULL;
    struct secret *pass = NULL;
    struct secret *block = NULL;
    enum keyfile_role wanted = *role;
    struct error why = ERROR_INIT;
    if (load(path, &file, err) < 0)
        goto out;
    bytes = key_bytes(&file, &why);
    enum keyfile_role found = bytes != NULL ? role_of(bytes) : 0;
    if (bytes == NULL) {
        (void)error_copy(err, &why);
        (void)error_wrap(err, "%s %s", access_role_name(wanted), path);
        goto out;
    }
    if (wanted != 0 && found != wanted && found >= KEYFILE_ROOT && found <= KEYFILE_DRILL) {
        (void)error_named(err, E_USAGE, ERR_KEY_BLOCK, "%s holds a %s; what is needed here is a %s", path,
                          access_role_name(found), access_role_name(wanted));
        goto out;
    }
    if (keyfile_needs_passphrase(secret_view(bytes), secret_len(bytes)) &&
        (pass = passphrase(path, found, reference, prompt, err)) == NULL)
        goto out;
    block = keyfile_decode(secret_view(bytes), secret_len(bytes), role, pass, &why);
    if (block == NULL) {
        (void)error_copy(err, &why);
        (void)error_wrap(err, "%s", path);
    }
out:
    secret_free(pass);
    secret_free(bytes);
    buf_wipe(&file);
    return block;
}

enum keyfile_role access_key_role(const char *path)
{
    struct buf file = BUF_INIT;
    struct secret *bytes = load(path, &file, NULL) == 0 ? key_bytes(&file, NULL) : NULL;
    enum keyfile_role role = bytes != NULL ? role_of(bytes) : 0;
    secret_free(bytes);
    buf_wipe(&file);
    return role >= KEYFILE_ROOT && role <= KEYFILE_DRILL ? role : 0;
}

struct secret *access_key_block(const char *path, enum keyfile_role role, const struct conf_secret *reference,
                                bool prompt, struct error *err)
{
    enum keyfile_role wanted = role;
    return access_any_key_block(path, &wanted, reference, prompt, err);
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
