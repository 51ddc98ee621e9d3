/* Bytes -> chunks -> extents -> level-0 nodes. */
#include <stdlib.h>
#include <string.h>

#include "common/archive/catalog_path.h"
#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/repo/session_internal.h"
#include "common/base/banned.h"

struct stream_writer {
    struct session *session;
    struct tree *tree;
    struct buf pending; /* bytes that are not cut yet */
    struct node_builder nodes;
    struct cache_hit last; /* the extent before, for continuity */
    bool has_last;
    bool dedup;
    uint64_t extents;
    uint64_t fresh_before; /* of the session, see new_bytes() */
    uint8_t cut_id[CHUNK_ID_LEN];
};

enum { CONTENT_AVG = 2048, SESSION_STREAMS_MAX = 1 << 26, NAME_MAX_PLAIN = 4096 };

static uint32_t average(const struct session *s, const struct session_stream_options *o)
{
    if (s->options.chunk_avg != 0)
        return s->options.chunk_avg;
    return o->chunk_avg != 0 ? o->chunk_avg : CONTENT_AVG;
}

static int use_chunker(struct session *s, const struct session_stream_options *o, struct error *err)
{
    uint32_t avg = average(s, o);
    uint32_t page_size = s->options.force_content ? 0 : o->page_size;
    if (s->chunker != NULL && s->chunker_page == page_size && (page_size != 0 || s->chunker_avg == avg))
        return 0;
    struct chunker_params params = { .page_size = page_size, .min = avg / 4, .avg = avg, .max = avg * 4 };
    chunker_free(s->chunker);
    s->chunker = chunker_new(&params, session_keys(s)->cdc_key, err);
    s->chunker_page = page_size;
    s->chunker_avg = avg;
    return s->chunker != NULL ? 0 : E_NOMEM;
}

/* Streams of databases have names for people; the names of files are whatever bytes they are. */
static bool name_is_good(const char *name, bool any_bytes)
{
    size_t len = strlen(name);
    return catalog_path_fault(name, len) == NULL &&
           (any_bytes || (len <= NAME_MAX_PLAIN && utf8_valid(name, len)));
}

int session_check_name(const struct session *s, const char *name, const struct catalog_entry *entry,
                       struct error *err)
{
    char shown[128];
    if (s->stream != NULL)
        return error_set(err, E_INTERNAL, "a stream is still open");
    if (!name_is_good(name, entry != NULL))
        return error_set(err, E_USAGE, "'%s' is no name for a stream",
                         str_printable(shown, sizeof shown, name));
    if (s->trees.len >= SESSION_STREAMS_MAX)
        return error_set(err, E_UNSUPPORTED, "more than %d members in one snapshot", SESSION_STREAMS_MAX);
    return 0;
}

struct tree *session_add_tree(struct session *s, const char *name, const struct catalog_entry *entry,
                              struct error *err)
{
    struct tree *t = mem_alloc(1, sizeof *t, err);
    if (t == NULL)
        return NULL;
    t->session = s;
    t->children = (struct vec)VEC_OF(struct tree_child);
    if (entry != NULL) {
        t->entry = catalog_entry_copy(entry, err);
        t->name =
            t->entry != NULL ? (char *)(uintptr_t)t->entry->path : NULL; /* into the copy, which is ours */
    } else {
        t->name = str_dup(name, err);
    }
    struct tree **slot = t->name != NULL ? vec_push(&s->trees, err) : NULL;
    if (slot == NULL) {
        tree_free(t);
        return NULL;
    }
    *slot = t;
    return t;
}

static struct tree *tree_new(struct session *s, const struct session_stream_options *o, struct error *err)
{
    struct tree *t = session_add_tree(s, o->name, o->entry, err);
    if (t == NULL)
        return NULL;
    t->mode_bits = o->mode_bits;
    t->chunk_avg = s->chunker_page != 0 ? s->chunker_page : s->chunker_avg;
    return t;
}

