/* What a review found: each test fails without its fix. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/backend/fault.h"
#include "common/backend/memory.h"
#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/repo/envelope.h"
#include "common/repo/names.h"
#include "common/repo/pipeline_internal.h"
#include "common/repo/snap.h"
#include "common/sys/atomic_file.h"
#include "tests/support/world.h"

enum { LEN = 40 * 1000 * 1000 };

static uint8_t *bytes(size_t len, uint64_t seed)
{
    uint8_t *p = malloc(len);
    ck_assert_ptr_nonnull(p);
    world_fill(p, len, seed, false);
    return p;
}

/* A second snapshot with the catalog of the first one, but with another view: what a writer gone wrong, or a
 * hostile one, could publish. */
static void publish_with_view(struct world *w, void (*bend)(struct snap_view *view))
{
    struct error err = ERROR_INIT;
    struct repo *repo = NULL;
    struct repo_options ro = { .now = 0 };
    struct snapshot *first = NULL;
    struct recipients to;
    struct buf envelope = BUF_INIT, snap = BUF_INIT, record = BUF_INIT;
    struct session_name name = { .session = 2 };
    const struct writer_keys *keys = &w->writers[0];
    uint8_t key[KEY_LEN];
    uint8_t kid[KID_LEN];
    char file[NAME_TEXT_MAX];
    ck_assert_int_eq(repo_open(w->backend, w->root_pk, &ro, &repo, &err), 0);
    struct repo_writer *writer = repo_writer_find(repo, keys->writer_id);
    struct fetcher *f = fetcher_new(repo, writer, &w->opener, 0, &err);
    ck_assert_int_eq(snapshot_load(repo, writer, repo_head(writer), &first, &err), 0);
    ck_assert_int_eq(snapshot_open_view(first, keys->v_w, &err), 0);
    ck_assert_int_eq(snapshot_open(first, f, &err), 0);
    /* the key of session 2 */
    struct secret *s = secret_random(SHARE_LEN, &err);
    struct secret *derived = writer_derive(keys->w_w, &err);
    memcpy(name.repo_id, keys->repo_id, REPO_ID_LEN);
    memcpy(name.writer_id, keys->writer_id, WRITER_ID_LEN);
    ck_assert_int_eq(session_key(writer_derived_of(derived)->mix_key, &name, secret_view(s), key, &err), 0);
    ck_assert_int_eq(session_kid(key, kid, &err), 0);
    ck_assert_int_eq(charter_recipients(repo_charter(repo), clock_wall(), &to, &err), 0);
    ck_assert_int_eq(envelope_build(secret_view(s), &to, kid, &envelope, &err), 0);
    struct object_author author = { .session = 2, .envelope = &envelope, .session_key = key };
    memcpy(author.repo_id, keys->repo_id, REPO_ID_LEN);
    memcpy(author.writer_id, keys->writer_id, WRITER_ID_LEN);
    bend(&first->view);
    ck_assert_int_eq(snap_build(&author, 2, secret_view(keys->v_w), &first->view, &first->priv, &snap, &err),
                     0);
    struct record r;
    record_init(&r);
    memcpy(r.repo_id, keys->repo_id, REPO_ID_LEN);
    memcpy(r.writer_id, keys->writer_id, WRITER_ID_LEN);
    r.seq = r.session = 2;
    r.charter = 1;
    memcpy(r.prev, repo_head(writer)->hash, HASH_LEN);
    record_hash(snap.data, snap.len, r.snap_hash);
    r.snap_size = snap.len;
    ck_assert_int_eq(record_encode(&r, keys->seed, &record, &err), 0);
    ck_assert_int_eq(
        backend_put(w->backend, name_snap(file, keys->writer_id, 2, 0), snap.data, snap.len, &err), 0);
    ck_assert_int_eq(repo_publish_record(repo, record.data, record.len, NULL, &err), 0);
    record_free(&r);
    buf_free(&record);
    buf_free(&snap);
    buf_free(&envelope);
    secret_free(derived);
    secret_free(s);
    snapshot_free(first);
    fetcher_free(f);
    repo_close(repo);
}

static void expect_after(void (*bend)(struct snap_view *view), const char *want)
{
    struct world w;
    struct error err = ERROR_INIT;
    struct session_result result;
    char names[256];
    uint8_t *a = bytes(LEN, 3);
    struct world_stream s[] = { { "a", a, LEN, 0, false }, { "b", a, 100, 0, false } };
    world_init(&w, backend_memory(NULL), 1);
    ck_assert_msg(world_backup(&w, 0, s, 2, &result, &err) == 0, "%s", err.text);
    ck_assert_uint_ge(result.packs, 3);
    publish_with_view(&w, bend);
    int rc = world_verify(&w, CHECK_L3, names, sizeof names, &err);
    ck_assert_msg(rc >= 0, "%s", err.text);
    ck_assert_str_eq(names, want);
    world_free(&w);
    free(a);
}

