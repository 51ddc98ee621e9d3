/* Charter: strict text, signature, ranges, chain, recipients. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/repo/charter.h"
#include "common/base/banned.h"

static struct {
    struct secret *root;
    struct charter c;
    struct buf bytes;
} t;

static void add_recipient(struct charter *c, const char *name, uint64_t expires)
{
    struct charter_recipient *r = vec_push(&c->recipients, NULL);
    struct secret *sk = secret_random(BOX_SK_LEN, NULL);
    ck_assert_int_eq(box_public(sk, r->pk, NULL), 0);
    ck_assert_int_eq(box_rid(r->pk, r->rid, NULL), 0);
    memcpy(r->name, name, strlen(name));
    r->expires = expires;
    secret_free(sk);
}

/* Recipients by digits. */
static void add_group(struct charter *c, const char *who)
{
    struct charter_group *g = vec_push(&c->groups, NULL);
    for (; *who != '\0'; who++) {
        const struct charter_recipient *r = vec_at(&c->recipients, (size_t)(*who - '0'));
        memcpy(g->rid[g->n++], r->rid, RID_LEN);
    }
}

static void add_writer(struct charter *c, uint8_t id, uint8_t pk, uint32_t first, uint32_t last)
{
    struct charter_writer *w = vec_push(&c->writers, NULL);
    memset(w->id, id, sizeof w->id);
    memset(w->pk, pk, sizeof w->pk);
    w->cadence_hours = 24;
    w->first_seq = first;
    w->last_seq = last;
}

static void add_retention(struct charter *c, uint8_t pk, uint32_t first, uint32_t last)
{
    struct charter_retention *r = vec_push(&c->retention, NULL);
    memset(r->pk, pk, sizeof r->pk);
    r->first_seq = first;
    r->last_seq = last;
}

static void start(void)
{
    ck_assert_int_eq(crypto_init(NULL), 0);
    t.root = secret_random(SIGN_SEED_LEN, NULL);
    t.bytes = (struct buf)BUF_INIT;
    charter_init(&t.c);
    memset(t.c.repo_id, 0xab, sizeof t.c.repo_id);
    ck_assert_int_eq(sign_public(t.root, t.c.root_pk, NULL), 0);
    t.c.min_keep_days = 30;
    add_recipient(&t.c, "station", 0);
    add_recipient(&t.c, "alice-1", 1000);
    add_recipient(&t.c, "bob_2.x", 2000);
    add_group(&t.c, "0");
    add_group(&t.c, "12");
    add_writer(&t.c, 2, 20, 1, SEQ_OPEN);
    add_writer(&t.c, 1, 11, 6, SEQ_OPEN);
    add_writer(&t.c, 1, 10, 1, 5);
    add_retention(&t.c, 30, 1, SEQ_OPEN);
    struct charter_drill *d = vec_push(&t.c.drills, NULL);
    memset(d->pk, 40, sizeof d->pk);
    d->active = true;
}

static void stop(void)
{
    charter_free(&t.c);
    secret_free(t.root);
    buf_free(&t.bytes);
}

static void build(void)
{
    struct error err = ERROR_INIT;
    buf_clear(&t.bytes);
    ck_assert_msg(charter_build(&t.c, t.root, &t.bytes, &err) == 0, "%s", err.text);
}

static int parse_check(const void *data, size_t len, struct error *err)
{
    struct charter c;
    int rc = charter_parse(data, len, &c, err);
    charter_free(&c);
    return rc;
}

START_TEST(text_goes_both_ways)
{
    struct charter back;
    build();
    ck_assert_int_eq(charter_parse(t.bytes.data, t.bytes.len, &back, NULL), 0);
    ck_assert_int_eq(charter_verify(t.bytes.data, t.bytes.len, t.c.root_pk, NULL), 0);
    ck_assert_uint_eq(back.version, 1);
    ck_assert_uint_eq(back.pack_size, PACK_SIZE_DEFAULT);
    ck_assert_uint_eq(back.min_keep_days, 30);
    ck_assert_uint_eq(back.recipients.len, 3);
    ck_assert_uint_eq(back.groups.len, 2);
    ck_assert_uint_eq(back.writers.len, 3);
    ck_assert_uint_eq(back.drills.len, 1);
    ck_assert_mem_eq(back.hash, t.c.hash, HASH_LEN);
    const struct charter_writer *w = vec_at(&back.writers, 0);
    ck_assert_uint_eq(w->id[0], 1); /* sorted */
    ck_assert_uint_eq(w->last_seq, 5);
    const struct charter_recipient *r = vec_at(&back.recipients, 1);
    ck_assert_str_eq(r->name, "alice-1");
    ck_assert_uint_eq(r->expires, 1000);
    charter_free(&back);
}
END_TEST

