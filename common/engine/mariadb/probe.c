/* What would fail or be missed, and the cure, all of it in one go. */
#include <errmsg.h>
#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/engine/mariadb/internal.h"

#include "common/base/banned.h"

enum { TEXT_MAX = 700 };

struct probe {
    struct maria *c;
    const struct maria_settings *s;
    engine_finding_fn *fn;
    void *arg;
};

static const char *cure_of_connection(const struct maria *c, int code)
{
    switch (c->number) {
    case ER_ACCESS_DENIED_ERROR:
    case ER_ACCESS_DENIED_NO_PASSWORD_ERROR:
        return "correct `user` and `password_file` (its first line is the password, mode 0600); on a socket an account "
               "IDENTIFIED VIA unix_socket needs no password, when it has the name of the system's account";
    case ER_HOST_NOT_PRIVILEGED:
        return "the server has no account for this host: CREATE USER `user`@`this host`";
    case ER_CON_COUNT_ERROR:
    case ER_TOO_MANY_USER_CONNECTIONS:
        return "wait, or raise max_connections: a run needs `connections` and three more";
    case CR_SSL_CONNECTION_ERROR:
        return "name the authority of the server's certificate with `ssl_ca`, or say `ssl_verify: no` in a network that "
               "nobody listens to";
    case 0:
        return "see the message";
    default:
        return code == E_RETRY ? "check that the server runs, `socket`, or `host` and `port`"
                               : "see the message";
    }
}

static void check_tool(const struct probe *p)
{
    struct error why = ERROR_INIT;
    struct maria_tool tool;
    if (maria_tool_find(p->s->bin_dir, &tool, &why) < 0)
        p->fn(true, why.text, "apt-get install mariadb-client", p->arg);
    maria_tool_free(&tool);
}

static void check_release(const struct probe *p)
{
    struct error why = ERROR_INIT;
    if (maria_check_release(p->c, false, &why) < 0)
        p->fn(!p->s->allow_untested, why.text, "`allow_untested: yes` tries it all the same", p->arg);
}

static void on_tables(const struct probe *p, const struct vec *tables)
{
    char what[TEXT_MAX];
    char shown[200];
    const struct maria_table *first = NULL;
    size_t n = 0;
    for (size_t i = 0; i < tables->len; i++) {
        const struct maria_table *t = vec_at(tables, i);
        first = first == NULL && !t->transactional ? t : first;
        n += !t->transactional;
    }
    if (n == 0)
        return;
    bool locks = p->s->other == OTHER_LOCK;
    (void)snprintf(what, sizeof what, "%zu tables have no transactions (%s.%s, ...): %s", n, first->database,
                   str_printable(shown, sizeof shown, first->name),
                   locks ? "they are locked against writes while they are read" : "no snapshot shows them");
    p->fn(
        !locks, what,
        "ALTER TABLE ... ENGINE=InnoDB, or `non_transactional: lock`, or leave them out with `exclude_table_data`",
        p->arg);
}

static void on_database(const struct probe *p, const struct maria_database *db)
{
    char what[TEXT_MAX];
    char shown[2][200];
    if (db->empty.len == 0 || !p->s->job->preflight)
        return;
    (void)snprintf(what, sizeof what, "database %s: the rows of %zu tables are not backed up (%s, ...)",
                   str_printable(shown[0], sizeof shown[0], db->name), db->empty.len,
                   str_printable(shown[1], sizeof shown[1], *(char **)vec_at(&db->empty, 0)));
    p->fn(
        false, what,
        "nothing, when they are in `exclude_table_data`, or their engine keeps them elsewhere (FEDERATED, MERGE, ...)",
        p->arg);
}

static int check_contents(const struct probe *p, struct error *err)
{
    struct vec databases = VEC_OF(struct maria_database);
    struct vec tables = VEC_OF(struct maria_table);
    int rc = maria_list_databases(p->c, p->s, &databases, err);
    if (rc == 0)
        rc = maria_rights(p->c, p->s, &databases, p->s->other == OTHER_LOCK, p->fn, p->arg, err);
    for (size_t i = 0; rc == 0 && i < databases.len; i++) {
        struct maria_database *db = vec_at(&databases, i);
        rc = maria_list_contents(p->c, p->s, db, &tables, err);
        if (rc == 0)
            rc = maria_check_views(p->c, db, p->fn, p->arg, err);
        if (rc == 0)
            on_database(p, db);
    }
    if (rc == 0)
        on_tables(p, &tables);
    maria_tables_free(&tables);
    maria_databases_free(&databases);
    return rc;
}

int maria_probe(const struct engine_job *job, engine_finding_fn *fn, void *arg, struct error *err)
{
    struct maria_settings s;
    struct maria c = { .conn = NULL };
    struct probe p = { .c = &c, .s = &s, .fn = fn, .arg = arg };
    struct error why = ERROR_INIT;
    int rc = maria_settings_read(job, &s, &why);
    if (rc == 0)
        rc = maria_open(&c, &s.at, &why);
    if (rc == E_USAGE)
        return error_copy(err, &why); /* no connection was made */
    if (rc < 0) {
        fn(true, why.text, cure_of_connection(&c, rc), arg);
    } else {
        check_release(&p);
        check_tool(&p);
        if ((rc = maria_session(&c, s.lock_ms, &why)) < 0 || (rc = check_contents(&p, &why)) < 0)
            fn(true, why.text, "see the message", arg);
    }
    maria_close(&c);
    return rc == E_NOMEM || rc == E_CANCELLED ? error_copy(err, &why) : 0;
}
