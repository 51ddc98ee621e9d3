#include "common/conf/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/str.h"

#include "common/base/banned.h"

/* Problems outlive the configuration, so the names of files are copied once each. */
static const char *file_name(struct conf_problems *problems, const char *file)
{
    if (file == NULL)
        return "";
    for (size_t i = 0; i < problems->files.len; i++) {
        char *const *known = vec_at(&problems->files, i);
        if (strcmp(*known, file) == 0)
            return *known;
    }
    char *copy = str_dup(file, NULL);
    char **slot = copy != NULL ? vec_push(&problems->files, NULL) : NULL;
    if (slot == NULL) {
        free(copy);
        return "";
    }
    *slot = copy;
    return copy;
}

void conf_problem_add(struct conf_problems *problems, struct conf_place place, const char *fmt, ...)
{
    problems->total++;
    if (problems->list.len >= CONF_PROBLEMS_MAX)
        return;
    char text[ERROR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    char *copy = n < 0 ? NULL : str_dup(text, NULL);
    struct conf_problem *p = copy != NULL ? vec_push(&problems->list, NULL) : NULL;
    if (p == NULL) {
        free(copy);
        return;
    }
    place.file = file_name(problems, place.file);
    p->place = place;
    p->text = copy;
}

/* Files stay in the order in which they were read: the index of the name tells it. */
static size_t file_rank(const struct conf_problems *problems, const char *file)
{
    for (size_t i = 0; i < problems->files.len; i++)
        if (*(char *const *)vec_at(&problems->files, i) == file)
            return i;
    return SIZE_MAX;
}

static bool comes_after(const struct conf_problems *problems, const struct conf_problem *a,
                        const struct conf_problem *b)
{
    size_t fa = file_rank(problems, a->place.file);
    size_t fb = file_rank(problems, b->place.file);
    if (fa != fb)
        return fa > fb;
    if (a->place.line != b->place.line)
        return a->place.line > b->place.line;
    return a->place.column > b->place.column;
}

/* Insertion keeps equal places in the order of their finding; there are at most CONF_PROBLEMS_MAX. */
void conf_problems_sort(struct conf_problems *problems)
{
    struct conf_problem *list = problems->list.data;
    for (size_t i = 1; i < problems->list.len; i++) {
        struct conf_problem moving = list[i];
        size_t j = i;
        for (; j > 0 && comes_after(problems, &list[j - 1], &moving); j--)
            list[j] = list[j - 1];
        list[j] = moving;
    }
}

int conf_problems_format(const struct conf_problems *problems, struct buf *out, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; i < problems->list.len && rc == 0; i++) {
        const struct conf_problem *p = vec_at(&problems->list, i);
        char file[ERROR_TEXT_MAX];
        char text[2 * ERROR_TEXT_MAX];
        (void)str_printable(file, sizeof file, p->place.file);
        (void)str_printable(text, sizeof text, p->text);
        if (p->place.line == 0)
            rc = buf_printf(out, err, "%s: %s\n", file, text);
        else
            rc = buf_printf(out, err, "%s:%u:%u: %s\n", file, p->place.line, p->place.column, text);
    }
    if (rc == 0 && problems->total > problems->list.len)
        rc = buf_printf(out, err, "(and %zu more)\n", problems->total - problems->list.len);
    return rc;
}

void conf_problems_free(struct conf_problems *problems)
{
    for (size_t i = 0; i < problems->list.len; i++)
        free(((struct conf_problem *)vec_at(&problems->list, i))->text);
    for (size_t i = 0; i < problems->files.len; i++)
        free(*(char **)vec_at(&problems->files, i));
    vec_free(&problems->list);
    vec_free(&problems->files);
    free(problems->state);
    free(problems->socket);
    problems->state = NULL;
    problems->socket = NULL;
    problems->total = 0;
}
