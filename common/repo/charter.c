#include "common/repo/charter.h"

#include <string.h>

#include "common/base/banned.h"

/* ---- the struct -------------------------------------------------------------------------------------- */

void charter_init(struct charter *c)
{
    *c = (struct charter){ .version = 1,
                           .pack_size = PACK_SIZE_DEFAULT,
                           .recipients = VEC_OF(struct charter_recipient),
                           .groups = VEC_OF(struct charter_group),
                           .writers = VEC_OF(struct charter_writer),
                           .retention = VEC_OF(struct charter_retention),
                           .drills = VEC_OF(struct charter_drill) };
}

void charter_free(struct charter *c)
{
    vec_free(&c->recipients);
    vec_free(&c->groups);
    vec_free(&c->writers);
    vec_free(&c->retention);
    vec_free(&c->drills);
    charter_init(c);
}

static int copy_lines(const struct vec *from, struct vec *to, struct error *err)
{
    for (size_t i = 0; i < from->len; i++) {
        void *item = vec_push(to, err);
        if (item == NULL)
            return E_NOMEM;
        memcpy(item, vec_at(from, i), from->item);
    }
    return 0;
}

int charter_next(const struct charter *from, struct charter *out, struct error *err)
{
    charter_init(out);
    if (copy_lines(&from->recipients, &out->recipients, err) < 0 ||
        copy_lines(&from->groups, &out->groups, err) < 0 ||
        copy_lines(&from->writers, &out->writers, err) < 0 ||
        copy_lines(&from->retention, &out->retention, err) < 0 ||
        copy_lines(&from->drills, &out->drills, err) < 0) {
        charter_free(out);
        return E_NOMEM;
    }
    out->version = from->version + 1;
    out->pack_size = from->pack_size;
    out->min_keep_days = from->min_keep_days;
    memcpy(out->repo_id, from->repo_id, REPO_ID_LEN);
    memcpy(out->root_pk, from->root_pk, SIGN_PK_LEN);
    memcpy(out->prev, from->hash, HASH_LEN);
    return 0;
}

/* ---- from version to version -------------------------------------------------------------------------- */

