/* restore request: ask other people to open exactly the sessions that some snapshots need. */
#include <dirent.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/cli/json.h"
#include "common/repo/approval.h"
#include "common/sys/atomic_file.h"
#include "common/sys/dirs.h"
#include "restore/asking.h"
#include "restore/needs.h"
#include "restore/options.h"
#include "restore/select.h"
#include "restore/verbs.h"

#include "common/base/banned.h"

enum { PRIVATE_MODE = 0600, HOST_NAME_MAX_LEN = 128, STATE_MAX = REQUEST_MAX + 256 };

const struct cli_option request_options[] = {
    JOB_OPTION,
    { .name = "out",
      .kind = CLI_FILE,
      .required = true,
      .help = "The file to write, for the people who are to approve. It holds no secret." },
    { .name = "reason",
      .kind = CLI_STRING,
      .metavar = "TEXT",
      .required = true,
      .help = "Why; they see it." },
    { .name = "by",
      .kind = CLI_STRING,
      .metavar = "TEXT",
      .help = "Who asks, in words. Default: USER@HOST." },
    { .name = "valid",
      .kind = CLI_DURATION,
      .fallback = "24h",
      .min = 1,
      .max = REQUEST_VALID_MAX,
      .help = "How long the request and its approvals are accepted." },
    { .name = "all",
      .kind = CLI_FLAG,
      .help = "All snapshots instead of named ones: for a grant, or for a verification of everything." },
    ALARMS_OPTION,
    CLI_OPTIONS_END
};

/* ---- which snapshots, which sessions ------------------------------------------------------------------- */

static int refuse_damaged(const struct snap *s, struct error *err)
{
    char name[SNAPSHOT_NAME_MAX];
    return error_corrupt(err, s->damage_name, "snapshot %s: %s", snap_name(s, name), s->damage);
}

static int take(struct asking *a, struct snap *s, struct error *err)
{
    int rc = snap_open(&a->all, s, err);
    if (rc == 0 && s->damage != NULL)
        rc = refuse_damaged(s, err);
    rc = rc < 0 ? rc : station_trusts(&a->st, s->writer, err);
    struct request_snapshot *q = rc == 0 ? vec_push(&a->q.snapshots, err) : NULL;
    if (q == NULL)
        return rc < 0 ? rc : E_NOMEM;
    memcpy(q->writer_id, s->writer->id, WRITER_ID_LEN);
    memcpy(q->hash, s->record->hash, HASH_LEN);
    q->seq = s->record->rec.seq;
    q->session = s->record->rec.session;
    q->time = s->record->rec.time;
    (void)snprintf(q->label, sizeof q->label, "%s", s->object->view.label);
    return needs_of(s, &a->q.sessions, err);
}

static int choose(struct asking *a, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < a->cli->nargs; i++) {
        struct selector sel;
        struct snap *s = NULL;
        rc = selector_parse(a->cli->args[i], cli_text(a->cli, "job"), &sel, err);
        rc = rc < 0 ? rc : selector_find(&a->all, &sel, &s, err);
        rc = rc < 0 ? rc : take(a, s, err);
    }
    for (size_t i = 0; rc == 0 && cli_flag(a->cli, "all") && i < a->all.list.len; i++) {
        struct snap *s = vec_at(&a->all.list, i);
        if (snap_live(s))
            rc = take(a, s, err);
    }
    needs_sort(&a->q.sessions);
    if (rc == 0 && a->q.snapshots.len == 0)
        rc = error_set(err, E_NOT_FOUND, "there are no snapshots to ask for");
    return rc;
}

/* ---- writing ------------------------------------------------------------------------------------------- */

