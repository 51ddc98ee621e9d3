/* The picture of a repository: charters, logs, forks, gaps, torn attempts, marks, publishing. */
#include <stdio.h>

#include "common/base/alloc.h"
#include "tests/unit/repo/house_help.h"
#include "common/base/banned.h"

/* ---- good repositories ---- */

START_TEST(an_empty_repository)
{
    open_all();
    assert_alarm(NULL, 0, 0);
    ck_assert_mem_eq(h.repo->repo_id, h.root.repo_id, REPO_ID_LEN);
    ck_assert_uint_eq(repo_charter(h.repo)->version, 1);
    ck_assert_uint_eq(h.repo->writers.len, WRITERS);
    ck_assert_ptr_null(repo_head(writer(0)));
    ck_assert_ptr_null(repo_retention_head(h.repo));
    ck_assert_mem_eq(repo_prev_hash(h.repo, writer(0)), h.charter.hash, HASH_LEN);
    ck_assert_mem_eq(repo_prev_hash(h.repo, NULL), h.charter.hash, HASH_LEN);
    ck_assert_uint_eq(repo_fence(writer(0)), 0);
    ck_assert_uint_eq(h.repo->findings.len, 0);
}
END_TEST

START_TEST(logs_that_name_each_other)
{
    uint32_t seq = 0;
    write_record(0, 0);
    write_record(0, 0);
    write_retention();
    write_record(0, 1);
    write_record(1, 1);
    write_retention();
    open_all();
    assert_alarm(NULL, 0, 0);
    ck_assert_uint_eq(repo_head(writer(0))->rec.seq, 3);
    ck_assert_uint_eq(repo_head(writer(1))->rec.seq, 1);
    ck_assert_mem_eq(repo_prev_hash(h.repo, writer(0)), h.log[0].hash[3], HASH_LEN);
    ck_assert_uint_eq(repo_record_at(writer(0), 2)->first_seen, 1);
    ck_assert_uint_eq(repo_record_at(writer(0), 3)->first_seen, 2);
    ck_assert_ptr_null(repo_record_at(writer(0), 4));
    ck_assert_ptr_nonnull(repo_pack_find(writer(0), 3, 0, &seq));
    ck_assert_uint_eq(seq, 3);
    ck_assert_ptr_null(repo_pack_find(writer(0), 3, 1, NULL));
    ck_assert_uint_eq(repo_session_max(h.repo, h.w[0].writer_id), 3);
    ck_assert(repo_record_live(repo_head(writer(0))));
    open_with(&(struct repo_options){ .writer = h.w[1].writer_id });
    assert_alarm(NULL, 0, 0);
    ck_assert_uint_eq(h.repo->writers.len, 1);
    ck_assert_ptr_null(writer(0));
    ck_assert_uint_eq(repo_head(writer(1))->rec.seq, 1);
}
END_TEST

START_TEST(junk_is_counted)
{
    char dir[NAME_TEXT_MAX];
    char name[2 * NAME_TEXT_MAX];
    write_record(0, 0);
    (void)snprintf(name, sizeof name, "%s/readme.txt", name_writer_sub(dir, h.w[0].writer_id, "log"));
    ck_assert_int_eq(backend_put(h.b, name, "x", 1, NULL), 0);
    ck_assert_int_eq(backend_put(h.b, "ret/00000001.0", "x", 1, NULL), 0);
    open_all();
    assert_alarm(NULL, 0, 0);
    ck_assert_uint_eq(h.repo->junk, 2);
}
END_TEST

/* ---- charters and the pin ---- */

static int open_code(const uint8_t *pin)
{
    struct repo *repo = NULL;
    struct repo_options o = { .now = 0 };
    error_clear(&h.err);
    int rc = repo_open(h.b, pin, &o, &repo, &h.err);
    repo_close(repo);
    return rc;
}

