/* restore show: everything about one snapshot. */
#include <stdio.h>
#include <string.h>

#include "common/base/fact.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "restore/chosen.h"
#include "restore/options.h"
#include "restore/verbs.h"

#include "common/base/banned.h"

const struct cli_option show_options[] = { JOB_OPTION, CLI_OPTIONS_END };

enum { STREAMS_SHOWN = 200, FACT_KEY_MAX = 64, FACT_VALUE_MAX = 1024, FACTS_SHOWN = 400 };

/* ---- facts: "key=value\n" lines ------------------------------------------------------------------------ */

typedef void fact_fn(const char *key, const char *value, void *arg);

struct fact_call {
    fact_fn *fn;
    void *arg;
};

static void fact_cut(const char *key, size_t key_len, const char *value, size_t value_len, void *arg)
{
    const struct fact_call *call = arg;
    char key_text[FACT_KEY_MAX];
    char value_text[FACT_VALUE_MAX];
    (void)snprintf(key_text, sizeof key_text, "%.*s", (int)key_len, key);
    (void)snprintf(value_text, sizeof value_text, "%.*s", (int)value_len, value);
    call->fn(key_text, value_text, call->arg);
}

static void each_fact(const char *facts, fact_fn *fn, void *arg)
{
    struct fact_call call = { .fn = fn, .arg = arg };
    fact_each(facts, fact_cut, &call);
}

static void fact_pair(const char *key, const char *value, void *arg)
{
    pairs_add(arg, key, OUT_PLAIN, "%s", value);
}

static void fact_json(const char *key, const char *value, void *arg)
{
    jsonout_str(arg, key, value);
}

/* ---- streams ------------------------------------------------------------------------------------------- */

struct streams {
    struct table *table;
    struct jsonout *array;
    uint64_t members;
    uint64_t regular;
};

static void join_fact(const char *key, const char *value, void *arg)
{
    struct buf *text = arg;
    (void)buf_printf(text, NULL, "%s%s=%s", text->len != 0 ? " " : "", key,
                     value); /* cut when memory is short */
}

static int add_stream(const struct member *m, void *arg, struct error *err)
{
    struct streams *s = arg;
    char size[NUMBER_TEXT_MAX];
    struct buf facts = BUF_INIT;
    s->members++;
    if (m->entry.type != CATALOG_REGULAR || s->regular++ >= STREAMS_SHOWN)
        return 0;
    if (s->array != NULL) {
        struct jsonout *o = jsonout_object(s->array, NULL);
        jsonout_str(o, "path", m->entry.path);
        jsonout_u64(o, "size", m->ref.len);
        each_fact(m->facts, fact_json, jsonout_object(o, "facts"));
        return 0;
    }
    each_fact(m->facts, join_fact, &facts);
    int rc = buf_append(&facts, "", 1, err);
    table_cell(s->table, OUT_PLAIN, "%s", m->entry.path);
    table_cell(s->table, OUT_PLAIN, "%s", size_format(size, m->ref.len));
    /* Cut: there may be hundreds. `restore ls --long` has all of them. */
    table_cell(s->table, OUT_DIM, "%.*s%s", rc == 0 ? FACTS_SHOWN : 0,
               rc == 0 ? (const char *)facts.data : "", facts.len > FACTS_SHOWN + 1 ? " ..." : "");
    buf_free(&facts);
    return rc;
}

/* ---- printing ------------------------------------------------------------------------------------------ */

static void note_pair(const char *key, size_t key_len, const char *value, size_t value_len, void *arg)
{
    if (key_len == 3 && memcmp(key, "tag", 3) == 0)
        pairs_add(arg, "tag", OUT_PLAIN, "%.*s", (int)value_len, value);
    else if (key_len == 10 && memcmp(key, "incomplete", 10) == 0)
        pairs_add(arg, "incomplete", OUT_WARN, "the run left something of its source out, and said what");
    else if (key_len == 7 && memcmp(key, "anomaly", 7) == 0)
        pairs_add(arg, "anomaly", OUT_WARN, "%.*s", (int)value_len, value);
}

