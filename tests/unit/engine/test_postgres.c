/* The engine postgres, what needs no server: names, statements, versions, options, rows of the binary format. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/engine/fingerprint.h"
#include "common/engine/postgres/internal.h"
#include "common/engine/postgres/name.h"
#include "common/engine/postgres/postgres.h"
#include "common/engine/postgres/restore.h"
#include "common/engine/postgres/statement.h"

#include "common/base/banned.h"

/* ---- names --------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    const char *encoded;
} names[] = {
    { "shop", "shop" },
    { "Shop_2-x", "Shop_2-x" },
    { "-x", "%2Dx" },
    { "a-", "a-" },
    { "..", "%2E%2E" },
    { "a/b", "a%2Fb" },
    { "%41", "%2541" },
    { "We Ird", "We%20Ird" },
    { "\"; drop", "%22%3B%20drop" },
    { "new\nline", "new%0Aline" },
    { "\xc3\x9cn\xc3\xaf", "\xc3\x9cn\xc3\xaf" },
    { "\xe6\xbc\xa2\xe5\xad\x97", "\xe6\xbc\xa2\xe5\xad\x97" },
    { "\xf0\x9f\x90\x98", "\xf0\x9f\x90\x98" },
    { "\xfc"
      "ber",
      "%FCber" },             /* LATIN1 */
    { "\xc3", "%C3" },        /* cut */
    { "\xc2\x85", "%C2%85" }, /* a control character */
    { "\xe2\x80\xae"
      "x",
      "%E2%80%AEx" }, /* turns the text around */
    { "\xef\xbb\xbf"
      "x",
      "%EF%BB%BFx" },                /* BOM */
    { "\xed\xa0\x80", "%ED%A0%80" }, /* a surrogate */
};

START_TEST(test_names)
{
    struct error err = ERROR_INIT;
    struct buf out = BUF_INIT;
    ck_assert_int_eq(pgsql_encode(&out, names[_i].name, &err), 0);
    ck_assert_uint_eq(out.len, strlen(names[_i].encoded));
    ck_assert_mem_eq(out.data, names[_i].encoded, out.len);
    char *back = pgsql_decode((const char *)out.data, out.len, &err);
    ck_assert_ptr_nonnull(back);
    ck_assert_str_eq(back, names[_i].name);
    free(back);
    buf_free(&out);
}
END_TEST

START_TEST(test_no_names)
{
    static const char *const bad[] = { "",    "a.b", "a/b", "%",   "%4",   "%4g",   "%2f",
                                       "%00", "%41", "-x",  "a b", "\xff", "%C3%9C" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct error err = ERROR_INIT;
        ck_assert_ptr_null(pgsql_decode(bad[i], strlen(bad[i]), &err));
        ck_assert_int_eq(err.code, E_CORRUPT);
        ck_assert_str_eq(err.name, "postgres-name");
    }
}
END_TEST

START_TEST(test_longest_name)
{
    char name[64];
    struct buf out = BUF_INIT;
    memset(name, '"', 63);
    name[63] = '\0';
    ck_assert_int_eq(pgsql_encode(&out, name, NULL), 0);
    ck_assert_uint_eq(out.len, 189);
    buf_free(&out);
}
END_TEST

static void quoted(int (*quote)(struct buf *, const char *, struct error *), const char *text,
                   const char *expected)
{
    struct buf out = BUF_INIT;
    ck_assert_int_eq(quote(&out, text, NULL), 0);
    ck_assert_int_eq(buf_append(&out, "", 1, NULL), 0);
    ck_assert_str_eq((char *)out.data, expected);
    buf_free(&out);
}

START_TEST(test_quotes)
{
    quoted(pgsql_quote, "a\"b", "\"a\"\"b\"");
    quoted(pgsql_quote, "", "\"\"");
    quoted(pgsql_literal, "it's \\ \"x\"", "'it''s \\ \"x\"'");
    quoted(pgsql_conninfo_value, "it's \\", "'it\\'s \\\\'");
}
END_TEST

/* ---- statements ---------------------------------------------------------------------------------------- */

