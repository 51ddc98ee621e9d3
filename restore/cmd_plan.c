/* restore plan: what restore database would do, and whether it could. Touches nothing. */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/number.h"
#include "common/base/str.h"
#include "common/engine/select.h"
#include "restore/database.h"
#include "restore/speed.h"
#include "restore/target/space.h"
#include "restore/verbs.h"

#include "common/base/banned.h"

struct plan_line {
    enum engine_plan_kind kind;
    char *what;
    char *cure;
};

struct plan {
    struct vec lines; /* struct plan_line */
    size_t missing;
    int rc;
};

static void keep(enum engine_plan_kind kind, const char *what, const char *cure, void *arg)
{
    struct plan *p = arg;
    struct plan_line *l = vec_push(&p->lines, NULL);
    p->missing += kind == PLAN_MISSING;
    if (l == NULL) {
        p->rc = E_NOMEM;
        return;
    }
    *l = (struct plan_line){ .kind = kind,
                             .what = str_dup(what, NULL),
                             .cure = cure != NULL ? str_dup(cure, NULL) : NULL };
    if (l->what == NULL || (cure != NULL && l->cure == NULL))
        p->rc = E_NOMEM;
}

static void plan_free(struct plan *p)
{
    for (size_t i = 0; i < p->lines.len; i++) {
        struct plan_line *l = vec_at(&p->lines, i);
        free(l->what);
        free(l->cure);
    }
    vec_free(&p->lines);
}

/* ---- how long -------------------------------------------------------------------------------------------- */

static uint64_t bytes_of(const struct database *db)
{
    return db->m.bytes; /* the whole snapshot: a part takes less */
}

static void tell_time(const struct database *db, struct plan *p)
{
    struct speed s;
    char text[256];
    char what[64];
    char t[3][NUMBER_TEXT_MAX];
    speed_ask(&db->c.st, db->engine->name, &s);
    if (s.restores == 0) {
        keep(PLAN_NOTE,
             "how long it takes is not known: no restore of this kind was measured on this station yet", NULL,
             p);
        return;
    }
    uint64_t best = s.fastest != 0 ? bytes_of(db) * 1000 / s.fastest : 0;
    uint64_t worst = s.slowest != 0 ? bytes_of(db) * 1000 / s.slowest : 0;
    size_t real = s.restores - s.drills;
    if (real > 0 && s.drills > 0)
        (void)snprintf(what, sizeof what, "%zu %s and %zu %s", real, plural(real, "restore", "restores"),
                       s.drills, plural(s.drills, "drill", "drills"));
    else
        (void)snprintf(what, sizeof what, "%zu %s", s.restores,
                       real > 0 ? plural(real, "restore", "restores") : plural(s.drills, "drill", "drills"));
    (void)snprintf(text, sizeof text, "%s%s to %s for %s, by the %s measured here (the last on %s)",
                   select_is_partial(&db->select) ? "at most " : "", duration_format(t[0], best),
                   duration_format(t[1], worst), size_format(t[2], bytes_of(db)), what,
                   time_format((char[NUMBER_TEXT_MAX]){ 0 }, s.newest));
    keep(PLAN_NOTE, text, NULL, p);
    if (real == 0 && db->engine->target_kind == TARGET_SERVER)
        keep(
            PLAN_NOTE,
            "drills load into a throwaway server without durability, and their time ends when the data can be queried: a real "
            "restore may take longer, and compares the rows after that",
            NULL, p);
}

/* ---- telling --------------------------------------------------------------------------------------------- */

