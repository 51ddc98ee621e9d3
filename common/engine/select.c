#include "common/engine/select.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/base/suggest.h"
#include "common/base/vec.h"

#include "common/base/banned.h"

enum { PARTS_MAX = 2, LIST_MAX = 400, SHOWN_MAX = 300 };

struct part {
    char *text;
    bool quoted;
};

/* ---- reading names ---------------------------------------------------------------------------------------- */

static void parts_free(struct part *parts)
{
    for (size_t i = 0; i < PARTS_MAX; i++)
        free(parts[i].text);
}

static int no_name(const char *text, struct error *err)
{
    char shown[SHOWN_MAX];
    return error_set(err, E_USAGE,
                     "'%s' is no name: TABLE or SCHEMA.TABLE, in double quotes what holds a dot or a quote",
                     str_printable(shown, sizeof shown, text));
}

/* One part at *at; moves behind it. */
static int read_part(const char **at, struct part *out, struct error *err)
{
    const char *p = *at;
    char mark = *p == '"' || *p == '`' ? *p : '\0';
    size_t n = 0;
    out->quoted = mark != '\0';
    out->text = str_dup(p, err); /* never longer than what is left */
    if (out->text == NULL)
        return E_NOMEM;
    for (p += out->quoted; *p != '\0'; p++) {
        if (mark == '\0' ? *p == '.' : *p == mark && p[1] != mark)
            break;
        p += mark != '\0' && *p == mark; /* doubled */
        out->text[n++] = *p;
    }
    out->text[n] = '\0';
    bool closed = mark == '\0' || *p == mark;
    *at = p + (mark != '\0' && closed);
    return closed && n != 0 ? 0 : E_USAGE;
}

/* parts[0] is the schema; its text is NULL for a name alone. */
static int read_name(const char *text, size_t most, struct part parts[PARTS_MAX], struct error *err)
{
    const char *at = text;
    size_t n = 0;
    int rc = 0;
    memset(parts, 0, PARTS_MAX * sizeof *parts);
    do {
        at += n != 0;
        rc = n < most ? read_part(&at, &parts[n], err) : E_USAGE;
        n++;
    } while (rc == 0 && *at == '.');
    if (rc == 0 && *at != '\0')
        rc = E_USAGE;
    if (rc == 0 && n == 1) {
        parts[1] = parts[0];
        parts[0] = (struct part){ .text = NULL };
    }
    if (rc < 0)
        parts_free(parts);
    return rc == E_USAGE ? no_name(text, err) : rc;
}

static bool same_folded(const char *typed, const char *name)
{
    for (; *typed != '\0' && *name != '\0'; typed++, name++) {
        char c = (char)(*typed >= 'A' && *typed <= 'Z' ? *typed + ('a' - 'A') : *typed);
        if (c != *name)
            return false;
    }
    return *typed == *name;
}

static bool means(const struct part *p, const char *name)
{
    return p->text == NULL || strcmp(p->text, name) == 0 || (!p->quoted && same_folded(p->text, name));
}

/* ---- telling names ---------------------------------------------------------------------------------------- */

static bool is_plain(const char *name)
{
    if (*name >= '0' && *name <= '9')
        return false;
    return *name != '\0' && name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

static int add_part(struct buf *out, const char *name, struct error *err)
{
    bool plain = is_plain(name);
    int rc = plain ? 0 : buf_append(out, "\"", 1, err);
    for (const char *p = name; rc == 0 && *p != '\0'; p++)
        rc = buf_append(out, *p == '"' ? "\"\"" : p, *p == '"' ? 2 : 1, err);
    return rc == 0 && !plain ? buf_append(out, "\"", 1, err) : rc;
}

char *select_text(const char *schema, const char *name, struct error *err)
{
    struct buf text = BUF_INIT;
    char shown[SHOWN_MAX];
    int rc = schema != NULL ? add_part(&text, schema, err) : 0;
    if (rc == 0 && schema != NULL)
        rc = buf_append(&text, ".", 1, err);
    if (rc == 0)
        rc = add_part(&text, name, err);
    if (rc == 0)
        rc = buf_append(&text, "", 1, err);
    char *out = rc == 0 ? str_dup(str_printable(shown, sizeof shown, (const char *)text.data), err) : NULL;
    buf_free(&text);
    return out;
}

/* Keeps the candidate that is nearest so far; takes it. */
static void offer(struct suggestion *near, char **kept, char *candidate)
{
    if (candidate == NULL)
        return;
    suggest_offer(near, candidate);
    if (near->best == candidate) {
        free(*kept);
        *kept = candidate;
    } else {
        free(candidate);
    }
}

static int not_there(const char *what, const char *typed, const struct select_known *known, bool with_schema,
                     struct error *err)
{
    struct suggestion near = suggest_for(typed);
    char hint[SUGGEST_TEXT_MAX];
    char shown[SHOWN_MAX];
    char *kept = NULL;
    bool tables = strcmp(what, "table") == 0;
    for (size_t i = 0; tables && i < known->nitems; i++)
        offer(&near, &kept,
              select_text(with_schema ? known->items[i].schema : NULL, known->items[i].name, NULL));
    for (size_t i = 0; !tables && i < known->nschemas; i++)
        offer(&near, &kept, select_text(NULL, known->schemas[i], NULL));
    int rc = error_set(err, E_NOT_FOUND, "the snapshot has no %s %s%s", what,
                       str_printable(shown, sizeof shown, typed), suggest_text(&near, "", hint));
    free(kept);
    return rc;
}

static int means_several(const char *typed, const struct select_known *known, const struct part *parts,
                         struct error *err)
{
    char list[LIST_MAX] = "";
    char shown[SHOWN_MAX];
    size_t used = 0;
    for (size_t i = 0; i < known->nitems; i++) {
        const struct select_item *item = &known->items[i];
        if (!means(&parts[0], item->schema) || !means(&parts[1], item->name))
            continue;
        char *name = select_text(item->schema, item->name, NULL);
        if (name != NULL && used + strlen(name) + 8 < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used != 0 ? ", " : "", name);
        free(name);
    }
    return error_set(err, E_USAGE, "'%s' may be any of: %s; say which",
                     str_printable(shown, sizeof shown, typed), list);
}

int select_new_name(const char *text, char **schema, char **name, struct error *err)
{
    struct part parts[PARTS_MAX];
    int rc = read_name(text, PARTS_MAX, parts, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < PARTS_MAX; i++)
        for (char *p = parts[i].text; p != NULL && !parts[i].quoted && *p != '\0'; p++)
            *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + ('a' - 'A') : *p);
    *schema = parts[0].text;
    *name = parts[1].text;
    return 0;
}