START_TEST(the_text_is_the_documented_one)
{
    build();
    ck_assert_int_eq(buf_append(&t.bytes, "", 1, NULL), 0);
    const char *text = (const char *)t.bytes.data;
    ck_assert(str_starts(text, "bk1 charter 1\nrepo abababababababababababababababab\nprev 0000"));
    ck_assert_ptr_nonnull(strstr(text, "\npack-size 16777216\nmin-keep 30\nrecipient "));
    ck_assert_ptr_nonnull(strstr(text, " station\nrecipient "));
    ck_assert_ptr_nonnull(strstr(text, " alice-1 1000\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nwriter 0101010101010101 0a0a"));
    ck_assert_ptr_nonnull(strstr(text, " 24 1 5\nwriter 0101010101010101 0b0b"));
    ck_assert_ptr_nonnull(strstr(text, " 24 6\nwriter 0202020202020202 "));
    ck_assert_ptr_nonnull(strstr(text, " active\nsig "));
}
END_TEST

START_TEST(every_flipped_byte_is_refused)
{
    build();
    for (size_t i = 0; i < t.bytes.len; i++) {
        for (unsigned bit = 1; bit < 256; bit <<= 1) {
            struct error err = ERROR_INIT;
            t.bytes.data[i] ^= (uint8_t)bit;
            int rc = parse_check(t.bytes.data, t.bytes.len, &err);
            rc = rc < 0 ? rc : charter_verify(t.bytes.data, t.bytes.len, t.c.root_pk, &err);
            ck_assert_msg(rc == E_CORRUPT && err.name != NULL, "byte %zu bit %u", i, bit);
            t.bytes.data[i] ^= (uint8_t)bit;
        }
    }
}
END_TEST

START_TEST(a_cut_charter_is_torn)
{
    build();
    for (size_t len = 0; len < t.bytes.len; len++) {
        ck_assert_int_eq(parse_check(t.bytes.data, len, NULL), E_CORRUPT);
        ck_assert(charter_is_torn(t.bytes.data, len));
    }
    ck_assert(!charter_is_torn(t.bytes.data, t.bytes.len));
}
END_TEST

/* Each changes the text of a good charter; the syntax is judged before the signature. */
static const struct {
    const char *from, *to, *name;
} changes[] = {
    { "bk1 charter 1\n", "bk2 charter 1\n", ERR_CHARTER_SYNTAX },
    { "bk1 charter 1\n", "bk1 charter 01\n", ERR_CHARTER_SYNTAX },
    { "bk1 charter 1\n", "bk1 charter 0\n", ERR_CHARTER_SYNTAX },
    { "bk1 charter 1\n", "bk1 charter 1 \n", ERR_CHARTER_SYNTAX },
    { "bk1 charter 1\n", "bk1  charter 1\n", ERR_CHARTER_SYNTAX },
    { "bk1 charter 1\n", "bk1 charter 1\r\n", ERR_CHARTER_SYNTAX },
    { "bk1 charter 1\n", "bk1 charter 1\n\n", ERR_CHARTER_SYNTAX },
    { "bk1 charter 1\n", "bk1 charter 2147483648\n", ERR_CHARTER_SYNTAX },
    { "bk1 charter 1\n", "bk1 charter 99999999999999999999\n", ERR_CHARTER_SYNTAX },
    { "repo abab", "repo ABab", ERR_CHARTER_SYNTAX },
    { "repo abab", "repo ababab", ERR_CHARTER_SYNTAX },
    { "pack-size 16777216", "pack-size 16777215", ERR_CHARTER_SYNTAX },
    { "pack-size 16777216", "pack-size 1048576", ERR_CHARTER_SYNTAX },
    { "pack-size 16777216", "pack-size 269484032", ERR_CHARTER_SYNTAX },
    { "pack-size 16777216\n", "", ERR_CHARTER_SYNTAX },
    { "min-keep 30\n", "min-keep 30\nmin-keep 30\n", ERR_CHARTER_SYNTAX },
    { "min-keep 30", "min-keep -1", ERR_CHARTER_SYNTAX },
    { " station\n", " Station\n", ERR_CHARTER_SYNTAX },
    { " station\n", " station 0\n", ERR_CHARTER_SYNTAX },
    { " station\n", "\n", ERR_CHARTER_SYNTAX },
    { " alice-1 1000\n", " alice-1 1000 1\n", ERR_CHARTER_SYNTAX },
    { " 24 1 5\n", " 24 2 0\n", ERR_CHARTER_SYNTAX },
    { " 24 1 5\n", " 24 0 5\n", ERR_CHARTER_SYNTAX },
    { " 24 1 5\n", " 87601 1 5\n", ERR_CHARTER_SYNTAX },
    { " 24 1 5\n", " 24 1 6\n", ERR_CHARTER_RANGE },
    { " 24 1 5\n", " 24 1\n", ERR_CHARTER_RANGE },
    { " active\n", " maybe\n", ERR_CHARTER_SYNTAX },
    { " active\n", " active\nnote x\n", ERR_CHARTER_SYNTAX },
};