static const struct {
    enum engine_plan_kind kind;
    const char *word; /* in JSON */
    const char *title;
    enum out_style style;
} kinds[] = {
    { PLAN_MISSING, "missing", "missing", OUT_BAD },
    { PLAN_DROP, "drop", "goes", OUT_WARN },
    { PLAN_OVERWRITE, "overwrite", "fills", OUT_WARN },
    { PLAN_CREATE, "create", "makes", OUT_PLAIN },
    { PLAN_FITS, "fits", "fits", OUT_GOOD },
    { PLAN_HANDLED, "handled", "handled", OUT_PLAIN },
    { PLAN_CONNECTION, "connection", "in use", OUT_WARN },
    { PLAN_NOTE, "note", "note", OUT_DIM },
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static int print(const struct database *db, const struct plan *p, struct error *err)
{
    const struct cli_context *cli = db->c.st.cli;
    struct table *pairs = pairs_new(err);
    for (size_t k = 0; k < KINDS; k++)
        for (size_t i = 0; i < p->lines.len; i++) {
            const struct plan_line *l = vec_at(&p->lines, i);
            if (l->kind != kinds[k].kind)
                continue;
            pairs_add(pairs, kinds[k].title, kinds[k].style, "%s", l->what);
            if (l->cure != NULL)
                pairs_add(pairs, "cure", OUT_BOLD, "%s", l->cure);
        }
    int rc = table_print(pairs, &cli->out, err);
    table_free(pairs);
    if (p->missing == 0)
        out_line(&cli->out, OUT_GOOD, "The restore can begin. Nothing was touched.");
    else
        out_line(&cli->out, OUT_BAD,
                 "The restore would not begin: %zu %s missing or in the way. Nothing was touched.",
                 p->missing, plural(p->missing, "thing is", "things are"));
    return rc;
}

static int print_json(const struct database *db, const struct plan *p, struct error *err)
{
    struct jsonout *o = jsonout_new("plan");
    struct jsonout *lines = jsonout_array(o, "lines");
    for (size_t i = 0; i < p->lines.len; i++) {
        const struct plan_line *l = vec_at(&p->lines, i);
        struct jsonout *line = jsonout_object(lines, NULL);
        for (size_t k = 0; k < KINDS; k++)
            if (kinds[k].kind == l->kind)
                jsonout_str(line, "kind", kinds[k].word);
        jsonout_str(line, "what", l->what);
        jsonout_str(line, "cure", l->cure);
    }
    struct speed s;
    speed_ask(&db->c.st, db->engine->name, &s);
    jsonout_str(o, "snapshot", db->c.name);
    jsonout_str(o, "engine", db->engine->name);
    jsonout_str(o, "target", db->target.to);
    jsonout_u64(o, "missing", p->missing);
    jsonout_u64(o, "bytes", bytes_of(db));
    jsonout_u64(o, "restores_measured", s.restores);
    jsonout_u64(o, "drills_measured", s.drills);
    if (s.restores != 0) {
        jsonout_u64(o, "bytes_per_second_slowest", s.slowest);
        jsonout_u64(o, "bytes_per_second_fastest", s.fastest);
    }
    return jsonout_emit(o, err);
}

static int look(struct database *db, struct plan *p, struct error *err)
{
    if (db->engine->plan == NULL)
        return error_set(err, E_UNSUPPORTED,
                         "there is no plan for databases of the engine %s; `restore database` looks "
                         "at its target before it begins",
                         db->engine->name);
    struct engine_streams streams = members_streams(&db->m);
    int rc = db->engine->plan(&streams, &db->target, keep, p, err);
    if (rc == 0 && db->engine->target_kind != TARGET_SERVER) {
        struct error why = ERROR_INIT;
        if (space_check(db->target.to, db->m.bytes, 1, &why) < 0)
            keep(PLAN_MISSING, why.text, NULL, p);
    }
    if (rc == 0)
        tell_time(db, p);
    return rc == 0 && p->rc < 0 ? error_set(err, p->rc, "out of memory") : rc;
}

int cmd_plan(struct cli_context *cli, struct error *err)
{
    struct database db;
    struct plan p = { .lines = VEC_OF(struct plan_line) };
    int rc = database_open(cli, &cli->out, &db, err);
    rc = rc < 0 ? rc : database_target(&db, err);
    rc = rc < 0 ? rc : members_load(&db.c, &db.m, err);
    rc = rc < 0 ? rc : look(&db, &p, err);
    if (rc == 0)
        rc = cli->json ? print_json(&db, &p, err) : print(&db, &p, err);
    if (rc == 0 && p.missing != 0)
        cli->exit_code = CLI_EXIT_CANNOT_RUN;
    plan_free(&p);
    database_close(&db, rc);
    return rc;
}
