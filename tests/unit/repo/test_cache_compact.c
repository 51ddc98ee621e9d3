/* The journal without what is dead: the same cache afterwards, whenever it is killed. */
#include "tests/unit/repo/cache_help.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "common/base/banned.h"

enum { ROWS = 16000, NIGHTS = 10, KILLS = 30, STREAMS = 3 };

static struct help *h;
static uint64_t *rows;
static char new_path[128];

static void setup(void)
{
    h = help_new(NULL);
    h->blob_limit = 256 * 1024;
    rows = calloc(ROWS, sizeof *rows);
    ck_assert_ptr_nonnull(rows);
    for (size_t i = 0; i < ROWS; i++)
        rows[i] = i + 1;
    (void)snprintf(new_path, sizeof new_path, "%s/journal.new", h->dir);
}

static void teardown(void)
{
    (void)unlink(new_path);
    free(rows);
    help_free(h);
}

static void put_streams(void)
{
    static const char *const names[STREAMS] = { "one", "two", "three" };
    for (size_t k = 0; k < STREAMS; k++) {
        OK(cache_stream_begin(h->c, names[k], err));
        OK(cache_stream_alone(h->c, err));
        h->has_last = false;
        for (size_t i = k * ROWS / STREAMS; i < (k + 1) * ROWS / STREAMS; i++) {
            help_put(h, rows[i]);
            OK(cache_stream_add(h->c, h->last.blob, h->last.length, err));
            OK(cache_drain_use(h->c, &h->last, err));
        }
        OK(cache_stream_end(h->c, err));
    }
}

static void night(uint32_t seq)
{
    help_begin(h);
    OK(cache_drain_begin(h->c, "job", err));
    put_streams();
    help_flush_blob(h);
    help_flush_pack(h);
    OK(cache_drain_end(h->c, (uint64_t)ROWS * 2048 * 20, err)); /* no limit */
    help_commit(h, seq);
}

/* Nights with changes; then the packs of all but the last sessions are dropped, and one pack waits for its record. */
static void age(uint32_t keep)
{
    for (uint32_t n = 1; n <= NIGHTS; n++) {
        night(n);
        for (size_t i = 0; i < ROWS; i++)
            if (help_mix(i * 31 + n * 1000003) % 100 < 30)
                rows[i] += 1000000;
    }
    help_begin(h);
    struct cache_hit hit;
    help_store(h, 77, &hit);
    help_flush_blob(h);
    help_flush_pack(h);
    cache_session_abort(h->c);
    struct vec drop = VEC_OF(struct cache_pack);
    const struct cache_pack *pack;
    for (size_t pos = 0; (pack = cache_packs(h->c, &pos)) != NULL;)
        if (pack->session + keep <= NIGHTS)
            *(struct cache_pack *)vec_push(&drop, NULL) = *pack;
    for (size_t i = 0; i < drop.len; i++) {
        pack = vec_at(&drop, i);
        OK(cache_drop_pack(h->c, pack->session, pack->idx, err));
    }
    vec_free(&drop);
}

/* ---- what a cache knows, without its numbers ---- */

struct picture {
    uint64_t found, sum; /* chunks, and their places */
    uint64_t packs, pending;
    struct cache_stats stats;
    uint32_t seq, session;
};

static void look_at(struct picture *p, uint64_t content)
{
    uint8_t id[CHUNK_ID_LEN];
    struct cache_hit hit;
    struct blob_ref ref;
    help_id(content, id);
    int rc = cache_lookup(h->c, id, help_len(content), BLOB_DATA, NULL, &hit, NULL);
    MUST(rc >= 0);
    if (rc == 0)
        return;
    p->found++;
    MUST(cache_ref(h->c, hit.blob, &ref, NULL) == 1);
    p->sum = p->sum * 31 + help_mix(content) + hit.offset * 7 + ref.off * 13 + ref.session * 17 + ref.idx;
}

