/* A database of the snapshot into a throwaway place, compared with its facts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/str.h"
#include "common/cli/progress.h"
#include "common/engine/name.h"
#include "restore/drill/mask.h"
#include "restore/speed.h"

#include "common/base/banned.h"

static bool is_engine(const struct drill *d, const char *name)
{
    return strcmp(d->db.engine->name, name) == 0;
}

/* ---- which database ------------------------------------------------------------------------------------- */

/* "DB/schema.pgdump": the one that is wanted, or the only one. */
static int find_database(struct drill *d, const char *suffix, struct error *err)
{
    const struct member_item *found = NULL;
    size_t n = 0;
    size_t tail = strlen(suffix);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < d->db.m.list.len; i++) {
        const struct member_item *m = vec_at(&d->db.m.list, i);
        size_t len = strlen(m->path);
        if (len <= tail || strcmp(m->path + len - tail, suffix) != 0 ||
            memchr(m->path, '/', len - tail) != NULL)
            continue;
        char *name = name_decode(m->path, len - tail, "database-name", err);
        bool wanted = name != NULL && (d->database == NULL || strcmp(name, d->database) == 0);
        rc = name == NULL ? err->code : 0;
        n += wanted;
        if (wanted && found == NULL) {
            found = m;
            d->name = name;
            d->prefix = str_dup_len(m->path, len - tail, err);
        } else {
            free(name);
        }
    }
    if (rc == 0 && n == 0)
        return error_set(err, E_USAGE, "%s holds no database %s; `restore ls %s` lists what it holds",
                         d->db.c.name, d->database != NULL ? d->database : "at all", d->db.c.name);
    if (rc == 0 && n > 1)
        return error_set(err, E_USAGE, "%s holds %zu databases: say which with --database NAME", d->db.c.name,
                         n);
    if (rc == 0)
        d->base.facts = found->facts;
    d->base.name = d->name;
    return rc == 0 && d->prefix == NULL ? E_NOMEM : rc;
}

/* ---- callbacks ------------------------------------------------------------------------------------------- */

static int on_check(const struct engine_check *c, void *arg, struct error *err)
{
    return drill_note(arg, c->kind, c->name, c->subject,
                      c->skipped   ? DRILL_SKIPPED
                      : c->differs ? DRILL_FAIL
                                   : DRILL_PASS,
                      c->expected, c->found, NULL, err);
}

static int on_loaded(void *arg, struct error *err)
{
    struct drill *d = arg;
    d->loaded = clock_mono_us();
    if (d->o->inject == NULL)
        return 0;
    const struct engine *engine = d->s.engine;
    int rc = engine != NULL && engine->ask != NULL ? engine->ask(d->s.to, d->o->inject, true, NULL, NULL, err)
                                                   : error_set(err, E_USAGE, "--inject is for databases");
    return rc < 0 ? error_wrap(err, "--inject") : 0;
}

static void on_phase(const char *what, void *arg)
{
    struct drill *d = arg;
    progress_item(d->progress, what);
    if (strcmp(what, "indexes, keys, views") == 0)
        d->indexing = clock_mono_us();
}

static void on_progress(uint64_t bytes, void *arg)
{
    progress_set(((struct drill *)arg)->progress, bytes);
}

/* ---- the place -------------------------------------------------------------------------------------------- */

static int place(struct drill *d, struct error *err)
{
    struct buf text = BUF_INIT;
    const char *base = d->o->dir != NULL ? d->o->dir : scratch_base();
    bool server =
        d->db.engine != NULL && (d->db.engine->target_kind == TARGET_SERVER || is_engine(d, "mariabackup"));
    int rc = scratch_open(&d->s, base, d->o->limits.memory, err);
    d->placed = rc == 0;
    rc = rc == 0 && server ? scratch_reachable(&d->s, base, err) : rc;
    if (rc < 0) {
        (void)drill_text(&d->r->cure, "choose another place with --scratch DIR (drills.NAME.scratch)", NULL);
        return rc;
    }
    rc = scratch_isolation(&d->s, &text, err);
    rc = rc == 0 ? buf_append(&text, "", 1, err) : rc;
    if (rc == 0 && server)
        rc = drill_text(&d->r->isolation, (const char *)text.data, err);
    else if (rc == 0)
        rc = drill_text(
            &d->r->isolation,
            "a private file or directory; nothing of it runs, and SQLite reads it without trusting it", err);
    buf_free(&text);
    return rc == 0 ? scratch_room(&d->s, d->db.m.bytes, server, err) : rc;
}