int session_member(struct session *s, const struct catalog_entry *entry, struct error *err)
{
    int rc = session_check_name(s, entry->path, entry, err);
    if (rc < 0)
        return rc;
    if (entry->type == CATALOG_REGULAR)
        return error_set(err, E_INTERNAL, "a regular file is a stream");
    struct tree *t = session_add_tree(s, entry->path, entry, err);
    if (t == NULL)
        return E_NOMEM;
    t->form = STREAM_EMPTY;
    t->grown = t->ended = true;
    return 0;
}

/* New bytes of the source so far: what is stored again, although it is there, is none. */
static uint64_t new_bytes(const struct session *s)
{
    struct cache_again again = cache_stored_again(s->cache);
    uint64_t twice = again.alone + again.drain;
    return s->fresh > twice ? s->fresh - twice : 0;
}

int session_stream(struct session *s, const struct session_stream_options *o, struct stream_writer **out,
                   struct error *err)
{
    const char *name = o->entry != NULL ? o->entry->path : o->name;
    int rc = session_check_name(s, name, o->entry, err);
    if (rc == 0)
        rc = use_chunker(s, o, err);
    if (rc < 0)
        return rc;
    struct stream_writer *w = mem_alloc(1, sizeof *w, err);
    if (w == NULL)
        return E_NOMEM;
    w->session = s;
    w->dedup = !o->no_dedup;
    node_builder_init(&w->nodes, 0);
    s->stream = w;
    w->tree = tree_new(s, o, err);
    if (w->tree == NULL)
        return E_NOMEM;
    /* A blob either has chunk ids for all its bytes or for none. */
    if (s->open_blob != NULL && s->open_dedup != w->dedup)
        rc = session_close_blob(s, err);
    if (rc == 0)
        rc = cache_stream_begin(s->cache, name, err);
    /* Pages and files of a tree are many small pieces of one thing; a table is wanted alone. */
    if (rc == 0 && w->dedup && o->page_size == 0 && o->entry == NULL && !s->options.scattered)
        rc = cache_stream_alone(s->cache, err);
    check_reset(s->check);
    w->fresh_before = new_bytes(s);
    *out = w;
    return rc;
}

/* Makes sure that a blob is open that takes len more bytes. */
static int room_for(struct stream_writer *w, size_t len, struct error *err)
{
    struct session *s = w->session;
    struct blob_job *job = s->open_blob;
    int rc = 0;
    if (job != NULL && (job->plain.len + len > BLOB_TARGET || job->chunks.len >= BLOB_CHUNKS_MAX))
        rc = session_close_blob(s, err);
    if (rc < 0 || s->open_blob != NULL)
        return rc;
    uint32_t number = 0;
    rc = cache_blob_begin(s->cache, BLOB_DATA, &number, err);
    if (rc < 0)
        return rc;
    s->open_blob = blob_job_new(number, BLOB_DATA, err);
    s->open_dedup = w->dedup;
    if (s->open_blob == NULL)
        return E_NOMEM;
    return buf_reserve(&s->open_blob->plain, BLOB_TARGET, err);
}

/* A chunk nobody has: into the open blob. */
static int store_chunk(struct stream_writer *w, const uint8_t *data, size_t len, const uint8_t *id,
                       struct cache_hit *out, struct error *err)
{
    struct session *s = w->session;
    int rc = room_for(w, len, err);
    if (rc < 0)
        return rc;
    struct blob_job *job = s->open_blob;
    *out = (struct cache_hit){ .blob = job->number,
                               .offset = (uint32_t)job->plain.len,
                               .length = (uint32_t)len };
    rc = buf_append(&job->plain, data, len, err);
    if (rc == 0 && w->dedup) {
        struct chunk_entry *slot = vec_push(&job->chunks, err);
        if (slot == NULL)
            return E_NOMEM;
        memcpy(slot->id, id, CHUNK_ID_LEN);
        slot->len = (uint32_t)len;
        rc = cache_blob_chunk(s->cache, job->number, id, (uint32_t)len, err);
    }
    s->fresh += len;
    return rc == 0 ? sample_add(s->sample, data, len, err) : rc;
}

