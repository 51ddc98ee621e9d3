#include "tests/support/golden.h"

#include <stdio.h>
#include <string.h>

#include "common/base/str.h"
#include "common/crypto/hash.h"
#include "common/base/banned.h"

enum { KEEP_MAX = 20000 }; /* expected streams up to this length are kept whole */

/* ---- sessions ------------------------------------------------------------------------------------------ */

void golden_run_begin(struct golden_run *r, struct golden *g, size_t writer, const char *label)
{
    *r = (struct golden_run){ .g = g, .writer = writer, .label = label };
    (void)snprintf(r->state, sizeof r->state, "%s/%zu", g->state, writer);
    struct session_options o = { .backend = g->backend,
                                 .keys = &g->writers[writer],
                                 .state_dir = r->state,
                                 .label = label,
                                 .workers = 1,
                                 .uploads = 1 };
    must(g, session_begin(&o, &r->session, &g->err));
}

void golden_expect_stream(struct golden *g, size_t writer, const char *snapshot, const char *path,
                          const char *facts, const void *data, size_t len)
{
    uint8_t hash[HASH_LEN];
    char hex[2 * HASH_LEN + 1];
    char id[2 * WRITER_ID_LEN + 1];
    char file[32] = "-";
    char name[64];
    char shown[256];
    size_t n = 0;
    file_hash(data, len, hash);
    hex_encode(hex, hash, HASH_LEN);
    hex_encode(id, g->writers[writer].writer_id, WRITER_ID_LEN);
    if (len > 0 && len <= KEEP_MAX) {
        (void)snprintf(file, sizeof file, "%03u", ++g->kept);
        (void)snprintf(name, sizeof name, "expected/%s", file);
        golden_write(&g->out, name, data, len, 0644);
    }
    for (const char *p = facts; *p != '\0' && n + 1 < sizeof shown; p++)
        shown[n++] = *p == '\n' ? ';' : *p;
    shown[n] = '\0';
    must(g, buf_printf(&g->list, &g->err, "stream\t%s\t%s\t%s\t%zu\t%s\t%s\t%s\n", id, snapshot, path, len,
                       hex, file, shown));
}

void golden_expect_notes(struct golden *g, size_t writer, const char *snapshot, const char *notes)
{
    char id[2 * WRITER_ID_LEN + 1];
    hex_encode(id, g->writers[writer].writer_id, WRITER_ID_LEN);
    must(g, buf_printf(&g->list, &g->err, "notes\t%s\t%s\t", id, snapshot));
    for (const char *p = notes; *p != '\0'; p++)
        must(g, buf_append(&g->list, *p == '\n' ? ";" : p, 1, &g->err));
    must(g, buf_append(&g->list, "\n", 1, &g->err));
}

static void run_stream(struct golden_run *r, const struct golden_stream *s)
{
    struct golden *g = r->g;
    struct session_stream_options o = {
        .name = s->name, .page_size = s->page_size, .no_dedup = s->no_dedup, .mode_bits = 0640
    };
    struct stream_writer *w = NULL;
    must(g, session_stream(r->session, &o, &w, &g->err));
    for (size_t at = 0; at < s->len; at += 65536)
        must(g, stream_write(w, s->data + at, s->len - at < 65536 ? s->len - at : 65536, &g->err));
    must(g, stream_finish(w, s->facts, &g->err));
}

/* keep: the snapshot will be live at the end, and its content is expected. */
void golden_run_streams(struct golden_run *r, const struct golden_stream *s, size_t n, bool keep)
{
    char snapshot[64];
    r->keep = keep;
    (void)snprintf(snapshot, sizeof snapshot, "%s/%u", r->label, session_number(r->session));
    for (size_t i = 0; i < n; i++) {
        run_stream(r, &s[i]);
        if (keep)
            golden_expect_stream(r->g, r->writer, snapshot, s[i].name, s[i].facts, s[i].data, s[i].len);
    }
}

void golden_run_commit(struct golden_run *r, int expected)
{
    struct session_result result;
    char snapshot[64];
    (void)snprintf(snapshot, sizeof snapshot, "%s/%u", r->label, session_number(r->session));
    must(r->g, session_note(r->session, "tag", "nightly", &r->g->err));
    if (r->keep)
        golden_expect_notes(r->g, r->writer, snapshot, "tag=nightly\n");
    int rc = session_commit(r->session, "source=golden\nsettings=small\n", &result, &r->g->err);
    if (rc != expected)
        golden_must(rc < 0 ? rc : E_INTERNAL, &r->g->err);
    error_clear(&r->g->err);
    session_free(r->session);
}

void golden_run_all(struct golden *g, size_t writer, const char *label, const struct golden_stream *s,
                    size_t n, bool keep)
{
    struct golden_run r;
    golden_run_begin(&r, g, writer, label);
    after(g, 60);
    golden_run_streams(&r, s, n, keep);
    golden_run_commit(&r, 0);
}

