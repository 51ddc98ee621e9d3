/* The journal: a crash at every byte; every byte flipped, at rest and while it is open; whose it is. */
#include "tests/unit/repo/cache_help.h"

#include <fcntl.h>

#include "common/base/buffer.h"
#include "common/repo/cache_journal.h"
#include "common/sys/fdio.h"
#include "common/base/banned.h"

enum { STATES_MAX = 64, PACKS_MAX = 16, CONTENTS = 60 };

/* What must be known when the journal ends here. */
struct state {
    uint64_t end;
    uint32_t last_session;
    uint32_t last_seq;
    size_t npacks;
    struct cache_pack packs[PACKS_MAX];
};

static struct help *h;
static struct state states[STATES_MAX];
static size_t nstates;
static struct buf whole; /* the journal's bytes */

static void read_state(const struct cache *c, struct state *s)
{
    struct cache_stats stats;
    const struct cache_pack *p;
    memset(s, 0, sizeof *s);
    cache_get_stats(c, &stats);
    s->end = stats.journal;
    s->last_session = cache_last_session(c);
    s->last_seq = cache_last_seq(c);
    for (size_t pos = 0; (p = cache_packs(c, &pos)) != NULL;) {
        MUST(s->npacks < PACKS_MAX);
        s->packs[s->npacks++] = *p;
    }
}

static bool same_pack(const struct cache_pack *a, const struct cache_pack *b)
{
    return a->session == b->session && a->idx == b->idx && a->size == b->size && a->attempt == b->attempt &&
           a->nblobs == b->nblobs && a->nchunks == b->nchunks && memcmp(a->hash, b->hash, HASH_LEN) == 0;
}

static bool same_state(const struct state *a, const struct state *b)
{
    bool same = a->end == b->end && a->last_session == b->last_session && a->last_seq == b->last_seq &&
                a->npacks == b->npacks;
    for (size_t i = 0; same && i < a->npacks; i++)
        same = same_pack(&a->packs[i], &b->packs[i]) && a->packs[i].introduced == b->packs[i].introduced;
    return same;
}

static void remember(void)
{
    MUST(nstates < STATES_MAX);
    read_state(h->c, &states[nstates++]);
}

static void night(const char *name, uint64_t from, uint64_t to, uint32_t seq)
{
    h->session = cache_last_session(h->c) + 1;
    h->idx = 0;
    OK(cache_session_begin(h->c, h->session, err));
    remember();
    h->has_last = false;
    OK(cache_stream_begin(h->c, name, err));
    for (uint64_t i = from; i < to; i++) {
        uint32_t packs = h->idx;
        help_put(h, i);
        if (h->idx != packs)
            remember();
    }
    OK(cache_stream_end(h->c, err));
    remember();
    help_flush_blob(h);
    help_flush_pack(h);
    remember();
    if (seq != 0) {
        OK(cache_commit(h->c, h->session, seq, err));
        remember();
    } else {
        cache_session_abort(h->c);
    }
}

static void read_whole(void)
{
    struct error err = ERROR_INIT;
    int fd = fd_open_read(h->path, &err);
    ck_assert_msg(fd >= 0, "%s", err.text);
    buf_clear(&whole);
    ck_assert_int_eq(fd_read_all(fd, 1 << 20, &whole, h->path, &err), 0);
    fd_drop(&fd);
}

/* Three nights, the middle one without a commit; a drop and a mark. */
static void setup(void)
{
    static const struct cache_pack_name one[] = { { 2, 0 } };
    h = help_new(NULL);
    h->blob_limit = 3000;
    nstates = 0;
    memset(states, 0, sizeof states);
    states[nstates++].end = JOURNAL_HEADER_LEN;
    night("s", 0, 30, 1);
    night("s", 20, 50, 0);
    OK(cache_mark_introduced(h->c, 2, one, 1, err));
    remember();
    night("t", 40, CONTENTS, 3);
    OK(cache_drop_pack(h->c, 1, 0, err));
    remember();
    buf_init(&whole);
    read_whole();
    ck_assert_uint_eq(whole.len, states[nstates - 1].end);
    ck_assert_uint_ge(states[nstates - 1].npacks, 4);
    cache_close(h->c);
    h->c = NULL;
}

static void teardown(void)
{
    help_free(h);
    buf_free(&whole);
}

