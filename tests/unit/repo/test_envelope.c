/* Envelopes: alternatives, quorums, damage. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/repo/envelope.h"
#include "common/base/banned.h"

enum { KEYS = 4 };

static struct {
    struct secret *sk[KEYS];
    struct recipient who[KEYS];
    uint8_t mix[KEY_LEN];
    struct session_name name;
    uint8_t s[SHARE_LEN];
    uint8_t k_s[KEY_LEN];
    uint8_t kid[KID_LEN];
    struct buf bytes;
} t;

static void start(void)
{
    ck_assert_int_eq(crypto_init(NULL), 0);
    memset(&t, 0, sizeof t);
    for (size_t i = 0; i < KEYS; i++) {
        t.sk[i] = secret_random(BOX_SK_LEN, NULL);
        ck_assert_int_eq(box_public(t.sk[i], t.who[i].pk, NULL), 0);
        ck_assert_int_eq(box_rid(t.who[i].pk, t.who[i].rid, NULL), 0);
    }
    random_bytes(t.mix, sizeof t.mix);
    random_bytes(t.s, sizeof t.s);
    t.name.session = 5;
    ck_assert_int_eq(session_key(t.mix, &t.name, t.s, t.k_s, NULL), 0);
    ck_assert_int_eq(session_kid(t.k_s, t.kid, NULL), 0);
}

static void stop(void)
{
    for (size_t i = 0; i < KEYS; i++)
        secret_free(t.sk[i]);
    buf_free(&t.bytes);
}

static void add(struct recipients *to, const char *keys)
{
    struct recipient_group *g = &to->group[to->n++];
    g->n = 0;
    for (; *keys != '\0'; keys++)
        g->share[g->n++] = t.who[*keys - '0'];
}

static void build(const struct recipients *to)
{
    ck_assert_int_eq(envelope_build(t.s, to, t.kid, &t.bytes, NULL), 0);
    ck_assert_uint_eq(t.bytes.len, envelope_size(to));
}

/* Opens with the keys named by digits. */
static int open_with(const char *keys, struct error *err)
{
    struct envelope env;
    const struct secret *sks[KEYS];
    size_t n = 0;
    uint8_t k_s[KEY_LEN] = { 0 };
    ck_assert_int_eq(envelope_parse(t.bytes.data, t.bytes.len, &env, err), 0);
    for (; *keys != '\0'; keys++)
        sks[n++] = t.sk[*keys - '0'];
    int rc = n == 1 ? envelope_open(&env, sks[0], t.mix, &t.name, k_s, err)
                    : envelope_open_shares(&env, sks, n, t.mix, &t.name, k_s, err);
    if (rc == 0)
        ck_assert_mem_eq(k_s, t.k_s, KEY_LEN);
    return rc;
}

START_TEST(plain_recipients_are_alternatives)
{
    struct recipients to = { .n = 0 };
    add(&to, "0");
    add(&to, "1");
    build(&to);
    ck_assert_int_eq(open_with("0", NULL), 0);
    ck_assert_int_eq(open_with("1", NULL), 0);
    ck_assert_int_eq(open_with("2", NULL), E_AUTH);
    ck_assert_int_eq(open_with("21", NULL), 0);
    ck_assert_int_eq(open_with("", NULL), E_AUTH);
}
END_TEST

START_TEST(two_of_three)
{
    struct recipients to = { .n = 0 };
    add(&to, "01");
    add(&to, "02");
    add(&to, "12");
    build(&to);
    ck_assert_int_eq(open_with("01", NULL), 0);
    ck_assert_int_eq(open_with("20", NULL), 0);
    ck_assert_int_eq(open_with("12", NULL), 0);
    ck_assert_int_eq(open_with("012", NULL), 0);
    ck_assert_int_eq(open_with("0", NULL), E_AUTH);
    ck_assert_int_eq(open_with("1", NULL), E_AUTH);
    ck_assert_int_eq(open_with("3", NULL), E_AUTH);
    ck_assert_int_eq(open_with("03", NULL), E_AUTH);
}
END_TEST