/* ---- retention log ------------------------------------------------------------------------------------- */

static void add_items(struct golden *g, struct vec *to, const struct golden_item *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct retention_item *item = must_have(g, vec_push(to, &g->err));
        memcpy(item->writer, g->writers[items[i].writer].writer_id, WRITER_ID_LEN);
        item->session = items[i].session;
        item->idx = items[i].idx;
    }
}

struct repo *golden_open_repo(struct golden *g)
{
    struct repo_options o = { .now = 0 };
    struct repo *repo = NULL;
    must(g, repo_open(g->backend, g->root_pk, &o, &repo, &g->err));
    return repo;
}

static void add_heads(struct golden *g, const struct repo *repo, const struct golden_plan *p,
                      struct retention_record *r)
{
    for (size_t i = 0; i < 2; i++) {
        const struct repo_writer *w = repo_writer_find(repo, g->writers[i].writer_id);
        const struct repo_record *head = p->head[i] != 0 ? repo_record_at(w, p->head[i]) : repo_head(w);
        struct retention_head *h = must_have(g, vec_push(&r->heads, &g->err));
        memcpy(h->writer, w->id, WRITER_ID_LEN);
        h->head = p->head[i] != 0 ? p->head[i] : head != NULL ? head->rec.seq : 0;
        h->fence = p->fence[i];
        if (head != NULL)
            memcpy(h->hash, head->hash, HASH_LEN);
        if (i == SHOP && p->hash_wrong)
            h->hash[0] ^= 1;
        if (i == BLOG && p->unknown_writer) {
            struct retention_head *more = must_have(g, vec_push(&r->heads, &g->err));
            memset(more->writer, 0xee, WRITER_ID_LEN);
            more->head = 1;
        }
    }
}

/* Record seq of the retention log, as it follows the first seq - 1 of them. */
void golden_build_retention(struct golden *g, const struct repo *repo, uint32_t seq,
                            const struct golden_plan *p, struct buf *out)
{
    struct retention_record r;
    retention_init(&r);
    memcpy(r.repo_id, g->root.repo_id, REPO_ID_LEN);
    r.seq = seq;
    r.charter = p->charter != 0 ? p->charter : repo_charter(repo)->version;
    r.time = g->now;
    memcpy(r.prev,
           seq > 1 ? ((const struct repo_retention *)vec_at(&repo->retention, seq - 2))->hash
                   : ((const struct charter *)vec_at(&repo->charters, 0))->hash,
           HASH_LEN);
    r.prev[0] ^= p->prev_wrong ? 1 : 0;
    add_heads(g, repo, p, &r);
    for (size_t i = 0; i < p->nops; i++) {
        struct retention_op *op = must_have(g, vec_push(&r.ops, &g->err));
        memcpy(op->writer, g->writers[p->ops[i].writer].writer_id, WRITER_ID_LEN);
        op->seq = p->ops[i].seq;
        op->op = p->ops[i].op;
    }
    add_items(g, &r.condemned, p->condemned, p->ncondemned);
    add_items(g, &r.deleted, p->deleted, p->ndeleted);
    must(g, retention_encode(&r, g->retention.seed, g->retention.v, p->note, out, &g->err));
    retention_free(&r);
}

void golden_retain(struct golden *g, const struct golden_plan *p)
{
    struct buf bytes = BUF_INIT;
    struct repo *repo = golden_open_repo(g);
    golden_build_retention(g, repo, (uint32_t)repo->retention.len + 1, p, &bytes);
    must(g, repo_publish_retention(repo, bytes.data, bytes.len, NULL, &g->err));
    buf_free(&bytes);
    repo_close(repo);
}

/* ---- names --------------------------------------------------------------------------------------------- */

static struct golden_path in_repo(const char *name)
{
    struct golden_path p;
    (void)snprintf(p.text, sizeof p.text, "repo/%s", name);
    return p;
}

struct golden_path golden_record_path(const struct golden *g, size_t writer, uint32_t seq, uint8_t attempt)
{
    char name[NAME_TEXT_MAX];
    return in_repo(name_record(name, g->writers[writer].writer_id, seq, attempt));
}

struct golden_path golden_snap_path(const struct golden *g, size_t writer, uint32_t session)
{
    char name[NAME_TEXT_MAX];
    return in_repo(name_snap(name, g->writers[writer].writer_id, session, 0));
}

struct golden_path golden_pack_path(const struct golden *g, size_t writer, uint32_t session, uint8_t attempt)
{
    char name[NAME_TEXT_MAX];
    return in_repo(name_pack(name, g->writers[writer].writer_id, session, 0, attempt));
}

struct golden_path golden_retention_path(uint32_t seq, uint8_t attempt)
{
    char name[NAME_TEXT_MAX];
    return in_repo(name_retention(name, seq, attempt));
}

struct golden_path golden_charter_path(uint32_t version)
{
    char name[NAME_TEXT_MAX];
    return in_repo(name_charter(name, version, 0));
}
