/*
 * walk_help.h - a directory to walk through, and what a walk told.
 */
#ifndef TESTS_UNIT_ARCHIVE_WALK_HELP_H
#define TESTS_UNIT_ARCHIVE_WALK_HELP_H

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/archive/walk.h"
#include "common/base/vec.h"

#define UNUSED __attribute__((unused))

enum { LINES_MAX = 2000, LINE_MAX_LEN = 400, SOMEBODY = 5 /* games */ };

static char top[64];
static char lines[LINES_MAX][LINE_MAX_LEN]; /* "file a/b", "hard c -> a/b", "note 3 d" */
static int nlines;

UNUSED static void shell(const char *text)
{
    char command[2000];
    (void)snprintf(command, sizeof command, "cd %s && { %s; } 2>&1", top, text);
    ck_assert_msg(system(command) == 0, "%s", text);
}

UNUSED static void make_top(void)
{
    (void)snprintf(top, sizeof top, "/tmp/walk-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(top));
    ck_assert_int_eq(chmod(top, 0755), 0);
    nlines = 0;
}

UNUSED static void remove_top(void)
{
    char command[200];
    (void)snprintf(command, sizeof command, "chmod -R u+rwx %s 2>/dev/null; rm -rf %s", top, top);
    ck_assert_int_eq(system(command), 0);
}

UNUSED static void line(const char *kind, const char *path, const char *more)
{
    if (nlines == LINES_MAX)
        return;
    (void)snprintf(lines[nlines++], LINE_MAX_LEN, "%s %.180s%s%.180s", kind, path, more[0] != '\0' ? " " : "",
                   more);
}

UNUSED static void keep_note(void *arg, enum walk_note what, const char *path, const char *why)
{
    static const char *const names[] = {
        "excluded", "special", "mount", "unread", "dir-changed", "metadata"
    };
    (void)arg;
    (void)why;
    line(names[what], path, "");
}

UNUSED static struct walk_options options_of(const char *root)
{
    return (struct walk_options){ .root = root, .one_file_system = true, .note = keep_note };
}

UNUSED static void keep_item(const struct walk_item *item)
{
    static const char *const names[] = { "file", "dir", "soft", "hard" };
    line(names[item->entry.type], item->entry.path, item->entry.target != NULL ? item->entry.target : "");
}

/* The rest of a walk; its verdict. */
UNUSED static int walk_rest(struct walk *w, struct error *err)
{
    struct walk_item item;
    int rc;
    while ((rc = walk_next(w, &item, err)) == 1)
        keep_item(&item);
    return rc;
}

UNUSED static int walk_all(const struct walk_options *options, struct error *err)
{
    struct walk *w = walk_open(options, err);
    int rc = w != NULL ? walk_rest(w, err) : err->code;
    walk_close(w);
    return rc;
}

UNUSED static int find_line(const char *text)
{
    for (int i = 0; i < nlines; i++)
        if (strcmp(lines[i], text) == 0)
            return i;
    return -1;
}

UNUSED static void expect(const char *text)
{
    if (find_line(text) >= 0)
        return;
    for (int i = 0; i < nlines; i++)
        (void)fprintf(stderr, "    %s\n", lines[i]);
    ck_abort_msg("no line \"%s\"", text);
}

#endif
