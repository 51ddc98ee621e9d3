/* restore drill list, show: what was drilled. */
#include <stdio.h>
#include <string.h>

#include "common/base/number.h"
#include "common/base/str.h"
#include "common/cli/json.h"
#include "common/repo/drill_cert.h"
#include "restore/drill/records.h"
#include "restore/options.h"
#include "restore/verbs.h"

#include "common/base/banned.h"

enum { LIST_DEFAULT = 30, LIST_MAX = 100000 };

const struct cli_option drill_list_options[] = { JOB_OPTION,
                                                 { .name = "limit",
                                                   .letter = 'n',
                                                   .kind = CLI_INTEGER,
                                                   .fallback = "30",
                                                   .min = 1,
                                                   .max = LIST_MAX,
                                                   .help = "So many, the newest." },
                                                 DRILL_EVIDENCE_OPTION,
                                                 CLI_OPTIONS_END };

const struct cli_option drill_show_options[] = { JOB_OPTION, DRILL_EVIDENCE_OPTION, CLI_OPTIONS_END };

static enum out_style style_of(const char *verdict)
{
    return strcmp(verdict, "pass") == 0 ? OUT_GOOD : strcmp(verdict, "fail") == 0 ? OUT_BAD : OUT_WARN;
}

/* ---- list, of this host -------------------------------------------------------------------------------- */

struct listing {
    const struct cli_context *cli;
    struct table *table;
    struct error *err;
};

static int row_json(const struct drills_row *r, struct error *err)
{
    struct jsonout *o = jsonout_new("drill");
    jsonout_str(o, "id", r->id);
    jsonout_str(o, "repository", r->repository);
    jsonout_str(o, "job", r->job);
    jsonout_str(o, "snapshot", r->snapshot);
    jsonout_str(o, "engine", r->engine);
    jsonout_str(o, "verdict", drills_verdict_name(r->verdict));
    jsonout_str(o, "reason", r->reason);
    jsonout_time(o, "started", (uint64_t)r->started);
    jsonout_time(o, "finished", (uint64_t)r->finished);
    jsonout_i64(o, "rto_ms", r->rto_ms);
    jsonout_i64(o, "rto_target_seconds", r->rto_target_seconds);
    jsonout_i64(o, "bytes", r->bytes);
    jsonout_i64(o, "checks", r->checks);
    jsonout_i64(o, "failed", r->failed);
    jsonout_bool(o, "whole", r->whole);
    jsonout_bool(o, "signed", r->signed_);
    jsonout_bool(o, "sent", r->stored);
    return jsonout_emit(o, err);
}

static int list_row(const struct drills_row *r, void *arg)
{
    struct listing *l = arg;
    char t[2][NUMBER_TEXT_MAX];
    const char *verdict = drills_verdict_name(r->verdict);
    if (l->cli->json)
        return row_json(r, l->err);
    table_cell(l->table, OUT_PLAIN, "%s", r->id);
    table_cell(l->table, OUT_BOLD, "%s", r->snapshot[0] != '\0' ? r->snapshot : r->job);
    table_cell(l->table, style_of(verdict), "%s%s", verdict,
               r->whole || r->verdict != DRILLS_PASS ? "" : " (part)");
    table_cell(l->table, OUT_PLAIN, "%s",
               r->verdict == DRILLS_COULD_NOT_RUN ? "-" : duration_format(t[0], (uint64_t)r->rto_ms));
    table_cell(l->table, OUT_PLAIN, "%s",
               r->verdict == DRILLS_COULD_NOT_RUN ? "-" : size_format(t[1], (uint64_t)r->bytes));
    if (r->failed > 0)
        table_cell(l->table, OUT_BAD, "%lld of %lld", (long long)r->failed, (long long)r->checks);
    else
        table_cell(l->table, OUT_PLAIN, "0 of %lld", (long long)r->checks);
    table_cell(l->table, OUT_DIM, "%s", r->stored ? "sent" : r->signed_ ? "signed" : "unsigned");
    return 0;
}

