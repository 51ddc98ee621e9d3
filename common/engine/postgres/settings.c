#include <stdlib.h>
#include <string.h>

#include "common/base/number.h"
#include "common/base/str.h"
#include "common/engine/option.h"
#include "common/engine/postgres/internal.h"

#include "common/base/banned.h"

enum { LOCK_S = 30, LOCK_MAX_S = 86400, PORT_MAX = 65535 };

static int read_numbers(const struct engine_job *job, struct pgsql_settings *out, struct error *err)
{
    uint64_t port = 0;
    if (out->port != NULL && number_parse(out->port, 1, PORT_MAX, &port, err) < 0)
        return error_wrap(err, "job %s: port", job->name);
    return option_duration(job, "lock_timeout", LOCK_S, 1, LOCK_MAX_S, &out->lock_ms, err);
}

static int check_databases(const struct pgsql_settings *s, struct error *err)
{
    size_t n = option_count(s->from, "database");
    if (s->all_databases && n > 0)
        return error_set(err, E_USAGE, "job %s: give `database` or `all_databases`, not both", s->job);
    if (!s->all_databases && n == 0)
        return error_set(err, E_USAGE,
                         "job %s: the option `database` must name a database, or several in a list; or say "
                         "`all_databases: yes`",
                         s->job);
    if (!s->all_databases && option_count(s->from, "exclude_databases") > 0)
        return error_set(err, E_USAGE, "job %s: `exclude_databases` goes with `all_databases: yes` only",
                         s->job);
    for (size_t i = 0; i < n; i++) {
        const char *name = option_at(s->from, "database", i);
        if (name[0] == '\0')
            return error_set(err, E_USAGE, "job %s: the option `database` must name a database", s->job);
        for (size_t j = 0; j < i; j++)
            if (strcmp(option_at(s->from, "database", j), name) == 0)
                return error_set(err, E_USAGE, "job %s: `database` names %s twice", s->job, name);
    }
    return 0;
}

int pgsql_settings_read(const struct engine_job *job, struct pgsql_settings *out, struct error *err)
{
    *out = (struct pgsql_settings){
        .from = job,
        .job = job->name,
        .host = engine_option(job, "host"),
        .port = engine_option(job, "port"),
        .user = engine_option(job, "user"),
        .sslmode = engine_option(job, "sslmode"),
        .sslrootcert = engine_option(job, "sslrootcert"),
        .bin_dir = engine_option(job, "bin_dir"),
        .seed = job->fingerprint_seed,
    };
    if (option_count(job, "freshness") > PGSQL_FRESHNESS_MAX)
        return error_set(err, E_USAGE, "job %s: `freshness` names more than %d columns", job->name,
                         PGSQL_FRESHNESS_MAX);
    int rc = option_flag(job, "all_databases", false, &out->all_databases, err);
    if (rc == 0)
        rc = check_databases(out, err);
    if (rc == 0)
        rc = read_numbers(job, out, err);
    if (rc == 0)
        rc = option_flag(job, "globals", true, &out->globals, err);
    if (rc == 0)
        rc = option_flag(job, "allow_untested", false, &out->allow_untested, err);
    /* libpq would ignore a file that others can read, and then complain about a missing password. */
    return rc == 0 ? option_private_file(job, "passfile", &out->passfile, err) : rc;
}

int pgsql_settings_connect(const struct pgsql_settings *s, const char *database, struct pgsql *c,
                           struct error *err)
{
    const char *const keys[] = { "dbname",
                                 "host",
                                 "port",
                                 "user",
                                 "passfile",
                                 "sslmode",
                                 "sslrootcert",
                                 "application_name",
                                 "keepalives_idle",
                                 "keepalives_interval",
                                 "keepalives_count",
                                 NULL };
    const char *const values[] = { database,       s->host,   s->port, s->user, s->passfile, s->sslmode,
                                   s->sslrootcert, "backupd", "30",    "10",    "3",         NULL };
    return pgsql_open(c, keys, values, err);
}
