/* Which tables a drill looks at, and when each was looked at last. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/crypto/secret.h"
#include "common/engine/name.h"
#include "common/engine/select.h"
#include "common/state/drilled.h"
#include "common/sys/dirs.h"
#include "restore/drill/evidence.h"
#include "restore/drill/internal.h"
#include "restore/drill/sample.h"

#include "common/base/banned.h"

#define TABLES "/tables/"

/* A table, or a whole database where no parts are restored. */
struct unit {
    char *database;
    char *schema; /* or NULL */
    char *name;   /* "" for a whole database */
    char *text;   /* the name as people write it */
    uint64_t bytes;
    uint64_t first, last;
    bool looked_at;
    bool bad; /* its check failed */
};

/* ---- what the snapshot holds --------------------------------------------------------------------------- */

static bool has_parts(const struct drill *d)
{
    return (d->db.engine->abilities & ENGINE_PARTS) != 0;
}

/* What can be written in one way only, also when it is not printable. */
static char *quoted(const char *schema, const char *name, struct error *err)
{
    struct buf out = BUF_INIT;
    const char *const parts[] = { schema, name };
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < 2; i++) {
        if (parts[i] == NULL)
            continue;
        rc = buf_append(&out, out.len > 0 ? ".\"" : "\"", out.len > 0 ? 2 : 1, err);
        for (const char *at = parts[i]; rc == 0 && *at != '\0'; at++)
            rc = buf_append(&out, *at == '"' ? "\"\"" : at, *at == '"' ? 2 : 1, err);
        rc = rc == 0 ? buf_append(&out, "\"", 1, err) : rc;
    }
    rc = rc == 0 ? buf_append(&out, "", 1, err) : rc;
    if (rc < 0)
        buf_free(&out);
    return (char *)out.data;
}

static bool is_printable(const char *text)
{
    char shown[256];
    return text == NULL || strcmp(str_printable(shown, sizeof shown, text), text) == 0;
}

static char *text_of(const struct unit *u, struct error *err)
{
    return is_printable(u->schema) && is_printable(u->name) ? select_text(u->schema, u->name, err)
                                                            : quoted(u->schema, u->name, err);
}

/* "DB/tables/SCHEMA/TABLE.copy", "DB/tables/TABLE.tsv" */
static int name_parts(const char *path, struct unit *u, struct error *err)
{
    const char *tables = strstr(path, TABLES);
    const char *rest = tables + sizeof TABLES - 1;
    const char *slash = strchr(rest, '/');
    const char *name = slash != NULL ? slash + 1 : rest;
    u->database = name_decode(path, (size_t)(tables - path), "database-name", err);
    u->schema = slash != NULL ? name_decode(rest, (size_t)(slash - rest), "schema-name", err) : NULL;
    u->name = name_decode(name, strcspn(name, "."), "table-name", err);
    if (u->database == NULL || u->name == NULL || (slash != NULL && u->schema == NULL))
        return err->code;
    u->text = text_of(u, err);
    return u->text != NULL ? 0 : E_NOMEM;
}

static int name_whole(const char *path, struct unit *u, struct error *err)
{
    u->database = str_dup(path, err);
    u->name = str_dup("", err);
    u->text = str_dup("", err);
    return u->database != NULL && u->name != NULL && u->text != NULL ? 0 : E_NOMEM;
}

/* In the order of the members: the tables of a database stand together. */
static int list_units(struct drill *d, struct error *err)
{
    int rc = 0;
    d->units = (struct vec)VEC_OF(struct unit);
    for (size_t i = 0; rc == 0 && i < d->db.m.list.len; i++) {
        const struct member_item *m = vec_at(&d->db.m.list, i);
        if (has_parts(d) && strstr(m->path, TABLES) == NULL)
            continue;
        struct unit *u = vec_push(&d->units, err);
        if (u == NULL)
            return E_NOMEM;
        u->bytes = m->ref.len;
        rc = has_parts(d) ? name_parts(m->path, u, err) : name_whole(m->path, u, err);
    }
    return rc;
}

