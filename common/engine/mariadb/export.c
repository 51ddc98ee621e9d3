/* A snapshot for somebody who has the stock client. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/fact.h"
#include "common/base/str.h"
#include "common/engine/mariadb/internal.h"
#include "common/engine/mariadb/sql.h"
#include "common/engine/name.h"

#include "common/base/banned.h"

#define SCHEMA_NAME "/schema.sql"
enum { FACT_MAX = 128, NAME_MAX_SHOWN = 1024, WORD_MAX = 4 * NAME_MAX_SHOWN };

/* "DB/schema.sql" of the stream; 0: another one. */
static size_t folder_of(const char *name)
{
    const char *slash = strchr(name, '/');
    return slash != NULL && strcmp(slash, SCHEMA_NAME) == 0 ? (size_t)(slash - name) : 0;
}

static int clause(const char *facts, const char *key, const char *sql, struct buf *out, struct error *err)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    char value[FACT_MAX];
    if (!fact_get(facts, key, value, sizeof value) || value[0] == '\0' || value[strspn(value, plain)] != '\0')
        return 0;
    return buf_printf(out, err, " %s %s", sql, value);
}

/* CREATE DATABASE as one word for a shell, with NUL. */
static int create_statement(const char *name, const char *facts, struct buf *out, struct error *err)
{
    char *quoted = maria_quoted_text(name, err);
    int rc = quoted != NULL ? buf_printf(out, err, "CREATE DATABASE %s", quoted) : E_NOMEM;
    rc = rc < 0 ? rc : clause(facts, "charset", "CHARACTER SET", out, err);
    rc = rc < 0 ? rc : clause(facts, "collation", "COLLATE", out, err);
    free(quoted);
    return rc < 0 ? rc : buf_append(out, "", 1, err);
}

static int load(const char *folder, const char *name, const char *facts, struct buf *out, struct error *err)
{
    char sql[WORD_MAX];
    char to[WORD_MAX];
    char from[WORD_MAX];
    struct buf create = BUF_INIT;
    int rc = create_statement(name, facts, &create, err);
    if (rc == 0) {
        (void)str_shell_word(sql, sizeof sql, (const char *)create.data);
        (void)str_shell_word(to, sizeof to, name);
        (void)str_shell_word(from, sizeof from, folder);
        rc = buf_printf(out, err,
                        "    mariadb -e %s\n"
                        "    mariadb --database=%s < %s/schema.sql\n"
                        "    (cd %s && mariadb --local-infile=1 --show-warnings --database=%s < load.sql)\n"
                        "    mariadb --database=%s < %s/code.sql\n",
                        sql, to, from, from, to, to, from);
    }
    buf_free(&create);
    return rc;
}

static int take(const char *name, uint64_t len, const char *facts, void *arg, struct error *err)
{
    struct buf *out = arg;
    size_t folder = folder_of(name);
    char shown[NAME_MAX_SHOWN];
    (void)len;
    if (folder == 0)
        return 0;
    char *path = str_dup_len(name, folder, err);
    char *database = path != NULL ? name_decode(name, folder, "mariadb-name", err) : NULL;
    int rc = database != NULL ? 0 : maria_failed(err);
    /* A name with control characters is no word for a shell: another one then. */
    if (rc == 0)
        rc = load(path,
                  strcmp(str_printable(shown, sizeof shown, database), database) == 0 ? database : "restored",
                  facts, out, err);
    free(path);
    free(database);
    return rc;
}

static int find_users(const char *name, uint64_t len, const char *facts, void *arg, struct error *err)
{
    (void)len;
    (void)facts;
    (void)err;
    if (strcmp(name, "users.sql") == 0)
        *(bool *)arg = true;
    return 0;
}

int maria_export(const struct engine_streams *streams, const char *run_facts, const struct engine_export *out,
                 struct error *err)
{
    char version[FACT_MAX];
    char shown[FACT_MAX];
    bool users = false;
    if (!fact_get(run_facts, "server_version", version, sizeof version))
        (void)snprintf(version, sizeof version, "of an unknown version");
    int rc = buf_printf(
        out->steps, err,
        "Databases of MariaDB %s. Load them as an administrator into a server of this\nrelease or a "
        "newer one; ~/.my.cnf or the usual options say which. A line of output that begins\nwith "
        "\"Warning\" is a row that did not come in as it was.\n\n",
        str_printable(shown, sizeof shown, version));
    rc = rc < 0 ? rc : streams->each(streams->arg, find_users, &users, err);
    rc = rc < 0 ? rc : streams->each(streams->arg, take, out->steps, err);
    if (rc == 0 && users)
        rc = buf_printf(
            out->steps, err,
            "\nusers.sql has the accounts of the server. Those that exist already give harmless errors:\n\n"
            "    mariadb --force < users.sql\n");
    return rc < 0
               ? rc
               : buf_printf(
                     out->steps, err,
                     "\nOne table alone: tables/TABLE.tsv is what LOAD DATA LOCAL INFILE takes, with the options "
                     "and columns\nthat load.sql has for it. Bytes other than letters, digits, _ and - are %%XX in "
                     "names of files.\n");
}