static void leave_out_first(struct snap_view *view)
{
    memmove(view->packs.data, (struct pack_key *)view->packs.data + 1,
            --view->packs.len * sizeof(struct pack_key));
}

static void announce_less(struct snap_view *view)
{
    view->logical = LEN;
}

static void change_nothing(struct snap_view *view)
{
    view->label[0] = 'k';
}

/* A stream that another night's snapshot shares was read once, and the second snapshot's view not looked at. */
START_TEST(verify_looks_at_every_view)
{
    expect_after(change_nothing, "");
    expect_after(leave_out_first, ERR_VIEW_INCOMPLETE);
}
END_TEST

/* restore refuses it; verify said "no errors". */
START_TEST(verify_adds_up_the_streams)
{
    expect_after(announce_less, ERR_STREAM_LENGTH);
}
END_TEST

/* restore refuses such a file; verify said "no errors". */
START_TEST(verify_looks_at_gaps)
{
    static const struct {
        const char *facts;
        const char *want;
    } cases[] = { { "gaps=0:5,10:7\n", "" },
                  { "gaps=0:0\n", CATALOG_E_BODY },
                  { "gaps=9999:1\n", CATALOG_E_BODY },
                  { "a=b\ngaps=5:5,10:1\n", CATALOG_E_BODY },
                  { "gaps=\n", CATALOG_E_BODY } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        struct error err = ERROR_INIT;
        struct session_result result;
        char names[256];
        uint8_t data[100] = { 1 };
        struct world_stream s[] = { { "a", data, sizeof data, 0, false } };
        world_init(&w, backend_memory(NULL), 1);
        w.facts = cases[i].facts;
        ck_assert_int_eq(world_backup(&w, 0, s, 1, &result, &err), 0);
        ck_assert_int_ge(world_verify(&w, CHECK_L3, names, sizeof names, &err), 0);
        ck_assert_str_eq(names, cases[i].want);
        world_free(&w);
    }
}
END_TEST

/* restore compares the names of findings and died of NULL when a log file could not be read. */
START_TEST(every_finding_has_a_name)
{
    struct world w;
    struct error err = ERROR_INIT;
    struct session_result result;
    uint8_t data[100] = { 1 };
    struct world_stream s[] = { { "a", data, sizeof data, 0, false } };
    size_t seen = 0;
    world_init(&w, backend_memory(NULL), 1);
    ck_assert_int_eq(world_backup(&w, 0, s, 1, &result, &err), 0);
    for (unsigned long at = 1; at < 20; at++) {
        struct fault_plan plan = { .kind = FAULT_FAIL, .at = at, .code = E_IO };
        struct backend *b = backend_fault(backend_clone(w.backend, NULL), &plan, NULL);
        struct repo *repo = NULL;
        struct repo_options o = { .now = 0 };
        if (repo_open(b, w.root_pk, &o, &repo, NULL) == 0) {
            for (size_t i = 0; i < repo->findings.len; i++, seen++)
                ck_assert_ptr_nonnull(((struct repo_finding *)vec_at(&repo->findings, i))->name);
        }
        repo_close(repo);
        backend_close(b);
    }
    ck_assert_uint_ge(seen, 1);
    world_free(&w);
}
END_TEST

/* A failure whose code was never set would have been taken for none, and the pack for stored. */
START_TEST(a_failure_without_a_code_fails)
{
    static const uint8_t key[KEY_LEN];
    struct error err = ERROR_INIT;
    struct buf envelope = BUF_INIT;
    struct backend *b = backend_memory(NULL);
    struct pipeline_config config = {
        .author = { .session = 1, .envelope = &envelope, .session_key = key },
        .id_key = key,
        .trail_key = key,
        .backend = b,
        .pack_size = PACK_SIZE_MIN,
        .workers = 1,
        .uploads = 1,
        .level = 1,
    };
    struct pipeline *p = pipeline_new(&config, &err);
    ck_assert_ptr_nonnull(p);
    pthread_mutex_lock(&p->lock);
    pipeline_fail(p, &err);
    pthread_mutex_unlock(&p->lock);
    ck_assert_int_eq(pipeline_finish(p, &err), E_INTERNAL);
    pipeline_free(p);
    backend_close(b);
}
END_TEST

