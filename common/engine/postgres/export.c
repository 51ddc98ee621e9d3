/* A snapshot for somebody who has psql and pg_restore: definitions as plain SQL, and the steps. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/fact.h"
#include "common/base/str.h"
#include "common/crypto/sha256.h"
#include "common/engine/postgres/export.h"
#include "common/engine/postgres/name.h"

#include "common/base/banned.h"

#define SCHEMA_NAME "/schema.pgdump"
#define OBJECTS_NAME "/largeobjects.pgdump"
enum { FACT_MAX = 256, WORD_MAX = 4 * FACT_MAX, HELP_LIMIT = 1 << 20, HELP_MS = 30000 };

struct export_database {
    char *folder; /* as it is spelled in the streams' names */
    char *name;   /* of the database */
    char *facts;  /* of its schema */
    bool objects;
};

struct export
{
    const struct engine_streams *streams;
    const char *facts;
    const struct engine_export *out;
    struct vec databases; /* struct export_database */
    bool globals;
    struct pgsql_tool tool; /* path NULL: none that fits */
    bool has_key;           /* the tool lets its caller choose the key of \restrict */
};

/* ---- what there is --------------------------------------------------------------------------------------- */

static struct export_database *database_of(struct export *x, const char *name, size_t folder)
{
    for (size_t i = 0; i < x->databases.len; i++) {
        struct export_database *d = vec_at(&x->databases, i);
        if (strlen(d->folder) == folder && strncmp(d->folder, name, folder) == 0)
            return d;
    }
    return NULL;
}

static int take(const char *name, uint64_t len, const char *facts, void *arg, struct error *err)
{
    struct export *x = arg;
    const char *slash = strchr(name, '/');
    (void)len;
    x->globals = x->globals || strcmp(name, "globals.sql") == 0;
    bool schema = slash != NULL && strcmp(slash, SCHEMA_NAME) == 0;
    bool objects = slash != NULL && strcmp(slash, OBJECTS_NAME) == 0;
    if (!schema && !objects)
        return 0;
    size_t folder = (size_t)(slash - name);
    struct export_database *d = database_of(x, name, folder);
    if (d == NULL) {
        d = vec_push(&x->databases, err);
        if (d == NULL || (d->folder = str_dup_len(name, folder, err)) == NULL)
            return E_NOMEM;
        if ((d->name = pgsql_decode(name, folder, err)) == NULL)
            return pgsql_failed(err);
    }
    d->objects = d->objects || objects;
    if (schema && (d->facts = str_dup(facts, err)) == NULL)
        return E_NOMEM;
    return 0;
}

static void forget(struct export *x)
{
    for (size_t i = 0; i < x->databases.len; i++) {
        struct export_database *d = vec_at(&x->databases, i);
        free(d->folder);
        free(d->name);
        free(d->facts);
    }
    vec_free(&x->databases);
    pgsql_tool_free(&x->tool);
}

/* ---- definitions as SQL ---------------------------------------------------------------------------------- */

/* Of the server's release, or newer; without one the dumps alone have to do. */
static int find_tool(struct export *x, struct error *err)
{
    uint64_t version = 0;
    struct error why = ERROR_INIT;
    struct buf help = BUF_INIT;
    struct child_options opt = { .timeout_ms = HELP_MS };
    if (!fact_number(x->facts, "server_version_num", &version))
        version = PGSQL_MAJOR * 10000;
    int rc = pgsql_tool_find("pg_restore", (unsigned)(version / 10000), NULL, &x->tool, &why);
    if (rc == E_CANCELLED || rc == E_NOMEM)
        return error_copy(err, &why);
    if (rc < 0)
        return 0;
    const char *const argv[] = { x->tool.path, "--help", NULL };
    rc = child_run(argv, &opt, &help, HELP_LIMIT, err);
    rc = rc < 0 ? rc : buf_append(&help, "", 1, err);
    x->has_key = rc == 0 && strstr((const char *)help.data, "--restrict-key") != NULL;
    buf_free(&help);
    return rc;
}

/* The server that was backed up must not know the key of \restrict when it makes up its definitions; and the same
 * snapshot gives the same file. The hash of the definitions is both. */
static void restrict_key(const struct buf *dump, struct sha256_state *hash, char out[SHA256_TEXT])
{
    sha256_update(hash, dump->data, dump->len);
    sha256_final(hash, out);
}

