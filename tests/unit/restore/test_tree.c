/* Restoring into a directory: names from outside stay inside, and nothing half is left. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/archive/xattr.h"
#include "restore/aliases.h"
#include "common/archive/gaps.h"
#include "restore/target/tree.h"

static char base[64];
static char target[128];
static unsigned misses;

static void setup(void)
{
    (void)snprintf(base, sizeof base, "/tmp/tree-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(base));
    (void)snprintf(target, sizeof target, "%s/out", base);
    misses = 0;
}

static void teardown(void)
{
    char command[160];
    (void)snprintf(command, sizeof command, "chmod -R u+rwx %s; rm -rf %s", base, base);
    ck_assert_int_eq(system(command), 0);
}

static const char *at(const char *name)
{
    static char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", target, name);
    return path;
}

static bool there(const char *name)
{
    struct stat st;
    return lstat(at(name), &st) == 0;
}

static struct tree *fresh(void)
{
    struct tree *t = NULL;
    struct error err = ERROR_INIT;
    ck_assert_msg(tree_open(target, &t, &err) == 0, "%s", err.text);
    return t;
}

static int add(struct tree *t, const char *path, const char *content, size_t len, unsigned mode)
{
    struct catalog_entry e = {
        .path = path, .type = CATALOG_REGULAR, .mode = mode, .mtime = 1000000, .mtime_nsec = 5
    };
    struct source *src = source_memory(content, strlen(content), NULL);
    ck_assert_ptr_nonnull(src);
    int rc = tree_file(t, &e, src, len, NULL, NULL, NULL, NULL);
    source_free(src);
    return rc;
}

static int add_dir(struct tree *t, const char *path, unsigned mode)
{
    struct catalog_entry e = { .path = path, .type = CATALOG_DIR, .mode = mode, .mtime = 2000000 };
    return tree_dir(t, &e, NULL);
}

static int add_link(struct tree *t, const char *path, const char *to, bool hard, bool unsafe)
{
    struct catalog_entry e = { .path = path,
                               .type = hard ? CATALOG_HARDLINK : CATALOG_SYMLINK,
                               .target = to };
    return tree_link(t, &e, unsafe, NULL);
}

static int count_miss(const char *path, const struct error *why, void *arg, struct error *err)
{
    (void)path;
    (void)why;
    (void)arg;
    (void)err;
    misses++;
    return 0;
}

static void finish(struct tree *t)
{
    struct error err = ERROR_INIT;
    ck_assert_msg(tree_finish(t, count_miss, NULL, &err) == 0, "%s", err.text);
    tree_free(t);
}

START_TEST(test_all_kinds)
{
    struct stat st;
    char text[64] = "";
    struct tree *t = fresh();
    ck_assert_int_eq(add_dir(t, "d", 0755), 0);
    ck_assert_int_eq(add_dir(t, "d/closed", 0500), 0);
    ck_assert_int_eq(add(t, "d/closed/f", "hello", 5, 06755), 0);
    ck_assert_int_eq(add(t, "implied/f", "", 0, 0600), 0);
    ck_assert_int_eq(add_link(t, "d/hard", "d/closed/f", true, false), 0);
    ck_assert_int_eq(add_link(t, "d/soft", "../implied/f", false, false), 0);
    finish(t);
    ck_assert_uint_eq(misses, 0);
    ck_assert_int_eq(stat(at("d/closed/f"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0755);
    ck_assert_int_eq(st.st_size, 5);
    ck_assert_int_eq(st.st_mtim.tv_sec, 1000000);
    ck_assert_int_eq(st.st_mtim.tv_nsec, 5);
    ck_assert_uint_eq(st.st_nlink, 2);
    ck_assert_int_eq(stat(at("d"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0755);
    ck_assert_int_eq(st.st_mtim.tv_sec, 2000000);
    ck_assert_int_eq(stat(at("d/closed"), &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0500);
    ck_assert_int_gt(readlink(at("d/soft"), text, sizeof text - 1), 0);
    ck_assert_str_eq(text, "../implied/f");
}
END_TEST

START_TEST(test_names)
{
    static const char *const bad[] = { "/etc/x", "..",  "../x", "a/../../x", "a//b",
                                       ".",      "./a", "a/",   "",          "a/./b" };
    struct tree *t = fresh();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(add(t, bad[i], "x", 1, 0600) == E_CORRUPT, "\"%s\" was taken", bad[i]);
    ck_assert_int_eq(add(t, "..a", "x", 1, 0600), 0);
    ck_assert_int_eq(add(t, "...", "x", 1, 0600), 0);
    finish(t);
}
END_TEST

/* A link that somebody puts there while the restore runs. */
START_TEST(test_no_link_is_followed)
{
    struct tree *t = fresh();
    ck_assert_int_eq(symlink(base, at("trap")), 0);
    ck_assert_int_lt(add(t, "trap/escaped", "x", 1, 0600), 0);
    ck_assert_int_lt(add(t, "trap", "x", 1, 0600), 0);
    ck_assert(!there("../escaped"));
    finish(t);
}
END_TEST

