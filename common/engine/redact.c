#include "common/engine/redact.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/alloc.h"
#include "common/base/str.h"

#include "common/base/banned.h"

static const char hidden[] = "***";

/* True when the `len` bytes before an '=' end in a word that names a secret. */
static bool names_secret(const char *text, size_t len)
{
    static const char *const words[] = { "password",   "passwd",     "passphrase", "passwort", "pwd",
                                         "secret",     "api_key",    "api-key",    "apikey",   "token",
                                         "access_key", "access-key", "secret-key", "cli_auth" };
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

const char *redact_text(char *out, size_t cap, const char *text)
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

bool redact_finds(const char *text)
{
    for (size_t at = 0; text[at] != '\0'; at++)
        if (secret_at(text, at) != 0)
            return true;
    return false;
}

/* ---- arguments ------------------------------------------------------------------------------------------ */

/* Short options that bring a password, by the program's name. */
static const struct short_option {
    const char *program; /* its beginning */
    char letter;
    bool apart; /* also as an argument of its own; else only `-pVALUE` */
} short_options[] = {
    { "mysql", 'p', false },    { "mariadb", 'p', false }, { "mydumper", 'p', true },
    { "myloader", 'p', true },  { "mongo", 'p', true },    { "sshpass", 'p', true },
    { "redis-cli", 'a', true }, { "ldap", 'w', true },     { "curl", 'u', true },
};

/* The last of argv[0..i) that is known for such an option: `sudo mysqldump -pVALUE`. */
static const struct short_option *short_option_of(const char *const *argv, size_t i)
{
    while (i-- > 0) {
        const char *slash = strrchr(argv[i], '/');
        const char *base = slash != NULL ? slash + 1 : argv[i];
        for (size_t j = 0; j < sizeof short_options / sizeof short_options[0]; j++)
            if (str_starts(base, short_options[j].program))
                return &short_options[j];
    }
    return NULL;
}

static bool is_secret_option(const char *arg)
{
    size_t len = strlen(arg);
    return arg[0] == '-' && strchr(arg, '=') == NULL && !str_starts(arg, "--no-") &&
           (strcmp(arg, "--pass") == 0 || names_secret(arg, len));
}

/* Where in argv[i] a secret begins that only its place tells; SIZE_MAX: nowhere. */
static size_t secret_place(const char *const *argv, size_t i)
{
    const struct short_option *o = short_option_of(argv, i);
    const char *arg = argv[i];
    if (o != NULL && arg[0] == '-' && arg[1] == o->letter && arg[2] != '\0')
        return 2;
    if (i == 0 || arg[0] == '-' || arg[0] == '\0')
        return SIZE_MAX;
    const char *before = argv[i - 1];
    if (is_secret_option(before))
        return 0;
    return o != NULL && o->apart && before[0] == '-' && before[1] == o->letter && before[2] == '\0'
               ? 0
               : SIZE_MAX;
}

bool redact_finds_at(const char *const *argv, size_t i)
{
    return secret_place(argv, i) != SIZE_MAX || redact_finds(argv[i]);
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
        for (const char *p = redact_text(plain, cap, arg); *p != '\0'; p++) {
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

static int show_one(const char *const *argv, size_t i, struct buf *out, struct error *err)
{
    size_t place = secret_place(argv, i);
    char *cut = place != SIZE_MAX ? str_printf(err, "%.*s%s", (int)place, argv[i], hidden) : NULL;
    char *safe = place == SIZE_MAX ? quoted(argv[i], err) : cut != NULL ? quoted(cut, err) : NULL;
    free(cut);
    int rc = safe != NULL ? buf_printf(out, err, "\"%s\"", safe) : E_NOMEM;
    free(safe);
    return rc;
}

int redact_argv(const char *const *argv, struct buf *out, struct error *err)
{
    size_t before = out->len;
    int rc = buf_append(out, "[", 1, err);
    for (size_t i = 0; rc == 0 && argv[i] != NULL; i++) {
        if (i > 0)
            rc = buf_append(out, ", ", 2, err);
        size_t start = out->len;
        rc = rc < 0 ? rc : show_one(argv, i, out, err);
        if (rc == 0 && out->len - before > REDACT_SHOWN_MAX) {
            out->len = start; /* whole arguments only: half a character is none */
            rc = buf_append(out, "...", 3, err);
            break;
        }
    }
    return rc < 0 ? rc : buf_append(out, "]", 1, err);
}
