#include "restore/asking.h"

#include <string.h>

#include "common/base/banned.h"

enum { NAMES_MAX = 400 };

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

int asking_reach(struct asking *a, struct error *err)
{
    int rc = grant_set_load(a->st.repo, (const uint8_t(*)[RID_LEN]) & a->rid, 1, &a->grants, err);
    for (size_t i = 0; rc == 0 && i < a->q.sessions.len; i++)
        rc = fill_kid(a, vec_at(&a->q.sessions, i), err);
    if (rc == 0 && a->alone == a->q.sessions.len)
        rc = error_set(err, E_USAGE, "this kit opens all of that by itself: nobody needs to approve");
    return rc;
}

void asking_helpers(struct asking *a)
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
