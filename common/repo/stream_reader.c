#include "common/repo/stream_reader.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/crypto/hash.h"
#include "common/repo/node.h"
#include "common/base/banned.h"

struct level {
    struct node node;
    uint32_t item; /* the next one */
};

struct stream_reader {
    struct source source;
    struct fetcher *fetcher;
    const struct snap_view *view;
    struct stream_ref ref;
    struct check_state *check;
    uint64_t done;
    struct level levels[NODE_LEVEL_MAX + 1]; /* by node level; the current node of each */
    unsigned top;                            /* level of the top node */
    bool started;
    bool checked;
    struct blob_ref blob; /* of the extent in progress */
    uint32_t offset;
    uint32_t left;
};

static int load_node(struct stream_reader *r, unsigned level, const struct blob_ref *ref, uint64_t len,
                     struct error *err)
{
    const uint8_t *plain = NULL;
    struct level *l = &r->levels[level];
    node_free(&l->node);
    l->item = 0;
    int rc = fetcher_blob(r->fetcher, r->view, BLOB_NODE, ref, &plain, err);
    if (rc == 0)
        rc = node_decode(plain, ref->plen, level, len, &l->node, err);
    if (rc == 0)
        rc = fetcher_prefetch(r->fetcher, r->view, level == 0 ? BLOB_DATA : BLOB_NODE, l->node.blobs,
                              l->node.nblobs, err);
    return rc;
}

/* Finds the next extent: the deepest level that has items left, then down to level 0. 0 at the end, 1 found. */
static int next_extent(struct stream_reader *r, struct error *err)
{
    unsigned level = 0;
    while (level <= r->top && r->levels[level].item == r->levels[level].node.nitems)
        level++;
    if (level > r->top)
        return 0;
    for (; level > 0; level--) {
        struct level *l = &r->levels[level];
        const struct node_item *item = &l->node.items[l->item++];
        int rc = load_node(r, level - 1, &l->node.blobs[item->blob], item->len, err);
        if (rc < 0)
            return rc;
    }
    const struct node_item *item = &r->levels[0].node.items[r->levels[0].item++];
    r->blob = r->levels[0].node.blobs[item->blob];
    r->offset = item->offset;
    r->left = (uint32_t)item->len;
    return 1;
}

static int start(struct stream_reader *r, struct error *err)
{
    r->started = true;
    if (r->ref.form == STREAM_TREE) {
        r->top = r->ref.level;
        return load_node(r, r->top, &r->ref.blob, r->ref.len, err);
    }
    if (r->ref.form == STREAM_DIRECT) {
        r->blob = r->ref.blob;
        r->offset = r->ref.offset;
        r->left = (uint32_t)r->ref.len;
    }
    return 0;
}

static int finish(struct stream_reader *r, struct error *err)
{
    uint8_t check[CHECK_LEN];
    if (r->checked)
        return 0;
    if (r->done != r->ref.len)
        return error_corrupt(err, ERR_STREAM_LENGTH, "the stream has %llu instead of %llu bytes",
                             (unsigned long long)r->done, (unsigned long long)r->ref.len);
    check_final(r->check, check);
    if (r->ref.form != STREAM_EMPTY && memcmp(check, r->ref.check, CHECK_LEN) != 0)
        return error_corrupt(err, ERR_STREAM_CHECK,
                             "the stream was put together wrongly (its check differs)");
    r->checked = true;
    return 0;
}

static int64_t reader_read(struct source *s, void *data, size_t cap, struct error *err)
{
    struct stream_reader *r = (struct stream_reader *)s;
    uint8_t *to = data;
    size_t got = 0;
    int rc = r->started ? 0 : start(r, err);
    while (rc == 0 && got < cap) {
        if (r->left == 0) {
            rc = r->ref.form == STREAM_TREE ? next_extent(r, err) : 0;
            if (rc <= 0)
                break;
            rc = 0;
        }
        const uint8_t *plain = NULL;
        rc = fetcher_blob(r->fetcher, r->view, BLOB_DATA, &r->blob, &plain, err);
        if (rc < 0)
            break;
        size_t n = cap - got < r->left ? cap - got : r->left;
        memcpy(to + got, plain + r->offset, n);
        r->offset += (uint32_t)n;
        r->left -= (uint32_t)n;
        got += n;
    }
    if (rc < 0)
        return rc;
    r->done += got;
    if (r->done > r->ref.len)
        return error_corrupt(err, ERR_STREAM_LENGTH, "the stream is longer than its %llu bytes",
                             (unsigned long long)r->ref.len);
    check_update(r->check, to, got);
    if (got == 0)
        return finish(r, err);
    return (int64_t)got;
}

static void reader_free(struct source *s)
{
    struct stream_reader *r = (struct stream_reader *)s;
    for (size_t i = 0; i <= NODE_LEVEL_MAX; i++)
        node_free(&r->levels[i].node);
    check_free(r->check);
    free(r);
}

struct source *stream_reader(struct fetcher *f, const struct snap_view *view, const struct stream_ref *ref,
                             struct error *err)
{
    if (ref->form == STREAM_DIRECT && (uint64_t)ref->offset + ref->len > ref->blob.plen) {
        (void)error_corrupt(err, ERR_STREAM_REFERENCE, "a direct stream reaches beyond its blob");
        return NULL;
    }
    struct stream_reader *r = mem_alloc(1, sizeof *r, err);
    if (r == NULL)
        return NULL;
    r->source = (struct source){ .read = reader_read, .free = reader_free };
    r->fetcher = f;
    r->view = view;
    r->ref = *ref;
    r->check = check_new(err);
    if (r->check == NULL) {
        reader_free(&r->source);
        return NULL;
    }
    return &r->source;
}

/* Depth is bounded by the level, which only falls. */
static int visit_node(struct fetcher *f, const struct snap_view *view, unsigned level,
                      const struct blob_ref *ref, uint64_t len, tree_visit_fn *fn, void *arg,
                      struct error *err)
{
    const uint8_t *plain = NULL;
    struct node node = { .nblobs = 0 };
    int rc = fn(arg, BLOB_NODE, ref, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    rc = fetcher_blob(f, view, BLOB_NODE, ref, &plain, err);
    if (rc == 0)
        rc = node_decode(plain, ref->plen, level, len, &node, err);
    if (rc == 0 && level == 0) {
        for (uint32_t i = 0; rc >= 0 && i < node.nblobs; i++)
            rc = fn(arg, BLOB_DATA, &node.blobs[i], err);
    } else if (rc == 0) {
        for (uint32_t i = 0; rc >= 0 && i < node.nitems; i++)
            rc = visit_node(f, view, level - 1, &node.blobs[node.items[i].blob], node.items[i].len, fn, arg,
                            err);
    }
    node_free(&node);
    return rc < 0 ? rc : 0;
}

int stream_visit(struct fetcher *f, const struct snap_view *view, const struct stream_ref *ref,
                 tree_visit_fn *fn, void *arg, struct error *err)
{
    if (ref->form == STREAM_EMPTY)
        return 0;
    if (ref->form == STREAM_DIRECT) {
        int rc = fn(arg, BLOB_DATA, &ref->blob, err);
        return rc < 0 ? rc : 0;
    }
    return visit_node(f, view, ref->level, &ref->blob, ref->len, fn, arg, err);
}