START_TEST(test_nothing_is_overwritten)
{
    struct tree *t = fresh();
    ck_assert_int_eq(add(t, "f", "first", 5, 0600), 0);
    ck_assert_int_eq(add(t, "f", "second", 6, 0600), E_EXISTS);
    ck_assert_int_lt(add(t, "f/below", "x", 1, 0600), 0);
    struct stat st;
    ck_assert_int_eq(stat(at("f"), &st), 0);
    ck_assert_int_eq(st.st_size, 5);
    ck_assert_int_eq(add_link(t, "f", "x", false, false), 0);
    ck_assert_int_eq(add_link(t, "h", "nothing", true, false), 0);
    finish(t);
    ck_assert_uint_eq(misses, 2);
}
END_TEST

START_TEST(test_wrong_length)
{
    struct tree *t = fresh();
    ck_assert_int_eq(add(t, "short", "1234", 5, 0600), E_CORRUPT);
    ck_assert_int_eq(add(t, "long", "123456", 5, 0600), E_CORRUPT);
    finish(t);
    ck_assert_int_eq(rmdir(target), 0); /* empty: no temporary file either */
}
END_TEST

START_TEST(test_undo)
{
    struct tree *t = fresh();
    ck_assert_int_eq(add_dir(t, "d", 0700), 0);
    ck_assert_int_eq(add(t, "d/e/f", "x", 1, 0400), 0);
    tree_undo(t);
    tree_free(t);
    ck_assert(!there(""));
    ck_assert_int_eq(mkdir(target, 0750), 0);
    t = fresh();
    ck_assert_int_eq(add(t, "f", "x", 1, 0600), 0);
    tree_undo(t);
    tree_free(t);
    ck_assert(there(""));
    ck_assert(!there("f"));
}
END_TEST

START_TEST(test_not_empty)
{
    struct tree *t = NULL;
    struct error err = ERROR_INIT;
    ck_assert_int_eq(tree_possible(target, &err), 0);
    ck_assert_int_eq(mkdir(target, 0700), 0);
    ck_assert_int_eq(tree_possible(target, &err), 0);
    ck_assert_int_eq(mkdir(at("x"), 0700), 0);
    ck_assert_int_eq(tree_possible(target, &err), E_EXISTS);
    ck_assert_int_eq(tree_open(target, &t, &err), E_EXISTS);
    ck_assert_ptr_null(t);
}
END_TEST

