#include "common/backend/sftp_internal.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/str.h"

#include "common/base/banned.h"

/* A key blob of 8 KiB is twice the largest that libssh2 accepts. */
enum { KEY_BLOB_MAX = 8192, FILES_MAX = 2, FINGERPRINT_BYTES = 32 };

static const char system_known_hosts[] = "/etc/ssh/ssh_known_hosts";

/* Our order of preference. RSA only with SHA-2, which libssh2 has since 1.11. */
static const struct key_type {
    const char *name; /* in the key itself and in known_hosts */
    int bit;
    const char *methods;
} key_types[] = {
    { "ssh-ed25519", LIBSSH2_KNOWNHOST_KEY_ED25519, "ssh-ed25519" },
    { "ecdsa-sha2-nistp256", LIBSSH2_KNOWNHOST_KEY_ECDSA_256, "ecdsa-sha2-nistp256" },
    { "ecdsa-sha2-nistp384", LIBSSH2_KNOWNHOST_KEY_ECDSA_384, "ecdsa-sha2-nistp384" },
    { "ecdsa-sha2-nistp521", LIBSSH2_KNOWNHOST_KEY_ECDSA_521, "ecdsa-sha2-nistp521" },
    { "ssh-rsa", LIBSSH2_KNOWNHOST_KEY_SSHRSA, "rsa-sha2-512,rsa-sha2-256" },
};
enum { KEY_TYPES = sizeof key_types / sizeof key_types[0] };

const char sftp_all_hostkey_types[] =
    "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256";

/* ---- the key the server showed ------------------------------------------------------------------------- */

/* The type inside the key: u32 length, name. NULL when it is none of ours. */
static const struct key_type *type_of_blob(const char *blob, size_t len)
{
    for (size_t i = 0; i < KEY_TYPES; i++) {
        size_t n = strlen(key_types[i].name);
        if (len > n + 4 && blob[0] == 0 && blob[1] == 0 && blob[2] == 0 && (unsigned char)blob[3] == n &&
            memcmp(blob + 4, key_types[i].name, n) == 0)
            return &key_types[i];
    }
    return NULL;
}

/* For free(). */
static char *base64_encode(const void *data, size_t len, struct error *err)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *p = data;
    struct buf out = BUF_INIT;
    if (buf_reserve(&out, (len + 2) / 3 * 4 + 1, err) < 0)
        return NULL;
    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        uint32_t v =
            (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0);
        const char four[4] = { digits[v >> 18], digits[v >> 12 & 63], left > 1 ? digits[v >> 6 & 63] : '=',
                               left > 2 ? digits[v & 63] : '=' };
        memcpy(out.data + out.len, four, 4);
        out.len += 4;
    }
    out.data[out.len] = '\0';
    return (char *)out.data;
}

/* "ssh-ed25519 AAAA...": the pin, and the end of a known_hosts line. For free(). */
static char *key_text(const struct sftp *s, struct error *err)
{
    size_t len = 0;
    const char *blob = libssh2_session_hostkey(s->session, &len, NULL);
    const struct key_type *type = blob != NULL && len <= KEY_BLOB_MAX ? type_of_blob(blob, len) : NULL;
    if (type == NULL) {
        (void)error_set(err, E_UNSUPPORTED, "%s shows a host key of an unknown kind", s->base.where);
        return NULL;
    }
    char *encoded = base64_encode(blob, len, err);
    char *text = encoded != NULL ? str_printf(err, "%s %s", type->name, encoded) : NULL;
    free(encoded);
    return text;
}

char *sftp_hostkey_fingerprint(const struct sftp *s, struct error *err)
{
    const char *hash = libssh2_hostkey_hash(s->session, LIBSSH2_HOSTKEY_HASH_SHA256);
    if (hash == NULL) {
        (void)error_set(err, E_UNSUPPORTED, "%s: no SHA256 fingerprint from the SSH library", s->base.where);
        return NULL;
    }
    char *encoded = base64_encode(hash, FINGERPRINT_BYTES, err);
    if (encoded == NULL)
        return NULL;
    encoded[strcspn(encoded, "=")] = '\0';
    char *text = str_printf(err, "SHA256:%s", encoded);
    free(encoded);
    return text;
}

/* As OpenSSH writes it: the port is part of the name unless it is 22. */
static char *host_name(const struct sftp *s, struct error *err)
{
    if (s->options.port == 22)
        return str_dup(s->options.host, err);
    return str_printf(err, "[%s]:%u", s->options.host, s->options.port);
}

char *sftp_hostkey_line(const struct sftp *s, struct error *err)
{
    char *host = host_name(s, err);
    char *key = host != NULL ? key_text(s, err) : NULL;
    char *line = key != NULL ? str_printf(err, "%s %s", host, key) : NULL;
    free(host);
    free(key);
    return line;
}

/* ---- known_hosts --------------------------------------------------------------------------------------- */

