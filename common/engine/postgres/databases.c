/* Which databases of the server a job means. */
#include <stdlib.h>
#include <string.h>

#include "common/base/glob.h"
#include "common/base/str.h"
#include "common/engine/option.h"
#include "common/engine/postgres/internal.h"

#include "common/base/banned.h"

static int add(struct vec *out, const char *name, struct error *err)
{
    char **slot = vec_push(out, err);
    if (slot == NULL || (*slot = str_dup(name, err)) == NULL)
        return E_NOMEM;
    return 0;
}

static int configured(const struct pgsql_settings *s, struct vec *out, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < option_count(s->from, "database"); i++)
        rc = add(out, option_at(s->from, "database", i), err);
    return rc;
}

static bool is_excluded(const struct pgsql_settings *s, const char *name)
{
    for (size_t i = 0; i < option_count(s->from, "exclude_databases"); i++)
        if (glob_match(option_at(s->from, "exclude_databases", i), name))
            return true;
    return false;
}

static int listed(const struct pgsql_settings *s, struct pgsql *c, struct vec *out, struct error *err)
{
    PGresult *r = NULL;
    int rc =
        pgsql_query(c,
                    "SELECT datname FROM pg_catalog.pg_database WHERE datallowconn AND NOT datistemplate "
                    "ORDER BY datname COLLATE \"C\"",
                    &r, err);
    for (int i = 0; rc == 0 && i < PQntuples(r); i++)
        if (!is_excluded(s, PQgetvalue(r, i, 0)))
            rc = add(out, PQgetvalue(r, i, 0), err);
    PQclear(r);
    if (rc == 0 && out->len == 0)
        rc = error_set(err, E_NOT_FOUND, "%s: `exclude_databases` leaves out every database of the server",
                       c->where);
    return rc;
}

/* Servers without the one have the other. */
static int connect_any(const struct pgsql_settings *s, struct pgsql *c, struct error *err)
{
    struct error why = ERROR_INIT;
    int rc = pgsql_settings_connect(s, "postgres", c, &why);
    if (rc != E_NOT_FOUND)
        return rc < 0 ? error_copy(err, &why) : 0;
    pgsql_close(c);
    return pgsql_settings_connect(s, "template1", c, err);
}

int pgsql_databases(const struct pgsql_settings *s, struct pgsql *c, struct vec *out, struct error *err)
{
    *out = (struct vec)VEC_OF(char *);
    if (!s->all_databases)
        return configured(s, out, err);
    int rc = connect_any(s, c, err);
    if (rc == 0)
        rc = pgsql_refuse_pooler(c, err);
    if (rc == 0)
        rc = pgsql_session(c, s->lock_ms, NULL, err);
    return rc == 0 ? listed(s, c, out, err) : rc;
}
