/* Walking a tree: order, links, metadata, and what others do to it meanwhile. */
#include "tests/unit/archive/walk_help.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "common/archive/xattr.h"
#include "common/base/alloc.h"

#include "common/base/banned.h"

START_TEST(members_come_in_the_order_of_their_paths)
{
    struct error err = ERROR_INIT;
    struct walk_options o = options_of(top);
    char last[300] = "";
    struct walk_item item;
    int members = 0;
    int rc;
    shell(
        "mkdir -p a/b/c a-b a.d ab A/z $(printf 'a\\001') && touch a/b/c/f a/-x a-b/f a.c a.d/g ab/h a0 $(printf 'a\\001/f')"
        " a/b-c a/b.d '+' \"$(printf 'x\\ny')\" \"$(printf '\\377')\"");
    struct walk *w = walk_open(&o, &err);
    ck_assert_msg(w != NULL, "%s", err.text);
    while ((rc = walk_next(w, &item, &err)) == 1) {
        ck_assert_msg(strcmp(last, item.entry.path) < 0, "%s before %s", last, item.entry.path);
        (void)snprintf(last, sizeof last, "%s", item.entry.path);
        members++;
        ck_assert_int_eq(item.fd >= 0, item.entry.type == CATALOG_REGULAR);
    }
    ck_assert_msg(rc == 0, "%s", err.text);
    walk_close(w);
    ck_assert_int_eq(members, 22);
}
END_TEST

START_TEST(later_names_of_a_file_are_links_to_the_first)
{
    struct error err = ERROR_INIT;
    struct walk_options o = options_of(top);
    shell("mkdir d z && echo x >z/f && ln z/f d/f && ln z/f m && ln -s m s && ln s s2 && touch alone");
    ck_assert_msg(walk_all(&o, &err) == 0, "%s", err.text);
    expect("file d/f");
    expect("hard m d/f");
    expect("hard z/f d/f");
    expect("soft s m");
    expect("soft s2 m");
    expect("file alone");
}
END_TEST

static bool not_d(void *arg, const char *path, bool is_dir)
{
    (void)arg;
    return is_dir && strcmp(path, "d") == 0;
}

START_TEST(a_first_name_that_is_left_out_does_not_count)
{
    struct error err = ERROR_INIT;
    struct walk_options o = options_of(top);
    o.excluded = not_d;
    shell("mkdir d && echo x >d/f && ln d/f m && ln d/f n");
    ck_assert_int_eq(walk_all(&o, &err), 0);
    expect("excluded d");
    expect("file m");
    expect("hard n m");
    ck_assert_int_eq(nlines, 3);
}
END_TEST

START_TEST(special_files_are_told_and_never_opened)
{
    struct error err = ERROR_INIT;
    struct walk_options o = options_of(top);
    shell("mkfifo fifo && touch gone && touch swapped && ln -s /dev/zero zero");
    struct walk *w = walk_open(&o, &err);
    shell("rm gone swapped && mkfifo swapped"); /* after the listing */
    ck_assert_int_eq(walk_rest(w, &err), 0);
    walk_close(w);
    expect("special fifo");
    expect("special swapped");
    expect("unread gone");
    expect("soft zero /dev/zero");
    expect("dir-changed .");
}
END_TEST

START_TEST(a_directory_that_becomes_a_link_leads_nowhere)
{
    struct error err = ERROR_INIT;
    struct walk_options o = options_of(top);
    struct walk_item item;
    char outside[100];
    shell("mkdir -p tree/d outside && touch tree/d/f outside/secret");
    (void)snprintf(outside, sizeof outside, "%s/tree", top);
    o.root = outside;
    struct walk *w = walk_open(&o, &err);
    ck_assert_int_eq(walk_next(w, &item, &err), 1);
    ck_assert_str_eq(item.entry.path, "d");
    shell("mv tree/d away && ln -s ../outside tree/d");
    ck_assert_int_eq(walk_rest(w, &err), 0);
    walk_close(w);
    expect("unread d");
    ck_assert_int_eq(find_line("file d/secret"), -1);
}
END_TEST