START_TEST(the_pinned_root_must_sign)
{
    struct root_keys next;
    struct charter c;
    uint8_t next_pk[SIGN_PK_LEN];
    ck_assert_int_eq(root_keys_generate(&next, NULL), 0);
    ck_assert_int_eq(sign_public(next.seed, next_pk, NULL), 0);
    ck_assert_int_eq(open_code(next_pk), E_CORRUPT);
    ck_assert_str_eq(h.err.name, ERR_CHARTER_ROOT);
    ck_assert_int_eq(charter_next(&h.charter, &c, NULL), 0);
    memcpy(c.root_pk, next_pk, SIGN_PK_LEN);
    house_publish_charter(&c, h.root.seed); /* names the new root */
    ck_assert_int_eq(open_code(h.root_pk), 0);
    ck_assert_int_eq(open_code(next_pk), E_CORRUPT); /* named only, by whom? */
    ck_assert_int_eq(charter_next(&h.charter, &c, NULL), 0);
    house_publish_charter(&c, next.seed);
    ck_assert_int_eq(open_code(h.root_pk), 0);
    ck_assert_int_eq(open_code(next_pk), 0);
    root_keys_free(&next);
}
END_TEST

START_TEST(no_repository)
{
    struct backend *empty = backend_memory(NULL);
    struct backend *real = h.b;
    h.b = empty;
    ck_assert_int_eq(open_code(h.root_pk), E_NOT_FOUND);
    ck_assert_str_eq(h.err.name, ERR_CHARTER_MISSING);
    h.b = real;
    backend_close(empty);
}
END_TEST

START_TEST(every_flipped_byte_of_the_charter_stops)
{
    size_t len = 0;
    uint8_t *bytes = memory_tamper(h.b, "charter/00000001.00", &len);
    for (size_t i = 0; i < len; i++) {
        bytes[i] ^= 1;
        ck_assert_int_eq(open_code(h.root_pk), E_CORRUPT);
        ck_assert_ptr_nonnull(h.err.name);
        bytes[i] ^= 1;
    }
    ck_assert_int_eq(open_code(h.root_pk), 0);
}
END_TEST

static void second_charter(struct buf *out, uint32_t keep_days)
{
    struct charter c;
    ck_assert_int_eq(charter_next(&h.charter, &c, NULL), 0);
    c.min_keep_days = keep_days;
    ck_assert_int_eq(charter_build(&c, h.root.seed, out, NULL), 0);
    charter_free(&c);
}

START_TEST(torn_and_forked_charters)
{
    struct buf a = BUF_INIT;
    struct buf b = BUF_INIT;
    second_charter(&a, 20);
    second_charter(&b, 30);
    ck_assert_int_eq(backend_put(h.b, "charter/00000002.00", a.data, 100, NULL), 0);
    open_all(); /* cut: a note */
    assert_alarm(NULL, 0, 0);
    ck_assert_uint_eq(h.repo->findings.len, 1);
    ck_assert_uint_eq(repo_charter(h.repo)->version, 1);
    ck_assert_int_eq(backend_put(h.b, "charter/00000002.01", a.data, a.len, NULL), 0);
    open_all();
    ck_assert_uint_eq(repo_charter(h.repo)->version, 2);
    ck_assert_int_eq(backend_put(h.b, "charter/00000002.02", a.data, a.len, NULL), 0);
    ck_assert_int_eq(open_code(h.root_pk), 0); /* the same bytes twice are harmless */
    ck_assert_int_eq(backend_put(h.b, "charter/00000002.03", b.data, b.len, NULL), 0);
    ck_assert_int_eq(open_code(h.root_pk), E_CONFLICT);
    ck_assert_str_eq(h.err.name, ERR_LOG_FORK);
    ck_assert_int_eq(repo_publish_charter(h.b, &h.charter, b.data, b.len, NULL, &h.err), E_CONFLICT);
    buf_free(&a);
    buf_free(&b);
}
END_TEST

START_TEST(a_damaged_newest_charter_stops)
{
    struct buf a = BUF_INIT;
    second_charter(&a, 20);
    a.data[60] ^= 1;
    ck_assert_int_eq(backend_put(h.b, "charter/00000002.00", a.data, a.len, NULL), 0);
    ck_assert_int_eq(open_code(h.root_pk), E_CORRUPT);
    buf_free(&a);
}
END_TEST