/* ---- choosing --------------------------------------------------------------------------------------------- */

bool select_is_partial(const struct engine_selection *sel)
{
    return sel != NULL && sel->nschemas + sel->ntables != 0;
}

static int find_table(const char *typed, const struct select_known *known, size_t *index, struct error *err)
{
    struct part parts[PARTS_MAX];
    size_t found = 0;
    int rc = read_name(typed, PARTS_MAX, parts, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < known->nitems; i++)
        if (means(&parts[0], known->items[i].schema) && means(&parts[1], known->items[i].name)) {
            *index = i;
            found++;
        }
    if (found == 0)
        rc = not_there("table", typed, known, parts[0].text != NULL, err);
    else if (found > 1)
        rc = means_several(typed, known, parts, err);
    parts_free(parts);
    return rc;
}

static int add_schema(const char *typed, const struct select_known *known, bool *wanted, struct error *err)
{
    struct part parts[PARTS_MAX];
    bool found = false;
    int rc = read_name(typed, 1, parts, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < known->nitems; i++)
        if (means(&parts[1], known->items[i].schema))
            wanted[i] = found = true;
    for (size_t i = 0; i < known->nschemas; i++)
        found = found || means(&parts[1], known->schemas[i]);
    parts_free(parts);
    return found ? 0 : not_there("schema", typed, known, false, err);
}

int select_tables(const struct engine_selection *sel, const struct select_known *known, bool *wanted,
                  struct error *err)
{
    int rc = 0;
    for (size_t i = 0; i < known->nitems; i++)
        wanted[i] = !select_is_partial(sel);
    for (size_t i = 0; rc == 0 && sel != NULL && i < sel->nschemas; i++)
        rc = add_schema(sel->schemas[i], known, wanted, err);
    for (size_t i = 0; rc == 0 && sel != NULL && i < sel->ntables; i++) {
        size_t at = 0;
        rc = find_table(sel->tables[i], known, &at, err);
        if (rc == 0)
            wanted[at] = true;
    }
    return rc;
}

int select_table(const struct engine_selection *sel, const struct select_known *known, size_t *index,
                 struct error *err)
{
    if (sel == NULL || sel->ntables != 1 || sel->nschemas != 0)
        return error_set(err, E_USAGE, "one table has to be named");
    return find_table(sel->tables[0], known, index, err);
}

bool select_has_schema(const struct engine_selection *sel, const char *schema)
{
    bool found = false;
    for (size_t i = 0; sel != NULL && i < sel->nschemas && !found; i++) {
        struct part parts[PARTS_MAX];
        if (read_name(sel->schemas[i], 1, parts, NULL) < 0)
            continue;
        found = means(&parts[1], schema);
        parts_free(parts);
    }
    return found;
}

static void list_names(const char *const *names, size_t n, char *list, size_t cap)
{
    char shown[SHOWN_MAX];
    size_t used = 0;
    list[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        (void)str_printable(shown, sizeof shown, names[i]);
        if (used + strlen(shown) + 24 > cap) {
            (void)snprintf(list + used, cap - used, " and %zu more", n - i);
            return;
        }
        used += (size_t)snprintf(list + used, cap - used, "%s%s", i == 0 ? "" : ", ", shown);
    }
}

/* The name of a database is a name on a command line, as for every client: not folded, not quoted. */
int select_database(const struct engine_selection *sel, const char *const *names, size_t n, size_t *index,
                    struct error *err)
{
    const char *typed = sel != NULL ? sel->database : NULL;
    char list[LIST_MAX];
    char shown[SHOWN_MAX];
    *index = 0;
    if (n == 0)
        return error_set(err, E_UNSUPPORTED, "the snapshot holds no database");
    if (typed == NULL && n == 1)
        return 0;
    list_names(names, n, list, sizeof list);
    if (typed == NULL)
        return error_set(err, E_USAGE, "the snapshot holds %zu databases (%s): say which with --database", n,
                         list);
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], typed) == 0) {
            *index = i;
            return 0;
        }
    struct suggestion near = suggest_for(typed);
    char hint[SUGGEST_TEXT_MAX];
    for (size_t i = 0; i < n; i++)
        suggest_offer(&near, names[i]);
    (void)suggest_text(&near, "", hint);
    return error_set(err, E_NOT_FOUND, "the snapshot has no database %s%s%s%s%s",
                     str_printable(shown, sizeof shown, typed), hint, hint[0] == '\0' ? " (it has " : "",
                     hint[0] == '\0' ? list : "", hint[0] == '\0' ? ")" : "");
}
