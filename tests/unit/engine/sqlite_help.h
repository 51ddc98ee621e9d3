/*
 * sqlite_help.h - databases to back up, and a run from its start to its end.
 */
#ifndef TESTS_UNIT_ENGINE_SQLITE_HELP_H
#define TESTS_UNIT_ENGINE_SQLITE_HELP_H

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/engine/engine.h"

#define UNUSED __attribute__((unused))

static char dir[64];
static char db_path[128];

/* A fresh directory that is also the name of the test's database. */
UNUSED static void make_dir(void)
{
    (void)snprintf(dir, sizeof dir, "/tmp/sqlite-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(chmod(dir, 0755), 0);
    (void)snprintf(db_path, sizeof db_path, "%s/shop.db", dir);
}

UNUSED static void remove_dir(void)
{
    DIR *d = opendir(dir);
    if (d == NULL)
        return;
    struct dirent *e;
    while ((e = readdir(d)) != NULL)
        (void)unlinkat(dirfd(d), e->d_name, 0);
    (void)closedir(d);
    (void)rmdir(dir);
}

UNUSED static int count_files(void)
{
    DIR *d = opendir(dir);
    ck_assert_ptr_nonnull(d);
    int n = 0;
    struct dirent *e;
    while ((e = readdir(d)) != NULL)
        n += e->d_name[0] != '.' || strlen(e->d_name) > 2;
    (void)closedir(d);
    return n;
}

UNUSED static void sql(sqlite3 *db, const char *text)
{
    char *message = NULL;
    if (sqlite3_exec(db, text, NULL, NULL, &message) != SQLITE_OK)
        ck_abort_msg("%s: %s", text, message);
}

UNUSED static sqlite3 *open_db(const char *path)
{
    sqlite3 *db = NULL;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    (void)sqlite3_busy_timeout(db, 20000);
    return db;
}

/* Accounts whose sum never changes, and ballast. */
UNUSED static sqlite3 *fill_db(const char *journal, int page_size, int rows)
{
    char text[512];
    sqlite3 *db = open_db(db_path);
    (void)snprintf(
        text, sizeof text,
        "PRAGMA page_size=%d; PRAGMA journal_mode=%s; PRAGMA synchronous=OFF; PRAGMA user_version=7;"
        "CREATE TABLE account(id INTEGER PRIMARY KEY, n INT);"
        "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT); BEGIN;"
        "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i<%d)"
        "INSERT INTO t SELECT i, hex(randomblob(60)) FROM c;",
        page_size, journal, rows);
    sql(db, text);
    sql(db, "INSERT INTO account SELECT a, 100 FROM t LIMIT 100; CREATE INDEX tb ON t(b); COMMIT");
    return db;
}

UNUSED static struct buf slurp(const char *path)
{
    struct buf b = BUF_INIT;
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    uint8_t block[65536];
    size_t n;
    while ((n = fread(block, 1, sizeof block, f)) > 0)
        ck_assert_int_eq(buf_append(&b, block, n, NULL), 0);
    (void)fclose(f);
    return b;
}

UNUSED static void spit(const char *path, const void *data, size_t len)
{
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(data, 1, len, f), len);
    ck_assert_int_eq(fclose(f), 0);
}

UNUSED static struct engine_job job_of(const struct engine_option *options, size_t n)
{
    return (struct engine_job){ .name = "night", .options = options, .noptions = n };
}

UNUSED static const struct engine *sqlite_engine(void)
{
    const struct engine *e = engine_find("sqlite", NULL);
    ck_assert_ptr_nonnull(e);
    return e;
}

/* Reads a stream to its end, `cap` bytes at a time. */
UNUSED static int read_all(struct engine_run *run, size_t cap, struct buf *out, struct error *err)
{
    uint8_t *block = malloc(cap);
    int64_t n;
    while ((n = sqlite_engine()->read(run, block, cap, err)) > 0)
        ck_assert_int_eq(buf_append(out, block, (size_t)n, NULL), 0);
    free(block);
    return (int)n;
}

UNUSED static int backup(const struct engine_job *job, struct buf *out, struct buf *facts, struct error *err)
{
    const struct engine *e = sqlite_engine();
    struct engine_stream s;
    struct engine_run *run = e->open(job, err);
    if (run == NULL)
        return err->code;
    int rc = e->next(run, &s, err);
    if (rc == 1)
        rc = read_all(run, 50000, out, err);
    if (rc == 0 && facts != NULL)
        rc = e->stream_facts(run, facts, err);
    if (rc == 0)
        rc = e->next(run, &s, err);
    if (rc == 0)
        rc = e->finish(run, err);
    if (rc == 0 && facts != NULL)
        rc = e->run_facts(run, facts, err);
    e->close(run);
    return rc;
}

UNUSED static int backup_path(const char *path, struct buf *out, struct error *err)
{
    struct engine_option o[] = { { "path", path }, { "busy_timeout", "1s" } };
    struct engine_job job = job_of(o, 2);
    return backup(&job, out, NULL, err);
}

UNUSED static void assert_same(const struct buf *a, const struct buf *b)
{
    ck_assert_uint_eq(a->len, b->len);
    for (size_t i = 0; i < a->len; i++)
        if (a->data[i] != b->data[i])
            ck_abort_msg("byte %zu differs: %u and %u", i, a->data[i], b->data[i]);
}

/* The stream as a database: sound, and of one moment. */
UNUSED static void assert_sound(const struct buf *b)
{
    char path[160];
    (void)snprintf(path, sizeof path, "%s/copy.db", dir);
    spit(path, b->data, b->len);
    sqlite3 *db = open_db(path);
    sqlite3_stmt *s = NULL;
    ck_assert_int_eq(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &s, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(s), SQLITE_ROW);
    ck_assert_str_eq((const char *)sqlite3_column_text(s, 0), "ok");
    (void)sqlite3_finalize(s);
    ck_assert_int_eq(sqlite3_prepare_v2(db, "SELECT sum(n) FROM account", -1, &s, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(s), SQLITE_ROW);
    ck_assert_int_eq(sqlite3_column_int(s, 0), 10000);
    (void)sqlite3_finalize(s);
    (void)sqlite3_close(db);
    (void)unlink(path);
}

#endif
