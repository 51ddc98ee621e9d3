#include "common/text/page.h"

#include "common/base/banned.h"

static const char style[] =
    ":root{color-scheme:light dark;--bg:#f7f7f5;--card:#fff;--text:#22262b;--dim:#646b74;--line:#e2e3e0;"
    "--ok:#2f7d4f;--warn:#9a6400;--bad:#b3261e;--run:#2b62b0;--none:#e6e7e4;--calm:#79bd96;--area:#d7e3f4}"
    "@media(prefers-color-scheme:dark){:root{--bg:#16181b;--card:#1e2125;--text:#e4e6e8;--dim:#9aa2ab;--line:#30353b;"
    "--ok:#5cb882;--warn:#e0a83e;--bad:#f0766c;--run:#7fb0f2;--none:#2c3137;--calm:#3d8a60;--area:#263a55}}"
    "*{box-sizing:border-box}"
    "body{margin:0;background:var(--bg);color:var(--text);font:15px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}"
    "main{max-width:1120px;margin:0 auto;padding:24px 20px 40px}"
    "h1{font-size:22px;font-weight:600;margin:0 0 4px}h2{font-size:16px;font-weight:600;margin:0 0 10px}"
    "h3{font-size:14px;font-weight:600;margin:0 0 6px}p{margin:0 0 8px}"
    ".card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:16px 18px;margin:18px 0 0}"
    ".alarm{border-left:4px solid var(--bad)}.alarm ul{margin:0;padding-left:18px}"
    ".dim{color:var(--dim)}.ok{color:var(--ok)}.warn{color:var(--warn)}.bad{color:var(--bad)}.run{color:var(--run)}"
    "strong{font-weight:600}"
    ".wide{overflow-x:auto}"
    "table{border-collapse:collapse;width:100%;overflow-wrap:normal}"
    "th{text-align:left;font-weight:500;color:var(--dim);font-size:13px}"
    "th,td{padding:6px 18px 6px 0;vertical-align:top;border-bottom:1px solid var(--line)}"
    "tr:last-child td{border-bottom:0}th:last-child,td:last-child{padding-right:0}"
    "th.num,td.num{text-align:right;white-space:nowrap}.num{font-variant-numeric:tabular-nums}"
    "td.why{min-width:14em;overflow-wrap:anywhere}td.head{font-weight:600;white-space:nowrap}table.auto{width:auto}"
    "tr.noted td{border-bottom:0;padding-bottom:0}tr.note td{padding-top:2px}"
    ".charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(300px,1fr));gap:18px 28px}"
    ".charts.small{grid-template-columns:repeat(auto-fill,minmax(150px,1fr))}.charts>div>figure+figure{margin-top:12px}"
    ".share{display:flex;align-items:center;gap:10px}.share svg.chart{width:120px;flex:none}.share span{white-space:nowrap}svg.share rect{rx:2px}"
    "figure{margin:0;min-width:0}figcaption{font-size:13px;color:var(--dim);margin:0 0 6px;display:flex;"
    "justify-content:space-between;gap:12px}figcaption b{font-weight:500;color:var(--text)}"
    "svg.chart{display:block;width:100%;height:auto}svg.calendar{width:auto;max-width:100%;height:100px}"
    "svg rect{fill:var(--run)}svg rect.ok{fill:var(--calm)}svg rect.warn{fill:var(--warn)}svg rect.bad{fill:var(--bad)}"
    "svg rect.none{fill:var(--none)}svg rect.hover{fill:transparent}svg.calendar rect{rx:2px}"
    "svg polygon.area{fill:var(--area)}svg polyline{fill:none;stroke:var(--run);stroke-width:1.5;"
    "stroke-linejoin:round}"
    "dl.pair{display:grid;grid-template-columns:max-content 1fr;gap:4px 18px;margin:0}dl.pair dt{color:var(--dim)}"
    "dl.pair dd{margin:0}"
    "a{color:var(--run)}footer{margin:24px 0 0;color:var(--dim);font-size:13px}"
    ".legend{display:flex;flex-wrap:wrap;gap:4px 16px;font-size:13px;color:var(--dim);margin:14px 0 0}"
    ".legend span{display:inline-flex;align-items:center;gap:6px}.legend svg{width:11px;height:11px}"
    "@media(max-width:640px){main{padding:16px 12px 32px}.card{padding:14px}"
    ".charts{grid-template-columns:1fr}th,td{padding-right:14px}"
    "table.stack thead{display:none}table.stack,table.stack tbody,table.stack tr{display:block}"
    "table.stack tr{padding:10px 0;border-bottom:1px solid var(--line)}"
    "table.stack tr:last-child{border-bottom:0;padding-bottom:0}table.stack tr:first-child{padding-top:0}"
    "table.stack td{display:flex;justify-content:space-between;gap:16px;border:0;padding:1px 0;text-align:right}"
    "table.stack td::before{content:attr(data-label);color:var(--dim);text-align:left;flex:none}"
    "table.stack td:empty{display:none}table.stack td.head{justify-content:flex-start;font-size:16px}"
    "table.stack td.head::before{content:none}table.stack td.why{display:block;text-align:left;padding-top:4px}"
    "table.stack td.why:empty{display:none}table.stack td.why::before{content:none}"
    "table.auto{width:100%}table.stack tr.noted{border-bottom:0;padding-bottom:0}table.stack tr.note{padding-top:0}"
    "td.head{white-space:normal}}"
    "@media print{body{background:#fff}.card{break-inside:avoid}}";

const char *page_style(void)
{
    return style;
}

static void head(struct html *h, const char *title)
{
    html_trusted(h, "<!DOCTYPE html>\n");
    html_open(h, "html");
    html_attr(h, "lang", "en");
    html_open(h, "head");
    html_open(h, "meta");
    html_attr(h, "charset", "utf-8");
    html_close(h);
    html_open(h, "meta");
    html_attr(h, "name", "viewport");
    html_attr(h, "content", "width=device-width, initial-scale=1");
    html_close(h);
    html_element(h, "title", NULL, title);
}

static void body(struct html *h)
{
    html_open(h, "style");
    html_trusted(h, style);
    html_close(h);
    html_close(h);
    html_trusted(h, "\n");
    html_open(h, "body");
    html_open(h, "main");
}

void page_begin(struct html *h, const char *title, unsigned refresh)
{
    head(h, title);
    if (refresh > 0) {
        html_open(h, "meta");
        html_attr(h, "http-equiv", "refresh");
        html_attrf(h, "content", "%u", refresh);
        html_close(h);
    }
    body(h);
}

void page_begin_file(struct html *h, const char *title, const char *style_hash)
{
    head(h, title);
    html_open(h, "meta");
    html_attr(h, "http-equiv", "Content-Security-Policy");
    html_attrf(h, "content", "default-src 'none'; style-src 'sha256-%s'", style_hash);
    html_close(h);
    body(h);
}

void page_end(struct html *h)
{
    html_close(h);
    html_close(h);
    html_close(h);
    html_trusted(h, "\n");
}
