/* restore diff: what is different between two snapshots. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/fact.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "restore/chosen.h"
#include "restore/diff.h"
#include "restore/options.h"
#include "restore/verbs.h"

#include "common/base/banned.h"

const struct cli_option diff_options[] = {
    JOB_OPTION,
    { .name = "database",
      .kind = CLI_STRING,
      .metavar = "DB",
      .help = "Only this database, as `restore ls` spells its name." },
    { .name = "all", .letter = 'a', .kind = CLI_FLAG, .help = "List every change, not only the first 200." },
    CLI_OPTIONS_END
};

enum { SHOWN_MAX = 200, VALUE_SHOWN = 48, NAME_SHOWN = 240 };

struct diff {
    struct cli_context *cli;
    struct chosen c; /* the first snapshot */
    struct snap *second;
    struct fetcher *fetcher;
    char name[SNAPSHOT_NAME_MAX];
    struct diff_side side[2];
    struct diff_counts counts;
    struct table *table;
    bool everything;
    uint64_t omitted;
};

static const char *const words[DIFF_WHATS] = { "added", "removed", "changed", "metadata", "unknown" };
static const char *const signs[DIFF_WHATS] = { "+", "-", "~", "m", "?" };
static const char *const kinds[] = { "table", "stream", "member", "fact" };

/* ---- for people ------------------------------------------------------------------------------------------ */

/* "shop.orders of shop": the names are facts, and encoded. */
static const char *name_of(const struct diff_change *c, char out[NAME_SHOWN])
{
    const struct diff_item *any = c->before != NULL ? c->before : c->after;
    char schema[NAME_SHOWN / 2];
    char table[NAME_SHOWN / 2];
    if (c->kind != DIFF_TABLE || !fact_get(any->facts, "table", table, sizeof table))
        return str_printable(out, NAME_SHOWN, c->path);
    const char *slash = strchr(c->path, '/');
    bool has = fact_get(any->facts, "schema", schema, sizeof schema);
    int n = snprintf(out, NAME_SHOWN, "%.*s%s%s%s", slash != NULL ? (int)(slash - c->path + 1) : 0, c->path,
                     has ? schema : "", has ? "." : "", table);
    return n > 0 ? out : "?";
}

static const char *size_of(const struct diff_item *item, char out[NAME_SHOWN])
{
    char n[NUMBER_TEXT_MAX];
    char size[NUMBER_TEXT_MAX];
    out[0] = '\0';
    if (item == NULL)
        return out;
    if (item->table)
        (void)snprintf(out, NAME_SHOWN, "%s %s, %s", count_format(n, item->rows),
                       plural(item->rows, "row", "rows"), size_format(size, item->ref.len));
    else if (item->entry->type == CATALOG_REGULAR)
        (void)snprintf(out, NAME_SHOWN, "%s", size_format(size, item->ref.len));
    else
        (void)snprintf(out, NAME_SHOWN, "%s", item->entry->type == CATALOG_DIR ? "directory" : "link");
    return out;
}

/* "12" of "12 HASH HASH": a count, and what stands for the rest of it. */
static bool is_counted(const char *key)
{
    return str_starts(key, "objects_") || str_starts(key, "grants_") || strcmp(key, "owners") == 0;
}

static const char *value_of(const struct diff_change *c, const char *value, char out[NAME_SHOWN])
{
    char shown[VALUE_SHOWN + 4];
    size_t len = value == NULL ? 0 : is_counted(c->key) ? strcspn(value, " ") : strlen(value);
    (void)snprintf(shown, sizeof shown, "%.*s%s", len > VALUE_SHOWN ? VALUE_SHOWN : (int)len,
                   value != NULL ? value : "", len > VALUE_SHOWN ? "..." : "");
    return str_printable(out, NAME_SHOWN, value == NULL && is_counted(c->key) ? "0" : shown);
}

/* Of two values with hashes: what the difference means. */
static const char *fact_note(const struct diff_change *c)
{
    if (!is_counted(c->key) || c->old == NULL || c->new == NULL)
        return "";
    size_t n = strcspn(c->old, " ");
    size_t m = strcspn(c->new, " ");
    if (n != m || strncmp(c->old, c->new, n) != 0)
        return "";
    size_t x = n + 1 + strcspn(c->old + n + (c->old[n] != '\0'), " ");
    return strncmp(c->old, c->new, x) != 0 ? "others, or changed" : "changed in detail";
}

/* Facts of a server's database are in its scripts; those of any other stream are of just that one. */
static bool of_database(const char *path)
{
    static const char *const scripts[] = { "/schema.pgdump", "/schema.sql", "/code.sql", "/load.sql" };
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++)
        if (str_ends(path, scripts[i]))
            return true;
    return false;
}