START_TEST(the_key_belongs_to_its_session_and_writer)
{
    struct recipients to = { .n = 0 };
    struct error err = ERROR_INIT;
    add(&to, "0");
    build(&to);
    t.name.session = 6;
    ck_assert_int_eq(open_with("0", &err), E_CORRUPT);
    ck_assert_str_eq(err.name, ERR_ENVELOPE_KID);
    t.name.session = 5;
    t.mix[0] ^= 1; /* R alone is not enough */
    ck_assert_int_eq(open_with("0", &err), E_CORRUPT);
    ck_assert_str_eq(err.name, ERR_ENVELOPE_KID);
}
END_TEST

START_TEST(a_group_with_another_key_is_refused)
{
    struct recipients to = { .n = 0 };
    struct recipients one = { .n = 0 };
    struct buf other = BUF_INIT;
    struct error err = ERROR_INIT;
    uint8_t s2[SHARE_LEN] = { 1 };
    add(&to, "0");
    add(&to, "1");
    add(&one, "1");
    build(&to);
    ck_assert_int_eq(envelope_build(s2, &one, t.kid, &other, NULL), 0);
    /* the second group becomes that of the other envelope */
    size_t entry = 1 + RID_LEN + BOX_LEN;
    memcpy(t.bytes.data + t.bytes.len - entry, other.data + other.len - entry, entry);
    ck_assert_int_eq(open_with("0", NULL), 0);
    ck_assert_int_eq(open_with("1", &err), E_CORRUPT);
    ck_assert_str_eq(err.name, ERR_ENVELOPE_KID);
    buf_free(&other);
}
END_TEST

/* ---- shares that others opened --------------------------------------------------------------------------- */

/* The share of key `who` in group g, as its owner passes it on for session t.name. */
static void pass_on(struct opened_shares *set, unsigned g, unsigned i, size_t who)
{
    struct envelope env;
    uint8_t id[BOX_ID_LEN];
    uint8_t share[SHARE_LEN];
    ck_assert_int_eq(envelope_parse(t.bytes.data, t.bytes.len, &env, NULL), 0);
    const struct envelope_share *s = &env.group[g].share[i];
    ck_assert_int_eq(envelope_share_open(&env, s, t.sk[who], &t.name, share, NULL), 0);
    box_id(s->box, env.box_len, id);
    ck_assert_int_eq(shares_add(set, t.name.writer_id, t.name.session, id, s->rid, share, NULL), 0);
}

static int open_together(const struct opened_shares *set, size_t own, struct error *err)
{
    struct envelope env;
    uint8_t k_s[KEY_LEN] = { 0 };
    uint8_t s[SHARE_LEN];
    const struct secret *sks[] = { t.sk[own] };
    const struct envelope_keys keys = { .sks = sks, .n = 1, .opened = set };
    ck_assert_int_eq(envelope_parse(t.bytes.data, t.bytes.len, &env, NULL), 0);
    int rc = envelope_open_with(&env, &keys, t.mix, &t.name, k_s, s, err);
    if (rc == 0) {
        ck_assert_mem_eq(k_s, t.k_s, KEY_LEN);
        ck_assert_mem_eq(s, t.s, SHARE_LEN);
    }
    return rc;
}

START_TEST(a_share_of_another_person_completes_the_group)
{
    struct recipients to = { .n = 0 };
    struct opened_shares set = OPENED_SHARES_INIT;
    add(&to, "01");
    add(&to, "02");
    add(&to, "12");
    build(&to);
    ck_assert_int_eq(open_together(&set, 0, NULL), E_AUTH);
    pass_on(&set, 0, 1, 1);
    ck_assert_int_eq(open_together(&set, 0, NULL), 0);
    ck_assert_int_eq(open_together(&set, 2, NULL), E_AUTH); /* it is of another group */
    t.name.session++;                                       /* and of one session */
    ck_assert_int_eq(open_together(&set, 0, NULL), E_AUTH);
    shares_free(&set);
}
END_TEST