START_TEST(test_links_that_stay)
{
    ck_assert(tree_link_stays("a", "b"));
    ck_assert(tree_link_stays("a/b", "../c"));
    ck_assert(tree_link_stays("a/b/c", "../../x/y"));
    ck_assert(tree_link_stays("a", "./b/./c"));
    ck_assert(!tree_link_stays("a", "/etc"));
    ck_assert(!tree_link_stays("a", ".."));
    ck_assert(!tree_link_stays("a", "../b"));
    ck_assert(!tree_link_stays("a/b", "../../c"));
    ck_assert(!tree_link_stays("a/b", "c/../.."));
    ck_assert(!tree_link_stays("a/b/c", "x/../y"));
    ck_assert(!tree_link_stays("a", ""));
    ck_assert(!tree_link_stays("a/b", "./../../c"));
    struct tree *t = fresh();
    ck_assert_int_eq(add_link(t, "out", "../../etc", false, false), E_DENIED);
    ck_assert_int_eq(add_link(t, "out", "../../etc", false, true), 0);
    finish(t);
    ck_assert(there("out"));
}
END_TEST

/* ---- metadata ------------------------------------------------------------------------------------------ */

static char lost[1000];

static void keep_lost(const char *path, const char *what, const char *why, void *arg)
{
    size_t used = strlen(lost);
    (void)arg;
    (void)snprintf(lost + used, sizeof lost - used, "%s: %s%s;", path, what, why != NULL ? "!" : "");
}

static struct tree *fresh_with(enum tree_owner owner, bool setid, bool xattrs)
{
    struct tree *t = fresh();
    lost[0] = '\0';
    t->policy = (struct tree_policy){
        .owner = owner, .setid = setid, .xattrs = xattrs, .files = true, .lost = keep_lost
    };
    return t;
}

static int add_entry(struct tree *t, const struct catalog_entry *e)
{
    struct source *src = source_memory("abc", 3, NULL);
    struct error err = ERROR_INIT;
    int rc = e->type == CATALOG_DIR ? tree_dir(t, e, &err) : tree_file(t, e, src, 3, NULL, NULL, NULL, &err);
    source_free(src);
    return rc;
}

static unsigned mode_of(const char *name)
{
    struct stat st;
    ck_assert_int_eq(lstat(at(name), &st), 0);
    return st.st_mode & 07777;
}

/* user::rwx user:12345:rwx group::r-- mask::rwx other::--- */
static const uint8_t acl[] = {
    2, 0, 0,   0,   1,   0,   7,  0, 255, 255, 255, 255, 2,   0,   7,  0, 57, 48, 0,   0,   4,   0,
    4, 0, 255, 255, 255, 255, 16, 0, 7,   0,   255, 255, 255, 255, 32, 0, 0,  0,  255, 255, 255, 255,
};
static const struct catalog_xattr acl_and_more[] = { { XATTR_ACL_ACCESS, acl, sizeof acl },
                                                     { "user.note", "n", 1 } };

START_TEST(test_attributes)
{
    char text[100];
    struct catalog_entry e = { .path = "f", .mode = 0470, .xattrs = acl_and_more, .nxattrs = 2 };
    struct catalog_entry d = {
        .path = "d", .type = CATALOG_DIR, .mode = 0570, .xattrs = acl_and_more, .nxattrs = 2
    };
    struct tree *t = fresh_with(TREE_OWNER_NONE, false, true);
    ck_assert_int_eq(add_entry(t, &e), 0); /* read-only for its owner: attributes come before permissions */
    ck_assert_int_eq(add_entry(t, &d), 0);
    ck_assert_uint_eq(t->losses, 0);
    finish(t);
    ck_assert_uint_eq(misses, 0);
    ck_assert_int_eq(getxattr(at("f"), XATTR_ACL_ACCESS, text, sizeof text), sizeof acl);
    ck_assert_mem_eq(text, acl, sizeof acl);
    ck_assert_int_eq(getxattr(at("d"), "user.note", text, sizeof text), 1);
    ck_assert_uint_eq(mode_of("f") & 070, 070); /* the mask */
}
END_TEST