START_TEST(a_missing_charter_stops)
{
    struct buf a = BUF_INIT;
    second_charter(&a, 20);
    ck_assert_int_eq(backend_put(h.b, "charter/00000003.00", a.data, a.len, NULL), 0);
    ck_assert_int_eq(open_code(h.root_pk), E_CORRUPT);
    ck_assert_str_eq(h.err.name, ERR_LOG_GAP);
    buf_free(&a);
}
END_TEST

/* ---- damage in logs ---- */

static uint8_t *record_bytes(size_t i, uint32_t seq, size_t *len)
{
    char name[NAME_TEXT_MAX];
    return memory_tamper(h.b, name_record(name, h.w[i].writer_id, seq, 0), len);
}

START_TEST(every_flipped_byte_of_a_record_ends_its_log_only)
{
    size_t len = 0;
    for (int i = 0; i < 3; i++)
        write_record(0, 0);
    write_record(1, 0);
    uint8_t *bytes = record_bytes(0, 2, &len);
    for (size_t i = 0; i<len; i += i> 200 ? 2 : 1) {
        bytes[i] ^= 4;
        open_all();
        ck_assert_uint_eq(repo_alarms(h.repo, NULL), 1);
        ck_assert_uint_eq(repo_alarms(h.repo, h.w[0].writer_id), 1);
        ck_assert_uint_eq(writer(0)->records.len, 1);
        ck_assert(writer(0)->stopped);
        ck_assert_uint_eq(writer(1)->records.len, 1);
        const struct repo_finding *f = vec_at(&h.repo->findings, 0);
        ck_assert_ptr_nonnull(f->name);
        ck_assert_ptr_nonnull(strstr(f->where, "/log/00000002.00"));
        bytes[i] ^= 4;
    }
}
END_TEST

START_TEST(a_damaged_head_is_an_alarm_a_cut_one_a_note)
{
    size_t len = 0;
    char name[NAME_TEXT_MAX];
    write_record(0, 0);
    write_record(0, 0);
    uint8_t *bytes = record_bytes(0, 2, &len);
    bytes[len - 1] ^= 1;
    open_all();
    assert_alarm(ERR_RECORD_SIGNATURE, 0, 2);
    bytes[len - 1] ^= 1;
    struct buf cut = BUF_INIT;
    ck_assert_int_eq(buf_append(&cut, bytes, len - 1, NULL), 0);
    ck_assert_int_eq(memory_replace(h.b, name_record(name, h.w[0].writer_id, 2, 0), cut.data, cut.len, NULL),
                     0);
    open_all();
    assert_alarm(NULL, 0, 0);
    ck_assert_uint_eq(h.repo->findings.len, 1);
    ck_assert_uint_eq(writer(0)->records.len, 1);
    ck_assert_uint_eq(writer(0)->torn_next, 1);
    ck_assert_int_eq(repo_reload(h.repo, NULL), 0);
    ck_assert_uint_eq(h.repo->findings.len, 1); /* said once */
    h.log[0].head = 1;
    h.log[0].session = 1;
    struct record r = next_record(0, 0);
    put_record(0, &r, 1, true); /* sent again under the next attempt */
    write_record(0, 0);
    ck_assert_int_eq(repo_reload(h.repo, NULL), 0);
    ck_assert_uint_eq(writer(0)->records.len, 3);
    ck_assert_uint_eq(repo_record_at(writer(0), 2)->attempt, 1);
    ck_assert_uint_eq(writer(0)->torn_next, 0);
    open_all();
    ck_assert_uint_eq(h.repo->findings.len, 0);
    buf_free(&cut);
}
END_TEST

START_TEST(a_gap)
{
    char name[NAME_TEXT_MAX];
    for (int i = 0; i < 3; i++)
        write_record(0, 0);
    ck_assert_int_eq(memory_replace(h.b, name_record(name, h.w[0].writer_id, 2, 0), NULL, 0, NULL), 0);
    open_all();
    assert_alarm(ERR_LOG_GAP, 0, 2);
    ck_assert_uint_eq(writer(0)->records.len, 1);
}
END_TEST