/* A dealer who gives each pair another key: the second pair gets nothing, and knows why. */
START_TEST(a_dealer_who_deals_two_keys_is_caught)
{
    struct recipients to = { .n = 0 };
    struct recipients second = { .n = 0 };
    struct opened_shares set = OPENED_SHARES_INIT;
    struct buf other = BUF_INIT;
    struct error err = ERROR_INIT;
    uint8_t s2[SHARE_LEN] = { 9 };
    add(&to, "01");
    add(&to, "02");
    add(&second, "02");
    build(&to);
    ck_assert_int_eq(envelope_build(s2, &second, t.kid, &other, NULL), 0);
    size_t group = 1 + 2 * (RID_LEN + BOX_LEN);
    memcpy(t.bytes.data + t.bytes.len - group, other.data + other.len - group, group);
    pass_on(&set, 1, 1, 2);
    ck_assert_int_eq(open_together(&set, 0, &err), E_CORRUPT);
    ck_assert_str_eq(err.name, ERR_ENVELOPE_KID);
    shares_free(&set);
    buf_free(&other);
}
END_TEST

START_TEST(whoever_passes_on_a_broken_share_is_told)
{
    struct recipients to = { .n = 0 };
    struct envelope env;
    struct error err = ERROR_INIT;
    uint8_t share[SHARE_LEN];
    add(&to, "01");
    build(&to);
    t.bytes.data[t.bytes.len - 1] ^= 1;
    ck_assert_int_eq(envelope_parse(t.bytes.data, t.bytes.len, &env, NULL), 0);
    ck_assert_int_eq(envelope_share_open(&env, &env.group[0].share[1], t.sk[1], &t.name, share, &err),
                     E_CORRUPT);
    ck_assert_str_eq(err.name, ERR_ENVELOPE_KID);
}
END_TEST

START_TEST(a_broken_share_does_not_hide_another_group)
{
    struct recipients to = { .n = 0 };
    struct error err = ERROR_INIT;
    add(&to, "01");
    add(&to, "0");
    build(&to);
    t.bytes.data[KID_LEN + 2 + RID_LEN + 40] ^= 1; /* in the first box */
    ck_assert_int_eq(open_with("01", NULL), 0);
    t.bytes.len = 0;
    to.n = 1;
    build(&to);
    t.bytes.data[KID_LEN + 2 + RID_LEN + 40] ^= 1;
    ck_assert_int_eq(open_with("01", &err), E_CORRUPT);
    ck_assert_str_eq(err.name, ERR_ENVELOPE_KID);
}
END_TEST

START_TEST(every_flipped_byte_is_refused)
{
    struct recipients to = { .n = 0 };
    add(&to, "01");
    build(&to);
    const struct secret *sks[] = { t.sk[0], t.sk[1] };
    for (size_t i = 0; i < t.bytes.len; i++) {
        struct envelope env;
        struct error err = ERROR_INIT;
        uint8_t k_s[KEY_LEN];
        t.bytes.data[i] ^= 1;
        int rc = envelope_parse(t.bytes.data, t.bytes.len, &env, &err);
        if (rc == 0)
            rc = envelope_open_shares(&env, sks, 2, t.mix, &t.name, k_s, &err);
        if (rc == E_AUTH) /* a recipient's id: not our envelope any more */
            ck_assert((i - KID_LEN - 2) % (RID_LEN + BOX_LEN) < RID_LEN);
        else
            ck_assert_msg(rc == E_CORRUPT && err.name != NULL, "byte %zu: %d %s", i, rc, err.text);
        t.bytes.data[i] ^= 1;
    }
    ck_assert_int_eq(open_with("01", NULL), 0);
}
END_TEST

