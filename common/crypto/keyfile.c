#include "common/crypto/keyfile.h"

#include <sodium.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/reader.h"
#include "common/base/writer.h"
#include "common/crypto/seal.h"
#include "common/sys/atomic_file.h"
#include "common/sys/fdio.h"
#include "common/base/banned.h"

enum {
    MAGIC_LEN = 8,
    SALT_LEN = 16,
    HEADER_LEN = MAGIC_LEN + 1 + 1 + 2 + 4 + 4 + SALT_LEN,
    KDF_AT = MAGIC_LEN + 1,
    KDF_NONE = 0,
    KDF_ARGON2ID13 = 1,
};

_Static_assert(SALT_LEN == crypto_pwhash_argon2id_SALTBYTES, "salt size");

static const char magic[MAGIC_LEN + 1] = "BK1KEYF\n";
static const char label[] = "keyfile";
static const char violation[] = "key-file";

struct header {
    uint8_t role;
    uint8_t kdf;
    uint32_t mem_mib;
    uint32_t ops;
    uint8_t salt[SALT_LEN];
};

static int check_kdf(const struct header *h, struct error *err)
{
    static const uint8_t no_salt[SALT_LEN];
    if (h->kdf == KDF_NONE) {
        if (h->mem_mib != 0 || h->ops != 0 || memcmp(h->salt, no_salt, SALT_LEN) != 0)
            return error_corrupt(err, violation, "key file without a passphrase carries passphrase settings");
        return 0;
    }
    if (h->kdf != KDF_ARGON2ID13)
        return error_named(err, E_UNSUPPORTED, violation,
                           "key file uses passphrase method %u; a newer program is needed", (unsigned)h->kdf);
    if (h->mem_mib < KEYFILE_MEM_MIN || h->mem_mib > KEYFILE_MEM_MAX)
        return error_corrupt(err, violation, "key file asks for %u MiB, outside %d..%d", (unsigned)h->mem_mib,
                             KEYFILE_MEM_MIN, KEYFILE_MEM_MAX);
    if (h->ops < 1 || h->ops > KEYFILE_OPS_MAX)
        return error_corrupt(err, violation, "key file asks for %u passes, outside 1..%d", (unsigned)h->ops,
                             KEYFILE_OPS_MAX);
    return 0;
}

static int read_header(const void *data, size_t len, struct header *h, struct error *err)
{
    if (len > KEYFILE_MAX)
        return error_corrupt(err, violation, "larger than a key file can be (%zu bytes)", len);
    struct reader r = reader_of(data, len);
    const uint8_t *start = reader_bytes(&r, MAGIC_LEN);
    if (start == NULL || memcmp(start, magic, MAGIC_LEN) != 0)
        return error_corrupt(err, violation, "not a key file");
    h->role = reader_u8(&r);
    h->kdf = reader_u8(&r);
    reader_zeros(&r, 2);
    h->mem_mib = reader_u32(&r);
    h->ops = reader_u32(&r);
    reader_copy(&r, h->salt, SALT_LEN);
    if (!reader_ok(&r) || reader_left(&r) < SEAL_OVERHEAD)
        return error_corrupt(err, violation, "key file is cut or its header is damaged");
    if (h->role < KEYFILE_ROOT || h->role > KEYFILE_DRILL)
        return error_named(err, E_UNSUPPORTED, violation, "key file of an unknown kind (%u)",
                           (unsigned)h->role);
    return check_kdf(h, err);
}

/* The sealing key: from the passphrase, or 32 zero bytes. */
static struct secret *derive_key(const struct header *h, const struct secret *passphrase, struct error *err)
{
    struct secret *key = secret_new(KEY_LEN, err);
    if (key == NULL || h->kdf == KDF_NONE)
        return key;
    int rc = crypto_pwhash(secret_data(key), KEY_LEN, (const char *)secret_view(passphrase),
                           secret_len(passphrase), h->salt, h->ops, (size_t)h->mem_mib << 20,
                           crypto_pwhash_ALG_ARGON2ID13);
    if (rc != 0) {
        (void)error_set(err, E_NOMEM, "the passphrase needs %u MiB of free memory to be checked",
                        (unsigned)h->mem_mib);
        secret_free(key);
        return NULL;
    }
    return key;
}

static void choose_kdf(struct header *h, const struct keyfile_kdf *kdf)
{
    h->kdf = KDF_ARGON2ID13;
    h->mem_mib = kdf != NULL && kdf->mem_mib != 0 ? kdf->mem_mib : KEYFILE_MEM_DEFAULT;
    h->ops = kdf != NULL && kdf->ops != 0 ? kdf->ops : KEYFILE_OPS_DEFAULT;
    random_bytes(h->salt, SALT_LEN);
}

static int write_header(struct buf *out, const struct header *h, struct error *err)
{
    struct writer w = writer_of(out);
    writer_bytes(&w, magic, MAGIC_LEN);
    writer_u8(&w, h->role);
    writer_u8(&w, h->kdf);
    writer_zeros(&w, 2);
    writer_u32(&w, h->mem_mib);
    writer_u32(&w, h->ops);
    writer_bytes(&w, h->salt, SALT_LEN);
    return writer_end(&w, err);
}

