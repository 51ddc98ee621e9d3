#include "restore/drill/page.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/crypto/sha256.h"
#include "common/text/html.h"
#include "common/text/page.h"

#include "common/base/banned.h"

/* On top of page_style(). Colours are its variables. */
static const char extra[] =
    "main{max-width:960px}"
    "header{display:flex;justify-content:space-between;align-items:baseline;gap:16px;flex-wrap:wrap}"
    ".verdict{border-left:6px solid var(--ok);padding:18px 20px}.verdict.ok{color:inherit}.verdict.bad{border-left-color:var(--bad);color:inherit}"
    ".verdict.warn{border-left-color:var(--warn);color:inherit}"
    ".verdict .word{font-size:26px;font-weight:650;line-height:1.25;margin:0 0 6px}"
    ".verdict p{font-size:16px;margin:0 0 6px;max-width:72ch}"
    ".tiles{display:grid;grid-template-columns:repeat(4,1fr);gap:12px;margin:14px 0 0}"
    ".tile{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px 14px}"
    ".tile b{display:block;font-size:21px;font-weight:600;line-height:1.3;font-variant-numeric:tabular-nums}"
    ".tile span{font-size:13px;color:var(--dim);display:block}"
    ".two{display:grid;grid-template-columns:1fr 1fr;gap:18px 32px}.two ul{margin:0;padding-left:18px}.two li{margin:0 0 6px}"
    "svg.bar{display:block;width:100%;height:22px;margin:4px 0 14px}svg.bar rect{rx:0}"
    ".p0,svg rect.p0{fill:#7a8794;background:#7a8794}.p1,svg rect.p1{fill:#4a7fb5;background:#4a7fb5}"
    ".p2,svg rect.p2{fill:#6f5fa8;background:#6f5fa8}.p3,svg rect.p3{fill:#3f8f8a;background:#3f8f8a}"
    ".p4,svg rect.p4{fill:#b5893f;background:#b5893f}.p5,svg rect.p5{fill:#5b8f4e;background:#5b8f4e}"
    "i.swatch{display:inline-block;width:11px;height:11px;border-radius:2px;margin:0 8px 0 0;vertical-align:-1px}"
    "code{font:13px/1.5 ui-monospace,'DejaVu Sans Mono',monospace;overflow-wrap:anywhere}"
    "pre{margin:6px 0 0;white-space:pre-wrap}pre code{display:block}"
    ".checks td{font-size:14px;padding-top:4px;padding-bottom:4px}.checks td:nth-child(-n+2){white-space:nowrap}"
    ".charts+figure{margin-top:20px}"
    ".legend{display:flex;gap:18px;flex-wrap:wrap;font-size:13px;color:var(--dim);margin:8px 0 0}"
    ".legend i.ok{background:var(--ok)}.legend i.bad{background:var(--bad)}.legend i.warn{background:var(--warn)}"
    ".legend i.none{background:var(--none)}"
    "dl.pair dd{overflow-wrap:anywhere}"
    "@media screen and (max-width:760px){.tiles{grid-template-columns:1fr 1fr}.two{grid-template-columns:1fr}"
    "dl.pair{grid-template-columns:1fr}dl.pair dd{margin:0 0 8px}}"
    "@page{margin:16mm 14mm}"
    "@media print{:root{color-scheme:light;--bg:#fff;--card:#fff;--text:#000;--dim:#444;--line:#bbb;--ok:#1f6b3f;"
    "--warn:#8a5a00;--bad:#a11a12;--run:#23529a;--none:#e6e7e4;--area:#dfe8f5}"
    "body{font-size:10pt;background:#fff}main{max-width:none;padding:0}"
    "svg.calendar{height:84px}.checks td{font-size:9pt;padding-top:2px;padding-bottom:2px}.checks td:nth-child(2){white-space:normal}"
    "*{-webkit-print-color-adjust:exact;print-color-adjust:exact}"
    ".card,.tile,figure,tr,.verdict{break-inside:avoid}.long{break-inside:auto}h2{break-after:avoid}"
    "thead{display:table-header-group}.card{padding:10px 14px;margin-top:12px}}";

