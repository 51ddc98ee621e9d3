#include "tests/support/golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/crypto/hash.h"
#include "tests/support/world.h"
#include "common/base/banned.h"

enum { BIG = 36 * MIB, BLOCK = 48000 };

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

static void shop_streams(struct data *d, struct golden_stream s[SHOP_STREAMS])
{
    static const char customers[] = "nr;name;ort\n1;Müller;Köln\n2;Łukasz;Łódź\n3;山田;東京\n";
    static uint8_t csv[sizeof customers];
    memcpy(csv, customers, sizeof customers);
    s[0] = (struct golden_stream){
        .name = "Bilder/日本語.bin", .facts = "type=image\n", .data = d->upload, .len = sizeof d->upload
    };
    s[1] = (struct golden_stream){ .name = "db/kunden-größe.csv",
                                   .facts = "kind=table\nrows=3\n",
                                   .data = csv,
                                   .len = sizeof customers - 1 };
    s[2] = (struct golden_stream){ .name = "db/leer", .facts = "", .data = csv, .len = 0 };
    s[3] = (struct golden_stream){
        .name = "db/orders", .facts = "kind=table\nrows=4711\n", .data = d->orders, .len = d->orders_len
    };
    s[4] = (struct golden_stream){
        .name = "db/schema.sql", .facts = "kind=schema\n", .data = d->text + 90000, .len = 700
    };
}

enum { BLOG_STREAMS = 3 };

static void blog_streams(struct data *d, struct golden_stream s[BLOG_STREAMS])
{
    s[0] = (struct golden_stream){ .name = "blog.db",
                                   .facts = "page_size=4096\nholes=122880:24576\n",
                                   .data = d->pages,
                                   .len = sizeof d->pages,
                                   .page_size = 4096 };
    s[1] = (struct golden_stream){
        .name = "geheim", .facts = "", .data = d->random, .len = sizeof d->random, .no_dedup = true
    };
    s[2] = (struct golden_stream){ .name = "zz-temp", .facts = "", .data = d->temp, .len = sizeof d->temp };
}

/* What a cut upload of `whole` left under `name`. */
static void tear(struct golden *g, struct golden_path whole, struct golden_path name, size_t len)
{
    struct buf bytes = BUF_INIT;
    golden_read(&g->out, whole.text, &bytes);
    golden_unlink(&g->out, name.text);
    golden_write(&g->out, name.text, bytes.data, len, 0440);
    buf_free(&bytes);
}

/* Session 3 of the shop: its first upload of the pack and of the record is cut. */
static void torn_run(struct golden *g, const struct golden_stream *s, size_t n)
{
    struct golden_run r;
    char name[NAME_TEXT_MAX];
    const uint8_t *id = g->writers[SHOP].writer_id;
    golden_run_begin(&r, g, SHOP, "shop");
    uint32_t session = session_number(r.session);
    must(g, backend_put(g->backend, name_pack(name, id, session, 0, 0), "BK1", 3, &g->err));
    must(g, backend_put(g->backend, name_record(name, id, 3, 0), "BK1", 3, &g->err));
    after(g, 60);
    golden_run_streams(&r, s, n, true);
    golden_run_commit(&r, 0);
    tear(g, golden_pack_path(g, SHOP, session, 1), golden_pack_path(g, SHOP, session, 0), 5000);
    tear(g, golden_record_path(g, SHOP, 3, 1), golden_record_path(g, SHOP, 3, 0), 100);
}

/* An acknowledgement without a snapshot. */
static void ack_record(struct golden *g, size_t writer)
{
    struct repo *repo = golden_open_repo(g);
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
    struct repo *repo = golden_open_repo(g);
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
    golden_expect_notes(g, SHOP, snapshot, FORGED_NOTES);
    forge_expected(streams);
    for (size_t i = 0; i < FORGED_STREAMS; i++) {
        golden_expect_stream(g, SHOP, snapshot, streams[i].path, stream_facts[i], streams[i].bytes.data,
                             streams[i].bytes.len);
        buf_free(&streams[i].bytes);
    }
    repo_close(repo);
}

