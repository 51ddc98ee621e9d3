/* The writer's side of freeing space, with a real session and a real retention host. */
#include <sys/stat.h>

#include "common/repo/names.h"
#include "common/repo/snapshot.h"
#include "tests/unit/repo/prune_help.h"

enum { PAGE = 4096, PAGES = 800, KEPT = 500 };

static uint8_t *pages_of(uint64_t seed)
{
    uint8_t *p = malloc((size_t)PAGES * PAGE);
    ck_assert_ptr_nonnull(p);
    world_fill(p, (size_t)PAGES * PAGE, seed, false);
    return p;
}

static struct session_result put(struct world *w, const uint8_t *data, size_t len)
{
    struct error err = ERROR_INIT;
    struct session_result r;
    struct world_stream s = { .name = "shop.db", .data = data, .len = len, .page_size = PAGE };
    ck_assert_msg(world_backup(w, 0, &s, 1, &r, &err) == 0, "%s", err.text);
    now += DAYS;
    return r;
}

/* Does the newest snapshot refer to a pack of this session? */
static bool refers_to(struct world *w, uint32_t session)
{
    struct error err = ERROR_INIT;
    struct repo *repo = NULL;
    struct snapshot *snap = NULL;
    struct repo_options o = { .now = now };
    bool found = false;
    ck_assert_msg(repo_open(w->backend, w->root_pk, &o, &repo, &err) == 0, "%s", err.text);
    const struct repo_writer *writer = repo_writer_find(repo, w->writers[0].writer_id);
    ck_assert_int_eq(snapshot_load(repo, writer, repo_head(writer), &snap, &err), 0);
    ck_assert_int_eq(snapshot_open_view(snap, w->writers[0].v_w, &err), 0);
    for (size_t i = 0; i < snap->view.packs.len; i++)
        found = found || ((struct pack_key *)vec_at(&snap->view.packs, i))->session == session;
    snapshot_free(snap);
    repo_close(repo);
    return found;
}

static bool has_pack(struct world *w, uint32_t session)
{
    struct name n = { .kind = NAME_PACK, .session = session };
    char text[NAME_TEXT_MAX];
    struct backend_stat st;
    memcpy(n.writer, w->writers[0].writer_id, WRITER_ID_LEN);
    return backend_stat(w->backend, name_format(text, &n), &st, NULL) == 0;
}

