/* What the daemon says of a history that takes nothing: whole or known not to be, over itself, for another process. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/zone.h"
#include "backupd/daemon/trouble.h"
#include "common/sys/fdio.h"
#include "common/base/banned.h"

static char dir[64];
static char path[128];
static struct error err = ERROR_INIT;

static void setup(void)
{
    (void)snprintf(dir, sizeof dir, "/tmp/trouble-test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/%s", dir, TROUBLE_FILE);
}

static void teardown(void)
{
    (void)unlink(path);
    (void)rmdir(dir);
}

START_TEST(write_and_read)
{
    struct trouble in = { .since = 1764383400,
                          .ends = 3,
                          .more = 2,
                          .lost = 1,
                          .why = "disk is\nfull",
                          .states = 1,
                          .stands = "blog is\npaused" };
    struct trouble out;
    struct stat before;
    struct stat after;
    char says[TROUBLE_SAYS_MAX];
    int fd = -1;
    int seer = -1;
    ck_assert_int_eq(trouble_open(path, &seer, &err), E_NOT_FOUND);
    ck_assert_int_eq(trouble_make(path, &fd, &err), 0);
    ck_assert_int_eq(trouble_open(path, &seer, &err), 0);
    ck_assert_int_eq(trouble_read(seer, &out, &err), 0);
    ck_assert_int_eq(fstat(fd, &before), 0);
    ck_assert_int_eq(before.st_mode & 0777, 0600);
    ck_assert_int_ge(before.st_blocks * 512, TROUBLE_SIZE);
    memset(in.newest, 'x', sizeof in.newest - 1);
    ck_assert_int_eq(trouble_write(fd, &in, &err), 0);
    ck_assert_int_eq(trouble_read(seer, &out, &err), 1);
    ck_assert_int_eq(out.since, in.since);
    ck_assert_uint_eq(out.ends, 3);
    ck_assert_uint_eq(out.more, 2);
    ck_assert_uint_eq(out.lost, 1);
    ck_assert_uint_eq(out.states, 1);
    ck_assert_str_eq(out.stands, "blog is\\x0apaused");
    ck_assert_str_eq(out.why, "disk is\\x0afull");
    ck_assert_uint_ge(strlen(out.newest), TROUBLE_TEXT_MAX - 8);
    ck_assert_int_eq(fstat(fd, &after), 0);
    ck_assert_int_eq(after.st_size, before.st_size);
    ck_assert_int_eq(after.st_blocks, before.st_blocks);
    /* The next daemon still finds it. */
    fd_drop(&fd);
    ck_assert_int_eq(trouble_make(path, &fd, &err), 0);
    ck_assert_int_eq(trouble_read(fd, &out, &err), 1);
    ck_assert_int_eq(zone_set("UTC", &err), 0);
    (void)snprintf(out.newest, sizeof out.newest, "shop: failed: no space");
    ck_assert_str_eq(
        trouble_says(&out, says),
        "The history takes nothing since 2025-11-29 02:30: disk is\\x0afull. 3 ends of runs are not in "
        "it; the newest: shop: failed: no space. 1 more were too many to be kept, the daemon's log has "
        "them. Not stored: blog is\\x0apaused.");
    ck_assert_int_eq(trouble_write(fd, &(struct trouble){ .since = 0 }, &err), 0);
    ck_assert_int_eq(trouble_read(seer, &out, &err), 0);
    fd_drop(&fd);
    fd_drop(&seer);
}
END_TEST

/* What a daemon has left that knew less. */
START_TEST(older)
{
    char page[TROUBLE_SIZE] =
        "backupd: what the history does not take, 1\n1764383400\n3\n2\n1\nfull\nshop: failed\n";
    struct trouble out;
    int fd = -1;
    uint64_t sum = UINT64_C(14695981039346656037);
    char digits[17];
    for (size_t i = 0; i < sizeof page - 16; i++)
        sum = (sum ^ (unsigned char)page[i]) * UINT64_C(1099511628211);
    (void)snprintf(digits, sizeof digits, "%016llx", (unsigned long long)sum);
    memcpy(page + sizeof page - 16, digits, 16);
    ck_assert_int_eq(trouble_make(path, &fd, &err), 0);
    ck_assert_int_eq(fd_pwrite_full(fd, page, sizeof page, 0, "page", &err), 0);
    ck_assert_int_eq(trouble_read(fd, &out, &err), 1);
    ck_assert_uint_eq(out.lost, 1);
    ck_assert_uint_eq(out.states, 0);
    ck_assert_str_eq(out.stands, "");
    fd_drop(&fd);
}
END_TEST

/* Half of one and half of another, cut off, or something else: never numbers that nobody wrote. */
START_TEST(torn)
{
    struct trouble in = { .since = 1764383400, .ends = 3, .why = "full" };
    struct trouble out;
    char page[TROUBLE_SIZE];
    int fd = -1;
    ck_assert_int_eq(trouble_make(path, &fd, &err), 0);
    ck_assert_int_eq(trouble_write(fd, &in, &err), 0);
    ck_assert_int_eq(fd_pread_full(fd, page, sizeof page, 0, "page", &err), 0);
    for (size_t at = 0; at < 80; at++) {
        page[at] ^= 1;
        ck_assert_int_eq(fd_pwrite_full(fd, page, sizeof page, 0, "page", &err), 0);
        ck_assert_int_eq(trouble_read(fd, &out, &err), E_CORRUPT);
        page[at] ^= 1;
    }
    ck_assert_int_eq(fd_pwrite_full(fd, page, sizeof page, 0, "page", &err), 0);
    ck_assert_int_eq(trouble_read(fd, &out, &err), 1);
    ck_assert_int_eq(ftruncate(fd, 100), 0);
    ck_assert_int_eq(trouble_read(fd, &out, &err), E_CORRUPT);
    /* Made anew by the next daemon. */
    fd_drop(&fd);
    ck_assert_int_eq(trouble_make(path, &fd, &err), 0);
    ck_assert_int_eq(trouble_read(fd, &out, &err), 0);
    fd_drop(&fd);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("trouble");
    TCase *t = tcase_create("all");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, write_and_read);
    tcase_add_test(t, older);
    tcase_add_test(t, torn);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed;
}
