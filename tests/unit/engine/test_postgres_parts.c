/* The engine postgres, what parts need and no server: the dump's list of contents, rows as CSV and SQL, scripts. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buffer.h"
#include "common/engine/postgres/copytext.h"
#include "common/engine/postgres/restore.h"
#include "common/engine/postgres/toc.h"
#include "common/stream/stream.h"

#include "common/base/banned.h"

/* ---- a list of contents, written by hand ------------------------------------------------------------------- */

static void put(struct buf *b, const void *data, size_t len)
{
    ck_assert_int_eq(buf_append(b, data, len, NULL), 0);
}

static void put_int(struct buf *b, int v)
{
    uint32_t n = (uint32_t)(v < 0 ? -v : v);
    uint8_t bytes[5] = { v < 0, (uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), (uint8_t)(n >> 24) };
    put(b, bytes, sizeof bytes);
}

static void put_text(struct buf *b, const char *s)
{
    put_int(b, s != NULL ? (int)strlen(s) : -1);
    if (s != NULL)
        put(b, s, strlen(s));
}

struct entry {
    int id;
    const char *desc, *schema, *tag, *sql, *dep[4];
};

static void put_entry(struct buf *b, const struct entry *e, unsigned minor)
{
    static const uint8_t offset[9] = { 3 };
    put_int(b, e->id);
    put_int(b, 0);
    put_text(b, "1259");
    put_text(b, "16384");
    put_text(b, e->tag);
    put_text(b, e->desc);
    put_int(b, 2);
    put_text(b, e->sql);
    put_text(b, "DROP");
    put_text(b, NULL);
    put_text(b, e->schema);
    put_text(b, e->id == 2 ? "slow" : NULL);
    put_text(b, "heap");
    if (minor >= 16)
        put_int(b, 'r');
    put_text(b, "own er");
    put_text(b, "false");
    for (size_t i = 0; i < 4 && e->dep[i] != NULL; i++)
        put_text(b, e->dep[i]);
    put_text(b, NULL);
    put(b, offset, sizeof offset);
}

static const struct entry entries[] = {
    { 1, "SCHEMA", NULL, "s", "CREATE SCHEMA s;", { NULL } },
    { 2, "TABLE", "s", "a", "CREATE TABLE s.a ();", { "1", "99", NULL } },
    { 3, "TABLE", "s", "a b", "CREATE TABLE s.\"a b\" ();", { "1", NULL } },
    { 4, "SEQUENCE", "s", "a_id_seq", "CREATE SEQUENCE s.a_id_seq;", { "1", "2", NULL } },
    { 5, "SEQUENCE OWNED BY", "s", "a_id_seq", "ALTER SEQUENCE", { "4", NULL } },
    { 6, "DEFAULT", "s", "a id", "ALTER TABLE", { "2", "4", NULL } },
    { 7, "CONSTRAINT", "s", "a b_pkey", "ALTER TABLE ONLY s.a ADD", { "2", NULL } },
    { 8, "FK CONSTRAINT", "s", "a b fk", "ALTER TABLE ONLY s.\"a b\"\n    ADD", { "7", "2", "3", NULL } },
    { 9, "VIEW", "s", "v", "CREATE VIEW", { "2", "1", NULL } },
    { 10, "COMMENT", "s", "TABLE a", "COMMENT", { "2", NULL } },
    { 11, "TYPE", "s", "unused", "CREATE TYPE", { "1", NULL } },
};
enum { ENTRIES = sizeof entries / sizeof entries[0] };

static void make(struct buf *b, unsigned minor)
{
    const uint8_t head[] = { 'P', 'G', 'D', 'M', 'P', 1, (uint8_t)minor, 0, 4, 8, 1 };
    put(b, head, sizeof head);
    if (minor >= 15)
        put(b, "", 1);
    else
        put_int(b, -1);
    for (int i = 0; i < 7; i++)
        put_int(b, i);
    put_text(b, "db");
    put_text(b, "15");
    put_text(b, "15");
    put_int(b, ENTRIES);
    for (size_t i = 0; i < ENTRIES; i++)
        put_entry(b, &entries[i], minor);
}

