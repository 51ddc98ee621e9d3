#include "common/repo/unlock.h"

#include <stdio.h>
#include <string.h>

#include "common/base/str.h"

#include "common/base/banned.h"

void unlock_init(struct unlock *u, const struct repo *repo, const struct opener *opener)
{
    *u = (struct unlock){ .repo = repo, .opener = opener };
}

void unlock_free(struct unlock *u)
{
    grant_set_free(u->grants);
    u->grants = NULL;
}

/* ---- whose keys are at hand ------------------------------------------------------------------------------ */

enum { PEOPLE_MAX = 2 * ENVELOPE_BOXES_MAX };

struct people {
    uint8_t rid[PEOPLE_MAX][RID_LEN];
    const struct secret *sk[PEOPLE_MAX]; /* of the own ones */
    size_t n;
    size_t own; /* the first ones */
};

static bool is_among(const struct people *p, const uint8_t rid[RID_LEN])
{
    for (size_t i = 0; i < p->n; i++)
        if (memcmp(p->rid[i], rid, RID_LEN) == 0)
            return true;
    return false;
}

static void add(struct people *p, const uint8_t rid[RID_LEN])
{
    if (p->n < PEOPLE_MAX && !is_among(p, rid))
        memcpy(p->rid[p->n++], rid, RID_LEN);
}

static int people_at_hand(const struct opener *o, struct people *p, struct error *err)
{
    p->n = 0;
    for (size_t i = 0; i < o->nsks && i < ENVELOPE_BOXES_MAX; i++) {
        uint8_t pk[BOX_PK_LEN];
        uint8_t rid[RID_LEN];
        int rc = box_public(o->sks[i], pk, err);
        if (rc < 0 || (rc = box_rid(pk, rid, err)) < 0)
            return rc;
        p->sk[p->n] = o->sks[i];
        add(p, rid);
    }
    p->own = p->n;
    for (size_t i = 0; o->opened != NULL && i < o->opened->list.len; i++)
        add(p, ((const struct opened_share *)vec_at(&o->opened->list, i))->rid);
    return 0;
}

/* ---- who else is needed ---------------------------------------------------------------------------------- */

static void add_name(const struct unlock *u, const uint8_t rid[RID_LEN], struct buf *text)
{
    enum { SHOWN = 4 };
    char hex[2 * SHOWN + 1];
    const struct charter_recipient *who = charter_recipient_find(repo_charter(u->repo), rid);
    hex_encode(hex, rid, SHOWN);
    (void)buf_printf(text, NULL, "%s", who != NULL ? who->name : hex);
}

static void add_group(const struct unlock *u, const struct envelope_group *g, const struct people *without,
                      struct buf *text)
{
    bool first = true;
    for (unsigned i = 0; i < g->n; i++) {
        if (without != NULL && is_among(without, g->share[i].rid))
            continue;
        (void)buf_printf(text, NULL, "%s", first ? "" : " and ");
        add_name(u, g->share[i].rid, text);
        first = false;
    }
}

static bool has_own(const struct envelope_group *g, const struct people *p)
{
    for (unsigned i = 0; i < g->n; i++)
        for (size_t k = 0; k < p->own; k++)
            if (memcmp(g->share[i].rid, p->rid[k], RID_LEN) == 0)
                return true;
    return false;
}

/* "bob, or carol": what the groups of the own keys lack, or all groups. */
static void lacking(const struct unlock *u, const struct envelope *env, const struct people *p, bool own,
                    struct buf *text)
{
    for (unsigned g = 0; g < env->n; g++) {
        if (own && !has_own(&env->group[g], p))
            continue;
        (void)buf_printf(text, NULL, "%s", text->len != 0 ? ", or " : "");
        add_group(u, &env->group[g], own ? p : NULL, text);
    }
}

/* The same of the header and of the grants for its key. */
static void lacking_own(const struct unlock *u, const struct envelope *header,
                        const struct session_name *name, const struct people *p, struct buf *text)
{
    const struct grant_entry *e = NULL;
    size_t pos = 0;
    lacking(u, header, p, true, text);
    while ((e = grant_set_next(u->grants, name->writer_id, name->session, &pos)) != NULL) {
        struct envelope env;
        if (envelope_parse_grant(e->envelope, e->envelope_len, &env, NULL) == 0 &&
            memcmp(env.kid, header->kid, KID_LEN) == 0)
            lacking(u, &env, p, true, text);
    }
}

static int refuse(const struct unlock *u, const struct envelope *env, const struct session_name *name,
                  const struct people *p, struct error *err)
{
    struct buf mine = BUF_INIT;
    struct buf text = BUF_INIT;
    for (size_t i = 0; i < p->own; i++) {
        (void)buf_printf(&mine, NULL, "%s", i != 0 ? ", " : "");
        add_name(u, p->rid[i], &mine);
    }
    int rc;
    lacking_own(u, env, name, p, &text);
    if (text.len != 0) {
        const char *why =
            p->n > p->own ? "The approval at hand does not cover it" : "Ask with `restore request`";
        rc = error_set(
            err, E_AUTH,
            "session %u takes more than one person: this kit is that of %.*s, and it also takes %.*s. %s",
            name->session, (int)(mine.len < 200 ? mine.len : 200), (const char *)mine.data,
            (int)(text.len < 600 ? text.len : 600), (const char *)text.data, why);
    } else {
        lacking(u, env, p, false, &text);
        rc = error_set(err, E_AUTH,
                       "session %u is not sealed to this kit (%.*s) but to %.*s; no grant says otherwise",
                       name->session, (int)(mine.len < 200 ? mine.len : 200), (const char *)mine.data,
                       (int)(text.len < 600 ? text.len : 600), (const char *)text.data);
    }
    buf_free(&mine);
    buf_free(&text);
    return rc;
}

