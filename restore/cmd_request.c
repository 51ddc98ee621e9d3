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
#include "restore/needs.h"
#include "restore/options.h"
#include "restore/select.h"
#include "restore/verbs.h"

#include "common/base/banned.h"

enum { PRIVATE_MODE = 0600, HOST_NAME_MAX_LEN = 128, NAMES_MAX = 400, STATE_MAX = REQUEST_MAX + 256 };

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

struct asking {
    struct cli_context *cli;
    struct station st;
    struct snaps all;
    struct request q;
    struct grant_set *grants; /* the requester's own */
    uint8_t rid[RID_LEN];
    size_t alone; /* sessions that the kit opens by itself */
    struct buf helpers;
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

/* ---- who could help -------------------------------------------------------------------------------------- */

struct reach {
    bool alone;
    bool shared;
};

static void look_at(const struct asking *a, const struct envelope *env, struct reach *r)
{
    for (unsigned g = 0; g < env->n; g++) {
        bool own = envelope_group_has(&env->group[g], &a->rid, 1);
        r->alone |= own && env->group[g].n == 1;
        r->shared |= own && env->group[g].n > 1;
    }
}

/* By the header, and by grants that are for this session's key. */
static int reach_of(const struct asking *a, const struct request_session *s, const struct envelope *header,
                    struct reach *r, struct error *err)
{
    size_t pos = 0;
    const struct grant_entry *e = NULL;
    *r = (struct reach){ .alone = false };
    look_at(a, header, r);
    while ((e = grant_set_next(a->grants, s->writer_id, s->session, &pos)) != NULL) {
        struct envelope env;
        int rc = envelope_parse_grant(e->envelope, e->envelope_len, &env, err);
        if (rc < 0)
            return rc;
        if (memcmp(env.kid, header->kid, KID_LEN) == 0)
            look_at(a, &env, r);
    }
    return 0;
}

static int no_part(const struct asking *a, const struct request_session *s, const struct session_header *h,
                   struct error *err)
{
    struct unlock u;
    struct session_name name = { .session = s->session };
    uint8_t k_s[KEY_LEN];
    struct secret *w_w = opener_root(&a->st.opener, s->writer_id, err);
    struct secret *derived = w_w != NULL ? writer_derive(w_w, err) : NULL;
    int rc = derived != NULL ? 0 : E_NOMEM;
    memcpy(name.repo_id, a->st.repo->repo_id, REPO_ID_LEN);
    memcpy(name.writer_id, s->writer_id, WRITER_ID_LEN);
    unlock_init(&u, a->st.repo, &a->st.opener);
    if (rc == 0) /* for its text */
        rc = unlock_session(&u, &h->envelope, writer_derived_of(derived)->mix_key, &name, k_s, NULL, err);
    secret_wipe(k_s, sizeof k_s);
    unlock_free(&u);
    secret_free(derived);
    secret_free(w_w);
    return rc < 0 ? rc : error_set(err, E_INTERNAL, "session %u", s->session);
}

static int fill_kid(struct asking *a, struct request_session *s, struct error *err)
{
    struct session_header h;
    struct reach r;
    const struct repo_writer *w = repo_writer_find(a->st.repo, s->writer_id);
    int rc = session_header_load(&a->st, w, s->session, false, &h, err);
    rc = rc < 0 ? rc : reach_of(a, s, &h.envelope, &r, err);
    if (rc == 0 && !r.alone && !r.shared)
        rc = no_part(a, s, &h, err);
    if (rc == 0) {
        memcpy(s->kid, h.envelope.kid, KID_LEN);
        a->alone += r.alone;
    }
    session_header_free(&h);
    return rc;
}

static int fill_kids(struct asking *a, struct error *err)
{
    int rc = grant_set_load(a->st.repo, (const uint8_t(*)[RID_LEN]) & a->rid, 1, &a->grants, err);
    for (size_t i = 0; rc == 0 && i < a->q.sessions.len; i++)
        rc = fill_kid(a, vec_at(&a->q.sessions, i), err);
    if (rc == 0 && a->alone == a->q.sessions.len)
        rc = error_set(err, E_USAGE, "this kit opens all of that by itself: nobody needs to approve");
    return rc;
}

/* Names of those who share a group with this kit in the newest charter. */
static void name_helpers(struct asking *a)
{
    const struct charter *c = repo_charter(a->st.repo);
    for (size_t i = 0; i < c->recipients.len && a->helpers.len < NAMES_MAX; i++) {
        const struct charter_recipient *who = vec_at(&c->recipients, i);
        bool shares = false;
        for (size_t g = 0; g < c->groups.len; g++) {
            const struct charter_group *group = vec_at(&c->groups, g);
            bool own = false;
            bool other = false;
            for (unsigned k = 0; k < group->n; k++) {
                own |= memcmp(group->rid[k], a->rid, RID_LEN) == 0;
                other |= memcmp(group->rid[k], who->rid, RID_LEN) == 0;
            }
            shares |= own && other;
        }
        if (shares && memcmp(who->rid, a->rid, RID_LEN) != 0)
            (void)buf_printf(&a->helpers, NULL, "%s%s", a->helpers.len != 0 ? ", " : "", who->name);
    }
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
    rc = rc < 0 ? rc : fill_kids(a, err);
    rc = rc < 0 ? rc : describe(a, err);
    if (rc < 0)
        return rc;
    name_helpers(a);
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