START_TEST(parse_is_exact)
{
    struct recipients to = { .n = 0 };
    struct envelope env;
    struct error err = ERROR_INIT;
    add(&to, "01");
    add(&to, "2");
    build(&to);
    for (size_t len = 0; len < t.bytes.len; len++)
        ck_assert_int_eq(envelope_parse(t.bytes.data, len, &env, &err), E_CORRUPT);
    ck_assert_int_eq(buf_append(&t.bytes, "x", 1, NULL), 0);
    ck_assert_int_eq(envelope_parse(t.bytes.data, t.bytes.len, &env, &err), E_CORRUPT);
    ck_assert_str_eq(err.name, ERR_ENVELOPE_SYNTAX);
}
END_TEST

START_TEST(builder_keeps_the_limits)
{
    struct recipients to = { .n = 0 };
    ck_assert_int_eq(envelope_build(t.s, &to, t.kid, &t.bytes, NULL), E_USAGE);
    add(&to, "00");
    ck_assert_int_eq(envelope_build(t.s, &to, t.kid, &t.bytes, NULL), E_USAGE);
    to.n = 0;
    add(&to, "");
    ck_assert_int_eq(envelope_build(t.s, &to, t.kid, &t.bytes, NULL), E_USAGE);
    to.n = 0;
    add(&to, "0");
    to.group[0].share[0].rid[3] ^= 1;
    ck_assert_int_eq(envelope_build(t.s, &to, t.kid, &t.bytes, NULL), E_USAGE);
    ck_assert_uint_eq(t.bytes.len, 0);
    to.n = 0;
    for (int i = 0; i < ENVELOPE_GROUPS_MAX; i++)
        add(&to, "0123");
    build(&to); /* 64 boxes: as much as fits */
    ck_assert_uint_le(HEADER_FIXED_LEN + t.bytes.len + COMMIT_LEN, HEADER_MAX);
    ck_assert_int_eq(open_with("0123", NULL), 0);
    to.n = ENVELOPE_GROUPS_MAX + 1;
    ck_assert_int_eq(envelope_build(t.s, &to, t.kid, &t.bytes, NULL), E_USAGE);
}
END_TEST

START_TEST(parser_keeps_the_limits)
{
    struct buf b = BUF_INIT;
    struct envelope env;
    struct error err = ERROR_INIT;
    ck_assert_int_eq(buf_zeros(&b, KID_LEN + 1, NULL), 0);
    b.data[KID_LEN] = ENVELOPE_GROUPS_MAX;
    for (int g = 0; g < ENVELOPE_GROUPS_MAX; g++) { /* 5 boxes each: 80 */
        ck_assert_int_eq(buf_append(&b, "\5", 1, NULL), 0);
        for (int i = 0; i < 5; i++) {
            ck_assert_int_eq(buf_zeros(&b, RID_LEN + BOX_LEN, NULL), 0);
            b.data[b.len - BOX_LEN - 1] = (uint8_t)i;
        }
    }
    ck_assert_int_eq(envelope_parse(b.data, b.len, &env, &err), E_CORRUPT);
    ck_assert_ptr_nonnull(strstr(err.text, "80 boxes"));
    buf_free(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("repo/envelope");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, start, stop);
    tcase_add_test(all, plain_recipients_are_alternatives);
    tcase_add_test(all, two_of_three);
    tcase_add_test(all, the_key_belongs_to_its_session_and_writer);
    tcase_add_test(all, a_group_with_another_key_is_refused);
    tcase_add_test(all, a_share_of_another_person_completes_the_group);
    tcase_add_test(all, a_dealer_who_deals_two_keys_is_caught);
    tcase_add_test(all, whoever_passes_on_a_broken_share_is_told);
    tcase_add_test(all, a_broken_share_does_not_hide_another_group);
    tcase_add_test(all, every_flipped_byte_is_refused);
    tcase_add_test(all, parse_is_exact);
    tcase_add_test(all, builder_keeps_the_limits);
    tcase_add_test(all, parser_keeps_the_limits);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