void golden_story(struct golden *g)
{
    static struct data d;
    struct charter first, second;
    struct golden_stream shop[SHOP_STREAMS + 1];
    struct golden_stream blog[BLOG_STREAMS];
    struct golden_run late;
    make_data(g, &d);
    shop_streams(&d, shop);
    blog_streams(&d, blog);

    golden_first_charter(g, &first);
    golden_publish_charter(g, &first, NULL);
    golden_run_all(g, SHOP, "shop", shop, SHOP_STREAMS, false); /* will expire */
    after(g, 3600);
    golden_run_all(g, BLOG, "blog", blog, BLOG_STREAMS - 1, true);
    golden_second_charter(g, &first, &second);
    golden_publish_charter(g, &second, &first);

    after(g, DAY);
    memcpy(d.orders + 50000, "changed in the second night", 27);
    golden_run_all(g, SHOP, "shop", shop, SHOP_STREAMS, true);
    after(g, 7200);
    golden_retain(g, &(struct golden_plan){ .note = "erste Sichtung – first look" });

    after(g, DAY);
    memmove(d.orders + 1234, d.orders + 1200, d.orders_len - 1200);
    d.orders_len += 34;
    shop_streams(&d, shop);
    shop[SHOP_STREAMS] =
        (struct golden_stream){ .name = "db/very/big", .facts = "kind=log\n", .data = d.big, .len = BIG };
    torn_run(g, shop, SHOP_STREAMS + 1);

    /* A run of the blog takes too long: retention fences it off, and it is void. */
    golden_run_begin(&late, g, BLOG, "blog");
    golden_retain(g, &(struct golden_plan){ .nops = 0 });
    after(g, DAY);
    golden_retain(g, &(struct golden_plan){ .fence = { 0, 2 } });
    after(g, 3600);
    golden_retain(g, &(struct golden_plan){ .fence = { 0, 2 } });
    golden_run_streams(&late, blog, BLOG_STREAMS, false);
    golden_run_commit(&late, E_RETRY);
    after(g, 3600);
    d.pages[4096 * 9 + 9] ^= 1;
    golden_run_all(g, BLOG, "blog", blog, 1, true);

    /* The first snapshot of the shop expires; what nobody needs is condemned, acknowledged, fenced,
     * deleted. */
    after(g, (uint64_t)5 * DAY);
    golden_retain(g, &(struct golden_plan){
                         .fence = { 0, 2 },
                         .ops = { { SHOP, 1, RETENTION_EXPIRE }, { SHOP, 2, RETENTION_HOLD } },
                         .nops = 2,
                         .condemned = { { BLOG, 2, 0 }, { BLOG, 2, IDX_SNAP }, { SHOP, 1, IDX_SNAP } },
                         .ncondemned = 3 });
    after(g, 3600);
    d.pages[4096 * 11 + 11] ^= 1;
    golden_run_all(g, BLOG, "blog", blog, BLOG_STREAMS - 1, true);
    golden_run_all(g, SHOP, "shop", shop, 3, true);
    after(g, DAY);
    golden_retain(g, &(struct golden_plan){ .fence = { 5, 5 } });
    after(g, 60);
    golden_retain(
        g, &(struct golden_plan){ .fence = { 5, 5 },
                                  .deleted = { { BLOG, 2, 0 }, { BLOG, 2, IDX_SNAP }, { SHOP, 1, IDX_SNAP } },
                                  .ndeleted = 3 });
    golden_unlink(&g->out, golden_pack_path(g, BLOG, 2, 0).text);
    golden_unlink(&g->out, golden_snap_path(g, BLOG, 2).text);
    golden_unlink(&g->out, golden_snap_path(g, SHOP, 1).text);
    after(g, DAY);
    ack_record(g, BLOG);
    golden_retain(
        g, &(struct golden_plan){
               .fence = { 5, 5 }, .note = "released", .ops = { { SHOP, 3, RETENTION_HOLD } }, .nops = 1 });
    after(g, 60);
    forged_run(g);
    charter_free(&first);
    charter_free(&second);
    free(d.big);
}

/* ---- the list of what is there ------------------------------------------------------------------------- */

void golden_list_records(struct golden *g)
{
    struct repo *repo = golden_open_repo(g);
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
