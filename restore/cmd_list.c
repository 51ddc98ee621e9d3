/* restore list: one line for each snapshot. */
#include <stdio.h>
#include <string.h>

#include "common/base/fact.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "restore/chosen.h"
#include "restore/options.h"
#include "restore/verbs.h"

#include "common/base/banned.h"

const struct cli_option list_options[] = {
    JOB_OPTION,
    { .name = "expired",
      .letter = 'e',
      .kind = CLI_FLAG,
      .help = "Also expired snapshots of which nothing is deleted yet: they can be restored by number, and "
              "revived on the retention host." },
    { .name = "all",
      .letter = 'a',
      .kind = CLI_FLAG,
      .help = "All records: also void snapshots, and expired ones that are deleted." },
    CLI_OPTIONS_END
};

struct counts {
    size_t shown;
    size_t expired; /* live no more, left out */
    size_t voided;  /* left out */
    size_t damaged;
};

/* Which rows; counts what is left out. */
static bool wanted(const struct cli_context *cli, struct counts *n, const struct snap *s)
{
    bool expired = s->record->expired && !s->record->is_void;
    if (snap_live(s) || cli_flag(cli, "all") || (expired && cli_flag(cli, "expired")))
        return true;
    n->expired += expired;
    n->voided += !expired;
    return false;
}

/* --expired: what is deleted can only be seen once it is open. */
static bool left_out(const struct cli_context *cli, struct counts *n, const struct snap *s)
{
    if (snap_live(s) || cli_flag(cli, "all") || snap_whole(s))
        return false;
    n->expired++;
    return true;
}

static bool job_wanted(const struct snap *s, const char *job)
{
    char id[2 * WRITER_ID_LEN + 1];
    hex_encode(id, s->writer->id, WRITER_ID_LEN);
    if (job == NULL || strcmp(job, id) == 0)
        return true;
    return s->object != NULL && s->object->has_view && strcmp(s->object->view.label, job) == 0;
}

static enum out_style style_of(const struct snap *s)
{
    if (snap_live(s))
        return s->damage != NULL ? OUT_BAD : OUT_PLAIN;
    return OUT_DIM;
}

static void add_row(struct table *t, const struct snap *s)
{
    char name[SNAPSHOT_NAME_MAX];
    char text[NUMBER_TEXT_MAX];
    char receipt[RECEIPT_LEN + 1];
    enum out_style style = style_of(s);
    const struct snap_view *v = s->object != NULL && s->object->has_view ? &s->object->view : NULL;
    table_cell(t, style == OUT_PLAIN ? OUT_BOLD : style, "%s", snap_name(s, name));
    table_cell(t, style, "%s", time_format(text, s->record->rec.time));
    table_cell(t, style, "%s", v != NULL ? size_format(text, v->logical) : "-");
    table_cell(t, style, "%s", v != NULL ? size_format(text, v->added) : "-");
    table_cell(t, style, "%zu", v != NULL ? v->packs.len : s->record->rec.packs.len);
    table_cell(t, style, "%s", snap_receipt(s, receipt));
    bool suspicious = v != NULL && fact_get(v->notes, "anomaly", text, sizeof text);
    table_cell(t, suspicious && style == OUT_PLAIN ? OUT_WARN : style, "%s%s", snap_state(s),
               suspicious ? ", suspicious" : "");
}

static struct table *columns(bool kit, struct error *err)
{
    struct table *t = table_new(err);
    table_column(t, "snapshot", false);
    table_column(t, "time (UTC)", false);
    table_column(t, "size", true);
    table_column(t, "new", true);
    table_column(t, kit ? "packs" : "new packs", true);
    table_column(t, "receipt", false);
    table_column(t, "state", false);
    return t;
}

static int print_json(const struct snaps *all, const struct snap *s, struct error *err)
{
    struct jsonout *o = jsonout_new("snapshot");
    snap_json(all, s, o);
    return jsonout_emit(o, err);
}

/* Oldest first, so that the newest stands above the prompt. */
static int list_all(struct cli_context *cli, struct snaps *all, struct table *t, struct counts *n,
                    struct error *err)
{
    for (size_t i = all->list.len; i > 0; i--) {
        struct snap *s = vec_at(&all->list, i - 1);
        if (!wanted(cli, n, s))
            continue;
        int rc = snap_open(all, s, err);
        if (rc < 0)
            return rc;
        if (left_out(cli, n, s))
            continue;
        bool damaged = s->damage != NULL && snap_live(s);
        if (!damaged && !job_wanted(s, cli_text(cli, "job")))
            continue;
        if (damaged)
            log_event(LOG_ALARM, "%s", s->damage);
        n->damaged += damaged;
        n->shown++;
        if (cli->json)
            rc = print_json(all, s, err);
        else
            add_row(t, s);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void footer(const struct cli_context *cli, const struct station *st, const struct counts *n)
{
    if (cli->json || cli->quiet)
        return;
    if (n->shown == 0)
        out_line(&cli->out, OUT_PLAIN, "No snapshots in %s.", station_where(st));
    if (n->expired != 0)
        out_line(&cli->out, OUT_DIM, "%zu expired %s not shown (%s).", n->expired,
                 plural(n->expired, "one is", "ones are"),
                 cli_flag(cli, "expired") ? "deleted: --all" : "--expired");
    if (n->voided != 0)
        out_line(&cli->out, OUT_DIM, "%zu void %s not shown (--all).", n->voided,
                 plural(n->voided, "one is", "ones are"));
    if (!st->has_kit)
        out_line(&cli->out, OUT_DIM, "Names, sizes and needed packs are encrypted: --kit FILE opens them.");
}

int cmd_list(struct cli_context *cli, struct error *err)
{
    struct station st;
    struct snaps all = { .st = NULL };
    struct counts n = { .shown = 0 };
    struct table *t = NULL;
    int rc = station_open(cli, KIT_OPTIONAL, &st, err);
    if (rc < 0)
        goto out;
    station_killable();
    t = columns(st.has_kit, err);
    rc = t != NULL ? snaps_load(&st, &all, err) : E_NOMEM;
    rc = rc < 0 ? rc : list_all(cli, &all, t, &n, err);
    if (rc == 0 && !cli->json && n.shown != 0)
        rc = table_print(t, &cli->out, err);
    if (rc < 0)
        goto out;
    footer(cli, &st, &n);
    if (n.damaged != 0)
        cli->exit_code = CLI_EXIT_DIFFERS;
    station_report_alarms(&st);
out:
    station_settle(&st, rc == 0);
    table_free(t);
    snaps_free(&all);
    station_close(&st);
    return rc;
}
