#include <stdio.h>
#include <string.h>

#include "backupd/host.h"
#include "backupd/verbs.h"
#include "common/base/fact.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/cli/json.h"
#include "common/cli/out.h"
#include "common/repo/snapshot.h"
#include "common/sys/interrupt.h"

#include "common/base/banned.h"

enum { ANOMALY_SHOWN = 256 };

struct listing {
    struct cli_context *cli;
    const char *job; /* NULL: all */
    const struct conf_repository *repository;
    struct vec rows; /* struct row */
};

struct row {
    char name[SNAPSHOT_NAME_MAX];
    const struct conf_repository *repository;
    uint8_t writer[WRITER_ID_LEN];
    uint32_t seq;
    uint64_t time;
    uint64_t logical, added;
    size_t packs;
    bool has_view;
    const char *state; /* "" good, "void", "expired", "unreadable" */
    bool suspicious;
    char anomaly[ANOMALY_SHOWN];
    char receipt[RECEIPT_LEN + 1];
};

static int fill(struct listing *l, const struct repo *repo, const struct repo_writer *w,
                const struct repo_record *r, const struct secret *v_w, struct error *err)
{
    struct snapshot *s = NULL;
    struct error why = ERROR_INIT;
    struct row row = { .repository = l->repository, .seq = r->rec.seq, .time = r->rec.time };
    int rc = snapshot_load(repo, w, r, &s, &why);
    if (rc == 0)
        rc = snapshot_open_view(s, v_w, &why);
    if (rc < 0 && rc != E_CORRUPT && rc != E_NOT_FOUND && rc != E_AUTH) {
        snapshot_free(s);
        return error_copy(err, &why);
    }
    row.state = r->expired ? "expired" : r->is_void ? "void" : rc < 0 ? "unreadable" : "";
    (void)record_receipt(r->hash, row.receipt);
    memcpy(row.writer, w->id, WRITER_ID_LEN);
    bool wanted = l->job == NULL;
    if (rc == 0) {
        (void)snapshot_name(s, row.name);
        row.has_view = true;
        row.time = s->view.finished;
        row.logical = s->view.logical;
        row.added = s->view.added;
        row.packs = s->view.packs.len;
        row.suspicious = fact_get(s->view.notes, "anomaly", row.anomaly, sizeof row.anomaly);
        wanted = wanted || strcmp(s->view.label, l->job) == 0;
    } else {
        (void)snprintf(row.name, sizeof row.name, "?/%u", (unsigned)r->rec.session);
    }
    snapshot_free(s);
    struct row *slot = wanted ? vec_push(&l->rows, err) : NULL;
    if (slot != NULL)
        *slot = row;
    return slot != NULL || !wanted ? 0 : E_NOMEM;
}

static int collect_writer(struct listing *l, struct backend *backend, const uint8_t *id, struct error *err)
{
    struct writer_keys keys = { .w_w = NULL };
    struct repo *repo = NULL;
    int rc = access_writer_keys(l->repository, id, &keys, err);
    if (rc == 0)
        rc = host_open(l->cli, l->repository, backend, id, &repo, err);
    if (rc == 0)
        host_findings(repo);
    const struct repo_writer *w = rc == 0 ? repo_writer_find(repo, id) : NULL;
    for (size_t i = 0; rc == 0 && w != NULL && i < w->records.len; i++) {
        const struct repo_record *r = vec_at(&w->records, i);
        rc = interrupt_check(err);
        if (rc == 0 && r->rec.kind == RECORD_SNAPSHOT)
            rc = fill(l, repo, w, r, keys.v_w, err);
    }
    repo_close(repo);
    writer_keys_free(&keys);
    return rc;
}

static int collect(struct listing *l, struct error *err)
{
    struct vec ids = { .item = WRITER_ID_LEN };
    struct backend *backend = NULL;
    int rc = access_writer_ids(l->repository, &ids, err);
    if (rc == E_NOT_FOUND)
        l->cli->exit_code = CLI_EXIT_NO_REPOSITORY;
    if (rc == 0 && (backend = access_storage(&l->repository->storage, err)) == NULL) {
        rc = err->code < 0 ? err->code : E_IO;
        l->cli->exit_code = rc == E_NOT_FOUND ? CLI_EXIT_NO_REPOSITORY : 0;
    }
    for (size_t i = 0; rc == 0 && i < ids.len; i++)
        rc = collect_writer(l, backend, vec_at(&ids, i), err);
    backend_close(backend);
    vec_free(&ids);
    return rc < 0 ? error_wrap(err, "repository %s", l->repository->name) : 0;
}