START_TEST(test_without_an_acl_the_group_gets_no_more)
{
    struct catalog_entry e = { .path = "f", .mode = 0670, .xattrs = acl_and_more, .nxattrs = 2 };
    struct tree *t = fresh_with(TREE_OWNER_NONE, false, false);
    ck_assert_int_eq(add_entry(t, &e), 0);
    finish(t);
    ck_assert_uint_eq(mode_of("f"), 0640);
    ck_assert_str_eq(lost, "");
}
END_TEST

START_TEST(test_what_is_lost_is_told)
{
    static const struct catalog_xattr odd[] = { { "bogus.name", "x", 1 } };
    struct catalog_entry e = {
        .path = "f", .mode = 0644, .uid = (uint64_t)1 << 40, .xattrs = odd, .nxattrs = 1
    };
    struct tree *t = fresh_with(TREE_OWNER_NUMBER, false, true);
    ck_assert_int_eq(add_entry(t, &e), 0);
    ck_assert_uint_eq(t->losses, 2);
    ck_assert_str_eq(lost, "f: owner and group!;f: bogus.name!;");
    finish(t);
    ck_assert_uint_eq(mode_of("f"), 0644);
}
END_TEST

/* Attributes that no backup stores are not set because a catalog has them. */
START_TEST(test_attributes_of_the_machine)
{
    static const struct catalog_xattr foreign[] = { { "security.bk1test", "x", 1 }, { "user.note", "n", 1 } };
    struct catalog_entry e = { .path = "f", .mode = 0644, .xattrs = foreign, .nxattrs = 2 };
    struct tree *t = fresh_with(TREE_OWNER_NONE, false, true);
    ck_assert_int_eq(add_entry(t, &e), 0);
    ck_assert_str_eq(lost, "f: security.bk1test!;");
    finish(t);
    ck_assert_int_lt(getxattr(at("f"), "security.bk1test", NULL, 0), 0);
    ck_assert_int_eq(getxattr(at("f"), "user.note", NULL, 0), 1);
}
END_TEST

/* Somebody exchanged the link that was just made for a file. */
START_TEST(test_only_links_get_what_links_have)
{
    struct stat st;
    struct catalog_entry e = {
        .path = "f", .type = CATALOG_SYMLINK, .target = "x", .mtime = 5, .uid = 12, .gid = 34
    };
    struct tree *t = fresh_with(TREE_OWNER_NUMBER, false, true);
    ck_assert_int_eq(add(t, "f", "x", 1, 0600), 0);
    uint64_t before = t->losses;
    tree_settle_link(t, t->root, "f", &e);
    ck_assert_uint_eq(t->losses, before + 1);
    ck_assert_int_eq(lstat(at("f"), &st), 0);
    ck_assert_uint_eq(st.st_uid, getuid());
    ck_assert_int_eq(st.st_mtim.tv_sec, 1000000);
    finish(t);
}
END_TEST

/* A catalog need not be sorted. */
START_TEST(test_closed_directories_in_any_order)
{
    struct tree *t = fresh_with(TREE_OWNER_NONE, false, true);
    ck_assert_int_eq(add_dir(t, "d/e", 0500), 0);
    ck_assert_int_eq(add_dir(t, "d", 0), 0);
    finish(t);
    ck_assert_uint_eq(misses, 0);
    ck_assert_uint_eq(mode_of("d"), 0);
    ck_assert_int_eq(chmod(at("d"), 0700), 0);
    ck_assert_uint_eq(mode_of("d/e"), 0500);
}
END_TEST