static const char script[] = "--\n-- a comment; with a semicolon\n\\restrict abc;def\n"
                             "SET x = 'a;b';\n"
                             "CREATE ROLE \"Ro\"\"le; drop\";\n"
                             "ALTER ROLE Plain WITH PASSWORD E'it\\'s;' /* c; /* nested */ */ ;\n"
                             "CREATE FUNCTION f() AS $a$ x; $b$ y; $a$ || $$;$$;;\n"
                             "\\copy \"a\" from 'b'\n"
                             "SELECT pg_catalog.setval('\"s\".\"q;\"', 5, true);\n"
                             "GRANT \"new\nline\" TO x";

static void next_is(struct statements *all, size_t words, const char *first, const char *third)
{
    struct statement s;
    ck_assert_int_eq(statement_next(all, &s, NULL), 1);
    ck_assert_uint_eq(s.words.len, words);
    ck_assert(statement_is(&s, 0, first));
    ck_assert_str_eq(((struct word *)vec_at(&s.words, 2))->text, third);
    statement_free(&s);
}

START_TEST(test_statements)
{
    struct statements all = statements_of(script, sizeof script - 1);
    struct statement s;
    next_is(&all, 4, "set", "=");
    next_is(&all, 3, "create", "Ro\"le; drop");
    next_is(&all, 6, "alter", "plain");
    next_is(&all, 10, "create", "f");
    next_is(&all, 11, "select", ".");
    ck_assert_int_eq(statement_next(&all, &s, NULL), 1);
    ck_assert_str_eq(statement_name(&s, 1), "new\nline");
    ck_assert(!statement_is(&s, 1, "new\nline"));
    ck_assert_ptr_null(statement_name(&s, 9));
    statement_free(&s);
    ck_assert_int_eq(statement_next(&all, &s, NULL), 0);
}
END_TEST

START_TEST(test_broken_statements)
{
    static const char *const bad[] = { "SELECT 'x", "SELECT \"x",  "SELECT $$x",
                                       "/* x",      "SELECT /* x", "SELECT E'\\'" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct statements all = statements_of(bad[i], strlen(bad[i]));
        struct error err = ERROR_INIT;
        struct statement s;
        ck_assert_int_eq(statement_next(&all, &s, &err), E_CORRUPT);
        ck_assert_str_eq(err.name, "postgres-script");
    }
}
END_TEST

/* A comment ends where the server ends it, so that nothing hides in one. */
START_TEST(test_comment_end)
{
    static const char text[] = "CREATE ROLE a -- x\r; DROP DATABASE b\n;";
    struct statements all = statements_of(text, sizeof text - 1);
    struct statement s;
    ck_assert_int_eq(statement_next(&all, &s, NULL), 1);
    ck_assert_uint_eq(s.words.len, 3);
    statement_free(&s);
    ck_assert_int_eq(statement_next(&all, &s, NULL), 1);
    ck_assert(statement_is(&s, 0, "drop"));
    statement_free(&s);
}
END_TEST

/* Of load.sql nothing runs that could do more than set a sequence. */
START_TEST(test_setval)
{
    static const struct {
        const char *text;
        bool is;
    } some[] = {
        { "SELECT pg_catalog.setval('\"s\".\"q\"', 5, true)", true },
        { "SELECT pg_catalog.setval('\"s\".\"q''x\"', -5, false)", true },
        { "SELECT pg_catalog.setval('\"s\".\"q\"', 5, f())", false },
        { "SELECT pg_catalog.setval('\"s\".\"q\"', f(), true)", false },
        { "SELECT pg_catalog.setval(f(), 5, true)", false },
        { "SELECT pg_catalog.setval(\"q\", 5, true)", false },
        { "SELECT pg_catalog.setval('q', 5, true), f()", false },
        { "SELECT pg_catalog.setval('q', 5, true) FROM t", false },
        { "SELECT pg_catalog.setval('q', 5)", false },
        { "SELECT pg_catalog.setval(", false },
        { "SELECT public.setval('q', 5, true)", false },
        { "SELECT pg_catalog.set_config('search_path', '', false)", false },
    };
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
        struct statements all = statements_of(some[i].text, strlen(some[i].text));
        struct statement s;
        ck_assert_int_eq(statement_next(&all, &s, NULL), 1);
        ck_assert_msg(pgsql_is_setval(&s) == some[i].is, "%s", some[i].text);
        statement_free(&s);
    }
}
END_TEST