START_TEST(strict_syntax)
{
    struct error err = ERROR_INIT;
    struct buf changed = BUF_INIT;
    build();
    ck_assert_int_eq(buf_append(&t.bytes, "", 1, NULL), 0);
    const char *text = (const char *)t.bytes.data;
    const char *at = strstr(text, changes[_i].from);
    ck_assert_ptr_nonnull(at);
    ck_assert_int_eq(buf_append(&changed, text, (size_t)(at - text), NULL), 0);
    ck_assert_int_eq(buf_append(&changed, changes[_i].to, strlen(changes[_i].to), NULL), 0);
    at += strlen(changes[_i].from);
    ck_assert_int_eq(buf_append(&changed, at, strlen(at), NULL), 0);
    ck_assert_int_eq(parse_check(changed.data, changed.len, &err), E_CORRUPT);
    ck_assert_str_eq(err.name, changes[_i].name);
    buf_free(&changed);
}
END_TEST

START_TEST(builder_refuses_what_would_not_parse)
{
    struct buf out = BUF_INIT;
    struct secret *other = secret_random(SIGN_SEED_LEN, NULL);
    ck_assert_int_eq(charter_build(&t.c, other, &out, NULL), E_USAGE); /* not its own root */
    add_group(&t.c, "00");
    ck_assert_int_eq(charter_build(&t.c, t.root, &out, NULL), E_USAGE);
    t.c.groups.len = 0;
    ck_assert_int_eq(charter_build(&t.c, t.root, &out, NULL), E_USAGE); /* nobody could restore */
    for (int i = 0; i < ENVELOPE_GROUPS_MAX; i++)
        add_group(&t.c, "012");
    ck_assert_int_eq(charter_build(&t.c, t.root, &out, NULL), 0); /* 48 boxes */
    buf_clear(&out);
    add_group(&t.c, "0");
    ck_assert_int_eq(charter_build(&t.c, t.root, &out, NULL), E_USAGE); /* 17 groups */
    t.c.groups.len = 1;
    t.c.retention.len = 0;
    ck_assert_int_eq(charter_build(&t.c, t.root, &out, NULL), E_USAGE);
    ck_assert_uint_eq(out.len, 0);
    secret_free(other);
    buf_free(&out);
}
END_TEST

START_TEST(an_unused_range_can_be_closed)
{
    struct charter next;
    struct buf out = BUF_INIT;
    build();
    ck_assert_int_eq(charter_next(&t.c, &next, NULL), 0);
    struct charter_writer *w = vec_at(&next.writers, 2);
    w->last_seq = 0; /* 1..0: the key was lost before its first record */
    add_writer(&next, 2, 21, 1, SEQ_OPEN);
    ck_assert_int_eq(charter_build(&next, t.root, &out, NULL), 0);
    ck_assert_int_eq(charter_follows(&t.c, &next, NULL), 0);
    uint8_t id[WRITER_ID_LEN];
    memset(id, 2, sizeof id);
    ck_assert_uint_eq(charter_writer_at(&next, id, 1)->pk[0], 21);
    charter_free(&next);
    buf_free(&out);
}
END_TEST

START_TEST(keys_by_seq)
{
    uint8_t id[WRITER_ID_LEN];
    build();
    memset(id, 1, sizeof id);
    ck_assert_uint_eq(charter_writer_at(&t.c, id, 1)->pk[0], 10);
    ck_assert_uint_eq(charter_writer_at(&t.c, id, 5)->pk[0], 10);
    ck_assert_uint_eq(charter_writer_at(&t.c, id, 6)->pk[0], 11);
    ck_assert_uint_eq(charter_writer_at(&t.c, id, SEQ_MAX)->pk[0], 11);
    ck_assert_ptr_null(charter_writer_at(&t.c, id, 0));
    ck_assert_uint_eq(charter_writer_last(&t.c, id)->pk[0], 11);
    memset(id, 3, sizeof id);
    ck_assert_ptr_null(charter_writer_at(&t.c, id, 1));
    ck_assert_ptr_null(charter_writer_last(&t.c, id));
    ck_assert_uint_eq(charter_retention_key(&t.c, 7)[0], 30);
    ck_assert_ptr_null(charter_retention_key(&t.c, 0));
}
END_TEST