/* A night that is given up: how much it would store. Only counted, not in the model, which goes by numbers. */
static uint64_t trial(uint64_t *drained)
{
    static const char *const names[STREAMS] = { "one", "two", "three" };
    uint64_t fresh = 0;
    uint32_t blob = 0, len = 0;
    OK(cache_session_begin(h->c, cache_last_session(h->c) + 1, err));
    OK(cache_drain_begin(h->c, "job", err));
    OK(cache_blob_begin(h->c, BLOB_DATA, &blob, err));
    for (size_t k = 0; k < STREAMS; k++) {
        OK(cache_stream_begin(h->c, names[k], err));
        OK(cache_stream_alone(h->c, err));
        for (size_t i = k * ROWS / STREAMS; i < (k + 1) * ROWS / STREAMS; i++) {
            uint8_t id[CHUNK_ID_LEN];
            struct cache_hit hit;
            help_id(rows[i], id);
            int rc = cache_lookup(h->c, id, help_len(rows[i]), BLOB_DATA, NULL, &hit, NULL);
            MUST(rc >= 0);
            if (rc == 1)
                continue;
            if (len > 1000000) {
                OK(cache_blob_begin(h->c, BLOB_DATA, &blob, err));
                len = 0;
            }
            OK(cache_blob_chunk(h->c, blob, id, help_len(rows[i]), err));
            fresh += help_len(rows[i]);
            len += help_len(rows[i]);
        }
        OK(cache_stream_end(h->c, err));
    }
    *drained = cache_stored_again(h->c).drain + cache_stored_again(h->c).alone;
    cache_session_abort(h->c);
    return fresh;
}

static struct picture look(void)
{
    struct picture p = { .seq = cache_last_seq(h->c), .session = cache_last_session(h->c) };
    const struct cache_pack *pack;
    for (uint64_t i = 1; i <= ROWS; i++)
        for (uint64_t age = 0; age < 5; age++)
            look_at(&p, i + age * 1000000);
    look_at(&p, 77);
    for (size_t pos = 0; (pack = cache_packs(h->c, &pos)) != NULL;) {
        p.packs = p.packs * 31 + pack->session * 1000 + pack->idx + pack->size + pack->hash[0] + pack->nblobs;
        p.pending += !pack->introduced;
    }
    cache_get_stats(h->c, &p.stats);
    return p;
}

static void same_cache(const struct picture *a, const struct picture *b)
{
    ck_assert_uint_eq(a->found, b->found);
    ck_assert_uint_eq(a->sum, b->sum);
    ck_assert_uint_eq(a->packs, b->packs);
    ck_assert_uint_eq(a->pending, b->pending);
    ck_assert_uint_eq(a->stats.blobs, b->stats.blobs);
    ck_assert_uint_eq(a->stats.chunks, b->stats.chunks);
    ck_assert_uint_eq(a->seq, b->seq);
    ck_assert_uint_eq(a->session, b->session);
}

static bool there(const char *path)
{
    return access(path, F_OK) == 0;
}

static void compact(int expected)
{
    struct error err = ERROR_INIT;
    int rc = cache_compact(h->c, &err);
    if (rc != expected)
        ck_abort_msg("%d: %s", rc, err.text);
}

START_TEST(the_same_cache_and_half_the_file)
{
    age(3);
    help_reopen(h);
    struct picture before = look();
    ck_assert_uint_eq(before.pending, 1);
    ck_assert_uint_gt(before.found, ROWS / 2);
    compact(1);
    ck_assert(!there(new_path));
    struct picture now = look(); /* the cache at hand */
    same_cache(&before, &now);
    ck_assert_uint_lt(now.stats.journal, before.stats.journal / 2);
    ck_assert_uint_lt(now.stats.dead, now.stats.journal / 50);
    help_reopen(h); /* and the file */
    struct picture again = look();
    same_cache(&before, &again);
    compact(0);
}
END_TEST

START_TEST(streams_and_jobs_keep_their_lists)
{
    uint64_t fresh[2], drained[2];
    age(4);
    for (int round = 0; round < 2; round++) {
        help_reopen(h);
        fresh[round] = trial(&drained[round]);
        if (round == 0) {
            help_reopen(h);
            compact(1);
        }
    }
    ck_assert_uint_gt(drained[0], 0);
    ck_assert_uint_eq(fresh[0], fresh[1]);
    ck_assert_uint_eq(drained[0], drained[1]);
}
END_TEST