/* ---- what tools say ------------------------------------------------------------------------------------- */

START_TEST(test_reasons)
{
    static const struct {
        const char *said;
        const char *reason;
    } some[] = {
        { "pg_restore: while PROCESSING TOC:\npg_restore: from TOC entry 215; 1259 16 TABLE t x\n"
          "pg_restore: error: could not execute query: ERROR:  permission denied for schema public\n"
          "LINE 1: CREATE TABLE public.t (\n                     ^\n"
          "Command was: CREATE TABLE public.t (\n    i integer\n);\n\n\n",
          "could not execute query: ERROR:  permission denied for schema public" },
        { "pg_dump: error: query failed: ERROR:  out of shared memory\nHINT:  Raise it.\n"
          "pg_dump: detail: Query was: LOCK TABLE a\n",
          "query failed: ERROR:  out of shared memory; HINT:  Raise it." },
        { "pg_dump: error: Dumping the contents of table \"t\" failed: PQgetResult() failed.\n"
          "pg_dump: detail: Error message from server: FATAL:  terminating connection\npg_dump: detail: Command was: COPY\n",
          "Dumping the contents of table \"t\" failed: PQgetResult() failed.; FATAL:  terminating connection" },
        { "pg_dump: error: a\x01z\npg_dump: error: second", "a\\x01z" },
        { "DETAIL:  of nothing\nkilled\n", "" },
        { "", "" },
    };
    char out[200];
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++)
        ck_assert_str_eq(pgsql_tool_reason(some[i].said, out, sizeof out), some[i].reason);
    ck_assert_str_eq(pgsql_tool_reason(some[0].said, out, 10), "could not");
}
END_TEST

/* ---- versions ------------------------------------------------------------------------------------------- */

START_TEST(test_versions)
{
    static const unsigned some[] = { 13, 17, 15, 16 };
    char text[PGSQL_VERSION_MAX];
    ck_assert_uint_eq(pgsql_tool_choose(some, 4, 15), 15);
    ck_assert_uint_eq(pgsql_tool_choose(some, 4, 14), 15);
    ck_assert_uint_eq(pgsql_tool_choose(some, 4, 18), 0);
    ck_assert_uint_eq(pgsql_tool_choose(some, 0, 15), 0);
    ck_assert_uint_eq(pgsql_tool_version("pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", text), 15);
    ck_assert_str_eq(text, "15.18 (Debian 15.18-0+deb12u1)");
    ck_assert_uint_eq(pgsql_tool_version("pg_dump (PostgreSQL) 18devel\n", text), 18);
    ck_assert_uint_eq(pgsql_tool_version("mysqldump  Ver 10.19", text), 0);
    ck_assert_uint_eq(pgsql_tool_version("pg_dump (PostgreSQL) x", text), 0);
    ck_assert_uint_eq(pgsql_tool_version("", text), 0);
}
END_TEST

START_TEST(test_codes)
{
    ck_assert_int_eq(pgsql_code_of("08006"), E_RETRY);
    ck_assert_int_eq(pgsql_code_of("57P01"), E_RETRY);
    ck_assert_int_eq(pgsql_code_of("55P03"), E_RETRY);
    ck_assert_int_eq(pgsql_code_of("40001"), E_RETRY);
    ck_assert_int_eq(pgsql_code_of("28P01"), E_DENIED);
    ck_assert_int_eq(pgsql_code_of("42501"), E_DENIED);
    ck_assert_int_eq(pgsql_code_of("3D000"), E_NOT_FOUND);
    ck_assert_int_eq(pgsql_code_of("53100"), E_NO_SPACE);
    ck_assert_int_eq(pgsql_code_of("XX001"), E_CORRUPT);
    ck_assert_int_eq(pgsql_code_of("22P02"), E_IO);
}
END_TEST

/* ---- options -------------------------------------------------------------------------------------------- */