void drill_units_free(struct drill *d)
{
    for (size_t i = 0; i < d->units.len; i++) {
        struct unit *u = vec_at(&d->units, i);
        free(u->database);
        free(u->schema);
        free(u->name);
        free(u->text);
    }
    vec_free(&d->units);
    free(d->chosen);
}

/* ---- what is remembered -------------------------------------------------------------------------------- */

static const char *repository_of(const struct drill *d)
{
    return d->db.c.st.repository != NULL ? d->db.c.st.repository->name : "";
}

static char *path_of(const struct drill *d, struct error *err)
{
    char *state = evidence_state(d->o->cli, d->db.c.st.conf, err);
    int rc = state != NULL ? dir_make_private(state, err) : err->code;
    char *path = rc == 0 ? path_join(state, DRILLED_FILE, err) : NULL;
    free(state);
    return path;
}

static int recall(const struct drilled_table *t, void *arg, struct error *err)
{
    struct drill *d = arg;
    (void)err;
    for (size_t i = 0; i < d->units.len; i++) {
        /* Both are ordered nearly alike: the one after the last that was found is the likeliest. */
        size_t at = (d->recalled + i) % d->units.len;
        struct unit *u = vec_at(&d->units, at);
        if (strcmp(u->text, t->name) != 0 || strcmp(u->database, t->database) != 0)
            continue;
        u->first = t->first > 0 ? (uint64_t)t->first : 0;
        u->last = t->last > 0 ? (uint64_t)t->last : 0;
        d->recalled = at + 1;
        break;
    }
    return 0;
}

static int read_past(struct drill *d, uint64_t *before, struct error *err)
{
    struct drilled *past = NULL;
    int64_t sampled = 0;
    char *path = path_of(d, err);
    int rc = path != NULL ? drilled_open(path, &past, err) : err->code;
    if (rc == 0)
        rc = drilled_each(past, repository_of(d), d->r->job, recall, d, err);
    if (rc == 0)
        rc = drilled_sampled(past, repository_of(d), d->r->job, &sampled, err);
    *before = sampled > 0 ? (uint64_t)sampled : 0;
    drilled_close(past);
    free(path);
    return rc < 0 ? error_wrap(err, "--sample") : 0;
}

/* ---- the choice ---------------------------------------------------------------------------------------- */

static bool is_asked_for(const struct drill *d, const struct unit *u)
{
    return d->o->database == NULL || strcmp(d->o->database, u->database) == 0;
}

static int take_choice(struct drill *d, const struct sample_table *tables, size_t n,
                       const struct sample_choice *choice, struct error *err)
{
    d->database = choice->database;
    if (!has_parts(d) || choice->chosen == choice->of)
        return 0;
    d->chosen = mem_alloc(choice->chosen, sizeof *d->chosen, err);
    if (d->chosen == NULL)
        return E_NOMEM;
    for (size_t i = 0; i < n; i++)
        if (tables[i].chosen)
            d->chosen[d->ntables++] = tables[i].name;
    d->tables = d->chosen;
    return 0;
}

static int choose(struct drill *d, struct error *err)
{
    struct sample_choice choice;
    struct sample_ask ask = { .now = clock_wall(), .within = d->o->sample_seconds };
    int rc = read_past(d, &ask.before, err);
    struct sample_table *tables = rc == 0 ? mem_alloc(d->units.len + 1, sizeof *tables, err) : NULL;
    size_t n = 0;
    if (tables == NULL)
        return rc < 0 ? rc : E_NOMEM;
    for (size_t i = 0; i < d->units.len; i++) {
        const struct unit *u = vec_at(&d->units, i);
        if (is_asked_for(d, u))
            tables[n++] = (struct sample_table){ .database = u->database,
                                                 .name = u->text,
                                                 .bytes = u->bytes,
                                                 .first = u->first,
                                                 .last = u->last };
    }
    random_bytes(&ask.seed, sizeof ask.seed);
    sample_choose(&ask, tables, n, &choice);
    if (choice.database != NULL)
        rc = take_choice(d, tables, n, &choice, err);
    free(tables);
    return rc;
}

