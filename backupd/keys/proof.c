#include "backupd/keys/proof.h"

#include <stdio.h>
#include <string.h>

#include "common/base/str.h"
#include "common/repo/names.h"
#include "common/repo/object.h"
#include "common/sys/interrupt.h"

#include "common/base/banned.h"

struct proving {
    const struct repo *repo;
    const struct repo_writer *w;
    const struct opener *opener;
    const uint8_t (*rids)[RID_LEN];
    size_t nrids;
    struct fetcher *fetcher;
    struct secret *v_w;
    struct proof *out;
};

static bool mine(const struct proving *p, const uint8_t rid[RID_LEN])
{
    for (size_t i = 0; i < p->nrids; i++)
        if (memcmp(p->rids[i], rid, RID_LEN) == 0)
            return true;
    return false;
}

/* Whether the charter of this record made its writer seal the session to these recipients. */
static bool must_open(const struct proving *p, const struct repo_record *r)
{
    struct recipients to;
    const struct charter *c = vec_at(&p->repo->charters, r->rec.charter - 1);
    if (charter_recipients(c, r->rec.time, &to, NULL) < 0)
        return false;
    for (unsigned g = 0; g < to.n; g++) {
        bool all = true;
        for (unsigned k = 0; k < to.group[g].n; k++)
            all = all && mine(p, to.group[g].share[k].rid);
        if (all)
            return true;
    }
    return false;
}

static int open_pack(const struct proving *p, const struct record_pack *pack, struct error *why)
{
    uint8_t head[HEADER_MAX];
    char name[NAME_TEXT_MAX];
    struct object_header h;
    const uint8_t *key = NULL;
    name_pack(name, p->w->id, pack->session, pack->idx, pack->attempt);
    int rc = backend_read(p->repo->backend, name, 0, head, sizeof head, why);
    if (rc == 0)
        rc = object_header_parse(OBJECT_PACK, head, sizeof head, &h, why);
    if (rc == 0)
        rc = object_header_expect(OBJECT_PACK, &h, p->repo->repo_id, p->w->id, pack->session, pack->idx, why);
    return rc == 0 ? fetcher_session_key(p->fetcher, &h, &key, why) : rc;
}

/* Keys of a group of several people: whether their share of the session opens. */
static int open_share(const struct proving *p, const struct repo_record *r, struct error *why)
{
    struct snapshot *s = NULL;
    int rc = snapshot_load(p->repo, p->w, r, &s, why);
    rc = rc < 0 ? rc : fetcher_session_share(p->fetcher, &s->parts.header, why);
    snapshot_free(s);
    return rc;
}

static bool is_verdict(int rc)
{
    return rc == E_AUTH || rc == E_CORRUPT || rc == E_NOT_FOUND || rc == E_UNSUPPORTED;
}

/* One pack of each session that the record introduces and that is not deleted: an expired snapshot's session may
 * still hold what later ones need. *asked counts them. */
static int open_packs(const struct proving *p, const struct repo_record *r, size_t *asked, struct error *why)
{
    uint32_t session = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < r->rec.packs.len; i++) {
        const struct record_pack *pack = vec_at(&r->rec.packs, i);
        struct repo_item item = repo_item_find(p->repo, p->w->id, pack->session, pack->idx, pack->attempt);
        if (pack->session == session || item.deleted != 0)
            continue;
        session = pack->session;
        (*asked)++;
        rc = open_pack(p, pack, why);
    }
    return rc;
}

/* A snapshot that shares data with sessions which are not sealed to these keys cannot be restored with them. */
static int open_shared(const struct proving *p, const struct snapshot *s, struct error *err)
{
    uint32_t session = 0;
    for (size_t i = 0; i < s->view.packs.len; i++) {
        const struct pack_key *k = vec_at(&s->view.packs, i);
        const struct record_pack *pack =
            k->session != session ? repo_pack_find(p->w, k->session, k->idx, NULL) : NULL;
        struct error why = ERROR_INIT;
        session = k->session;
        int rc = pack != NULL ? open_pack(p, pack, &why) : 0;
        if (rc == E_AUTH) {
            p->out->partial++;
            return 0;
        }
        if (rc < 0 && !is_verdict(rc)) /* a verdict about that session is told where its record is asked */
            return error_copy(err, &why);
    }
    return 0;
}