START_TEST(test_a_target_that_others_may_write_to)
{
    struct tree *t = NULL;
    struct error err = ERROR_INIT;
    ck_assert_int_eq(mkdir(target, 0700), 0);
    ck_assert_int_eq(chmod(target, 0777), 0);
    ck_assert_int_eq(tree_possible(target, &err), E_DENIED);
    ck_assert_int_eq(tree_open(target, &t, &err), E_DENIED);
    ck_assert_int_eq(chmod(target, 01777), 0);
    ck_assert_int_eq(tree_possible(target, &err), E_DENIED);
    ck_assert_int_eq(chmod(target, 0775), 0); /* his own group: a umask of 002 */
    ck_assert_int_eq(tree_possible(target, &err), 0);
    if (geteuid() == 0) {
        ck_assert_int_eq(chown(target, 0, 5), 0);
        ck_assert_int_eq(tree_possible(target, &err), E_DENIED);
        ck_assert_int_eq(chmod(target, 0755), 0);
        ck_assert_int_eq(tree_possible(target, &err), 0);
        ck_assert_int_eq(chown(target, 5, 5), 0);
        ck_assert_int_eq(tree_possible(target, &err), E_DENIED);
    }
}
END_TEST

/* What a parent hands down is not what was saved. */
START_TEST(test_a_default_acl_is_not_inherited)
{
    struct error err = ERROR_INIT;
    ck_assert_int_eq(setxattr(base, XATTR_ACL_DEFAULT, acl, sizeof acl, 0), 0);
    struct tree *t = fresh_with(TREE_OWNER_NONE, false, true);
    ck_assert_int_eq(add_dir(t, "d", 0755), 0);
    ck_assert_int_eq(add(t, "d/f", "x", 1, 0640), 0);
    finish(t);
    ck_assert_int_lt(getxattr(at("d/f"), XATTR_ACL_ACCESS, NULL, 0), 0);
    ck_assert_int_lt(getxattr(at("d"), XATTR_ACL_ACCESS, NULL, 0), 0);
    ck_assert_int_lt(getxattr(at("d"), XATTR_ACL_DEFAULT, NULL, 0), 0);
    teardown();
    setup();
    ck_assert_int_eq(mkdir(target, 0700), 0);
    ck_assert_int_eq(setxattr(target, XATTR_ACL_DEFAULT, acl, sizeof acl, 0), 0);
    ck_assert_int_eq(tree_possible(target, &err), E_DENIED);
    ck_assert_ptr_nonnull(strstr(err.text, "setfacl -k"));
}
END_TEST

START_TEST(test_set_id_bits)
{
    struct stat st;
    struct catalog_entry e = { .path = "f", .mode = 06755, .uid = getuid(), .gid = getgid(), .mtime = 0 };
    struct catalog_entry d = {
        .path = "d", .type = CATALOG_DIR, .mode = 07777, .uid = getuid(), .gid = getgid()
    };
    struct tree *t = fresh_with(TREE_OWNER_NUMBER, false, false);
    ck_assert_int_eq(add_entry(t, &e), 0);
    ck_assert_int_eq(add_entry(t, &d), 0);
    struct catalog_entry sticky = { .path = "s", .mode = 01640, .uid = getuid(), .gid = getgid() };
    ck_assert_int_eq(add_entry(t, &sticky), 0);
    ck_assert_uint_eq(t->setid, 1);
    ck_assert_str_eq(lost, "");
    finish(t);
    ck_assert_uint_eq(mode_of("f"), 0755);
    ck_assert_uint_eq(mode_of("d"), 07777); /* harmless there */
    ck_assert_uint_eq(mode_of("s"), 01640);
    ck_assert_int_eq(stat(at("f"), &st), 0);
    ck_assert_int_eq(st.st_mtim.tv_sec, 0); /* a time like any other, for files */
    teardown();
    setup();
    t = fresh_with(TREE_OWNER_NUMBER, true, false);
    ck_assert_int_eq(add_entry(t, &e), 0);
    finish(t);
    ck_assert_uint_eq(mode_of("f"), 06755);
    teardown();
    setup();
    t = fresh_with(TREE_OWNER_NONE, true, false); /* another owner: never */
    ck_assert_int_eq(add_entry(t, &e), 0);
    ck_assert_uint_eq(t->losses, 1);
    finish(t);
    ck_assert_uint_eq(mode_of("f"), 0755);
}
END_TEST

