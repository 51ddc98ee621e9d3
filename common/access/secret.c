#include <stdlib.h>
#include <string.h>

#include "common/access/access.h"
#include "common/base/str.h"
#include "common/crypto/passphrase.h"
#include "common/sys/dirs.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

/* Reads up to the end, PASSPHRASE_MAX + 3 bytes, or an error. */
static int64_t fill(int fd, struct secret *raw, const char *path, struct error *err)
{
    size_t got = 0;
    while (got < secret_len(raw)) {
        int64_t n = fd_read(fd, secret_data(raw) + got, secret_len(raw) - got, path, err);
        if (n < 0)
            return n;
        if (n == 0)
            break;
        got += (size_t)n;
    }
    return (int64_t)got;
}

/* As passphrase_from_file(), but for files whose mode shows an access list: group bits that mean nothing. */
static struct secret *first_line(const char *path, struct error *err)
{
    struct secret *line = NULL;
    struct secret *raw = secret_new(PASSPHRASE_MAX + 3, err);
    int fd = raw != NULL ? fd_open_read(path, err) : -1;
    int64_t got = fd >= 0 ? fill(fd, raw, path, err) : -1;
    if (got >= 0) {
        const uint8_t *text = secret_view(raw);
        const uint8_t *end = memchr(text, '\n', (size_t)got);
        size_t len = end != NULL ? (size_t)(end - text) : (size_t)got;
        if (len > 0 && text[len - 1] == '\r')
            len--;
        if (len == 0 || len > PASSPHRASE_MAX || memchr(text, '\0', len) != NULL)
            (void)error_set(err, E_USAGE, "%s: a secret is one line of 1 to %d bytes without NUL", path,
                            PASSPHRASE_MAX);
        else
            line = secret_copy(text, len, err);
    }
    fd_drop(&fd);
    secret_free(raw);
    return line;
}

static struct secret *credential(const char *name, struct error *err)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    if (dir == NULL || dir[0] != '/') {
        (void)error_set(
            err, E_NOT_FOUND,
            "credential %s: systemd gave this process none; name it with LoadCredential= in the unit", name);
        return NULL;
    }
    char *path = path_join(dir, name, err);
    struct secret *s = path != NULL ? first_line(path, err) : NULL;
    free(path);
    return s;
}

struct secret *access_secret(const struct conf_secret *ref, struct error *err)
{
    switch (ref->kind) {
    case CONF_SECRET_FILE:
        return passphrase_from_file(ref->text, err);
    case CONF_SECRET_CREDENTIAL:
        return credential(ref->text, err);
    case CONF_SECRET_COMMAND:
        return passphrase_from_command(ref->argv, err);
    case CONF_SECRET_NONE:
    default:
        (void)error_set(err, E_NOT_FOUND, "no secret is configured");
        return NULL;
    }
}