/* What the names of --table mean; what they do not mean is the engine's to tell. */
static void mark_named(struct drill *d, const char *database)
{
    size_t n = 0;
    size_t at = 0;
    const struct engine_selection sel = { .tables = d->tables, .ntables = d->ntables };
    struct select_item *items = mem_alloc(d->units.len + 1, sizeof *items, NULL);
    bool *wanted = mem_alloc(d->units.len + 1, sizeof *wanted, NULL);
    for (size_t i = 0; items != NULL && i < d->units.len; i++) {
        const struct unit *u = vec_at(&d->units, i);
        if (strcmp(u->database, database) == 0)
            items[n++] = (struct select_item){ u->schema != NULL ? u->schema : u->database, u->name };
    }
    const struct select_known known = { .items = items, .nitems = n };
    if (items != NULL && wanted != NULL && select_tables(&sel, &known, wanted, NULL) == 0)
        for (size_t i = 0; i < d->units.len; i++) {
            struct unit *u = vec_at(&d->units, i);
            if (strcmp(u->database, database) == 0)
                u->looked_at = wanted[at++];
        }
    free(items);
    free(wanted);
}

/* The only database, when none was named. */
static const char *database_of(const struct drill *d)
{
    const struct unit *first = d->units.len > 0 ? vec_at(&d->units, 0) : NULL;
    return d->database != NULL ? d->database : first != NULL ? first->database : "";
}

static void mark(struct drill *d)
{
    const char *database = database_of(d);
    if (d->ntables != 0) {
        mark_named(d, database);
        return;
    }
    for (size_t i = 0; i < d->units.len; i++) {
        struct unit *u = vec_at(&d->units, i);
        /* SQLite without a name: all of them. */
        u->looked_at = (d->database == NULL && !has_parts(d)) || strcmp(u->database, database) == 0;
    }
}

/* In the result: nothing when it was everything. */
static int tell(struct drill *d, struct error *err)
{
    size_t n = 0;
    for (size_t i = 0; i < d->units.len; i++)
        n += ((const struct unit *)vec_at(&d->units, i))->looked_at;
    int rc =
        drill_text(&d->r->database, has_parts(d) && d->units.len > 0 ? database_of(d) : d->database, err);
    if (rc < 0 || (n == d->units.len && d->ntables == 0))
        return rc;
    d->r->tables_total = d->units.len;
    for (size_t i = 0; rc == 0 && i < d->units.len; i++) {
        const struct unit *u = vec_at(&d->units, i);
        if (!u->looked_at)
            continue;
        char **slot = vec_push(&d->r->tables, err);
        if (slot == NULL || (*slot = str_dup(u->text[0] != '\0' ? u->text : u->database, err)) == NULL)
            rc = E_NOMEM;
    }
    return rc;
}

int drill_sample(struct drill *d, struct error *err)
{
    bool database = d->db.engine != NULL && (has_parts(d) || strcmp(d->db.engine->name, "sqlite") == 0);
    if (!database && d->o->sample_seconds != 0)
        return drill_note(d, "sample", "a part", d->r->snapshot, DRILL_SKIPPED, NULL, NULL,
                          "such a snapshot is restored as a whole", err);
    if (!database)
        return 0;
    int rc = list_units(d, err);
    if (rc == 0 && d->o->sample_seconds != 0)
        rc = choose(d, err);
    if (rc < 0)
        return rc;
    mark(d);
    return tell(d, err);
}

