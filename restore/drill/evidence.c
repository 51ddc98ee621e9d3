#include "restore/drill/evidence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/access/evidence.h"
#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/repo/drill_cert.h"
#include "common/sys/atomic_file.h"
#include "common/sys/dirs.h"
#include "restore/drill/forget.h"
#include "restore/drill/page.h"
#include "restore/drill/send.h"
#include "restore/snaps.h"

#include "common/base/banned.h"

enum { HISTORY_SHOWN = 400, FILE_MODE = 0600 };

/* What is live as far as the logs of now say. */
static int live_of(struct station *st, struct vec *out, struct error *err)
{
    struct snaps all;
    int rc = snaps_load(st, &all, err);
    for (size_t i = 0; rc == 0 && i < all.list.len; i++) {
        const struct snap *s = vec_at(&all.list, i);
        uint8_t *hash = snap_live(s) ? vec_push(out, err) : NULL;
        if (hash != NULL)
            memcpy(hash, s->record->hash, HASH_LEN);
        else if (snap_live(s))
            rc = E_NOMEM;
    }
    snaps_free(&all);
    return rc;
}

int evidence_origin(struct station *st, struct evidence_origin *out, struct error *err)
{
    const struct charter *c = repo_charter(st->repo);
    *out = (struct evidence_origin){ .known = true, .charter = c->version, .live = { .item = HASH_LEN } };
    memcpy(out->repo_id, st->repo->repo_id, REPO_ID_LEN);
    memcpy(out->charter_hash, c->hash, HASH_LEN);
    if (st->repository != NULL)
        (void)snprintf(out->repository, sizeof out->repository, "%s", st->repository->name);
    int rc = live_of(st, &out->live, err);
    if (rc < 0 || !st->has_drill)
        return rc;
    out->seed = secret_copy(secret_view(st->drill.seed), secret_len(st->drill.seed), err);
    return out->seed != NULL ? 0 : E_NOMEM;
}

void evidence_origin_free(struct evidence_origin *o)
{
    secret_free(o->seed);
    vec_free(&o->live);
    *o = (struct evidence_origin)EVIDENCE_ORIGIN_INIT;
}

char *evidence_state(const struct cli_context *cli, const struct conf *conf, struct error *err)
{
    const char *given = cli_text(cli, "state");
    if (given != NULL)
        return str_dup(given, err);
    if (conf != NULL)
        return str_dup(conf->state, err);
    (void)error_set(
        err, E_USAGE,
        "nothing is remembered of drills without a state directory: give --state DIR, or a configuration");
    return NULL;
}

int evidence_drilled(const struct cli_context *cli, const struct conf *conf, struct drilled **out,
                     struct error *err)
{
    struct error why = ERROR_INIT;
    char *state = evidence_state(cli, conf, &why);
    char *path = state != NULL ? path_join(state, DRILLED_FILE, &why) : NULL;
    *out = NULL;
    int rc = path != NULL ? drilled_open_read(path, out, &why) : why.code;
    free(path);
    free(state);
    return rc == E_NOT_FOUND || rc == E_USAGE ? 0 : rc < 0 ? error_copy(err, &why) : 0;
}

int evidence_history(const struct cli_context *cli, const struct conf *conf, struct drills **out,
                     struct error *err)
{
    struct error why = ERROR_INIT;
    *out = NULL;
    char *state = evidence_state(cli, conf, &why);
    char *path = state != NULL ? path_join(state, DRILLS_FILE, &why) : NULL;
    int rc = path != NULL ? drills_open_read(path, out, &why) : why.code;
    free(path);
    free(state);
    return rc < 0 ? error_copy(err, &why) : rc;
}

/* ---- the certificate ----------------------------------------------------------------------------------- */

/* F over verdict, kind, name, subject, expected and found of every check, each with a NUL byte behind it. */
void evidence_checks_hash(const struct drill_result *r, uint8_t out[HASH_LEN], struct error *err)
{
    struct file_hash_state *s = file_hash_new(err);
    for (size_t i = 0; s != NULL && i < r->checks.len; i++) {
        const struct drill_check *c = vec_at(&r->checks, i);
        const char *const texts[] = {
            drill_verdict_name(c->verdict), c->kind, c->name, c->subject, c->expected, c->found
        };
        for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++)
            file_hash_update(s, texts[k] != NULL ? texts[k] : "",
                             texts[k] != NULL ? strlen(texts[k]) + 1 : 1);
    }
    if (s != NULL)
        file_hash_final(s, out);
    file_hash_free(s);
}

