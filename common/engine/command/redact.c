/* Arguments and messages for people to read: without what only the program should know. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/engine/command/internal.h"

#include "common/base/banned.h"

static const char hidden[] = "***";

/* True when the `len` bytes before an '=' end in a word that names a secret. */
static bool names_secret(const char *text, size_t len)
{
    static const char *const words[] = { "password", "passwd",  "passphrase", "passwort", "pwd",
                                         "secret",   "api_key", "apikey",     "token",    "access_key" };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t n = strlen(words[i]);
        if (len >= n && strncasecmp(text + len - n, words[i], n) == 0)
            return true;
    }
    return false;
}

/* Where the value that starts here ends. */
static size_t value_len(const char *value)
{
    if (value[0] == '\'' || value[0] == '"') {
        const char *end = strchr(value + 1, value[0]);
        return end != NULL ? (size_t)(end + 1 - value) : strlen(value);
    }
    return strcspn(value, " \t\r\n&;\"'");
}

/* Behind "://": where the password of user:password@ starts, or 0; *len gets its length. */
static size_t url_password(const char *text, size_t *len)
{
    size_t end = strcspn(text, "/?# \t\r\n\"'");
    size_t colon = strcspn(text, ":");
    size_t at = end;
    while (at > 0 && text[at - 1] != '@')
        at--;
    if (at == 0 || colon + 1 >= at - 1)
        return 0;
    *len = at - 1 - (colon + 1);
    return colon + 1;
}

/* The length of the secret that starts at text[at], 0 when none does. */
static size_t secret_at(const char *text, size_t at)
{
    size_t len = 0;
    if (at > 0 && text[at - 1] == '=' && names_secret(text, at - 1))
        return value_len(text + at);
    if (at == 0 || text[at - 1] != ':')
        return 0;
    for (size_t i = at; i-- > 0 && strchr("/ \t\r\n\"'", text[i]) == NULL;)
        if (i >= 3 && strncmp(text + i - 3, "://", 3) == 0 && url_password(text + i, &len) == at - i)
            return len;
    return 0;
}

const char *command_redact(char *out, size_t cap, const char *text)
{
    size_t used = 0;
    for (size_t at = 0; text[at] != '\0' && used + sizeof hidden < cap;) {
        size_t secret = secret_at(text, at);
        if (secret == 0) {
            out[used++] = text[at++];
            continue;
        }
        memcpy(out + used, hidden, sizeof hidden - 1);
        used += sizeof hidden - 1;
        at += secret;
    }
    if (cap > 0)
        out[used] = '\0';
    return out;
}

bool command_has_secret(const char *text)
{
    for (size_t at = 0; text[at] != '\0'; at++)
        if (secret_at(text, at) != 0)
            return true;
    return false;
}

/* `"` and `\` get a `\` before them, so that the "\x0a" of a printable text stays what it is. */
static char *quoted(const char *arg, struct error *err)
{
    size_t cap = (sizeof hidden + 1) * (strlen(arg) + 2);
    char *plain = mem_alloc(cap, 1, err);
    char *escaped = mem_alloc(cap, 2, err);
    char *safe = mem_alloc(cap, 8, err); /* \xHH for each byte */
    size_t n = 0;
    if (plain != NULL && escaped != NULL && safe != NULL) {
        for (const char *p = command_redact(plain, cap, arg); *p != '\0'; p++) {
            if (*p == '"' || *p == '\\')
                escaped[n++] = '\\';
            escaped[n++] = *p;
        }
        (void)str_printable(safe, 8 * cap, escaped);
    } else {
        free(safe);
        safe = NULL;
    }
    free(escaped);
    free(plain);
    return safe;
}

static int show_one(const char *arg, struct buf *out, struct error *err)
{
    char *safe = quoted(arg, err);
    int rc = safe != NULL ? buf_printf(out, err, "\"%s\"", safe) : E_NOMEM;
    free(safe);
    return rc;
}

int command_show(const char *const *argv, struct buf *out, struct error *err)
{
    size_t before = out->len;
    int rc = buf_append(out, "[", 1, err);
    for (size_t i = 0; rc == 0 && argv[i] != NULL; i++) {
        if (i > 0)
            rc = buf_append(out, ", ", 2, err);
        size_t start = out->len;
        rc = rc < 0 ? rc : show_one(argv[i], out, err);
        if (rc == 0 && out->len - before > COMMAND_SHOWN_MAX) {
            out->len = start; /* whole arguments only: half a character is none */
            rc = buf_append(out, "...", 3, err);
            break;
        }
    }
    return rc < 0 ? rc : buf_append(out, "]", 1, err);
}
