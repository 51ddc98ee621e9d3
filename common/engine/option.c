#include "common/engine/option.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/number.h"
#include "common/base/str.h"

#include "common/base/banned.h"

enum { MS = 1000 };

const char *option_at(const struct engine_job *job, const char *key, size_t i)
{
    for (size_t at = 0; at < job->noptions; at++)
        if (strcmp(job->options[at].key, key) == 0 && i-- == 0)
            return job->options[at].value;
    return NULL;
}

size_t option_count(const struct engine_job *job, const char *key)
{
    size_t n = 0;
    for (size_t at = 0; at < job->noptions; at++)
        n += strcmp(job->options[at].key, key) == 0;
    return n;
}

int option_duration(const struct engine_job *job, const char *key, uint64_t otherwise, uint64_t min,
                    uint64_t max, uint64_t *ms, struct error *err)
{
    const char *text = engine_option(job, key);
    uint64_t seconds = otherwise;
    if (text != NULL) {
        int rc = duration_parse(text, &seconds, err);
        if (rc < 0) {
            (void)error_wrap(err, "job %s: %s", job->name, key);
            return rc;
        }
        if (seconds < min || seconds > max)
            return error_set(err, E_USAGE, "job %s: %s: %s is %s than the limit of %llus", job->name, key,
                             text, seconds > max ? "more" : "less",
                             (unsigned long long)(seconds > max ? max : min));
    }
    *ms = seconds * MS;
    return 0;
}

int option_size(const struct engine_job *job, const char *key, uint64_t otherwise, uint64_t max,
                uint64_t *bytes, struct error *err)
{
    const char *text = engine_option(job, key);
    uint64_t value = otherwise;
    if (text != NULL) {
        char limit[NUMBER_TEXT_MAX];
        int rc = size_parse(text, &value, err);
        if (rc < 0) {
            (void)error_wrap(err, "job %s: %s", job->name, key);
            return rc;
        }
        if (value > max)
            return error_set(err, E_USAGE, "job %s: %s: %s is more than the limit of %s", job->name, key,
                             text, size_format(limit, max));
    }
    *bytes = value;
    return 0;
}

int option_percent(const struct engine_job *job, const char *key, unsigned otherwise, unsigned *out,
                   struct error *err)
{
    const char *text = engine_option(job, key);
    char digits[8];
    uint64_t value = otherwise;
    if (text != NULL) {
        size_t len = strcspn(text, "%");
        (void)snprintf(digits, sizeof digits, "%.*s", (int)len, text);
        if (len >= sizeof digits || text[len + (text[len] == '%')] != '\0' ||
            number_parse(digits, 0, 100, &value, NULL) < 0)
            return error_set(err, E_USAGE, "job %s: %s: \"%s\" is no percentage from 0%% to 100%%", job->name,
                             key, text);
    }
    *out = (unsigned)value;
    return 0;
}

int option_private_file(const struct engine_job *job, const char *key, const char **out, struct error *err)
{
    struct stat st;
    const char *path = engine_option(job, key);
    *out = path;
    if (path == NULL)
        return 0;
    if (stat(path, &st) < 0)
        return error_sys(err, "job %s: %s %s", job->name, key, path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, E_USAGE, "job %s: %s %s is not a regular file", job->name, key, path);
    if ((st.st_mode & 077) != 0)
        return error_set(err, E_DENIED, "job %s: %s %s can be read by others (mode %04o): chmod 0600 %s",
                         job->name, key, path, (unsigned)(st.st_mode & 07777), path);
    if (access(path, R_OK) < 0)
        return error_sys(err, "job %s: %s %s", job->name, key, path);
    return 0;
}

int option_stream_name(const struct engine_job *job, const char *path, char **out, struct error *err)
{
    const char *slash = strrchr(path, '/');
    const char *name = engine_option(job, "name");
    if (name == NULL)
        name = slash == NULL ? path : slash + 1;
    size_t len = strlen(name);
    if (len == 0 || len > OPTION_NAME_MAX || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
        strchr(name, '/') != NULL || !utf8_valid(name, len))
        return error_set(err, E_USAGE,
                         "job %s: \"%s\" cannot be the name of a stream in a snapshot; give a plain UTF-8 "
                         "file name with the option `name`",
                         job->name, name);
    *out = str_dup(name, err);
    return *out == NULL ? E_NOMEM : 0;
}

int option_flag(const struct engine_job *job, const char *key, bool otherwise, bool *out, struct error *err)
{
    static const char *const yes[] = { "yes", "true", "on" };
    static const char *const no[] = { "no", "false", "off" };
    const char *text = engine_option(job, key);
    *out = otherwise;
    if (text == NULL)
        return 0;
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
            *out = strcmp(text, yes[i]) == 0;
            return 0;
        }
    }
    return error_set(err, E_USAGE, "job %s: %s: \"%s\" is neither yes nor no", job->name, key, text);
}
