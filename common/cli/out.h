/*
 * out.h - calm text for people: headings, tables, key-value blocks, colours.
 *
 * Colours are used only on a terminal, without NO_COLOR, with TERM other than
 * "dumb" and without --no-color. Widths are columns on the screen, not bytes.
 * Every text that may come from outside is made safe (str_printable) by these
 * functions: a file name cannot move the cursor.
 *
 *     struct table *t = table_new(&err);
 *     table_column(t, "snapshot", false);  table_column(t, "size", true);
 *     table_cell(t, OUT_BOLD, "%s", id);   table_cell(t, OUT_PLAIN, "%s", size);
 *     rc = table_print(t, &cli->out, &err);       // frees nothing
 *     table_free(t);
 *
 * A pairs block is a table of its own kind: pairs_new, pairs_add, table_print.
 *
 * table_* and pairs_* remember a failure; printing reports it. With a NULL
 * table they do nothing and printing says E_NOMEM.
 */
#ifndef COMMON_CLI_OUT_H
#define COMMON_CLI_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/base/error.h"

enum out_style { OUT_PLAIN, OUT_BOLD, OUT_DIM, OUT_GOOD, OUT_WARN, OUT_BAD };

struct out {
    FILE *file;
    bool colour;
};

/* colour as described above; `plain` is --no-color. */
struct out out_on(FILE *file, bool plain);
/* Columns of the terminal behind `file`, or 80. */
size_t out_width(FILE *file);

/* "text\n", bold. */
void out_heading(const struct out *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "text\n" */
void out_line(const struct out *out, enum out_style style, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The text alone; its own line ends stay, so it is not for names from outside. */
void out_text(const struct out *out, enum out_style style, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Flushes; E_IO when anything written so far got lost (a full disk, a closed pipe). */
int out_flush(const struct out *out, struct error *err);

/* Columns that a text takes on the screen. */
size_t out_columns(const char *s);

struct table;
struct table *table_new(struct error *err);
void table_column(struct table *t, const char *title, bool right);
/* The next cell, row by row. */
void table_cell(struct table *t, enum out_style style, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
size_t table_rows(const struct table *t);
int table_print(const struct table *t, const struct out *out, struct error *err);
void table_free(struct table *t);

/* A key-value block: "key:   value" with the values below each other. */
struct table *pairs_new(struct error *err);
void pairs_add(struct table *t, const char *key, enum out_style style, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
