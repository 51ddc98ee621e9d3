/*
 * make_golden.c - writes the golden repository, its keys, its expected content and its negatives.
 *
 *     make_golden DIRECTORY           an empty or missing directory; the same bytes every time
 *
 * tests/golden/README.md describes the result. To extend it: add runs and retention records to story(), and negatives
 * to the functions at the end. The last session of the first writer is forged (tests/support/golden_forge.h), so that
 * negatives can change it; it stays the last one.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/backend/local.h"
#include "common/base/clock.h"
#include "common/base/str.h"
#include "common/crypto/hash.h"
#include "common/crypto/paper.h"
#include "common/repo/repo.h"
#include "common/repo/session.h"
#include "common/sys/dirs.h"
#include "tests/support/golden_forge.h"
#include "tests/support/golden_out.h"
#include "tests/support/world.h"
#include "common/base/banned.h"

enum {
    DAY = 86400,
    SHOP = 0, /* writers */
    BLOG = 1,
    SPARE = 2,
    WRITERS = 3,
    MEMBERS = 3,
    BIG = 36 * MIB,
    BLOCK = 48000,
    KEEP_MAX = 20000, /* expected streams up to this length are kept whole */
};
static const uint64_t start_time = 1767225600; /* 2026-01-01 */

struct golden {
    struct golden_out out;
    struct error err;
    struct backend *backend;
    uint64_t now;
    char state[64];
    struct root_keys root;
    uint8_t root_pk[SIGN_PK_LEN];
    struct restore_kit kit;
    struct member_kit members[MEMBERS];
    struct writer_keys writers[WRITERS];
    struct retention_keys retention;
    struct buf list; /* expected/list.txt */
    unsigned kept;
    struct forge_base forge;
};

static void must(struct golden *g, int rc)
{
    golden_must(rc, &g->err);
}

static void *must_have(struct golden *g, void *p)
{
    if (p == NULL)
        golden_must(g->err.code < 0 ? g->err.code : E_NOMEM, &g->err);
    return p;
}

static uint64_t wall(void *arg)
{
    return ((const struct golden *)arg)->now;
}

static uint64_t mono(void *arg)
{
    return ((const struct golden *)arg)->now * 1000;
}

static void after(struct golden *g, uint64_t seconds)
{
    g->now += seconds;
}

/* ---- keys ---------------------------------------------------------------------------------------------------- */

static void save_key(struct golden *g, const char *name, enum keyfile_role role, struct secret *block,
                     const char *passphrase)
{
    static const struct keyfile_kdf small = { .mem_mib = 64, .ops = 1 };
    char path[64];
    struct buf file = BUF_INIT;
    struct buf text = BUF_INIT;
    struct secret *pass =
        passphrase != NULL ? must_have(g, secret_copy(passphrase, strlen(passphrase), &g->err)) : NULL;
    (void)must_have(g, block);
    must(g, keyfile_encode(role, block, pass, &small, &file, &g->err));
    (void)snprintf(path, sizeof path, "keys/%s.key", name);
    golden_write(&g->out, path, file.data, file.len, 0600);
    if (role == KEYFILE_KIT) {
        must(g, paper_encode(file.data, file.len, &text, &g->err));
        (void)snprintf(path, sizeof path, "keys/%s.txt", name);
        golden_write(&g->out, path, text.data, text.len, 0644);
    }
    secret_free(block);
    secret_free(pass);
    buf_free(&file);
    buf_free(&text);
}

static void save_keys(struct golden *g)
{
    static const char *const writers[WRITERS] = { "writer-shop", "writer-blog", "writer-spare" };
    char hex[2 * SIGN_PK_LEN + 2];
    char name[16];
    hex_encode(hex, g->root_pk, SIGN_PK_LEN);
    hex[(size_t)2 * SIGN_PK_LEN] = '\n';
    golden_write(&g->out, "keys/root.pub", hex, (size_t)2 * SIGN_PK_LEN + 1, 0644);
    save_key(g, "root", KEYFILE_ROOT, root_keys_encode(&g->root, &g->err), NULL);
    save_key(g, "kit", KEYFILE_KIT, restore_kit_encode(&g->kit, &g->err), NULL);
    save_key(g, "kit-golden", KEYFILE_KIT, restore_kit_encode(&g->kit, &g->err), "golden");
    save_key(g, "retention", KEYFILE_RETENTION, retention_keys_encode(&g->retention, &g->err), NULL);
    for (size_t i = 0; i < WRITERS; i++)
        save_key(g, writers[i], KEYFILE_WRITER, writer_keys_encode(&g->writers[i], &g->err), NULL);
    for (size_t i = 0; i < MEMBERS; i++) {
        (void)snprintf(name, sizeof name, "member-%zu", i + 1);
        save_key(g, name, KEYFILE_MEMBER, member_kit_encode(&g->members[i], &g->err), NULL);
    }
}