static int by_time(const void *a, const void *b)
{
    const struct row *x = a;
    const struct row *y = b;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    int order = memcmp(x->writer, y->writer, WRITER_ID_LEN);
    return order != 0 ? order : x->seq < y->seq ? -1 : x->seq > y->seq;
}

static int print_json(const struct row *r, struct error *err)
{
    char hex[2 * WRITER_ID_LEN + 1];
    struct jsonout *o = jsonout_new("snapshot");
    hex_encode(hex, r->writer, WRITER_ID_LEN);
    jsonout_str(o, "id", r->name);
    jsonout_str(o, "repository", r->repository->name);
    jsonout_str(o, "writer", hex);
    jsonout_u64(o, "record", r->seq);
    jsonout_time(o, "time", r->time);
    if (r->has_view) {
        jsonout_u64(o, "size", r->logical);
        jsonout_u64(o, "added", r->added);
        jsonout_u64(o, "packs", r->packs);
    }
    jsonout_str(o, "receipt", r->receipt);
    jsonout_str(o, "state", r->state[0] != '\0' ? r->state : "live");
    jsonout_str(o, "anomaly", r->suspicious ? r->anomaly : NULL);
    return jsonout_emit(o, err);
}

static void add_row(struct table *t, const struct row *r, bool states)
{
    char text[NUMBER_TEXT_MAX];
    bool live = r->state[0] == '\0';
    enum out_style style = live ? OUT_PLAIN : OUT_DIM;
    table_cell(t, live ? OUT_BOLD : OUT_DIM, "%s", r->name);
    table_cell(t, style, "%s", time_format(text, r->time));
    table_cell(t, style, "%s", r->has_view ? size_format(text, r->logical) : "-");
    table_cell(t, style, "%s", r->has_view ? size_format(text, r->added) : "-");
    table_cell(t, style, "%s", r->has_view ? count_format(text, r->packs) : "-");
    table_cell(t, style, "%s", r->receipt);
    if (states)
        table_cell(t,
                   strcmp(r->state, "unreadable") == 0 ? OUT_BAD
                   : r->suspicious && live             ? OUT_WARN
                                                       : style,
                   "%s%s%s", r->state, r->suspicious && !live ? ", " : "", r->suspicious ? "suspicious" : "");
}

static int print(const struct listing *l, struct error *err)
{
    struct table *t = table_new(err);
    bool states = false;
    int rc = 0;
    for (size_t i = 0; i < l->rows.len; i++) {
        const struct row *r = vec_at(&l->rows, i);
        states = states || r->state[0] != '\0' || r->suspicious;
    }
    table_column(t, "snapshot", false);
    table_column(t, "time", false);
    table_column(t, "size", true);
    table_column(t, "added", true);
    table_column(t, "packs", true);
    table_column(t, "receipt", false);
    if (states)
        table_column(t, "", false);
    for (size_t i = 0; rc == 0 && i < l->rows.len; i++) {
        if (l->cli->json)
            rc = print_json(vec_at(&l->rows, i), err);
        else
            add_row(t, vec_at(&l->rows, i), states);
    }
    if (rc == 0 && !l->cli->json && l->rows.len == 0)
        out_line(&l->cli->out, OUT_PLAIN, "No snapshots yet.");
    else if (rc == 0 && !l->cli->json)
        rc = table_print(t, &l->cli->out, err);
    table_free(t);
    return rc;
}

int cmd_list(struct cli_context *cli, struct error *err)
{
    struct listing l = { .cli = cli, .rows = VEC_OF(struct row) };
    struct conf *conf = host_configuration(cli, false, err);
    if (conf == NULL)
        return err->code;
    int rc = 0;
    l.job = cli->nargs > 0 ? cli->args[0] : NULL;
    /* A job that left the configuration still has snapshots; one that is there says where to look. */
    const struct conf_job *job = l.job != NULL ? conf_find_job(conf, l.job, NULL) : NULL;
    for (size_t i = 0; rc == 0 && i < conf->nrepositories; i++) {
        l.repository = &conf->repositories[i];
        if (job == NULL || strcmp(job->repository, l.repository->name) == 0)
            rc = collect(&l, err);
    }
    vec_sort(&l.rows, by_time);
    if (rc == 0 && l.job != NULL && job == NULL && l.rows.len == 0)
        rc = conf_find_job(conf, l.job, err) != NULL ? 0 : E_USAGE;
    if (rc == 0)
        rc = print(&l, err);
    vec_free(&l.rows);
    conf_free(conf);
    return rc;
}
