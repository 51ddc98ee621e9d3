/* Questions to a scratch server, for drills. */
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/engine/mariadb/mariadb.h"
#include "common/engine/mariadb/restore.h"
#include "common/engine/mariadb/sql.h"
#include "common/engine/mariadb/statement.h"

#include "common/base/banned.h"

enum { FIELDS_MAX = 4096 };

static int run_script(struct maria *c, const char *sql, struct error *err)
{
    struct maria_statements all = maria_statements_of(sql, strlen(sql));
    int rc = 0;
    while (rc == 0) {
        struct maria_statement s;
        rc = maria_statement_next(&all, (c->conn->server_status & SERVER_STATUS_NO_BACKSLASH_ESCAPES) == 0,
                                  &s, err);
        if (rc <= 0)
            break;
        rc = s.words.len > 0 ? maria_exec_len(c, s.text, s.len, err) : 0;
        maria_statement_free(&s);
    }
    return rc;
}

static int give_rows(MYSQL_RES *r, engine_row_fn *fn, void *arg, struct error *err)
{
    unsigned n = mysql_num_fields(r);
    const char *fields[FIELDS_MAX];
    MYSQL_ROW row;
    int rc = n <= FIELDS_MAX ? 0 : error_set(err, E_UNSUPPORTED, "an answer with %u columns", n);
    while (rc == 0 && (row = mysql_fetch_row(r)) != NULL) {
        for (unsigned i = 0; i < n; i++)
            fields[i] = row[i];
        rc = fn(fields, n, arg, err);
    }
    return rc;
}

int maria_ask(const char *to, const char *sql, bool script, engine_row_fn *fn, void *arg, struct error *err)
{
    struct maria_goal goal;
    struct maria c = { .conn = NULL };
    MYSQL_RES *r = NULL;
    int rc = maria_goal_read(to, &goal, err);
    if (rc == 0) {
        struct maria_address at = goal.at;
        at.database = goal.database;
        rc = maria_open(&c, &at, err);
    }
    if (rc == 0)
        rc = maria_session(&c, 0, err);
    if (rc == 0)
        rc = script ? run_script(&c, sql, err) : maria_query(&c, sql, &r, err);
    if (rc == 0 && r != NULL && fn != NULL)
        rc = give_rows(r, fn, arg, err);
    mysql_free_result(r);
    maria_close(&c);
    maria_goal_free(&goal);
    return rc;
}