START_TEST(only_when_it_pays)
{
    compact(0); /* empty */
    age(NIGHTS);
    struct cache_stats before, after;
    cache_get_stats(h->c, &before);
    ck_assert_uint_gt(before.journal, 1024 * 1024);
    compact(0); /* nothing was dropped */
    cache_get_stats(h->c, &after);
    ck_assert_uint_eq(before.journal, after.journal);
    help_begin(h);
    ck_assert_int_eq(cache_compact(h->c, NULL), E_INTERNAL);
    cache_session_abort(h->c);
}
END_TEST

START_TEST(everything_dead)
{
    age(0);
    help_reopen(h);
    uint32_t session = cache_last_session(h->c), seq = cache_last_seq(h->c);
    const struct cache_pack *pack;
    size_t pos = 0;
    while ((pack = cache_packs(h->c, &pos)) != NULL)
        OK(cache_drop_pack(h->c, pack->session, pack->idx, err));
    compact(1);
    struct cache_stats s;
    cache_get_stats(h->c, &s);
    ck_assert_uint_lt(s.journal, 200);
    ck_assert_uint_eq(cache_last_session(h->c), session);
    ck_assert_uint_eq(cache_last_seq(h->c), seq);
    help_reopen(h);
    ck_assert_uint_eq(cache_last_session(h->c), session);
    ck_assert_uint_eq(cache_last_seq(h->c), seq);
}
END_TEST

/* It goes on as a cache: more nights, another compaction. */
START_TEST(life_goes_on)
{
    age(3);
    for (int round = 0; round < 2; round++) {
        help_reopen(h);
        compact(round == 0);
        for (size_t i = 0; i < HELP_BLOBS; i++) /* numbers are new: the model starts anew */
            vec_clear(&h->blobs[i]);
        for (size_t i = 0; i < ROWS; i++)
            rows[i] += 50000000;
        night(NIGHTS + 1 + (uint32_t)round);
    }
    help_reopen(h);
    for (size_t i = 0; i < ROWS; i++) {
        struct cache_hit hit;
        ck_assert_int_eq(help_find(h, rows[i], &hit), 1);
    }
}
END_TEST

START_TEST(what_a_crash_left_is_nothing)
{
    age(3);
    help_reopen(h);
    struct picture before = look();
    for (int part = 0; part < 4; part++) { /* a beginning of a journal, of any length */
        int in = open(h->path, O_RDONLY | O_CLOEXEC);
        int out = open(new_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        static uint8_t block[65536];
        ssize_t n = read(in, block, part == 0 ? 0 : part == 1 ? 20 : part == 2 ? 48 : sizeof block);
        ck_assert_int_eq(write(out, block, (size_t)n), n);
        (void)close(in);
        (void)close(out);
        help_reopen(h);
        ck_assert(!there(new_path));
        struct picture now = look();
        same_cache(&before, &now);
    }
}
END_TEST

/* Returns when the new file has so many bytes, has got its name, or the child has ended; kills it. */
static bool kill_at(pid_t child, off_t size)
{
    struct stat st;
    int status = 0;
    bool seen = false;
    for (;;) {
        pid_t ended = waitpid(child, &status, WNOHANG);
        ck_assert_int_ge(ended, 0);
        if (ended == child)
            break;
        bool is = stat(new_path, &st) == 0;
        if ((is && st.st_size >= size) || (seen && !is)) {
            (void)kill(child, SIGKILL);
            ck_assert_int_eq(waitpid(child, &status, 0), child);
            break;
        }
        seen = is;
        (void)usleep(20);
    }
    ck_assert(WIFSIGNALED(status) || WEXITSTATUS(status) == 42);
    return !WIFSIGNALED(status);
}

/* Killed at any time: the old journal or the new one, and the same cache. */
START_TEST(killed_at_any_time)
{
    age(3);
    help_reopen(h);
    struct picture before = look();
    unsigned finished = 0, cut = 0;
    cache_close(h->c);
    h->c = NULL;
    char keep[160];
    (void)snprintf(keep, sizeof keep, "%s/keep", h->dir);
    ck_assert_int_eq(link(h->path, keep), 0);
    for (unsigned i = 0; i < KILLS; i++) {
        pid_t child = fork();
        if (child == 0) {
            struct cache *c = NULL;
            if (cache_open(h->dir, help_repo, help_writer, &h->limits, &c, NULL) < 0)
                _exit(3);
            _exit(cache_compact(c, NULL) == 1 ? 42 : 4);
        }
        ck_assert_int_gt(child, 0);
        off_t live = (off_t)(before.stats.journal - before.stats.dead);
        finished +=
            kill_at(child, live * (i + 1) / (KILLS - 6)); /* the last ones: when it is renamed, or later */
        cut += there(new_path);
        OK(cache_open(h->dir, help_repo, help_writer, &h->limits, &h->c, err));
        struct picture now = look();
        same_cache(&before, &now);
        ck_assert(!there(new_path));
        cache_close(h->c);
        h->c = NULL;
        ck_assert_int_eq(unlink(h->path), 0); /* the old one again */
        ck_assert_int_eq(link(keep, h->path), 0);
    }
    ck_assert_int_eq(unlink(keep), 0);
    ck_assert_uint_gt(cut, 0);
    (void)printf("killed_at_any_time: %u of %u ended, %u left a file\n", finished, (unsigned)KILLS, cut);
    help_reopen(h);
}
END_TEST

/* A disk that takes no more. */
START_TEST(a_full_disk_costs_nothing)
{
    age(3);
    help_reopen(h);
    struct picture before = look();
    (void)signal(SIGXFSZ, SIG_IGN);
    struct rlimit all;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &all), 0);
    uint64_t live = before.stats.journal - before.stats.dead;
    for (rlim_t size = 0; size < live / 2; size += live / 10) {
        struct rlimit few = { .rlim_cur = size, .rlim_max = all.rlim_max };
        struct error err = ERROR_INIT;
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &few), 0);
        int rc = cache_compact(h->c, &err);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &all), 0);
        ck_assert_int_lt(rc, 0);
        ck_assert(!there(new_path));
        struct picture now = look(); /* still the old one, and usable */
        same_cache(&before, &now);
    }
    compact(1);
}
END_TEST

