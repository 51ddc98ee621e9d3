/*
 * html.h - pages for people, written so that nothing from outside can become markup.
 *
 *     struct html h = HTML_INIT;
 *     html_open(&h, "td");
 *     html_attr(&h, "class", "bad");             // between open and the first content
 *     html_textf(&h, "%s: %zu runs", job, n);    // escaped as a whole
 *     html_close(&h);                            // </td>
 *     html_element(&h, "th", NULL, "job");       // the three in one
 *     rc = html_finish(&h, &page, err);          // everything closed; page is taken over
 *     html_free(&h);
 *
 * Text and values of attributes are escaped, always: & < > " ' as entities; control characters, bytes that are not UTF-8
 * and characters that turn the direction of writing around are shown as the text \xHH or \uHHHH. The only way past this
 * is html_trusted, for constants of the program. Names of elements and attributes are constants ([A-Za-z0-9:-]); there is
 * no way to write a script, an event handler, a style attribute or a link that leaves this server: these are refused.
 *
 * Elements close in the order in which they were opened, so the result is well-formed (also as XML, but for the void
 * elements of HTML). Coordinates are printed with two decimals and a point, whatever the locale.
 *
 * A failure (no memory, more than HTML_DEPTH_MAX open elements, a close too many, a name that is refused) is remembered and
 * reported by html_finish; everything in between may be called without looking. Not thread-safe.
 */
#ifndef COMMON_TEXT_HTML_H
#define COMMON_TEXT_HTML_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buffer.h"
#include "common/base/error.h"

enum { HTML_DEPTH_MAX = 32, HTML_TEXTF_MAX = 8192 };

struct html {
    struct buf out;
    struct error why; /* the first failure; code 0: none */
    const char *open[HTML_DEPTH_MAX];
    size_t depth;
    bool in_tag; /* ">" of the start tag is not written yet */
};

#define HTML_INIT                                      \
    {                                                  \
        .out = BUF_INIT, .why = ERROR_INIT, .depth = 0 \
    }

void html_open(struct html *h, const char *name);
void html_attr(struct html *h, const char *name, const char *value);
/* The formatted value is cut at HTML_TEXTF_MAX bytes; the same for html_textf. */
void html_attrf(struct html *h, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void html_attr_coord(struct html *h, const char *name, double value);
void html_text(struct html *h, const char *text);
void html_textf(struct html *h, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Ends the element that was opened last. */
void html_close(struct html *h);
/* <name class="cls">text</name>; cls and text may be NULL. */
void html_element(struct html *h, const char *name, const char *cls, const char *text);
/* Written as it is: only for constants of the program (the doctype, a style sheet). */
void html_trusted(struct html *h, const char *markup);

/* Appends the page to out. E_INTERNAL when an element is still open or a call above was refused. */
int html_finish(struct html *h, struct buf *out, struct error *err);
void html_free(struct html *h);

/* Appends `text` escaped as above. */
int html_escape(struct buf *out, const char *text, struct error *err);

#endif