static void base64(const uint8_t *in, size_t n, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t at = 0;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v =
            (uint32_t)in[i] << 16 | (i + 1 < n ? (uint32_t)in[i + 1] << 8 : 0) | (i + 2 < n ? in[i + 2] : 0);
        out[at++] = digits[v >> 18 & 63];
        out[at++] = digits[v >> 12 & 63];
        out[at++] = i + 1 < n ? digits[v >> 6 & 63] : '=';
        out[at++] = i + 2 < n ? digits[v & 63] : '=';
    }
    out[at] = '\0';
}

static unsigned digit(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* Of the style element's bytes, as a Content-Security-Policy wants it. */
static int style_hash(char out[48], struct error *err)
{
    char hex[SHA256_TEXT];
    uint8_t raw[SHA256_TEXT / 2];
    struct sha256_state *s = sha256_new(err);
    if (s == NULL)
        return E_NOMEM;
    sha256_update(s, page_style(), strlen(page_style()));
    sha256_update(s, extra, sizeof extra - 1);
    sha256_final(s, hex);
    sha256_free(s);
    for (size_t i = 0; i < sizeof raw; i++)
        raw[i] = (uint8_t)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
    base64(raw, sizeof raw, out);
    return 0;
}

static void head(struct html *h, const struct drill_page *p, const char *hash)
{
    html_trusted(h, "<!DOCTYPE html>\n");
    html_open(h, "html");
    html_attr(h, "lang", "en");
    html_open(h, "head");
    html_trusted(h, "<meta charset=\"utf-8\">");
    html_open(h, "meta");
    html_attr(h, "http-equiv", "Content-Security-Policy");
    html_attrf(h, "content", "default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'",
               hash);
    html_close(h);
    html_trusted(h, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    html_open(h, "title");
    html_textf(h, "Restore drill of %s: %s", p->result->snapshot != NULL ? p->result->snapshot : "a backup",
               drill_page_word(p->result->verdict));
    html_close(h);
    html_open(h, "style");
    html_trusted(h, page_style());
    html_trusted(h, extra);
    html_close(h);
    html_close(h);
    html_trusted(h, "\n");
}

const char *drill_page_date(char out[DRILL_DATE_MAX], uint64_t t, bool clock)
{
    static const char *const months[] = { "January",   "February", "March",    "April",
                                          "May",       "June",     "July",     "August",
                                          "September", "October",  "November", "December" };
    struct tm tm;
    time_t when = (time_t)t;
    out[0] = '\0';
    if (t == 0 || t > INT64_MAX || gmtime_r(&when, &tm) == NULL)
        return out;
    int n = snprintf(out, DRILL_DATE_MAX, "%d %s %d", tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900);
    if (clock && n > 0 && n < DRILL_DATE_MAX)
        (void)snprintf(out + n, DRILL_DATE_MAX - (size_t)n, ", %02d:%02d UTC", tm.tm_hour, tm.tm_min);
    return out;
}

const char *drill_page_class(enum drill_verdict v)
{
    return v == DRILL_PASS ? "ok" : v == DRILL_FAIL ? "bad" : v == DRILL_SKIPPED ? "dim" : "warn";
}

const char *drill_page_word(enum drill_verdict v)
{
    return v == DRILL_PASS      ? "passed"
           : v == DRILL_FAIL    ? "failed"
           : v == DRILL_SKIPPED ? "skipped"
                                : "could not run";
}

int drill_page_write(const struct drill_page *p, struct buf *out, struct error *err)
{
    struct html h = HTML_INIT;
    char hash[48];
    int rc = style_hash(hash, err);
    if (rc < 0)
        return rc;
    head(&h, p, hash);
    html_open(&h, "body");
    html_open(&h, "main");
    drill_page_summary(&h, p);
    drill_page_phases(&h, p);
    drill_page_history(&h, p);
    drill_page_checks(&h, p);
    drill_page_audit(&h, p);
    html_close(&h);
    html_close(&h);
    html_close(&h);
    html_trusted(&h, "\n");
    rc = html_finish(&h, out, err);
    html_free(&h);
    return rc;
}