START_TEST(a_fork_of_a_writer)
{
    struct charter c;
    write_record(0, 0);
    write_record(1, 0);
    struct record a = next_record(0, 0);
    struct record b = next_record(0, 0);
    b.time++;
    put_record(0, &a, 0, false);
    put_record(0, &b, 1, false);
    open_all();
    assert_alarm(ERR_LOG_FORK, 0, 2);
    ck_assert(writer(0)->forked);
    ck_assert_uint_eq(writer(0)->records.len, 1);
    ck_assert_uint_eq(writer(1)->records.len, 1);
    /* the root key retires it: what is below stays valid, the rest is ignored */
    ck_assert_int_eq(charter_next(&h.charter, &c, NULL), 0);
    ((struct charter_writer *)vec_at(&c.writers, 0))->last_seq = 1;
    house_publish_charter(&c, h.root.seed);
    open_all();
    assert_alarm(NULL, 0, 0);
    ck_assert_uint_eq(writer(0)->records.len, 1);
    ck_assert_uint_eq(h.repo->findings.len, 1);
    ck_assert_str_eq(((struct repo_finding *)vec_at(&h.repo->findings, 0))->name, ERR_RECORD_WRITER);
}
END_TEST

START_TEST(a_fork_of_the_retention_log)
{
    struct charter c;
    write_record(0, 0);
    write_retention();
    struct retention_record a = next_retention();
    struct retention_record b = next_retention();
    b.time++;
    put_retention(&a, 0, false, NULL);
    put_retention(&b, 1, false, NULL);
    write_record(0, 1); /* writers go on */
    open_all();
    assert_alarm(ERR_LOG_FORK, -1, 2);
    ck_assert(h.repo->retention_forked);
    ck_assert_uint_eq(h.repo->retention.len, 1);
    ck_assert_uint_eq(writer(0)->records.len, 2);
    /* a new retention key from seq 2 on: both branches are torn files now */
    secret_free(h.ret.seed);
    h.ret.seed = secret_random(SIGN_SEED_LEN, NULL);
    ck_assert_int_eq(charter_next(&h.charter, &c, NULL), 0);
    ((struct charter_retention *)vec_at(&c.retention, 0))->last_seq = 1;
    house_retention_line(&c, h.ret.seed, 2);
    house_publish_charter(&c, h.root.seed);
    struct retention_record r = next_retention();
    put_retention(&r, 2, true, NULL);
    open_all();
    assert_alarm(NULL, 0, 0);
    ck_assert_uint_eq(h.repo->retention.len, 2);
    ck_assert_uint_eq(repo_retention_head(h.repo)->attempt, 2);
}
END_TEST

/* ---- rules of a writer's log that need the picture ---- */

START_TEST(records_that_break_a_rule)
{
    static const char *const names[] = { ERR_RECORD_ACK,     ERR_RECORD_ACK,   ERR_RECORD_CHARTER,
                                         ERR_RECORD_SESSION, ERR_RECORD_PACKS, ERR_RECORD_CHAIN,
                                         ERR_RECORD_IDENTITY };
    write_retention();
    write_retention();
    write_record(0, 2);
    write_record(1, 2);
    struct record r = next_record(0, _i == 0 ? 1 : 2);
    struct record_pack *p = vec_at(&r.packs, 0);
    if (_i == 1)
        r.ack_hash[0] ^= 1;
    if (_i == 2)
        r.charter = 2;
    if (_i == 3)
        r.session = p->session = 1;
    if (_i == 4)
        p->session = 1;
    if (_i == 5)
        r.prev[5] ^= 1;
    if (_i == 6)
        r.repo_id[5] ^= 1;
    put_record(0, &r, 0, false);
    open_all();
    assert_alarm(names[_i], 0, 2);
    ck_assert_uint_eq(writer(0)->records.len, 1);
    ck_assert_uint_eq(writer(1)->records.len, 1);
}
END_TEST