static int one_section(const struct export *x, const struct export_database *d, const struct buf *dump,
                       const char *section, const char *key, struct error *err)
{
    char *option = str_printf(err, "--section=%s", section);
    char *restrict_option = x->has_key ? str_printf(err, "--restrict-key=%s", key) : NULL;
    char *name = str_printf(err, "%s/schema.%s.sql", d->folder, section);
    const char *const argv[] = { x->tool.path, option, "--file=-", restrict_option, NULL };
    int rc = option != NULL && name != NULL && (restrict_option != NULL || !x->has_key) ? 0 : E_NOMEM;
    struct source *sql = rc == 0 ? pgsql_filter(argv, "pg_restore", dump, err) : NULL;
    if (rc == 0)
        rc = sql != NULL ? x->out->file(x->out->arg, name, sql, err) : pgsql_failed(err);
    source_free(sql);
    free(option);
    free(restrict_option);
    free(name);
    return rc;
}

static int definitions(const struct export *x, const struct export_database *d, struct error *err)
{
    struct pgsql_plan plan = { .streams = x->streams };
    struct buf dump = BUF_INIT;
    char key[SHA256_TEXT];
    struct sha256_state *hash = sha256_new(err);
    plan.prefix = str_printf(err, "%s/", d->folder);
    int rc = hash != NULL && plan.prefix != NULL
                 ? pgsql_plan_read(&plan, true, "schema.pgdump", PGSQL_EXPORT_SCHEMA_MAX, &dump, err)
                 : E_NOMEM;
    if (rc == 0) {
        dump.len--; /* the NUL behind it */
        restrict_key(&dump, hash, key);
        rc = one_section(x, d, &dump, "pre-data", key, err);
    }
    rc = rc < 0 ? rc : one_section(x, d, &dump, "post-data", key, err);
    buf_free(&dump);
    sha256_free(hash);
    free(plan.prefix);
    return rc;
}

/* ---- the steps ------------------------------------------------------------------------------------------- */

/* A fact of the database; early snapshots have it among those of the run. */
static bool known(const struct export *x, const struct export_database *d, const char *key, char *out,
                  size_t cap)
{
    return fact_get(d->facts, key, out, cap) || fact_get(x->facts, key, out, cap);
}

/* A fact as a word for the shell behind an option; nothing without it. */
static int option(const struct export *x, const struct export_database *d, const char *key, const char *name,
                  struct error *err)
{
    char value[FACT_MAX];
    char word[WORD_MAX];
    if (!known(x, d, key, value, sizeof value))
        return 0;
    if (value[0] == '\0')
        return 0;
    return buf_printf(x->out->steps, err, " %s=%s", name, str_shell_word(word, sizeof word, value));
}

static int create(const struct export *x, const struct export_database *d, const char *word,
                  struct error *err)
{
    char provider[FACT_MAX];
    bool icu = known(x, d, "collation_provider", provider, sizeof provider) &&
               (strcmp(provider, "i") == 0 || strcmp(provider, "icu") == 0);
    int rc = buf_printf(x->out->steps, err, "    createdb --template=template0");
    rc = rc < 0 ? rc : option(x, d, "encoding", "--encoding", err);
    rc = rc < 0 ? rc : option(x, d, "collate", "--lc-collate", err);
    rc = rc < 0 ? rc : option(x, d, "ctype", "--lc-ctype", err);
    if (rc == 0 && icu)
        rc = buf_printf(x->out->steps, err, " --locale-provider=icu");
    rc = rc == 0 && icu ? option(x, d, "icu_locale", "--icu-locale", err) : rc;
    return rc < 0 ? rc : buf_printf(x->out->steps, err, " %s%s\n", word[0] == '-' ? "-- " : "", word);
}

static const char plain_letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

static bool is_plain(const char *name)
{
    return name[strspn(name, plain_letters)] == '\0';
}

/* psql takes a name with '=' or "://" for a connection string, and one with '-' in front for an option. */
static int connection(const char *name, char *out, size_t cap, struct error *err)
{
    struct buf text = BUF_INIT;
    int rc = is_plain(name) ? 0 : buf_printf(&text, err, "dbname=");
    if (rc == 0)
        rc = is_plain(name) ? buf_printf(&text, err, "%s", name) : pgsql_conninfo_value(&text, name, err);
    rc = rc < 0 ? rc : buf_append(&text, "", 1, err);
    if (rc == 0)
        (void)str_shell_word(out, cap, (const char *)text.data);
    buf_free(&text);
    return rc;
}

/* A name with control characters is no word for a shell: another one then. */
static const char *target_name(const struct export_database *d)
{
    char shown[WORD_MAX];
    return strcmp(str_printable(shown, sizeof shown, d->name), d->name) == 0 ? d->name : "restored";
}

static int load_definitions(const struct export *x, const char *folder, const char *to, const char *section,
                            struct error *err)
{
    if (x->tool.path != NULL)
        return buf_printf(x->out->steps, err, "    psql -X -q -v ON_ERROR_STOP=1 -d %s -f %s/schema.%s.sql\n",
                          to, folder, section);
    return buf_printf(x->out->steps, err,
                      "    pg_restore -d %s --exit-on-error --section=%s %s/schema.pgdump\n", to, section,
                      folder);
}

