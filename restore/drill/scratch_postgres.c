/* A PostgreSQL server of the snapshot's major release. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/fact.h"
#include "common/base/str.h"
#include "restore/drill/scratch.h"

#include "common/base/banned.h"

#define DEBIAN_DIR "/usr/lib/postgresql"
enum { ARGS_MAX = 48, TEXT_MAX = 512, SHARED_MIN = 32, SHARED_MAX = 512 };

static int find_programs(struct scratch *s, const struct scratch_database *db, struct error *err)
{
    uint64_t version = 0;
    static const char *const needed[] = { "initdb", "postgres" };
    if (!fact_number(db->run_facts, "server_version_num", &version))
        return error_set(err, E_UNSUPPORTED,
                         "the snapshot does not say which version of PostgreSQL it is of");
    unsigned major = (unsigned)(version / 10000);
    s->bin_dir =
        db->bin_dir != NULL ? str_dup(db->bin_dir, err) : str_printf(err, DEBIAN_DIR "/%u/bin", major);
    int rc = s->bin_dir != NULL ? 0 : E_NOMEM;
    for (size_t i = 0; rc == 0 && i < sizeof needed / sizeof needed[0]; i++) {
        char *path = str_printf(err, "%s/%s", s->bin_dir, needed[i]);
        if (path == NULL)
            rc = E_NOMEM;
        else if (access(path, X_OK) < 0)
            rc = error_set(err, E_NOT_FOUND,
                           "the snapshot is of PostgreSQL %u, and %s is not there: apt-get install "
                           "postgresql-%u, or say with --bin-dir where its programs are",
                           major, path, major);
        free(path);
    }
    return rc;
}

static void take_version(const struct buf *said, void *out)
{
    static const char mark[] = "(PostgreSQL) ";
    const char *at = strstr((const char *)said->data, mark);
    if (at != NULL)
        (void)snprintf(out, SCRATCH_VERSION_MAX, "PostgreSQL %.*s", (int)strcspn(at + sizeof mark - 1, " \n"),
                       at + sizeof mark - 1);
}

static int check_version(struct scratch *s, const struct scratch_database *db, struct error *err)
{
    uint64_t version = 0;
    struct buf said = BUF_INIT;
    char *path = str_printf(err, "%s/postgres", s->bin_dir);
    const char *const argv[] = { path, "--version", NULL };
    struct child_options opt = { .timeout_ms = 60000, .confine = &s->confine, .dir = "/" };
    int rc = path != NULL ? child_run(argv, &opt, &said, 4096, err) : E_NOMEM;
    rc = rc == 0 ? buf_append(&said, "", 1, err) : rc;
    if (rc == 0) {
        take_version(&said, s->version);
        (void)fact_number(db->run_facts, "server_version_num", &version);
        unsigned long major = strtoul(s->version + strcspn(s->version, "0123456789"), NULL, 10);
        if (major != version / 10000)
            rc =
                error_set(err, E_UNSUPPORTED,
                          "%s is of %s, the snapshot of PostgreSQL %llu: apt-get install postgresql-%llu, or "
                          "say with --bin-dir where its programs are",
                          path, s->version[0] != '\0' ? s->version : "an unknown version",
                          (unsigned long long)(version / 10000), (unsigned long long)(version / 10000));
    }
    buf_free(&said);
    free(path);
    return rc;
}

/* The locale of the database is that of the whole cluster, so that template0 has it. */
static int make_cluster(struct scratch *s, const struct scratch_database *db, struct error *err)
{
    char encoding[64];
    char provider[8] = "c";
    char collate[TEXT_MAX] = "C";
    char ctype[TEXT_MAX] = "C";
    char icu[TEXT_MAX] = "";
    if (!fact_get(db->facts, "encoding", encoding, sizeof encoding))
        return error_set(err, E_UNSUPPORTED, "the snapshot does not say which encoding the database has");
    (void)fact_get(db->facts, "collation_provider", provider, sizeof provider);
    (void)fact_get(db->facts, "collate", collate, sizeof collate);
    (void)fact_get(db->facts, "ctype", ctype, sizeof ctype);
    (void)fact_get(db->facts, "icu_locale", icu, sizeof icu);
    char *program = str_printf(err, "%s/initdb", s->bin_dir);
    char *data = str_printf(err, "--pgdata=%s/data", s->run);
    char *options[] = { str_printf(err, "--encoding=%s", encoding),
                        str_printf(err, "--lc-collate=%s", collate), str_printf(err, "--lc-ctype=%s", ctype),
                        provider[0] == 'i' ? str_printf(err, "--icu-locale=%s", icu)
                                           : str_dup("--locale=C", err) };
    int rc = program != NULL && data != NULL ? 0 : E_NOMEM;
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        rc = options[i] != NULL ? rc : E_NOMEM;
    if (rc == 0) {
        const char *const argv[] = { program,
                                     data,
                                     "--username=postgres",
                                     "--no-sync",
                                     "--no-instructions",
                                     "--auth=trust",
                                     "--locale=C",
                                     options[0],
                                     options[1],
                                     options[2],
                                     options[3],
                                     provider[0] == 'i' ? "--locale-provider=icu" : NULL,
                                     NULL };
        const char *const env[] = { "LC_ALL=C", "TZ=UTC", NULL };
        rc = scratch_run(s, argv, env, err);
        if (rc == E_IO && strstr(err->text, "locale") != NULL)
            rc = error_set(
                err, E_UNSUPPORTED,
                "initdb does not know the locale of the database (%s, %s; it must be installed here: "
                "locale-gen, or apt-get install locales-all)",
                collate, ctype);
        else if (rc < 0)
            rc = error_wrap(err, "initdb");
    }
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        free(options[i]);
    free(program);
    free(data);
    return rc;
}