START_TEST(hiding_one_log_needs_hiding_the_others)
{
    char name[NAME_TEXT_MAX];
    write_record(0, 0);
    write_retention();
    write_record(0, 1);
    write_retention();
    write_record(1, 2);
    /* the tail of writer 0 */
    struct buf saved = BUF_INIT;
    name_record(name, h.w[0].writer_id, 2, 0);
    ck_assert_int_eq(backend_read_all(h.b, name, 10000, &saved, NULL), 0);
    ck_assert_int_eq(memory_replace(h.b, name, NULL, 0, NULL), 0);
    open_all();
    assert_alarm(ERR_LOG_GAP, 0, 2);
    ck_assert(writer(0)->behind);
    ck_assert_uint_eq(h.repo->retention.len, 2);
    ck_assert_int_eq(memory_replace(h.b, name, saved.data, saved.len, NULL), 0);
    /* the tail of the retention log */
    ck_assert_int_eq(memory_replace(h.b, "ret/00000002.00", NULL, 0, NULL), 0);
    open_all();
    assert_alarm(ERR_LOG_GAP, -1, 2);
    ck_assert_uint_eq(writer(1)->records.len, 1);
    buf_free(&saved);
}
END_TEST

START_TEST(late_writers)
{
    write_record(0, 0);
    open_with(&(struct repo_options){ .now = T0 + 24 * 3600 });
    assert_alarm(NULL, 0, 0);
    open_with(&(struct repo_options){ .now = T0 + 24 * 3600 + 1 });
    assert_alarm(ERR_LOG_LATE, 0, 1); /* writer 1 never began: not late */
}
END_TEST

/* ---- marks ---- */

START_TEST(marks_against_rollback)
{
    struct marks m;
    struct repo_options o = { .marks = &m };
    char name[NAME_TEXT_MAX];
    struct buf saved = BUF_INIT;
    marks_init(&m);
    open_with(&o);
    write_record(0, 0);
    write_record(0, 0);
    write_retention();
    open_with(&o);
    ck_assert_int_eq(repo_marks_raise(h.repo, &m, NULL), 0);
    ck_assert_uint_eq(m.charter.seq, 1);
    ck_assert_uint_eq(m.retention.seq, 1);
    ck_assert_uint_eq(marks_writer(&m, h.w[0].writer_id)->seq, 2);
    open_with(&o);
    assert_alarm(NULL, 0, 0);
    /* the retention log disappears, and with it the only other witness of record 2 */
    ck_assert_int_eq(memory_replace(h.b, "ret/00000001.00", NULL, 0, NULL), 0);
    open_with(&o);
    assert_alarm(ERR_LOG_ROLLBACK, -1, 1);
    m.retention.seq = 0;
    name_record(name, h.w[0].writer_id, 2, 0);
    ck_assert_int_eq(backend_read_all(h.b, name, 10000, &saved, NULL), 0);
    ck_assert_int_eq(memory_replace(h.b, name, NULL, 0, NULL), 0);
    open_with(&o);
    assert_alarm(ERR_LOG_ROLLBACK, 0, 2);
    ck_assert_int_eq(repo_marks_raise(h.repo, &m, NULL), 0);
    ck_assert_uint_eq(marks_writer(&m, h.w[0].writer_id)->seq, 2); /* never falls */
    /* another record 2 */
    h.log[0].head = 1;
    h.time += 5;
    write_record(0, 0);
    open_with(&o);
    assert_alarm(ERR_LOG_ROLLBACK, 0, 2);
    write_record(0, 0);
    open_with(&o);
    ck_assert_int_eq(repo_marks_raise(h.repo, &m, NULL), 0);
    ck_assert_uint_eq(marks_writer(&m, h.w[0].writer_id)->seq, 2);
    buf_free(&saved);
    marks_free(&m);
}
END_TEST

