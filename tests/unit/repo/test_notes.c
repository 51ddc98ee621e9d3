/* Notes of a snapshot's view: written by a session, read with the view key alone. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/backend/memory.h"
#include "common/base/fact.h"
#include "common/repo/session.h"
#include "common/repo/snapshot.h"
#include "tests/support/world.h"

static struct session *begin(struct world *w)
{
    static char state[WORLD_PATH_MAX];
    struct error err = ERROR_INIT;
    struct session *s = NULL;
    struct session_options o = {
        .backend = w->backend, .keys = &w->writers[0], .state_dir = world_state(w, 0, state), .label = "shop"
    };
    ck_assert_msg(session_begin(&o, &s, &err) == 0, "%s", err.text);
    return s;
}

START_TEST(notes_reach_the_view)
{
    struct error err = ERROR_INIT;
    struct session_result result;
    struct world w;
    world_init(&w, backend_memory(NULL), 1);
    struct session *s = begin(&w);
    ck_assert_int_eq(session_note(s, "tag", "monthly", &err), 0);
    ck_assert_int_eq(session_note(s, "tag", "größe", &err), 0);
    ck_assert_int_eq(session_note(s, "incomplete", "1", &err), 0);
    ck_assert_int_eq(session_note(s, "Tag", "x", &err), E_USAGE);
    ck_assert_int_eq(session_note(s, "tag", "", &err), E_USAGE);
    ck_assert_int_eq(session_note(s, "tag", "two\nlines", &err), E_USAGE);
    ck_assert_int_eq(session_note(s, "tag", "\xff", &err), E_USAGE);
    error_clear(&err);
    ck_assert_msg(session_commit(s, NULL, &result, &err) == 0, "%s", err.text);
    session_free(s);

    struct repo *repo = NULL;
    struct repo_options o = { .now = 0 };
    struct snapshot *snap = NULL;
    ck_assert_int_eq(repo_open(w.backend, w.root_pk, &o, &repo, &err), 0);
    const struct repo_writer *writer = repo_writer_find(repo, w.writers[0].writer_id);
    ck_assert_int_eq(snapshot_load(repo, writer, repo_head(writer), &snap, &err), 0);
    ck_assert_int_eq(snapshot_open_view(snap, w.writers[0].v_w, &err), 0);
    ck_assert_str_eq(snap->view.notes, "tag=monthly\ntag=größe\nincomplete=1\n");
    ck_assert(fact_has(snap->view.notes, "tag", "größe"));
    ck_assert(!fact_has(snap->view.notes, "tag", "month"));
    ck_assert(!fact_has(snap->view.notes, "ta", "g=monthly"));
    snapshot_free(snap);
    repo_close(repo);
    world_free(&w);
}
END_TEST

START_TEST(notes_have_a_limit)
{
    struct error err = ERROR_INIT;
    struct world w;
    char value[1001];
    int rc = 0;
    memset(value, 'x', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    world_init(&w, backend_memory(NULL), 1);
    struct session *s = begin(&w);
    for (int i = 0; i < 16; i++)
        ck_assert_int_eq(session_note(s, "tag", value, &err), 0);
    rc = session_note(s, "tag", value, &err);
    ck_assert_int_eq(rc, E_USAGE);
    session_free(s);
    world_free(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("notes");
    TCase *t = tcase_create("notes");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, notes_reach_the_view);
    tcase_add_test(t, notes_have_a_limit);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed;
}
