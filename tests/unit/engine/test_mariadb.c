/* What of the engine mariadb needs no server: scripts and their shapes, grants, addresses, rows, tools. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/engine/mariadb/grants.h"
#include "common/engine/mariadb/internal.h"
#include "common/engine/mariadb/restore.h"
#include "common/engine/mariadb/rowtext.h"
#include "common/engine/mariadb/sql.h"
#include "common/engine/mariadb/statement.h"

#include "common/base/banned.h"

/* ---- scripts --------------------------------------------------------------------------------------------- */

static struct maria_statement first_of(const char *script)
{
    struct maria_statements all = maria_statements_of(script, strlen(script));
    struct maria_statement s;
    ck_assert_int_eq(maria_statement_next(&all, true, &s, NULL), 1);
    return s;
}

static enum maria_shape shape(const char *script)
{
    struct maria_statement s = first_of(script);
    enum maria_shape found = maria_shape_of(&s);
    maria_statement_free(&s);
    return found;
}

static void is_text(const struct maria_statement *s, const char *text)
{
    ck_assert_uint_eq(s->len, strlen(text));
    ck_assert(memcmp(s->text, text, s->len) == 0);
}

START_TEST(test_statements)
{
    static const char script[] =
        "/*M!999999\\- enable the sandbox mode */ \n"
        "-- a comment; with '\n# another;\n\n/* and ; one */ SET NAMES utf8mb4;\n"
        "INSERT INTO `a;``b` VALUES ('x;\\'y', \";\", 'z''');\n"
        "DELIMITER ;;\n/*!50003 CREATE*/ /*!50003 PROCEDURE p() BEGIN SELECT ';'; END */;;\n"
        "DELIMITER ;\nDO 1;DO 2";
    static const char *const expected[] = {
        "SET NAMES utf8mb4", "INSERT INTO `a;``b` VALUES ('x;\\'y', \";\", 'z''')",
        "/*!50003 CREATE*/ /*!50003 PROCEDURE p() BEGIN SELECT ';'; END */", "DO 1", "DO 2"
    };
    struct maria_statements all = maria_statements_of(script, strlen(script));
    struct maria_statement s;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        ck_assert_int_eq(maria_statement_next(&all, true, &s, NULL), 1);
        is_text(&s, expected[i]);
        maria_statement_free(&s);
    }
    ck_assert_int_eq(maria_statement_next(&all, true, &s, NULL), 0);
}
END_TEST

START_TEST(test_statements_words)
{
    struct maria_statement s =
        first_of("/*!50003 CREATE*/ /*!50017 DEFINER=`r``t`@'h'*/ /*!50003 TRIGGER \"q\" x */");
    ck_assert(maria_word_is(&s, 0, "create"));
    ck_assert(maria_word_is(&s, 1, "definer"));
    ck_assert_str_eq(maria_word_name(&s, 3), "r`t");
    ck_assert(maria_word_is(&s, 6, "trigger"));
    ck_assert_str_eq(maria_word_name(&s, 7), "q");
    maria_statement_free(&s);
    /* What MariaDB itself passes over is no part of a statement. */
    s = first_of("/*!80001 CREATE ROLE x */ DO 1;");
    ck_assert(maria_word_is(&s, 0, "do"));
    maria_statement_free(&s);
}
END_TEST

START_TEST(test_statements_backslash)
{
    static const char script[] = "SELECT '\\'; DO 2;";
    struct maria_statements all = maria_statements_of(script, strlen(script));
    struct maria_statement s;
    struct error err = ERROR_INIT;
    ck_assert_int_eq(maria_statement_next(&all, false, &s, NULL), 1);
    is_text(&s, "SELECT '\\'");
    maria_statement_free(&s);
    all = maria_statements_of(script, strlen(script));
    ck_assert_int_eq(maria_statement_next(&all, true, &s, &err), E_CORRUPT);
    ck_assert_str_eq(err.name, ERR_MARIA_SCRIPT);
}
END_TEST

