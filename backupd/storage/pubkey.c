/* Public keys of SSH, as lines that are safe behind options in an AuthorizedKeysFile. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "backupd/storage/setup.h"
#include "common/base/str.h"
#include "common/sys/atomic_file.h"

#include "common/base/banned.h"

enum { COMMENT_MAX = 64 };

/* The bytes of a key begin with its type, so its base64 does. RSA is left out: backupd does not speak it. */
static const struct key_type {
    const char *name;
    const char *begin;
} key_types[] = {
    { "ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5" },
    { "ecdsa-sha2-nistp256", "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY" },
    { "ecdsa-sha2-nistp384", "AAAAE2VjZHNhLXNoYTItbmlzdHAzODQ" },
    { "ecdsa-sha2-nistp521", "AAAAE2VjZHNhLXNoYTItbmlzdHA1MjE" },
    { "sk-ssh-ed25519@openssh.com", "AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29t" },
    { "sk-ecdsa-sha2-nistp256@openssh.com", "AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb20" },
};

static const struct key_type *type_of(const char *word, size_t len)
{
    for (size_t i = 0; i < sizeof key_types / sizeof key_types[0]; i++)
        if (strlen(key_types[i].name) == len && memcmp(key_types[i].name, word, len) == 0)
            return &key_types[i];
    return NULL;
}

static bool is_base64(const char *s, size_t len)
{
    while (len > 0 && s[len - 1] == '=')
        len--;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)s[i]) && s[i] != '+' && s[i] != '/')
            return false;
    return len > 0;
}

/* A comment is for people; what a shell or sshd could read as more becomes '_'. */
static void copy_comment(char out[COMMENT_MAX + 1], const char *s, size_t len)
{
    size_t n = 0;
    for (; n < len && n < COMMENT_MAX; n++)
        out[n] = isalnum((unsigned char)s[n]) || strchr("@._+-", s[n]) != NULL ? s[n] : '_';
    out[n] = '\0';
}

static int add_line(const char *path, const char *line, size_t len, struct vec *keys, struct error *err)
{
    const char *end = line + len;
    size_t word = strcspn(line, " \t\n");
    const struct key_type *type = word < len ? type_of(line, word) : NULL;
    const char *key = line + word;
    char comment[COMMENT_MAX + 1];
    if (type == NULL)
        return error_set(
            err, E_USAGE,
            "%s: this line is no public key of a type that can be used (ed25519, ecdsa, also on a "
            "security key), without options before it. Make one: ssh-keygen -t ed25519 -f FILE, "
            "and name FILE.pub",
            path);
    while (key < end && (*key == ' ' || *key == '\t'))
        key++;
    size_t bytes = 0;
    while (key + bytes < end && key[bytes] != ' ' && key[bytes] != '\t')
        bytes++;
    const char *rest = key + bytes;
    while (rest < end && (*rest == ' ' || *rest == '\t'))
        rest++;
    if (!is_base64(key, bytes) || bytes < strlen(type->begin) ||
        memcmp(key, type->begin, strlen(type->begin)) != 0)
        return error_set(err, E_USAGE, "%s: the key is damaged: it does not begin as %s does", path,
                         type->name);
    copy_comment(comment, rest, (size_t)(end - rest));
    char *text =
        str_printf(err, "%s %.*s%s%s", type->name, (int)bytes, key, comment[0] != '\0' ? " " : "", comment);
    char **slot = text != NULL ? vec_push(keys, err) : NULL;
    if (slot == NULL) {
        free(text);
        return E_NOMEM;
    }
    *slot = text;
    return 0;
}

static int add_lines(const char *path, const char *text, struct vec *keys, struct error *err)
{
    size_t before = keys->len;
    int rc = 0;
    for (const char *line = text; rc == 0 && *line != '\0';) {
        size_t len = strcspn(line, "\n");
        size_t shown = len;
        while (shown > 0 && isspace((unsigned char)line[shown - 1]))
            shown--;
        if (shown > 0 && line[0] != '#')
            rc = add_line(path, line, shown, keys, err);
        line += len + (line[len] == '\n');
    }
    return rc == 0 && keys->len == before ? error_set(err, E_USAGE, "%s holds no public key", path) : rc;
}

int setup_public_keys(const char *path, struct vec *keys, struct error *err)
{
    struct buf text = BUF_INIT;
    int rc = file_read_small(path, SETUP_KEY_MAX, &text, err);
    if (rc == 0)
        rc = buf_append(&text, "", 1, err);
    if (rc == 0 && strlen((const char *)text.data) != text.len - 1)
        rc = error_set(err, E_USAGE, "%s holds a NUL byte: it is no public key file", path);
    if (rc == 0 && strstr((const char *)text.data, "PRIVATE KEY") != NULL)
        rc = error_set(err, E_USAGE,
                       "%s is a PRIVATE key, which never leaves its host: name the public one, %s.pub", path,
                       path);
    if (rc == 0)
        rc = add_lines(path, (const char *)text.data, keys, err);
    buf_wipe(&text);
    return rc;
}