START_TEST(an_old_charter_stops)
{
    struct marks m;
    struct charter c;
    struct repo *repo = NULL;
    struct repo_options o = { .marks = &m };
    marks_init(&m);
    ck_assert_int_eq(charter_next(&h.charter, &c, NULL), 0);
    house_publish_charter(&c, h.root.seed);
    open_with(&o);
    ck_assert_int_eq(repo_marks_raise(h.repo, &m, NULL), 0);
    ck_assert_int_eq(memory_replace(h.b, "charter/00000002.00", NULL, 0, NULL), 0);
    ck_assert_int_eq(repo_open(h.b, h.root_pk, &o, &repo, &h.err), E_CONFLICT);
    ck_assert_str_eq(h.err.name, ERR_LOG_ROLLBACK);
    m.repo_id[0] ^= 1;
    ck_assert_int_eq(repo_open(h.b, h.root_pk, &o, &repo, &h.err), E_CONFLICT);
    ck_assert_str_eq(h.err.name, ERR_CHARTER_REPO);
    marks_free(&m);
}
END_TEST

/* ---- publishing ---- */

static int publish(struct record *r, size_t i, uint8_t *attempt, struct error *err)
{
    struct buf bytes = BUF_INIT;
    ck_assert_int_eq(record_encode(r, h.w[i].seed, &bytes, NULL), 0);
    int rc = repo_publish_record(h.repo, bytes.data, bytes.len, attempt, err);
    buf_free(&bytes);
    return rc;
}

START_TEST(publishing_records)
{
    char name[NAME_TEXT_MAX];
    uint8_t attempt = 9;
    open_all();
    struct record r = next_record(0, 0);
    ck_assert_int_eq(backend_put(h.b, name_record(name, h.w[0].writer_id, 1, 0), "torn", 4, NULL), 0);
    ck_assert_int_eq(publish(&r, 0, &attempt, NULL), 0);
    ck_assert_uint_eq(attempt, 1);
    ck_assert_int_eq(publish(&r, 0, &attempt, NULL), 0); /* after a crash: the same bytes again */
    ck_assert_uint_eq(attempt, 1);
    r.time++; /* the second of two clones */
    ck_assert_int_eq(publish(&r, 0, NULL, &h.err), E_CONFLICT);
    ck_assert_str_eq(h.err.name, ERR_LOG_FORK);
    ck_assert_int_eq(repo_reload(h.repo, NULL), 0);
    ck_assert_uint_eq(writer(0)->records.len, 1);
    ck_assert_int_eq(publish(&r, 0, NULL, NULL), E_INTERNAL); /* seq 1 is taken */
    r.seq = 2;
    ck_assert_int_eq(publish(&r, 0, NULL, NULL), E_INTERNAL); /* prev */
    memcpy(r.prev, repo_prev_hash(h.repo, writer(0)), HASH_LEN);
    r.session = 2;
    ck_assert_int_eq(publish(&r, 1, NULL, NULL), E_INTERNAL); /* another writer's signature */
    ck_assert_int_eq(publish(&r, 0, NULL, NULL), 0);
    record_free(&r);
}
END_TEST

START_TEST(publishing_retention_and_looking_again)
{
    struct buf bytes = BUF_INIT;
    open_all();
    struct record mine = next_record(0, 0);
    ck_assert_int_eq(publish(&mine, 0, NULL, NULL), 0);
    record_free(&mine);
    /* a retention run in between: it has seen the record, its fence does not cut it off */
    struct record r = next_record(0, 0);
    ck_assert_int_eq(record_encode(&r, h.w[0].seed, &bytes, NULL), 0);
    record_hash(bytes.data, bytes.len, h.log[0].hash[1]);
    h.log[0].head = 1;
    buf_clear(&bytes);
    record_free(&r);
    struct retention_record ret = next_retention();
    ck_assert_int_eq(retention_encode(&ret, h.ret.seed, NULL, NULL, &bytes, NULL), 0);
    uint8_t attempt = 9;
    ck_assert_int_eq(repo_publish_retention(h.repo, bytes.data, bytes.len, &attempt, NULL), 0);
    ck_assert_uint_eq(attempt, 0);
    ck_assert_int_eq(repo_reload(h.repo, NULL), 0);
    ck_assert_uint_eq(h.repo->retention.len, 1);
    ck_assert_uint_eq(writer(0)->records.len, 1);
    ck_assert_uint_eq(repo_record_at(writer(0), 1)->first_seen, 1);
    ck_assert_uint_eq(repo_fence(writer(0)), 0);
    ck_assert_int_eq(repo_publish_retention(h.repo, bytes.data, bytes.len, NULL, NULL), E_INTERNAL);
    retention_free(&ret);
    buf_free(&bytes);
}
END_TEST

