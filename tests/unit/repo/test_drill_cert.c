/* Certificates of drills: what comes back, every changed byte, and whom a charter believes. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "common/repo/drill_cert.h"

#include "common/base/banned.h"

static struct secret *seed;

static struct drill_cert example(void)
{
    struct drill_cert c = { .charter = 2,
                            .id = "20261128T231502Z-3f9c01ab",
                            .made = 1,
                            .started = 2,
                            .finished = 3,
                            .whole = true,
                            .checks = { 4, 0, 1, 2 },
                            .rto_ms = 4200,
                            .bytes = 99,
                            .snapshot = "shop-pg/42",
                            .engine = "postgres",
                            .host = "evil\nverdict pass",
                            .tool = "0.1" };
    memset(c.repo_id, 7, REPO_ID_LEN);
    memset(c.charter_hash, 2, HASH_LEN);
    return c;
}

static void setup(void)
{
    ck_assert_int_eq(crypto_init(NULL), 0);
    seed = secret_random(SIGN_SEED_LEN, NULL);
}

static void teardown(void)
{
    secret_free(seed);
}

START_TEST(comes_back)
{
    struct buf b = BUF_INIT;
    struct error err = ERROR_INIT;
    struct drill_cert c = example();
    struct drill_cert d;
    ck_assert_int_eq(drill_cert_build(&c, seed, &b, &err), 0);
    ck_assert_int_eq(drill_cert_parse(b.data, b.len, &d, &err), 0);
    ck_assert_str_eq(d.id, c.id);
    ck_assert_str_eq(d.snapshot, "shop-pg/42");
    ck_assert_str_eq(d.server, "-");
    ck_assert_str_eq(d.host, "evil\\x0averdict pass");
    ck_assert(d.whole && !d.rpo_known && d.verdict == DRILL_CERT_PASS);
    ck_assert_uint_eq(d.checks[3], 2);
    ck_assert_uint_eq(d.bytes, 99);
    ck_assert_mem_eq(d.key, c.key, SIGN_PK_LEN);
    for (size_t i = 0; i < b.len; i++) { /* nothing in it can be changed, cut or added */
        b.data[i] ^= 1;
        ck_assert_int_eq(drill_cert_parse(b.data, b.len, &d, &err), E_CORRUPT);
        b.data[i] ^= 1;
        ck_assert_int_eq(drill_cert_parse(b.data, i, &d, &err), E_CORRUPT);
    }
    ck_assert_int_eq(buf_append(&b, "\n", 1, &err), 0);
    ck_assert_int_eq(drill_cert_parse(b.data, b.len, &d, &err), E_CORRUPT);
    buf_free(&b);
}
END_TEST

static struct charter *add_charter(struct repo *repo, const uint8_t *pk, int active)
{
    struct charter *c = vec_push(&repo->charters, NULL);
    charter_init(c);
    memset(c->hash, (int)repo->charters.len, HASH_LEN);
    if (active >= 0) {
        struct charter_drill *d = vec_push(&c->drills, NULL);
        memcpy(d->pk, pk, SIGN_PK_LEN);
        d->active = active == 1;
    }
    return c;
}

START_TEST(judged)
{
    struct repo repo = { .charters = VEC_OF(struct charter) };
    struct error err = ERROR_INIT;
    struct drill_cert c = example();
    bool retired = true;
    memset(repo.repo_id, 7, REPO_ID_LEN);
    ck_assert_int_eq(sign_public(seed, c.key, &err), 0);
    add_charter(&repo, c.key, -1);
    ck_assert_int_eq(drill_cert_judge(&c, &repo, &retired, &err),
                     E_CONFLICT); /* a charter that is not there */
    add_charter(&repo, c.key, 1);
    ck_assert_int_eq(drill_cert_judge(&c, &repo, &retired, &err), 0);
    ck_assert(!retired);
    add_charter(&repo, c.key, 0);
    ck_assert_int_eq(drill_cert_judge(&c, &repo, &retired, &err), 0); /* from before it was retired */
    ck_assert(retired);
    c.charter = 3;
    memset(c.charter_hash, 3, HASH_LEN);
    ck_assert_int_eq(drill_cert_judge(&c, &repo, &retired, &err), E_AUTH); /* from after */
    c.charter = 1;
    memset(c.charter_hash, 1, HASH_LEN);
    ck_assert_int_eq(drill_cert_judge(&c, &repo, &retired, &err), E_AUTH); /* from before it was known */
    c = example();
    ck_assert_int_eq(sign_public(seed, c.key, &err), 0);
    memset(c.charter_hash, 9, HASH_LEN);
    ck_assert_int_eq(drill_cert_judge(&c, &repo, &retired, &err), E_CONFLICT);
    memset(c.charter_hash, 2, HASH_LEN);
    add_charter(&repo, c.key, -1);
    ck_assert_int_eq(drill_cert_judge(&c, &repo, &retired, &err), E_AUTH); /* taken out */
    c.repo_id[0] = 8;
    ck_assert_int_eq(drill_cert_judge(&c, &repo, &retired, &err), E_CONFLICT);
    for (size_t i = 0; i < repo.charters.len; i++)
        charter_free(vec_at(&repo.charters, i));
    vec_free(&repo.charters);
}
END_TEST

/* The known answer of docs/format.md, section 23. */
START_TEST(known_answer)
{
    static const char want[] =
        "fdc8979ad9903f84e22e50f6b8d77ce4bc01a36585dc25e310d38a6101697936bc5715c30e288e706c9c8b8baaac136109355e567b904e64598"
        "b9890dbce6c02\n";
    uint8_t k[SIGN_SEED_LEN];
    struct buf b = BUF_INIT;
    struct error err = ERROR_INIT;
    struct drill_cert c = example();
    for (size_t i = 0; i < sizeof k; i++)
        k[i] = (uint8_t)i;
    struct secret *s = secret_copy(k, sizeof k, &err);
    c.made = 1795886454;
    c.started = 1795907702;
    c.finished = 1795907954;
    c.rto_target_seconds = 900;
    c.age_seconds = 21248;
    c.result_size = 1;
    c.page_size = 2;
    (void)snprintf(c.host, sizeof c.host, "%s", "drill1");
    (void)snprintf(c.tool, sizeof c.tool, "%s", "0.9.0");
    (void)snprintf(c.server, sizeof c.server, "%s", "PostgreSQL 15.20");
    memset(c.writer, 1, WRITER_ID_LEN);
    memset(c.record_hash, 3, HASH_LEN);
    memset(c.checks_hash, 4, HASH_LEN);
    memset(c.result_hash, 5, HASH_LEN);
    memset(c.page_hash, 6, HASH_LEN);
    ck_assert_int_eq(drill_cert_build(&c, s, &b, &err), 0);
    ck_assert_mem_eq(b.data + b.len - (sizeof want - 1), want, sizeof want - 1);
    secret_free(s);
    buf_free(&b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("drill certificates");
    TCase *t = tcase_create("all");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, comes_back);
    tcase_add_test(t, judged);
    tcase_add_test(t, known_answer);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed;
}
