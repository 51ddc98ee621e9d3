/*
 * select.h - which tables of a snapshot people mean.
 *
 * Names are read as SQL writes them: TABLE or SCHEMA.TABLE; "..." or `...` holds
 * any bytes, the mark itself doubled. Without quotes a name means the one that is
 * spelled like it, or its lower-case form; when both exist it has to be quoted. A
 * TABLE without schema must be in one schema only.
 *
 *     struct select_known known = { items, nitems, schemas, nschemas };
 *     rc = select_tables(sel, &known, wanted, err);      // wanted[i] for items[i]
 *
 * Errors are E_NOT_FOUND with the nearest name there is, and E_USAGE for what is
 * no name or means several. Whole names: there are no patterns.
 */
#ifndef COMMON_ENGINE_SELECT_H
#define COMMON_ENGINE_SELECT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/engine/engine.h"

struct select_item {
    const char *schema;
    const char *name;
};

struct select_known {
    const struct select_item *items;
    size_t nitems;
    const char *const *schemas; /* that may be named although no item is in them */
    size_t nschemas;
};

/* False for NULL and for a selection of a whole database. */
bool select_is_partial(const struct engine_selection *sel);
/* Sets wanted[0..nitems): all of them when nothing is selected. */
int select_tables(const struct engine_selection *sel, const struct select_known *known, bool *wanted,
                  struct error *err);
/* The one table that is selected. */
int select_table(const struct engine_selection *sel, const struct select_known *known, size_t *index,
                 struct error *err);
/* True when the selection names this schema; for what a schema holds besides tables. */
bool select_has_schema(const struct engine_selection *sel, const char *schema);
/* sel->database among n names; without one the only name there is. */
int select_database(const struct engine_selection *sel, const char *const *names, size_t n, size_t *index,
                    struct error *err);

/* The name of something new, as SQL reads it: without quotes in lower case. *schema is NULL for a name alone. For free(). */
int select_new_name(const char *text, char **schema, char **name, struct error *err);
/* As people may write it back: quoted where it must be, printable. schema NULL: none. For free(). */
char *select_text(const char *schema, const char *name, struct error *err);

#endif