/* ---- failures ---- */

START_TEST(every_lost_connection_is_reported)
{
    write_record(0, 0);
    write_retention();
    write_record(0, 1);
    bool fired = true;
    for (unsigned long at = 1; fired; at++) {
        struct fault_plan plan = { .kind = FAULT_FAIL, .at = at, .code = E_RETRY };
        struct backend *b = backend_fault(backend_clone(h.b, NULL), &plan, NULL);
        struct repo *repo = NULL;
        struct repo_options o = { .now = 0 };
        int rc = repo_open(b, h.root_pk, &o, &repo, NULL);
        fired = plan.fired;
        ck_assert_int_eq(rc, fired ? E_RETRY : 0);
        repo_close(repo);
        backend_close(b);
        ck_assert_uint_lt(at, 100);
    }
}
END_TEST

START_TEST(an_unreadable_record_ends_its_log_only)
{
    write_record(0, 0);
    write_record(1, 0);
    size_t stopped = 0;
    for (unsigned long at = 1; at < 20; at++) {
        struct fault_plan plan = { .kind = FAULT_FAIL, .at = at, .code = E_IO };
        struct backend *b = backend_fault(backend_clone(h.b, NULL), &plan, NULL);
        struct repo *repo = NULL;
        struct repo_options o = { .now = 0 };
        if (repo_open(b, h.root_pk, &o, &repo, NULL) == 0 && plan.fired) {
            ck_assert_uint_eq(repo_alarms(repo, NULL), 1);
            stopped++;
        }
        repo_close(repo);
        backend_close(b);
    }
    ck_assert_uint_ge(stopped, 2);
}
END_TEST

START_TEST(no_memory)
{
    write_record(0, 0);
    write_retention();
    write_record(0, 1);
    int rc = E_NOMEM;
    for (unsigned long at = 1; rc != 0; at++) {
        struct repo *repo = NULL;
        struct repo_options o = { .now = 1 };
        mem_fail_after(at);
        rc = repo_open(h.b, h.root_pk, &o, &repo, NULL);
        mem_fail_after(0);
        ck_assert(rc == 0 || rc == E_NOMEM);
        ck_assert(rc != 0 || repo_alarms(repo, NULL) == 0);
        repo_close(repo);
        ck_assert_uint_lt(at, 1000);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("repo/repo");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 120);
    tcase_add_checked_fixture(all, house_start, house_stop);
    tcase_add_test(all, an_empty_repository);
    tcase_add_test(all, logs_that_name_each_other);
    tcase_add_test(all, junk_is_counted);
    tcase_add_test(all, the_pinned_root_must_sign);
    tcase_add_test(all, no_repository);
    tcase_add_test(all, every_flipped_byte_of_the_charter_stops);
    tcase_add_test(all, torn_and_forked_charters);
    tcase_add_test(all, a_damaged_newest_charter_stops);
    tcase_add_test(all, a_missing_charter_stops);
    tcase_add_test(all, every_flipped_byte_of_a_record_ends_its_log_only);
    tcase_add_test(all, a_damaged_head_is_an_alarm_a_cut_one_a_note);
    tcase_add_test(all, a_gap);
    tcase_add_test(all, a_fork_of_a_writer);
    tcase_add_test(all, a_fork_of_the_retention_log);
    tcase_add_loop_test(all, records_that_break_a_rule, 0, 7);
    tcase_add_test(all, hiding_one_log_needs_hiding_the_others);
    tcase_add_test(all, late_writers);
    tcase_add_test(all, marks_against_rollback);
    tcase_add_test(all, an_old_charter_stops);
    tcase_add_test(all, publishing_records);
    tcase_add_test(all, publishing_retention_and_looking_again);
    tcase_add_test(all, every_lost_connection_is_reported);
    tcase_add_test(all, an_unreadable_record_ends_its_log_only);
    tcase_add_test(all, no_memory);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