static void describe_view(const struct snap_view *v, struct table *t)
{
    char text[NUMBER_TEXT_MAX];
    char other[NUMBER_TEXT_MAX];
    uint64_t ms = v->finished > v->started ? (v->finished - v->started) * 1000 : 0;
    pairs_add(t, "run", OUT_PLAIN, "%s, took %s", time_format(text, v->started), duration_format(other, ms));
    pairs_add(t, "size", OUT_PLAIN, "%s", size_format(text, v->logical));
    pairs_add(t, "new", OUT_PLAIN, "%s stored by this run", size_format(text, v->added));
    pairs_add(t, "needs", OUT_PLAIN, "%zu %s", v->packs.len, plural(v->packs.len, "pack", "packs"));
    fact_each(v->notes, note_pair, t);
}

static int show_text(struct cli_context *cli, struct chosen *c, struct error *err)
{
    const struct snapshot *o = c->snap->object;
    struct streams s = { .table = NULL };
    struct table *t = pairs_new(err);
    int rc = t != NULL ? 0 : E_NOMEM;
    pairs_add(t, "snapshot", OUT_BOLD, "%s", c->name);
    pairs_add(t, "state", OUT_PLAIN, "%s", snap_state(c->snap));
    chosen_describe(c, t);
    if (o->has_view)
        describe_view(&o->view, t);
    pairs_add(t, "packs", OUT_PLAIN, "%zu introduced by its record", c->snap->record->rec.packs.len);
    if (o->has_priv)
        each_fact(o->priv.facts, fact_pair, t);
    rc = rc < 0 ? rc : table_print(t, &cli->out, err);
    if (rc == 0 && o->has_priv) {
        s.table = table_new(err);
        table_column(s.table, "stream", false);
        table_column(s.table, "size", true);
        table_column(s.table, "facts", false);
        rc = snapshot_members(c->snap->object, c->fetcher, add_stream, &s, err);
        (void)fputc('\n', cli->out.file);
        rc = rc < 0 ? rc : table_print(s.table, &cli->out, err);
    }
    if (rc == 0 && s.regular > STREAMS_SHOWN)
        out_line(&cli->out, OUT_DIM, "and %llu more: restore ls %s",
                 (unsigned long long)(s.regular - STREAMS_SHOWN), c->name);
    if (rc == 0 && !o->has_priv)
        out_line(&cli->out, OUT_DIM, "Its contents are encrypted: --kit FILE opens them.");
    table_free(s.table);
    table_free(t);
    return rc;
}

static int show_json(struct chosen *c, struct error *err)
{
    const struct snapshot *o = c->snap->object;
    struct jsonout *line = jsonout_new("snapshot");
    struct streams s = { .array = NULL };
    int rc = 0;
    snap_json(&c->all, c->snap, line);
    if (o->has_priv) {
        each_fact(o->priv.facts, fact_json, jsonout_object(line, "facts"));
        s.array = jsonout_array(line, "streams");
        rc = snapshot_members(c->snap->object, c->fetcher, add_stream, &s, err);
        jsonout_u64(line, "stream_count", s.regular);
        jsonout_u64(line, "member_count", s.members);
    }
    if (rc < 0) {
        jsonout_free(line);
        return rc;
    }
    return jsonout_emit(line, err);
}

int cmd_show(struct cli_context *cli, struct error *err)
{
    struct chosen c;
    int rc = chosen_open(cli, KIT_OPTIONAL, cli->args[0], &c, err);
    if (rc < 0)
        goto out;
    station_killable();
    if (c.snap->damage != NULL) {
        rc = error_corrupt(err, c.snap->damage_name, "%s: %s", c.name, c.snap->damage);
        goto out;
    }
    if (c.st.has_kit)
        rc = chosen_unlock(&c, err);
    if (rc == 0)
        rc = cli->json ? show_json(&c, err) : show_text(cli, &c, err);
    if (rc == 0)
        station_report_alarms(&c.st);
out:
    chosen_close(&c, rc);
    return rc;
}