/* Memory ends at any allocation: an error, no crash, nothing half published, and the next run succeeds. */
START_TEST(memory_ends_anywhere)
{
    enum { SHORT = 1200000 };
    struct world w;
    struct error err = ERROR_INIT;
    struct session_result result;
    uint8_t *a = bytes(SHORT, 5);
    struct world_stream s[] = { { "a", a, SHORT, 4096, false }, { "b", a, 1000, 0, true } };
    world_init(&w, backend_memory(NULL), 1);
    unsigned failed = 0;
    for (unsigned long at = 1; at < 6000; at += at < 400 ? 1 : 37) {
        a[at] ^= 1;
        mem_fail_after(at);
        int rc = world_backup(&w, 0, s, 2, &result, NULL);
        mem_fail_after(0);
        failed += rc < 0;
    }
    ck_assert_uint_ge(failed, 100);
    int rc = world_backup(&w, 0, s, 2, &result, &err);
    ck_assert_msg(rc == 0, "%s", err.text);
    rc = world_verify(&w, CHECK_L3, NULL, 0, &err);
    ck_assert_msg(rc == 0, "verify: %d %s", rc, err.text);
    world_free(&w);
    free(a);
}
END_TEST

/* One pack on a bad sector ended the whole verification: no other damage was named, and no snapshot. */
START_TEST(verify_goes_on_after_a_bad_sector)
{
    struct world w;
    struct error err = ERROR_INIT;
    struct session_result result;
    char names[256];
    uint8_t data[100] = { 1 };
    struct world_stream s[] = { { "a", data, sizeof data, 0, false } };
    int last = 0;
    bool fired = true;
    world_init(&w, backend_memory(NULL), 1);
    ck_assert_int_eq(world_backup(&w, 0, s, 1, &result, &err), 0);
    struct backend *good = w.backend;
    for (unsigned long at = 1; fired; at++) {
        struct fault_plan plan = { .kind = FAULT_FAIL, .at = at, .code = E_IO };
        w.backend = backend_fault(backend_clone(good, NULL), &plan, NULL);
        int rc = world_verify(&w, CHECK_L1, names, sizeof names, &err);
        fired = plan.fired;
        ck_assert_msg(!fired || rc != 0, "a failed read (%lu) is no error", at);
        last = fired ? rc : last;
        backend_close(w.backend);
    }
    w.backend = good;
    ck_assert_int_eq(last, 1); /* the last operation reads the pack: a finding, not an error */
    world_free(&w);
}
END_TEST

static void count_alarms(enum log_level level, const char *text, void *arg)
{
    (void)text;
    *(unsigned *)arg += level == LOG_ALARM;
}

/* A run that was cut after its record and before the marks is no sign of a second host. */
START_TEST(a_cut_run_raises_no_alarm)
{
    struct world w;
    struct error err = ERROR_INIT;
    struct session_result result;
    struct buf marks = BUF_INIT, record = BUF_INIT;
    char state[WORLD_PATH_MAX], path[2][WORLD_PATH_MAX + 32], file[NAME_TEXT_MAX];
    uint8_t data[100] = { 1 };
    struct world_stream s[] = { { "a", data, sizeof data, 0, false } };
    unsigned alarms = 0;
    world_init(&w, backend_memory(NULL), 1);
    world_state(&w, 0, state);
    (void)snprintf(path[0], sizeof path[0], "%s/marks", state);
    (void)snprintf(path[1], sizeof path[1], "%s/record.pending", state);
    ck_assert_int_eq(world_backup(&w, 0, s, 1, &result, &err), 0);
    ck_assert_int_eq(file_read_small(path[0], 65536, &marks, &err), 0);
    ck_assert_int_eq(world_backup(&w, 0, s, 1, &result, &err), 0);
    ck_assert_int_eq(backend_read_all(w.backend, name_record(file, w.writers[0].writer_id, 2, 0), RECORD_MAX,
                                      &record, &err),
                     0);
    log_to(count_alarms, &alarms);
    for (unsigned pending = 0; pending < 2; pending++) {
        ck_assert_int_eq(file_write_atomic(path[0], marks.data, marks.len, 0600, FILE_REPLACE, &err), 0);
        if (pending == 0)
            ck_assert_int_eq(file_write_atomic(path[1], record.data, record.len, 0600, FILE_REPLACE, &err),
                             0);
        ck_assert_msg(world_backup(&w, 0, s, 1, &result, &err) == 0, "%s", err.text);
        ck_assert_uint_eq(alarms, pending); /* without the journalled record it is one */
    }
    log_to(NULL, NULL);
    buf_free(&marks);
    buf_free(&record);
    world_free(&w);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("repo review");
    TCase *tc = tcase_create("review");
    tcase_set_timeout(tc, 240);
    tcase_add_test(tc, verify_looks_at_every_view);
    tcase_add_test(tc, verify_adds_up_the_streams);
    tcase_add_test(tc, verify_looks_at_gaps);
    tcase_add_test(tc, every_finding_has_a_name);
    tcase_add_test(tc, a_failure_without_a_code_fails);
    tcase_add_test(tc, memory_ends_anywhere);
    tcase_add_test(tc, a_cut_run_raises_no_alarm);
    tcase_add_test(tc, verify_goes_on_after_a_bad_sector);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
