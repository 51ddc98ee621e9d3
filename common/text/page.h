/*
 * page.h - the frame of a page: doctype, head with its own style sheet, calm colours for light and dark, phone and desk.
 *
 *     page_begin(&h, "backupd on db1");
 *     html_element(&h, "h1", NULL, "backupd on db1");
 *     ...
 *     page_end(&h);
 *
 * The page needs nothing but itself: no script, no font, no picture from outside. The one style sheet is page_style(), a
 * constant; its Content-Security-Policy is "default-src 'none'; style-src 'sha256-...'", where the hash is over exactly
 * these bytes. A page that is a file says so in a <meta> (page_begin_file), one that is served in a header.
 *
 * What the style sheet knows (class names):
 *   ok warn bad run none        colours of verdicts, for text (span, td) and for items of a chart.h
 *   card                        a block with a border; <section class="card">
 *   alarm                       a card that somebody has to read
 *   num dim                     right-aligned digits; text that matters less
 *   wide                        a div around a table that scrolls by itself on a phone
 *   stack                       a table whose rows become blocks on a phone: each td has its title as data-label; "head" is
 *                               the cell that names the row, "why" one for sentences
 *   auto                        with stack: a table only as wide as it needs
 *   noted, note                 a row, and the row below it that belongs to it
 *   legend                      what the colours mean: spans with a small svg
 *   charts                      a grid of <figure>, each with its <figcaption>
 *   pair                        a <dl> with its terms beside their values
 */
#ifndef COMMON_TEXT_PAGE_H
#define COMMON_TEXT_PAGE_H

#include "common/text/html.h"

/* <html><head>...</head><body><main>. refresh: seconds after which a browser asks again; 0: never. */
void page_begin(struct html *h, const char *title, unsigned refresh);
/* The same with the policy in a <meta>: style_hash is the base64 of the SHA-256 of page_style(). */
void page_begin_file(struct html *h, const char *title, const char *style_hash);
void page_end(struct html *h);

const char *page_style(void);

#endif