static void text_of(char out[DRILL_CERT_TEXT_MAX], const char *from)
{
    (void)snprintf(out, DRILL_CERT_TEXT_MAX, "%s", from != NULL ? from : "");
}

static bool is_whole(const struct drill_result *r)
{
    return r->tables.len == 0 && r->tables_total == 0 && r->masked.len == 0;
}

static struct drill_cert cert_of(const struct evidence_origin *o, const struct drill_result *r,
                                 const struct buf *json, const struct buf *html, struct error *err)
{
    struct drill_cert c = {
        .charter = o->charter,
        .made = r->snapshot_time,
        .started = r->started,
        .finished = r->finished,
        .verdict = r->verdict == DRILL_PASS   ? DRILL_CERT_PASS
                   : r->verdict == DRILL_FAIL ? DRILL_CERT_FAIL
                                              : DRILL_CERT_COULD_NOT_RUN,
        .whole = is_whole(r),
        .checks = { drill_check_count(r, DRILL_PASS), drill_check_count(r, DRILL_FAIL),
                    drill_check_count(r, DRILL_COULD_NOT_RUN), drill_check_count(r, DRILL_SKIPPED) },
        .rto_ms = r->rto_ms,
        .rto_target_seconds = r->rto_target_seconds,
        .age_seconds = r->age_seconds,
        .rpo_seconds = r->rpo_seconds,
        .rpo_known = r->rpo_known,
        .bytes = r->bytes,
        .result_size = json->len,
        .page_size = html->len,
    };
    memcpy(c.repo_id, o->repo_id, REPO_ID_LEN);
    memcpy(c.charter_hash, o->charter_hash, HASH_LEN);
    memcpy(c.record_hash, r->record_hash, HASH_LEN);
    if (!hex_decode(c.writer, WRITER_ID_LEN, r->writer) || strlen(r->writer) != 2 * (size_t)WRITER_ID_LEN)
        memset(c.writer, 0, WRITER_ID_LEN);
    file_hash(json->data, json->len, c.result_hash);
    file_hash(html->data, html->len, c.page_hash);
    evidence_checks_hash(r, c.checks_hash, err);
    (void)snprintf(c.id, sizeof c.id, "%s", r->id);
    text_of(c.snapshot, r->snapshot);
    text_of(c.engine, r->engine);
    text_of(c.host, r->host);
    text_of(c.tool, r->tool_version);
    text_of(c.server, r->server_version);
    return c;
}

/* ---- history ------------------------------------------------------------------------------------------- */

static const char *or_none(const char *text)
{
    return text != NULL ? text : "";
}

static int remember(const char *state, const struct evidence_origin *o, const struct drill_result *r,
                    bool sent, struct error *err)
{
    char hash[2 * HASH_LEN + 1];
    struct drills *d = NULL;
    hex_encode(hash, r->record_hash, HASH_LEN);
    const struct drill_phases *p = &r->phases;
    struct drills_row row = { .id = r->id,
                              .repository = o->repository,
                              .job = or_none(r->job),
                              .drill = or_none(r->drill),
                              .snapshot = or_none(r->snapshot),
                              .record = hash,
                              .engine = or_none(r->engine),
                              .server = or_none(r->server_version),
                              .reason = or_none(r->reason),
                              .verdict = r->verdict == DRILL_PASS   ? DRILLS_PASS
                                         : r->verdict == DRILL_FAIL ? DRILLS_FAIL
                                                                    : DRILLS_COULD_NOT_RUN,
                              .started = (int64_t)r->started,
                              .finished = (int64_t)r->finished,
                              .snapshot_time = (int64_t)r->snapshot_time,
                              .rto_ms = (int64_t)r->rto_ms,
                              .rto_target_seconds = (int64_t)r->rto_target_seconds,
                              .prepare_ms = (int64_t)p->prepare_ms,
                              .fetch_ms = (int64_t)p->fetch_ms,
                              .decrypt_ms = (int64_t)p->decrypt_ms,
                              .load_ms = (int64_t)p->load_ms,
                              .index_ms = (int64_t)p->index_ms,
                              .check_ms = (int64_t)p->check_ms,
                              .age_seconds = (int64_t)r->age_seconds,
                              .rpo_seconds = r->rpo_known ? (int64_t)r->rpo_seconds : -1,
                              .bytes = (int64_t)r->bytes,
                              .bytes_fetched = (int64_t)r->bytes_fetched,
                              .checks = (int64_t)r->checks.len,
                              .failed = (int64_t)drill_check_count(r, DRILL_FAIL),
                              .whole = is_whole(r),
                              .signed_ = o->seed != NULL,
                              .stored = sent };
    char *path = path_join(state, DRILLS_FILE, err);
    int rc = path != NULL ? drills_open(path, &d, err) : E_NOMEM;
    if (rc == 0)
        rc = drills_add(d, &row, err);
    drills_close(d);
    free(path);
    return rc;
}

