#include "common/engine/mariabackup/cnf.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/base/str.h"

#include "common/base/banned.h"

enum { LINE_MAX_LEN = 512 };

static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

static bool line_is_good(const char *line)
{
    if (line[0] == '\0' || line[0] == '#' || strcmp(line, "[mysqld]") == 0)
        return true;
    if (!str_starts(line, "innodb_") && !str_starts(line, "innodb-"))
        return false;
    size_t name = strspn(line, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    if (line[name] == '\0')
        return true;
    if (line[name] != '=')
        return false;
    const char *value = line + name + 1;
    if (strcmp(value, "./") == 0)
        return true;
    for (; *value != '\0'; value++) /* "ibdata1:12M:autoextend;ibdata2:10M" */
        if (strchr(plain, *value) == NULL && strchr(":;,.-+ ", *value) == NULL)
            return false;
    return strstr(line, "..") == NULL;
}

int cnf_check(const char *text, size_t len, struct error *err)
{
    if (strlen(text) != len)
        return error_set(err, E_CORRUPT, "backup-my.cnf in the stream is no text");
    while (*text != '\0') {
        char line[LINE_MAX_LEN];
        char shown[4 * LINE_MAX_LEN];
        size_t n = strcspn(text, "\n");
        (void)snprintf(line, sizeof line, "%.*s", (int)(n < sizeof line ? n : sizeof line - 1), text);
        if (n >= sizeof line || !line_is_good(line))
            return error_set(
                err, E_UNSUPPORTED,
                "backup-my.cnf in the stream has the line \"%.200s\": a path outside the data directory, "
                "or a plugin (encrypted tables). Such servers cannot be restored by this engine",
                str_printable(shown, sizeof shown, line));
        text += n + (text[n] == '\n');
    }
    return 0;
}
