/* A MariaDB server of the snapshot's series, or on a directory that mariabackup prepared. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/fact.h"
#include "common/base/str.h"
#include "restore/drill/scratch.h"

#include "common/base/banned.h"

enum { TEXT_MAX = 512, POOL_MIN = 64, POOL_MAX = 1024, ARGS = 40 };

/* "10.11" of "10.11.19-MariaDB", as a number that grows. */
static unsigned series_of(const char *version)
{
    char *end = NULL;
    unsigned long major = strtoul(version, &end, 10);
    unsigned long minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
    return major < 1000 && minor < 1000 ? (unsigned)(major * 1000 + minor) : 0;
}

static char *find_program(const struct scratch_database *db, const char *name, struct error *err)
{
    static const char *const dirs[] = { "/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin" };
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
        char *path = str_printf(err, "%s/%s", db->bin_dir != NULL ? db->bin_dir : dirs[i], name);
        if (path == NULL || access(path, X_OK) == 0)
            return path;
        free(path);
        if (db->bin_dir != NULL)
            break;
    }
    (void)error_set(err, E_NOT_FOUND,
                    "%s is not in %s: apt-get install mariadb-server-core, or say with --bin-dir where it is",
                    name, db->bin_dir != NULL ? db->bin_dir : "/usr/sbin and /usr/bin");
    return NULL;
}

/* "mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for ..." */
static int check_version(struct scratch *s, const char *program, const struct scratch_database *db,
                         struct error *err)
{
    static const char mark[] = " Ver ";
    const char *const argv[] = { program, "--no-defaults", "--version", NULL };
    struct child_options opt = { .timeout_ms = 60000, .confine = &s->confine, .dir = "/" };
    struct buf said = BUF_INIT;
    char wanted[64] = "";
    char number[64] = "";
    int rc = child_run(argv, &opt, &said, 4096, err);
    rc = rc == 0 ? buf_append(&said, "", 1, err) : rc;
    const char *at = rc == 0 ? strstr((const char *)said.data, mark) : NULL;
    if (at != NULL) {
        (void)snprintf(number, sizeof number, "%.*s", (int)strcspn(at + sizeof mark - 1, " -\n"),
                       at + sizeof mark - 1);
        (void)snprintf(s->version, sizeof s->version, "MariaDB %s", number);
    }
    buf_free(&said);
    if (!fact_get(db->run_facts, "server_version", wanted, sizeof wanted))
        (void)fact_get(db->run_facts, "tool_version", wanted, sizeof wanted);
    if (rc == 0 && wanted[0] != '\0' && series_of(wanted) != series_of(number))
        rc = error_set(err, E_UNSUPPORTED,
                       "%s is of MariaDB %s, the snapshot of %s, and they must be of one series: install "
                       "mariadb-server-core of that series, or say with --bin-dir where it is",
                       program, number[0] != '\0' ? number : "(unknown)", wanted);
    return rc;
}

/* Everything but letters and digits is escaped: for the parts of an address. */
static int add_escaped(struct buf *out, const char *text, struct error *err)
{
    int rc = 0;
    for (; rc == 0 && *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/';
        rc = plain ? buf_append(out, text, 1, err) : buf_printf(out, err, "%%%02X", (unsigned)c);
    }
    return rc;
}

static char *address(const struct scratch *s, const char *database, struct error *err)
{
    struct buf out = BUF_INIT;
    int rc = buf_printf(&out, err, "mariadb://root@/");
    rc = rc == 0 ? add_escaped(&out, database, err) : rc;
    rc = rc == 0 ? buf_printf(&out, err, "?socket=") : rc;
    rc = rc == 0 ? add_escaped(&out, s->run, err) : rc;
    rc = rc == 0 ? buf_printf(&out, err, "/s") : rc;
    rc = rc == 0 ? buf_append(&out, "", 1, err) : rc;
    if (rc < 0)
        buf_free(&out);
    return (char *)out.data;
}

enum { SOURCE_OPTIONS = 2 };

/* What tables and questions need as the source had it, where that is known. Appended to argv, which has room. */
static void add_source_options(const char *argv[ARGS], char texts[SOURCE_OPTIONS][TEXT_MAX],
                               const struct scratch_database *db)
{
    static const struct {
        const char *fact;
        const char *option;
    } all[SOURCE_OPTIONS] = { { "innodb_page_size", "innodb-page-size" },
                              { "lower_case_table_names", "lower-case-table-names" } };
    size_t n = 0;
    while (argv[n] != NULL)
        n++;
    for (size_t i = 0; i < SOURCE_OPTIONS && n + 1 < ARGS; i++) {
        uint64_t value = 0;
        if (!fact_number(db->run_facts, all[i].fact, &value) || value == 0)
            continue;
        (void)snprintf(texts[i], TEXT_MAX, "--%s=%llu", all[i].option, (unsigned long long)value);
        argv[n++] = texts[i];
    }
}

