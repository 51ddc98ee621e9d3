/* Grants, a request and its approval, on top of the finished golden repository. */
#include <stdio.h>
#include <string.h>

#include "common/base/str.h"
#include "common/repo/approval.h"
#include "common/repo/fetch.h"
#include "common/repo/grant.h"
#include "common/repo/names.h"
#include "common/repo/snapshot.h"
#include "tests/support/golden.h"
#include "common/base/banned.h"

enum { ASKED = 3, SESSIONS_MAX = 16 }; /* shop/3 is asked for */

struct sealed {
    const struct repo_writer *w;
    uint32_t session;
    uint8_t kid[KID_LEN];
    uint8_t s[SHARE_LEN];
    struct buf envelope;
};

struct people {
    struct golden *g;
    struct repo *repo;
    struct sealed session[SESSIONS_MAX];
    size_t n;
    struct recipient who[MEMBERS + 1]; /* the members, and the late one */
    struct member_kit late;
};

static struct recipient recipient_of(struct golden *g, const struct secret *r)
{
    struct recipient who;
    must(g, box_public(r, who.pk, &g->err));
    must(g, box_rid(who.pk, who.rid, &g->err));
    return who;
}

/* ---- every session of which something is left --------------------------------------------------------------- */

static void add_session(struct people *p, const struct repo_writer *w, const struct object_header *h)
{
    struct golden *g = p->g;
    const struct secret *sks[] = { g->kit.r };
    const struct opener opener = { .w = g->kit.w, .v = g->kit.v, .sks = sks, .nsks = 1 };
    for (size_t i = 0; i < p->n; i++)
        if (p->session[i].w == w && p->session[i].session == h->session)
            return;
    if (p->n == SESSIONS_MAX)
        golden_must(E_INTERNAL, &g->err);
    struct fetcher *f = must_have(g, fetcher_new(p->repo, w, &opener, 0, &g->err));
    struct sealed *s = &p->session[p->n++];
    *s = (struct sealed){ .w = w, .session = h->session, .envelope = BUF_INIT };
    must(g, fetcher_session_secret(f, h, s->s, &g->err));
    must(g, buf_append(&s->envelope, h->envelope, h->envelope_len, &g->err));
    memcpy(s->kid, h->envelope, KID_LEN);
    fetcher_free(f);
}

static void add_record(struct people *p, const struct repo_writer *w, const struct repo_record *r)
{
    struct golden *g = p->g;
    for (size_t i = 0; i < r->rec.packs.len; i++) {
        const struct record_pack *k = vec_at(&r->rec.packs, i);
        struct object_header h;
        char name[NAME_TEXT_MAX];
        uint8_t head[HEADER_MAX];
        if (repo_item_find(p->repo, w->id, k->session, k->idx, k->attempt).deleted != 0)
            continue;
        name_pack(name, w->id, k->session, k->idx, k->attempt);
        must(g, backend_read(g->backend, name, 0, head, sizeof head, &g->err));
        must(g, object_header_parse(OBJECT_PACK, head, sizeof head, &h, &g->err));
        add_session(p, w, &h);
    }
    if (repo_record_live(r)) {
        struct snapshot *s = NULL;
        must(g, snapshot_load(p->repo, w, r, &s, &g->err));
        add_session(p, w, &s->parts.header);
        snapshot_free(s);
    }
}

/* ---- grants -------------------------------------------------------------------------------------------------- */

static void grant_session(struct people *p, struct grant_writer *w, const struct sealed *s,
                          const struct recipients *to, bool forged)
{
    struct session_name name = { .session = s->session };
    uint8_t secret[SHARE_LEN];
    memcpy(name.repo_id, p->repo->repo_id, REPO_ID_LEN);
    memcpy(name.writer_id, s->w->id, WRITER_ID_LEN);
    memcpy(secret, s->s, SHARE_LEN);
    secret[0] ^= forged;
    must(p->g, grant_add(w, &name, s->kid, secret, to, &p->g->err));
}

/* Sessions up to `last` (0: all) of writer w (NULL: all). */
static void build_grant(struct people *p, const struct recipients *to, const struct repo_writer *w,
                        uint32_t last, bool forged, struct grant_writer *out)
{
    must(p->g, grant_begin(out, p->repo->repo_id, to->group[0].share[0].rid, &p->g->err));
    for (size_t i = 0; i < p->n; i++)
        if ((w == NULL || p->session[i].w == w) && (last == 0 || p->session[i].session <= last))
            grant_session(p, out, &p->session[i], to, forged);
    must(p->g, grant_end(out, &p->g->err));
}

