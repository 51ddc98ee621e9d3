#include "restore/paths.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/str.h"

#include "common/base/banned.h"

int paths_of(struct paths *p, const char *const *args, size_t n, struct error *err)
{
    *p = (struct paths){ .list = NULL };
    if (n == 0)
        return 0;
    p->list = mem_alloc(n, sizeof *p->list, err);
    if (p->list == NULL)
        return E_NOMEM;
    p->n = n;
    for (size_t i = 0; i < n; i++) {
        const char *text = args[i];
        while (text[0] == '/' || str_starts(text, "./"))
            text += text[0] == '/' ? 1 : 2;
        size_t len = strlen(text);
        while (len > 0 && text[len - 1] == '/')
            len--;
        if (len == 0)
            return error_set(err, E_USAGE, "\"%s\" names no member; leave the path out to mean everything",
                             args[i]);
        p->list[i] = (struct path_arg){ .text = text, .len = len };
    }
    return 0;
}

static bool matches(const struct path_arg *a, const char *member)
{
    return strncmp(member, a->text, a->len) == 0 && (member[a->len] == '\0' || member[a->len] == '/');
}

bool paths_take(struct paths *p, const char *member)
{
    bool taken = p->n == 0;
    for (size_t i = 0; i < p->n; i++) {
        struct path_arg *a = &p->list[i];
        if (matches(a, member)) {
            a->hit = true;
            taken = true;
        }
    }
    return taken;
}

bool paths_match(const struct paths *p, const char *member)
{
    bool match = p->n == 0;
    for (size_t i = 0; i < p->n && !match; i++)
        match = matches(&p->list[i], member);
    return match;
}

const char *paths_missed(const struct paths *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (!p->list[i].hit)
            return p->list[i].text;
    return NULL;
}

void paths_free(struct paths *p)
{
    free(p->list);
    *p = (struct paths){ .list = NULL };
}