START_TEST(what_was_stored_as_a_file_is_no_directory_later)
{
    struct error err = ERROR_INIT;
    struct walk_options o = options_of(top);
    struct walk_item item;
    shell("mkdir -p a d away && touch d/f away/f");
    struct walk *w = walk_open(&o, &err);
    ck_assert_int_eq(walk_next(w, &item, &err), 1);
    ck_assert_str_eq(item.entry.path, "a");
    shell("rm -r d && touch d");
    while (walk_next(w, &item, &err) == 1) {
        keep_item(&item);
        if (strcmp(item.entry.path, "d") == 0)
            shell("rm d && mv away d");
    }
    walk_close(w);
    expect("file d");
    expect("unread d");
    ck_assert_int_eq(find_line("file d/f"), -1);
}
END_TEST

/* Swaps a directory and a link to another one as fast as it can. */
static pid_t start_swapper(void)
{
    char a[100];
    char b[100];
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    (void)snprintf(a, sizeof a, "%s/tree/d", top);
    (void)snprintf(b, sizeof b, "%s/tree/e", top);
    for (;;)
        (void)renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
}

START_TEST(nor_does_one_that_is_swapped_all_the_time)
{
    struct walk_options o = options_of(top);
    char root[100];
    shell(
        "mkdir -p tree/d/sub outside/sub && touch tree/d/f tree/d/sub/f outside/secret outside/sub/secret && ln -s "
        "../outside tree/e");
    (void)snprintf(root, sizeof root, "%s/tree", top);
    o.root = root;
    pid_t swapper = start_swapper();
    ck_assert_int_gt(swapper, 0);
    for (int round = 0; round < 400; round++) {
        struct error err = ERROR_INIT;
        nlines = 0;
        int rc = walk_all(&o, &err);
        ck_assert_msg(rc == 0, "%s", err.text);
        for (int i = 0; i < nlines; i++)
            ck_assert_msg(strstr(lines[i], "secret") == NULL, "%s", lines[i]);
    }
    (void)kill(swapper, SIGKILL);
    (void)waitpid(swapper, NULL, 0);
}
END_TEST

START_TEST(depth_does_not_cost_descriptors)
{
    struct error err = ERROR_INIT;
    struct walk_options o = options_of(top);
    struct rlimit before;
    struct rlimit few = { .rlim_cur = WALK_DIRS_OPEN + 24, .rlim_max = WALK_DIRS_OPEN + 24 };
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    int fd = open(top, O_RDONLY | O_DIRECTORY);
    for (int i = 0; i < 700; i++) {
        ck_assert_int_eq(mkdirat(fd, "down", 0700), 0);
        int file = openat(fd, "x", O_WRONLY | O_CREAT, 0600);
        (void)close(file);
        int next = openat(fd, "down", O_RDONLY | O_DIRECTORY);
        (void)close(fd);
        fd = next;
    }
    (void)close(fd);
    few.rlim_max = before.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    int rc = walk_all(&o, &err);
    ck_assert_msg(rc == 0, "%s", err.text);
    ck_assert_int_eq(nlines, 1400);
}
END_TEST

/* More levels than are open at once; while the walk is at the bottom, the top goes elsewhere. */
START_TEST(a_deep_tree_that_is_moved_does_not_end_the_walk)
{
    struct error err = ERROR_INIT;
    struct walk_options o = options_of(top);
    struct walk_item item;
    bool moved = false;
    shell(
        "p=a; for i in $(seq 70); do p=$p/b; done; mkdir -p $p z/z && touch $p/f a/b/g z/h i && mkdir -p b/c && touch b/c/k");
    struct walk *w = walk_open(&o, &err);
    ck_assert_msg(w != NULL, "%s", err.text);
    int rc;
    while ((rc = walk_next(w, &item, &err)) == 1) {
        keep_item(&item);
        if (!moved && strlen(item.entry.path) > 140) {
            if (_i == 0)
                shell("mv a/b/b z/elsewhere"); /* its parent is where it was */
            else
                shell("mv a/b/b z/elsewhere && mv a z/gone");
            moved = true;
        }
    }
    walk_close(w);
    ck_assert_msg(rc == 0, "%s", err.text);
    ck_assert(moved);
    ck_assert_int_eq(find_line("unread a/b") >= 0, _i == 1);
    ck_assert_int_eq(find_line("file a/b/g") >= 0, _i == 0);
    expect("file b/c/k");
    expect("file i");
    expect("file z/h");
}
END_TEST

