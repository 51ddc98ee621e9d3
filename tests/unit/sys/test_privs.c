/* What process_harden gives up. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/sys/privs.h"
#include "common/base/banned.h"

START_TEST(harden)
{
    struct rlimit core;
    int ends[2];
    ck_assert_int_eq(process_harden(NULL), 0);
    ck_assert_int_eq(getrlimit(RLIMIT_CORE, &core), 0);
    ck_assert_uint_eq(core.rlim_cur, 0);
    ck_assert_uint_eq(core.rlim_max, 0);
    ck_assert_uint_eq(umask(0), 077);
#ifndef __SANITIZE_ADDRESS__
#ifndef __clang__
    ck_assert_int_eq(prctl(PR_GET_DUMPABLE), 0);
#endif
#endif
    ck_assert_int_eq(pipe(ends), 0);
    (void)close(ends[0]);
    ck_assert_int_eq(write(ends[1], "x", 1), -1); /* and no SIGPIPE */
    (void)close(ends[1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sys/privs");
    TCase *all = tcase_create("all");
    tcase_add_test(all, harden);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