/* Nothing of it is to last, nobody is to be reached, and nothing that was restored is to act. */
static const char *const settings[] = {
    "listen_addresses=",
    "unix_socket_permissions=0700",
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "archive_mode=off",
    "max_logical_replication_workers=0",
    "shared_preload_libraries=",
    "session_preload_libraries=",
    "local_preload_libraries=",
    "autovacuum=off",
    "max_wal_size=4GB",
    "max_connections=60",
    "max_prepared_transactions=0",
    "dynamic_shared_memory_type=mmap",
    "logging_collector=off",
    "log_destination=stderr",
    "statement_timeout=0",
    "ssl=off",
    "jit=off",
};

static int serve(struct scratch *s, struct error *err)
{
    enum { SETTINGS = sizeof settings / sizeof settings[0] };
    unsigned long shared = s->memory_mib / 8;
    unsigned long work = s->memory_mib / 16;
    char texts[3][TEXT_MAX];
    const char *argv[ARGS_MAX + 2 * SETTINGS];
    size_t n = 0;
    shared = shared < SHARED_MIN ? SHARED_MIN : shared > SHARED_MAX ? SHARED_MAX : shared;
    work = work < 16 ? 16 : work > 256 ? 256 : work;
    char *program = str_printf(err, "%s/postgres", s->bin_dir);
    char *data = scratch_path(s, "data", err);
    if (program == NULL || data == NULL) {
        free(program);
        free(data);
        return E_NOMEM;
    }
    (void)snprintf(texts[0], sizeof texts[0], "unix_socket_directories=%s", s->run);
    (void)snprintf(texts[1], sizeof texts[1], "shared_buffers=%luMB", shared);
    (void)snprintf(texts[2], sizeof texts[2], "maintenance_work_mem=%luMB", work);
    argv[n++] = program;
    argv[n++] = "-D";
    argv[n++] = data;
    for (size_t i = 0; i < SETTINGS; i++) {
        argv[n++] = "-c";
        argv[n++] = settings[i];
    }
    for (size_t i = 0; i < 3; i++) {
        argv[n++] = "-c";
        argv[n++] = texts[i];
    }
    argv[n] = NULL;
    const char *const env[] = { "LC_ALL=C", "TZ=UTC", NULL };
    int rc = scratch_serve(s, argv, env, err);
    free(program);
    free(data);
    return rc;
}

/* For a connection string: in quotes, with a backslash before those that are inside. */
static int add_quoted(struct buf *out, const char *text, struct error *err)
{
    int rc = buf_append(out, "'", 1, err);
    for (; rc == 0 && *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\')
            rc = buf_append(out, "\\", 1, err);
        rc = rc == 0 ? buf_append(out, text, 1, err) : rc;
    }
    return rc == 0 ? buf_append(out, "'", 1, err) : rc;
}

static char *address(const struct scratch *s, const char *database, struct error *err)
{
    struct buf out = BUF_INIT;
    int rc = buf_printf(&out, err, "user=postgres host=");
    rc = rc == 0 ? add_quoted(&out, s->run, err) : rc;
    rc = rc == 0 ? buf_printf(&out, err, " dbname=") : rc;
    rc = rc == 0 ? add_quoted(&out, database, err) : rc;
    rc = rc == 0 ? buf_append(&out, "", 1, err) : rc;
    if (rc < 0)
        buf_free(&out);
    return (char *)out.data;
}

static int make_database(const struct scratch *s, const char *name, struct error *err)
{
    struct buf sql = BUF_INIT;
    if (strcmp(name, "postgres") == 0 || strcmp(name, "template1") == 0) /* initdb has made them */
        return 0;
    int rc = buf_printf(&sql, err, "CREATE DATABASE \"");
    for (const char *at = name; rc == 0 && *at != '\0'; at++)
        rc = buf_append(&sql, "\"\"", *at == '"' ? 2 : 0, err) < 0 ? E_NOMEM
             : *at == '"'                                          ? 0
                                                                   : buf_append(&sql, at, 1, err);
    rc = rc == 0 ? buf_printf(&sql, err, "\" TEMPLATE template0") : rc;
    rc = rc == 0 ? buf_append(&sql, "", 1, err) : rc;
    rc = rc == 0 ? s->engine->ask(s->asks, (const char *)sql.data, false, NULL, NULL, err) : rc;
    buf_free(&sql);
    return rc;
}

int scratch_postgres_start(struct scratch *s, const struct scratch_database *db, struct error *err)
{
    char word[SCRATCH_TO_MAX];
    int rc = find_programs(s, db, err);
    rc = rc == 0 ? check_version(s, db, err) : rc;
    s->engine = engine_find("postgres", err);
    s->asks = address(s, "postgres", err);
    s->to = address(s, db->name, err);
    if (rc == 0 && (s->engine == NULL || s->asks == NULL || s->to == NULL))
        rc = E_NOMEM;
    rc = rc == 0 ? scratch_hand_over(s, err) : rc;
    rc = rc == 0 ? make_cluster(s, db, err) : rc;
    rc = rc == 0 ? serve(s, err) : rc;
    rc = rc == 0 ? make_database(s, db->name, err) : rc;
    if (rc == 0)
        s->connect = str_printf(err, "psql %s", str_shell_word(word, sizeof word, s->to));
    return rc == 0 && s->connect == NULL ? E_NOMEM : rc;
}