static void put_grant(struct people *p, const struct grant_writer *w, uint32_t number, uint8_t attempt,
                      size_t len)
{
    char name[NAME_TEXT_MAX];
    name_grant(name, w->rid, number, attempt);
    must(p->g, backend_put(p->g->backend, name, w->bytes.data, len, &p->g->err));
}

/* Number 1 gives the late one everything; number 2 was cut, sent again, and is forged: it gives nothing. */
static void grant_late(struct people *p)
{
    struct recipients to = { .n = 1, .group = { { .n = 1, .share = { p->who[MEMBERS] } } } };
    struct grant_writer w;
    build_grant(p, &to, NULL, 0, false, &w);
    put_grant(p, &w, 1, 0, w.bytes.len);
    grant_free(&w);
    build_grant(p, &to, NULL, 0, true, &w);
    put_grant(p, &w, 2, 0, w.bytes.len / 2);
    put_grant(p, &w, 2, 1, w.bytes.len);
    grant_free(&w);
}

/* Members 1 and 2 together get the shop's session from before they were recipients. */
static void grant_members(struct people *p, const struct repo_writer *shop)
{
    struct recipients to = { .n = 1, .group = { { .n = 2, .share = { p->who[0], p->who[1] } } } };
    struct grant_writer w;
    build_grant(p, &to, shop, 1, false, &w);
    put_grant(p, &w, 1, 0, w.bytes.len);
    grant_free(&w);
}

/* ---- member 1 asks, member 2 approves ------------------------------------------------------------------------ */

static void fill_request(struct people *p, const struct repo_writer *shop, struct request *q)
{
    const struct repo_record *r = repo_record_at(shop, ASKED);
    request_init(q);
    memcpy(q->repo_id, p->repo->repo_id, REPO_ID_LEN);
    memcpy(q->rid, p->who[0].rid, RID_LEN);
    q->created = p->g->now;
    q->expires = p->g->now + DAY;
    (void)snprintf(q->by, sizeof q->by, "anna@station");
    (void)snprintf(q->reason, sizeof q->reason, "Bestellung 4711 – gone");
    struct request_snapshot *s = must_have(p->g, vec_push(&q->snapshots, &p->g->err));
    memcpy(s->writer_id, shop->id, WRITER_ID_LEN);
    memcpy(s->hash, r->hash, HASH_LEN);
    s->seq = r->rec.seq;
    s->session = r->rec.session;
    s->time = r->rec.time;
    (void)snprintf(s->label, sizeof s->label, "shop");
    for (size_t i = 0; i < p->n; i++) {
        if (p->session[i].w != shop || p->session[i].session > r->rec.session)
            continue;
        struct request_session *one = must_have(p->g, vec_push(&q->sessions, &p->g->err));
        memcpy(one->writer_id, shop->id, WRITER_ID_LEN);
        one->session = p->session[i].session;
        memcpy(one->kid, p->session[i].kid, KID_LEN);
    }
}

/* Member 2's share of each group with member 1. */
static void open_shares(struct people *p, const struct sealed *s, const struct envelope *env,
                        struct opened_shares *out)
{
    struct session_name name = { .session = s->session };
    memcpy(name.repo_id, p->repo->repo_id, REPO_ID_LEN);
    memcpy(name.writer_id, s->w->id, WRITER_ID_LEN);
    for (unsigned k = 0; k < env->n; k++) {
        const struct envelope_group *group = &env->group[k];
        uint8_t share[SHARE_LEN];
        uint8_t id[BOX_ID_LEN];
        if (group->n != 2 || memcmp(group->share[0].rid, p->who[0].rid, RID_LEN) != 0 ||
            memcmp(group->share[1].rid, p->who[1].rid, RID_LEN) != 0)
            continue;
        must(p->g, envelope_share_open(env, &group->share[1], p->g->members[1].r, &name, share, &p->g->err));
        box_id(group->share[1].box, env->box_len, id);
        must(p->g, shares_add(out, name.writer_id, name.session, id, group->share[1].rid, share, &p->g->err));
    }
}

