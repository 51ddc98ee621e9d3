/*
 * house_help.h - a small repository on the memory backend, record by record, good or bad.
 *
 * Two writers, one retention key, charter 1. next_record() and next_retention() build the next record of a
 * log as it should be; a test may bend it before put_record() or put_retention(), so that every rule can be
 * broken one at a time. Files are put under the attempt a test asks for, past all checks of repo_publish_*.
 */
#ifndef TESTS_UNIT_REPO_HOUSE_HELP_H
#define TESTS_UNIT_REPO_HOUSE_HELP_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/backend/fault.h"
#include "common/backend/memory.h"
#include "common/repo/keys.h"
#include "common/repo/repo.h"

enum { WRITERS = 2, LOG_MAX = 64, T0 = 1700000000, DAY_S = 86400 };

struct house_log {
    uint32_t head;
    uint32_t session;
    uint32_t ack;
    uint8_t hash[LOG_MAX][HASH_LEN]; /* of record n at n; 0: charter 1 */
};

static struct {
    struct backend *b;
    struct root_keys root;
    struct restore_kit kit;
    struct retention_keys ret;
    struct writer_keys w[WRITERS];
    uint8_t root_pk[SIGN_PK_LEN];
    struct charter charter; /* newest */
    struct house_log log[WRITERS];
    struct house_log retlog;
    uint32_t fence[WRITERS];
    uint64_t time;
    struct repo *repo;
    struct error err;
} h;

static inline void house_charter_line(struct charter *c, size_t i, uint32_t first, uint32_t last)
{
    struct charter_writer *w = vec_push(&c->writers, NULL);
    memcpy(w->id, h.w[i].writer_id, WRITER_ID_LEN);
    ck_assert_int_eq(sign_public(h.w[i].seed, w->pk, NULL), 0);
    w->cadence_hours = 24;
    w->first_seq = first;
    w->last_seq = last;
}

static inline void house_retention_line(struct charter *c, const struct secret *seed, uint32_t first)
{
    struct charter_retention *r = vec_push(&c->retention, NULL);
    ck_assert_int_eq(sign_public(seed, r->pk, NULL), 0);
    r->first_seq = first;
    r->last_seq = SEQ_OPEN;
}

static inline void house_publish_charter(struct charter *c, const struct secret *seed)
{
    struct buf bytes = BUF_INIT;
    struct error err = ERROR_INIT;
    ck_assert_msg(charter_build(c, seed, &bytes, &err) == 0, "%s", err.text);
    const struct charter *prev = c->version > 1 ? &h.charter : NULL;
    ck_assert_msg(repo_publish_charter(h.b, prev, bytes.data, bytes.len, NULL, &err) == 0, "%s", err.text);
    buf_free(&bytes);
    if (prev != NULL)
        charter_free(&h.charter);
    h.charter = *c;
}

static inline void house_first_charter(void)
{
    struct charter c;
    charter_init(&c);
    memcpy(c.repo_id, h.root.repo_id, REPO_ID_LEN);
    memcpy(c.root_pk, h.root_pk, SIGN_PK_LEN);
    c.min_keep_days = 10;
    struct charter_recipient *r = vec_push(&c.recipients, NULL);
    struct charter_group *g = vec_push(&c.groups, NULL);
    ck_assert_int_eq(box_public(h.kit.r, r->pk, NULL), 0);
    ck_assert_int_eq(box_rid(r->pk, r->rid, NULL), 0);
    r->name[0] = 's';
    g->n = 1;
    memcpy(g->rid[0], r->rid, RID_LEN);
    for (size_t i = 0; i < WRITERS; i++)
        house_charter_line(&c, i, 1, SEQ_OPEN);
    house_retention_line(&c, h.ret.seed, 1);
    ck_assert_int_eq(repo_create_dirs(h.b, &c, NULL), 0);
    ck_assert_int_eq(repo_create_dirs(h.b, &c, NULL), 0); /* twice is fine */
    house_publish_charter(&c, h.root.seed);
}

static inline void house_start(void)
{
    ck_assert_int_eq(crypto_init(NULL), 0);
    memset(&h, 0, sizeof h);
    h.time = T0;
    h.b = backend_memory(NULL);
    ck_assert_int_eq(root_keys_generate(&h.root, NULL), 0);
    ck_assert_int_eq(restore_kit_generate(&h.root, &h.kit, NULL), 0);
    ck_assert_int_eq(retention_keys_generate(&h.kit, &h.ret, NULL), 0);
    memcpy(h.root_pk, h.kit.root_pk, SIGN_PK_LEN);
    for (size_t i = 0; i < WRITERS; i++) {
        ck_assert_int_eq(writer_keys_generate(&h.kit, &h.w[i], NULL), 0);
        h.w[i].writer_id[0] = (uint8_t)(i + 1); /* a known order */
    }
    house_first_charter();
    memcpy(h.retlog.hash[0], h.charter.hash, HASH_LEN);
    for (size_t i = 0; i < WRITERS; i++)
        memcpy(h.log[i].hash[0], h.charter.hash, HASH_LEN);
}

static inline void house_stop(void)
{
    repo_close(h.repo);
    charter_free(&h.charter);
    for (size_t i = 0; i < WRITERS; i++)
        writer_keys_free(&h.w[i]);
    retention_keys_free(&h.ret);
    restore_kit_free(&h.kit);
    root_keys_free(&h.root);
    backend_close(h.b);
}