static void assert_follows(struct charter *next, const char *name)
{
    struct error err = ERROR_INIT;
    int rc = charter_follows(&t.c, next, &err);
    ck_assert_int_eq(rc, name != NULL ? E_CORRUPT : 0);
    if (name != NULL)
        ck_assert_str_eq(err.name, name);
    charter_free(next);
    ck_assert_int_eq(charter_next(&t.c, next, NULL), 0);
}

START_TEST(from_version_to_version)
{
    struct charter n;
    build();
    ck_assert_int_eq(charter_follows(NULL, &t.c, NULL), 0);
    ck_assert_int_eq(charter_next(&t.c, &n, NULL), 0);
    assert_follows(&n, NULL);
    n.version = 3;
    assert_follows(&n, ERR_CHARTER_CHAIN);
    n.prev[0] ^= 1;
    assert_follows(&n, ERR_CHARTER_CHAIN);
    n.repo_id[0] ^= 1;
    assert_follows(&n, ERR_CHARTER_REPO);
    n.writers.len--;
    assert_follows(&n, ERR_CHARTER_RANGE);
    n.retention.len = 0;
    assert_follows(&n, ERR_CHARTER_RANGE);
    ((struct charter_writer *)vec_at(&n.writers, 0))->last_seq = 4; /* closed at 5 */
    assert_follows(&n, ERR_CHARTER_RANGE);
    ((struct charter_writer *)vec_at(&n.writers, 0))->last_seq = SEQ_OPEN;
    assert_follows(&n, ERR_CHARTER_RANGE);
    ((struct charter_writer *)vec_at(&n.writers, 1))->first_seq = 7;
    assert_follows(&n, ERR_CHARTER_RANGE);
    ((struct charter_writer *)vec_at(&n.writers, 1))->pk[5] = 0;
    assert_follows(&n, ERR_CHARTER_RANGE);
    ((struct charter_writer *)vec_at(&n.writers, 1))->last_seq = 9; /* closing and a new cadence are fine */
    ((struct charter_writer *)vec_at(&n.writers, 2))->cadence_hours = 1;
    ((struct charter_retention *)vec_at(&n.retention, 0))->last_seq = 3;
    n.recipients.len--;
    assert_follows(&n, NULL);
    charter_free(&n);
    t.c.prev[0] = 1;
    ck_assert_int_eq(charter_follows(NULL, &t.c, NULL), E_CORRUPT); /* version 1 has nothing before it */
}
END_TEST

START_TEST(expired_recipients_get_no_share)
{
    struct recipients to;
    build();
    ck_assert_int_eq(charter_recipients(&t.c, 999, &to, NULL), 0);
    ck_assert_uint_eq(to.n, 2);
    ck_assert_uint_eq(to.group[1].n, 2);
    ck_assert_int_eq(charter_recipients(&t.c, 1000, &to, NULL),
                     0); /* alice has expired: her group with bob too */
    ck_assert_uint_eq(to.n, 1);
    ck_assert_uint_eq(to.group[0].n, 1);
    ck_assert_mem_eq(to.group[0].share[0].rid, ((struct charter_recipient *)vec_at(&t.c.recipients, 0))->rid,
                     RID_LEN);
    ((struct charter_recipient *)vec_at(&t.c.recipients, 0))->expires = 500;
    ck_assert_int_eq(charter_recipients(&t.c, 1000, &to, NULL), E_USAGE);
    uint8_t s[SHARE_LEN] = { 0 };
    uint8_t kid[KID_LEN] = { 0 };
    struct buf env = BUF_INIT;
    ck_assert_int_eq(charter_recipients(&t.c, 1, &to, NULL), 0);
    ck_assert_int_eq(envelope_build(s, &to, kid, &env, NULL), 0);
    buf_free(&env);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("repo/charter");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_checked_fixture(all, start, stop);
    tcase_add_test(all, text_goes_both_ways);
    tcase_add_test(all, the_text_is_the_documented_one);
    tcase_add_test(all, every_flipped_byte_is_refused);
    tcase_add_test(all, a_cut_charter_is_torn);
    tcase_add_loop_test(all, strict_syntax, 0, sizeof changes / sizeof changes[0]);
    tcase_add_test(all, builder_refuses_what_would_not_parse);
    tcase_add_test(all, an_unused_range_can_be_closed);
    tcase_add_test(all, keys_by_seq);
    tcase_add_test(all, from_version_to_version);
    tcase_add_test(all, expired_recipients_get_no_share);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