static int list_local(const struct drill_source *s, struct listing *l, struct error *err)
{
    struct drills *d = NULL;
    struct drills_filter f = { .job = cli_text(l->cli, "job"),
                               .limit = (unsigned)cli_number(l->cli, "limit") };
    struct error why = ERROR_INIT;
    int rc = evidence_history(l->cli, s->conf, &d, &why);
    if (rc == E_NOT_FOUND)
        rc = 0; /* none yet */
    else if (rc < 0)
        return error_copy(err, &why);
    table_column(l->table, "drill", false);
    table_column(l->table, "snapshot", false);
    table_column(l->table, "verdict", false);
    table_column(l->table, "restore", true);
    table_column(l->table, "size", true);
    table_column(l->table, "failed", true);
    table_column(l->table, "evidence", false);
    if (d != NULL)
        rc = drills_each(d, &f, list_row, l, err);
    drills_close(d);
    return rc;
}

/* ---- list, of the evidence ----------------------------------------------------------------------------- */

struct looking {
    struct listing *l;
    struct station *st;
    const struct drill_source *s;
    size_t left, bad;
};

static int cert_json(const char *id, const struct drill_cert *c, const char *counts, struct error *err)
{
    struct jsonout *o = jsonout_new("drill");
    jsonout_str(o, "id", id);
    if (c != NULL) {
        jsonout_str(o, "snapshot", c->snapshot);
        jsonout_str(o, "verdict", drill_cert_verdict_name(c->verdict));
        jsonout_time(o, "finished", c->finished);
        jsonout_u64(o, "rto_ms", c->rto_ms);
        jsonout_u64(o, "bytes", c->bytes);
        jsonout_bool(o, "whole", c->whole);
    }
    jsonout_bool(o, "counts", counts == NULL);
    jsonout_str(o, "why_not", counts);
    return jsonout_emit(o, err);
}

/* The result, by which people go, and the page are what was signed, where they are there. */
static int files_match(const struct drill_source *s, const struct drill_cert *c, struct error *err)
{
    const struct {
        const char *ending;
        uint64_t size;
        const uint8_t *hash;
    } files[] = { { EVIDENCE_RESULT, c->result_size, c->result_hash },
                  { EVIDENCE_PAGE, c->page_size, c->page_hash } };
    struct buf bytes = BUF_INIT;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof files / sizeof files[0]; i++) {
        char name[EVIDENCE_NAME_MAX];
        struct error why = ERROR_INIT;
        (void)evidence_name(name, c->id, files[i].ending);
        buf_clear(&bytes);
        rc = access_evidence_read(s->backend, c->id, files[i].ending, &bytes, &why);
        if (rc == E_NOT_FOUND)
            rc = 0;
        else if (rc < 0)
            rc = error_copy(err, &why);
        else
            rc = drill_file_judge(name, &bytes, files[i].size, files[i].hash, err);
    }
    buf_free(&bytes);
    return rc;
}

static int cert_row(const char *id, const void *data, size_t len, void *arg, struct error *err)
{
    struct looking *k = arg;
    struct drill_cert c;
    struct error why = ERROR_INIT;
    bool retired = false;
    char t[2][NUMBER_TEXT_MAX];
    if (k->left == 0)
        return 0;
    int rc = drill_cert_parse(data, len, &c, &why);
    bool known = rc == 0;
    if (rc == 0 && memcmp(c.repo_id, k->st->repo->repo_id, REPO_ID_LEN) != 0)
        return 0;
    if (rc == 0 && strcmp(c.id, id) != 0)
        rc = error_set(&why, E_CORRUPT, "it is the certificate of another drill, %s", c.id);
    rc = rc < 0 ? rc : drill_cert_judge(&c, k->st->repo, &retired, &why);
    rc = rc < 0 ? rc : files_match(k->s, &c, &why);
    if (rc == E_RETRY || rc == E_CANCELLED || rc == E_NOMEM) /* nothing is known of it */
        return error_copy(err, &why);
    k->left--;
    k->bad += rc < 0;
    if (k->l->cli->json)
        return cert_json(id, known ? &c : NULL, rc < 0 ? why.text : NULL, err);
    struct table *table = k->l->table;
    const char *verdict = known ? drill_cert_verdict_name(c.verdict) : "?";
    table_cell(table, OUT_PLAIN, "%s", id);
    table_cell(table, OUT_BOLD, "%s", known ? c.snapshot : "?");
    table_cell(table, known ? style_of(verdict) : OUT_BAD, "%s%s", verdict,
               !known || c.whole ? "" : " (part)");
    table_cell(table, OUT_PLAIN, "%s", known ? duration_format(t[0], c.rto_ms) : "-");
    table_cell(table, OUT_PLAIN, "%s", known ? size_format(t[1], c.bytes) : "-");
    table_cell(table, rc < 0 ? OUT_BAD : OUT_GOOD, "%s",
               rc < 0    ? why.text
               : retired ? "good, the key is retired now"
                         : "good");
    return 0;
}