/* Damage is passed over when the journal is opened, and is gone afterwards. */
START_TEST(damage_is_left_behind)
{
    age(NIGHTS);
    const struct cache_pack *pack = cache_pack_find(h->c, 2, 0);
    int fd = open(h->path, O_RDWR | O_CLOEXEC);
    uint8_t byte = 0;
    ck_assert_int_eq(pread(fd, &byte, 1, (off_t)pack->at + 3000), 1);
    byte ^= 1;
    ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)pack->at + 3000), 1);
    (void)close(fd);
    help_reopen(h);
    ck_assert(cache_damaged(h->c));
    ck_assert_ptr_null(cache_pack_find(h->c, 2, 0));
    struct picture before = look();
    compact(1);
    ck_assert(!cache_damaged(h->c));
    help_reopen(h);
    ck_assert(!cache_damaged(h->c));
    struct picture now = look();
    same_cache(&before, &now);
}
END_TEST

/* Damage that is met while it is copied: the old journal stays. */
START_TEST(what_cannot_be_read_is_not_dropped)
{
    age(3);
    help_reopen(h);
    const struct cache_pack *pack = cache_pack_find(h->c, NIGHTS, 0);
    int fd = open(h->path, O_RDWR | O_CLOEXEC);
    uint8_t byte = 0;
    ck_assert_int_eq(pread(fd, &byte, 1, (off_t)pack->at + 3000), 1);
    byte ^= 1;
    ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)pack->at + 3000), 1);
    ck_assert_int_eq(cache_compact(h->c, NULL), E_CORRUPT);
    ck_assert(!there(new_path));
    byte ^= 1;
    ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)pack->at + 3000), 1);
    (void)close(fd);
    help_reopen(h);
    compact(1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("repo/cache_compact");
    TCase *tc = tcase_create("compact");
    tcase_set_timeout(tc, 300);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, the_same_cache_and_half_the_file);
    tcase_add_test(tc, streams_and_jobs_keep_their_lists);
    tcase_add_test(tc, only_when_it_pays);
    tcase_add_test(tc, everything_dead);
    tcase_add_test(tc, life_goes_on);
    tcase_add_test(tc, what_a_crash_left_is_nothing);
    tcase_add_test(tc, killed_at_any_time);
    tcase_add_test(tc, a_full_disk_costs_nothing);
    tcase_add_test(tc, damage_is_left_behind);
    tcase_add_test(tc, what_cannot_be_read_is_not_dropped);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
