/* Grants, and sessions that several people open together. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/backend/memory.h"
#include "common/repo/grant.h"
#include "common/repo/unlock.h"
#include "tests/support/world.h"
#include "common/base/banned.h"

enum { DAVE, EVA, PEOPLE };

static struct {
    struct world w;
    struct repo *repo;
    struct secret *sk[PEOPLE];
    struct recipient who[PEOPLE];
} t;

static void backup(uint64_t seed)
{
    uint8_t data[5000];
    struct session_result result;
    world_fill(data, sizeof data, seed, false);
    const struct world_stream s = { .name = "s", .data = data, .len = sizeof data };
    ck_assert_int_eq(world_backup(&t.w, 0, &s, 1, &result, NULL), 0);
}

static void start(void)
{
    memset(&t, 0, sizeof t);
    world_init(&t.w, backend_memory(NULL), 1);
    for (size_t i = 0; i < PEOPLE; i++) {
        t.sk[i] = secret_random(BOX_SK_LEN, NULL);
        ck_assert_int_eq(box_public(t.sk[i], t.who[i].pk, NULL), 0);
        ck_assert_int_eq(box_rid(t.who[i].pk, t.who[i].rid, NULL), 0);
    }
    backup(1);
    backup(2);
    const struct repo_options o = { .now = 0 };
    ck_assert_int_eq(repo_open(t.w.backend, t.w.root_pk, &o, &t.repo, NULL), 0);
}

static void stop(void)
{
    repo_close(t.repo);
    for (size_t i = 0; i < PEOPLE; i++)
        secret_free(t.sk[i]);
    world_free(&t.w);
}

static const struct repo_writer *writer(void)
{
    return vec_at(&t.repo->writers, 0);
}

static struct session_name name_of(uint32_t session)
{
    struct session_name n = { .session = session };
    memcpy(n.repo_id, t.repo->repo_id, REPO_ID_LEN);
    memcpy(n.writer_id, writer()->id, WRITER_ID_LEN);
    return n;
}

/* kid and S of a session, with the station's kit. */
static void secret_of(uint32_t session, uint8_t kid[KID_LEN], uint8_t s[SHARE_LEN])
{
    struct snapshot *snap = NULL;
    struct envelope env;
    const struct secret *before = t.w.sks[0];
    t.w.sks[0] = t.w.kit.r;
    struct fetcher *f = fetcher_new(t.repo, writer(), &t.w.opener, 0, NULL);
    ck_assert_int_eq(snapshot_load(t.repo, writer(), repo_record_at(writer(), session), &snap, NULL), 0);
    const struct object_header *h = &snap->parts.header;
    ck_assert_uint_eq(h->session, session);
    ck_assert_int_eq(envelope_parse(h->envelope, h->envelope_len, &env, NULL), 0);
    memcpy(kid, env.kid, KID_LEN);
    ck_assert_int_eq(fetcher_session_secret(f, h, s, NULL), 0);
    fetcher_free(f);
    snapshot_free(snap);
    t.w.sks[0] = before;
}

static struct recipients to_dave(void)
{
    struct recipients to = { .n = 1 };
    to.group[0].n = 1;
    to.group[0].share[0] = t.who[DAVE];
    return to;
}

/* An entry whose envelope is of `of`, for `session`: the same but in forgeries. */
static void add_entry(struct grant_writer *g, uint32_t session, uint32_t of, bool other_s,
                      struct recipients to)
{
    uint8_t kid[KID_LEN];
    uint8_t s[SHARE_LEN];
    struct session_name name = name_of(session);
    secret_of(of, kid, s);
    s[0] ^= other_s;
    ck_assert_int_eq(grant_add(g, &name, kid, s, &to, NULL), 0);
}

static void begin(struct grant_writer *g)
{
    ck_assert_int_eq(grant_begin(g, t.repo->repo_id, t.who[DAVE].rid, NULL), 0);
}

static void publish(struct grant_writer *g)
{
    char name[NAME_TEXT_MAX];
    ck_assert_int_eq(grant_end(g, NULL), 0);
    ck_assert_int_eq(grant_publish(t.repo, g, name, NULL), 0);
    grant_free(g);
}

static void grant_both(void)
{
    struct grant_writer g;
    begin(&g);
    add_entry(&g, 1, 1, false, to_dave());
    add_entry(&g, 2, 2, false, to_dave());
    publish(&g);
}