static int make_data(const struct scratch *s, const struct scratch_database *db, struct error *err)
{
    char *program = find_program(db, "mariadb-install-db", err);
    char *data = str_printf(err, "--datadir=%s/data", s->run);
    char *tmp = str_printf(err, "--tmpdir=%s/tmp", s->run);
    int rc = program != NULL ? data != NULL && tmp != NULL ? 0 : E_NOMEM
             : err != NULL   ? err->code
                             : E_NOT_FOUND;
    if (rc == 0) {
        char texts[SOURCE_OPTIONS][TEXT_MAX];
        const char *argv[ARGS] = { program,
                                   "--no-defaults",
                                   data,
                                   tmp,
                                   "--auth-root-authentication-method=normal",
                                   "--skip-test-db",
                                   "--skip-name-resolve",
                                   "--innodb-flush-log-at-trx-commit=0",
                                   "--innodb-doublewrite=0",
                                   NULL };
        const char *const env[] = { "LC_ALL=C", NULL };
        add_source_options(argv, texts, db);
        rc = scratch_run(s, argv, env, err);
        rc = rc < 0 ? error_wrap(err, "mariadb-install-db") : 0;
    }
    free(program);
    free(data);
    free(tmp);
    return rc;
}

static int serve(struct scratch *s, const struct scratch_database *db, const char *program, bool accounts,
                 struct error *err)
{
    char texts[6][TEXT_MAX];
    char more[SOURCE_OPTIONS][TEXT_MAX];
    unsigned long pool = s->memory_mib / 4;
    pool = pool < POOL_MIN ? POOL_MIN : pool > POOL_MAX ? POOL_MAX : pool;
    (void)snprintf(texts[0], TEXT_MAX, "--datadir=%s/data", s->run);
    (void)snprintf(texts[1], TEXT_MAX, "--socket=%s/s", s->run);
    (void)snprintf(texts[2], TEXT_MAX, "--pid-file=%s/pid", s->run);
    (void)snprintf(texts[3], TEXT_MAX, "--tmpdir=%s/tmp", s->run);
    (void)snprintf(texts[4], TEXT_MAX, "--innodb-buffer-pool-size=%luM", pool);
    (void)snprintf(texts[5], TEXT_MAX, "--secure-file-priv=%s/tmp", s->run);
    /* OFF and not DISABLED: with that no event could be made. */
    const char *argv[ARGS] = { program,
                               "--no-defaults",
                               texts[0],
                               texts[1],
                               texts[2],
                               texts[3],
                               texts[4],
                               texts[5],
                               "--skip-networking",
                               "--skip-log-bin",
                               "--skip-slave-start",
                               "--skip-name-resolve",
                               "--event-scheduler=OFF",
                               "--innodb-doublewrite=0",
                               "--innodb-flush-log-at-trx-commit=0",
                               "--max-allowed-packet=1G",
                               "--performance-schema=OFF",
                               "--local-infile=ON",
                               "--default-storage-engine=InnoDB",
                               accounts ? NULL : "--skip-grant-tables",
                               NULL };
    const char *const env[] = { "LC_ALL=C", NULL };
    add_source_options(argv, more, db);
    return scratch_serve(s, argv, env, err);
}

static int start(struct scratch *s, const struct scratch_database *db, bool fresh, struct error *err)
{
    char word[SCRATCH_TO_MAX];
    char name[SCRATCH_TO_MAX];
    char *program = find_program(db, "mariadbd", err);
    int rc = program != NULL ? check_version(s, program, db, err) : err != NULL ? err->code : E_NOT_FOUND;
    s->engine = engine_find("mariadb", err);
    s->asks = address(s, "mysql", err);
    s->to = address(s, db->name != NULL ? db->name : "mysql", err);
    if (rc == 0 && (s->engine == NULL || s->asks == NULL || s->to == NULL))
        rc = E_NOMEM;
    rc = rc == 0 ? scratch_dir(s, "tmp", err) : rc;
    rc = rc == 0 && fresh ? scratch_dir(s, "data", err) : rc;
    rc = rc == 0 ? scratch_hand_over(s, err) : rc;
    rc = rc == 0 && fresh ? make_data(s, db, err) : rc;
    rc = rc == 0 ? serve(s, db, program, fresh, err) : rc;
    if (rc == 0)
        s->connect = str_printf(err, "mariadb --no-defaults --user=root --socket=%s/s %s",
                                str_shell_word(word, sizeof word, s->run),
                                str_shell_word(name, sizeof name, db->name != NULL ? db->name : "mysql"));
    free(program);
    return rc == 0 && s->connect == NULL ? E_NOMEM : rc;
}

int scratch_mariadb_start(struct scratch *s, const struct scratch_database *db, struct error *err)
{
    return start(s, db, true, err);
}

int scratch_mariadb_start_on(struct scratch *s, const struct scratch_database *db, struct error *err)
{
    return start(s, db, false, err);
}