static void expect_pages(struct world *w, const uint8_t *data)
{
    struct error err = ERROR_INIT;
    struct buf got = BUF_INIT;
    ck_assert_msg(world_read(w, 0, "shop.db", &got, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(got.len, (size_t)PAGES * PAGE);
    ck_assert_int_eq(memcmp(got.data, data, got.len), 0);
    buf_free(&got);
}

START_TEST(a_pack_with_one_live_page_drains_and_is_deleted)
{
    struct world w;
    world_with_host(&w, 1);
    uint8_t *data = pages_of(1);
    uint8_t *other = pages_of(2);
    (void)put(&w, data, (size_t)PAGES * PAGE);
    memcpy(other + KEPT * PAGE, data + KEPT * PAGE, PAGE);
    struct session_result second = put(&w, other, (size_t)PAGES * PAGE);
    ck_assert_uint_eq(second.drained + second.gathered, 0);
    ck_assert(refers_to(&w, 1));
    struct session_result third = put(&w, other, (size_t)PAGES * PAGE);
    ck_assert_uint_eq(third.fresh, PAGE);
    ck_assert_uint_ge(third.drained, PAGE);
    ck_assert(!refers_to(&w, 1));
    expect_pages(&w, other);
    /* Until the last snapshot that needs it is gone, it stays. */
    (void)run(&w);
    const uint32_t first[] = { 1, 0 }, both[] = { 2, 0 };
    (void)expire(&w, first);
    (void)put(&w, other, (size_t)PAGES * PAGE);
    (void)run(&w);
    (void)run(&w);
    ck_assert(has_pack(&w, 1));
    (void)expire(&w, both);
    (void)put(&w, other, (size_t)PAGES * PAGE);
    (void)run(&w);
    ck_assert_uint_gt(run(&w).deleted, 0);
    ck_assert(!has_pack(&w, 1));
    struct session_result last = put(&w, other, (size_t)PAGES * PAGE);
    ck_assert_uint_eq(last.fresh, 0);
    expect_pages(&w, other);
    expect_sound(&w);
    free(data);
    free(other);
    end(&w);
}
END_TEST

/* A pack that is condemned up to what this session acknowledges is not used again, whether it is still there or not. */
START_TEST(what_is_condemned_is_stored_anew)
{
    for (int deleted = 0; deleted < 2; deleted++) {
        struct world w;
        world_with_host(&w, 1);
        uint8_t *old = pages_of(1);
        uint8_t *data = pages_of(2);
        uint8_t *most = malloc((size_t)PAGES * PAGE);
        ck_assert_ptr_nonnull(most);
        (void)put(&w, old, (size_t)PAGES * PAGE);
        (void)put(&w, data, (size_t)PAGES * PAGE);
        (void)run(&w);
        const uint32_t first[] = { 1, 0 };
        (void)expire(&w, first); /* condemns pack 1 */
        if (deleted != 0) {
            (void)put(&w, data, (size_t)PAGES * PAGE);
            (void)run(&w);
            (void)run(&w);
        }
        ck_assert(has_pack(&w, 1) == (deleted == 0));
        memcpy(most, data, (size_t)PAGES * PAGE);
        memcpy(most, old, 100 * PAGE); /* what was in it is wanted again */
        struct session_result r = put(&w, most, (size_t)PAGES * PAGE);
        ck_assert_uint_eq(r.fresh, 100 * PAGE);
        ck_assert_uint_eq(r.drained, 0);
        ck_assert(!refers_to(&w, 1));
        expect_pages(&w, most);
        (void)run(&w);
        (void)run(&w);
        expect_sound(&w);
        free(old);
        free(data);
        free(most);
        end(&w);
    }
}
END_TEST

/* The journal of a writer whose snapshots come and go stays as large as what is there. */
START_TEST(the_journal_does_not_grow_for_ever)
{
    enum { ROUNDS = 40, LEN = 40 * PAGE * 8 };
    struct world w;
    char state[WORLD_PATH_MAX], path[WORLD_PATH_MAX + 16];
    struct stat st;
    off_t largest = 0;
    world_with_host(&w, 1);
    w.session_chunk_avg = 0;
    w.chunk_avg = 512; /* many chunks */
    uint8_t *data = malloc(LEN);
    ck_assert_ptr_nonnull(data);
    (void)snprintf(path, sizeof path, "%s/journal", world_state(&w, 0, state));
    for (uint32_t n = 1; n <= ROUNDS; n++) {
        struct error err = ERROR_INIT;
        struct session_result r;
        world_fill(data, LEN, n, false);
        struct world_stream s = { .name = "rows", .data = data, .len = LEN };
        ck_assert_msg(world_backup(&w, 0, &s, 1, &r, &err) == 0, "%s", err.text);
        now += DAYS;
        const uint32_t old[] = { n > 2 ? n - 2 : 0, 0 };
        (void)expire(&w, old);
        (void)run(&w);
        ck_assert_int_eq(stat(path, &st), 0);
        largest = st.st_size > largest ? st.st_size : largest;
    }
    /* One night takes about 50 kB of it. */
    ck_assert_msg(largest < 1400000, "%lld", (long long)largest);
    expect_sound(&w);
    free(data);
    end(&w);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("repo session drain");
    TCase *tc = tcase_create("drain");
    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, a_pack_with_one_live_page_drains_and_is_deleted);
    tcase_add_test(tc, what_is_condemned_is_stored_anew);
    tcase_add_test(tc, the_journal_does_not_grow_for_ever);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