/* The world's station has dave's key alone, and W and V. */
static void become(size_t who)
{
    t.w.sks[0] = t.sk[who];
}

static int read_as(size_t who, struct error *err)
{
    struct buf got = BUF_INIT;
    become(who);
    int rc = world_read(&t.w, 0, "s", &got, err);
    if (rc == 0)
        ck_assert_uint_eq(got.len, 5000);
    buf_free(&got);
    return rc;
}

START_TEST(a_grant_opens_old_sessions)
{
    struct error err = ERROR_INIT;
    char names[256];
    struct check_result result;
    ck_assert_int_eq(read_as(DAVE, &err), E_AUTH);
    grant_both();
    ck_assert_int_eq(read_as(DAVE, &err), 0);
    ck_assert_int_eq(world_verify(&t.w, CHECK_L3, names, sizeof names, &err), 0);
    const struct check_options o = { .level = CHECK_LK, .opener = t.w.opener };
    ck_assert_int_eq(check_run(t.repo, &o, &result, &err), 0);
    ck_assert_uint_eq(result.findings, 0);
    ck_assert_uint_eq(result.sessions_granted, 2);
    ck_assert_uint_eq(result.grants, 2);
    ck_assert_int_eq(read_as(EVA, &err), E_AUTH);
}
END_TEST

START_TEST(later_grants_have_later_numbers)
{
    struct grant_writer g;
    struct grant_set *set = NULL;
    char name[NAME_TEXT_MAX];
    for (uint32_t i = 1; i <= 2; i++) {
        begin(&g);
        add_entry(&g, i, i, false, to_dave());
        ck_assert_int_eq(grant_end(&g, NULL), 0);
        ck_assert_int_eq(grant_publish(t.repo, &g, name, NULL), 0);
        grant_free(&g);
    }
    ck_assert_str_eq(name + strlen(name) - 12, "-00000002.00");
    ck_assert_int_eq(grant_set_load(t.repo, (const uint8_t(*)[RID_LEN]) & t.who[DAVE].rid, 1, &set, NULL), 0);
    ck_assert_uint_eq(set->entries.len, 2);
    ck_assert_uint_eq(set->damage.len, 0);
    for (uint32_t i = 0; i <= 3; i++) {
        size_t pos = 0;
        bool there = i == 1 || i == 2;
        ck_assert((grant_set_next(set, writer()->id, i, &pos) != NULL) == there);
        ck_assert_ptr_null(there ? grant_set_next(set, writer()->id, i, &pos) : NULL);
    }
    grant_set_free(set);
    ck_assert_int_eq(read_as(DAVE, NULL), 0);
}
END_TEST

static void expect_forged(const char *name)
{
    struct error err = ERROR_INIT;
    ck_assert_int_eq(read_as(DAVE, &err), E_CORRUPT);
    ck_assert_ptr_nonnull(err.name);
    ck_assert_str_eq(err.name, name);
    t.w.sks[0] = t.w.kit.r; /* and the station does not care */
    struct buf got = BUF_INIT;
    ck_assert_int_eq(world_read(&t.w, 0, "s", &got, NULL), 0);
    buf_free(&got);
    grant_both(); /* a good one beside it is found */
    ck_assert_int_eq(read_as(DAVE, &err), 0);
}

START_TEST(a_grant_with_another_secret_is_noticed)
{
    struct grant_writer g;
    begin(&g);
    add_entry(&g, 2, 2, true, to_dave());
    publish(&g);
    expect_forged(ERR_ENVELOPE_KID);
}
END_TEST

START_TEST(a_grant_of_another_session_is_noticed)
{
    struct grant_writer g;
    begin(&g);
    add_entry(&g, 2, 1, false, to_dave());
    publish(&g);
    expect_forged(ERR_ENVELOPE_KID);
}
END_TEST

/* A share copied from another session's grant, under the right kid: who opens it must notice, since one share alone
 * cannot be proven by kid. */
START_TEST(a_share_copied_from_another_grant_is_noticed)
{
    struct grant_writer g;
    struct recipients to = to_dave();
    struct buf one = BUF_INIT;
    uint8_t kid[KID_LEN];
    uint8_t s[SHARE_LEN];
    struct session_name name = name_of(1);
    secret_of(1, kid, s);
    ck_assert_int_eq(envelope_build_grant(s, &to, kid, &name, &one, NULL), 0);
    begin(&g);
    add_entry(&g, 2, 2, false, to);
    memcpy(g.bytes.data + g.bytes.len - GRANT_BOX_LEN, one.data + one.len - GRANT_BOX_LEN, GRANT_BOX_LEN);
    publish(&g);
    buf_free(&one);
    expect_forged(ERR_GRANT_PLACE);
}
END_TEST

