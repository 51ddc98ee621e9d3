/* Views: can they be opened, and the order in which they can be made, those that others are made of first. */
#include <mysqld_error.h>
#include <stdio.h>
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
    int rc = maria_queryf(
        c, &r, err,
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

/* ---- can they be opened ---------------------------------------------------------------------------------------- */

enum { TEXT_MAX = 700 };

static int tell(struct maria *c, const char *database, const char *name, const struct error *why,
                engine_finding_fn *fn, void *arg, struct error *err)
{
    char what[TEXT_MAX];
    char cure[TEXT_MAX];
    char shown[2][300];
    char *account = maria_account(c, err);
    if (account == NULL)
        return maria_failed(err);
    (void)snprintf(what, sizeof what, "view %s cannot be dumped: %s",
                   str_printable(shown[0], sizeof shown[0], name),
                   str_printable(shown[1], sizeof shown[1], why->text));
    char *quoted = maria_quoted_text(database, err);
    if (quoted != NULL)
        (void)snprintf(cure, sizeof cure, "GRANT EXECUTE ON %s.* TO %s", quoted, account);
    if (quoted != NULL)
        fn(true, what,
           why->code == E_DENIED ? cure : "DROP VIEW, or mend it, or leave it out with `exclude_tables`",
           arg);
    free(account);
    free(quoted);
    return quoted != NULL ? 0 : E_NOMEM;
}

/* As mariadb-dump does it, which gives up at the first one that fails: a table may be gone, or be no longer what it was,
 * and functions that a view calls need a right of their own. */
int maria_check_views(struct maria *c, const struct maria_database *db, engine_finding_fn *fn, void *arg,
                      struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < db->views.len; i++) {
        struct error why = ERROR_INIT;
        const char *name = *(char **)vec_at(&db->views, i);
        char *quoted = maria_qualified(db->name, name, err);
        rc = quoted != NULL ? maria_execf(c, &why, "SHOW FIELDS FROM %s", quoted) : E_NOMEM;
        free(quoted);
        if (rc < 0 && quoted != NULL)
            rc = rc == E_RETRY || rc == E_CANCELLED || c->broken
                     ? error_copy(err, &why)
                     : tell(c, db->name, name, &why, fn, arg, err);
    }
    return rc;
}