static int settings(struct pgsql_settings *out, struct error *err, const char *key, const char *value)
{
    const struct engine_option options[] = { { "database", "shop" }, { key, value } };
    const struct engine_job job = { .name = "j", .options = options, .noptions = key != NULL ? 2 : 1 };
    return pgsql_settings_read(&job, out, err);
}

START_TEST(test_settings)
{
    struct pgsql_settings s;
    struct error err = ERROR_INIT;
    ck_assert_int_eq(settings(&s, &err, NULL, NULL), 0);
    ck_assert_uint_eq(s.lock_ms, 30000);
    ck_assert(s.globals);
    ck_assert(!s.allow_untested);
    ck_assert_int_eq(settings(&s, &err, "lock_timeout", "5s"), 0);
    ck_assert_uint_eq(s.lock_ms, 5000);
    ck_assert_int_eq(settings(&s, &err, "globals", "no"), 0);
    ck_assert(!s.globals);
    static const char *const bad[][2] = { { "lock_timeout", "0s" },    { "lock_timeout", "x" },
                                          { "globals", "maybe" },      { "port", "0" },
                                          { "port", "70000" },         { "port", "x" },
                                          { "allow_untested", "1" },   { "database", "shop" },
                                          { "database", "" },          { "all_databases", "yes" },
                                          { "exclude_databases", "x" } };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_int_eq(settings(&s, &err, bad[i][0], bad[i][1]), E_USAGE);
    ck_assert_int_eq(settings(&s, &err, "passfile", "/nonexistent/pgpass"), E_NOT_FOUND);
}
END_TEST

START_TEST(test_passfile)
{
    char path[] = "/tmp/backup-pgpass.XXXXXX";
    struct pgsql_settings s;
    struct error err = ERROR_INIT;
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(settings(&s, &err, "passfile", path), 0);
    ck_assert_int_eq(fchmod(fd, 0640), 0);
    ck_assert_int_eq(settings(&s, &err, "passfile", path), E_DENIED);
    ck_assert_ptr_nonnull(strstr(err.text, "chmod 0600"));
    (void)close(fd);
    (void)unlink(path);
}
END_TEST

/* A password in --to is refused before anything is connected to, and never shown. */
START_TEST(test_passwords_refused)
{
    static const char *const bad[] = { "host=/nonexistent dbname=x password=tops3cret",
                                       "postgresql://u:tops3cret@/x?host=/nonexistent",
                                       "postgresql://u@/x?host=/nonexistent&sslpassword=tops3cret",
                                       "postgresql://u:tops3cret@[::1/x", "" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct error err = ERROR_INIT;
        struct engine_target t = { .to = bad[i], .facts = "" };
        ck_assert_int_eq(engine_postgres.look(&t, &err), E_USAGE);
        ck_assert_ptr_null(strstr(err.text, "tops3cret"));
    }
}
END_TEST

/* ---- facts ---------------------------------------------------------------------------------------------- */

START_TEST(test_fact_names)
{
    struct vec v = VEC_OF(char *);
    struct error err = ERROR_INIT;
    char text[64];
    ck_assert_int_eq(pgsql_fact_names("a=1\ncolumns=id,We%20Ird,new%0Aline\n", "columns", &v, NULL), 0);
    ck_assert_uint_eq(v.len, 3);
    ck_assert_str_eq(*(char **)vec_at(&v, 2), "new\nline");
    ck_assert_str_eq(pgsql_names_text(&v, text, sizeof text), "id, We Ird, new\\x0aline");
    ck_assert_str_eq(pgsql_names_text(&v, text, 30), "id and 2 more");
    pgsql_names_free(&v);
    ck_assert_int_eq(pgsql_fact_names("columns=\n", "columns", &v, NULL), 0);
    ck_assert_int_eq(pgsql_fact_names("", "columns", &v, NULL), 0);
    ck_assert_uint_eq(v.len, 0);
    ck_assert_int_eq(pgsql_fact_names("columns=a,,b\n", "columns", &v, &err), E_CORRUPT);
    pgsql_names_free(&v);
}
END_TEST

/* ---- fingerprints --------------------------------------------------------------------------------------- */