/* ---- opening --------------------------------------------------------------------------------------------- */

static int load_grants(struct unlock *u, const struct people *p, struct error *err)
{
    return u->grants != NULL ? 0 : grant_set_load(u->repo, p->rid, p->n, &u->grants, err);
}

int unlock_grants(struct unlock *u, const struct grant_set **out, struct error *err)
{
    struct people p;
    int rc = people_at_hand(u->opener, &p, err);
    rc = rc < 0 ? rc : load_grants(u, &p, err);
    *out = u->grants;
    return rc;
}

/* Grants are not signed: one that opens to something else is passed over, and only named when none is good. */
static int try_grants(struct unlock *u, const struct envelope *header, const struct envelope_keys *keys,
                      const uint8_t mix_key[KEY_LEN], const struct session_name *name, uint8_t k_s[KEY_LEN],
                      uint8_t s[SHARE_LEN], struct error *bad)
{
    const struct grant_entry *e = NULL;
    size_t pos = 0;
    while ((e = grant_set_next(u->grants, name->writer_id, name->session, &pos)) != NULL) {
        struct envelope env;
        struct error why = ERROR_INIT;
        int rc = envelope_parse_grant(e->envelope, e->envelope_len, &env, &why);
        if (rc == 0 && memcmp(env.kid, header->kid, KID_LEN) != 0)
            rc = error_corrupt(&why, ERR_ENVELOPE_KID, "session %u: a grant is for another key",
                               name->session);
        rc = rc < 0 ? rc : envelope_open_with(&env, keys, mix_key, name, k_s, s, &why);
        if (rc == 0) {
            u->by_grant++;
            return 0;
        }
        if (rc != E_AUTH && rc != E_CORRUPT)
            return error_copy(bad, &why);
        if (rc == E_CORRUPT && bad->code == 0)
            *bad = why;
    }
    return E_AUTH;
}

int unlock_session(struct unlock *u, const struct envelope *env, const uint8_t mix_key[KEY_LEN],
                   const struct session_name *name, uint8_t k_s[KEY_LEN], uint8_t s[SHARE_LEN],
                   struct error *err)
{
    const struct opener *o = u->opener;
    const struct envelope_keys keys = { .sks = o->sks, .n = o->nsks, .opened = o->opened };
    struct people p;
    struct error why = ERROR_INIT;
    struct error bad = ERROR_INIT;
    int rc = envelope_open_with(env, &keys, mix_key, name, k_s, s, &why);
    if (rc == 0)
        return 0;
    if (rc != E_AUTH)
        return error_copy(err, &why);
    rc = people_at_hand(o, &p, err);
    rc = rc < 0 ? rc : load_grants(u, &p, err);
    if (rc < 0)
        return rc;
    rc = try_grants(u, env, &keys, mix_key, name, k_s, s, &bad);
    if (rc == 0)
        return 0;
    if (bad.code != 0)
        return error_copy(err, &bad);
    if (u->grants->damage.len != 0) {
        const struct grant_damage *d = vec_at(&u->grants->damage, 0);
        (void)error_copy(err, &d->why);
        return error_wrap(err, "session %u is not sealed to this kit, and a grant is damaged: %s",
                          name->session, d->where);
    }
    return refuse(u, env, name, &p, err);
}

/* ---- a share alone --------------------------------------------------------------------------------------- */

static int try_share(const struct people *p, const struct envelope *env, const struct envelope_share *share,
                     const struct session_name *name, bool *found, struct error *err)
{
    uint8_t bytes[SHARE_LEN];
    int rc = 0;
    for (size_t k = 0; rc == 0 && k < p->own; k++) {
        if (memcmp(share->rid, p->rid[k], RID_LEN) != 0)
            continue;
        *found = true;
        rc = envelope_share_open(env, share, p->sk[k], name, bytes, err);
    }
    secret_wipe(bytes, sizeof bytes);
    return rc;
}

int unlock_share(const struct unlock *u, const struct envelope *env, const struct session_name *name,
                 struct error *err)
{
    struct people p;
    bool found = false;
    int rc = people_at_hand(u->opener, &p, err);
    for (unsigned g = 0; rc == 0 && g < env->n; g++)
        for (unsigned i = 0; rc == 0 && i < env->group[g].n; i++)
            rc = try_share(&p, env, &env->group[g].share[i], name, &found, err);
    return rc == 0 && !found ? error_set(err, E_AUTH, "session %u has no share for these keys", name->session)
                             : rc;
}