static void make_keys(struct golden *g)
{
    must(g, root_keys_generate(&g->root, &g->err));
    must(g, sign_public(g->root.seed, g->root_pk, &g->err));
    must(g, restore_kit_generate(&g->root, &g->kit, &g->err));
    for (size_t i = 0; i < WRITERS; i++)
        must(g, writer_keys_generate(&g->kit, &g->writers[i], &g->err));
    for (size_t i = 0; i < MEMBERS; i++)
        must(g, member_kit_generate(g->root.repo_id, g->root_pk, &g->members[i], &g->err));
    must(g, retention_keys_generate(&g->kit, &g->retention, &g->err));
    save_keys(g);
}

/* ---- charters ------------------------------------------------------------------------------------------------ */

static void add_recipient(struct golden *g, struct charter *c, const struct secret *sk, const char *name)
{
    struct charter_recipient *r = must_have(g, vec_push(&c->recipients, &g->err));
    must(g, box_public(sk, r->pk, &g->err));
    must(g, box_rid(r->pk, r->rid, &g->err));
    (void)snprintf(r->name, sizeof r->name, "%s", name);
}

/* A group of recipients by their number; b < 0: of one. */
static void add_group(struct golden *g, struct charter *c, int a, int b)
{
    struct charter_group *group = must_have(g, vec_push(&c->groups, &g->err));
    const struct charter_recipient *r = vec_at(&c->recipients, (size_t)a);
    memcpy(group->rid[group->n++], r->rid, RID_LEN);
    if (b < 0)
        return;
    r = vec_at(&c->recipients, (size_t)b);
    memcpy(group->rid[group->n++], r->rid, RID_LEN);
}

static void add_writer(struct golden *g, struct charter *c, size_t i, uint32_t cadence)
{
    struct charter_writer *w = must_have(g, vec_push(&c->writers, &g->err));
    memcpy(w->id, g->writers[i].writer_id, WRITER_ID_LEN);
    must(g, sign_public(g->writers[i].seed, w->pk, &g->err));
    w->cadence_hours = cadence;
    w->first_seq = 1;
    w->last_seq = SEQ_OPEN;
}

static void first_charter(struct golden *g, struct charter *c)
{
    charter_init(c);
    memcpy(c->repo_id, g->root.repo_id, REPO_ID_LEN);
    memcpy(c->root_pk, g->root_pk, SIGN_PK_LEN);
    c->min_keep_days = 2;
    add_recipient(g, c, g->kit.r, "station");
    add_group(g, c, 0, -1);
    add_writer(g, c, SHOP, 24);
    add_writer(g, c, BLOG, 0);
    struct charter_retention *r = must_have(g, vec_push(&c->retention, &g->err));
    must(g, sign_public(g->retention.seed, r->pk, &g->err));
    r->first_seq = 1;
    r->last_seq = SEQ_OPEN;
}

/* Two of three members may restore without the station. */
static void second_charter(struct golden *g, const struct charter *first, struct charter *c)
{
    static const char *const names[MEMBERS] = { "anna", "bert", "c-3.po_x" };
    must(g, charter_next(first, c, &g->err));
    for (size_t i = 0; i < MEMBERS; i++)
        add_recipient(g, c, g->members[i].r, names[i]);
    add_group(g, c, 1, 2);
    add_group(g, c, 1, 3);
    add_group(g, c, 2, 3);
    add_writer(g, c, SPARE, 0);
    struct charter_drill *d = must_have(g, vec_push(&c->drills, &g->err));
    memcpy(d->pk, g->root_pk, SIGN_PK_LEN);
    d->active = true;
}

