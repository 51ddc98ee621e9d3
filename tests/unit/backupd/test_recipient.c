/* The public line of a recipient, and what adding and removing does to groups. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "backupd/keys/kit.h"
#include "backupd/keys/recipient.h"
#include "common/crypto/hash.h"

#include "common/base/banned.h"

static const uint8_t repo[REPO_ID_LEN] = { 0xa0, 0xa1 };

static struct charter_recipient person(const char *name, uint8_t key)
{
    struct charter_recipient r = { .expires = 0 };
    memset(r.pk, key, sizeof r.pk);
    ck_assert_int_eq(box_rid(r.pk, r.rid, NULL), 0);
    memcpy(r.name, name, strlen(name) + 1);
    return r;
}

static struct buf line_of(const char *name)
{
    struct buf out = BUF_INIT;
    struct charter_recipient r = person(name, 7);
    ck_assert_int_eq(recipient_line(&out, repo, r.pk, name, NULL), 0);
    return out;
}

START_TEST(a_line_comes_back)
{
    struct buf line = line_of("anna");
    struct recipient_offer o;
    struct buf text = BUF_INIT;
    ck_assert_int_eq(recipient_parse((const char *)line.data, line.len, &o, NULL), 0);
    ck_assert_mem_eq(o.repo_id, repo, REPO_ID_LEN);
    ck_assert_str_eq(o.who.name, "anna");
    ck_assert_uint_eq(o.who.pk[31], 7);
    struct charter_recipient r = person("anna", 7);
    ck_assert_mem_eq(o.who.rid, r.rid, RID_LEN);
    /* as it comes by mail */
    ck_assert_int_eq(buf_printf(&text, NULL, "Hello,\r\n\r\n  %.*s\r\n\nbye bk1-recipient\n",
                                (int)line.len - 1, (const char *)line.data),
                     0);
    ck_assert_int_eq(recipient_parse((const char *)text.data, text.len, &o, NULL), 0);
    buf_free(&text);
    buf_free(&line);
}
END_TEST

/* Each single byte changed, and each shorter text, is refused. */
START_TEST(a_changed_line_is_refused)
{
    struct buf line = line_of("bob");
    struct recipient_offer o;
    for (size_t i = 0; i + 1 < line.len; i++) {
        uint8_t before = line.data[i];
        line.data[i] = before == '0' ? '1' : '0';
        ck_assert_int_eq(recipient_parse((const char *)line.data, line.len, &o, NULL), E_USAGE);
        line.data[i] = before;
        ck_assert_int_eq(recipient_parse((const char *)line.data, i, &o, NULL), E_USAGE);
    }
    ck_assert_int_eq(recipient_parse((const char *)line.data, line.len, &o, NULL), 0);
    buf_free(&line);
}
END_TEST

START_TEST(names_are_those_of_a_charter)
{
    struct buf out = BUF_INIT;
    struct charter_recipient r = person("x", 7);
    char longest[NAME_MAX_LEN + 2];
    memset(longest, 'a', sizeof longest);
    longest[NAME_MAX_LEN] = '\0';
    ck_assert(recipient_name_valid(longest));
    longest[NAME_MAX_LEN] = 'a';
    longest[NAME_MAX_LEN + 1] = '\0';
    ck_assert(!recipient_name_valid(longest));
    ck_assert(!recipient_name_valid(""));
    ck_assert_int_eq(recipient_line(&out, repo, r.pk, "Anna B", NULL), E_USAGE);
    buf_free(&out);
}
END_TEST

START_TEST(groups_go_with_their_members)
{
    struct charter c;
    struct charter_recipient a = person("anna", 1);
    struct charter_recipient b = person("bob", 2);
    struct charter_recipient d = person("dora", 3);
    const char *with_bob[] = { "bob" };
    const char *with_none[] = { "nobody" };
    size_t groups = 0;
    charter_init(&c);
    ck_assert_int_eq(recipient_add(&c, &a, NULL, 0, NULL), 0);
    ck_assert_int_eq(recipient_add(&c, &a, NULL, 0, NULL), E_USAGE);
    ck_assert_int_eq(recipient_add(&c, &b, NULL, 0, NULL), 0);
    ck_assert_int_eq(recipient_add(&c, &d, with_none, 1, NULL), E_USAGE);
    ck_assert_int_eq(recipient_add(&c, &d, with_bob, 1, NULL), 0);
    ck_assert_uint_eq(c.groups.len, 3);
    ck_assert_uint_eq(((struct charter_group *)vec_at(&c.groups, 2))->n, 2);
    struct charter_recipient again = person("bob", 9); /* another key under a name that is taken */
    ck_assert_int_eq(recipient_add(&c, &again, NULL, 0, NULL), E_USAGE);
    /* bob's own group and the one he shares */
    ck_assert_int_eq(recipient_remove(&c, b.rid, 100, &groups, NULL), 0);
    ck_assert_uint_eq(groups, 2);
    ck_assert_uint_eq(c.recipients.len, 2);
    ck_assert_ptr_nonnull(recipient_find(&c, "dora"));
    ck_assert_ptr_null(recipient_find(&c, "bob"));
    /* anna is the last one who can open anything */
    ck_assert_int_eq(recipient_remove(&c, a.rid, 100, &groups, NULL), E_USAGE);
    charter_free(&c);
}
END_TEST

/* Who has expired does not count as somebody who is left. */
START_TEST(an_expired_one_is_nobody)
{
    struct charter c;
    struct charter_recipient a = person("anna", 1);
    struct charter_recipient b = person("bob", 2);
    size_t groups = 0;
    b.expires = 50;
    charter_init(&c);
    ck_assert_int_eq(recipient_add(&c, &a, NULL, 0, NULL), 0);
    ck_assert_int_eq(recipient_add(&c, &b, NULL, 0, NULL), 0);
    ck_assert_int_eq(recipient_remove(&c, a.rid, 100, &groups, NULL), E_USAGE);
    charter_free(&c);
}
END_TEST

START_TEST(kit_codes_fit_the_charter)
{
    struct charter c;
    struct charter_recipient a = person("anna", 1);
    char code[KIT_CODE_MAX];
    charter_init(&c);
    memcpy(c.repo_id, repo, REPO_ID_LEN);
    ck_assert_int_eq(recipient_add(&c, &a, NULL, 0, NULL), 0);
    ck_assert_uint_eq(strlen(kit_code(repo, a.rid, code)), 10);
    ck_assert(kit_code_fits(&c, code));
    c.repo_id[0] ^= 1;
    ck_assert(!kit_code_fits(&c, code));
    ck_assert(!kit_code_fits(&c, ""));
    charter_free(&c);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("recipient");
    TCase *t = tcase_create("recipient");
    tcase_add_test(t, a_line_comes_back);
    tcase_add_test(t, a_changed_line_is_refused);
    tcase_add_test(t, names_are_those_of_a_charter);
    tcase_add_test(t, groups_go_with_their_members);
    tcase_add_test(t, an_expired_one_is_nobody);
    tcase_add_test(t, kit_codes_fit_the_charter);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