static int add_point(const struct drills_row *row, void *arg)
{
    struct drill_point *p = vec_push(arg, NULL);
    if (p == NULL)
        return E_NOMEM;
    *p = (struct drill_point){ .finished = (uint64_t)row->finished,
                               .verdict = (enum drill_verdict)row->verdict,
                               .rto_ms = (uint64_t)row->rto_ms,
                               .bytes = (uint64_t)row->bytes };
    return 0;
}

static int oldest_first(const void *a, const void *b)
{
    const struct drill_point *x = a;
    const struct drill_point *y = b;
    return x->finished < y->finished ? -1 : x->finished > y->finished;
}

/* Without a history the page has no trends; it is made all the same. */
static void past(const char *state, const struct evidence_origin *o, const struct drill_result *r,
                 struct vec *out)
{
    struct drills *d = NULL;
    struct error why = ERROR_INIT;
    struct drills_filter f = { .repository = o->repository, .job = or_none(r->job), .limit = HISTORY_SHOWN };
    char *path = path_join(state, DRILLS_FILE, NULL);
    *out = (struct vec)VEC_OF(struct drill_point);
    if (path != NULL && drills_open_read(path, &d, &why) == 0)
        (void)drills_each(d, &f, add_point, out, &why);
    drills_close(d);
    free(path);
    vec_sort(out, oldest_first);
}

/* ---- files --------------------------------------------------------------------------------------------- */

static int make_page(const char *state, const struct evidence_origin *o, const struct drill_result *r,
                     const struct buf *json, struct buf *out, struct error *err)
{
    char repo[2 * REPO_ID_LEN + 1] = "";
    char charter[16] = "";
    char print[2 * SIGN_PK_LEN + 1];
    char hash[2 * HASH_LEN + 1];
    uint8_t raw[HASH_LEN];
    uint8_t pk[SIGN_PK_LEN];
    struct vec points;
    bool signing = o->seed != NULL && !o->exercise && sign_public(o->seed, pk, NULL) == 0;
    file_hash(json->data, json->len, raw);
    hex_encode(hash, raw, HASH_LEN);
    if (o->known) {
        hex_encode(repo, o->repo_id, REPO_ID_LEN);
        (void)snprintf(charter, sizeof charter, "%u", (unsigned)o->charter);
    }
    if (signing)
        hex_encode(print, pk, SIGN_PK_LEN);
    past(state, o, r, &points);
    struct drill_page page = { .result = r,
                               .repository = o->repository,
                               .repository_id = repo,
                               .charter = charter,
                               .key = signing ? print : NULL,
                               .exercise = o->exercise,
                               .result_hash = hash,
                               .history = points.data,
                               .nhistory = points.len };
    int rc = drill_page_write(&page, out, err);
    vec_free(&points);
    return rc;
}

static int save(const char *dir, const char *id, const char *ending, const struct buf *bytes,
                char out[EVIDENCE_PATH_MAX], struct error *err)
{
    int n = snprintf(out, EVIDENCE_PATH_MAX, "%s/%s%s", dir, id, ending);
    if (n < 0 || n >= EVIDENCE_PATH_MAX)
        return error_set(err, E_USAGE, "the state directory's name is too long");
    int rc = file_write_atomic(out, bytes->data, bytes->len, FILE_MODE, FILE_EXCLUSIVE, err);
    if (rc < 0)
        out[0] = '\0';
    return rc;
}

