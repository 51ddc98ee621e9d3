#include "common/engine/mariadb/grants.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buffer.h"
#include "common/base/str.h"

#include "common/base/banned.h"

static unsigned right_of(const char *text, size_t len)
{
    static const struct {
        const char *name;
        unsigned right;
    } names[] = {
        { "SELECT", RIGHT_SELECT },
        { "SHOW VIEW", RIGHT_SHOW_VIEW },
        { "TRIGGER", RIGHT_TRIGGER },
        { "EVENT", RIGHT_EVENT },
        { "LOCK TABLES", RIGHT_LOCK },
        { "RELOAD", RIGHT_RELOAD },
        { "SHOW CREATE ROUTINE", RIGHT_ROUTINE },
        { "CREATE", RIGHT_CREATE },
        { "ALTER", RIGHT_ALTER },
        { "DROP", RIGHT_DROP },
        { "INSERT", RIGHT_INSERT },
        { "REFERENCES", RIGHT_REFERENCES },
        { "CREATE VIEW", RIGHT_CREATE_VIEW },
        { "CREATE ROUTINE", RIGHT_CREATE_ROUTINE },
        { "SUPER", RIGHT_SUPER },
        { "SET USER", RIGHT_SET_USER },
        { "ALL PRIVILEGES", 2 * RIGHT_ALL - 1 },
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strlen(names[i].name) == len && strncmp(names[i].name, text, len) == 0)
            return names[i].right;
    return 0;
}

static unsigned rights_of(const char *text, const char *end)
{
    unsigned rights = 0;
    while (text < end) {
        const char *comma = memchr(text, ',', (size_t)(end - text));
        const char *stop = comma != NULL ? comma : end;
        rights |= right_of(text, (size_t)(stop - text));
        text = comma != NULL ? comma + 1 + (comma[1] == ' ') : end;
    }
    return rights;
}

/* Behind `name` or *; *out NULL for the star. NULL: neither. */
static const char *name_at(const char *p, char **out, struct error *err)
{
    struct buf name = BUF_INIT;
    int rc = 0;
    *out = NULL;
    if (*p == '*')
        return p + 1;
    if (*p++ != '`')
        return NULL;
    for (; rc == 0 && *p != '\0' && (*p != '`' || p[1] == '`'); p++) {
        p += *p == '`';
        rc = buf_append(&name, p, 1, err);
    }
    if (rc == 0)
        rc = buf_append(&name, "", 1, err);
    if (rc == 0 && *p == '`') {
        *out = (char *)name.data;
        return p + 1;
    }
    buf_free(&name);
    return NULL;
}

int grants_add(struct grants *g, const char *line, struct error *err)
{
    static const char begin[] = "GRANT ";
    const char *on = strstr(line, " ON ");
    const char *quote = strpbrk(line, "`'(");
    if (!str_starts(line, begin) || on == NULL || (quote != NULL && quote < on))
        return 0;
    struct grant one = { .rights = rights_of(line + sizeof begin - 1, on) };
    const char *p = name_at(on + 4, &one.database, err);
    p = p != NULL && *p == '.' ? name_at(p + 1, &one.table, err) : NULL;
    struct grant *slot = p != NULL && one.rights != 0 ? vec_push(&g->list, err) : NULL;
    if (slot != NULL) {
        *slot = one;
        return 0;
    }
    free(one.database);
    free(one.table);
    return p != NULL && one.rights != 0 ? E_NOMEM : 0;
}

/* LIKE with its backslash. */
static bool fits(const char *pattern, const char *text)
{
    for (; *pattern != '\0'; pattern++, text++) {
        if (*pattern == '%') {
            for (;; text++) {
                if (fits(pattern + 1, text))
                    return true;
                if (*text == '\0')
                    return false;
            }
        }
        bool any = *pattern == '_';
        if (*pattern == '\\' && pattern[1] != '\0')
            pattern++;
        if (*text == '\0' || (!any && *pattern != *text))
            return false;
    }
    return *text == '\0';
}

bool grants_has(const struct grants *g, unsigned right, const char *database, const char *table)
{
    for (size_t i = 0; i < g->list.len; i++) {
        const struct grant *one = vec_at(&g->list, i);
        if ((one->rights & right) == 0)
            continue;
        if (one->database == NULL)
            return true;
        if (database == NULL)
            continue;
        if (one->table == NULL && fits(one->database, database))
            return true;
        if (one->table != NULL && table != NULL && strcmp(one->database, database) == 0 &&
            strcmp(one->table, table) == 0)
            return true;
    }
    return false;
}

void grants_free(struct grants *g)
{
    for (size_t i = 0; i < g->list.len; i++) {
        struct grant *one = vec_at(&g->list, i);
        free(one->database);
        free(one->table);
    }
    vec_free(&g->list);
}
