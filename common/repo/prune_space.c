/* Who needs which pack: for the lists of a record, and for people who ask what a job costs. */
#include <string.h>

#include "common/repo/prune_internal.h"
#include "common/base/banned.h"

int pack_uses_add(struct map *uses, const struct snap_view *view, struct error *err)
{
    for (size_t i = 0; i < view->packs.len; i++) {
        struct pack_use *u = map_put(uses, vec_at(&view->packs, i), NULL, err);
        if (u == NULL)
            return E_NOMEM;
        u->users++;
    }
    return 0;
}

uint32_t pack_uses_of(const struct map *uses, uint32_t session, uint32_t idx)
{
    const struct pack_key key = { .session = session, .idx = idx };
    const struct pack_use *u = map_get(uses, &key);
    return u != NULL ? u->users : 0;
}

uint64_t prune_pack_size(const struct repo_writer *w, uint32_t session, uint32_t idx)
{
    const struct record_pack *in = repo_pack_find(w, session, idx, NULL);
    return in != NULL ? in->size : 0;
}

/* ---- jobs ------------------------------------------------------------------------------------------- */

static struct prune_job *job_of(struct prune *p, size_t first, const struct prune_snapshot *s,
                                struct error *err)
{
    for (size_t i = first; i < p->jobs.len; i++) {
        struct prune_job *j = vec_at(&p->jobs, i);
        if (strcmp(j->label, s->view.label) == 0)
            return j;
    }
    struct prune_job *j = vec_push(&p->jobs, err);
    if (j != NULL) {
        *j = (struct prune_job){ .writer = s->writer };
        memcpy(j->label, s->view.label, sizeof j->label);
    }
    return j;
}

static bool of_job(const struct prune_snapshot *s, const struct prune_job *j)
{
    return s->state == PRUNE_LIVE && strcmp(s->view.label, j->label) == 0;
}

static int account_job(const struct prune *p, const struct prune_writer *pw, const struct map *all,
                       struct prune_job *j, struct error *err)
{
    struct map own = MAP_OF(sizeof(struct pack_key), sizeof(struct pack_use));
    const void *key = NULL;
    const struct pack_use *u = NULL;
    int rc = 0;
    for (size_t i = pw->first; rc == 0 && i < pw->first + pw->count; i++) {
        const struct prune_snapshot *s = prune_snapshot_at(p, i);
        if (!of_job(s, j))
            continue;
        j->snapshots++;
        rc = pack_uses_add(&own, &s->view, err);
    }
    for (size_t pos = 0; rc == 0 && (u = map_next(&own, &pos, &key)) != NULL;) {
        const struct pack_key *k = key;
        uint64_t size = prune_pack_size(pw->w, k->session, k->idx);
        j->needs += size;
        j->unique += pack_uses_of(all, k->session, k->idx) == u->users ? size : 0;
    }
    map_free(&own);
    return rc;
}

static int by_label(const void *a, const void *b)
{
    const struct prune_job *x = a;
    const struct prune_job *y = b;
    int order = memcmp(x->writer->id, y->writer->id, WRITER_ID_LEN);
    return order != 0 ? order : strcmp(x->label, y->label);
}

static void account_snapshot(const struct prune_writer *pw, const struct map *all, struct prune_snapshot *s)
{
    uint32_t alone = s->state == PRUNE_LIVE ? 1 : 0; /* it counts itself when it is live */
    for (size_t i = 0; i < s->view.packs.len; i++) {
        const struct pack_key *k = vec_at(&s->view.packs, i);
        uint64_t size = prune_pack_size(pw->w, k->session, k->idx);
        s->needs += size;
        s->unique += pack_uses_of(all, k->session, k->idx) == alone ? size : 0;
    }
}

static int account_writer(struct prune *p, const struct prune_writer *pw, struct error *err)
{
    struct map all = MAP_OF(sizeof(struct pack_key), sizeof(struct pack_use));
    size_t first = p->jobs.len;
    int rc = 0;
    for (size_t i = pw->first; rc == 0 && i < pw->first + pw->count; i++) {
        const struct prune_snapshot *s = prune_snapshot_at(p, i);
        if (s->state != PRUNE_LIVE)
            continue;
        rc = pack_uses_add(&all, &s->view, err);
        if (rc == 0 && job_of(p, first, s, err) == NULL)
            rc = E_NOMEM;
    }
    for (size_t i = first; rc == 0 && i < p->jobs.len; i++)
        rc = account_job(p, pw, &all, vec_at(&p->jobs, i), err);
    for (size_t i = pw->first; rc == 0 && i < pw->first + pw->count; i++)
        account_snapshot(pw, &all, prune_snapshot_at(p, i));
    map_free(&all);
    return rc;
}

int prune_account(struct prune *p, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < p->writers.len; i++)
        rc = account_writer(p, prune_writer_at(p, i), err);
    vec_sort(&p->jobs, by_label);
    return rc;
}

/* ---- forecast --------------------------------------------------------------------------------------- */

struct marked {
    const size_t *which;
    size_t n;
};

static bool goes(const struct marked *m, size_t at)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->which[i] == at)
            return true;
    return false;
}

/* Packs of what goes that nothing which stays needs. */
static int forecast_writer(const struct prune *p, const struct prune_writer *pw, const struct marked *m,
                           uint64_t *bytes, struct error *err)
{
    struct map stays = MAP_OF(sizeof(struct pack_key), sizeof(struct pack_use));
    struct map leaves = MAP_OF(sizeof(struct pack_key), sizeof(struct pack_use));
    const void *key = NULL;
    int rc = 0;
    for (size_t i = pw->first; rc == 0 && i < pw->first + pw->count; i++) {
        const struct prune_snapshot *s = prune_snapshot_at(p, i);
        if (prune_lives_after(s) && !goes(m, i))
            rc = pack_uses_add(&stays, &s->view, err);
        else if (s->state == PRUNE_LIVE)
            rc = pack_uses_add(&leaves, &s->view, err);
    }
    for (size_t pos = 0; rc == 0 && map_next(&leaves, &pos, &key) != NULL;) {
        const struct pack_key *k = key;
        if (pack_uses_of(&stays, k->session, k->idx) == 0)
            *bytes += prune_pack_size(pw->w, k->session, k->idx);
    }
    map_free(&stays);
    map_free(&leaves);
    return rc;
}

int prune_forecast(const struct prune *p, const size_t *which, size_t n, uint64_t *bytes, struct error *err)
{
    struct marked m = { .which = which, .n = n };
    int rc = 0;
    *bytes = 0;
    for (size_t i = 0; rc == 0 && i < p->writers.len; i++)
        rc = forecast_writer(p, prune_writer_at(p, i), &m, bytes, err);
    return rc;
}
