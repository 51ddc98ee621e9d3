/*
 * mask.h - masked drills: what nobody is to see is replaced while it is loaded; not for others than the files of a drill.
 *
 *     rc = drill_mask_begin(d, err);         // without `mask` in the configuration everything here does nothing
 *     target.defined = drill_mask_defined;   // servers: the tables are there. The rules become columns, or an error
 *     target.masked = drill_mask_sum;
 *     source = drill_mask_rows(d, stream, source, err);     // each stream that is opened
 *     rc = drill_mask_finish(d, err);        // SQLite: the file is masked now. Then the proof, as checks and in the result
 *     drill_mask_free(d);
 *
 * A rule that fits no column is an error, and so is one that the column cannot follow: a leak must not come from a
 * mistake in writing. Whoever is to be given the database asks drill_mask_may_show() first.
 */
#ifndef RESTORE_DRILL_MASK_H
#define RESTORE_DRILL_MASK_H

#include "common/engine/mask.h"
#include "restore/drill/internal.h"

struct drill_mask {
    struct mask_hash *hash;
    struct vec tables; /* struct mask_table */
    uint64_t seed;     /* of the fingerprints */
    bool resolved;     /* the rules are columns */
    bool proven;       /* no original value is left */
    struct error why;  /* the rules do not fit; code 0: they do */
};

int drill_mask_begin(struct drill *d, struct error *err);
int drill_mask_defined(void *drill, struct error *err);
const char *drill_mask_sum(const char *stream, void *drill);
/* Takes the source, also when it fails; NULL in is NULL out. */
struct source *drill_mask_rows(struct drill *d, const char *stream, struct source *s, struct error *err);
int drill_mask_finish(struct drill *d, struct error *err);
void drill_mask_free(struct drill *d);
/* Nothing is masked, or all of it is, and that was looked at. */
bool drill_mask_may_show(const struct drill *d);
/* The database did not take masked rows: that says nothing about the backup. */
bool drill_mask_blamed(const struct drill *d);
/* The rules do not fit the database: why. NULL: they do. */
const struct error *drill_mask_misfit(const struct drill *d);

/* mask_pick.c: the columns that the rules name, into m->tables. */
int drill_mask_pick(struct drill *d, struct error *err);

/* mask_sql.c: one of the columns that there are. Texts are borrowed for the call. */
struct mask_found {
    const char *schema; /* or NULL */
    const char *table;
    const char *full; /* what rules are compared with: also by the name of a table that it is a part of */
    const char *column;
    const char *table_sql;
    const char *column_sql;
    const char *type;
    bool text;       /* it can hold a hash */
    size_t room;     /* characters; 0: no limit */
    bool blanks;     /* char(n) */
    bool not_null;   /* or part of a primary key */
    const char *why; /* it cannot be masked; or NULL */
    bool constant;   /* a constant can be written for it */
};
typedef int mask_found_fn(const struct mask_found *f, void *arg, struct error *err);
int drill_mask_columns(const struct drill *d, mask_found_fn *fn, void *arg, struct error *err);
/* The constant as this column gives it back, for free(): refuses what it cannot hold. */
int drill_mask_constant(const struct drill *d, const struct mask_found *f, const char *text, char **out,
                        struct error *err);
/* How many values of the column are neither null nor what the mask puts there. */
int drill_mask_remaining(const struct drill *d, const struct mask_table *t, const struct mask_column *c,
                         uint64_t *out, struct error *err);
/* What stands in the database besides columns and may hold copies, each as a check. */
int drill_mask_copies(struct drill *d, struct error *err);

#endif