static int describe(struct asking *a, struct error *err)
{
    const char *by = cli_text(a->cli, "by");
    const char *reason = cli_text(a->cli, "reason");
    if (strlen(reason) > REQUEST_REASON_MAX || !utf8_valid(reason, strlen(reason)))
        return error_set(err, E_USAGE, "--reason takes at most %d bytes of UTF-8", REQUEST_REASON_MAX);
    if (by != NULL && (strlen(by) > REQUEST_BY_MAX || !utf8_valid(by, strlen(by))))
        return error_set(err, E_USAGE, "--by takes at most %d bytes of UTF-8", REQUEST_BY_MAX);
    if (by != NULL) {
        (void)snprintf(a->q.by, sizeof a->q.by, "%s", by);
    } else {
        char host[HOST_NAME_MAX_LEN] = "";
        const struct passwd *pw = getpwuid(geteuid());
        (void)gethostname(host, sizeof host - 1);
        (void)snprintf(a->q.by, sizeof a->q.by, "%.100s@%.120s", pw != NULL ? pw->pw_name : "?", host);
        if (!utf8_valid(a->q.by, strlen(a->q.by)))
            a->q.by[0] = '\0';
    }
    (void)snprintf(a->q.reason, sizeof a->q.reason, "%s", reason);
    memcpy(a->q.repo_id, a->st.repo->repo_id, REPO_ID_LEN);
    memcpy(a->q.rid, a->rid, RID_LEN);
    a->q.created = clock_wall();
    a->q.expires = a->q.created + cli_number(a->cli, "valid");
    return 0;
}

/* Everybody of the newest charter but the requester. */
static int others(const struct asking *a, struct vec *out, struct error *err)
{
    const struct charter *c = repo_charter(a->st.repo);
    bool known = false;
    for (size_t i = 0; i < c->recipients.len; i++) {
        const struct charter_recipient *who = vec_at(&c->recipients, i);
        if (memcmp(who->rid, a->rid, RID_LEN) == 0) {
            known = true;
            continue;
        }
        struct charter_recipient *slot = vec_push(out, err);
        if (slot == NULL)
            return E_NOMEM;
        *slot = *who;
    }
    return known
               ? 0
               : error_set(
                     err, E_AUTH,
                     "the newest charter does not name this kit: nobody could tell that a request is yours");
}

/* Keys of requests that nobody can use any more. */
static void sweep(const char *dir)
{
    DIR *d = opendir(dir);
    const struct dirent *e = NULL;
    while (d != NULL && (e = readdir(d)) != NULL) {
        struct buf bytes = BUF_INIT;
        struct secret *e_sk = NULL;
        struct request q;
        char *path = e->d_name[0] != '.' ? path_join(dir, e->d_name, NULL) : NULL;
        request_init(&q);
        if (path != NULL && file_read_small(path, STATE_MAX, &bytes, NULL) == 0 &&
            request_state_parse(bytes.data, bytes.len, &e_sk, &q, NULL) == 0 && q.expires <= clock_wall())
            (void)unlink(path);
        secret_free(e_sk);
        request_free(&q);
        buf_wipe(&bytes);
        free(path);
    }
    if (d != NULL)
        (void)closedir(d);
}

static int save_state(const struct asking *a, const struct secret *e_sk, const struct buf *bytes,
                      struct error *err)
{
    struct buf state = BUF_INIT;
    char *path = station_request_path(&a->st, a->q.id, err);
    char *dir = path != NULL ? path_dir(path, err) : NULL;
    int rc = dir != NULL ? dir_make_private(dir, err) : err->code;
    if (rc == 0)
        sweep(dir);
    rc = rc < 0 ? rc : request_state_encode(e_sk, bytes, &state, err);
    rc = rc < 0 ? rc : file_write_atomic(path, state.data, state.len, PRIVATE_MODE, FILE_EXCLUSIVE, err);
    buf_wipe(&state);
    free(dir);
    free(path);
    return rc;
}

static int write_request(struct asking *a, struct error *err)
{
    struct vec to = VEC_OF(struct charter_recipient);
    struct buf bytes = BUF_INIT;
    struct secret *e_sk = secret_random(BOX_SK_LEN, err);
    int rc = e_sk != NULL ? box_public(e_sk, a->q.e_pk, err) : E_NOMEM;
    rc = rc < 0 ? rc : others(a, &to, err);
    rc = rc < 0 ? rc : request_encode(&a->q, a->st.kit.r, to.data, to.len, &bytes, err);
    rc = rc < 0 ? rc : save_state(a, e_sk, &bytes, err);
    rc = rc < 0 ? rc
                : file_write_atomic(cli_text(a->cli, "out"), bytes.data, bytes.len, PRIVATE_MODE,
                                    FILE_EXCLUSIVE, err);
    secret_free(e_sk);
    buf_free(&bytes);
    vec_free(&to);
    return rc;
}

