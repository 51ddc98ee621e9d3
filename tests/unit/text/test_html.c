/* Pages: nothing from outside becomes markup, what is written is well-formed, mistakes of the code are reported. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/text/chart.h"
#include "common/text/html.h"
#include "common/text/page.h"
#include "common/base/banned.h"

static const char *written(struct html *h)
{
    static struct buf page;
    struct error err = ERROR_INIT;
    buf_free(&page);
    ck_assert_int_eq(html_finish(h, &page, &err), 0);
    ck_assert_int_eq(buf_append(&page, "", 1, &err), 0);
    html_free(h);
    return (const char *)page.data;
}

START_TEST(text_is_escaped)
{
    static const struct {
        const char *text;
        const char *shown;
    } cases[] = {
        { "plain", "plain" },
        { "<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;" },
        { "a & b \"c\" 'd'", "a &amp; b &quot;c&quot; &#39;d&#39;" },
        { "Müller \xe2\x82\xac \xf0\x9f\x98\x80", "Müller \xe2\x82\xac \xf0\x9f\x98\x80" },
        { "bad \xff\xc3", "bad \\xff\\xc3" },
        { "\xc0\xbcscript", "\\xc0\\xbcscript" },
        { "bell\a esc\x1b[1m del\x7f", "bell\\x07 esc\\x1b[1m del\\x7f" },
        { "nel\xc2\x85", "nel\\x85" },
        { "txt.\xe2\x80\xae"
          "exe",
          "txt.\\u202eexe" },
        { "line\nend\ttab", "line\nend\ttab" },
        { "", "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct html h = HTML_INIT;
        struct buf want = BUF_INIT;
        html_open(&h, "p");
        html_attr(&h, "title", cases[i].text);
        html_text(&h, cases[i].text);
        html_close(&h);
        ck_assert_int_ge(buf_printf(&want, NULL, "<p title=\"%s\">%s</p>", cases[i].shown, cases[i].shown),
                         0);
        ck_assert_str_eq(written(&h), (const char *)want.data);
        buf_free(&want);
    }
}
END_TEST

START_TEST(elements_close_in_order)
{
    struct html h = HTML_INIT;
    html_open(&h, "div");
    html_open(&h, "br");
    html_close(&h);
    html_element(&h, "b", "bad", "x");
    html_element(&h, "td", NULL, NULL);
    html_open(&h, "rect");
    html_attr_coord(&h, "x", -1.005);
    html_attr_coord(&h, "y", 12.3456);
    html_close(&h);
    html_textf(&h, "%d < %d", 1, 2);
    html_close(&h);
    ck_assert_str_eq(written(&h),
                     "<div><br><b class=\"bad\">x</b><td></td><rect x=\"-1.00\" y=\"12.35\"></rect>"
                     "1 &lt; 2</div>");
}
END_TEST

static void refused(struct html *h)
{
    struct buf page = BUF_INIT;
    struct error err = ERROR_INIT;
    ck_assert_int_eq(html_finish(h, &page, &err), E_INTERNAL);
    ck_assert_uint_eq(page.len, 0);
    buf_free(&page);
    html_free(h);
}

START_TEST(what_runs_or_leaves_is_refused)
{
    static const char *const names[] = { "onclick", "ONLOAD", "style", "a b", "", "x=\"", "srcdoc" };
    static const char *const links[] = {
        "javascript:alert(1)", "//else.where/", "http://else.where", "", "data:x", "/\\else.where"
    };
    struct html h = HTML_INIT;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        html_open(&h, "p");
        html_attr(&h, names[i], "1");
        html_close(&h);
        refused(&h);
    }
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
        html_open(&h, "a");
        html_attr(&h, "href", links[i]);
        html_close(&h);
        refused(&h);
    }
    html_element(&h, "script", NULL, "1");
    refused(&h);
    html_element(&h, "b><i", NULL, "1");
    refused(&h);
    html_open(&h, "p");
    html_text(&h, "late");
    html_attr(&h, "class", "x");
    html_close(&h);
    refused(&h);
    html_close(&h);
    refused(&h);
    html_open(&h, "p");
    refused(&h);
    for (int i = 0; i <= HTML_DEPTH_MAX; i++)
        html_open(&h, "p");
    refused(&h);
    html_open(&h, "a");
    html_attr(&h, "href", "/api/status.json");
    html_close(&h);
    ck_assert_str_eq(written(&h), "<a href=\"/api/status.json\"></a>");
}
END_TEST

static size_t count(const char *text, const char *part)
{
    size_t n = 0;
    for (const char *p = strstr(text, part); p != NULL; p = strstr(p + 1, part))
        n++;
    return n;
}

START_TEST(pictures_have_names_and_items)
{
    const struct chart c = { .name = "Nights <1>", .width = 100, .height = 40 };
    const struct chart_item items[] = { { .value = 10, .cls = "ok", .title = "a" },
                                        { .value = 0.0001, .cls = "bad", .title = "b&c" },
                                        { .value = 5, .cls = "ok", .title = NULL },
                                        { .value = -3, .cls = "none", .title = "d" } };
    struct html h = HTML_INIT;
    chart_bars(&h, &c, items, 4);
    const char *s = written(&h);
    ck_assert_ptr_nonnull(strstr(s, "aria-label=\"Nights &lt;1&gt;\""));
    ck_assert_uint_eq(count(s, "<rect "), 4);
    ck_assert_ptr_nonnull(strstr(s, "<title>b&amp;c</title>"));
    ck_assert_ptr_nonnull(strstr(s, "y=\"0.00\" width=\"20.00\" height=\"40.00\" class=\"ok\""));
    ck_assert_ptr_nonnull(strstr(s, "height=\"2.00\" class=\"bad\""));
    ck_assert_ptr_nonnull(strstr(s, "height=\"0.00\" class=\"none\""));
    chart_line(&h, &c, items, 4);
    s = written(&h);
    ck_assert_ptr_nonnull(strstr(s, "<polyline points=\"0.0,0.0 33.3,40.0 66.7,20.0 100.0,40.0 \">"));
    chart_line(&h, &c, items, 1);
    ck_assert_ptr_null(strstr(written(&h), "polyline"));
    chart_bars(&h, &c, NULL, 0);
    ck_assert_ptr_null(strstr(written(&h), "<rect "));
}
END_TEST

START_TEST(calendar_has_monday_on_top)
{
    const struct chart_item days[] = { { .cls = "ok", .title = "Sat" },
                                       { .cls = "bad", .title = "Sun" },
                                       { .cls = "ok", .title = "Mon" } };
    struct html h = HTML_INIT;
    chart_calendar(&h, "nights", days, 3, 6);
    const char *s = written(&h);
    ck_assert_ptr_nonnull(strstr(s, "viewBox=\"0 0 27 102\""));
    ck_assert_ptr_nonnull(strstr(s, "<rect x=\"0.00\" y=\"75.00\""));
    ck_assert_ptr_nonnull(strstr(s, "<rect x=\"0.00\" y=\"90.00\""));
    ck_assert_ptr_nonnull(strstr(s, "<rect x=\"15.00\" y=\"0.00\""));
}
END_TEST

START_TEST(a_page_is_whole)
{
    struct html h = HTML_INIT;
    page_begin(&h, "<db1>", 60);
    html_element(&h, "h1", NULL, "x");
    page_end(&h);
    const char *s = written(&h);
    ck_assert_ptr_nonnull(strstr(s, "<title>&lt;db1&gt;</title>"));
    ck_assert_ptr_nonnull(strstr(s, page_style()));
    ck_assert_ptr_null(strchr(page_style(), '<'));
    ck_assert_ptr_null(strstr(page_style(), "url("));
    ck_assert_ptr_nonnull(strstr(s, "</main></body></html>"));
    page_begin_file(&h, "x", "abc=");
    page_end(&h);
    ck_assert_ptr_nonnull(strstr(written(&h), "default-src &#39;none&#39;; style-src &#39;sha256-abc=&#39;"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("text/html");
    TCase *all = tcase_create("all");
    tcase_add_test(all, text_is_escaped);
    tcase_add_test(all, elements_close_in_order);
    tcase_add_test(all, what_runs_or_leaves_is_refused);
    tcase_add_test(all, pictures_have_names_and_items);
    tcase_add_test(all, calendar_has_monday_on_top);
    tcase_add_test(all, a_page_is_whole);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