static const char *seeded_sum_of(uint64_t seed, const char *rows, size_t step, uint64_t *n)
{
    static char text[FINGERPRINT_TEXT_MAX];
    struct fingerprint *fp = fingerprint_new(seed, NULL);
    size_t len = strlen(rows);
    for (size_t i = 0; i < len; i += step)
        fingerprint_lines(fp, rows + i, len - i < step ? len - i : step);
    ck_assert(!fingerprint_partial(fp));
    *n = fingerprint_rows(fp);
    (void)fingerprint_text(fp, text);
    fingerprint_free(fp);
    return text;
}

static const char *sum_of(const char *rows, size_t step, uint64_t *n)
{
    return seeded_sum_of(0, rows, step, n);
}

/* Known answers of python3-xxhash: the sum of xxh3_128_intdigest(line, seed=0x0123456789abcdef). */
START_TEST(test_fingerprint_seed)
{
    const uint64_t seed = 0x0123456789abcdef;
    char row[1002];
    uint64_t n = 0;
    for (size_t i = 0; i < 1000; i++)
        row[i] = i % 251 == '\n' ? 'x' : (char)(i % 251);
    (void)snprintf(row + 1000, 2, "\n");
    struct fingerprint *whole = fingerprint_new(seed, NULL);
    struct fingerprint *pieces = fingerprint_new(seed, NULL);
    char text[FINGERPRINT_TEXT_MAX];
    fingerprint_lines(whole, row, 1001);
    fingerprint_lines(pieces, row, 333);
    fingerprint_lines(pieces, row + 333, 668);
    ck_assert_str_eq(fingerprint_text(whole, text), "xxh3-128-sum:5be6eb88bec3cc1cd7c8285697bb59bf");
    ck_assert_str_eq(fingerprint_text(pieces, text), "xxh3-128-sum:5be6eb88bec3cc1cd7c8285697bb59bf");
    fingerprint_free(whole);
    fingerprint_free(pieces);
    for (size_t step = 1; step < 20; step++) {
        ck_assert_str_eq(seeded_sum_of(seed, "abc\n", step, &n),
                         "xxh3-128-sum:521f5ca64895f66c4a2ec311f0e180a4");
        ck_assert_str_eq(seeded_sum_of(seed, "1\t2\nabc\nabc\n\n", step, &n),
                         "xxh3-128-sum:47dee68c5dbe8c84746764998dfd7e65");
    }
}
END_TEST

START_TEST(test_fingerprint_seed_fact)
{
    struct buf out = BUF_INIT;
    uint64_t seed = 1;
    ck_assert_int_eq(fingerprint_seed_fact(0x00123456789abcde, &out, NULL), 0);
    ck_assert_int_eq(buf_append(&out, "x=y\n", 5, NULL), 0);
    ck_assert_str_eq((const char *)out.data, "fingerprint_seed=00123456789abcde\nx=y\n");
    ck_assert_int_eq(fingerprint_seed_read((const char *)out.data, &seed, NULL), 0);
    ck_assert_uint_eq(seed, 0x00123456789abcde);
    ck_assert_int_eq(fingerprint_seed_read("x=y\n", &seed, NULL), 0);
    ck_assert_uint_eq(seed, 0);
    ck_assert_int_eq(fingerprint_seed_read(NULL, &seed, NULL), 0);
    ck_assert_int_eq(fingerprint_seed_read("fingerprint_seed=12\n", &seed, NULL), E_UNSUPPORTED);
    ck_assert_int_eq(fingerprint_seed_read("fingerprint_seed=00123456789abcdg\n", &seed, NULL),
                     E_UNSUPPORTED);
    ck_assert_int_eq(fingerprint_seed_read("fingerprint_seed=00123456789abcde0\n", &seed, NULL),
                     E_UNSUPPORTED);
    buf_free(&out);
}
END_TEST

