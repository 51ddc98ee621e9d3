/* `to` as an address: NAME, or mariadb://[USER@][HOST[:PORT]]/DB[?key=value&...]. */
#include <stdlib.h>
#include <string.h>

#include "common/base/number.h"
#include "common/base/str.h"
#include "common/engine/mariadb/restore.h"

#include "common/base/banned.h"

#define SCHEME "mariadb://"
enum { PORT_MAX = 65535 };

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %XX becomes its byte; never a NUL. Texts here must not show what they are about: it may hold a password. */
static int decode(const char *from, size_t len, char **out, struct error *err)
{
    size_t to = 0;
    free(*out);
    *out = str_dup_len(from, len, err);
    if (*out == NULL)
        return E_NOMEM;
    for (size_t i = 0; i < len; i++) {
        char c = from[i];
        if (c == '%') {
            int high = i + 2 < len ? hex_digit(from[i + 1]) : -1;
            int low = i + 2 < len ? hex_digit(from[i + 2]) : -1;
            if (high < 0 || low < 0 || (high | low) == 0)
                return error_set(err, E_USAGE, "--to: %% must be followed by two hexadecimal digits");
            c = (char)(high * 16 + low);
            i += 2;
        }
        (*out)[to++] = c;
    }
    (*out)[to] = '\0';
    return 0;
}

static int refuse_password(struct error *err)
{
    return error_set(
        err, E_USAGE,
        "--to holds a password, and everybody on this machine can read a command line: put it into a file "
        "of mode 0600 and name that with ?password_file=FILE, or into ~/.my.cnf");
}

static int take_authority(const char *from, size_t len, struct maria_goal *g, struct error *err)
{
    const char *at = memchr(from, '@', len);
    int rc = 0;
    if (at != NULL && memchr(from, ':', (size_t)(at - from)) != NULL)
        return refuse_password(err);
    if (at != NULL && (rc = decode(from, (size_t)(at - from), &g->user, err)) < 0)
        return rc;
    if (at != NULL) {
        len -= (size_t)(at + 1 - from);
        from = at + 1;
    }
    const char *close = len > 0 && *from == '[' ? memchr(from, ']', len) : NULL;
    const char *host = close != NULL ? from + 1 : from;
    const char *rest = close != NULL ? close + 1 : from;
    const char *colon = memchr(rest, ':', len - (size_t)(rest - from));
    const char *end = close != NULL ? close : colon != NULL ? colon : from + len;
    if (end > host && (rc = decode(host, (size_t)(end - host), &g->host, err)) < 0)
        return rc;
    if (colon == NULL)
        return 0;
    char *digits = str_dup_len(colon + 1, len - (size_t)(colon + 1 - from), err);
    uint64_t port = 0;
    rc = digits != NULL ? number_parse(digits, 1, PORT_MAX, &port, err) : E_NOMEM;
    g->at.port = (unsigned)port;
    free(digits);
    return rc < 0 ? error_wrap(err, "--to: port") : 0;
}

static int take_parameter(const char *from, size_t len, struct maria_goal *g, struct error *err)
{
    const struct {
        const char *key;
        char **slot;
    } known[] = { { "socket=", &g->socket },
                  { "password_file=", &g->password_file },
                  { "ssl_ca=", &g->ssl_ca } };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        size_t n = strlen(known[i].key);
        if (len > n && strncmp(from, known[i].key, n) == 0)
            return decode(from + n, len - n, known[i].slot, err);
    }
    if ((len == 14 && strncmp(from, "ssl_verify=yes", len) == 0) ||
        (len == 13 && strncmp(from, "ssl_verify=no", len) == 0)) {
        g->at.ssl_verify = len == 14;
        return 0;
    }
    if (len > 8 && strncmp(from, "password", 8) == 0)
        return refuse_password(err);
    return error_set(err, E_USAGE,
                     "--to: known parameters are socket, password_file, ssl_ca and ssl_verify=yes|no");
}

static int read_uri(const char *rest, struct maria_goal *g, struct error *err)
{
    size_t authority = strcspn(rest, "/?");
    int rc = take_authority(rest, authority, g, err);
    struct maria_address where = { .host = g->host };
    g->at.ssl_verify = !maria_is_local(&where);
    if (rc == 0 && rest[authority] != '/')
        rc = error_set(err, E_USAGE, "--to names no database: mariadb://USER@HOST:PORT/DATABASE");
    if (rc < 0)
        return rc;
    const char *path = rest + authority + 1;
    size_t len = strcspn(path, "?");
    rc = decode(path, len, &g->database, err);
    for (const char *p = path + len; rc == 0 && *p != '\0';) {
        size_t n = strcspn(p + 1, "&");
        rc = n > 0 ? take_parameter(p + 1, n, g, err) : 0;
        p += n + 1;
    }
    return rc;
}

int maria_goal_read(const char *to, struct maria_goal *g, struct error *err)
{
    *g = (struct maria_goal){ .database = NULL };
    int rc = 0;
    if (to != NULL && str_starts(to, SCHEME))
        rc = read_uri(to + strlen(SCHEME), g, err);
    else if (to != NULL && strstr(to, "://") != NULL)
        rc =
            error_set(err, E_USAGE, "--to: give the name of a database or mariadb://USER@HOST:PORT/DATABASE");
    else if (to != NULL)
        rc = (g->database = str_dup(to, err)) != NULL ? 0 : E_NOMEM;
    if (rc == 0 && (g->database == NULL || g->database[0] == '\0'))
        rc = error_set(err, E_USAGE, "--to must name the database to restore into");
    if (rc == 0 && g->host != NULL && g->socket != NULL)
        rc = error_set(err, E_USAGE, "--to: a host or a socket, not both");
    g->at.host = g->host;
    g->at.socket = g->socket;
    g->at.user = g->user;
    g->at.password_file = g->password_file;
    g->at.ssl_ca = g->ssl_ca;
    g->at.own_defaults = true;
    g->at.local_files = true;
    return rc;
}

void maria_goal_free(struct maria_goal *g)
{
    free(g->database);
    free(g->host);
    free(g->socket);
    free(g->user);
    free(g->password_file);
    free(g->ssl_ca);
    *g = (struct maria_goal){ .database = NULL };
}