/* What can only be looked at when all of it is there. */
int drill_sample_left_out(struct drill *d, struct error *err)
{
    static const char *const what[][2] = {
        { "objects", "objects, definitions and rights of the whole database" },
        { "constraint", "foreign keys to tables that were not restored" },
    };
    char n[2][NUMBER_TEXT_MAX];
    char text[160];
    int rc = 0;
    (void)snprintf(text, sizeof text, "only %s of %s tables were restored",
                   count_format(n[0], d->r->tables.len), count_format(n[1], d->r->tables_total));
    for (size_t i = 0; rc == 0 && d->ntables != 0 && i < sizeof what / sizeof what[0]; i++)
        rc = drill_note(d, what[i][0], what[i][1], d->r->database, DRILL_SKIPPED, NULL, NULL, text, err);
    return rc;
}

/* ---- afterwards ---------------------------------------------------------------------------------------- */

static bool is_subject(const struct unit *u, const char *subject)
{
    if (strcmp(subject, u->name) == 0 || strcmp(subject, u->text) == 0)
        return true;
    char *full = strstr(subject, u->name) != NULL ? quoted(u->schema, u->name, NULL) : NULL;
    bool is = full != NULL && strcmp(subject, full) == 0;
    free(full);
    return is;
}

/* A check that failed and means none of the tables makes all of them doubtful. */
static void mark_bad(struct drill *d)
{
    bool all = false;
    for (size_t i = 0; i < d->r->checks.len; i++) {
        const struct drill_check *c = vec_at(&d->r->checks, i);
        bool meant = c->verdict != DRILL_FAIL || strcmp(c->kind, "table") != 0;
        for (size_t k = 0; !meant && k < d->units.len; k++) {
            struct unit *u = vec_at(&d->units, k);
            meant = u->looked_at && c->subject != NULL && is_subject(u, c->subject);
            u->bad = u->bad || meant;
        }
        all = all || !meant;
    }
    for (size_t k = 0; all && k < d->units.len; k++)
        ((struct unit *)vec_at(&d->units, k))->bad = true;
}

static int keep(struct drill *d, struct error *err)
{
    struct drilled *past = NULL;
    struct drilled_drill k = { .repository = repository_of(d),
                               .job = d->r->job,
                               .time = (int64_t)clock_wall(),
                               .snapshot_time = (int64_t)d->r->snapshot_time,
                               .sample = d->o->sample_seconds != 0,
                               .ntables = d->units.len };
    struct drilled_table *tables = mem_alloc(d->units.len + 1, sizeof *tables, err);
    char *path = tables != NULL ? path_of(d, err) : NULL;
    int rc = path != NULL ? drilled_open(path, &past, err) : err->code;
    mark_bad(d);
    for (size_t i = 0; rc == 0 && i < d->units.len; i++) {
        const struct unit *u = vec_at(&d->units, i);
        tables[i] = (struct drilled_table){ .database = u->database,
                                            .name = u->text,
                                            .bytes = u->bytes,
                                            .result = !u->looked_at ? DRILLED_NOT
                                                      : u->bad      ? DRILLED_BAD
                                                                    : DRILLED_GOOD };
    }
    k.tables = tables;
    rc = rc == 0 ? drilled_keep(past, &k, err) : rc;
    drilled_close(past);
    free(path);
    free(tables);
    return rc;
}

/* Of drills that looked, whatever they found; not of exercises. Without a state directory nobody wants to know. */
void drill_sample_keep(struct drill *d)
{
    struct error why = ERROR_INIT;
    bool wanted = cli_given(d->o->cli, "state") || d->db.c.st.conf != NULL;
    if (d->units.len == 0 || !d->compared || d->r->verdict == DRILL_COULD_NOT_RUN || d->o->inject != NULL ||
        !wanted)
        return;
    if (keep(d, &why) < 0)
        log_event(LOG_WARN, "which tables were drilled is not kept, they come around again: %s", why.text);
}