int keyfile_encode(enum keyfile_role role, const struct secret *secrets, const struct secret *passphrase,
                   const struct keyfile_kdf *kdf, struct buf *out, struct error *err)
{
    struct header h = { .role = (uint8_t)role, .kdf = KDF_NONE };
    struct secret *key = NULL;
    size_t start = out->len;
    uint8_t ad[HEADER_LEN];
    int rc;
    if (role < KEYFILE_ROOT || role > KEYFILE_DRILL ||
        secret_len(secrets) > KEYFILE_MAX - HEADER_LEN - SEAL_OVERHEAD)
        return error_set(err, E_INTERNAL, "key file of kind %d with %zu bytes", (int)role,
                         secret_len(secrets));
    if (passphrase != NULL && secret_len(passphrase) == 0)
        return error_set(err, E_USAGE, "an empty passphrase protects nothing");
    if (passphrase != NULL)
        choose_kdf(&h, kdf);
    if (check_kdf(&h, NULL) < 0)
        return error_set(
            err, E_USAGE, "passphrase settings of %u MiB and %u passes are outside %d..%d and 1..%d",
            (unsigned)h.mem_mib, (unsigned)h.ops, KEYFILE_MEM_MIN, KEYFILE_MEM_MAX, KEYFILE_OPS_MAX);
    if ((rc = write_header(out, &h, err)) < 0)
        goto out;
    memcpy(ad, out->data + start, HEADER_LEN);
    if ((key = derive_key(&h, passphrase, err)) == NULL) {
        rc = E_NOMEM;
        goto out;
    }
    rc = seal(secret_view(key), label, ad, HEADER_LEN, secret_view(secrets), secret_len(secrets), out, err);
out:
    if (rc < 0)
        out->len = start;
    secret_free(key);
    return rc;
}

struct secret *keyfile_decode(const void *data, size_t len, enum keyfile_role *role,
                              const struct secret *passphrase, struct error *err)
{
    struct header h = { .role = 0 };
    struct secret *key = NULL;
    struct secret *secrets = NULL;
    struct buf plain = BUF_INIT;
    struct error why = ERROR_INIT;
    if (read_header(data, len, &h, err) < 0)
        return NULL;
    if (h.kdf != KDF_NONE && passphrase == NULL) {
        (void)error_set(err, E_AUTH, "the key file is protected: its passphrase is needed");
        return NULL;
    }
    const uint8_t *sealed = (const uint8_t *)data + HEADER_LEN;
    size_t sealed_len = len - HEADER_LEN;
    if ((key = derive_key(&h, passphrase, err)) == NULL)
        return NULL;
    int rc = buf_reserve(&plain, sealed_len, &why); /* at once: growing would leave copies behind */
    if (rc == 0)
        rc = seal_open(secret_view(key), label, data, HEADER_LEN, sealed, sealed_len, &plain, &why);
    if (rc == 0 && (secrets = secret_copy(plain.data, plain.len, err)) != NULL)
        *role = (enum keyfile_role)h.role;
    else if (rc == E_AUTH && h.kdf != KDF_NONE)
        (void)error_set(err, E_AUTH, "wrong passphrase (or the key file is damaged)");
    else if (rc == E_AUTH)
        (void)error_corrupt(err, violation, "the key file is damaged");
    else if (rc < 0)
        (void)error_copy(err, &why);
    buf_wipe(&plain);
    secret_free(key);
    return secrets;
}

bool keyfile_begins(const void *data, size_t len)
{
    return len >= MAGIC_LEN && memcmp(data, magic, MAGIC_LEN) == 0;
}

bool keyfile_needs_passphrase(const void *data, size_t len)
{
    const uint8_t *p = data;
    return len >= HEADER_LEN && memcmp(p, magic, MAGIC_LEN) == 0 && p[KDF_AT] != KDF_NONE;
}

int keyfile_save(const char *path, const struct buf *encoded, struct error *err)
{
    return file_write_atomic(path, encoded->data, encoded->len, 0400, FILE_EXCLUSIVE, err);
}

int keyfile_load(const char *path, struct buf *out, struct error *err)
{
    struct stat st;
    int rc;
    int fd = fd_open_read(path, err);
    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0)
        rc = error_sys(err, "look at %s", path);
    else if (!S_ISREG(st.st_mode))
        rc = error_set(err, E_USAGE, "key file %s is not a regular file", path);
    else if ((st.st_mode & 077) != 0)
        rc = error_set(err, E_DENIED, "key file %s is open to other users; chmod 400 %s", path, path);
    else if ((rc = buf_reserve(out, KEYFILE_MAX + 1, err)) == 0)
        rc = fd_read_all(fd, KEYFILE_MAX, out, path, err);
    fd_drop(&fd);
    return rc;
}