static int load(const struct export *x, const struct export_database *d, struct error *err)
{
    char word[WORD_MAX];
    char folder[WORD_MAX];
    char to[WORD_MAX];
    struct buf *out = x->out->steps;
    (void)str_shell_word(word, sizeof word, target_name(d));
    /* A folder's name has no '-' in front and nothing that a shell reads but %, which is plain. */
    (void)str_shell_word(folder, sizeof folder, d->folder);
    int rc = connection(target_name(d), to, sizeof to, err);
    rc = rc < 0 ? rc : create(x, d, word, err);
    rc = rc < 0 ? rc : load_definitions(x, folder, to, "pre-data", err);
    rc = rc < 0 ? rc
                : buf_printf(out, err,
                             "    (cd %s && psql -X -q -v ON_ERROR_STOP=1 -d %s -f load.sql >/dev/null)\n",
                             folder, to);
    if (rc == 0 && d->objects)
        rc =
            buf_printf(out, err, "    pg_restore -d %s --exit-on-error %s/largeobjects.pgdump\n", to, folder);
    return rc < 0 ? rc : load_definitions(x, folder, to, "post-data", err);
}

static int notes(const struct export *x, struct error *err)
{
    struct buf *out = x->out->steps;
    bool settings = false;
    char n[FACT_MAX];
    int rc = 0;
    for (size_t i = 0; i < x->databases.len; i++)
        settings = settings || (known(x, vec_at(&x->databases, i), "database_settings", n, sizeof n) &&
                                strcmp(n, "0") != 0);
    if (x->tool.path != NULL)
        rc = buf_printf(
            out, err,
            "\nschema.pre-data.sql and schema.post-data.sql were made of schema.pgdump by pg_restore %s;\n"
            "both hold the same: what comes before the rows, and indexes, keys, triggers after them.%s\n",
            x->tool.version,
            x->has_key ? " They\nbegin with \\restrict, which psql knows from 13.22, 14.19, 15.14, "
                         "16.10 and 17.6 on;\nfor an older one give schema.pgdump to pg_restore, "
                         "with --section=pre-data and so on."
                       : "");
    else
        rc = buf_printf(
            out, err,
            "\nThe definitions are in schema.pgdump only, which pg_restore reads: where this was made there "
            "was\nno pg_restore for it. As SQL: pg_restore --file=- --section=pre-data schema.pgdump\n");
    if (rc == 0 && settings)
        rc = buf_printf(
            out, err,
            "\nSettings, rights and the comment of the database itself (ALTER DATABASE ... SET) are not set "
            "by\nthese steps: pg_restore --create --section=pre-data --file=- schema.pgdump shows them.\n");
    return rc < 0
               ? rc
               : buf_printf(
                     out, err,
                     "\nOne table alone: tables/SCHEMA/TABLE.copy is what COPY ... FROM STDIN takes, in text "
                     "format and\nin the encoding of the database; its columns are in load.sql (and as "
                     "\"columns\" in MANIFEST.json).\nBytes other than letters, digits, _ and - are %%XX in "
                     "names of files. TABLE.copybin is COPY's\nbinary format.\n");
}

static int steps(const struct export *x, struct error *err)
{
    char version[FACT_MAX];
    char shown[FACT_MAX];
    struct buf *out = x->out->steps;
    if (!fact_get(x->facts, "server_version", version, sizeof version))
        (void)snprintf(version, sizeof version, "of an unknown version");
    int rc = buf_printf(
        out, err,
        "Databases of PostgreSQL %s, each of one moment. Load them as a superuser into a server of this\nrelease or a newer "
        "one; PGHOST, PGPORT and PGUSER say which. Each command must end well but the\nfirst: roles "
        "that exist already give harmless errors there.\n\n",
        str_printable(shown, sizeof shown, version));
    if (rc == 0 && x->globals)
        rc = buf_printf(out, err, "    psql -X -q -d postgres -f globals.sql\n");
    for (size_t i = 0; rc == 0 && i < x->databases.len; i++)
        rc = load(x, vec_at(&x->databases, i), err);
    return rc < 0 ? rc : notes(x, err);
}

int pgsql_export(const struct engine_streams *streams, const char *run_facts, const struct engine_export *out,
                 struct error *err)
{
    struct export x = {
        .streams = streams, .facts = run_facts, .out = out, .databases = VEC_OF(struct export_database)
    };
    int rc = streams->each(streams->arg, take, &x, err);
    rc = rc < 0 ? rc : find_tool(&x, err);
    for (size_t i = 0; rc == 0 && i < x.databases.len && x.tool.path != NULL; i++)
        if (((struct export_database *)vec_at(&x.databases, i))->facts != NULL)
            rc = definitions(&x, vec_at(&x.databases, i), err);
    rc = rc < 0 ? rc : steps(&x, err);
    forget(&x);
    return rc;
}