static int open_snapshot(const struct proving *p, const struct repo_record *r, bool newest,
                         char name[SNAPSHOT_NAME_MAX], struct error *why)
{
    struct snapshot *s = NULL;
    int rc = snapshot_load(p->repo, p->w, r, &s, why);
    if (rc == 0)
        rc = snapshot_open_view(s, p->v_w, why);
    if (s != NULL && rc == 0) {
        (void)snapshot_name(s, name);
        rc = snapshot_open(s, p->fetcher, why);
    }
    if (rc == 0 && newest)
        rc = open_shared(p, s, why);
    snapshot_free(s);
    return rc;
}

static void failed(const struct proving *p, const struct repo_record *r, const char *name,
                   const struct error *why)
{
    char hex[2 * WRITER_ID_LEN + 1];
    hex_encode(hex, p->w->id, WRITER_ID_LEN);
    if (p->out->failed++ > 0)
        return;
    (void)snprintf(p->out->first, sizeof p->out->first, "%s (writer %s, record %u)", name, hex, r->rec.seq);
    memcpy(p->out->reason, why->text, sizeof why->text);
}

static int prove(struct proving *p, const struct repo_record *r, bool newest, struct error *err)
{
    struct error why = ERROR_INIT;
    char name[SNAPSHOT_NAME_MAX];
    size_t asked = 0;
    bool live = repo_record_live(r);
    bool wanted = must_open(p, r);
    (void)snprintf(name, sizeof name, "?/%u", r->rec.session);
    int rc = live ? open_snapshot(p, r, newest, name, &why) : 0;
    if (rc == 0)
        rc = open_packs(p, r, &asked, &why);
    if (rc < 0 && !is_verdict(rc))
        return error_copy(err, &why);
    if (!live && asked == 0)
        return 0; /* nothing of it is left */
    p->out->sessions++;
    if (rc == E_AUTH && live && !wanted) {
        struct error how = ERROR_INIT;
        int share = open_share(p, r, &how);
        if (share == 0) {
            p->out->shared++;
            return 0;
        }
        if (share != E_AUTH && is_verdict(share)) {
            failed(p, r, name, &how);
            return 0;
        }
        if (share != E_AUTH)
            return error_copy(err, &how);
    }
    p->out->opened += rc == 0;
    p->out->foreign += rc == E_AUTH && !wanted;
    if (rc == 0 && live && r->rec.time >= p->out->newest_time) {
        memcpy(p->out->newest, name, sizeof name);
        p->out->newest_time = r->rec.time;
    }
    if (rc < 0 && (rc != E_AUTH || wanted))
        failed(p, r, name, &why);
    return 0;
}

static int prove_writer(struct proving *p, bool newest, struct error *err)
{
    int rc = 0;
    p->v_w = view_key_derive(p->opener->v, p->w->id, err);
    p->fetcher = p->v_w != NULL ? fetcher_new(p->repo, p->w, p->opener, 0, err) : NULL;
    if (p->fetcher == NULL)
        rc = err->code < 0 ? err->code : E_NOMEM;
    bool first = true; /* live one, from the end */
    for (size_t i = p->w->records.len; rc == 0 && i > 0; i--) {
        const struct repo_record *r = vec_at(&p->w->records, i - 1);
        bool live = repo_record_live(r);
        if (newest && !live)
            continue;
        rc = interrupt_check(err);
        if (rc == 0)
            rc = prove(p, r, live && first, err);
        first = first && !live;
        if (newest)
            break;
    }
    fetcher_free(p->fetcher);
    secret_free(p->v_w);
    return rc;
}

int proof_run(const struct repo *repo, const struct opener *opener, const uint8_t (*rids)[RID_LEN],
              size_t nrids, bool newest, struct proof *out, struct error *err)
{
    int rc = 0;
    struct error why = ERROR_INIT;
    memset(out, 0, sizeof *out);
    for (size_t i = 0; rc == 0 && i < repo->writers.len; i++) {
        struct proving p = { .repo = repo,
                             .w = vec_at(&repo->writers, i),
                             .opener = opener,
                             .rids = rids,
                             .nrids = nrids,
                             .out = out };
        rc = prove_writer(&p, newest, &why);
    }
    return rc < 0 ? error_copy(err, &why) : 0;
}
