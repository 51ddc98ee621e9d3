/* Names of tables as people write them. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/engine/select.h"

#include "common/base/banned.h"

static const struct select_item items[] = {
    { "shop", "orders" },          { "shop", "Orders" },    { "shop", "customers" },
    { "public", "log" },           { "shop", "log" },       { "Other Schema", "we.ird" },
    { "Other Schema", "q\"uote" }, { "public", "lines\n" },
};
enum { ITEMS = sizeof items / sizeof items[0], NOT = -1, SEVERAL = -2, BAD = -3 };
static const char *const schemas[] = { "shop", "public", "Other Schema", "views" };

static const struct {
    const char *typed;
    int found; /* the item, or what is wrong */
    const char *said;
} cases[] = {
    { "customers", 2, NULL },
    { "shop.customers", 2, NULL },
    { "SHOP.Customers", 2, NULL },
    { "\"customers\"", 2, NULL },
    { "\"Customers\"", NOT, "no table" },
    { "orders", 0, NULL },
    { "\"Orders\"", 1, NULL },
    { "Orders", SEVERAL, "shop.orders, shop.\"Orders\"" },
    { "log", SEVERAL, "public.log, shop.log" },
    { "public.log", 3, NULL },
    { "\"Other Schema\".\"we.ird\"", 5, NULL },
    { "Other Schema.\"we.ird\"", 5, NULL },
    { "`Other Schema`.`we.ird`", 5, NULL },
    { "\"q\"\"uote\"", 6, NULL },
    { "\"lines\n\"", 7, NULL },
    { "custommers", NOT, "did you mean 'customers'?" },
    { "shop.custmers", NOT, "did you mean 'shop.customers'?" },
    { "", BAD, NULL },
    { ".", BAD, NULL },
    { "a.", BAD, NULL },
    { ".b", BAD, NULL },
    { "a.b.c", BAD, NULL },
    { "\"a", BAD, NULL },
    { "\"a\"b", BAD, NULL },
    { "\"\"", BAD, NULL },
    { "\x1b[2J", NOT, "\\x1b" },
};

START_TEST(test_table)
{
    struct error err = ERROR_INIT;
    const struct select_known known = { items, ITEMS, schemas, 4 };
    const struct engine_selection sel = { .tables = &cases[_i].typed, .ntables = 1 };
    size_t index = 99;
    int rc = select_table(&sel, &known, &index, &err);
    if (cases[_i].found >= 0) {
        ck_assert_int_eq(rc, 0);
        ck_assert_int_eq((int)index, cases[_i].found);
        return;
    }
    ck_assert_int_eq(rc, cases[_i].found == NOT ? E_NOT_FOUND : E_USAGE);
    if (cases[_i].said != NULL)
        ck_assert_msg(strstr(err.text, cases[_i].said) != NULL, "%s", err.text);
}
END_TEST

static void expect(const struct engine_selection *sel, const char *wanted)
{
    struct error err = ERROR_INIT;
    const struct select_known known = { items, ITEMS, schemas, 4 };
    bool got[ITEMS];
    ck_assert_int_eq(select_tables(sel, &known, got, &err), 0);
    for (size_t i = 0; i < ITEMS; i++)
        ck_assert_int_eq(got[i], wanted[i] == '1');
}

START_TEST(test_tables)
{
    struct error err = ERROR_INIT;
    const struct select_known known = { items, ITEMS, schemas, 4 };
    bool got[ITEMS];
    const char *const both[] = { "public.log", "customers" };
    const char *const shop[] = { "Shop" };
    const char *const views[] = { "views" };
    const char *const none[] = { "Views2" };
    expect(NULL, "11111111");
    expect(&(struct engine_selection){ .database = "x" }, "11111111");
    expect(&(struct engine_selection){ .tables = both, .ntables = 2 }, "00110000");
    expect(&(struct engine_selection){ .schemas = shop, .nschemas = 1, .tables = both, .ntables = 1 },
           "11111000");
    expect(&(struct engine_selection){ .schemas = views, .nschemas = 1 }, "00000000");
    ck_assert_int_eq(
        select_tables(&(struct engine_selection){ .schemas = none, .nschemas = 1 }, &known, got, &err),
        E_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "did you mean 'views'?"));
    ck_assert(!select_is_partial(NULL));
    ck_assert(select_has_schema(&(struct engine_selection){ .schemas = shop, .nschemas = 1 }, "shop"));
    ck_assert(!select_has_schema(&(struct engine_selection){ .schemas = shop, .nschemas = 1 }, "public"));
}
END_TEST

START_TEST(test_database)
{
    struct error err = ERROR_INIT;
    const char *const names[] = { "shop", "Stock room", "x" };
    const struct engine_selection second = { .database = "Stock room" };
    const struct engine_selection wrong = { .database = "shopp" };
    size_t at = 9;
    ck_assert_int_eq(select_database(NULL, names, 1, &at, &err), 0);
    ck_assert_uint_eq(at, 0);
    ck_assert_int_eq(select_database(&second, names, 3, &at, &err), 0);
    ck_assert_uint_eq(at, 1);
    ck_assert_int_eq(select_database(NULL, names, 3, &at, &err), E_USAGE);
    ck_assert_ptr_nonnull(strstr(err.text, "shop, Stock room, x"));
    ck_assert_int_eq(select_database(&wrong, names, 3, &at, &err), E_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "did you mean 'shop'?"));
    ck_assert_int_eq(select_database(NULL, names, 0, &at, &err), E_UNSUPPORTED);
}
END_TEST

START_TEST(test_new_name)
{
    struct error err = ERROR_INIT;
    char *schema = NULL;
    char *name = NULL;
    ck_assert_int_eq(select_new_name("Shop.\"New \"\"One\"", &schema, &name, &err), 0);
    ck_assert_str_eq(schema, "shop");
    ck_assert_str_eq(name, "New \"One");
    free(schema);
    free(name);
    ck_assert_int_eq(select_new_name("Orders_Old", &schema, &name, &err), 0);
    ck_assert_ptr_null(schema);
    ck_assert_str_eq(name, "orders_old");
    free(name);
    char *text = select_text("Other Schema", "q\"uote", &err);
    ck_assert_str_eq(text, "\"Other Schema\".\"q\"\"uote\"");
    free(text);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("select");
    TCase *tc = tcase_create("names");
    tcase_add_loop_test(tc, test_table, 0, sizeof cases / sizeof cases[0]);
    tcase_add_test(tc, test_tables);
    tcase_add_test(tc, test_database);
    tcase_add_test(tc, test_new_name);
    suite_add_tcase(s, tc);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed;
}