static int end_node(struct stream_writer *w, struct error *err)
{
    struct node_plan plan;
    node_take(&w->nodes, &plan);
    return forest_add_node(w->tree, &plan, w->cut_id, err);
}

static int add_extent(struct stream_writer *w, const struct cache_hit *hit, const uint8_t *id,
                      struct error *err)
{
    struct session *s = w->session;
    bool continues =
        w->has_last && w->last.blob == hit->blob && w->last.offset + w->last.length == hit->offset;
    int rc = node_add_extent(&w->nodes, hit->blob, hit->offset, hit->length, err);
    if (rc == 0 && !(w->has_last && w->last.blob == hit->blob))
        rc = session_use_blob(s, hit->blob, err);
    if (rc == 0 && w->dedup)
        rc = cache_stream_use(s->cache, hit->blob, err);
    if (rc == 0 && w->dedup)
        rc = cache_stream_add(s->cache, hit->blob, hit->length, err);
    if (rc == 0)
        rc = cache_drain_use(s->cache, hit, err);
    if (rc < 0)
        return rc;
    if (w->extents == 0)
        w->tree->direct = *hit;
    else if (continues && w->extents == 1)
        w->tree->direct.length += hit->length;
    if (!continues)
        w->extents++;
    w->last = *hit;
    w->has_last = true;
    if (id != NULL)
        memcpy(w->cut_id, id, CHUNK_ID_LEN);
    if (node_cut_here(&w->nodes, id, w->tree->chunk_avg))
        rc = end_node(w, err);
    return rc;
}

static int put_piece(struct stream_writer *w, const uint8_t *data, size_t len, const uint8_t *id,
                     struct error *err)
{
    struct cache_hit hit;
    int rc = 0;
    if (w->dedup)
        rc = cache_lookup(w->session->cache, id, (uint32_t)len, BLOB_DATA, w->has_last ? &w->last : NULL,
                          &hit, err);
    if (rc == 0)
        rc = store_chunk(w, data, len, id, &hit, err);
    if (rc < 0)
        return rc;
    return add_extent(w, &hit, w->dedup ? id : NULL, err);
}

/* Chunks above CHUNK_MAX exist only in measurements. Their pieces are named after the whole, so that they
 * match only together, as one large chunk would. */
static int put_large(struct stream_writer *w, const uint8_t *data, size_t len, const uint8_t *whole,
                     struct error *err)
{
    const struct writer_derived *keys = session_keys(w->session);
    int rc = 0;
    for (size_t at = 0; rc == 0 && at < len; at += CHUNK_MAX) {
        size_t n = len - at < CHUNK_MAX ? len - at : CHUNK_MAX;
        uint64_t place = at;
        uint8_t id[CHUNK_ID_LEN];
        struct hash_piece pieces[] = { { whole, CHUNK_ID_LEN }, { &place, sizeof place } };
        rc = hash_pieces(PERSON_CHUNK, keys->chunk_key, KEY_LEN, pieces, 2, id, sizeof id, err);
        if (rc == 0)
            rc = put_piece(w, data + at, n, id, err);
    }
    return rc;
}

static int put_chunk(struct stream_writer *w, const uint8_t *data, size_t len, struct error *err)
{
    uint8_t id[CHUNK_ID_LEN] = { 0 };
    if (w->dedup) {
        int rc = hash_keyed(PERSON_CHUNK, session_keys(w->session)->chunk_key, KEY_LEN, data, len, id,
                            sizeof id, err);
        if (rc < 0)
            return rc;
    }
    return len <= CHUNK_MAX ? put_piece(w, data, len, id, err) : put_large(w, data, len, id, err);
}

