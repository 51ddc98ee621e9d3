#include "common/backend/sftp_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/str.h"

#include "common/base/banned.h"

enum { KEY_FILE_MAX = 64 * 1024 };

static const char make_one[] = "make one that works: ssh-keygen -t ed25519 -f FILE";

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

size_t sftp_base64_decode(const char *text, size_t len, uint8_t *out, size_t cap)
{
    uint32_t bits = 0;
    unsigned have = 0;
    size_t used = 0;
    for (size_t i = 0; i < len && used < cap; i++) {
        if (text[i] == '\n' || text[i] == '\r')
            continue;
        int digit = base64_digit(text[i]);
        if (digit < 0)
            break;
        bits = bits << 6 | (uint32_t)digit;
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[used++] = (uint8_t)(bits >> have);
        }
    }
    return used;
}

/* The fields of an OpenSSH key are big-endian u32 length, bytes. NULL when it does not fit. */
static const uint8_t *ssh_string(const uint8_t **p, size_t *left, size_t *len)
{
    if (*left < 4)
        return NULL;
    size_t n = (size_t)(*p)[0] << 24 | (size_t)(*p)[1] << 16 | (size_t)(*p)[2] << 8 | (*p)[3];
    if (n > *left - 4)
        return NULL;
    const uint8_t *at = *p + 4;
    *p += 4 + n;
    *left -= 4 + n;
    *len = n;
    return at;
}

static bool is(const uint8_t *p, size_t len, const char *word)
{
    return p != NULL && len == strlen(word) && memcmp(p, word, len) == 0;
}

static int refuse_type(const char *path, const char *type, struct error *err)
{
    return error_set(
        err, E_AUTH,
        "key file %s holds %s key: today's servers refuse what this SSH library does with it; %s", path, type,
        make_one);
}

/* The public half and the cipher's name stand in the clear before the private half. */
static int check_openssh(const char *path, const char *body, size_t len, bool *encrypted, struct error *err)
{
    static const char magic[] = "openssh-key-v1";
    uint8_t head[1024];
    size_t left = sftp_base64_decode(body, len, head, sizeof head);
    const uint8_t *p = head + sizeof magic;
    const uint8_t *f;
    size_t n = 0;
    if (left < sizeof magic || memcmp(head, magic, sizeof magic) != 0)
        return error_set(err, E_AUTH, "key file %s is damaged; restore it, or %s", path, make_one);
    left -= sizeof magic;
    f = ssh_string(&p, &left, &n);
    *encrypted = f != NULL && !is(f, n, "none");
    if (f == NULL || ssh_string(&p, &left, &n) == NULL || ssh_string(&p, &left, &n) == NULL || left < 8)
        return error_set(err, E_AUTH, "key file %s is damaged; restore it, or %s", path, make_one);
    /* u32 number of keys, u32 length of the public key, then its type. The key itself may not fit in head. */
    p += 8;
    left -= 8;
    f = ssh_string(&p, &left, &n);
    if (is(f, n, "ssh-rsa"))
        return refuse_type(path, "an RSA", err);
    if (is(f, n, "ssh-dss"))
        return refuse_type(path, "a DSA", err);
    if (f == NULL || !(is(f, n, "ssh-ed25519") || (n > 11 && memcmp(f, "ecdsa-sha2-", 11) == 0)))
        return error_set(err, E_AUTH, "key file %s holds a key that this SSH library cannot use; %s", path,
                         make_one);
    return 0;
}

static int check_text(const char *path, const char *text, bool *encrypted, struct error *err)
{
    static const char openssh[] = "-----BEGIN OPENSSH PRIVATE KEY-----";
    const char *begin = strstr(text, "-----BEGIN ");
    if (begin == NULL && (str_starts(text, "ssh-") || str_starts(text, "ecdsa-")))
        return error_set(err, E_AUTH, "key file %s is the public key; give the private one (without .pub)",
                         path);
    if (begin == NULL)
        return error_set(err, E_AUTH, "key file %s holds no private key; %s", path, make_one);
    *encrypted = strstr(begin, "ENCRYPTED") != NULL;
    if (str_starts(begin, "-----BEGIN RSA PRIVATE KEY-----"))
        return refuse_type(path, "an RSA", err);
    if (str_starts(begin, "-----BEGIN DSA PRIVATE KEY-----"))
        return refuse_type(path, "a DSA", err);
    if (!str_starts(begin, openssh))
        return 0; /* PEM of another kind: libssh2 decides */
    const char *body = begin + sizeof openssh - 1;
    return check_openssh(path, body, strlen(body), encrypted, err);
}

static ssize_t read_up_to(int fd, char *out, size_t cap)
{
    size_t got = 0;
    while (got < cap) {
        ssize_t n = read(fd, out + got, cap - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        got += (size_t)n;
    }
    return (ssize_t)got;
}

int sftp_keyfile_check(const char *path, bool *encrypted, struct error *err)
{
    struct buf text = BUF_INIT;
    struct stat st;
    int rc = buf_reserve(&text, KEY_FILE_MAX + 1, err);
    if (rc < 0)
        return rc;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        rc = error_sys(err, "open SSH key file %s", path);
        goto out;
    }
    ssize_t n =
        fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? read_up_to(fd, (char *)text.data, KEY_FILE_MAX) : -1;
    (void)close(fd);
    if (n < 0) {
        rc = error_set(err, E_IO, "SSH key file %s cannot be read as a file", path);
        goto out;
    }
    if ((st.st_mode & 077) != 0)
        log_event(LOG_WARN, "SSH key file %s can be read by others: chmod 600 it", path);
    text.data[n] = '\0';
    *encrypted = false;
    rc = check_text(path, (const char *)text.data, encrypted, err);
out:
    buf_wipe(&text);
    return rc;
}