struct hosts {
    LIBSSH2_KNOWNHOSTS *list;
    const char *revoked_text; /* base64 key to look for among @revoked lines, or NULL */
    bool revoked;
};

/* A revoked key is refused whatever host the line names: there is no good use of it. */
static bool line_revokes(const char *line, const char *key)
{
    if (!str_starts(line, "@revoked"))
        return false;
    const char *base64 = strchr(key, ' ');
    return base64 != NULL && strstr(line, base64 + 1) != NULL;
}

static void add_line(struct hosts *h, const char *file, unsigned number, char *line)
{
    line[strcspn(line, "\r\n")] = '\0';
    const char *p = line + strspn(line, " \t");
    if (*p == '\0' || *p == '#')
        return;
    if (*p == '@') {
        if (h->revoked_text != NULL && line_revokes(p, h->revoked_text))
            h->revoked = true;
        return; /* @cert-authority: host certificates are not supported by libssh2 */
    }
    /* readfile() would stop at the first bad line and lose all others, hence line by line. */
    bool bad = libssh2_knownhost_readline(h->list, p, strlen(p), LIBSSH2_KNOWNHOST_FILE_OPENSSH) < 0;
    if (bad &&
        h->revoked_text == NULL) /* the file is read twice for a connection; once is enough to say it */
        log_event(LOG_WARN, "%s line %u is not understood and is skipped", file, number);
}

/* A file that is not there is an empty one. */
static int read_file(struct hosts *h, const char *file, struct error *err)
{
    FILE *f = fopen(file, "re");
    if (f == NULL)
        return errno == ENOENT ? 0 : error_sys(err, "read known_hosts file %s", file);
    char *line = NULL;
    size_t cap = 0;
    unsigned number = 0;
    while (getline(&line, &cap, f) >= 0)
        add_line(h, file, ++number, line);
    int rc = ferror(f) ? error_sys(err, "read known_hosts file %s", file) : 0;
    free(line);
    (void)fclose(f);
    return rc;
}

/* ~/.ssh/known_hosts, for free(); NULL with err untouched when there is no home. */
static char *home_file(struct error *err)
{
    const char *home = getenv("HOME");
    struct passwd account;
    struct passwd *found = NULL;
    char space[4096];
    if ((home == NULL || home[0] == '\0') &&
        getpwuid_r(getuid(), &account, space, sizeof space, &found) == 0 && found != NULL)
        home = found->pw_dir;
    return home != NULL ? str_printf(err, "%s/.ssh/known_hosts", home) : NULL;
}

static int read_hosts(const struct sftp *s, struct hosts *h, struct error *err)
{
    if (s->options.known_hosts != NULL)
        return read_file(h, s->options.known_hosts, err);
    char *home = home_file(err);
    int rc = home != NULL ? read_file(h, home, err) : 0;
    free(home);
    return rc < 0 ? rc : read_file(h, system_known_hosts, err);
}

static int hosts_open(const struct sftp *s, struct hosts *h, struct error *err)
{
    h->list = libssh2_knownhost_init(s->session);
    return h->list != NULL ? 0 : error_set(err, E_NOMEM, "out of memory for known_hosts");
}

static int look_up(const struct hosts *h, const char *host, const char *blob, size_t len, int type_bit)
{
    struct libssh2_knownhost *entry = NULL;
    return libssh2_knownhost_checkp(h->list, host, -1, blob, len,
                                    LIBSSH2_KNOWNHOST_TYPE_PLAIN | LIBSSH2_KNOWNHOST_KEYENC_RAW | type_bit,
                                    &entry);
}

/* ---- which types to ask for ---------------------------------------------------------------------------- */

static const struct key_type *type_of_pin(const char *pin)
{
    for (size_t i = 0; i < KEY_TYPES; i++)
        if (str_starts(pin, key_types[i].name) && pin[strlen(key_types[i].name)] == ' ')
            return &key_types[i];
    return NULL;
}

/* A wrong key of a type is a "mismatch" when the host has an entry of that type, else "not found". The server
 * has to show a key of a type we know: otherwise it may show another one of its keys, and that would look
 * like an attack. */
static int types_of_host(const struct sftp *s, const struct hosts *h, struct buf *out, struct error *err)
{
    static const char nobodys_key[] = "\0\0\0\1x";
    char *host = host_name(s, err);
    if (host == NULL)
        return E_NOMEM;
    int rc = 0;
    for (size_t i = 0; i < KEY_TYPES && rc == 0; i++)
        if (look_up(h, host, nobodys_key, sizeof nobodys_key - 1, key_types[i].bit) ==
            LIBSSH2_KNOWNHOST_CHECK_MISMATCH)
            rc = buf_printf(out, err, "%s%s", out->len > 0 ? "," : "", key_types[i].methods);
    free(host);
    return rc;
}

