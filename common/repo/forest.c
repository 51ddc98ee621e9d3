/* The trees of all streams, from level-0 nodes to one top each. */
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/repo/session_internal.h"
#include "common/repo/snap.h"
#include "common/base/banned.h"

int session_use_blob(struct session *s, uint32_t number, struct error *err)
{
    while (s->used.len <= number / 64)
        if (vec_push(&s->used, err) == NULL)
            return E_NOMEM;
    *(uint64_t *)vec_at(&s->used, number / 64) |= (uint64_t)1 << (number % 64);
    return 0;
}

int session_packs_used(struct session *s, struct vec *out, struct error *err)
{
    for (size_t word = 0; word < s->used.len; word++) {
        uint64_t bits = *(uint64_t *)vec_at(&s->used, word);
        for (; bits != 0; bits &= bits - 1) {
            struct cache_pack_name in;
            uint32_t number = (uint32_t)(word * 64) + (uint32_t)__builtin_ctzll(bits);
            /* The last look before it counts: nothing is published that needs an unconfirmed pack. */
            if (cache_pack_of(s->cache, number, &in) != 1)
                return error_set(err, E_INTERNAL, "blob %u is in no confirmed pack", number);
            /* Neighbours share packs: most repetitions end here. */
            struct pack_key *last = out->len != 0 ? vec_at(out, out->len - 1) : NULL;
            if (last != NULL && last->session == in.session && last->idx == in.idx)
                continue;
            struct pack_key *slot = vec_push(out, err);
            if (slot == NULL)
                return E_NOMEM;
            *slot = (struct pack_key){ .session = in.session, .idx = in.idx };
        }
    }
    vec_sort(out, pack_key_compare);
    size_t kept = 0;
    for (size_t i = 0; i < out->len; i++) {
        struct pack_key key = *(struct pack_key *)vec_at(out, i);
        if (kept == 0 || pack_key_compare(vec_at(out, kept - 1), &key) != 0)
            *(struct pack_key *)vec_at(out, kept++) = key;
    }
    out->len = kept;
    return 0;
}

int session_close_blob(struct session *s, struct error *err)
{
    struct blob_job *job = s->open_blob;
    if (job == NULL)
        return 0;
    s->open_blob = NULL;
    return pipeline_put(s->pipeline, job, err);
}

static int resolve(void *arg, uint32_t blob, struct blob_ref *ref, struct error *err)
{
    int rc = cache_ref(arg, blob, ref, err);
    if (rc > 0)
        return 0;
    return rc < 0 ? rc : error_set(err, E_INTERNAL, "blob %u has no place yet", blob);
}

/* 1 when every blob of the plan has its place. */
static int plan_is_ready(struct session *s, const struct node_plan *plan, struct error *err)
{
    for (size_t i = 0; i < plan->blobs.len; i++) {
        struct blob_ref ref;
        int rc = cache_ref(s->cache, *(uint32_t *)vec_at(&plan->blobs, i), &ref, err);
        if (rc <= 0)
            return rc;
    }
    return 1;
}

/* Finds the node among those stored, or sends it. *number is its blob. */
static int put_node(struct session *s, const struct node_plan *plan, uint32_t *number, struct error *err)
{
    uint8_t id[CHUNK_ID_LEN];
    struct cache_hit hit = { .blob = 0 };
    struct blob_job *job = blob_job_new(0, BLOB_NODE, err);
    int rc = job != NULL ? node_encode(plan, resolve, s->cache, &job->plain, err) : E_NOMEM;
    if (rc == 0)
        rc = hash_keyed(PERSON_TREE, session_keys(s)->chunk_key, KEY_LEN, job->plain.data, job->plain.len, id,
                        sizeof id, err);
    if (rc == 0)
        rc = cache_lookup(s->cache, id, (uint32_t)job->plain.len, BLOB_NODE, NULL, &hit, err);
    if (rc >= 0)
        hit.length = (uint32_t)job->plain.len;
    if (rc == 1) {
        *number = hit.blob;
        rc = 0;
    } else if (rc == 0) {
        rc = cache_blob_begin(s->cache, BLOB_NODE, &job->number, err);
        if (rc == 0)
            rc = cache_blob_chunk(s->cache, job->number, id, (uint32_t)job->plain.len, err);
        struct chunk_entry *chunk = rc == 0 ? vec_push(&job->chunks, err) : NULL;
        if (chunk != NULL) {
            memcpy(chunk->id, id, sizeof id);
            chunk->len = (uint32_t)job->plain.len;
            *number = job->number;
            struct blob_job *sent = job;
            job = NULL;
            rc = pipeline_put(s->pipeline, sent, err);
        } else if (rc == 0) {
            rc = E_NOMEM;
        }
    }
    blob_job_free(job);
    hit = (struct cache_hit){ .blob = *number, .length = hit.length };
    rc = rc < 0 ? rc : cache_drain_use(s->cache, &hit, err);
    return rc < 0 ? rc : session_use_blob(s, *number, err);
}

static int settle_node(struct session *s, struct tree *t, size_t child, const struct node_plan *plan,
                       struct error *err)
{
    uint32_t number = 0;
    int rc = put_node(s, plan, &number, err);
    if (rc < 0)
        return rc;
    struct tree_child *c = vec_at(&t->children, child);
    c->number = number;
    c->known = true;
    return 0;
}

