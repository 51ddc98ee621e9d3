/*
 * make_golden.c - writes the golden repository, its keys, its expected content and its negatives.
 *
 *     make_golden DIRECTORY           an empty or missing directory; the same bytes every time
 *
 * tests/golden/README.md describes the result. To extend it: add runs and retention records to story(), and
 * negatives to the functions at the end. The last session of the first writer is forged
 * (tests/support/golden_forge.h), so that negatives can change it; it stays the last one.
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

/* ---- keys ---------------------------------------------------------------------------------------------- */

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

/* ---- charters ------------------------------------------------------------------------------------------ */

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

/* ---- sessions ------------------------------------------------------------------------------------------ */

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
    struct session_options o = { .backend = g->backend,
                                 .keys = &g->writers[writer],
                                 .state_dir = r->state,
                                 .label = label,
                                 .workers = 1,
                                 .uploads = 1 };
    must(g, session_begin(&o, &r->session, &g->err));
}

static void expect_stream(struct golden *g, size_t writer, const char *snapshot, const char *path,
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

static void run_stream(struct run *r, const struct stream *s)
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

static void run_all(struct golden *g, size_t writer, const char *label, const struct stream *s, size_t n,
                    bool keep)
{
    struct run r;
    run_begin(&r, g, writer, label);
    after(g, 60);
    run_streams(&r, s, n, keep);
    run_commit(&r, 0);
}

/* ---- retention log ------------------------------------------------------------------------------------- */

struct item_plan {
    size_t writer;
    uint32_t session, idx;
};

struct plan {
    uint32_t fence[2];
    uint32_t head[2]; /* 0: the newest */
    struct {
        size_t writer;
        uint32_t seq;
        uint32_t op;
    } ops[4];
    size_t nops;
    struct item_plan condemned[4], deleted[4];
    size_t ncondemned, ndeleted;
    const char *note;
    /* twists of the last record */
    uint32_t charter;
    bool prev_wrong, hash_wrong, unknown_writer;
};

static void add_items(struct golden *g, struct vec *to, const struct item_plan *items, size_t n)
{
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

static void add_heads(struct golden *g, const struct repo *repo, const struct plan *p,
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
static void build_retention(struct golden *g, const struct repo *repo, uint32_t seq, const struct plan *p,
                            struct buf *out)
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

static void retention(struct golden *g, const struct plan *p)
{
    struct buf bytes = BUF_INIT;
    struct repo *repo = open_repo(g);
    build_retention(g, repo, (uint32_t)repo->retention.len + 1, p, &bytes);
    must(g, repo_publish_retention(repo, bytes.data, bytes.len, NULL, &g->err));
    buf_free(&bytes);
    repo_close(repo);
}

/* ---- names --------------------------------------------------------------------------------------------- */

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

/* ---- the story ----------------------------------------------------------------------------------------- */

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
    s[0] = (struct stream){
        .name = "Bilder/日本語.bin", .facts = "type=image\n", .data = d->upload, .len = sizeof d->upload
    };
    s[1] = (struct stream){ .name = "db/kunden-größe.csv",
                            .facts = "kind=table\nrows=3\n",
                            .data = csv,
                            .len = sizeof customers - 1 };
    s[2] = (struct stream){ .name = "db/leer", .facts = "", .data = csv, .len = 0 };
    s[3] = (struct stream){
        .name = "db/orders", .facts = "kind=table\nrows=4711\n", .data = d->orders, .len = d->orders_len
    };
    s[4] = (struct stream){
        .name = "db/schema.sql", .facts = "kind=schema\n", .data = d->text + 90000, .len = 700
    };
}

enum { BLOG_STREAMS = 3 };

static void blog_streams(struct data *d, struct stream s[BLOG_STREAMS])
{
    s[0] = (struct stream){ .name = "blog.db",
                            .facts = "page_size=4096\nholes=122880:24576\n",
                            .data = d->pages,
                            .len = sizeof d->pages,
                            .page_size = 4096 };
    s[1] = (struct stream){
        .name = "geheim", .facts = "", .data = d->random, .len = sizeof d->random, .no_dedup = true
    };
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
    must(g,
         backend_put(g->backend, name_pack(name, id, b->session, 0, 0), f->pack.data, f->pack.len, &g->err));
    must(g, backend_put(g->backend, name_snap(name, id, b->session, 0), f->snap.data, f->snap.len, &g->err));
    must(g,
         backend_put(g->backend, name_record(name, id, b->seq, 0), f->record.data, f->record.len, &g->err));
}

static struct recipients recipients;

/* What the catalog of the forged session says. */
static void expect_members(struct golden *g, const char *snapshot)
{
    static const char *const members[] = {
        "d\tdir\t0755\t0\t0\t\t\t1767000000.000000000\t",
        "d/direct\tfile\t0640\t1000\t100\tanna\tusers\t1767000000.250000000\t",
        "d/leer\tfile\t0640\t1000\t100\tanna\tusers\t1767000000.250000000\t",
        "d/link\tsymlink\t0777\t0\t0\t\t\t1767000000.000000000\t../d/direct",
        "d/tall\tfile\t0640\t1000\t100\tanna\tusers\t1767000000.250000000\t",
        "d/tree\tfile\t0640\t1000\t100\tanna\tusers\t1767000000.250000000\t",
        "d/zweit\thardlink\t0777\t0\t0\t\t\t1767000000.000000000\td/direct",
    };
    char id[2 * WRITER_ID_LEN + 1];
    hex_encode(id, g->writers[SHOP].writer_id, WRITER_ID_LEN);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        must(g, buf_printf(&g->list, &g->err, "member\t%s\t%s\t%s\n", id, snapshot, members[i]));
}

/* The last session of the shop, acknowledging all but the last retention record. */
static void forged_run(struct golden *g)
{
    static const uint8_t seed[32] = "golden forged session";
    static const char *const stream_facts[FORGED_STREAMS] = { "holes=10:20\n", "", "",
                                                              "kind=forged\nüber=ß\n" };
    struct repo *repo = open_repo(g);
    const struct repo_writer *w = repo_writer_find(repo, g->writers[SHOP].writer_id);
    const struct repo_record *head = repo_head(w);
    const struct repo_retention *seen = vec_at(&repo->retention, repo->retention.len - 2);
    const struct repo_retention *before = vec_at(&repo->retention, 0);
    struct forged f;
    struct forged_stream streams[FORGED_STREAMS];
    char snapshot[32];
    must(g, charter_recipients(repo_charter(repo), g->now, &recipients, &g->err));
    g->forge = (struct forge_base){ .keys = &g->writers[SHOP],
                                    .to = &recipients,
                                    .random = seed,
                                    .session = head->rec.session + 1,
                                    .seq = head->rec.seq + 1,
                                    .charter = repo_charter(repo)->version,
                                    .ack = seen->rec.seq,
                                    .ack_before = before->rec.seq,
                                    .time = g->now };
    memcpy(g->forge.prev, head->hash, HASH_LEN);
    memcpy(g->forge.ack_hash, seen->hash, HASH_LEN);
    memcpy(g->forge.ack_before_hash, before->hash, HASH_LEN);
    g->forge.known = *(const struct record_pack *)vec_at(&repo_record_at(w, 1)->rec.packs, 0);
    forge_session(&g->forge, TWIST_NONE, &f);
    put_forged(g, &f);
    forged_free(&f);
    (void)snprintf(snapshot, sizeof snapshot, "probe/%u", g->forge.session);
    expect_members(g, snapshot);
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
    shop[SHOP_STREAMS] =
        (struct stream){ .name = "db/very/big", .facts = "kind=log\n", .data = d.big, .len = BIG };
    torn_run(g, shop, SHOP_STREAMS + 1);

    /* A run of the blog takes too long: retention fences it off, and it is void. */
    run_begin(&late, g, BLOG, "blog");
    retention(g, &(struct plan){ .nops = 0 });
    after(g, DAY);
    retention(g, &(struct plan){ .fence = { 0, 2 } });
    after(g, 3600);
    retention(g, &(struct plan){ .fence = { 0, 2 } });
    run_streams(&late, blog, BLOG_STREAMS, false);
    run_commit(&late, E_RETRY);
    after(g, 3600);
    d.pages[4096 * 9 + 9] ^= 1;
    run_all(g, BLOG, "blog", blog, 1, true);

    /* The first snapshot of the shop expires; what nobody needs is condemned, acknowledged, fenced,
     * deleted. */
    after(g, (uint64_t)5 * DAY);
    retention(g,
              &(struct plan){ .fence = { 0, 2 },
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
    retention(g,
              &(struct plan){
                  .fence = { 5, 5 }, .note = "released", .ops = { { SHOP, 3, RETENTION_HOLD } }, .nops = 1 });
    after(g, 60);
    forged_run(g);
    charter_free(&first);
    charter_free(&second);
    free(d.big);
}

/* ---- the list of what is there ------------------------------------------------------------------------- */

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
            const char *state = r->is_void                  ? "void"
                                : r->expired                ? "expired"
                                : r->rec.kind == RECORD_ACK ? "ack"
                                                            : "live";
            must(g, buf_printf(&g->list, &g->err,
                               "record\t%s\t%u\tattempt=%u\tsession=%u\tack=%u\tfirst-seen=%u\t%s%s\n", id, n,
                               r->attempt, r->rec.session, r->rec.ack, r->first_seen, state,
                               r->held ? ",held" : ""));
        }
    }
    for (size_t i = 0; i < repo->retention.len; i++) {
        const struct repo_retention *r = vec_at(&repo->retention, i);
        must(g, buf_printf(&g->list, &g->err, "retention\t%zu\tattempt=%u\ttime=%llu\tclock=%llu\n", i + 1,
                           r->attempt, (unsigned long long)r->rec.time, (unsigned long long)r->clock));
    }
    golden_write(&g->out, "expected/list.txt", g->list.data, g->list.len, 0644);
    repo_close(repo);
}

/* ---- negatives: charters ------------------------------------------------------------------------------- */

/* Replaces the first `from` of a charter by `to`, and signs it again. */
static void edit_charter(struct golden *g, uint32_t version, const char *from, const char *to,
                         const struct secret *seed, struct buf *out)
{
    enum { SIG_LINE = 4 + 2 * SIG_LEN + 1 };
    struct buf old = BUF_INIT;
    uint8_t sig[SIG_LEN];
    char hex[2 * SIG_LEN + 1];
    golden_read(&g->out, charter_path(version).text, &old);
    must(g, buf_append(&old, "", 1, &g->err));
    const char *text = (const char *)old.data;
    const char *at = strstr(text, from);
    if (at == NULL)
        golden_must(error_set(&g->err, E_INTERNAL, "charter %u: no '%s'", version, from), &g->err);
    size_t before = (size_t)(at - text);
    size_t rest = before + strlen(from);
    buf_clear(out);
    must(g, buf_append(out, text, before, &g->err));
    must(g, buf_append(out, to, strlen(to), &g->err));
    must(g, buf_append(out, text + rest, old.len - 1 - SIG_LINE - rest, &g->err));
    must(g, sign_detached(seed, SIGN_CHARTER, out->data, out->len, sig, &g->err));
    hex_encode(hex, sig, SIG_LEN);
    must(g, buf_printf(out, &g->err, "sig %s\n", hex));
    buf_free(&old);
}

/* The line of a writer in the newest charter, as text. */
static void writer_line(const struct golden *g, size_t writer, char out[256])
{
    char id[2 * WRITER_ID_LEN + 1];
    struct buf text = BUF_INIT;
    struct error err = ERROR_INIT;
    hex_encode(id, g->writers[writer].writer_id, WRITER_ID_LEN);
    golden_read(&g->out, charter_path(2).text, &text);
    golden_must(buf_append(&text, "", 1, &err), &err);
    char want[64];
    (void)snprintf(want, sizeof want, "writer %s ", id);
    const char *at = strstr((const char *)text.data, want);
    const char *end = at != NULL ? strchr(at, '\n') : NULL;
    golden_must(end != NULL ? 0 : E_INTERNAL, &err);
    (void)snprintf(out, 256, "%.*s\n", (int)(end - at), at);
    buf_free(&text);
}

static void charter_negative(struct golden *g, const char *name, const char *expect, const char *from,
                             const char *to)
{
    struct buf bytes = BUF_INIT;
    edit_charter(g, 2, from, to, g->root.seed, &bytes);
    golden_negative(&g->out, name, expect);
    golden_change(&g->out, charter_path(2).text, bytes.data, bytes.len);
    golden_negative_end(&g->out);
    buf_free(&bytes);
}

/* Another root: both charters name and are signed by it. */
static void foreign_root(struct golden *g)
{
    struct buf bytes = BUF_INIT;
    char from[80] = "root ";
    char to[80] = "root ";
    char prev[80] = "prev ";
    char prev_new[80] = "prev ";
    uint8_t pk[SIGN_PK_LEN];
    uint8_t hash[HASH_LEN];
    struct secret *seed =
        must_have(g, secret_copy("a root key that nobody has pinned", SIGN_SEED_LEN, &g->err));
    must(g, sign_public(seed, pk, &g->err));
    hex_encode(from + 5, g->root_pk, SIGN_PK_LEN);
    hex_encode(to + 5, pk, SIGN_PK_LEN);
    golden_negative(&g->out, "charter-root-foreign", "L0 charter-root");
    golden_read(&g->out, charter_path(1).text, &bytes);
    file_hash(bytes.data, bytes.len, hash);
    hex_encode(prev + 5, hash, HASH_LEN);
    edit_charter(g, 1, from, to, seed, &bytes);
    golden_change(&g->out, charter_path(1).text, bytes.data, bytes.len);
    file_hash(bytes.data, bytes.len, hash);
    hex_encode(prev_new + 5, hash, HASH_LEN);
    /* Charter 2: both lines, one after the other in the text. */
    char both[256], both_new[256];
    (void)snprintf(both, sizeof both, "%s\n%s\n", prev, from);
    (void)snprintf(both_new, sizeof both_new, "%s\n%s\n", prev_new, to);
    edit_charter(g, 2, both, both_new, seed, &bytes);
    golden_change(&g->out, charter_path(2).text, bytes.data, bytes.len);
    golden_negative_end(&g->out);
    secret_free(seed);
    buf_free(&bytes);
}

static void negative_charters(struct golden *g)
{
    char line[256], twice[600], closed[300], range[300], text[2 * HASH_LEN + 1];
    uint8_t hash[HASH_LEN];
    struct buf bytes = BUF_INIT;
    struct golden_out *o = &g->out;
    golden_negative(o, "charter-missing", "L0 charter-missing");
    golden_remove(o, charter_path(1).text);
    golden_negative_end(o);
    edit_charter(g, 1, "min-keep 2", "min-keep 1", g->retention.seed, &bytes);
    golden_negative(o, "charter-one-signed-by-another", "L0 charter-signature");
    golden_change(o, charter_path(1).text, bytes.data, bytes.len);
    golden_negative_end(o);
    edit_charter(g, 2, "min-keep 2", "min-keep 1", g->retention.seed, &bytes);
    golden_negative(o, "charter-two-signed-by-another", "L0 charter-signature");
    golden_change(o, charter_path(2).text, bytes.data, bytes.len);
    golden_negative_end(o);
    golden_negative(o, "charter-cut", "L0 charter-syntax");
    golden_cut(o, charter_path(1).text, 300);
    golden_negative_end(o);
    golden_negative(o, "charter-two-cut-is-a-note",
                    "L0 note:charter-syntax record-charter retention-charter snap-missing");
    golden_cut(o, charter_path(2).text, 300);
    golden_negative_end(o);
    golden_negative(o, "charter-two-gone", "L0 record-charter retention-charter snap-missing");
    golden_remove(o, charter_path(2).text);
    golden_negative_end(o);
    golden_negative(o, "charter-copied-to-next-version", "L0 charter-chain");
    golden_copy(o, charter_path(2).text, charter_path(3).text);
    golden_negative_end(o);
    golden_negative(o, "charter-gap", "L0 log-gap");
    golden_copy(o, charter_path(2).text, charter_path(4).text);
    golden_negative_end(o);
    golden_read(o, charter_path(1).text, &bytes);
    file_hash(bytes.data, bytes.len, hash);
    hex_encode(text, hash, HASH_LEN);
    charter_negative(g, "charter-prev", "L0 charter-chain", text,
                     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
    foreign_root(g);
    charter_negative(g, "charter-leading-zero", "L0 charter-syntax", "min-keep 2", "min-keep 02");
    charter_negative(g, "charter-two-spaces", "L0 charter-syntax", "min-keep 2", "min-keep  2");
    charter_negative(g, "charter-pack-size", "L0 charter-syntax", "pack-size 16777216", "pack-size 16777217");
    charter_negative(g, "charter-name", "L0 charter-syntax", " anna", " Anna");
    charter_negative(g, "charter-crlf", "L0 charter-syntax", "min-keep 2\n", "min-keep 2\r\n");
    charter_negative(g, "charter-drill-word", "L0 charter-syntax", " active\n", " asleep\n");
    hex_encode(text, g->root.repo_id, REPO_ID_LEN);
    (void)snprintf(line, sizeof line, "repo %s", text);
    charter_negative(g, "charter-other-repo", "L0 charter-repo", line,
                     "repo 00112233445566778899aabbccddeeff");
    writer_line(g, SHOP, line);
    (void)snprintf(twice, sizeof twice, "%s%.*s 3\n", line, (int)strlen(line) - 3, line);
    (void)snprintf(closed, sizeof closed, "%.*s 4\n", (int)strlen(line) - 1, line);
    charter_negative(g, "charter-ranges-overlap", "L0 charter-range", line, twice);
    charter_negative(g, "charter-drops-a-writer", "L0 charter-range", line, "");
    (void)snprintf(range, sizeof range, "%.*s2\n", (int)strlen(line) - 2, line);
    charter_negative(g, "charter-moves-first", "L0 charter-range", line, range);
    charter_negative(g, "writer-retired-at-4", "L0 note:record-writer", line, closed);
    charter_negative(g, "retention-retired-at-7", "L0 note:retention-key", " 1\ndrill", " 1 7\ndrill");
    buf_free(&bytes);
}

/* ---- negatives: logs ----------------------------------------------------------------------------------- */

static void retention_negative(struct golden *g, const char *name, const char *expect, struct plan p,
                               uint8_t attempt)
{
    struct buf bytes = BUF_INIT;
    struct repo *repo = open_repo(g);
    if (p.head[SHOP] == 0)
        p.head[SHOP] = 4;
    build_retention(g, repo, 8, &p, &bytes);
    golden_negative(&g->out, name, expect);
    golden_change(&g->out, retention_path(8, attempt).text, bytes.data, bytes.len);
    golden_negative_end(&g->out);
    buf_free(&bytes);
    repo_close(repo);
}

/* One operation on the shop. */
static struct plan op_plan(uint32_t head, uint32_t seq, uint32_t op)
{
    return (struct plan){ .fence = { 5, 5 }, .head = { head, 5 }, .ops = { { SHOP, seq, op } }, .nops = 1 };
}

static void negative_retention(struct golden *g)
{
    struct golden_out *o = &g->out;
    const struct plan base = { .fence = { 5, 5 }, .head = { 4, 5 } };
    struct plan p = base;
    golden_negative(o, "retention-reserved", "L0 retention-syntax");
    golden_flip(o, retention_path(8, 0).text, 12, 1);
    golden_negative_end(o);
    golden_negative(o, "retention-copied-to-next-seq", "L0 retention-identity");
    golden_copy(o, retention_path(8, 0).text, retention_path(9, 0).text);
    golden_negative_end(o);
    golden_negative(o, "retention-time-altered", "L0 retention-signature");
    golden_flip(o, retention_path(8, 0).text, 40, 1);
    golden_negative_end(o);
    golden_negative(o, "retention-gap", "L0 log-gap snap-missing pack-missing");
    golden_remove(o, retention_path(4, 0).text);
    golden_negative_end(o);
    p.prev_wrong = true;
    retention_negative(g, "retention-prev", "L0 retention-chain", p, 0);
    p = base;
    p.charter = 1;
    retention_negative(g, "retention-charter-falls", "L0 retention-charter", p, 0);
    p.charter = 3;
    retention_negative(g, "retention-charter-unknown", "L0 retention-charter", p, 0);
    p = base;
    p.head[SHOP] = 3;
    retention_negative(g, "retention-head-falls", "L0 retention-heads", p, 0);
    p = base;
    p.fence[BLOG] = 4;
    retention_negative(g, "retention-fence-falls", "L0 retention-heads", p, 0);
    p.fence[BLOG] = 8;
    retention_negative(g, "retention-fence-too-high", "L0 retention-heads", p, 0);
    p = base;
    p.head[SHOP] = 5;
    p.hash_wrong = true;
    retention_negative(g, "retention-head-hash", "L0 retention-heads", p, 0);
    p = base;
    p.unknown_writer = true;
    retention_negative(g, "retention-head-of-nobody", "L0 retention-heads", p, 0);
    p = base;
    p.head[SHOP] = 6;
    retention_negative(g, "retention-saw-more", "L0 log-gap", p, 0);
    p = base;
    p.ncondemned = 1;
    p.condemned[0] = (struct item_plan){ SHOP, 5, 0 };
    retention_negative(g, "condemned-session-not-seen", "L0 retention-lists", p, 0);
    p.condemned[0] = (struct item_plan){ SHOP, 4, IDX_SNAP };
    retention_negative(g, "condemned-live-snap", "L0 retention-lists", p, 0);
    p.deleted[0] = p.condemned[0] = (struct item_plan){ SHOP, 1, 0 };
    p.ndeleted = 1;
    retention_negative(g, "deleted-when-condemned", "L0 retention-lists", p, 0);
    p.ncondemned = 0;
    retention_negative(g, "deleted-not-condemned", "L0 retention-lists", p, 0);
    retention_negative(g, "expire-newest", "L0 retention-expire", op_plan(4, 4, RETENTION_EXPIRE), 0);
    p = op_plan(4, 4, RETENTION_EXPIRE);
    p.note = "also with a note";
    retention_negative(g, "expire-newest-with-note", "L0 retention-expire", p, 0);
    retention_negative(g, "expire-held", "L0 retention-expire", op_plan(4, 2, RETENTION_EXPIRE), 0);
    retention_negative(g, "expire-younger-than-min-keep", "L0 retention-expire",
                       op_plan(5, 4, RETENTION_EXPIRE), 0);
    p = op_plan(4, 3, RETENTION_EXPIRE);
    g->now += (uint64_t)30 * DAY;
    retention_negative(g, "expire-clock-jumped", "L0 retention-expire", p, 0);
    g->now -= (uint64_t)30 * DAY;
    retention_negative(g, "expire-not-seen", "L0 retention-expire", op_plan(4, 5, RETENTION_EXPIRE), 0);
    p = op_plan(4, 5, RETENTION_EXPIRE);
    p.ops[0].writer = BLOG;
    retention_negative(g, "expire-no-snapshot", "L0 retention-expire", p, 0);
    retention_negative(g, "revive-live", "L0 retention-expire", op_plan(4, 3, RETENTION_REVIVE), 0);
    retention_negative(g, "revive-deleted", "L0 retention-expire", op_plan(4, 1, RETENTION_REVIVE), 0);
    retention_negative(g, "retention-fork", "L0 log-fork", base, 1);
}

static void negative_logs(struct golden *g)
{
    struct golden_out *o = &g->out;
    const uint32_t seq = g->forge.seq;
    golden_negative(o, "record-reserved", "L0 record-syntax");
    golden_flip(o, record_path(g, SHOP, seq, 0).text, 172, 1);
    golden_negative_end(o);
    golden_negative(o, "record-kind", "L0 record-syntax");
    golden_flip(o, record_path(g, SHOP, seq, 0).text, 12, 2);
    golden_negative_end(o);
    golden_negative(o, "record-copied-to-next-seq", "L0 record-identity");
    golden_copy(o, record_path(g, SHOP, seq, 0).text, record_path(g, SHOP, seq + 1, 0).text);
    golden_negative_end(o);
    golden_negative(o, "record-of-other-writer", "L0 record-identity");
    golden_copy(o, record_path(g, BLOG, 5, 0).text, record_path(g, SHOP, seq, 0).text);
    golden_negative_end(o);
    golden_negative(o, "record-time-altered", "L0 record-signature");
    golden_flip(o, record_path(g, SHOP, seq, 0).text, 56, 1);
    golden_negative_end(o);
    golden_negative(o, "record-cut-is-a-note", "L0 note:record-syntax");
    golden_cut(o, record_path(g, SHOP, seq, 0).text, 200);
    golden_negative_end(o);
    golden_negative(o, "record-cut-before-the-head", "L0 record-syntax");
    golden_cut(o, record_path(g, BLOG, 4, 0).text, 200);
    golden_negative_end(o);
    golden_negative(o, "record-gap", "L0 log-gap");
    golden_remove(o, record_path(g, SHOP, 2, 0).text);
    golden_negative_end(o);
    golden_negative(o, "record-gone-but-seen", "L0 log-gap");
    golden_remove(o, record_path(g, BLOG, 5, 0).text);
    golden_negative_end(o);
    golden_negative(o, "record-rolled-back", "marks log-rollback");
    golden_remove(o, record_path(g, SHOP, seq, 0).text);
    golden_negative_end(o);
    golden_negative(o, "retention-rolled-back", "marks log-rollback");
    golden_remove(o, retention_path(8, 0).text);
    golden_negative_end(o);
    golden_negative(o, "writer-is-late", "late log-late");
    golden_negative_end(o);
}

/* ---- negatives: stored objects ------------------------------------------------------------------------- */

static void flip_negative(struct golden *g, const char *name, const char *expect, struct path path, size_t at)
{
    golden_negative(&g->out, name, expect);
    golden_flip(&g->out, path.text, at, 0x40);
    golden_negative_end(&g->out);
}

static void negative_objects(struct golden *g)
{
    enum { KID_AT = HEADER_FIXED_LEN, GROUPS_AT = KID_AT + KID_LEN, BOX_AT = GROUPS_AT + 1 + 1 + RID_LEN };
    struct golden_out *o = &g->out;
    const uint32_t last = g->forge.session;
    struct path pack = pack_path(g, SHOP, last, 0);
    struct path snap = snap_path(g, SHOP, last);
    uint8_t head[HEADER_FIXED_LEN];
    struct buf bytes = BUF_INIT;
    golden_read(o, pack.text, &bytes);
    memcpy(head, bytes.data, sizeof head);
    size_t hdr_len = (size_t)head[8] | (size_t)head[9] << 8;
    size_t size = bytes.len;
    buf_free(&bytes);
    golden_negative(o, "pack-gone", "L0 pack-missing");
    golden_remove(o, pack.text);
    golden_negative_end(o);
    golden_negative(o, "pack-gone-restore", "restore pack-missing");
    golden_remove(o, pack.text);
    golden_negative_end(o);
    golden_negative(o, "pack-one-byte-short", "L0 pack-size");
    golden_cut(o, pack.text, size - 1);
    golden_negative_end(o);
    golden_negative(o, "pack-short-restore", "restore short-file");
    golden_cut(o, pack.text, 4000);
    golden_negative_end(o);
    flip_negative(g, "pack-padding", "L1 pack-hash", pack, 20000);
    flip_negative(g, "pack-magic", "restore pack-header", pack, 3);
    flip_negative(g, "pack-header-length", "restore pack-header", pack, 9);
    flip_negative(g, "pack-header-reserved", "restore pack-header", pack, 50);
    flip_negative(g, "pack-header-session", "restore pack-header", pack, 40);
    flip_negative(g, "pack-envelope-groups", "restore envelope-syntax", pack, GROUPS_AT);
    flip_negative(g, "pack-envelope-kid", "restore envelope-kid", pack, KID_AT);
    flip_negative(g, "pack-envelope-box", "restore pack-commit", pack, BOX_AT);
    flip_negative(g, "pack-commit-byte", "restore pack-commit", pack, hdr_len - 1);
    flip_negative(g, "blob-byte", "restore blob-auth", pack, hdr_len + 5);
    golden_negative(o, "one-member-alone", "alone AUTH");
    golden_negative_end(o);
    golden_negative(o, "snap-gone", "L0 snap-missing");
    golden_remove(o, snap.text);
    golden_negative_end(o);
    golden_negative(o, "snap-one-byte-short", "L0 snap-size");
    golden_cut(o, snap.text, 800);
    golden_negative_end(o);
    flip_negative(g, "snap-byte", "L0 snap-hash", snap, hdr_len + 60);
    flip_negative(g, "key-file-byte", "key key-file", (struct path){ "keys/kit.key" }, 80);
    flip_negative(g, "key-text-digit", "key key-text", (struct path){ "keys/kit.txt" }, 60);
    golden_negative(o, "key-file-as-kit", "key key-block");
    golden_copy(o, "keys/member-1.key", "keys/kit.key");
    golden_negative_end(o);
}

/* ---- negatives: forged sessions ------------------------------------------------------------------------ */

struct twisted {
    const char *name;
    const char *expect;
    enum twist twist;
};

static const struct twisted twisted[] = {
    { "pack-tail-places", "L3 pack-tail", PACK_TAIL_PLACES },
    { "pack-tail-seal", "L3 pack-tail", PACK_TAIL_SEAL },
    { "pack-trailer-same-id-twice", "L3 pack-trailer", PACK_TRAILER_TWICE },
    { "pack-trailer-chunk-sum", "L3 pack-trailer", PACK_TRAILER_SUM },
    { "pack-trailer-more-bytes", "L3 pack-trailer", PACK_TRAILER_MORE },
    { "pack-trailer-chunk-id", "L3 pack-trailer", PACK_TRAILER_CHUNK_ID },
    { "pack-trailer-kind", "L3 pack-trailer", PACK_TRAILER_KIND },
    { "pack-header-other-idx", "L3 pack-header", PACK_OTHER_IDX },
    { "pack-commit-signed", "L3 pack-commit", PACK_COMMIT },
    { "blob-id-of-other-kind", "L3 blob-id", BLOB_OTHER_KIND },
    { "blob-id-altered", "L3 blob-id", BLOB_OTHER_ID },
    { "blob-codec-2", "L3 blob-frame", BLOB_CODEC },
    { "blob-raw-short", "L3 blob-frame", BLOB_RAW_SHORT },
    { "blob-zstd-byte-after", "L3 blob-frame", BLOB_ZSTD_TAIL },
    { "blob-zstd-skippable", "L3 blob-frame", BLOB_ZSTD_SKIPPABLE },
    { "blob-zstd-no-size", "L3 blob-frame", BLOB_ZSTD_NO_SIZE },
    { "blob-reference-outside-pack", "L3 blob-reference", BLOB_REF_OUTSIDE },
    { "blob-reference-length", "L3 blob-reference", BLOB_REF_LENGTH },
    { "blob-reference-in-node", "L3 blob-reference", BLOB_REF_NODE },
    { "node-reserved", "L3 node-syntax", NODE_RESERVED },
    { "node-level", "L3 node-syntax", NODE_LEVEL },
    { "node-blob-unused", "L3 node-syntax", NODE_UNUSED },
    { "node-blob-twice", "L3 node-syntax", NODE_TWICE },
    { "node-blob-index", "L3 node-syntax", NODE_INDEX },
    { "node-more-bytes", "L3 node-syntax", NODE_MORE },
    { "node-items-too-short", "L3 node-length", NODE_SUM },
    { "node-empty-item", "L3 node-length", NODE_EMPTY_ITEM },
    { "node-extent-behind-blob", "L3 node-length", NODE_BEHIND },
    { "node-other-length", "L3 node-length", NODE_LEN },
    { "node-data-as-node", "L3 blob-id", NODE_DATA_AS_NODE },
    { "stream-form-3", "L3 stream-reference", STREAM_FORM },
    { "stream-outside-blob", "L3 stream-reference", STREAM_OUTSIDE },
    { "stream-empty-not-zero", "L3 stream-reference", STREAM_EMPTY_NOT_ZERO },
    { "stream-level-5", "L3 stream-reference", STREAM_LEVEL },
    { "stream-check", "L3 stream-check", STREAM_CHECK },
    { "stream-tree-length", "L3 node-length", STREAM_TREE_LEN },
    { "snap-header-other-seq", "L0 snap-header", SNAP_OTHER_SEQ },
    { "snap-more-bytes", "L0 snap-header", SNAP_MORE },
    { "snap-commit", "L3 snap-commit", SNAP_COMMIT },
    { "snap-view-seal", "L2 snap-view", SNAP_VIEW_SEAL },
    { "snap-view-order", "L2 snap-view", SNAP_VIEW_ORDER },
    { "snap-view-padding", "L2 snap-view", SNAP_VIEW_PADDING },
    { "snap-view-label", "L2 snap-view", SNAP_VIEW_LABEL },
    { "snap-priv-seal", "L3 snap-priv", SNAP_PRIV_SEAL },
    { "snap-priv-nul", "L3 snap-priv", SNAP_PRIV_NUL },
    { "snap-priv-padding", "L3 snap-priv", SNAP_PRIV_PADDING },
    { "snap-envelope-rid-twice", "L3 envelope-syntax", SNAP_ENVELOPE_TWICE },
    { "envelope-share-of-another-secret", "LK envelope-kid", ENVELOPE_OTHER_SHARE },
    { "envelope-broken-box", "LK envelope-kid", ENVELOPE_BROKEN_BOX },
    { "view-without-its-pack", "L3 view-incomplete", VIEW_WITHOUT },
    { "view-lists-unknown-pack", "L2 pack-missing", VIEW_UNKNOWN },
    { "catalog-duplicate", "L3 catalog-duplicate", LIST_DUPLICATE },
    { "catalog-path-up", "L3 catalog-path", LIST_PATH },
    { "catalog-device", "L3 catalog-type", LIST_TYPE },
    { "catalog-hardlink-to-nothing", "L3 catalog-link", LIST_LINK },
    { "catalog-body-short", "L3 catalog-body", LIST_BODY },
    { "catalog-no-end", "L3 catalog-truncated", LIST_TRUNCATED },
    { "catalog-bytes-after-end", "L3 catalog-trailing", LIST_TRAILING },
    { "catalog-body-too-large", "L3 catalog-limit", LIST_LIMIT },
    { "catalog-checksum", "L3 catalog-header", LIST_HEADER },
    { "record-prev", "L0 record-chain", RECORD_CHAIN },
    { "record-session-same", "L0 record-session", RECORD_SESSION },
    { "record-ack-falls", "L0 record-ack", RECORD_ACK_FALLS },
    { "record-ack-hash", "L0 record-ack", RECORD_ACK_OTHER },
    { "record-ack-ahead", "L0 log-gap", RECORD_ACK_AHEAD },
    { "record-charter-falls", "L0 record-charter", RECORD_CHARTER_FALLS },
    { "record-charter-unknown", "L0 record-charter", RECORD_CHARTER_AHEAD },
    { "record-packs-order", "L0 record-packs", RECORD_PACKS_ORDER },
    { "record-pack-introduced-twice", "L0 record-packs", RECORD_PACKS_TWICE },
    { "record-pack-too-small", "L0 record-packs", RECORD_PACKS_SIZE },
    { "record-foreign-key", "L0 record-signature", RECORD_FOREIGN_KEY },
};

static void negative_forged(struct golden *g)
{
    struct golden_out *o = &g->out;
    struct path pack = pack_path(g, SHOP, g->forge.session, 0);
    struct path snap = snap_path(g, SHOP, g->forge.session);
    struct path record = record_path(g, SHOP, g->forge.seq, 0);
    struct forged f;
    for (size_t i = 0; i < sizeof twisted / sizeof twisted[0]; i++) {
        forge_session(&g->forge, twisted[i].twist, &f);
        golden_negative(o, twisted[i].name, twisted[i].expect);
        golden_change(o, pack.text, f.pack.data, f.pack.len);
        golden_change(o, snap.text, f.snap.data, f.snap.len);
        golden_change(o, record.text, f.record.data, f.record.len);
        golden_negative_end(o);
        forged_free(&f);
    }
    forge_session(&g->forge, RECORD_OTHER_TIME, &f);
    golden_negative(o, "record-fork", "L0 log-fork");
    golden_change(o, record_path(g, SHOP, g->forge.seq, 1).text, f.record.data, f.record.len);
    golden_negative_end(o);
    forged_free(&f);
}

/* ---- main ---------------------------------------------------------------------------------------------- */

static void remove_state(const char *path)
{
    struct error err = ERROR_INIT;
    DIR *d = opendir(path);
    const struct dirent *e = NULL;
    while (d != NULL && (e = readdir(d)) != NULL) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        char *below = path_join(path, e->d_name, &err);
        if (below != NULL && unlink(below) < 0)
            remove_state(below);
        free(below);
    }
    if (d != NULL)
        (void)closedir(d);
    (void)rmdir(path);
}

static void free_keys(struct golden *g)
{
    root_keys_free(&g->root);
    restore_kit_free(&g->kit);
    for (size_t i = 0; i < WRITERS; i++)
        writer_keys_free(&g->writers[i]);
    for (size_t i = 0; i < MEMBERS; i++)
        member_kit_free(&g->members[i]);
    retention_keys_free(&g->retention);
}

int main(int argc, char **argv)
{
    static const uint8_t seed[32] = "golden repository of format bk1";
    static struct golden g = {
        .err = ERROR_INIT, .now = start_time, .list = BUF_INIT, .state = "/tmp/golden-XXXXXX"
    };
    const struct clock_source clock = { .wall = wall, .mono_ms = mono, .arg = &g };
    if (argc != 2) {
        (void)fprintf(stderr, "usage: make_golden DIRECTORY\n");
        return 2;
    }
    g.out = (struct golden_out){ .dir = argv[1], .changes = BUF_INIT };
    must(&g, crypto_init(&g.err));
    random_seed_for_tests(seed);
    clock_fake(&clock);
    if (mkdtemp(g.state) == NULL || (mkdir(argv[1], 0755) < 0 && access(argv[1], W_OK) < 0)) {
        perror(argv[1]);
        return 1;
    }
    char *repo = must_have(&g, path_join(argv[1], "repo", &g.err));
    if (mkdir(repo, 0755) < 0) {
        perror(repo);
        return 1;
    }
    g.backend = must_have(&g, backend_local(repo, &g.err));
    make_keys(&g);
    story(&g);
    list_records(&g);
    negative_charters(&g);
    negative_logs(&g);
    negative_retention(&g);
    negative_objects(&g);
    negative_forged(&g);
    (void)printf("%u negatives\n", g.out.number);
    backend_close(g.backend);
    remove_state(g.state);
    free_keys(&g);
    buf_free(&g.list);
    buf_free(&g.out.changes);
    free(repo);
    return 0;
}