/* The next record of writer i: a snapshot that introduces one pack and acknowledges `ack`. */
static inline struct record next_record(size_t i, uint32_t ack)
{
    struct house_log *l = &h.log[i];
    struct record r;
    record_init(&r);
    memcpy(r.repo_id, h.root.repo_id, REPO_ID_LEN);
    memcpy(r.writer_id, h.w[i].writer_id, WRITER_ID_LEN);
    r.seq = l->head + 1;
    r.session = l->session + 1;
    r.charter = h.charter.version;
    r.ack = ack;
    r.time = h.time;
    memcpy(r.prev, l->hash[l->head], HASH_LEN);
    if (ack > 0)
        memcpy(r.ack_hash, h.retlog.hash[ack], HASH_LEN);
    r.snap_size = 1000;
    memset(r.snap_hash, 1, HASH_LEN);
    struct record_pack *p = vec_push(&r.packs, NULL);
    *p = (struct record_pack){ .session = r.session, .idx = 0, .size = PACK_SHORT_MIN };
    return r;
}

/* Puts it under the attempt; it becomes the head when `take`. Frees r. */
static inline void put_record(size_t i, struct record *r, uint8_t attempt, bool take)
{
    struct buf bytes = BUF_INIT;
    struct error err = ERROR_INIT;
    char name[NAME_TEXT_MAX];
    ck_assert_msg(record_encode(r, h.w[i].seed, &bytes, &err) == 0, "%s", err.text);
    ck_assert_int_eq(
        backend_put(h.b, name_record(name, h.w[i].writer_id, r->seq, attempt), bytes.data, bytes.len, NULL),
        0);
    if (take) {
        h.log[i].head = r->seq;
        h.log[i].session = r->session;
        record_hash(bytes.data, bytes.len, h.log[i].hash[r->seq]);
    }
    record_free(r);
    buf_free(&bytes);
}

static inline void write_record(size_t i, uint32_t ack)
{
    struct record r = next_record(i, ack);
    put_record(i, &r, 0, true);
}

static inline struct retention_record next_retention(void)
{
    struct retention_record r;
    retention_init(&r);
    memcpy(r.repo_id, h.root.repo_id, REPO_ID_LEN);
    r.seq = h.retlog.head + 1;
    r.charter = h.charter.version;
    r.time = h.time;
    memcpy(r.prev, h.retlog.hash[h.retlog.head], HASH_LEN);
    for (size_t i = 0; i < WRITERS; i++) {
        struct retention_head *head = vec_push(&r.heads, NULL);
        memcpy(head->writer, h.w[i].writer_id, WRITER_ID_LEN);
        head->head = h.log[i].head;
        head->fence = h.fence[i];
        if (head->head > 0)
            memcpy(head->hash, h.log[i].hash[head->head], HASH_LEN);
    }
    return r;
}

static inline void put_retention(struct retention_record *r, uint8_t attempt, bool take, const char *note)
{
    struct buf bytes = BUF_INIT;
    struct error err = ERROR_INIT;
    char name[NAME_TEXT_MAX];
    ck_assert_msg(retention_encode(r, h.ret.seed, h.ret.v, note, &bytes, &err) == 0, "%s", err.text);
    ck_assert_int_eq(backend_put(h.b, name_retention(name, r->seq, attempt), bytes.data, bytes.len, NULL), 0);
    if (take) {
        h.retlog.head = r->seq;
        record_hash(bytes.data, bytes.len, h.retlog.hash[r->seq]);
    }
    retention_free(r);
    buf_free(&bytes);
}

static inline void write_retention(void)
{
    struct retention_record r = next_retention();
    put_retention(&r, 0, true, NULL);
}

static inline void add_op(struct retention_record *r, size_t i, uint32_t seq, uint32_t op)
{
    struct retention_op *o = vec_push(&r->ops, NULL);
    memcpy(o->writer, h.w[i].writer_id, WRITER_ID_LEN);
    o->seq = seq;
    o->op = op;
}

static inline void add_item(struct vec *list, size_t i, uint32_t session, uint32_t idx)
{
    struct retention_item *item = vec_push(list, NULL);
    memcpy(item->writer, h.w[i].writer_id, WRITER_ID_LEN);
    item->session = session;
    item->idx = idx;
}

/* Opens (again) with these options; *h.repo is the picture. */
static inline void open_with(const struct repo_options *o)
{
    repo_close(h.repo);
    h.repo = NULL;
    error_clear(&h.err);
    ck_assert_msg(repo_open(h.b, h.root_pk, o, &h.repo, &h.err) == 0, "%s", h.err.text);
}

static inline void open_all(void)
{
    open_with(&(struct repo_options){ .now = 0 });
}

static inline struct repo_writer *writer(size_t i)
{
    return repo_writer_find(h.repo, h.w[i].writer_id);
}

/* The picture has exactly this alarm (NULL: none), of writer i (-1: retention log). */
static inline void assert_alarm(const char *name, int i, uint32_t seq)
{
    const struct repo_finding *alarm = NULL;
    for (size_t k = 0; k < h.repo->findings.len; k++) {
        const struct repo_finding *f = vec_at(&h.repo->findings, k);
        ck_assert_uint_gt(strlen(f->text), 0);
        if (f->note)
            continue;
        ck_assert_msg(alarm == NULL, "also: %s %s", f->where, f->text);
        alarm = f;
    }
    if (name == NULL) {
        ck_assert_msg(alarm == NULL, "%s: %s", alarm != NULL ? alarm->where : "",
                      alarm != NULL ? alarm->text : "");
        return;
    }
    ck_assert_msg(alarm != NULL, "no alarm, expected %s", name);
    ck_assert_str_eq(alarm->name, name);
    ck_assert_int_eq(alarm->has_writer, i >= 0);
    if (i >= 0)
        ck_assert_mem_eq(alarm->writer, h.w[i].writer_id, WRITER_ID_LEN);
    ck_assert_uint_eq(alarm->seq, seq);
}

static inline int run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