static void publish_charter(struct golden *g, struct charter *c, const struct charter *prev)
{
    struct buf bytes = BUF_INIT;
    must(g, charter_build(c, g->root.seed, &bytes, &g->err));
    must(g, repo_create_dirs(g->backend, c, &g->err));
    must(g, repo_publish_charter(g->backend, prev, bytes.data, bytes.len, NULL, &g->err));
    buf_free(&bytes);
}

/* ---- sessions ------------------------------------------------------------------------------------------------ */

struct stream {
    const char *name;
    const char *facts;
    uint8_t *data;
    size_t len;
    uint32_t page_size;
    bool no_dedup;
};

struct run {
    struct golden *g;
    size_t writer;
    const char *label;
    struct session *session;
    char state[128];
};

static void run_begin(struct run *r, struct golden *g, size_t writer, const char *label)
{
    *r = (struct run){ .g = g, .writer = writer, .label = label };
    (void)snprintf(r->state, sizeof r->state, "%s/%zu", g->state, writer);
    struct session_options o = { .backend = g->backend, .keys = &g->writers[writer], .state_dir = r->state,
                                 .label = label, .workers = 1, .uploads = 1 };
    must(g, session_begin(&o, &r->session, &g->err));
}

static void expect_stream(struct golden *g, size_t writer, const char *snapshot, const char *path, const char *facts,
                          const void *data, size_t len)
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
    must(g, buf_printf(&g->list, &g->err, "stream\t%s\t%s\t%s\t%zu\t%s\t%s\t%s\n", id, snapshot, path, len, hex, file,
                       shown));
}

static void run_stream(struct run *r, const struct stream *s)
{
    struct golden *g = r->g;
    struct session_stream_options o = { .name = s->name, .page_size = s->page_size, .no_dedup = s->no_dedup,
                                        .mode_bits = 0640 };
    struct stream_writer *w = NULL;
    must(g, session_stream(r->session, &o, &w, &g->err));
    for (size_t at = 0; at < s->len; at += 65536)
        must(g, stream_write(w, s->data + at, s->len - at < 65536 ? s->len - at : 65536, &g->err));
    must(g, stream_finish(w, s->facts, &g->err));
}

/* keep: the snapshot will be live at the end, and its content is expected. */
static void run_streams(struct run *r, const struct stream *s, size_t n, bool keep)
{
    char snapshot[64];
    (void)snprintf(snapshot, sizeof snapshot, "%s/%u", r->label, session_number(r->session));
    for (size_t i = 0; i < n; i++) {
        run_stream(r, &s[i]);
        if (keep)
            expect_stream(r->g, r->writer, snapshot, s[i].name, s[i].facts, s[i].data, s[i].len);
    }
}

static void run_commit(struct run *r, int expected)
{
    struct session_result result;
    int rc = session_commit(r->session, "source=golden\nsettings=small\n", &result, &r->g->err);
    if (rc != expected)
        golden_must(rc < 0 ? rc : E_INTERNAL, &r->g->err);
    error_clear(&r->g->err);
    session_free(r->session);
}

static void run_all(struct golden *g, size_t writer, const char *label, const struct stream *s, size_t n, bool keep)
{
    struct run r;
    run_begin(&r, g, writer, label);
    after(g, 60);
    run_streams(&r, s, n, keep);
    run_commit(&r, 0);
}

/* ---- retention log --------------------------------------------------------------------------------------------- */

struct plan {
    uint32_t fence[2];
    uint32_t head[2]; /* 0: the newest */
    struct {
        size_t writer;
        uint32_t seq;
        uint32_t op;
    } ops[4];
    size_t nops;
    struct {
        size_t writer;
        uint32_t session, idx;
    } condemned[4], deleted[4];
    size_t ncondemned, ndeleted;
    const char *note;
    /* twists of the last record */
    uint32_t charter;
    bool prev_wrong, hash_wrong, unknown_writer;
};

static void add_items(struct golden *g, struct vec *to, const void *from, size_t n)
{
    const struct {
        size_t writer;
        uint32_t session, idx;
    } *items = from;
    for (size_t i = 0; i < n; i++) {
        struct retention_item *item = must_have(g, vec_push(to, &g->err));
        memcpy(item->writer, g->writers[items[i].writer].writer_id, WRITER_ID_LEN);
        item->session = items[i].session;
        item->idx = items[i].idx;
    }
}