START_TEST(test_owners)
{
    struct stat st;
    struct catalog_entry e = {
        .path = "f", .mode = 0644, .uid = 12, .gid = 34, .uname = "games", .gname = "nobody-has-this"
    };
    struct tree *t = fresh_with(TREE_OWNER_NUMBER, false, false);
    ck_assert_int_eq(add_entry(t, &e), 0);
    e.path = "n";
    t->policy.owner = TREE_OWNER_NAME;
    ck_assert_int_eq(add_entry(t, &e), 0);
    bool root = geteuid() == 0;
    ck_assert_uint_eq(t->losses, root ? 0 : 2);
    finish(t);
    ck_assert_int_eq(stat(at("f"), &st), 0);
    ck_assert_uint_eq(st.st_uid, root ? 12 : getuid());
    ck_assert_uint_eq(st.st_gid, root ? 34 : getgid());
    ck_assert_int_eq(stat(at("n"), &st), 0);
    ck_assert_uint_eq(st.st_uid, root ? 5 : getuid());
    ck_assert_uint_eq(st.st_gid, root ? 34 : getgid());
}
END_TEST

/* ---- gaps ---------------------------------------------------------------------------------------------- */

START_TEST(test_gap_lists)
{
    static const struct {
        const char *facts;
        uint64_t len;
        uint64_t size; /* 0: refused */
    } cases[] = {
        { "", 5, 5 },
        { "a=b\nxgaps=1:1\n", 5, 5 },
        { "gaps=0:10\n", 5, 15 },
        { "a=b\ngaps=2:10,20:5\nc=d\n", 20, 35 },
        { "gaps=0:1125899906842624\n", 0, (uint64_t)1 << 50 },
        { "gaps=0:1125899906842624\n", 1, 0 },
        { "gaps=0:1125899906842625\n", 0, 0 },
        { "gaps=6:1\n", 5, 0 },
        { "gaps=5:1\n", 5, 6 },
        { "gaps=0:0\n", 5, 0 },
        { "gaps=0:5,5:5\n", 50, 0 },
        { "gaps=9:5,2:1\n", 50, 0 },
        { "gaps=\n", 5, 0 },
        { "gaps=1\n", 5, 0 },
        { "gaps=1:\n", 5, 0 },
        { "gaps=1:2", 5, 0 },
        { "gaps=1:2,\n", 5, 0 },
        { "gaps=-1:2\n", 5, 0 },
        { "gaps=1: 2\n", 5, 0 },
        { "gaps=1:2,x:3\n", 5, 0 },
        { "gaps=18446744073709551615:2\n", 5, 0 },
        { "gaps=99999999999999999999999:2\n", 5, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = ERROR_INIT;
        struct gaps g;
        int rc = gaps_parse(cases[i].facts, cases[i].len, &g, &err);
        ck_assert_msg(rc == (cases[i].size != 0 ? 0 : E_CORRUPT), "case %zu: %d", i, rc);
        if (rc == 0) {
            ck_assert_msg(g.size == cases[i].size, "case %zu", i);
            gaps_free(&g);
        }
    }
}
END_TEST

START_TEST(test_holes)
{
    struct error err = ERROR_INIT;
    struct stat st;
    struct gaps g;
    char bytes[7] = "";
    struct catalog_entry e = { .path = "f", .mode = 0600 };
    ck_assert_int_eq(gaps_parse("gaps=0:1048576,1048579:1099511627776,1099512676358:4096\n", 6, &g, &err), 0);
    struct tree *t = fresh();
    struct source *src = source_memory("abcdef", 6, NULL);
    ck_assert_msg(tree_file(t, &e, src, 6, &g, NULL, NULL, &err) == 0, "%s", err.text);
    source_free(src);
    finish(t);
    ck_assert_int_eq(stat(at("f"), &st), 0);
    ck_assert_uint_eq((uint64_t)st.st_size, g.size);
    ck_assert_int_lt(st.st_blocks, 100);
    int fd = open(at("f"), O_RDONLY);
    ck_assert_int_eq(pread(fd, bytes, 3, 1048576), 3);
    ck_assert_int_eq(pread(fd, bytes + 3, 3, (off_t)1048579 + (off_t)1099511627776), 3);
    ck_assert_str_eq(bytes, "abcdef");
    (void)close(fd);
    gaps_free(&g);
    /* The same as a stream, in small reads. */
    ck_assert_int_eq(gaps_parse("gaps=0:3,5:2,9:4\n", 5, &g, &err), 0);
    struct source *filled = gaps_fill(source_memory("abcde", 5, NULL), &g, &err);
    char all[20];
    size_t n = 0;
    for (int64_t got; (got = source_read(filled, all + n, 2, &err)) > 0;)
        n += (size_t)got;
    ck_assert_uint_eq(n, 14);
    ck_assert_mem_eq(all, "\0\0\0ab\0\0cd\0\0\0\0e", 14);
    source_free(filled);
    gaps_free(&g);
}
END_TEST

START_TEST(test_undo_of_a_deep_tree)
{
    enum { LEVELS = 1100, LEN = 5 }; /* longer than PATH_MAX, more than there are descriptors */
    static char path[LEN * LEVELS + 2];
    for (int i = 0; i < LEVELS; i++)
        memcpy(path + LEN * (size_t)i, "deep/", LEN);
    path[LEN * LEVELS] = 'f';
    struct tree *t = fresh();
    ck_assert_int_eq(add(t, path, "x", 1, 0400), 0);
    ck_assert_int_eq(symlink("../..", at("deep/link")), 0);
    tree_undo(t);
    tree_free(t);
    ck_assert(!there(""));
    ck_assert_int_eq(access(base, F_OK), 0);
}
END_TEST

START_TEST(test_aliases)
{
    struct aliases a = { .list = { .item = 0 } };
    ck_assert_ptr_null(aliases_find(&a, "x"));
    ck_assert_int_eq(aliases_note(&a, "t2", "p3", NULL), 0);
    ck_assert_int_eq(aliases_note(&a, "t1", "p2", NULL), 0);
    ck_assert_int_eq(aliases_note(&a, "t1", "p1", NULL), 0);
    aliases_settle(&a);
    ck_assert_str_eq(aliases_find(&a, "t1"), "p1");
    ck_assert_str_eq(aliases_find(&a, "t2"), "p3");
    ck_assert_ptr_null(aliases_find(&a, "t"));
    ck_assert_ptr_null(aliases_find(&a, "t3"));
    aliases_free(&a);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("tree");
    TCase *t = tcase_create("tree");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_all_kinds);
    tcase_add_test(t, test_names);
    tcase_add_test(t, test_no_link_is_followed);
    tcase_add_test(t, test_nothing_is_overwritten);
    tcase_add_test(t, test_wrong_length);
    tcase_add_test(t, test_undo);
    tcase_add_test(t, test_not_empty);
    tcase_add_test(t, test_links_that_stay);
    tcase_add_test(t, test_attributes);
    tcase_add_test(t, test_without_an_acl_the_group_gets_no_more);
    tcase_add_test(t, test_what_is_lost_is_told);
    tcase_add_test(t, test_attributes_of_the_machine);
    tcase_add_test(t, test_only_links_get_what_links_have);
    tcase_add_test(t, test_closed_directories_in_any_order);
    tcase_add_test(t, test_a_target_that_others_may_write_to);
    tcase_add_test(t, test_a_default_acl_is_not_inherited);
    tcase_add_test(t, test_set_id_bits);
    tcase_add_test(t, test_owners);
    tcase_add_test(t, test_gap_lists);
    tcase_add_test(t, test_holes);
    tcase_add_test(t, test_undo_of_a_deep_tree);
    tcase_add_test(t, test_aliases);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed;
}