static int cut(struct stream_writer *w, bool final, struct error *err)
{
    size_t at = 0;
    int rc = 0;
    while (at < w->pending.len) {
        size_t n = chunker_next(w->session->chunker, w->pending.data + at, w->pending.len - at, final);
        if (n == 0)
            break;
        rc = put_chunk(w, w->pending.data + at, n, err);
        if (rc < 0)
            break;
        at += n;
    }
    buf_consume(&w->pending, at);
    return rc;
}

int stream_write(struct stream_writer *w, const void *data, size_t len, struct error *err)
{
    const uint8_t *p = data;
    if (len > STREAM_LEN_MAX - w->tree->len)
        return error_set(err, E_UNSUPPORTED, "stream %s is longer than 1 PiB", w->tree->name);
    check_update(w->session->check, data, len);
    w->tree->len += len;
    /* Cut in portions, so that the buffer stays small whatever the caller's blocks are. */
    size_t portion = chunker_max(w->session->chunker) + MIB;
    int rc = 0;
    while (rc == 0 && len > 0) {
        size_t n = len < portion ? len : portion;
        rc = buf_append(&w->pending, p, n, err);
        if (rc == 0 && w->pending.len >= MIB)
            rc = cut(w, false, err);
        p += n;
        len -= n;
    }
    if (rc == 0)
        rc = session_progress(w->session, err);
    return rc;
}

/* empty: nothing; direct: one slice of one blob; tree: everything else. */
static int end_stream(struct stream_writer *w, struct error *err)
{
    struct tree *t = w->tree;
    if (t->len == 0) {
        t->form = STREAM_EMPTY;
        t->grown = true;
        return 0;
    }
    if (w->extents == 1 && t->children.len == 0 && t->direct.length == t->len) {
        struct node_plan unused;
        node_take(&w->nodes, &unused);
        node_plan_free(&unused);
        t->form = STREAM_DIRECT;
        t->grown = true;
        return 0;
    }
    t->form = STREAM_TREE;
    return node_builder_empty(&w->nodes) ? 0 : end_node(w, err);
}

static int take_numbers(const struct stream_writer *w, struct error *err)
{
    struct session *s = w->session;
    uint64_t now = new_bytes(s);
    s->last = (struct session_stream_numbers){ .len = w->tree->len,
                                               .fresh = now > w->fresh_before ? now - w->fresh_before : 0 };
    /* The files of a tree are one sample together: most of them alone are too small to say anything. */
    return w->tree->entry != NULL ? 0 : sample_take(s->sample, &s->last.sampled, &s->last.packed, err);
}

int stream_finish(struct stream_writer *w, const char *facts, struct error *err)
{
    struct session *s = w->session;
    struct tree *t = w->tree;
    size_t facts_len = facts != NULL ? strlen(facts) : 0;
    if (facts_len > MEMBER_FACTS_MAX)
        return error_set(err, E_UNSUPPORTED, "stream %s has %zu bytes of facts", t->name, facts_len);
    int rc = cut(w, true, err);
    if (rc == 0)
        rc = end_stream(w, err);
    if (rc == 0)
        rc = cache_stream_end(s->cache, err);
    if (rc == 0 && t->len != 0)
        check_final(s->check, t->check);
    if (rc == 0 && facts_len != 0) {
        t->facts = str_dup(facts, err);
        rc = t->facts != NULL ? 0 : E_NOMEM;
    }
    if (rc < 0)
        return rc;
    t->ended = true;
    s->logical += t->len;
    rc = take_numbers(w, err);
    stream_writer_free(w);
    s->stream = NULL;
    return rc;
}

void session_stream_numbers(const struct session *s, struct session_stream_numbers *out)
{
    *out = s->last;
}

void stream_writer_free(struct stream_writer *w)
{
    if (w == NULL)
        return;
    buf_wipe(&w->pending);
    node_builder_free(&w->nodes);
    free(w);
}