START_TEST(attributes_and_acls_come_sorted)
{
    struct error err = ERROR_INIT;
    struct walk_options o = options_of(top);
    struct walk_item item;
    unsigned rights = 0;
    shell(
        "touch f && setfattr -n user.z -v last f && setfattr -n user.a -v '' f && setfacl -m u:12345:rwx,g::r,m::rw f && "
        "chown $(id -u):$(id -g) f");
    struct walk *w = walk_open(&o, &err);
    ck_assert_int_eq(walk_next(w, &item, &err), 1);
    const struct catalog_entry *e = &item.entry;
    ck_assert_uint_eq(e->nxattrs, 3);
    ck_assert_str_eq(e->xattrs[0].name, XATTR_ACL_ACCESS);
    ck_assert_str_eq(e->xattrs[1].name, "user.a");
    ck_assert_uint_eq(e->xattrs[1].len, 0);
    ck_assert_str_eq(e->xattrs[2].name, "user.z");
    ck_assert_mem_eq(e->xattrs[2].value, "last", 4);
    ck_assert_uint_eq((e->mode >> 3) & 7, 6); /* the mask */
    ck_assert(xattr_acl_group(xattr_find(e, XATTR_ACL_ACCESS), &rights));
    ck_assert_uint_eq(rights, 4); /* the group */
    ck_assert_uint_eq(e->uid, getuid());
    ck_assert_ptr_nonnull(e->uname);
    walk_close(w);
    struct catalog_xattr broken = { .name = XATTR_ACL_ACCESS, .value = "\2\0\0\0\4\0", .len = 6 };
    ck_assert(!xattr_acl_group(&broken, &rights));
    broken = (struct catalog_xattr){ .name = XATTR_ACL_ACCESS, .value = "", .len = 0 };
    ck_assert(!xattr_acl_group(&broken, &rights));
}
END_TEST

/* In a child, so that whoever runs the tests stays who he is. */
static int as_somebody(int (*fn)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        if (getuid() == 0 && (setgid(SOMEBODY) < 0 || setuid(SOMEBODY) < 0))
            _exit(99);
        _exit(fn());
    }
    int status = 0;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

static int walk_closed_file(void)
{
    struct error err = ERROR_INIT;
    struct walk_options o = options_of(top);
    int rc = walk_all(&o, &err);
    return rc == 0 && find_line("unread closed") >= 0 && find_line("file open") >= 0 && nlines == 2 ? 0 : 1;
}

static int walk_closed_dir(void)
{
    struct error err = ERROR_INIT;
    struct walk_options o = options_of(top);
    int rc = walk_all(&o, &err);
    return rc == E_DENIED && strstr(err.text, "\"dir\"") != NULL && strstr(err.text, "exclude") != NULL ? 0
                                                                                                        : 1;
}

START_TEST(what_may_not_be_read)
{
    shell("touch closed open && chmod 0 closed && chmod 644 open");
    ck_assert_int_eq(as_somebody(walk_closed_file), 0);
    shell("mkdir dir && chmod 0 dir");
    ck_assert_int_eq(as_somebody(walk_closed_dir), 0);
}
END_TEST

START_TEST(a_root_that_is_no_directory)
{
    struct error err = ERROR_INIT;
    char path[200];
    struct walk_options o = options_of(path);
    (void)snprintf(path, sizeof path, "%s/none", top);
    ck_assert_int_eq(walk_all(&o, &err), E_NOT_FOUND);
    shell("touch none && ln -s . link");
    error_clear(&err);
    ck_assert_int_lt(walk_all(&o, &err), 0);
    (void)snprintf(path, sizeof path, "%s/link", top);
    ck_assert_int_eq(walk_all(&o, &err), 0);
}
END_TEST

/* Everything but the way to a mount point that every Linux has. */
static bool not_proc(void *arg, const char *path, bool is_dir)
{
    (void)is_dir;
    return strcmp(path, "proc") != 0 && (*(bool *)arg || strcmp(path, "proc/version") != 0);
}

START_TEST(another_file_system_is_entered_only_when_asked)
{
    struct error err = ERROR_INIT;
    struct walk_options o = options_of("/");
    bool nothing_in_it = true;
    o.excluded = not_proc;
    o.arg = &nothing_in_it;
    ck_assert_msg(walk_all(&o, &err) == 0, "%s", err.text);
    expect("dir proc");
    expect("mount proc");
    ck_assert_int_eq(find_line("file proc/version"), -1);
    nlines = 0;
    nothing_in_it = false;
    o.one_file_system = false;
    ck_assert_msg(walk_all(&o, &err) == 0, "%s", err.text);
    expect("file proc/version");
    ck_assert_int_eq(find_line("mount proc"), -1);
}
END_TEST