START_TEST(a_grant_is_refused_at_every_length_and_byte)
{
    struct grant_writer g;
    struct vec entries = VEC_OF(struct grant_entry);
    const uint8_t *rid = t.who[DAVE].rid;
    begin(&g);
    add_entry(&g, 1, 1, false, to_dave());
    add_entry(&g, 2, 2, false, to_dave());
    ck_assert_int_eq(grant_end(&g, NULL), 0);
    for (size_t len = 0; len < g.bytes.len; len++) {
        struct error err = ERROR_INIT;
        ck_assert_int_eq(grant_parse(g.bytes.data, len, t.repo->repo_id, rid, &entries, &err), E_CORRUPT);
        ck_assert_str_eq(err.name, ERR_GRANT_SYNTAX);
        ck_assert(grant_is_torn(g.bytes.data, len));
        ck_assert_uint_eq(entries.len, 0);
    }
    ck_assert_int_eq(grant_parse(g.bytes.data, g.bytes.len, t.repo->repo_id, rid, &entries, NULL), 0);
    ck_assert_uint_eq(entries.len, 2);
    entries.len = 0;
    for (size_t i = 0; i < GRANT_HEAD_LEN; i++) { /* behind: kid and boxes, which opening judges */
        g.bytes.data[i] ^= 1;
        ck_assert_int_eq(grant_parse(g.bytes.data, g.bytes.len, t.repo->repo_id, rid, &entries, NULL),
                         E_CORRUPT);
        g.bytes.data[i] ^= 1;
    }
    size_t entry = (g.bytes.len - GRANT_HEAD_LEN) / 2;
    struct buf swapped = BUF_INIT; /* out of order */
    ck_assert_int_eq(buf_append(&swapped, g.bytes.data, GRANT_HEAD_LEN, NULL), 0);
    ck_assert_int_eq(buf_append(&swapped, g.bytes.data + GRANT_HEAD_LEN + entry, entry, NULL), 0);
    ck_assert_int_eq(buf_append(&swapped, g.bytes.data + GRANT_HEAD_LEN, entry, NULL), 0);
    ck_assert_int_eq(grant_parse(swapped.data, swapped.len, t.repo->repo_id, rid, &entries, NULL), E_CORRUPT);
    memcpy(swapped.data + GRANT_HEAD_LEN, swapped.data + GRANT_HEAD_LEN + entry, entry); /* twice the same */
    ck_assert_int_eq(grant_parse(swapped.data, swapped.len, t.repo->repo_id, rid, &entries, NULL), E_CORRUPT);
    buf_free(&swapped);
    vec_free(&entries);
    grant_free(&g);
}
END_TEST

START_TEST(every_group_of_a_grant_names_its_recipient)
{
    struct grant_writer g;
    struct error err = ERROR_INIT;
    struct recipients to = to_dave();
    uint8_t kid[KID_LEN];
    uint8_t s[SHARE_LEN];
    struct session_name name = name_of(1);
    secret_of(1, kid, s);
    to.group[to.n].n = 1;
    to.group[to.n++].share[0] = t.who[EVA];
    begin(&g);
    ck_assert_int_eq(grant_add(&g, &name, kid, s, &to, &err), E_USAGE);
    grant_free(&g);
}
END_TEST

static void put(uint32_t number, uint8_t attempt, const void *data, size_t len)
{
    char name[NAME_TEXT_MAX];
    name_grant(name, t.who[DAVE].rid, number, attempt);
    ck_assert_int_eq(backend_put(t.w.backend, name, data, len, NULL), 0);
}

START_TEST(torn_and_damaged_attempts)
{
    struct grant_writer g;
    struct check_result result;
    begin(&g);
    add_entry(&g, 1, 1, false, to_dave());
    add_entry(&g, 2, 2, false, to_dave());
    ck_assert_int_eq(grant_end(&g, NULL), 0);
    put(1, 0, g.bytes.data, 100); /* cut, and sent again */
    put(1, 1, g.bytes.data, g.bytes.len);
    put(2, 0, "nonsense that is long enough to be no torn file, and no grant", 61);
    ck_assert_int_eq(read_as(DAVE, NULL), 0);
    const struct check_options o = { .level = CHECK_LK, .opener = t.w.opener };
    ck_assert_int_eq(check_run(t.repo, &o, &result, NULL), 0);
    ck_assert_uint_eq(result.sessions_granted, 2);
    grant_free(&g);
}
END_TEST

