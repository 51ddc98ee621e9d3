#include "restore/approve.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/sys/atomic_file.h"

#include "common/base/banned.h"

/* ---- the request and who made it ----------------------------------------------------------------------- */

static int read_request(struct approve *a, const char *file, struct error *err)
{
    struct buf bytes = BUF_INIT;
    int rc = file_read_small(file, REQUEST_MAX, &bytes, err);
    rc = rc < 0 ? rc : request_parse(bytes.data, bytes.len, &a->q, err);
    buf_free(&bytes);
    if (rc == 0)
        (void)request_code(&a->q, a->code);
    return rc < 0 ? error_wrap(err, "%s", file) : 0;
}

int approve_open(struct approve *a, struct cli_context *cli, const char *file, struct error *err)
{
    *a = (struct approve){ .cli = cli,
                           .st = { .cli = cli },
                           .headers = VEC_OF(struct session_header),
                           .chosen = VEC_OF(struct snap *) };
    request_init(&a->q);
    int rc = read_request(a, file, err);
    rc = rc < 0 ? rc : station_open(cli, KIT_PERSON, &a->st, err);
    return rc < 0 ? rc : snaps_load(&a->st, &a->all, err);
}

void approve_close(struct approve *a, bool good)
{
    station_settle(&a->st, good);
    for (size_t i = 0; i < a->headers.len; i++)
        session_header_free(vec_at(&a->headers, i));
    vec_free(&a->headers);
    vec_free(&a->chosen);
    grant_set_free(a->grants);
    snaps_free(&a->all);
    request_free(&a->q);
    station_close(&a->st);
}

static int judge_requester(struct approve *a, struct error *err)
{
    const struct charter *c = repo_charter(a->st.repo);
    int rc = station_rid(&a->st, a->rids[1], err);
    if (rc < 0)
        return rc;
    if (memcmp(a->q.repo_id, a->st.repo->repo_id, REPO_ID_LEN) != 0)
        return error_named(err, E_CONFLICT, ERR_REQUEST_DIFFERS, "the request is for another repository");
    memcpy(a->rids[0], a->q.rid, RID_LEN);
    a->requester = charter_recipient_find(c, a->q.rid);
    a->self = charter_recipient_find(c, a->rids[1]);
    if (a->requester == NULL)
        return error_named(err, E_CONFLICT, ERR_REQUEST_AUTH,
                           "the newest charter does not name the person who asks");
    if (memcmp(a->rids[0], a->rids[1], RID_LEN) == 0)
        return error_set(err, E_USAGE,
                         "this is the kit that made the request: another person has to approve");
    if (a->requester->expires != 0 && a->requester->expires <= clock_wall())
        return error_named(err, E_CONFLICT, ERR_REQUEST_AUTH,
                           "%s is a recipient no more: the charter ended it", a->requester->name);
    return request_verify(&a->q, a->st.kit.r, a->requester->pk, clock_wall(), err);
}

/* ---- the snapshots --------------------------------------------------------------------------------------- */

static int differs(const char *what, const struct request_snapshot *s, struct error *err)
{
    return error_named(err, E_CONFLICT, ERR_REQUEST_DIFFERS,
                       "the request names record %u of a writer with another %s than the repository has",
                       s->seq, what);
}

static struct snap *snap_of(struct approve *a, const struct request_snapshot *s)
{
    for (size_t i = 0; i < a->all.list.len; i++) {
        struct snap *one = vec_at(&a->all.list, i);
        if (one->record->rec.seq == s->seq && memcmp(one->writer->id, s->writer_id, WRITER_ID_LEN) == 0)
            return one;
    }
    return NULL;
}