static void approve(struct people *p, const struct request *q)
{
    struct golden *g = p->g;
    struct opened_shares shares = OPENED_SHARES_INIT;
    struct grant_set *set = NULL;
    struct buf bytes = BUF_INIT;
    struct approval a = { .time = g->now + 60, .expires = q->expires };
    must(g, grant_set_load(p->repo, (const uint8_t(*)[RID_LEN]) & p->who[0].rid, 1, &set, &g->err));
    for (size_t i = 0; i < p->n; i++) {
        const struct sealed *s = &p->session[i];
        const struct grant_entry *e = NULL;
        struct envelope env;
        size_t pos = 0;
        if (request_session_find(q, s->w->id, s->session) == NULL)
            continue;
        must(g, envelope_parse(s->envelope.data, s->envelope.len, &env, &g->err));
        open_shares(p, s, &env, &shares);
        while ((e = grant_set_next(set, s->w->id, s->session, &pos)) != NULL) {
            must(g, envelope_parse_grant(e->envelope, e->envelope_len, &env, &g->err));
            open_shares(p, s, &env, &shares);
        }
    }
    must(g, approval_encode(&a, q, g->members[1].r, p->who[0].pk, &shares, &bytes, &g->err));
    golden_write(&g->out, "people/approval", bytes.data, bytes.len, 0644);
    grant_set_free(set);
    shares_free(&shares);
    buf_free(&bytes);
}

static void exchange(struct people *p, const struct repo_writer *shop)
{
    struct golden *g = p->g;
    struct request q;
    struct buf bytes = BUF_INIT;
    struct buf state = BUF_INIT;
    struct charter_recipient others[MEMBERS - 1] = { { .expires = 0 } };
    struct secret *e_sk = must_have(g, secret_random(BOX_SK_LEN, &g->err));
    for (size_t i = 0; i < MEMBERS - 1; i++) {
        memcpy(others[i].rid, p->who[i + 1].rid, RID_LEN);
        memcpy(others[i].pk, p->who[i + 1].pk, BOX_PK_LEN);
    }
    fill_request(p, shop, &q);
    must(g, box_public(e_sk, q.e_pk, &g->err));
    must(g, request_encode(&q, g->members[0].r, others, MEMBERS - 1, &bytes, &g->err));
    must(g, request_state_encode(e_sk, &bytes, &state, &g->err));
    golden_write(&g->out, "people/request", bytes.data, bytes.len, 0644);
    golden_write(&g->out, "people/request.state", state.data, state.len, 0600);
    approve(p, &q);
    request_free(&q);
    secret_free(e_sk);
    buf_free(&bytes);
    buf_wipe(&state);
}

/* ---- all of it --------------------------------------------------------------------------------------------- */

static void save_late(struct people *p)
{
    struct golden *g = p->g;
    struct buf file = BUF_INIT;
    must(g, member_kit_generate(g->root.repo_id, g->root_pk, &p->late, &g->err));
    struct secret *block = must_have(g, member_kit_encode(&p->late, &g->err));
    must(g, keyfile_encode(KEYFILE_MEMBER, block, NULL, NULL, &file, &g->err));
    golden_write(&g->out, "keys/late.key", file.data, file.len, 0600);
    secret_free(block);
    buf_wipe(&file);
}

void golden_people(struct golden *g)
{
    struct people p = { .g = g, .repo = golden_open_repo(g) };
    save_late(&p);
    for (size_t i = 0; i < MEMBERS; i++)
        p.who[i] = recipient_of(g, g->members[i].r);
    p.who[MEMBERS] = recipient_of(g, p.late.r);
    for (size_t i = 0; i < p.repo->writers.len; i++) {
        const struct repo_writer *w = vec_at(&p.repo->writers, i);
        for (uint32_t n = 1; n <= w->records.len; n++)
            add_record(&p, w, repo_record_at(w, n));
    }
    const struct repo_writer *shop = repo_writer_find(p.repo, g->writers[SHOP].writer_id);
    grant_late(&p);
    grant_members(&p, shop);
    exchange(&p, shop);
    for (size_t i = 0; i < p.n; i++)
        buf_free(&p.session[i].envelope);
    member_kit_free(&p.late);
    repo_close(p.repo);
}