static int start_server(struct drill *d, struct error *err)
{
    d->base.run_facts = d->db.c.snap->object->priv.facts;
    d->base.bin_dir = d->o->bin_dir;
    int rc = find_database(d, is_engine(d, "postgres") ? "/schema.pgdump" : "/schema.sql", err);
    if (rc == 0)
        rc = is_engine(d, "postgres") ? scratch_postgres_start(&d->s, &d->base, err)
                                      : scratch_mariadb_start(&d->s, &d->base, err);
    return rc;
}

/* What is restored into. */
static int prepare(struct drill *d, struct error *err)
{
    if (d->db.engine->target_kind == TARGET_SERVER)
        return start_server(d, err);
    d->s.engine = is_engine(d, "sqlite") ? d->db.engine : NULL;
    d->s.to = scratch_path(&d->s, is_engine(d, "sqlite") ? "database" : "data", err);
    if (d->s.to == NULL)
        return E_NOMEM;
    char word[SCRATCH_TO_MAX];
    if (d->s.engine == NULL || (d->database == NULL && d->db.m.list.len > 1))
        return 0;
    d->s.connect = str_printf(err, "sqlite3 %s", str_shell_word(word, sizeof word, d->s.to));
    return d->s.connect != NULL ? 0 : E_NOMEM;
}

static struct engine_target target_of(struct drill *d)
{
    bool server = d->db.engine->target_kind == TARGET_SERVER;
    bool postgres = is_engine(d, "postgres");
    bool roles = members_find(&d->db.m, postgres ? "globals.sql" : "users.sql") != NULL;
    bool part = d->ntables != 0;
    d->db.select = (struct engine_selection){ .database = d->database,
                                              .tables = d->tables,
                                              .ntables = d->ntables,
                                              .with_needed = d->o->sample_seconds != 0 };
    return (struct engine_target){ .to = d->s.to,
                                   .facts = d->db.c.snap->object->priv.facts,
                                   .snapshot = d->db.c.name,
                                   .select = &d->db.select,
                                   .progress = on_progress,
                                   .phase = on_phase,
                                   .progress_arg = d,
                                   .create_roles = server && roles && (postgres || !part),
                                   .no_owner = server && !roles,
                                   .no_tablespaces = server,
                                   .defined = server && d->mask != NULL ? drill_mask_defined : NULL,
                                   .masked = server && d->mask != NULL ? drill_mask_sum : NULL,
                                   .loaded = on_loaded,
                                   .check = on_check,
                                   .drill_arg = d };
}

/* The server of a snapshot of mariabackup is started on what was prepared. */
static int start_on_data(struct drill *d, struct error *err)
{
    d->loaded = 0;
    d->indexing = clock_mono_us();
    d->base = (struct scratch_database){ .name = d->database,
                                         .run_facts = d->db.c.snap->object->priv.facts,
                                         .bin_dir = d->o->bin_dir };
    free(d->s.to);
    d->s.to = NULL;
    int rc = scratch_give(&d->s, "data", err);
    rc = rc < 0 ? rc : scratch_mariadb_start_on(&d->s, &d->base, err);
    return rc < 0 ? rc : on_loaded(d, err);
}

static int opened(struct drill *d, struct error *err)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%llu bytes", (unsigned long long)d->bytes);
    return drill_note(d, "storage", "every byte opened, stream checks equal", d->r->snapshot, DRILL_PASS,
                      NULL, text, NULL, err);
}

int drill_restore(struct drill *d, struct error *err)
{
    struct engine_streams streams = drill_streams(d);
    int rc = drill_mask_begin(d, err);
    rc = rc < 0 ? rc : place(d, err);
    rc = rc < 0 ? rc : prepare(d, err);
    if (rc < 0)
        return rc;
    if (d->s.version[0] != '\0')
        rc = drill_text(&d->r->server_version, d->s.version, err);
    struct engine_target target = target_of(d);
    d->restoring = clock_mono_us();
    d->progress = progress_start(d->o->cli, "restoring", NULL);
    if (d->ntables == 0)
        progress_total(d->progress, d->db.m.bytes);
    rc = rc < 0 ? rc : d->db.engine->look(&target, err);
    rc = rc < 0 ? rc : d->db.engine->restore(&streams, &target, err);
    if (rc == 0 && is_engine(d, "mariabackup"))
        rc = start_on_data(d, err);
    progress_stop(d->progress);
    d->progress = NULL;
    if (rc == 0 && d->s.version[0] != '\0')
        rc = drill_text(&d->r->server_version, d->s.version, err);
    rc = rc < 0 ? rc : opened(d, err);
    d->compared = rc == 0;
    rc = rc < 0 ? rc : drill_bytes_check(d, err);
    return rc < 0 ? rc : drill_mask_finish(d, err);
}

int drill_place(struct drill *d, struct error *err)
{
    return place(d, err);
}