/* "shop: rights of tables", "shop: sequence shop.orders_id_seq". */
static const char *fact_name(const struct diff_change *c, char out[NAME_SHOWN])
{
    size_t slash = of_database(c->path) ? strcspn(c->path, "/") : strlen(c->path);
    bool sequence = str_ends(c->path, "/load.sql") && strchr(c->key, '.') != NULL;
    const char *prefix = str_starts(c->key, "grants_") ? "rights of " : sequence ? "sequence " : "";
    const char *key = is_counted(c->key) && strchr(c->key, '_') != NULL ? strchr(c->key, '_') + 1 : c->key;
    (void)snprintf(out, NAME_SHOWN, "%.*s: %s%s", c->path[0] == '\0' ? (int)strlen("snapshot") : (int)slash,
                   c->path[0] == '\0' ? "snapshot" : c->path, prefix, key);
    for (char *at = out; is_counted(c->key) && *at != '\0'; at++)
        if (*at == '_' && at > out + slash)
            *at = ' ';
    return out;
}

static void add_row(struct diff *d, const struct diff_change *c)
{
    char text[3][NAME_SHOWN];
    bool fact = c->kind == DIFF_FACT;
    table_cell(d->table, c->what == DIFF_REMOVED ? OUT_WARN : OUT_PLAIN, "%s", signs[c->what]);
    table_cell(d->table, OUT_PLAIN, "%s", fact ? fact_name(c, text[0]) : name_of(c, text[0]));
    table_cell(d->table, OUT_PLAIN, "%s", fact ? value_of(c, c->old, text[1]) : size_of(c->before, text[1]));
    table_cell(d->table, OUT_PLAIN, "%s", fact ? value_of(c, c->new, text[2]) : size_of(c->after, text[2]));
    table_cell(d->table, OUT_DIM, "%s", fact ? fact_note(c) : c->note != NULL ? c->note : "");
}

/* ---- for programs ---------------------------------------------------------------------------------------- */

static void json_side(struct jsonout *o, const char *key, const struct diff_item *item)
{
    if (item == NULL)
        return;
    struct jsonout *side = jsonout_object(o, key);
    jsonout_u64(side, "size", item->ref.len);
    if (item->table)
        jsonout_u64(side, "rows", item->rows);
}

static int json_change(const struct diff_change *c, struct error *err)
{
    struct jsonout *o = jsonout_new("change");
    jsonout_str(o, "kind", kinds[c->kind]);
    jsonout_str(o, "change", words[c->what]);
    jsonout_str(o, "path", c->path);
    if (c->kind == DIFF_FACT) {
        jsonout_str(o, "key", c->key);
        jsonout_str(o, "before", c->old);
        jsonout_str(o, "after", c->new);
    } else {
        json_side(o, "before", c->before);
        json_side(o, "after", c->after);
    }
    return jsonout_emit(o, err);
}

static int on_change(const struct diff_change *c, void *arg, struct error *err)
{
    struct diff *d = arg;
    if (d->cli->json)
        return json_change(c, err);
    if (!d->everything && table_rows(d->table) >= SHOWN_MAX)
        d->omitted++;
    else
        add_row(d, c);
    return 0;
}

/* ---- the whole ------------------------------------------------------------------------------------------- */

static int open_both(struct diff *d, struct error *err)
{
    struct selector sel;
    char engine[2][32] = { "", "" };
    int rc = chosen_open(d->cli, KIT_NEEDED, d->cli->args[0], &d->c, err);
    rc = rc < 0 ? rc : selector_parse(d->cli->args[1], cli_text(d->cli, "job"), &sel, err);
    sel.expired = true;
    rc = rc < 0 ? rc : selector_find(&d->c.all, &sel, &d->second, err);
    rc = rc < 0 ? rc : chosen_unlock(&d->c, err);
    rc = rc < 0 ? rc : snap_unlock(&d->c.all, d->second, &d->fetcher, err);
    if (rc < 0)
        return rc;
    (void)snap_name(d->second, d->name);
    (void)fact_get(d->c.snap->object->priv.facts, "engine", engine[0], sizeof engine[0]);
    (void)fact_get(d->second->object->priv.facts, "engine", engine[1], sizeof engine[1]);
    if (strcmp(engine[0], engine[1]) != 0)
        return error_set(err, E_USAGE, "%s is of engine %s and %s of engine %s: there is nothing to compare",
                         d->c.name, engine[0], d->name, engine[1]);
    if (strcmp(engine[0], "files") == 0 && cli_text(d->cli, "database") != NULL)
        return error_set(err, E_USAGE, "--database: %s is a tree of files", d->c.name);
    return 0;
}