START_TEST(test_statements_broken)
{
    static const char *const scripts[] = { "SELECT 'x", "SELECT `x", "SELECT \"x\\\"", "DO 1 /* x", "/* x" };
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        struct maria_statements all = maria_statements_of(scripts[i], strlen(scripts[i]));
        struct maria_statement s;
        ck_assert_int_eq(maria_statement_next(&all, true, &s, NULL), E_CORRUPT);
    }
}
END_TEST

START_TEST(test_shapes)
{
    static const struct {
        const char *script;
        enum maria_shape shape;
    } cases[] = {
        { "/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;", SHAPE_SETTING },
        { "SET NAMES utf8mb4;", SHAPE_SETTING },
        { "/*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */;", SHAPE_SETTING },
        { "CREATE TABLE `a` (`b` int);", SHAPE_OBJECT },
        { "CREATE SEQUENCE `s` start with 1;", SHAPE_OBJECT },
        { "DO SETVAL(`s`, 35, 0);", SHAPE_VALUE },
        { "DROP TABLE IF EXISTS `a`;", SHAPE_OBJECT },
        { "/*!50001 CREATE ALGORITHM=UNDEFINED */ /*!50013 DEFINER=`r`@`h` SQL SECURITY DEFINER */ /*!50001 VIEW `v` "
          "AS select 1 */;",
          SHAPE_OBJECT },
        { "CREATE DEFINER=\"r\"@\"h\" AGGREGATE FUNCTION f() RETURNS int RETURN 1;", SHAPE_OBJECT },
        { "CREATE OR REPLACE DEFINER=`r`@`h` PACKAGE BODY t AS x;", SHAPE_OBJECT },
        { "ALTER DATABASE `a` CHARACTER SET latin1 COLLATE latin1_bin;", SHAPE_DATABASE },
        /* what must not run */
        { "SET GLOBAL local_infile = 1;", SHAPE_UNKNOWN },
        { "SET @a = 1, GLOBAL local_infile = 1;", SHAPE_UNKNOWN },
        { "SET @@global.local_infile = 1;", SHAPE_UNKNOWN },
        { "SET sql_mode = '', @@global.x = 1;", SHAPE_UNKNOWN },
        { "SET sql_log_bin = 0;", SHAPE_UNKNOWN },
        { "SET PASSWORD = '';", SHAPE_UNKNOWN },
        { "SET @a = load_file('/etc/passwd');", SHAPE_UNKNOWN },
        { "CREATE USER `a`@`b`;", SHAPE_UNKNOWN },
        { "CREATE DATABASE `a`;", SHAPE_UNKNOWN },
        { "CREATE SERVER `a` FOREIGN DATA WRAPPER mysql OPTIONS ();", SHAPE_UNKNOWN },
        { "GRANT ALL ON *.* TO `a`@`b`;", SHAPE_UNKNOWN },
        { "DROP DATABASE `a`;", SHAPE_UNKNOWN },
        { "DROP TABLE `a`;", SHAPE_UNKNOWN },
        { "DROP TABLE IF EXISTS `a`, `other`.`b`;", SHAPE_UNKNOWN },
        { "DROP TABLE IF EXISTS `other`.`b`;", SHAPE_UNKNOWN },
        { "ALTER TABLE `a` ADD b int;", SHAPE_UNKNOWN },
        { "SELECT 1 INTO OUTFILE '/tmp/x';", SHAPE_UNKNOWN },
        { "INSTALL SONAME 'x';", SHAPE_UNKNOWN },
        { "USE mysql;", SHAPE_UNKNOWN },
        { "DO SETVAL(`s`, sleep(5), 0);", SHAPE_UNKNOWN },
        { "DO sleep(5);", SHAPE_UNKNOWN },
        { "\\! sh;", SHAPE_UNKNOWN },
        { "system sh;", SHAPE_UNKNOWN },
        { "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE t;", SHAPE_UNKNOWN },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_msg(shape(cases[i].script) == cases[i].shape, "%s", cases[i].script);
}
END_TEST

static char *fit(const char *script, bool no_owner)
{
    struct maria_statement s = first_of(script);
    struct buf out = BUF_INIT;
    int rc = maria_statement_fit(&s, "old", "n`w", no_owner, &out, NULL);
    if (rc == 0)
        rc = buf_append(&out, "", 1, NULL);
    maria_statement_free(&s);
    if (rc == 0)
        return (char *)out.data;
    buf_free(&out);
    return NULL;
}

START_TEST(test_fit)
{
    static const struct {
        const char *script;
        const char *owned;
        const char *bare;
    } cases[] = {
        { "CREATE TABLE `old` (a int DEFAULT nextval(`old`.`s`));",
          "CREATE TABLE `old` (a int DEFAULT nextval(`s`))",
          "CREATE TABLE `old` (a int DEFAULT nextval(`s`))" },
        { "CREATE TABLE `a` (a int DEFAULT nextval(`other`.`s`));",
          "CREATE TABLE `a` (a int DEFAULT nextval(`other`.`s`))",
          "CREATE TABLE `a` (a int DEFAULT nextval(`other`.`s`))" },
        { "ALTER DATABASE `old` CHARACTER SET x;", "ALTER DATABASE `n``w` CHARACTER SET x",
          "ALTER DATABASE `n``w` CHARACTER SET x" },
        { "/*!50003 CREATE*/ /*!50017 DEFINER=`r`@`h`*/ /*!50003 trigger old.`t` before insert on `old`.x for each row "
          "set @a = 'old.x' */;",
          "/*!50003 CREATE*/ /*!50017 DEFINER=`r`@`h`*/ /*!50003 trigger `t` before insert on x for each row set @a = "
          "'old.x' */",
          "/*!50003 CREATE*/ /*!50017 */ /*!50003 trigger `t` before insert on x for each row set @a = 'old.x' */" },
        { "CREATE DEFINER=`r`@`h` PROCEDURE `p`() SELECT 1;",
          "CREATE DEFINER=`r`@`h` PROCEDURE `p`() SELECT 1", "CREATE  PROCEDURE `p`() SELECT 1" },
        { "CREATE TABLE `other`.`a` (b int);", NULL, NULL },
        { "CREATE TRIGGER t BEFORE INSERT ON other.x FOR EACH ROW DO 1;", NULL, NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *owned = fit(cases[i].script, false);
        char *bare = fit(cases[i].script, true);
        ck_assert_pstr_eq(owned, cases[i].owned);
        ck_assert_pstr_eq(bare, cases[i].bare);
        free(owned);
        free(bare);
    }
}
END_TEST

/* ---- grants ------------------------------------------------------------------------------------------------ */

START_TEST(test_grants)
{
    static const char *const lines[] = {
        "GRANT RELOAD, PROCESS ON *.* TO `bk`@`localhost` IDENTIFIED BY PASSWORD '*X'",
        "GRANT SELECT, SHOW VIEW ON `sho_`.* TO `bk`@`localhost`",
        "GRANT TRIGGER ON `a\\_b`.* TO `bk`@`localhost`",
        "GRANT SELECT ON `mysql`.`proc` TO `bk`@`localhost`",
        "GRANT SELECT (`a`), TRIGGER ON `cols`.`t` TO `bk`@`localhost`",
        "GRANT EXECUTE ON PROCEDURE `x`.`p` TO `bk`@`localhost`",
        "GRANT `TRIGGER ON *.*` TO `bk`@`localhost`",
        "GRANT ALL PRIVILEGES ON `all``of it`.* TO `bk`@`localhost`",
        "SET DEFAULT ROLE x FOR `bk`@`localhost`",
    };
    struct grants g = GRANTS_INIT;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        ck_assert_int_eq(grants_add(&g, lines[i], NULL), 0);
    ck_assert(grants_has(&g, RIGHT_RELOAD, NULL, NULL));
    ck_assert(grants_has(&g, RIGHT_SELECT, "shop", NULL));
    ck_assert(!grants_has(&g, RIGHT_SELECT, "shops", NULL));
    ck_assert(!grants_has(&g, RIGHT_TRIGGER, "shop", NULL));
    ck_assert(grants_has(&g, RIGHT_TRIGGER, "a_b", NULL));
    ck_assert(!grants_has(&g, RIGHT_TRIGGER, "axb", NULL));
    ck_assert(grants_has(&g, RIGHT_SELECT, "mysql", "proc"));
    ck_assert(!grants_has(&g, RIGHT_SELECT, "mysql", "user"));
    ck_assert(!grants_has(&g, RIGHT_SELECT, "mysql", NULL));
    ck_assert(!grants_has(&g, RIGHT_TRIGGER, "cols", "t"));
    ck_assert(!grants_has(&g, RIGHT_TRIGGER, NULL, NULL));
    ck_assert(grants_has(&g, RIGHT_EVENT, "all`of it", NULL));
    ck_assert(!grants_has(&g, RIGHT_EVENT, NULL, NULL));
    grants_free(&g);
}
END_TEST

/* ---- addresses ----------------------------------------------------------------------------------------------- */

START_TEST(test_goal)
{
    struct maria_goal g;
    ck_assert_int_eq(maria_goal_read("shop new", &g, NULL), 0);
    ck_assert_str_eq(g.database, "shop new");
    ck_assert(g.at.own_defaults && g.at.local_files && !g.at.ssl_verify);
    maria_goal_free(&g);
    ck_assert_int_eq(
        maria_goal_read("mariadb://a%40b@db2:3307/x%2Fy?password_file=/p%20q&ssl_ca=/ca", &g, NULL), 0);
    ck_assert_str_eq(g.user, "a@b");
    ck_assert_str_eq(g.host, "db2");
    ck_assert_uint_eq(g.at.port, 3307);
    ck_assert_str_eq(g.database, "x/y");
    ck_assert_str_eq(g.password_file, "/p q");
    ck_assert(g.at.ssl_verify);
    maria_goal_free(&g);
    ck_assert_int_eq(maria_goal_read("mariadb://[::1]/x?ssl_verify=no", &g, NULL), 0);
    ck_assert_str_eq(g.host, "::1");
    ck_assert(!g.at.ssl_verify);
    maria_goal_free(&g);
    ck_assert_int_eq(maria_goal_read("mariadb://root@/x?socket=/s", &g, NULL), 0);
    ck_assert_ptr_null(g.host);
    ck_assert_str_eq(g.socket, "/s");
    maria_goal_free(&g);
}
END_TEST

START_TEST(test_goal_refused)
{
    static const char *const bad[] = { "",
                                       "mysql://x/y",
                                       "mariadb://host",
                                       "mariadb://host/",
                                       "mariadb://u:hidden@h/x",
                                       "mariadb://u@h/x?password=hidden",
                                       "mariadb://h:0/x",
                                       "mariadb://h:x/x",
                                       "mariadb://h/x?y=z",
                                       "mariadb://h/%zz",
                                       "mariadb://h/%00",
                                       "mariadb://h/x?socket=/s" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct maria_goal g;
        struct error err = ERROR_INIT;
        ck_assert_msg(maria_goal_read(bad[i], &g, &err) == E_USAGE, "%s", bad[i]);
        ck_assert_ptr_null(strstr(err.text, "hidden"));
        maria_goal_free(&g);
    }
}
END_TEST

/* ---- rows, names, tools ---------------------------------------------------------------------------------------- */

START_TEST(test_fields)
{
    struct buf out = BUF_INIT;
    ck_assert_int_eq(maria_put_field(&out, NULL, 0, true, NULL), 0);
    ck_assert_int_eq(maria_put_field(&out, "a\0\t\n\\\r\x1aN", 8, true, NULL), 0);
    ck_assert_int_eq(maria_put_field(&out, "-1.5", 4, false, NULL), 0);
    static const char expected[] = "\\Na\\0\\t\\n\\\\\r\x1aN-1.5";
    ck_assert_uint_eq(out.len, sizeof expected - 1);
    ck_assert(memcmp(out.data, expected, out.len) == 0);
    buf_free(&out);
}
END_TEST

START_TEST(test_sql)
{
    struct buf out = BUF_INIT;
    char *name = maria_qualified("a`b", "c.d", NULL);
    char *text = maria_literal_text("it's \\ \n", NULL);
    ck_assert_str_eq(name, "`a``b`.`c.d`");
    ck_assert_str_eq(text, "'it\\'s \\\\ \\n'");
    ck_assert_int_eq(maria_option_value(&out, "a \"b\" # \\", NULL), 0);
    ck_assert_int_eq(buf_append(&out, "", 1, NULL), 0);
    ck_assert_str_eq((char *)out.data, "\"a \\\"b\\\" # \\\\\"");
    buf_free(&out);
    free(name);
    free(text);
}
END_TEST

START_TEST(test_tool_version)
{
    char version[MARIA_VERSION_MAX];
    ck_assert(maria_tool_version("mariadb-dump  Ver 10.19 Distrib 10.11.19-MariaDB, for x (y)\n", version));
    ck_assert_str_eq(version, "10.11.19-MariaDB");
    ck_assert(maria_tool_version("mariadb-dump from 11.4.2-MariaDB, client 10.19 for Linux\n", version));
    ck_assert_str_eq(version, "11.4.2-MariaDB");
    ck_assert(
        !maria_tool_version("mysqldump  Ver 8.0.36 for Linux on x86_64 (MySQL Community Server)", version));
}
END_TEST

START_TEST(test_codes)
{
    ck_assert_int_eq(maria_code_of(2013), E_RETRY); /* lost connection */
    ck_assert_int_eq(maria_code_of(1412), E_RETRY); /* definition changed */
    ck_assert_int_eq(maria_code_of(1205), E_RETRY);
    ck_assert_int_eq(maria_code_of(1045), E_DENIED);
    ck_assert_int_eq(maria_code_of(1049), E_NOT_FOUND);
    ck_assert_int_eq(maria_code_of(1064), E_IO);
}
END_TEST

/* It stands bare in the script: a snapshot must not put SQL there. */
START_TEST(test_index_is_a_number)
{
    static const struct {
        const char *row;
        int rc;
    } cases[] = {
        { "2\n", 0 },
        { "65535\n", 0 },
        { "\\N\n", 0 },
        { "\n", E_CORRUPT },
        { "1x\n", E_CORRUPT },
        { "-1\n", E_CORRUPT },
        { "100000\n", E_CORRUPT },
        { "1),(user()\n", E_CORRUPT },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = ERROR_INIT;
        struct buf out = BUF_INIT;
        uint64_t rows = 0;
        struct maria_table t = { .columns = VEC_OF(struct maria_column) };
        *(struct maria_column *)vec_push(&t.columns, NULL) =
            (struct maria_column){ .name = (char[]){ "e" }, .kind = KIND_INDEX, .charset = "utf8mb4" };
        struct sink *sink = sink_buffer(&out, &err);
        struct rowtext *text = rowtext_new(ROWTEXT_INSERTS, &t, "`t`", sink, &err);
        int rc = rowtext_feed(text, cases[i].row, strlen(cases[i].row), &err);
        if (rc == 0)
            rc = rowtext_end(text, &rows, &err);
        ck_assert_int_eq(rc, cases[i].rc);
        rowtext_free(text);
        sink_free(sink);
        buf_free(&out);
        vec_free(&t.columns);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mariadb");
    TCase *t = tcase_create("mariadb");
    tcase_add_test(t, test_statements);
    tcase_add_test(t, test_statements_words);
    tcase_add_test(t, test_statements_backslash);
    tcase_add_test(t, test_statements_broken);
    tcase_add_test(t, test_shapes);
    tcase_add_test(t, test_fit);
    tcase_add_test(t, test_grants);
    tcase_add_test(t, test_goal);
    tcase_add_test(t, test_goal_refused);
    tcase_add_test(t, test_fields);
    tcase_add_test(t, test_sql);
    tcase_add_test(t, test_tool_version);
    tcase_add_test(t, test_codes);
    tcase_add_test(t, test_index_is_a_number);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