/* As sshfs or gvfs make it for a user: root may not even look at it. Nobody answers behind this one. */
START_TEST(a_mount_that_is_hidden_from_root_is_passed)
{
    struct error err = ERROR_INIT;
    struct walk_options o = options_of(top);
    char mount_point[100];
    char how[100];
    shell("mkdir -p a/gvfs b && touch b/f");
    (void)snprintf(mount_point, sizeof mount_point, "%s/a/gvfs", top);
    int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    (void)snprintf(how, sizeof how, "fd=%d,rootmode=40000,user_id=%d,group_id=%d", fuse, SOMEBODY, SOMEBODY);
    if (fuse >= 0 && mount("test", mount_point, "fuse", MS_NOSUID | MS_NODEV, how) == 0) {
        int rc = walk_all(&o, &err);
        (void)umount2(mount_point, MNT_DETACH);
        ck_assert_msg(rc == 0, "%s", err.text);
        expect("mount a/gvfs");
        expect("file b/f");
        ck_assert_int_eq(find_line("unread a/gvfs"), -1);
    }
    if (fuse >= 0)
        (void)close(fuse);
}
END_TEST

static bool not_this(void *arg, const char *path, bool is_dir)
{
    (void)is_dir;
    return strcmp(path, arg) != 0;
}

/* On tmpfs, which takes any size. */
START_TEST(a_file_larger_than_the_format_takes_is_missing)
{
    struct error err = ERROR_INIT;
    struct walk_options o = options_of("/dev/shm");
    char path[] = "/dev/shm/walk-test-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    bool made = ftruncate(fd, ((off_t)1 << 50) + 1) == 0;
    o.excluded = not_this;
    o.arg = path + sizeof "/dev/shm/" - 1;
    int rc = walk_all(&o, &err);
    ck_assert_int_eq(unlink(path), 0);
    (void)close(fd);
    ck_assert(made);
    ck_assert_msg(rc == 0, "%s", err.text);
    char told[100];
    (void)snprintf(told, sizeof told, "unread %s", path + sizeof "/dev/shm/" - 1);
    expect(told);
}
END_TEST

START_TEST(no_memory_at_any_point)
{
    struct walk_options o = options_of(top);
    shell("mkdir d && touch d/a d/b && ln d/a h && ln -s x s && setfattr -n user.a -v b d");
    for (unsigned long n = 1;; n++) {
        struct error err = ERROR_INIT;
        nlines = 0;
        mem_fail_after(n);
        int rc = walk_all(&o, &err);
        mem_fail_after(0);
        if (rc == 0)
            break;
        ck_assert_int_eq(rc, E_NOMEM);
        ck_assert_uint_lt(n, 1000);
    }
    ck_assert_int_eq(nlines, 5);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("walk");
    TCase *t = tcase_create("walk");
    tcase_add_checked_fixture(t, make_top, remove_top);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, members_come_in_the_order_of_their_paths);
    tcase_add_test(t, later_names_of_a_file_are_links_to_the_first);
    tcase_add_test(t, a_first_name_that_is_left_out_does_not_count);
    tcase_add_test(t, special_files_are_told_and_never_opened);
    tcase_add_test(t, a_directory_that_becomes_a_link_leads_nowhere);
    tcase_add_test(t, what_was_stored_as_a_file_is_no_directory_later);
    tcase_add_test(t, nor_does_one_that_is_swapped_all_the_time);
    tcase_add_test(t, a_mount_that_is_hidden_from_root_is_passed);
    tcase_add_test(t, a_file_larger_than_the_format_takes_is_missing);
    tcase_add_test(t, depth_does_not_cost_descriptors);
    tcase_add_loop_test(t, a_deep_tree_that_is_moved_does_not_end_the_walk, 0, 2);
    tcase_add_test(t, attributes_and_acls_come_sorted);
    tcase_add_test(t, what_may_not_be_read);
    tcase_add_test(t, a_root_that_is_no_directory);
    tcase_add_test(t, another_file_system_is_entered_only_when_asked);
    tcase_add_test(t, no_memory_at_any_point);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed;
}