/* Known answers of python3-xxhash: the sum of xxh3_128_intdigest over the lines. */
START_TEST(test_fingerprint)
{
    uint64_t n = 0;
    for (size_t step = 1; step < 20; step++) {
        ck_assert_str_eq(sum_of("abc\n", step, &n), "xxh3-128-sum:06b05ab6733a618578af5f94892f3950");
        ck_assert_uint_eq(n, 1);
        ck_assert_str_eq(sum_of("abc\n\nabc\n1\t2\n", step, &n),
                         "xxh3-128-sum:9e60961078769b80abbefd9e4927a3bc");
        ck_assert_uint_eq(n, 4);
        ck_assert_str_eq(sum_of("1\t2\nabc\nabc\n\n", step, &n),
                         "xxh3-128-sum:9e60961078769b80abbefd9e4927a3bc");
        ck_assert_str_ne(sum_of("1\t2\nabc\n\n", step, &n), "xxh3-128-sum:9e60961078769b80abbefd9e4927a3bc");
    }
    ck_assert_str_eq(sum_of("", 1, &n), "xxh3-128-sum:00000000000000000000000000000000");
    ck_assert_uint_eq(n, 0);
}
END_TEST

/* Rows whose ends are known, in batches, are the same as lines cut anywhere; more lines than one batch has. Known answers
 * of python3-xxhash: rows "0" to "999" of i x "ab" and i itself. */
START_TEST(test_fingerprint_batches)
{
    struct buf rows = BUF_INIT;
    size_t ends[1000];
    char text[FINGERPRINT_TEXT_MAX];
    char ab[2000];
    for (size_t i = 0; i < sizeof ab; i++)
        ab[i] = i % 2 == 0 ? 'a' : 'b';
    for (unsigned i = 0; i < 1000; i++) {
        ck_assert_int_eq(buf_append(&rows, ab, 2 * (size_t)i, NULL), 0);
        ck_assert_int_eq(buf_printf(&rows, NULL, "%u\n", i), 0);
        ends[i] = rows.len;
    }
    struct fingerprint *whole = fingerprint_new(42, NULL);
    struct fingerprint *lines = fingerprint_new(42, NULL);
    fingerprint_whole(whole, rows.data, ends, 1000);
    ck_assert_uint_eq(fingerprint_rows(whole), 1000);
    ck_assert_str_eq(fingerprint_text(whole, text), "xxh3-128-sum:b9bda30a6695b8ea08701f2b6304362d");
    for (size_t at = 0, step = 1; at < rows.len; at += step, step = step * 7 % 5003)
        fingerprint_lines(lines, rows.data + at, rows.len - at < step ? rows.len - at : step);
    ck_assert_uint_eq(fingerprint_rows(lines), 1000);
    ck_assert(!fingerprint_partial(lines));
    ck_assert_str_eq(fingerprint_text(lines, text), "xxh3-128-sum:b9bda30a6695b8ea08701f2b6304362d");
    fingerprint_free(lines);
    fingerprint_free(whole);
    buf_free(&rows);
}
END_TEST

/* The sum of two sets is that of both together. */
START_TEST(test_fingerprint_join)
{
    char sum[FINGERPRINT_TEXT_MAX];
    uint64_t n = 0;
    (void)snprintf(sum, sizeof sum, "%s", FINGERPRINT_NONE);
    ck_assert(fingerprint_join(sum, sum_of("abc\n\n", 3, &n)));
    ck_assert(fingerprint_join(sum, sum_of("1\t2\nabc\n", 3, &n)));
    ck_assert_str_eq(sum, sum_of("abc\n\nabc\n1\t2\n", 99, &n));
    ck_assert(!fingerprint_join(sum, "xxh3-128-sum:0"));
    ck_assert(!fingerprint_join(sum, "crc32:00000000000000000000000000000000"));
    ck_assert(!fingerprint_join(sum, "xxh3-128-sum:0000000000000000000000000000000g"));
}
END_TEST

static const uint8_t copy[] = {
    'P',  'G', 'C', 'O', 'P', 'Y', '\n', 0xff, '\r', '\n', 0,    /* signature */
    0,    0,   0,   0,   0,   0,   0,    3,    'e',  'x',  't',  /* flags, extension */
    0,    2,   0,   0,   0,   1,   'a',  0xff, 0xff, 0xff, 0xff, /* 'a', NULL */
    0,    0,                                                     /* no fields */
    0,    1,   0,   0,   0,   0,                                 /* '' */
    0xff, 0xff
};
enum { ROWS_AT = 22 };