static int list_evidence(const struct drill_source *s, struct cli_context *cli, struct listing *l,
                         struct error *err)
{
    struct station st;
    struct looking k = { .l = l, .st = &st, .s = s, .left = (size_t)cli_number(cli, "limit") };
    int rc = station_open(cli, KIT_IF_GIVEN, &st, err);
    table_column(l->table, "drill", false);
    table_column(l->table, "snapshot", false);
    table_column(l->table, "verdict", false);
    table_column(l->table, "restore", true);
    table_column(l->table, "size", true);
    table_column(l->table, "certificate", false);
    rc = rc < 0 ? rc : access_evidence_each(s->backend, cert_row, &k, err);
    if (rc == 0 && k.bad > 0)
        cli->exit_code = CLI_EXIT_DIFFERS;
    station_close(&st);
    return rc;
}

int cmd_drill_list(struct cli_context *cli, struct error *err)
{
    struct drill_source s;
    struct listing l = { .cli = cli, .err = err };
    if (cli_flag(cli, "evidence") && cli_given(cli, "job"))
        return error_set(err, E_USAGE, "certificates do not name jobs apart: leave --job or --evidence out");
    int rc = drill_source_open(cli, cli_flag(cli, "evidence"), &s, err);
    l.table = table_new(err);
    if (rc == 0)
        rc = s.backend != NULL ? list_evidence(&s, cli, &l, err) : list_local(&s, &l, err);
    if (rc == 0 && !cli->json)
        rc = table_rows(l.table) != 0 ? table_print(l.table, &cli->out, err) : 0;
    if (rc == 0 && !cli->json && table_rows(l.table) == 0)
        out_line(&cli->out, OUT_DIM, "No drill is kept here yet: restore drill run");
    table_free(l.table);
    drill_source_close(&s);
    return rc;
}

/* ---- show ---------------------------------------------------------------------------------------------- */

static void show_head(const struct drill_result *r, struct table *t)
{
    char n[4][NUMBER_TEXT_MAX];
    const char *verdict = drill_verdict_name(r->verdict);
    pairs_add(t, "drill", OUT_BOLD, "%s", r->id);
    pairs_add(t, "snapshot", OUT_PLAIN, "%s, of %s", r->snapshot != NULL ? r->snapshot : "-",
              time_format(n[0], r->snapshot_time));
    pairs_add(t, "verdict", style_of(verdict), "%s", verdict);
    if (r->reason != NULL)
        pairs_add(t, "reason", OUT_PLAIN, "%s", r->reason);
    if (r->cure != NULL)
        pairs_add(t, "cure", OUT_BOLD, "%s", r->cure);
    pairs_add(t, "time", OUT_PLAIN, "%s to %s", time_format(n[0], r->started),
              time_format(n[1], r->finished));
    pairs_add(t, "restored in", OUT_PLAIN, "%s%s%s", duration_format(n[0], r->rto_ms),
              r->rto_target_seconds != 0 ? "; target " : "",
              r->rto_target_seconds != 0 ? duration_format(n[1], r->rto_target_seconds * 1000) : "");
    const struct drill_phases *p = &r->phases;
    pairs_add(t, "phases", OUT_PLAIN, "fetch %s, decrypt %s, load %s, index %s",
              duration_format(n[0], p->fetch_ms), duration_format(n[1], p->decrypt_ms),
              duration_format(n[2], p->load_ms), duration_format(n[3], p->index_ms));
    pairs_add(t, "checked in", OUT_PLAIN, "%s", duration_format(n[0], p->check_ms));
    pairs_add(t, "size", OUT_PLAIN, "%s", size_format(n[0], r->bytes));
    pairs_add(t, "on", OUT_PLAIN, "%s%s%s", r->host != NULL ? r->host : "-",
              r->server_version != NULL ? ", " : "", r->server_version != NULL ? r->server_version : "");
    pairs_add(t, "checks", OUT_PLAIN, "%zu passed, %zu failed, %zu could not run",
              drill_check_count(r, DRILL_PASS), drill_check_count(r, DRILL_FAIL),
              drill_check_count(r, DRILL_COULD_NOT_RUN));
}