static int judge_snapshot(struct approve *a, const struct request_snapshot *s, struct vec *sessions,
                          struct error *err)
{
    char name[SNAPSHOT_NAME_MAX];
    struct snap *one = snap_of(a, s);
    if (one == NULL)
        return error_named(
            err, E_CONFLICT, ERR_REQUEST_DIFFERS,
            "the request names record %u of a writer, and this repository has no such snapshot", s->seq);
    if (one->record->is_void)
        return error_named(err, E_CONFLICT, ERR_REQUEST_DIFFERS,
                           "the request names a void snapshot (record %u)", s->seq);
    if (memcmp(one->record->hash, s->hash, HASH_LEN) != 0)
        return differs("hash", s, err);
    if (one->record->rec.session != s->session)
        return differs("session", s, err);
    if (one->record->rec.time != s->time)
        return differs("time", s, err);
    int rc = station_trusts(&a->st, one->writer, err);
    rc = rc < 0 ? rc : snap_open(&a->all, one, err);
    if (rc < 0)
        return rc;
    if (one->damage != NULL)
        return error_corrupt(err, one->damage_name, "snapshot %s: %s", snap_name(one, name), one->damage);
    if (one->object->has_view && strcmp(one->object->view.label, s->label) != 0)
        return differs("job", s, err);
    struct snap **slot = vec_push(&a->chosen, err);
    if (slot == NULL)
        return E_NOMEM;
    *slot = one;
    return one->object->has_view ? needs_of(one, sessions, err) : 0;
}

/* With the view key: the sessions are exactly those of the snapshots, no more and no less. */
static int judge_sessions(const struct approve *a, struct vec *sessions, struct error *err)
{
    if (a->st.kit.v == NULL)
        return 0;
    needs_sort(sessions);
    for (size_t i = 0; i < a->q.sessions.len; i++) {
        const struct request_session *s = vec_at(&a->q.sessions, i);
        if (!needs_has(sessions, s->writer_id, s->session))
            return error_named(err, E_CONFLICT, ERR_REQUEST_DIFFERS,
                               "the request asks for session %u, which none of its snapshots needs",
                               s->session);
    }
    if (sessions->len != a->q.sessions.len)
        return error_named(err, E_CONFLICT, ERR_REQUEST_DIFFERS,
                           "the request leaves out sessions that its snapshots need");
    return 0;
}

/* ---- the envelopes --------------------------------------------------------------------------------------- */

typedef int share_fn(struct approve *a, const struct request_session *s, const struct envelope *env,
                     const struct envelope_share *share, void *arg, struct error *err);

/* The own share of each group that the requester is in, too. */
static int each_share_in(struct approve *a, const struct request_session *s, const struct envelope *env,
                         share_fn *fn, void *arg, struct error *err)
{
    int rc = 0;
    for (unsigned g = 0; rc == 0 && g < env->n; g++) {
        const struct envelope_group *group = &env->group[g];
        if (!envelope_group_has(group, (const uint8_t(*)[RID_LEN])a->rids, 2))
            continue;
        for (unsigned i = 0; rc == 0 && i < group->n; i++)
            if (memcmp(group->share[i].rid, a->rids[1], RID_LEN) == 0)
                rc = fn(a, s, env, &group->share[i], arg, err);
    }
    return rc;
}

static int each_share(struct approve *a, size_t i, share_fn *fn, void *arg, struct error *err)
{
    const struct request_session *s = vec_at(&a->q.sessions, i);
    const struct session_header *h = vec_at(&a->headers, i);
    const struct grant_entry *e = NULL;
    size_t pos = 0;
    int rc = each_share_in(a, s, &h->envelope, fn, arg, err);
    while (rc == 0 && (e = grant_set_next(a->grants, s->writer_id, s->session, &pos)) != NULL) {
        struct envelope env;
        rc = envelope_parse_grant(e->envelope, e->envelope_len, &env, err);
        if (rc == 0 && memcmp(env.kid, s->kid, KID_LEN) == 0)
            rc = each_share_in(a, s, &env, fn, arg, err);
    }
    return rc;
}

static int count_share(struct approve *a, const struct request_session *s, const struct envelope *env,
                       const struct envelope_share *share, void *arg, struct error *err)
{
    (void)s;
    (void)env;
    (void)share;
    (void)arg;
    (void)err;
    a->nshares++;
    return 0;
}

