#include <stdlib.h>
#include <string.h>

#include "common/base/glob.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/engine/mariadb/internal.h"
#include "common/engine/option.h"

#include "common/base/banned.h"

enum { LOCK_S = 30, LOCK_MAX_S = 86400, PORT_MAX = 65535, READERS = 1 };

static int read_numbers(const struct engine_job *job, struct maria_settings *out, struct error *err)
{
    const char *port = engine_option(job, "port");
    const char *readers = engine_option(job, "connections");
    uint64_t number = 0;
    out->readers = READERS;
    if (port != NULL && number_parse(port, 1, PORT_MAX, &number, err) < 0)
        return error_wrap(err, "job %s: port", job->name);
    out->at.port = (unsigned)number;
    if (readers != NULL && number_parse(readers, 1, MARIA_READERS_MAX, &out->readers, err) < 0)
        return error_wrap(err, "job %s: connections", job->name);
    return option_duration(job, "lock_timeout", LOCK_S, 1, LOCK_MAX_S, &out->lock_ms, err);
}

static int read_choice(const struct engine_job *job, struct maria_settings *out, struct error *err)
{
    const char *other = engine_option(job, "non_transactional");
    if (other != NULL && strcmp(other, "lock") == 0)
        out->other = OTHER_LOCK;
    else if (other != NULL && strcmp(other, "refuse") != 0)
        return error_set(err, E_USAGE, "job %s: non_transactional: \"%s\" is neither refuse nor lock",
                         job->name, other);
    return 0;
}

static int check_databases(const struct engine_job *job, const struct maria_settings *s, struct error *err)
{
    size_t n = option_count(job, "database");
    for (size_t i = 0; i < n; i++)
        if (option_at(job, "database", i)[0] == '\0')
            return error_set(err, E_USAGE, "job %s: the option `database` must name a database", job->name);
    if ((n > 0) == s->all_databases)
        return error_set(
            err, E_USAGE,
            "job %s: say which databases: `database: NAME`, a list of names, or `all_databases: yes`",
            job->name);
    if (!s->all_databases && option_count(job, "exclude_databases") > 0)
        return error_set(err, E_USAGE, "job %s: exclude_databases goes with `all_databases: yes`", job->name);
    return 0;
}

/* "db.table", each part with * and ?. */
static int check_patterns(const struct engine_job *job, const char *key, struct error *err)
{
    for (size_t i = 0; i < option_count(job, key); i++) {
        char shown[200];
        const char *pattern = option_at(job, key, i);
        if (strchr(pattern, '.') == NULL)
            return error_set(err, E_USAGE,
                             "job %s: %s: \"%s\" is no DATABASE.TABLE (* and ? stand for anything)",
                             job->name, key, str_printable(shown, sizeof shown, pattern));
    }
    return 0;
}

static int check_files(const struct engine_job *job, const struct maria_settings *s, struct error *err)
{
    int rc = maria_check_private("password_file", s->at.password_file, err);
    if (rc == 0)
        rc = maria_check_private("defaults_file", s->at.defaults_file, err);
    if (rc == 0 && s->at.host != NULL && s->at.socket != NULL)
        rc = error_set(err, E_USAGE, "give `host` or `socket`, not both");
    return rc < 0 ? error_wrap(err, "job %s", job->name) : 0;
}

int maria_settings_read(const struct engine_job *job, struct maria_settings *out, struct error *err)
{
    *out = (struct maria_settings){
        .job = job,
        .seed = job->fingerprint_seed,
        .bin_dir = engine_option(job, "bin_dir"),
        .at = { .host = engine_option(job, "host"),
                .socket = engine_option(job, "socket"),
                .user = engine_option(job, "user"),
                .password_file = engine_option(job, "password_file"),
                .defaults_file = engine_option(job, "defaults_file"),
                .ssl_ca = engine_option(job, "ssl_ca") },
    };
    int rc = read_numbers(job, out, err);
    if (rc == 0)
        rc = read_choice(job, out, err);
    if (rc == 0)
        rc = option_flag(job, "all_databases", false, &out->all_databases, err);
    if (rc == 0)
        rc = option_flag(job, "users", true, &out->users, err);
    if (rc == 0)
        rc = option_flag(job, "allow_untested", false, &out->allow_untested, err);
    if (rc == 0)
        rc = option_flag(job, "ssl_verify", !maria_is_local(&out->at), &out->at.ssl_verify, err);
    if (rc == 0)
        rc = check_databases(job, out, err);
    if (rc == 0)
        rc = check_patterns(job, "exclude_tables", err);
    if (rc == 0)
        rc = check_patterns(job, "exclude_table_data", err);
    return rc == 0 ? check_files(job, out, err) : rc;
}

bool maria_is_excluded_database(const struct maria_settings *s, const char *database)
{
    for (size_t i = 0; i < option_count(s->job, "exclude_databases"); i++)
        if (glob_match(option_at(s->job, "exclude_databases", i), database))
            return true;
    return false;
}

bool maria_is_excluded(const struct maria_settings *s, const char *option, const char *database,
                       const char *name)
{
    char *whole = str_printf(NULL, "%s.%s", database, name);
    bool found = false;
    for (size_t i = 0; whole != NULL && !found && i < option_count(s->job, option); i++)
        found = glob_match(option_at(s->job, option, i), whole);
    free(whole);
    return found;
}