/* ---- the verb ------------------------------------------------------------------------------------------ */

static int report(const struct asking *a, struct error *err)
{
    char code[REQUEST_CODE_MAX];
    char until[NUMBER_TEXT_MAX];
    char shown[4096];
    const struct out *out = &a->cli->out;
    const char *file = cli_text(a->cli, "out");
    (void)request_code(&a->q, code);
    if (a->cli->json) {
        struct jsonout *o = jsonout_new("summary");
        jsonout_str(o, "request", file);
        jsonout_str(o, "code", code);
        jsonout_u64(o, "snapshots", a->q.snapshots.len);
        jsonout_u64(o, "sessions", a->q.sessions.len);
        jsonout_time(o, "expires", a->q.expires);
        jsonout_bytes(o, "people", a->helpers.data, a->helpers.len);
        return jsonout_emit(o, err);
    }
    if (a->cli->quiet)
        return 0;
    struct table *t = pairs_new(err);
    pairs_add(t, "request", OUT_BOLD, "%s", file);
    pairs_add(t, "code", OUT_BOLD, "%s", code);
    pairs_add(t, "asks for", OUT_PLAIN, "%zu %s, the keys of %zu %s", a->q.snapshots.len,
              plural(a->q.snapshots.len, "snapshot", "snapshots"), a->q.sessions.len,
              plural(a->q.sessions.len, "session", "sessions"));
    pairs_add(t, "valid until", OUT_PLAIN, "%s", time_format(until, a->q.expires));
    pairs_add(t, "may approve", OUT_PLAIN, "%.*s", (int)a->helpers.len,
              a->helpers.len != 0 ? (const char *)a->helpers.data : "");
    int rc = table_print(t, out, err);
    table_free(t);
    out_text(out, OUT_PLAIN, "\n");
    out_heading(out, "Next");
    out_line(out, OUT_PLAIN,
             "Send the file to one of them, and tell the code by another way (by telephone). There:");
    out_line(out, OUT_PLAIN, "    restore approve %s", str_shell_word(shown, sizeof shown, path_base(file)));
    out_line(out, OUT_PLAIN, "With the file that comes back, and the same kit, here:");
    out_line(out, OUT_PLAIN, "    restore ... --approval %s.approval",
             str_shell_word(shown, sizeof shown, file));
    return rc;
}

static int run(struct asking *a, struct error *err)
{
    bool everything = cli_flag(a->cli, "all");
    if (everything == (a->cli->nargs != 0))
        return error_set(err, E_USAGE,
                         everything ? "--all leaves no SNAPSHOT to name"
                                    : "name the snapshots to ask for, or give --all");
    if (access(cli_text(a->cli, "out"), F_OK) == 0)
        return error_set(err, E_EXISTS, "%s is there already", cli_text(a->cli, "out"));
    int rc = station_open(a->cli, KIT_NEEDED, &a->st, err);
    rc = rc < 0 ? rc : snaps_load(&a->st, &a->all, err);
    rc = rc < 0 ? rc : station_rid(&a->st, a->rid, err);
    rc = rc < 0 ? rc : choose(a, err);
    rc = rc < 0 ? rc : asking_reach(a, err);
    rc = rc < 0 ? rc : describe(a, err);
    if (rc < 0)
        return rc;
    asking_helpers(a);
    rc = write_request(a, err);
    return rc < 0 ? rc : report(a, err);
}

int cmd_request(struct cli_context *cli, struct error *err)
{
    struct asking a = { .cli = cli, .st = { .cli = cli }, .helpers = BUF_INIT };
    request_init(&a.q);
    int rc = run(&a, err);
    station_settle(&a.st, rc == 0);
    snaps_free(&a.all);
    grant_set_free(a.grants);
    request_free(&a.q);
    buf_free(&a.helpers);
    station_close(&a.st);
    return rc;
}