static struct repo *open_repo(struct golden *g)
{
    struct repo_options o = { .now = 0 };
    struct repo *repo = NULL;
    must(g, repo_open(g->backend, g->root_pk, &o, &repo, &g->err));
    return repo;
}

static void add_heads(struct golden *g, const struct repo *repo, const struct plan *p, struct retention_record *r)
{
    for (size_t i = 0; i < 2; i++) {
        const struct repo_writer *w = repo_writer_find(repo, g->writers[i].writer_id);
        const struct repo_record *head =
            p->head[i] != 0 ? repo_record_at(w, p->head[i]) : repo_head(w);
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
static void build_retention(struct golden *g, const struct repo *repo, uint32_t seq, const struct plan *p,
                            struct buf *out)
{
    struct retention_record r;
    retention_init(&r);
    memcpy(r.repo_id, g->root.repo_id, REPO_ID_LEN);
    r.seq = seq;
    r.charter = p->charter != 0 ? p->charter : repo_charter(repo)->version;
    r.time = g->now;
    memcpy(r.prev, seq > 1 ? ((const struct repo_retention *)vec_at(&repo->retention, seq - 2))->hash
                           : ((const struct charter *)vec_at(&repo->charters, 0))->hash, HASH_LEN);
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

static void retention(struct golden *g, const struct plan *p)
{
    struct buf bytes = BUF_INIT;
    struct repo *repo = open_repo(g);
    build_retention(g, repo, (uint32_t)repo->retention.len + 1, p, &bytes);
    must(g, repo_publish_retention(repo, bytes.data, bytes.len, NULL, &g->err));
    buf_free(&bytes);
    repo_close(repo);
}

/* ---- names --------------------------------------------------------------------------------------------------- */

struct path {
    char text[NAME_TEXT_MAX + 8];
};

static struct path in_repo(const char *name)
{
    struct path p;
    (void)snprintf(p.text, sizeof p.text, "repo/%s", name);
    return p;
}

static struct path record_path(const struct golden *g, size_t writer, uint32_t seq, uint8_t attempt)
{
    char name[NAME_TEXT_MAX];
    return in_repo(name_record(name, g->writers[writer].writer_id, seq, attempt));
}

static struct path snap_path(const struct golden *g, size_t writer, uint32_t session)
{
    char name[NAME_TEXT_MAX];
    return in_repo(name_snap(name, g->writers[writer].writer_id, session, 0));
}

static struct path pack_path(const struct golden *g, size_t writer, uint32_t session, uint8_t attempt)
{
    char name[NAME_TEXT_MAX];
    return in_repo(name_pack(name, g->writers[writer].writer_id, session, 0, attempt));
}

static struct path retention_path(uint32_t seq, uint8_t attempt)
{
    char name[NAME_TEXT_MAX];
    return in_repo(name_retention(name, seq, attempt));
}

static struct path charter_path(uint32_t version)
{
    char name[NAME_TEXT_MAX];
    return in_repo(name_charter(name, version, 0));
}

/* What a cut upload of `whole` left under `name`. */
static void tear(struct golden *g, struct path whole, struct path name, size_t len)
{
    struct buf bytes = BUF_INIT;
    golden_read(&g->out, whole.text, &bytes);
    golden_unlink(&g->out, name.text);
    golden_write(&g->out, name.text, bytes.data, len, 0440);
    buf_free(&bytes);
}

/* ---- the story ----------------------------------------------------------------------------------------------- */

struct data {
    uint8_t text[100000];
    uint8_t orders[140000];
    size_t orders_len;
    uint8_t pages[40 * 4096];
    uint8_t random[3000];
    uint8_t upload[5000];
    uint8_t temp[30000];
    uint8_t *big;
};

static void make_data(struct golden *g, struct data *d)
{
    world_fill(d->text, sizeof d->text, 1, true);
    world_fill(d->random, sizeof d->random, 2, false);
    world_fill(d->upload, sizeof d->upload, 3, false);
    world_fill(d->temp, sizeof d->temp, 4, false);
    world_fill(d->pages, sizeof d->pages, 5, true);
    /* A table with rows that come again: extents that point back. */
    memcpy(d->orders, d->text, 60000);
    memcpy(d->orders + 60000, d->text + 10000, 40000);
    memcpy(d->orders + 100000, d->text + 60000, 20000);
    d->orders_len = 120000;
    /* Equal pages, and empty ones. */
    memcpy(d->pages + (size_t)20 * 4096, d->pages, (size_t)5 * 4096);
    memset(d->pages + (size_t)30 * 4096, 0, (size_t)6 * 4096);
    /* Long and repetitive: several nodes, hardly any bytes. */
    d->big = must_have(g, malloc(BIG));
    for (size_t at = 0; at < BIG; at += BLOCK)
        memcpy(d->big + at, d->text, at + BLOCK <= BIG ? BLOCK : BIG - at);
}

enum { SHOP_STREAMS = 5 };

static void shop_streams(struct data *d, struct stream s[SHOP_STREAMS])
{
    static const char customers[] = "nr;name;ort\n1;Müller;Köln\n2;Łukasz;Łódź\n3;山田;東京\n";
    static uint8_t csv[sizeof customers];
    memcpy(csv, customers, sizeof customers);
    s[0] = (struct stream){ .name = "Bilder/日本語.bin", .facts = "type=image\n", .data = d->upload,
                            .len = sizeof d->upload };
    s[1] = (struct stream){ .name = "db/kunden-größe.csv", .facts = "kind=table\nrows=3\n", .data = csv,
                            .len = sizeof customers - 1 };
    s[2] = (struct stream){ .name = "db/leer", .facts = "", .data = csv, .len = 0 };
    s[3] = (struct stream){ .name = "db/orders", .facts = "kind=table\nrows=4711\n", .data = d->orders,
                            .len = d->orders_len };
    s[4] = (struct stream){ .name = "db/schema.sql", .facts = "kind=schema\n", .data = d->text + 90000, .len = 700 };
}

enum { BLOG_STREAMS = 3 };

static void blog_streams(struct data *d, struct stream s[BLOG_STREAMS])
{
    s[0] = (struct stream){ .name = "blog.db", .facts = "page_size=4096\nholes=122880:24576\n", .data = d->pages,
                            .len = sizeof d->pages, .page_size = 4096 };
    s[1] = (struct stream){ .name = "geheim", .facts = "", .data = d->random, .len = sizeof d->random,
                            .no_dedup = true };
    s[2] = (struct stream){ .name = "zz-temp", .facts = "", .data = d->temp, .len = sizeof d->temp };
}

/* Session 3 of the shop: its first upload of the pack and of the record is cut. */
static void torn_run(struct golden *g, const struct stream *s, size_t n)
{
    struct run r;
    char name[NAME_TEXT_MAX];
    const uint8_t *id = g->writers[SHOP].writer_id;
    run_begin(&r, g, SHOP, "shop");
    uint32_t session = session_number(r.session);
    must(g, backend_put(g->backend, name_pack(name, id, session, 0, 0), "BK1", 3, &g->err));
    must(g, backend_put(g->backend, name_record(name, id, 3, 0), "BK1", 3, &g->err));
    after(g, 60);
    run_streams(&r, s, n, true);
    run_commit(&r, 0);
    tear(g, pack_path(g, SHOP, session, 1), pack_path(g, SHOP, session, 0), 5000);
    tear(g, record_path(g, SHOP, 3, 1), record_path(g, SHOP, 3, 0), 100);
}

/* An acknowledgement without a snapshot. */
static void ack_record(struct golden *g, size_t writer)
{
    struct repo *repo = open_repo(g);
    const struct repo_writer *w = repo_writer_find(repo, g->writers[writer].writer_id);
    const struct repo_record *head = repo_head(w);
    const struct repo_retention *seen = repo_retention_head(repo);
    struct buf bytes = BUF_INIT;
    struct record r;
    record_init(&r);
    r.kind = RECORD_ACK;
    memcpy(r.repo_id, g->root.repo_id, REPO_ID_LEN);
    memcpy(r.writer_id, w->id, WRITER_ID_LEN);
    r.seq = head->rec.seq + 1;
    r.session = head->rec.session + 1;
    r.charter = repo_charter(repo)->version;
    r.ack = seen->rec.seq;
    r.time = g->now;
    memcpy(r.prev, head->hash, HASH_LEN);
    memcpy(r.ack_hash, seen->hash, HASH_LEN);
    must(g, record_encode(&r, g->writers[writer].seed, &bytes, &g->err));
    must(g, repo_publish_record(repo, bytes.data, bytes.len, NULL, &g->err));
    record_free(&r);
    buf_free(&bytes);
    repo_close(repo);
}

static void put_forged(struct golden *g, const struct forged *f)
{
    char name[NAME_TEXT_MAX];
    const uint8_t *id = g->writers[SHOP].writer_id;
    const struct forge_base *b = &g->forge;
    must(g, backend_put(g->backend, name_pack(name, id, b->session, 0, 0), f->pack.data, f->pack.len, &g->err));
    must(g, backend_put(g->backend, name_snap(name, id, b->session, 0), f->snap.data, f->snap.len, &g->err));
    must(g, backend_put(g->backend, name_record(name, id, b->seq, 0), f->record.data, f->record.len, &g->err));
}

static struct recipients recipients;

/* The last session of the shop, acknowledging all but the last retention record. */
static void forged_run(struct golden *g)
{
    static const uint8_t seed[32] = "golden forged session";
    static const char *const stream_facts[FORGED_STREAMS] = { "holes=10:20\n", "", "", "kind=forged\nüber=ß\n" };
    struct repo *repo = open_repo(g);
    const struct repo_writer *w = repo_writer_find(repo, g->writers[SHOP].writer_id);
    const struct repo_record *head = repo_head(w);
    const struct repo_retention *seen = vec_at(&repo->retention, repo->retention.len - 2);
    const struct repo_retention *before = vec_at(&repo->retention, 0);
    struct forged f;
    struct forged_stream streams[FORGED_STREAMS];
    char snapshot[32];
    must(g, charter_recipients(repo_charter(repo), g->now, &recipients, &g->err));
    g->forge = (struct forge_base){ .keys = &g->writers[SHOP], .to = &recipients, .random = seed,
                                    .session = head->rec.session + 1, .seq = head->rec.seq + 1,
                                    .charter = repo_charter(repo)->version, .ack = seen->rec.seq,
                                    .ack_before = before->rec.seq, .time = g->now };
    memcpy(g->forge.prev, head->hash, HASH_LEN);
    memcpy(g->forge.ack_hash, seen->hash, HASH_LEN);
    memcpy(g->forge.ack_before_hash, before->hash, HASH_LEN);
    g->forge.known = *(const struct record_pack *)vec_at(&repo_record_at(w, 1)->rec.packs, 0);
    forge_session(&g->forge, TWIST_NONE, &f);
    put_forged(g, &f);
    forged_free(&f);
    (void)snprintf(snapshot, sizeof snapshot, "probe/%u", g->forge.session);
    forge_expected(streams);
    for (size_t i = 0; i < FORGED_STREAMS; i++) {
        expect_stream(g, SHOP, snapshot, streams[i].path, stream_facts[i], streams[i].bytes.data,
                      streams[i].bytes.len);
        buf_free(&streams[i].bytes);
    }
    repo_close(repo);
}

static void story(struct golden *g)
{
    static struct data d;
    struct charter first, second;
    struct stream shop[SHOP_STREAMS + 1];
    struct stream blog[BLOG_STREAMS];
    struct run late;
    make_data(g, &d);
    shop_streams(&d, shop);
    blog_streams(&d, blog);

    first_charter(g, &first);
    publish_charter(g, &first, NULL);
    run_all(g, SHOP, "shop", shop, SHOP_STREAMS, false); /* will expire */
    after(g, 3600);
    run_all(g, BLOG, "blog", blog, BLOG_STREAMS - 1, true);
    second_charter(g, &first, &second);
    publish_charter(g, &second, &first);

    after(g, DAY);
    memcpy(d.orders + 50000, "changed in the second night", 27);
    run_all(g, SHOP, "shop", shop, SHOP_STREAMS, true);
    after(g, 7200);
    retention(g, &(struct plan){ .note = "erste Sichtung – first look" });

    after(g, DAY);
    memmove(d.orders + 1234, d.orders + 1200, d.orders_len - 1200);
    d.orders_len += 34;
    shop_streams(&d, shop);
    shop[SHOP_STREAMS] = (struct stream){ .name = "db/very/big", .facts = "kind=log\n", .data = d.big, .len = BIG };
    torn_run(g, shop, SHOP_STREAMS + 1);

    /* A run of the blog takes too long: retention fences it off, and it is void. */
    run_begin(&late, g, BLOG, "blog");
    retention(g, &(struct plan){ .nops = 0 });
    after(g, DAY);
    retention(g, &(struct plan){ .fence = { 0, 2 } });
    after(g, 3600);
    retention(g, &(struct plan){ .fence = { 0, 2 } });
    d.pages[4096 * 7 + 5] ^= 1;
    run_streams(&late, blog, BLOG_STREAMS, false);
    run_commit(&late, E_RETRY);
    after(g, 3600);
    d.pages[4096 * 9 + 9] ^= 1;
    run_all(g, BLOG, "blog", blog, 1, true);

    /* The first snapshot of the shop expires; what nobody needs is condemned, acknowledged, fenced, deleted. */
    after(g, (uint64_t)5 * DAY);
    retention(g, &(struct plan){ .fence = { 0, 2 },
                                 .ops = { { SHOP, 1, RETENTION_EXPIRE }, { SHOP, 2, RETENTION_HOLD } },
                                 .nops = 2,
                                 .condemned = { { BLOG, 2, 0 }, { BLOG, 2, IDX_SNAP }, { SHOP, 1, IDX_SNAP } },
                                 .ncondemned = 3 });
    after(g, 3600);
    d.pages[4096 * 11 + 11] ^= 1;
    run_all(g, BLOG, "blog", blog, BLOG_STREAMS - 1, true);
    run_all(g, SHOP, "shop", shop, 3, true);
    after(g, DAY);
    retention(g, &(struct plan){ .fence = { 5, 5 } });
    after(g, 60);
    retention(g, &(struct plan){ .fence = { 5, 5 },
                                 .deleted = { { BLOG, 2, 0 }, { BLOG, 2, IDX_SNAP }, { SHOP, 1, IDX_SNAP } },
                                 .ndeleted = 3 });
    golden_unlink(&g->out, pack_path(g, BLOG, 2, 0).text);
    golden_unlink(&g->out, snap_path(g, BLOG, 2).text);
    golden_unlink(&g->out, snap_path(g, SHOP, 1).text);
    after(g, DAY);
    ack_record(g, BLOG);
    retention(g, &(struct plan){ .fence = { 5, 5 }, .note = "released" , .ops = { { SHOP, 3, RETENTION_HOLD } },
                                 .nops = 1 });
    after(g, 60);
    forged_run(g);
    charter_free(&first);
    charter_free(&second);
    free(d.big);
}

/* ---- the list of what is there -------------------------------------------------------------------------------- */

static void list_records(struct golden *g)
{
    struct repo *repo = open_repo(g);
    for (size_t i = 0; i < repo->findings.len; i++) {
        const struct repo_finding *f = vec_at(&repo->findings, i);
        if (!f->note)
            golden_must(error_set(&g->err, E_INTERNAL, "%s %s: %s", f->where, f->name, f->text), &g->err);
    }
    for (size_t i = 0; i < repo->writers.len; i++) {
        const struct repo_writer *w = vec_at(&repo->writers, i);
        char id[2 * WRITER_ID_LEN + 1];
        hex_encode(id, w->id, WRITER_ID_LEN);
        for (uint32_t n = 1; n <= w->records.len; n++) {
            const struct repo_record *r = repo_record_at(w, n);
            const char *state = r->is_void ? "void" : r->expired ? "expired" : r->rec.kind == RECORD_ACK ? "ack" : "live";
            must(g, buf_printf(&g->list, &g->err, "record\t%s\t%u\tattempt=%u\tsession=%u\tack=%u\tfirst-seen=%u\t%s%s\n",
                               id, n, r->attempt, r->rec.session, r->rec.ack, r->first_seen, state,
                               r->held ? ",held" : ""));
        }
    }
    for (size_t i = 0; i < repo->retention.len; i++) {
        const struct repo_retention *r = vec_at(&repo->retention, i);
        must(g, buf_printf(&g->list, &g->err, "retention\t%zu\tattempt=%u\ttime=%llu\tclock=%llu\n", i + 1, r->attempt,
                           (unsigned long long)r->rec.time, (unsigned long long)r->clock));
    }
    golden_write(&g->out, "expected/list.txt", g->list.data, g->list.len, 0644);
    repo_close(repo);
}