START_TEST(a_damaged_grant_is_a_finding)
{
    struct grant_writer g;
    struct check_result result;
    struct error err = ERROR_INIT;
    char names[256];
    begin(&g);
    add_entry(&g, 1, 1, false, to_dave());
    ck_assert_int_eq(grant_end(&g, NULL), 0);
    g.bytes.data[GRANT_HEAD_LEN + WRITER_ID_LEN + 3] ^= 0x80; /* the session's number */
    put(1, 0, g.bytes.data, g.bytes.len);
    ck_assert_int_eq(read_as(DAVE, &err), E_CORRUPT);
    ck_assert_str_eq(err.name, ERR_GRANT_SYNTAX);
    const struct check_options o = { .level = CHECK_LK, .opener = t.w.opener };
    ck_assert_int_eq(check_run(t.repo, &o, &result, NULL), 0);
    ck_assert_uint_ge(result.findings, 1);
    ck_assert_int_gt(world_verify(&t.w, CHECK_LK, names, sizeof names, NULL), 0);
    ck_assert_ptr_nonnull(strstr(names, ERR_GRANT_SYNTAX));
    grant_free(&g);
}
END_TEST

/* ---- with shares of others ------------------------------------------------------------------------------- */

/* dave and eva together, by a grant: eva's share comes in an approval. */
START_TEST(a_grant_to_two_people_takes_both)
{
    struct grant_writer g;
    struct recipients to = to_dave();
    struct opened_shares opened = OPENED_SHARES_INIT;
    struct grant_set *set = NULL;
    struct error err = ERROR_INIT;
    to.group[0].share[to.group[0].n++] = t.who[EVA];
    begin(&g);
    add_entry(&g, 1, 1, false, to);
    add_entry(&g, 2, 2, false, to);
    publish(&g);
    ck_assert_int_eq(read_as(DAVE, &err), E_AUTH);
    ck_assert_int_eq(read_as(EVA, &err), E_AUTH); /* she looks below her own name, and finds nothing */
    ck_assert_int_eq(grant_set_load(t.repo, (const uint8_t(*)[RID_LEN]) & t.who[DAVE].rid, 1, &set, NULL), 0);
    for (size_t i = 0; i < set->entries.len; i++) {
        const struct grant_entry *e = vec_at(&set->entries, i);
        struct envelope env;
        struct session_name name = name_of(e->session);
        uint8_t id[BOX_ID_LEN];
        uint8_t share[SHARE_LEN];
        ck_assert_int_eq(envelope_parse_grant(e->envelope, e->envelope_len, &env, NULL), 0);
        const struct envelope_share *hers = &env.group[0].share[1];
        ck_assert_int_eq(envelope_share_open(&env, hers, t.sk[EVA], &name, share, NULL), 0);
        box_id(hers->box, env.box_len, id);
        ck_assert_int_eq(shares_add(&opened, name.writer_id, name.session, id, hers->rid, share, NULL), 0);
        name.session ^= 3; /* for another session she does not open it */
        ck_assert_int_eq(envelope_share_open(&env, hers, t.sk[EVA], &name, share, &err), E_CORRUPT);
        ck_assert_str_eq(err.name, ERR_GRANT_PLACE);
    }
    t.w.opener.opened = &opened;
    ck_assert_int_eq(read_as(DAVE, &err), 0);
    shares_free(&opened);
    grant_set_free(set);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("repo/grant");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, start, stop);
    tcase_set_timeout(all, 120);
    tcase_add_test(all, a_grant_opens_old_sessions);
    tcase_add_test(all, later_grants_have_later_numbers);
    tcase_add_test(all, a_grant_with_another_secret_is_noticed);
    tcase_add_test(all, a_grant_of_another_session_is_noticed);
    tcase_add_test(all, a_share_copied_from_another_grant_is_noticed);
    tcase_add_test(all, a_grant_is_refused_at_every_length_and_byte);
    tcase_add_test(all, every_group_of_a_grant_names_its_recipient);
    tcase_add_test(all, torn_and_damaged_attempts);
    tcase_add_test(all, a_damaged_grant_is_a_finding);
    tcase_add_test(all, a_grant_to_two_people_takes_both);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