static int tuples(const uint8_t *data, size_t len, size_t step, struct fingerprint *fp, bool *ended)
{
    struct pgsql_tuples t;
    int rc = 0;
    pgsql_tuples_init(&t);
    for (size_t i = 0; rc == 0 && i < len; i += step)
        rc = pgsql_tuples_add(&t, fp, data + i, len - i < step ? len - i : step, NULL);
    *ended = pgsql_tuples_ended(&t);
    return rc;
}

START_TEST(test_tuples)
{
    char expected[FINGERPRINT_TEXT_MAX];
    char text[FINGERPRINT_TEXT_MAX];
    bool ended = false;
    struct fingerprint *fp = fingerprint_new(0, NULL);
    fingerprint_piece(fp, copy + ROWS_AT, 11);
    fingerprint_row(fp);
    fingerprint_piece(fp, copy + ROWS_AT + 11, 2);
    fingerprint_row(fp);
    fingerprint_piece(fp, copy + ROWS_AT + 13, 6);
    fingerprint_row(fp);
    (void)fingerprint_text(fp, expected);
    fingerprint_free(fp);
    for (size_t step = 1; step < sizeof copy; step++) {
        fp = fingerprint_new(0, NULL);
        ck_assert_int_eq(tuples(copy, sizeof copy, step, fp, &ended), 0);
        ck_assert(ended);
        ck_assert_uint_eq(fingerprint_rows(fp), 3);
        ck_assert_str_eq(fingerprint_text(fp, text), expected);
        fingerprint_free(fp);
    }
}
END_TEST

START_TEST(test_broken_tuples)
{
    uint8_t bad[sizeof copy + 1];
    bool ended = false;
    struct fingerprint *fp = fingerprint_new(0, NULL);
    for (size_t len = 0; len < sizeof copy; len++) {
        ck_assert_int_eq(tuples(copy, len, 7, fp, &ended), 0);
        ck_assert(!ended); /* cut */
    }
    memcpy(bad, copy, sizeof copy);
    bad[sizeof copy] = 0;
    ck_assert_int_eq(tuples(bad, sizeof bad, 7, fp, &ended), E_CORRUPT); /* something behind the end */
    bad[0] = 'X';
    ck_assert_int_eq(tuples(bad, sizeof copy, 7, fp, &ended), E_CORRUPT);
    memcpy(bad, copy, sizeof copy);
    bad[ROWS_AT] = 0x7f; /* fields */
    ck_assert_int_eq(tuples(bad, sizeof copy, 7, fp, &ended), E_CORRUPT);
    memcpy(bad, copy, sizeof copy);
    bad[ROWS_AT + 2] = 0x80; /* a length below -1 */
    ck_assert_int_eq(tuples(bad, sizeof copy, 7, fp, &ended), E_CORRUPT);
    fingerprint_free(fp);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("postgres");
    TCase *t = tcase_create("pure");
    tcase_add_loop_test(t, test_names, 0, (int)(sizeof names / sizeof names[0]));
    tcase_add_test(t, test_no_names);
    tcase_add_test(t, test_longest_name);
    tcase_add_test(t, test_quotes);
    tcase_add_test(t, test_statements);
    tcase_add_test(t, test_broken_statements);
    tcase_add_test(t, test_comment_end);
    tcase_add_test(t, test_setval);
    tcase_add_test(t, test_reasons);
    tcase_add_test(t, test_versions);
    tcase_add_test(t, test_codes);
    tcase_add_test(t, test_settings);
    tcase_add_test(t, test_passfile);
    tcase_add_test(t, test_passwords_refused);
    tcase_add_test(t, test_fact_names);
    tcase_add_test(t, test_fingerprint);
    tcase_add_test(t, test_fingerprint_seed);
    tcase_add_test(t, test_fingerprint_seed_fact);
    tcase_add_test(t, test_fingerprint_join);
    tcase_add_test(t, test_fingerprint_batches);
    tcase_add_test(t, test_tuples);
    tcase_add_test(t, test_broken_tuples);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