static int known_types(struct sftp *s, struct buf *out, struct error *err)
{
    struct hosts h = { .list = NULL, .revoked_text = NULL, .revoked = false };
    /* The list needs a session, but the types must be known before the handshake: a short-lived one. */
    int rc = sftp_session_new(s, err);
    if (rc == 0)
        rc = hosts_open(s, &h, err);
    if (rc == 0)
        rc = read_hosts(s, &h, err);
    if (rc == 0)
        rc = types_of_host(s, &h, out, err);
    if (h.list != NULL)
        libssh2_knownhost_free(h.list);
    sftp_drop(s);
    return rc;
}

int sftp_hostkey_types(struct sftp *s, char out[SFTP_METHODS_MAX], struct error *err)
{
    const char *types = sftp_all_hostkey_types;
    struct buf found = BUF_INIT;
    int rc = 0;
    if (s->options.host_key != NULL) {
        const struct key_type *type = type_of_pin(s->options.host_key);
        if (type == NULL)
            return error_set(err, E_USAGE,
                             "%s: the pinned host key must read like 'ssh-ed25519 AAAA...' "
                             "(ed25519 or ecdsa)",
                             s->base.where);
        types = type->methods;
    } else {
        rc = known_types(s, &found, err);
        if (rc == 0 && found.len > 0)
            types = (const char *)found.data;
    }
    if (rc == 0)
        (void)snprintf(out, SFTP_METHODS_MAX, "%s", types);
    buf_free(&found);
    return rc;
}

/* ---- the verdict --------------------------------------------------------------------------------------- */

static int refuse(const struct sftp *s, int code, struct error *err)
{
    const char *file = s->options.known_hosts != NULL ? s->options.known_hosts : "~/.ssh/known_hosts";
    char *print = sftp_hostkey_fingerprint(s, err);
    char *line = print != NULL ? sftp_hostkey_line(s, err) : NULL;
    if (line == NULL)
        code = E_NOMEM;
    else if (code == E_AUTH)
        (void)error_set(
            err, code,
            "%s: the host key is not known yet. Compare %s with what the server's administrator says "
            "(ssh-keygen -lf on the server), then add this line to %s: %s",
            s->base.where, print, file, line);
    else
        (void)error_named(
            err, code, ERR_HOST_KEY,
            "%s: THE HOST KEY HAS CHANGED: the server now shows %s. Somebody may be between, or the server "
            "was set up anew. Nothing was sent. If its administrator confirms this fingerprint, replace "
            "the old line%s%s by: %s",
            s->base.where, print, s->options.host_key != NULL ? " (setting: pinned host key)" : " in ",
            s->options.host_key != NULL ? "" : file,
            s->options.host_key != NULL ? strchr(line, ' ') + 1 : line);
    free(print);
    free(line);
    return code;
}

static int check_pin(const struct sftp *s, const char *key, struct error *err)
{
    const char *pin = s->options.host_key;
    size_t len = strlen(key);
    /* A comment may follow the key. */
    bool same = strncmp(pin, key, len) == 0 && (pin[len] == '\0' || strchr(" \t\r\n", pin[len]) != NULL);
    return same ? 0 : refuse(s, E_CONFLICT, err);
}

static int check_known(const struct sftp *s, const char *key, struct error *err)
{
    struct hosts h = { .list = NULL, .revoked_text = key, .revoked = false };
    size_t len = 0;
    const char *blob = libssh2_session_hostkey(s->session, &len, NULL);
    const struct key_type *type = type_of_blob(blob, len);
    char *host = host_name(s, err);
    int rc = host != NULL ? hosts_open(s, &h, err) : E_NOMEM;
    if (rc == 0)
        rc = read_hosts(s, &h, err);
    if (rc < 0)
        goto out;
    int found = look_up(&h, host, blob, len, type != NULL ? type->bit : 0);
    if (h.revoked)
        rc = error_named(err, E_AUTH, ERR_HOST_KEY,
                         "%s: the host key is marked @revoked in known_hosts: it is known to be stolen or "
                         "retired. Give the server a new key",
                         s->base.where);
    else if (found == LIBSSH2_KNOWNHOST_CHECK_MISMATCH)
        rc = refuse(s, E_CONFLICT, err);
    else if (found != LIBSSH2_KNOWNHOST_CHECK_MATCH)
        rc = refuse(s, E_AUTH, err);
out:
    if (h.list != NULL)
        libssh2_knownhost_free(h.list);
    free(host);
    return rc;
}

int sftp_hostkey_check(struct sftp *s, struct error *err)
{
    char *key = key_text(s, err);
    if (key == NULL)
        return E_UNSUPPORTED;
    int rc = s->options.host_key != NULL ? check_pin(s, key, err) : check_known(s, key, err);
    free(key);
    if (rc == 0) { /* for whoever remembers it; without one there is nothing to remember */
        free(s->base.identity);
        s->base.identity = sftp_hostkey_fingerprint(s, NULL);
    }
    return rc;
}