static int load_both(struct diff *d, struct error *err)
{
    const char *database = cli_text(d->cli, "database");
    struct snapshot *a = d->c.snap->object;
    struct snapshot *b = d->second->object;
    int rc = diff_load(a, d->c.fetcher, a->priv.facts, database, &d->side[0], err);
    rc = rc < 0 ? rc : diff_load(b, d->fetcher, b->priv.facts, database, &d->side[1], err);
    if (rc == 0 && database != NULL && d->side[0].items.len == 0 && d->side[1].items.len == 0)
        rc =
            error_set(err, E_NOT_FOUND,
                      "neither %s nor %s holds a database %s: `restore ls %s` lists what there is, names are "
                      "written as there",
                      d->c.name, d->name, database, d->name);
    return rc;
}

static uint64_t changes(const struct diff_counts *n)
{
    uint64_t sum = n->facts;
    for (int i = 0; i < DIFF_WHATS; i++)
        sum += n->changes[i];
    return sum;
}

static int summary_json(const struct diff *d, uint64_t read, struct error *err)
{
    struct jsonout *o = jsonout_new("summary");
    const struct diff_counts *n = &d->counts;
    jsonout_str(o, "before", d->c.name);
    jsonout_str(o, "after", d->name);
    jsonout_bool(o, "differs", changes(n) != 0);
    jsonout_u64(o, "unchanged", n->same);
    for (int i = 0; i < DIFF_WHATS; i++)
        jsonout_u64(o, words[i], n->changes[i]);
    jsonout_u64(o, "facts", n->facts);
    jsonout_u64(o, "size_before", n->bytes_before);
    jsonout_u64(o, "size_after", n->bytes_after);
    jsonout_bool(o, "contents_comparable", d->side[0].seed == d->side[1].seed);
    jsonout_u64(o, "bytes_read", read);
    return jsonout_emit(o, err);
}

static int summary_text(struct diff *d, uint64_t read, struct error *err)
{
    const struct out *out = &d->cli->out;
    const struct diff_counts *n = &d->counts;
    char size[3][NUMBER_TEXT_MAX];
    int rc = table_rows(d->table) != 0 ? table_print(d->table, out, err) : 0;
    if (d->omitted != 0)
        out_line(out, OUT_DIM, "and %llu more: --all lists them", (unsigned long long)d->omitted);
    if (changes(n) == 0)
        out_line(out, OUT_PLAIN, "No difference between %s and %s.", d->c.name, d->name);
    out_line(out, OUT_PLAIN, "%llu unchanged, %llu changed, %llu added, %llu removed; %s, then %s",
             (unsigned long long)n->same,
             (unsigned long long)(n->changes[DIFF_CHANGED] + n->changes[DIFF_METADATA]),
             (unsigned long long)n->changes[DIFF_ADDED], (unsigned long long)n->changes[DIFF_REMOVED],
             size_format(size[0], n->bytes_before), size_format(size[1], n->bytes_after));
    if (n->changes[DIFF_UNKNOWN] != 0)
        out_line(
            out, OUT_WARN,
            "%llu with as many rows as before cannot be compared: the snapshots are of different writers, "
            "whose fingerprints differ",
            (unsigned long long)n->changes[DIFF_UNKNOWN]);
    out_line(out, OUT_DIM, "From the lists and facts of both snapshots: %s read, no data.",
             size_format(size[2], read));
    return rc;
}

int cmd_diff(struct cli_context *cli, struct error *err)
{
    struct diff d = { .cli = cli, .everything = cli_flag(cli, "all") };
    int rc = open_both(&d, err);
    if (rc < 0)
        goto out;
    station_killable();
    rc = load_both(&d, err);
    if (rc == 0 && !cli->json) {
        d.table = table_new(err);
        table_column(d.table, "", false);
        table_column(d.table, "what", false);
        table_column(d.table, d.c.name, false);
        table_column(d.table, d.name, false);
        table_column(d.table, "", false);
    }
    rc = rc < 0 ? rc : diff_run(&d.side[0], &d.side[1], &d.counts, on_change, &d, err);
    if (rc == 0) {
        uint64_t read = fetcher_bytes_read(d.c.fetcher) + fetcher_bytes_read(d.fetcher);
        rc = cli->json ? summary_json(&d, read, err) : summary_text(&d, read, err);
    }
    if (rc == 0)
        station_report_alarms(&d.c.st);
out:
    table_free(d.table);
    diff_side_free(&d.side[0]);
    diff_side_free(&d.side[1]);
    fetcher_free(d.fetcher);
    chosen_close(&d.c, rc);
    return rc;
}
