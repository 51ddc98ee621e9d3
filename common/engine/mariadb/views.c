/* The order in which views can be made: those that others are made of come first. */
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/engine/mariadb/internal.h"
#include "common/engine/mariadb/sql.h"
#include "common/engine/name.h"

#include "common/base/banned.h"

/*
 * mariadb-dump makes them in the order of their names, over placeholders. A view WITH CHECK OPTION over a placeholder is
 * refused, and so would be its script.
 */
struct view {
    char *name;
    char *quoted; /* `database`.`name`, as definitions have it */
    char *definition;
    bool taken;
};

static int take_view(const char *database, MYSQL_ROW row, struct vec *views, struct error *err)
{
    struct view *v = vec_push(views, err);
    if (v == NULL || (v->name = str_dup(row[0], err)) == NULL ||
        (v->quoted = maria_qualified(database, row[0], err)) == NULL ||
        (v->definition = str_dup(row[1] != NULL ? row[1] : "", err)) == NULL)
        return E_NOMEM;
    return 0;
}

static void views_free(struct vec *views)
{
    for (size_t i = 0; i < views->len; i++) {
        struct view *v = vec_at(views, i);
        free(v->name);
        free(v->quoted);
        free(v->definition);
    }
    vec_free(views);
}

static bool is_wanted(const struct vec *names, const char *name)
{
    for (size_t i = 0; i < names->len; i++)
        if (strcmp(*(char **)vec_at(names, i), name) == 0)
            return true;
    return false;
}

static bool is_ready(const struct vec *views, const struct view *v)
{
    for (size_t i = 0; i < views->len; i++) {
        const struct view *other = vec_at(views, i);
        if (other != v && !other->taken && strstr(v->definition, other->quoted) != NULL)
            return false;
    }
    return true;
}

/* What is left when nothing is ready only looks like a circle (a name in a text): as it comes. */
static int order(struct vec *views, struct vec *out, struct error *err)
{
    int rc = 0;
    for (bool stuck = false; rc == 0 && out->len < views->len;) {
        size_t before = out->len;
        for (size_t i = 0; rc == 0 && i < views->len; i++) {
            struct view *v = vec_at(views, i);
            if (v->taken || (!stuck && !is_ready(views, v)))
                continue;
            v->taken = true;
            rc = names_add(out, v->name, err);
        }
        stuck = out->len == before;
    }
    return rc;
}

int maria_order_views(struct maria *c, const char *literal, struct maria_database *db, struct error *err)
{
    struct vec views = VEC_OF(struct view);
    struct vec sorted = VEC_OF(char *);
    MYSQL_RES *r = NULL;
    MYSQL_ROW row;
    int rc = maria_queryf(c, &r, err,
                          "SELECT table_name, view_definition FROM information_schema.views WHERE table_schema = %s "
                          "AND BINARY table_schema = %s ORDER BY BINARY table_name",
                          literal, literal);
    while (rc == 0 && (row = mysql_fetch_row(r)) != NULL)
        if (is_wanted(&db->views, row[0]))
            rc = take_view(db->name, row, &views, err);
    mysql_free_result(r);
    if (rc == 0)
        rc = order(&views, &sorted, err);
    if (rc == 0 && sorted.len == db->views.len) {
        names_free(&db->views);
        db->views = sorted;
    } else {
        names_free(&sorted);
    }
    views_free(&views);
    return rc;
}