static void write_journal(const uint8_t *data, size_t len)
{
    struct error err = ERROR_INIT;
    int fd = open(h->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    MUST(fd >= 0);
    MUST(fd_write_full(fd, data, len, h->path, &err) == 0);
    fd_drop(&fd);
}

static int try_open(struct error *err)
{
    error_clear(err);
    h->c = NULL;
    return cache_open(h->dir, help_repo, help_writer, &h->limits, &h->c, err);
}

static void reclose(void)
{
    cache_close(h->c);
    h->c = NULL;
    h->open = false;
    h->nwaiting = 0;
    h->has_last = false;
}

static void check_all_lookups(void)
{
    struct cache_hit hit;
    for (uint64_t i = 0; i < CONTENTS; i++)
        (void)help_find(h, i, &hit);
}

/* The cache goes on from here. */
static void one_more_night(void)
{
    help_begin(h);
    uint64_t contents[CONTENTS];
    for (uint64_t i = 0; i < CONTENTS; i++)
        contents[i] = i;
    help_stream(h, "s", contents, CONTENTS);
    help_commit(h, cache_last_seq(h->c) + 1);
    struct state before, after;
    read_state(h->c, &before);
    reclose();
    struct error err = ERROR_INIT;
    if (try_open(&err) < 0)
        ck_abort_msg("%s", err.text);
    read_state(h->c, &after);
    MUST(same_state(&before, &after));
    check_all_lookups();
}

START_TEST(a_crash_at_every_byte)
{
    struct error err = ERROR_INIT;
    for (size_t len = 0; len <= whole.len; len++) {
        size_t k = 0;
        while (k + 1 < nstates && states[k + 1].end <= len)
            k++;
        write_journal(whole.data, len);
        if (try_open(&err) < 0)
            ck_abort_msg("at %zu: %s", len, err.text);
        struct state now;
        read_state(h->c, &now);
        if (!same_state(&now, &states[k]))
            ck_abort_msg("at %zu: not the state of %zu", len, (size_t)states[k].end);
        MUST(cache_damaged(h->c) == (len > JOURNAL_HEADER_LEN && len != states[k].end));
        check_all_lookups();
        reclose();
        /* The tail is gone for good. */
        MUST(try_open(&err) == 0 && !cache_damaged(h->c));
        reclose();
    }
}
END_TEST

START_TEST(life_goes_on_after_a_crash)
{
    struct error err = ERROR_INIT;
    for (size_t len = (size_t)_i; len <= whole.len; len += 131) {
        write_journal(whole.data, len);
        MUST(try_open(&err) == 0);
        one_more_night();
        reclose();
        teardown();
        setup(); /* the model of the blobs has changed */
    }
}
END_TEST

/* Which operation wrote this byte. */
static size_t state_of(size_t byte)
{
    size_t k = 0;
    while (states[k].end <= byte)
        k++;
    return k;
}

START_TEST(every_byte_flipped_at_rest)
{
    struct error err = ERROR_INIT;
    /* All packs ever, dropped ones too. */
    const struct state *last = &states[nstates - 1];
    for (size_t i = 0; i < whole.len; i++) {
        whole.data[i] ^= (uint8_t)(1 << (i % 8));
        write_journal(whole.data, whole.len);
        whole.data[i] ^= (uint8_t)(1 << (i % 8));
        int rc = try_open(&err);
        if (i < JOURNAL_HEADER_LEN) {
            MUST(rc == E_CORRUPT);
            continue;
        }
        if (rc < 0)
            ck_abort_msg("at %zu: %s", i, err.text);
        MUST(cache_damaged(h->c));
        check_all_lookups();
        struct state now;
        read_state(h->c, &now);
        size_t known = 0;
        for (size_t k = 0; k < last->npacks; k++)
            for (size_t m = 0; m < now.npacks; m++)
                known += same_pack(&now.packs[m], &last->packs[k]);
        /* A flip that leaves the length alone costs one entry. */
        size_t in = i - (size_t)states[state_of(i) - 1].end;
        if (in < 4 || in >= 8)
            MUST(known + 1 >= last->npacks);
        reclose();
    }
}
END_TEST

START_TEST(every_byte_flipped_while_open)
{
    struct error failure = ERROR_INIT;
    struct cache_hit hit;
    struct blob_ref ref;
    h->limits.lru_bytes = 1; /* every list is read back each time */
    h->limits.exact_chunks = _i == 0 ? 0 : 1;
    uint64_t lost = 0;
    for (size_t i = JOURNAL_HEADER_LEN; i < whole.len; i += 3) {
        write_journal(whole.data, whole.len);
        MUST(try_open(&failure) == 0);
        int fd = open(h->path, O_WRONLY | O_CLOEXEC);
        uint8_t changed = whole.data[i] ^ 0x20;
        MUST(fd >= 0 && fd_pwrite_full(fd, &changed, 1, i, h->path, &failure) == 0);
        fd_drop(&fd);
        OK(cache_stream_begin(h->c, _i == 0 ? "s" : "t", err));
        for (uint64_t n = 0; n < CONTENTS; n++)
            (void)help_find(h, n, &hit);
        for (uint32_t n = 0; n < 30; n++) {
            int rc = cache_ref(h->c, n, &ref, &failure);
            MUST(rc == 1 || rc == E_INTERNAL || rc == E_CORRUPT);
            if (rc == 1)
                MUST(load_u32(ref.id) == n && ref.off == 1000 + n);
            lost += rc == E_CORRUPT;
        }
        OK(cache_stream_end(h->c, err));
        reclose();
    }
    ck_assert_uint_gt(lost, 0);
}
END_TEST

START_TEST(whose_it_is)
{
    struct error err = ERROR_INIT;
    struct stat st;
    uint8_t other[REPO_ID_LEN] = { 9 };
    struct cache *c;
    ck_assert_int_eq(stat(h->path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    ck_assert_int_eq(cache_open(h->dir, other, help_writer, NULL, &c, &err), E_CONFLICT);
    ck_assert_ptr_null(c);
    ck_assert_int_eq(cache_open(h->dir, help_repo, other, NULL, &c, &err), E_CONFLICT);
    ck_assert_int_eq(cache_open("/nonexistent/for/sure", help_repo, help_writer, NULL, &c, &err),
                     E_NOT_FOUND);
    /* A newer version, with a right check. */
    uint8_t head[JOURNAL_HEADER_LEN];
    memcpy(head, whole.data, sizeof head);
    head[8] = 2;
    store_u64(head + 40, check64(head, 40));
    write_journal(head, sizeof head);
    ck_assert_int_eq(try_open(&err), E_UNSUPPORTED);
    /* An entry of a newer program. */
    uint8_t entry[JOURNAL_HEADER_LEN + 16];
    memcpy(entry, whole.data, JOURNAL_HEADER_LEN);
    store_u32(entry + 48, 99);
    store_u32(entry + 52, 0);
    store_u64(entry + 56, check64(entry + 48, 8));
    write_journal(entry, sizeof entry);
    ck_assert_int_eq(try_open(&err), E_UNSUPPORTED);
    /* Something else: never overwritten. */
    static const char text[] = "this is a text that somebody put here, it is longer than a header\n";
    write_journal((const uint8_t *)text, sizeof text - 1);
    ck_assert_int_eq(try_open(&err), E_CORRUPT);
    ck_assert_int_eq(stat(h->path, &st), 0);
    ck_assert_int_eq(st.st_size, sizeof text - 1);
    /* Links are not followed. */
    ck_assert_int_eq(unlink(h->path), 0);
    ck_assert_int_eq(symlink("/dev/null", h->path), 0);
    ck_assert_int_lt(try_open(&err), 0);
    ck_assert_int_eq(unlink(h->path), 0);
    ck_assert_int_eq(try_open(&err), 0);
}
END_TEST

START_TEST(entries_with_a_right_check_and_wrong_content)
{
    /* Payloads cut short, or with a byte changed, under a check that fits: refused or harmless. */
    struct error err = ERROR_INIT;
    struct buf b = BUF_INIT;
    for (size_t k = 1; k < nstates; k++) {
        size_t start = (size_t)states[k - 1].end, len = (size_t)states[k].end - start;
        if (len == 0)
            continue;
        for (size_t cut = 0; cut < len - 16; cut += 1 + len / 60) {
            buf_clear(&b);
            MUST(buf_append(&b, whole.data, start + len, NULL) == 0);
            b.len -= 8;
            if (_i == 0) {
                b.len -= cut + 1 < len - 16 ? cut + 1 : len - 16;
            } else {
                b.data[start + 8 + cut] ^= 0xff;
            }
            store_u32(b.data + start + 4, (uint32_t)(b.len - start - 8));
            uint8_t check[8];
            store_u64(check, check64(b.data + start, b.len - start));
            MUST(buf_append(&b, check, 8, NULL) == 0);
            write_journal(b.data, b.len);
            int rc = try_open(&err);
            MUST(rc == 0 || rc == E_CORRUPT);
            reclose();
        }
    }
    buf_free(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("repo/cache_journal");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_set_timeout(all, 240);
    tcase_add_test(all, a_crash_at_every_byte);
    tcase_add_loop_test(all, life_goes_on_after_a_crash, 0, 4);
    tcase_add_test(all, every_byte_flipped_at_rest);
    tcase_add_loop_test(all, every_byte_flipped_while_open, 0, 2);
    tcase_add_test(all, whose_it_is);
    tcase_add_loop_test(all, entries_with_a_right_check_and_wrong_content, 0, 2);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