START_TEST(test_toc)
{
    struct error err = ERROR_INIT;
    struct buf b = BUF_INIT;
    struct pgsql_toc toc;
    make(&b, (unsigned)_i);
    ck_assert_int_eq(pgsql_toc_read(b.data, b.len, &toc, &err), 0);
    ck_assert_uint_eq(toc.entries.len, ENTRIES);
    const struct toc_entry *e = toc_at(&toc, 1);
    ck_assert_str_eq(e->tag, "a");
    ck_assert_str_eq(e->schema, "s");
    ck_assert_str_eq(e->tablespace, "slow");
    ck_assert_str_eq(e->owner, "own er");
    ck_assert_uint_eq(e->deps.len, 1); /* what is not in the list is left out */
    ck_assert_uint_eq(*(size_t *)vec_at(&e->deps, 0), 0);
    pgsql_toc_free(&toc);
    for (size_t n = 0; n < b.len; n++) { /* cut anywhere */
        error_clear(&err);
        ck_assert_int_eq(pgsql_toc_read(b.data, n, &toc, &err), E_CORRUPT);
        ck_assert_str_eq(err.name, "postgres-toc");
    }
    b.data[6] = 17;
    ck_assert_int_eq(pgsql_toc_read(b.data, b.len, &toc, &err), E_UNSUPPORTED);
    b.data[6] = 13;
    ck_assert_int_eq(pgsql_toc_read(b.data, b.len, &toc, &err), E_UNSUPPORTED);
    buf_free(&b);
}
END_TEST

/* Table `from`: which entries, and what is left out. */
static void expect_subset(size_t from, const char *wanted, const char *left)
{
    struct error err = ERROR_INIT;
    struct buf b = BUF_INIT;
    struct pgsql_toc toc;
    struct pgsql_subset sub;
    bool tables[ENTRIES] = { false };
    tables[from] = true;
    make(&b, 14);
    ck_assert_int_eq(pgsql_toc_read(b.data, b.len, &toc, &err), 0);
    ck_assert_int_eq(pgsql_subset_make(NULL, &toc, NULL, tables, &sub, &err), 0);
    for (size_t i = 0; i < ENTRIES; i++)
        ck_assert_msg(sub.wanted[i] == (wanted[i] == '1'), "entry %zu of table %zu", i, from);
    char text[600];
    ck_assert_str_eq(pgsql_names_text(&sub.left, text, sizeof text), left);
    pgsql_subset_free(&sub);
    pgsql_toc_free(&toc);
    buf_free(&b);
}

START_TEST(test_subset)
{
    expect_subset(1, "11011110010", "foreign key fk of s.\"a b\", view s.v");
    expect_subset(2, "10100000000", "foreign key fk of s.\"a b\" (needs table s.a)");
}
END_TEST

/* ---- rows -------------------------------------------------------------------------------------------------- */

static void table_of(struct pgsql_table *t, char **columns, size_t n)
{
    *t = (struct pgsql_table){ .columns = VEC_OF(char *) };
    for (size_t i = 0; i < n; i++)
        *(char **)vec_push(&t->columns, NULL) = columns[i];
}

static int convert(enum copytext_kind kind, size_t columns, const char *text, size_t cut, struct buf *out,
                   uint64_t *rows)
{
    char *names[] = { (char[]){ "a" }, (char[]){ "b,\"c" } };
    struct error err = ERROR_INIT;
    struct pgsql_table t;
    table_of(&t, names, columns);
    struct sink *sink = sink_buffer(out, &err);
    struct copytext *c = copytext_new(kind, &t, "s.t", sink, &err);
    size_t len = strlen(text);
    int rc = 0;
    for (size_t at = 0; rc == 0 && at < len; at += cut)
        rc = copytext_feed(c, text + at, len - at < cut ? len - at : cut, &err);
    if (rc == 0)
        rc = copytext_end(c, rows, &err);
    copytext_free(c);
    sink_free(sink);
    vec_free(&t.columns);
    ck_assert_int_eq(buf_append(out, "", 1, &err), 0);
    return rc;
}

static const struct {
    enum copytext_kind kind;
    size_t columns;
    const char *text;
    const char *out;
} rows_cases[] = {
    { COPYTEXT_CSV, 2, "1\t\\N\n\t\\\\N\n", "a,\"b,\"\"c\"\n1,\n\"\",\\N\n" },
    { COPYTEXT_CSV, 2, "x,y\t\"\nl\\nm\t\\b\\f\\r\\t\\v\\q\n",
      "a,\"b,\"\"c\"\n\"x,y\",\"\"\"\"\n\"l\nm\",\"\b\f\r\t\vq\"\n" },
    { COPYTEXT_CSV, 1, "\\\\.\n\\N\n\n", "a\n\"\\.\"\n\n\"\"\n" },
    { COPYTEXT_CSV, 2, "\\\\.\t\\\\.\n", "a,\"b,\"\"c\"\n\\.,\\.\n" },
    { COPYTEXT_CSV, 0, "\n\n", "\n\n\n" },
    { COPYTEXT_INSERTS, 2, "it's\t\\N\n",
      "INSERT INTO s.t (\"a\", \"b,\"\"c\") OVERRIDING SYSTEM VALUE VALUES ('it''s', NULL);\n" },
    { COPYTEXT_INSERTS, 1, "\n", "INSERT INTO s.t (\"a\") OVERRIDING SYSTEM VALUE VALUES ('');\n" },
    { COPYTEXT_INSERTS, 0, "\n", "INSERT INTO s.t DEFAULT VALUES;\n" },
    { COPYTEXT_COPY, 2, "\\N\t\\.\n.\t\\\\.\n\\\\.\tx\n", "\\N\t\\.\n.\t\\\\.\n\\\\.\tx\n" },
    { COPYTEXT_COPY, 0, "\n\n", "\n\n" },
};