enum { NAMES_SHOWN = 8 };

/* Of what part it speaks: one that passed says nothing about the rest. */
static void show_part(const struct drill_result *r, struct table *t)
{
    struct buf names = BUF_INIT;
    char n[2][NUMBER_TEXT_MAX];
    size_t shown = r->tables.len < NAMES_SHOWN ? r->tables.len : NAMES_SHOWN;
    for (size_t i = 0; i < shown; i++)
        (void)buf_printf(&names, NULL, "%s%s", i == 0 ? ": " : ", ", *(char *const *)vec_at(&r->tables, i));
    if (r->tables.len > shown)
        (void)buf_printf(&names, NULL, " and %s more (--json)", count_format(n[0], r->tables.len - shown));
    if (r->tables.len == 0 && r->tables_total == 0 && r->verdict != DRILL_COULD_NOT_RUN)
        pairs_add(t, "part", OUT_PLAIN, "all of the snapshot");
    else if (r->tables.len != 0 || r->tables_total != 0)
        pairs_add(t, "part", OUT_WARN, "%s%s%s %s%.*s", count_format(n[0], r->tables.len),
                  r->tables_total != 0 ? " of " : "",
                  r->tables_total != 0 ? count_format(n[1], r->tables_total) : "",
                  plural(r->tables_total != 0 ? r->tables_total : r->tables.len, "table", "tables"),
                  (int)names.len, names.len > 0 ? (const char *)names.data : "");
    buf_free(&names);
}

static void show_masked(const struct drill_result *r, struct table *t)
{
    char n[2][NUMBER_TEXT_MAX];
    for (size_t i = 0; i < r->masked.len; i++) {
        const struct drill_masked *m = vec_at(&r->masked, i);
        pairs_add(t, "masked", m->remaining != 0 ? OUT_BAD : OUT_WARN,
                  "%s.%s (%s): %s %s, original values left: %s", m->table, m->column, m->rule,
                  count_format(n[0], m->rows), plural(m->rows, "row", "rows"),
                  count_format(n[1], m->remaining));
    }
}

static int show_text(struct cli_context *cli, const struct drill_result *r, struct error *err)
{
    struct table *t = pairs_new(err);
    show_head(r, t);
    show_part(r, t);
    show_masked(r, t);
    for (size_t i = 0; i < r->checks.len; i++) {
        const struct drill_check *c = vec_at(&r->checks, i);
        if (c->verdict != DRILL_FAIL && c->verdict != DRILL_COULD_NOT_RUN)
            continue;
        pairs_add(t, c->verdict == DRILL_FAIL ? "failed" : "could not run",
                  c->verdict == DRILL_FAIL ? OUT_BAD : OUT_WARN, "%s%s%s%s%s", c->name,
                  c->subject != NULL ? ": " : "", c->subject != NULL ? c->subject : "",
                  c->text != NULL ? ": " : "", c->text != NULL ? c->text : "");
        if (c->expected != NULL || c->found != NULL)
            pairs_add(t, "", OUT_PLAIN, "expected %s, found %s", c->expected != NULL ? c->expected : "-",
                      c->found != NULL ? c->found : "-");
    }
    int rc = table_print(t, &cli->out, err);
    table_free(t);
    return rc;
}

int cmd_drill_show(struct cli_context *cli, struct error *err)
{
    struct drill_source s;
    struct drill_result r;
    struct buf json = BUF_INIT;
    char id[EVIDENCE_NAME_MAX];
    drill_result_init(&r);
    int rc = drill_source_open(cli, cli_flag(cli, "evidence"), &s, err);
    rc = rc < 0 ? rc : drill_source_id(&s, cli->args[0], id, err);
    rc = rc < 0 ? rc : drill_source_file(&s, id, EVIDENCE_RESULT, &json, err);
    rc = rc < 0 ? rc : drill_result_from_json(json.data, json.len, &r, err);
    if (rc == 0 && cli->json)
        rc = fwrite(json.data, 1, json.len, cli->out.file) == json.len ? 0
                                                                       : error_sys(err, "write the result");
    else if (rc == 0)
        rc = show_text(cli, &r, err);
    drill_result_free(&r);
    buf_free(&json);
    drill_source_close(&s);
    return rc;
}