int forest_add_node(struct tree *t, struct node_plan *plan, const uint8_t cut_id[CHUNK_ID_LEN],
                    struct error *err)
{
    struct session *s = t->session;
    struct tree_child *c = vec_push(&t->children, err);
    int rc = c != NULL ? plan_is_ready(s, plan, err) : E_NOMEM;
    if (c != NULL) {
        c->len = plan->len;
        memcpy(c->cut_id, cut_id, CHUNK_ID_LEN);
    }
    if (rc == 1) {
        rc = settle_node(s, t, t->children.len - 1, plan, err);
    } else if (rc == 0) {
        struct pending_node *wait = vec_push(&s->pending, err);
        if (wait != NULL) {
            *wait = (struct pending_node){ .plan = *plan, .tree = t, .child = t->children.len - 1 };
            return 0;
        }
        rc = E_NOMEM;
    }
    node_plan_free(plan);
    return rc;
}

static int take_events(struct session *s, bool *moved, struct error *err)
{
    struct vec placed = VEC_OF(struct placed_blob);
    struct vec stored = VEC_OF(struct stored_pack);
    int failed = pipeline_take(s->pipeline, &placed, &stored, err);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < placed.len; i++) {
        const struct placed_blob *p = vec_at(&placed, i);
        rc = cache_blob_place(s->cache, p->number, &p->ref, failed < 0 ? NULL : err);
    }
    for (size_t i = 0; i < stored.len; i++) {
        struct stored_pack *p = vec_at(&stored, i);
        if (rc == 0)
            rc = cache_pack_confirm(s->cache, p->session, p->idx, p->attempt, p->size, p->hash, p->blobs.data,
                                    p->blobs.len, failed < 0 ? NULL : err);
        s->stored += p->size;
        s->packs++;
        vec_free(&p->blobs);
    }
    *moved = placed.len != 0;
    vec_free(&placed);
    vec_free(&stored);
    return failed < 0 ? failed : rc;
}

static int send_ready_nodes(struct session *s, struct error *err)
{
    size_t kept = 0;
    int rc = 0;
    for (size_t i = 0; i < s->pending.len; i++) {
        struct pending_node *p = vec_at(&s->pending, i);
        int ready = rc == 0 ? plan_is_ready(s, &p->plan, err) : 0;
        if (ready < 0)
            rc = ready;
        if (ready == 1)
            rc = settle_node(s, p->tree, p->child, &p->plan, err);
        if (ready == 1)
            node_plan_free(&p->plan);
        else
            *(struct pending_node *)vec_at(&s->pending, kept++) = *p;
    }
    s->pending.len = kept;
    return rc;
}

int session_progress(struct session *s, struct error *err)
{
    bool moved = false;
    int rc = take_events(s, &moved, err);
    if (rc == 0 && moved)
        rc = send_ready_nodes(s, err);
    return rc;
}

static int settle_all(struct session *s, struct error *err)
{
    int rc = pipeline_settle(s->pipeline, err);
    return rc < 0 ? rc : session_progress(s, err);
}

/* Replaces the children by nodes of the next level over them. */
static int raise_tree(struct session *s, struct tree *t, struct error *err)
{
    struct vec below = t->children;
    struct node_builder b;
    int rc = 0;
    if (t->level >= NODE_LEVEL_MAX)
        return error_set(err, E_UNSUPPORTED, "stream %s needs more than %d levels", t->name, NODE_LEVEL_MAX);
    t->children = (struct vec)VEC_OF(struct tree_child);
    t->level++;
    node_builder_init(&b, t->level);
    for (size_t i = 0; rc == 0 && i < below.len; i++) {
        const struct tree_child *c = vec_at(&below, i);
        rc = node_add_child(&b, c->number, c->len, err);
        bool last = i + 1 == below.len;
        if (rc == 0 && (last || node_cut_here(&b, c->cut_id, t->chunk_avg))) {
            struct node_plan plan;
            node_take(&b, &plan);
            rc = forest_add_node(t, &plan, c->cut_id, err);
        }
    }
    node_builder_free(&b);
    vec_free(&below);
    (void)s;
    return rc;
}

/* Raises each unfinished tree by one level; *more tells whether any was. */
static int raise_trees(struct session *s, bool *more, struct error *err)
{
    *more = false;
    for (size_t i = 0; i < s->trees.len; i++) {
        struct tree *t = *(struct tree **)vec_at(&s->trees, i);
        if (t->grown || !t->ended)
            continue;
        if (t->children.len == 1) {
            t->grown = true;
            continue;
        }
        int rc = raise_tree(s, t, err);
        if (rc < 0)
            return rc;
        *more = true;
    }
    return 0;
}

int forest_grow(struct session *s, struct error *err)
{
    bool more = true;
    int rc = session_close_blob(s, err);
    while (rc == 0 && more) {
        rc = settle_all(s, err);
        /* Nodes that became possible were sent; they need places before the level above. */
        if (rc == 0)
            rc = settle_all(s, err);
        if (rc == 0 && s->pending.len != 0)
            rc = error_set(err, E_INTERNAL, "%zu nodes without places", s->pending.len);
        if (rc == 0)
            rc = raise_trees(s, &more, err);
    }
    return rc;
}

int tree_reference(struct session *s, const struct tree *t, struct stream_ref *out, struct error *err)
{
    memset(out, 0, sizeof *out);
    out->form = (uint8_t)t->form;
    if (t->form == STREAM_EMPTY)
        return 0;
    out->len = t->len;
    memcpy(out->check, t->check, sizeof out->check);
    if (t->form == STREAM_DIRECT) {
        out->offset = t->direct.offset;
        return resolve(s->cache, t->direct.blob, &out->blob, err);
    }
    const struct tree_child *top = vec_at(&t->children, 0);
    out->level = (uint8_t)t->level;
    return resolve(s->cache, top->number, &out->blob, err);
}

void tree_free(struct tree *t)
{
    if (t == NULL)
        return;
    if (t->entry == NULL)
        free(t->name);
    free(t->entry);
    free(t->facts);
    vec_free(&t->children);
    free(t);
}
