#include "common/base/fact.h"

#include <stdio.h>
#include <string.h>

#include "common/base/number.h"

#include "common/base/banned.h"

bool fact_get(const char *facts, const char *key, char *out, size_t cap)
{
    size_t key_len = strlen(key);
    for (const char *line = facts; line != NULL && *line != '\0';) {
        const char *end = strchr(line, '\n');
        size_t len = end != NULL ? (size_t)(end - line) : strlen(line);
        if (len > key_len && line[key_len] == '=' && memcmp(line, key, key_len) == 0) {
            (void)snprintf(out, cap, "%.*s", (int)(len - key_len - 1), line + key_len + 1);
            return true;
        }
        line = end != NULL ? end + 1 : NULL;
    }
    return false;
}

bool fact_number(const char *facts, const char *key, uint64_t *out)
{
    char text[NUMBER_TEXT_MAX];
    return fact_get(facts, key, text, sizeof text) && number_parse(text, 0, UINT64_MAX, out, NULL) == 0;
}

bool fact_has(const char *facts, const char *key, const char *value)
{
    size_t key_len = strlen(key);
    size_t value_len = strlen(value);
    for (const char *line = facts; line != NULL && *line != '\0';) {
        const char *end = strchr(line, '\n');
        size_t len = end != NULL ? (size_t)(end - line) : strlen(line);
        if (len == key_len + 1 + value_len && memcmp(line, key, key_len) == 0 && line[key_len] == '=' &&
            memcmp(line + key_len + 1, value, value_len) == 0)
            return true;
        line = end != NULL ? end + 1 : NULL;
    }
    return false;
}

void fact_each(const char *facts, fact_line_fn *fn, void *arg)
{
    for (const char *line = facts; *line != '\0';) {
        const char *end = strchr(line, '\n');
        size_t len = end != NULL ? (size_t)(end - line) : strlen(line);
        const char *equals = memchr(line, '=', len);
        size_t key = equals != NULL ? (size_t)(equals - line) : len;
        fn(line, key, equals != NULL ? equals + 1 : "", equals != NULL ? len - key - 1 : 0, arg);
        line += len + (end != NULL);
    }
}
