/* A retention host that dies, is cut or does not hear the answer at its n-th operation, for every n: the next run finishes,
 * and nothing is lost. */
#include <unistd.h>

#include "common/repo/snapshot.h"
#include "tests/unit/repo/prune_help.h"

/* The first and the newest snapshot stay, those between expire. The newest has the data of the one before once more: a pack of
 * a snapshot that expires is needed. */
enum { NEWEST = 5, SHARED = 4 };

/* One run over `b`; decisions when asked for. Whatever goes wrong: the process is gone. */
static int try_run(struct world *w, struct backend *b, bool expire_them, bool cut)
{
    struct error err = ERROR_INIT;
    struct prune_options o = host_of(w);
    struct prune *p = NULL;
    struct prune_plan plan;
    o.backend = b;
    int rc = prune_open(&o, &p, &err);
    for (size_t i = 0; rc == 0 && expire_them && i < prune_snapshots(p)->len; i++) {
        const struct prune_snapshot *s = vec_at(prune_snapshots(p), i);
        if (s->state == PRUNE_LIVE && s->seq > 1 && s->seq < NEWEST)
            rc = prune_decide(p, i, RETENTION_EXPIRE, false, &err);
    }
    if (rc == 0 && cut)
        rc = prune_cut_off(p, w->writers[0].writer_id, &err);
    if (rc == 0)
        rc = prune_run(p, NULL, &plan, &err);
    prune_close(p);
    return rc;
}

static void run_until_good(struct world *w, struct backend *b, bool expire_them, bool cut)
{
    for (int tries = 0; try_run(w, b, expire_them, cut) < 0; tries++) {
        now += HOUR; /* a torn record of unknown origin is waited for */
        ck_assert_int_lt(tries, 5);
    }
}

/* The repository before the first run; every round works on a copy of it. */
static struct world base;
static struct vec needed =
    VEC_OF(struct pack_key); /* struct pack_key: what the views of the snapshots that stay name, each once */

static bool is_needed(uint32_t session)
{
    for (size_t i = 0; i < needed.len; i++)
        if (((const struct pack_key *)vec_at(&needed, i))->session == session)
            return true;
    return false;
}

static void need_packs_of(const struct repo *repo, uint32_t seq)
{
    struct error err = ERROR_INIT;
    struct snapshot *snap = NULL;
    const struct repo_writer *writer = repo_writer_find(repo, base.writers[0].writer_id);
    ck_assert_int_eq(snapshot_load(repo, writer, repo_record_at(writer, seq), &snap, &err), 0);
    ck_assert_int_eq(snapshot_open_view(snap, base.writers[0].v_w, &err), 0);
    for (size_t i = 0; i < snap->view.packs.len; i++) {
        const struct pack_key *k = vec_at(&snap->view.packs, i);
        if (!is_needed(k->session)) /* these sessions have one pack each */
            *(struct pack_key *)vec_push(&needed, &err) = *k;
    }
    snapshot_free(snap);
}

static void find_needed(void)
{
    struct error err = ERROR_INIT;
    struct repo *repo = NULL;
    struct repo_options o = { .now = now };
    ck_assert_msg(repo_open(base.backend, base.root_pk, &o, &repo, &err) == 0, "%s", err.text);
    need_packs_of(repo, 1);
    need_packs_of(repo, NEWEST);
    repo_close(repo);
    ck_assert(is_needed(1) && is_needed(SHARED)); /* something has to stay, and something has to go */
    ck_assert(!is_needed(2) && !is_needed(3));
}

/* Exactly these packs are left. */
static void expect_needed(struct world *w, enum fault_kind kind, unsigned long n)
{
    char name[NAME_TEXT_MAX];
    struct backend_stat st;
    ck_assert_msg(files(w, 0, "pack") == needed.len, "kind %d operation %lu: %zu packs, %zu are needed",
                  (int)kind, n, files(w, 0, "pack"), needed.len);
    for (size_t i = 0; i < needed.len; i++) {
        const struct pack_key *k = vec_at(&needed, i);
        (void)name_pack(name, w->writers[0].writer_id, k->session, k->idx, 0);
        ck_assert_msg(backend_stat(w->backend, name, &st, NULL) == 0, "kind %d operation %lu: no %s",
                      (int)kind, n, name);
    }
}

static int copy_one(const char *name, const struct backend_stat *st, void *arg, struct error *err);

struct copying {
    struct backend *to;
    const char *dir;
};

static void copy_dir(struct backend *to, const char *dir)
{
    struct copying c = { .to = to, .dir = dir };
    ck_assert_int_eq(backend_list(base.backend, dir, copy_one, &c, NULL), 0);
}

static int copy_one(const char *name, const struct backend_stat *st, void *arg, struct error *err)
{
    const struct copying *c = arg;
    struct buf bytes = BUF_INIT;
    char path[BACKEND_NAME_MAX];
    (void)snprintf(path, sizeof path, "%s%s%s", c->dir, c->dir[0] != '\0' ? "/" : "", name);
    int rc = st->is_dir ? backend_make_dir(c->to, path, 0700, err) : 0;
    if (rc == 0 && st->is_dir)
        copy_dir(c->to, path);
    else if (rc == 0)
        rc = backend_read_all(base.backend, path, UINT32_MAX, &bytes, err);
    if (rc == 0 && !st->is_dir)
        rc = backend_put(c->to, path, bytes.data, bytes.len, err);
    buf_free(&bytes);
    return rc;
}

/* True when the fault happened. */
static bool round_with(enum fault_kind kind, unsigned long n)
{
    struct world w = base;
    struct fault_plan plan = { .kind = kind, .at = n, .code = E_IO };
    w.backend = backend_memory(NULL);
    copy_dir(w.backend, "");
    struct backend *b = backend_fault(backend_clone(w.backend, NULL), &plan, NULL);
    for (int step = 0; step < 4; step++) { /* see, condemn, fence, delete */
        int rc = try_run(&w, b, step > 0, step == 2);
        if (rc == 0)
            continue;
        expect_level(&w, CHECK_L2);
        plan.at = 0; /* started again */
        run_until_good(&w, b, step > 0, step == 2);
    }
    plan.at = 0;
    for (int i = 0; i < 3 && files(&w, 0, "snap") + files(&w, 0, "pack") > 2 + needed.len;
         i++) /* a run that could not read something waits */
        run_until_good(&w, b, true, true);
    expect_level(&w, CHECK_L2);
    expect_needed(&w, kind, n);
    ck_assert_uint_eq(files(&w, 0, "snap"), 2);
    backend_close(b);
    backend_close(w.backend);
    forget_host(&w);
    return plan.fired;
}

START_TEST(at_every_operation)
{
    static const enum fault_kind kinds[] = { FAULT_DEAD, FAULT_CUT, FAULT_LOST_ACK, FAULT_FAIL, FAULT_LIE };
    unsigned long n = 1;
    if (access("/dev/shm", W_OK) == 0) /* thousands of fsyncs that nobody needs */
        (void)setenv("TMPDIR", "/dev/shm", 1);
    world_with_host(&base, 1);
    nights(&base, 0, 1, SHARED);
    nights(&base, 0, SHARED, SHARED);
    find_needed();
    while (round_with(kinds[_i], n))
        n++;
    ck_assert_uint_gt(n, 40);
    vec_free(&needed);
    end(&base);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("prune faults");
    TCase *t = tcase_create("faults");
    tcase_set_timeout(t, 280);
    tcase_add_loop_test(t, at_every_operation, 0, 5);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