/* The first writer line whose id is not below `id`. */
static size_t writer_lower(const struct charter *c, const uint8_t id[WRITER_ID_LEN])
{
    size_t lo = 0;
    size_t hi = c->writers.len;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const struct charter_writer *w = vec_at(&c->writers, mid);
        if (memcmp(w->id, id, WRITER_ID_LEN) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static bool keeps_range(uint32_t first, uint32_t last, uint32_t next_first, uint32_t next_last)
{
    return first == next_first && (last == SEQ_OPEN || last == next_last);
}

static bool keeps_writer(const struct charter *next, const struct charter_writer *w)
{
    for (size_t i = writer_lower(next, w->id); i < next->writers.len; i++) {
        const struct charter_writer *n = vec_at(&next->writers, i);
        if (memcmp(n->id, w->id, WRITER_ID_LEN) != 0)
            return false;
        if (memcmp(n->pk, w->pk, SIGN_PK_LEN) == 0 &&
            keeps_range(w->first_seq, w->last_seq, n->first_seq, n->last_seq))
            return true;
    }
    return false;
}

static bool keeps_retention(const struct charter *next, const struct charter_retention *r)
{
    for (size_t i = 0; i < next->retention.len; i++) {
        const struct charter_retention *n = vec_at(&next->retention, i);
        if (memcmp(n->pk, r->pk, SIGN_PK_LEN) == 0 &&
            keeps_range(r->first_seq, r->last_seq, n->first_seq, n->last_seq))
            return true;
    }
    return false;
}

int charter_follows(const struct charter *prev, const struct charter *next, struct error *err)
{
    static const uint8_t zeros[HASH_LEN];
    if (next->version != (prev != NULL ? prev->version + 1 : 1) ||
        memcmp(next->prev, prev != NULL ? prev->hash : zeros, HASH_LEN) != 0)
        return error_corrupt(err, ERR_CHARTER_CHAIN, "charter %u does not continue the version before it",
                             next->version);
    if (prev == NULL)
        return 0;
    if (memcmp(next->repo_id, prev->repo_id, REPO_ID_LEN) != 0)
        return error_corrupt(err, ERR_CHARTER_REPO, "charter %u is of another repository", next->version);
    for (size_t i = 0; i < prev->writers.len; i++)
        if (!keeps_writer(next, vec_at(&prev->writers, i)))
            return error_corrupt(err, ERR_CHARTER_RANGE, "charter %u drops or alters a writer's key or range",
                                 next->version);
    for (size_t i = 0; i < prev->retention.len; i++)
        if (!keeps_retention(next, vec_at(&prev->retention, i)))
            return error_corrupt(err, ERR_CHARTER_RANGE,
                                 "charter %u drops or alters a retention key or range", next->version);
    return 0;
}

/* ---- asking ------------------------------------------------------------------------------------------ */

const struct charter_writer *charter_writer_at(const struct charter *c, const uint8_t id[WRITER_ID_LEN],
                                               uint32_t seq)
{
    for (size_t i = writer_lower(c, id); i < c->writers.len; i++) {
        const struct charter_writer *w = vec_at(&c->writers, i);
        if (memcmp(w->id, id, WRITER_ID_LEN) != 0)
            break;
        if (seq >= w->first_seq && seq <= w->last_seq)
            return w;
    }
    return NULL;
}

const struct charter_writer *charter_writer_last(const struct charter *c, const uint8_t id[WRITER_ID_LEN])
{
    const struct charter_writer *last = NULL;
    for (size_t i = writer_lower(c, id); i < c->writers.len; i++) {
        const struct charter_writer *w = vec_at(&c->writers, i);
        if (memcmp(w->id, id, WRITER_ID_LEN) != 0)
            break;
        last = w;
    }
    return last;
}

bool charter_writer_retired(const struct charter *c, const uint8_t id[WRITER_ID_LEN])
{
    const struct charter_writer *last = charter_writer_last(c, id);
    return last != NULL && last->last_seq != SEQ_OPEN;
}

const uint8_t *charter_retention_key(const struct charter *c, uint32_t seq)
{
    for (size_t i = 0; i < c->retention.len; i++) {
        const struct charter_retention *r = vec_at(&c->retention, i);
        if (seq >= r->first_seq && seq <= r->last_seq)
            return r->pk;
    }
    return NULL;
}

const struct charter_recipient *charter_recipient_find(const struct charter *c, const uint8_t rid[RID_LEN])
{
    for (size_t i = 0; i < c->recipients.len; i++) {
        const struct charter_recipient *r = vec_at(&c->recipients, i);
        if (memcmp(r->rid, rid, RID_LEN) == 0)
            return r;
    }
    return NULL;
}

int charter_recipients(const struct charter *c, uint64_t now, struct recipients *out, struct error *err)
{
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < c->groups.len && out->n < ENVELOPE_GROUPS_MAX; i++) {
        const struct charter_group *g = vec_at(&c->groups, i);
        struct recipient_group *to = &out->group[out->n];
        bool usable = true;
        to->n = 0;
        for (unsigned k = 0; k < g->n && usable; k++) {
            const struct charter_recipient *r = charter_recipient_find(c, g->rid[k]);
            usable = r != NULL && (r->expires == 0 || now < r->expires);
            if (!usable)
                break;
            memcpy(to->share[k].rid, r->rid, RID_LEN);
            memcpy(to->share[k].pk, r->pk, BOX_PK_LEN);
            to->n = k + 1;
        }
        out->n += usable;
    }
    if (out->n == 0)
        return error_set(err, E_USAGE,
                         "charter %u: every group names an expired recipient; sign a new charter",
                         c->version);
    return 0;
}