static int judge_envelope(struct approve *a, const struct request_session *s, struct error *err)
{
    const struct repo_writer *w = repo_writer_find(a->st.repo, s->writer_id);
    struct session_header *h = vec_push(&a->headers, err);
    if (h == NULL)
        return E_NOMEM;
    *h = (struct session_header){ .bytes = BUF_INIT };
    if (w == NULL)
        return error_named(err, E_CONFLICT, ERR_REQUEST_DIFFERS, "the request names an unknown writer");
    int rc = session_header_load(&a->st, w, s->session, true, h, err);
    if (rc == 0 && memcmp(h->envelope.kid, s->kid, KID_LEN) != 0)
        rc = error_named(err, E_CONFLICT, ERR_REQUEST_DIFFERS,
                         "session %u has another key than the request says", s->session);
    size_t before = a->nshares;
    rc = rc < 0 ? rc : each_share(a, a->headers.len - 1, count_share, NULL, err);
    a->without += rc == 0 && a->nshares == before;
    return rc;
}

/* ---- copies ---------------------------------------------------------------------------------------------- */

static int judge_copies(struct approve *a, struct error *err)
{
    struct map boxes = BOXES_INIT;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < a->headers.len; i++) {
        const struct request_session *s = vec_at(&a->q.sessions, i);
        const struct session_header *h = vec_at(&a->headers, i);
        rc = boxes_note(&boxes, s->writer_id, s->session, &h->envelope, err);
    }
    for (size_t i = 0; rc == 0 && i < a->all.list.len; i++) {
        struct snap *s = vec_at(&a->all.list, i);
        struct envelope env;
        rc = snap_live(s) ? snap_open(&a->all, s, err) : 0;
        if (rc < 0 || s->object == NULL)
            continue;
        const struct object_header *h = &s->object->parts.header;
        if (envelope_parse(h->envelope, h->envelope_len, &env, NULL) == 0)
            rc = boxes_note(&boxes, s->writer->id, s->record->rec.session, &env, err);
    }
    map_free(&boxes);
    return rc;
}

int approve_judge(struct approve *a, struct error *err)
{
    struct vec sessions = VEC_OF(struct request_session);
    int rc = judge_requester(a, err);
    for (size_t i = 0; rc == 0 && i < a->q.snapshots.len; i++)
        rc = judge_snapshot(a, vec_at(&a->q.snapshots, i), &sessions, err);
    rc = rc < 0 ? rc : judge_sessions(a, &sessions, err);
    rc = rc < 0 ? rc : grant_set_load(a->st.repo, (const uint8_t(*)[RID_LEN])a->rids, 2, &a->grants, err);
    for (size_t i = 0; rc == 0 && i < a->q.sessions.len; i++)
        rc = judge_envelope(a, vec_at(&a->q.sessions, i), err);
    rc = rc < 0 ? rc : judge_copies(a, err);
    vec_free(&sessions);
    if (rc == 0 && a->nshares == 0)
        rc = error_set(err, E_AUTH,
                       "this kit shares no group with %s in any of these sessions: it cannot help",
                       a->requester->name);
    return rc;
}

/* ---- opening --------------------------------------------------------------------------------------------- */

static int open_share(struct approve *a, const struct request_session *s, const struct envelope *env,
                      const struct envelope_share *share, void *arg, struct error *err)
{
    struct opened_shares *out = arg;
    struct session_name name = { .session = s->session };
    uint8_t bytes[SHARE_LEN];
    uint8_t id[BOX_ID_LEN];
    memcpy(name.repo_id, a->q.repo_id, REPO_ID_LEN);
    memcpy(name.writer_id, s->writer_id, WRITER_ID_LEN);
    int rc = envelope_share_open(env, share, a->st.kit.r, &name, bytes, err);
    box_id(share->box, env->box_len, id);
    rc = rc < 0 ? rc : shares_add(out, s->writer_id, s->session, id, share->rid, bytes, err);
    secret_wipe(bytes, sizeof bytes);
    return rc;
}

int approve_shares(const struct approve *a, struct opened_shares *out, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < a->q.sessions.len; i++)
        rc = each_share((struct approve *)(uintptr_t)a, i, open_share, out, err);
    return rc;
}