START_TEST(test_rows)
{
    for (size_t cut = 1; cut < 8; cut++) {
        struct buf out = BUF_INIT;
        uint64_t rows = 0;
        ck_assert_int_eq(
            convert(rows_cases[_i].kind, rows_cases[_i].columns, rows_cases[_i].text, cut, &out, &rows), 0);
        ck_assert_str_eq((const char *)out.data, rows_cases[_i].out);
        buf_free(&out);
    }
}
END_TEST

/* In a script it would end the rows, and psql would run the rest. Nothing of its line is written. */
START_TEST(test_rows_that_end_a_script)
{
    static const char *const bad[] = { "\\.\n\\! touch x\n", "1\t2\n\\.\n\\! touch x\n", "1\t2\n\\.x\n",
                                       "\n\\." };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        for (size_t cut = 1; cut < 20; cut++) {
            struct buf out = BUF_INIT;
            uint64_t rows = 0;
            ck_assert_int_eq(convert(COPYTEXT_COPY, 2, bad[i], cut, &out, &rows), E_CORRUPT);
            ck_assert(strstr((const char *)out.data, "touch") == NULL);
            buf_free(&out);
        }
}
END_TEST

START_TEST(test_bad_rows)
{
    static const char *const bad[] = { "1\n", "1\t2\t3\n", "1\t2", "1\t\\Nx\n", "x\ty\\" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct buf out = BUF_INIT;
        uint64_t rows = 0;
        ck_assert_int_eq(convert(COPYTEXT_CSV, 2, bad[i], 3, &out, &rows), E_CORRUPT);
        buf_free(&out);
    }
}
END_TEST

/* ---- scripts ----------------------------------------------------------------------------------------------- */

static const struct {
    const char *script;
    const char *refused; /* a part of the reason; NULL: it may run */
} scripts[] = {
    { "DELETE FROM t; -- \\x\nUPDATE t SET a = '\\i; COMMIT';\n", NULL },
    { "DO $$ BEGIN PERFORM 1; END $$;", NULL },
    { "SAVEPOINT a; ROLLBACK TO a; ROLLBACK TO SAVEPOINT a;", NULL },
    { "", NULL },
    { "SELECT 1;\n\\i other.sql\n", "line 2: \\i other.sql is a command of psql" },
    { "\\set x 1", "line 1" },
    { "SELECT 1;\n\n  COMMIT;", "line 3: COMMIT" },
    { "ROLLBACK", "ROLLBACK" },
    { "begin transaction; SELECT 1", "begin" },
    { "PREPARE TRANSACTION 'x'", "PREPARE" },
    { "COPY t FROM stdin;\n1\n\\.\n", "COPY" },
    { "SELECT 'open", "no end" },
};

START_TEST(test_scripts)
{
    struct error err = ERROR_INIT;
    const struct engine_target t = { .after_sql = scripts[_i].script, .after_name = "x.sql" };
    int rc = pgsql_after_check(&t, &err);
    ck_assert_int_eq(rc, scripts[_i].refused == NULL ? 0 : E_USAGE);
    if (scripts[_i].refused != NULL)
        ck_assert_msg(strstr(err.text, scripts[_i].refused) != NULL, "%s", err.text);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("postgres parts");
    TCase *tc = tcase_create("parts");
    tcase_add_loop_test(tc, test_toc, 14, 17);
    tcase_add_test(tc, test_subset);
    tcase_add_loop_test(tc, test_rows, 0, sizeof rows_cases / sizeof rows_cases[0]);
    tcase_add_test(tc, test_bad_rows);
    tcase_add_test(tc, test_rows_that_end_a_script);
    tcase_add_loop_test(tc, test_scripts, 0, sizeof scripts / sizeof scripts[0]);
    suite_add_tcase(s, tc);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed;
}