static int save_all(const char *state, const char *dir, const struct evidence_origin *o,
                    const struct drill_result *r, struct evidence_kept *out, struct error *err)
{
    struct buf json = BUF_INIT;
    struct buf html = BUF_INIT;
    struct buf text = BUF_INIT;
    char path[EVIDENCE_PATH_MAX];
    int rc = drill_result_to_json(r, &json, err);
    rc = rc < 0 ? rc : buf_append(&json, "\n", 1, err);
    rc = rc < 0 ? rc : make_page(state, o, r, &json, &html, err);
    rc = rc < 0 ? rc : save(dir, r->id, EVIDENCE_RESULT, &json, path, err);
    rc = rc < 0 ? rc : save(dir, r->id, EVIDENCE_PAGE, &html, out->page, err);
    if (rc == 0 && o->seed != NULL && !o->exercise) {
        struct drill_cert c = cert_of(o, r, &json, &html, err);
        rc = drill_cert_build(&c, o->seed, &text, err);
        rc = rc < 0 ? rc : save(dir, r->id, EVIDENCE_CERTIFICATE, &text, out->certificate, err);
    }
    buf_free(&json);
    buf_free(&html);
    buf_free(&text);
    return rc;
}

/* ---- all of it ----------------------------------------------------------------------------------------- */

static void send_all(const struct conf *conf, const char *state, const char *dir,
                     const struct drill_result *r, struct evidence_kept *out)
{
    out->wanted = conf != NULL && conf->has_evidence && !out->exercise;
    if (!out->wanted)
        return;
    if (out->certificate[0] == '\0') {
        (void)error_set(
            &out->why, E_AUTH,
            "it is not signed, so it was not sent to the evidence location: drill with a drill kit (`backupd key "
            "add-recipient --drill`)");
        return;
    }
    out->sent = evidence_send(conf, state, dir, r->id, &out->why) == 0;
}

int evidence_keep(const struct cli_context *cli, const struct conf *conf, const struct evidence_origin *o,
                  const struct drill_result *r, struct evidence_kept *out, struct error *err)
{
    struct error why = ERROR_INIT;
    *out = (struct evidence_kept){ .exercise = o->exercise };
    char *state = evidence_state(cli, conf, err);
    char *dir = state != NULL ? path_join(state, EVIDENCE_DIR, err) : NULL;
    int rc = dir != NULL ? dir_make_private(dir, err) : err->code;
    if (rc == 0 && !o->exercise && remember(state, o, r, false, &why) < 0)
        log_event(LOG_WARN, "this drill is not in the list of drills: %s", why.text);
    if (rc == 0)
        rc = save_all(state, dir, o, r, out, err);
    if (rc == 0)
        send_all(conf, state, dir, r, out);
    if (rc == 0)
        evidence_forget(state, o, conf != NULL && conf->has_evidence, clock_wall());
    free(dir);
    free(state);
    return rc;
}

void evidence_finish(struct cli_context *cli, struct evidence_origin *o, const struct drill_result *r,
                     struct evidence_kept *out)
{
    struct conf_problems problems = CONF_PROBLEMS_INIT;
    struct error why = ERROR_INIT;
    struct conf *conf =
        access(cli->config, R_OK) == 0 ? access_configuration(cli->config, false, &problems, &why) : NULL;
    int rc = evidence_keep(cli, conf, o, r, out, &why);
    if (rc < 0)
        log_event(LOG_WARN, "nothing is kept of this drill: %s", why.text);
    else if (out->wanted && !out->sent)
        log_event(LOG_WARN, "the evidence location does not have this drill: %s", out->why.text);
    bool configured = conf != NULL || cli_given(cli, "state"); /* without either nobody wanted it */
    if (cli->exit_code == 0 && ((rc < 0 && configured) || (out->wanted && !out->sent)))
        cli->exit_code = CLI_EXIT_PARTLY;
    conf_problems_free(&problems);
    conf_free(conf);
}

void evidence_tell(const struct cli_context *cli, const struct evidence_kept *k)
{
    const struct out *out = &cli->out;
    struct table *t = pairs_new(NULL);
    if (k->page[0] != '\0')
        pairs_add(t, "report", OUT_PLAIN, "%s", k->page);
    if (k->certificate[0] != '\0')
        pairs_add(t, "certificate", OUT_PLAIN, "%s", k->certificate);
    if (k->wanted)
        pairs_add(t, "evidence", k->sent ? OUT_GOOD : OUT_WARN, "%s",
                  k->sent ? "sent, and kept there" : k->why.text);
    if (k->exercise)
        pairs_add(t, "exercise", OUT_WARN, "damage was planted, so it is in no list and nobody signs it");
    if (!cli->json && !cli->quiet && table_rows(t) > 0)
        (void)table_print(t, out, NULL);
    table_free(t);
}
