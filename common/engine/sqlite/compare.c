/* A drill's look at a restored file: what its facts say against what is there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/fact.h"
#include "common/base/str.h"
#include "common/engine/name.h"
#include "common/engine/sqlite/restore.h"

#include "common/base/banned.h"

enum { LIST_MAX = 64 * 1024, SUBJECT_MAX = 300, NAME_SHOWN = 200 };

static int tell(const struct work *w, const struct engine_check *check, struct error *err)
{
    return w->target->check(check, w->target->drill_arg, err);
}

/* The number behind NAME: of "NAME:7,OTHER:9"; NULL when it is not listed. Not terminated. */
static const char *rows_of(const char *list, const char *name, size_t len)
{
    for (const char *at = list; *at != '\0';) {
        if (strncmp(at, name, len) == 0 && at[len] == ':')
            return at + len + 1;
        at += strcspn(at, ",");
        at += *at == ',';
    }
    return NULL;
}

static int compare_one(const struct work *w, const struct wanted *o, const char *name, size_t len,
                       const char *before, const char *now, struct error *err)
{
    char texts[2][32];
    char subject[SUBJECT_MAX];
    char shown[NAME_SHOWN];
    char *plain = name_decode(name, len, "sqlite-name", err);
    if (plain == NULL)
        return E_NOMEM;
    (void)snprintf(subject, sizeof subject, "%s%s%s", w->wanted.len > 1 ? o->name : "",
                   w->wanted.len > 1 ? ": " : "", str_printable(shown, sizeof shown, plain));
    free(plain);
    (void)snprintf(texts[0], sizeof texts[0], "%.*s rows", before != NULL ? (int)strcspn(before, ",") : 9,
                   before != NULL ? before : "no table,");
    (void)snprintf(texts[1], sizeof texts[1], "%.*s rows", now != NULL ? (int)strcspn(now, ",") : 9,
                   now != NULL ? now : "no table,");
    struct engine_check check = { .kind = "table",
                                  .name = "rows",
                                  .subject = subject,
                                  .differs = strcmp(texts[0], texts[1]) != 0,
                                  .expected = texts[0],
                                  .found = texts[1] };
    return tell(w, &check, err);
}

/* Every table of one list; of the second only those that the first has not. */
static int compare_list(const struct work *w, const struct wanted *o, const char *list, const char *other,
                        bool first, struct error *err)
{
    int rc = 0;
    for (const char *at = list; rc == 0 && *at != '\0';) {
        size_t len = strcspn(at, ":,");
        const char *there = rows_of(other, at, len);
        const char *here = at[len] == ':' ? at + len + 1 : NULL;
        if (first)
            rc = compare_one(w, o, at, len, here, there, err);
        else if (there == NULL)
            rc = compare_one(w, o, at, len, NULL, here, err);
        at += strcspn(at, ",");
        at += *at == ',';
    }
    return rc;
}

static int compare_rows(const struct work *w, const struct wanted *o, const char *now, struct error *err)
{
    char *lists = mem_alloc(2, LIST_MAX, err);
    int rc = lists != NULL ? 0 : E_NOMEM;
    bool known = rc == 0 && fact_get(o->facts, "table_rows", lists, LIST_MAX);
    if (known) {
        (void)fact_get(now, "table_rows", lists + LIST_MAX, LIST_MAX);
        rc = compare_list(w, o, lists, lists + LIST_MAX, true, err);
        rc = rc == 0 ? compare_list(w, o, lists + LIST_MAX, lists, false, err) : rc;
    }
    free(lists);
    return rc;
}

static int compare_fact(const struct work *w, const char *before, const char *now, const char *key,
                        const char *name, const char *kind, struct error *err)
{
    char texts[2][128] = { "", "none" };
    if (!fact_get(before, key, texts[0], sizeof texts[0]))
        return 0;
    (void)fact_get(now, key, texts[1], sizeof texts[1]);
    struct engine_check check = { .kind = kind,
                                  .name = name,
                                  .differs = strcmp(texts[0], texts[1]) != 0,
                                  .expected = texts[0],
                                  .found = texts[1] };
    return tell(w, &check, err);
}

int sqlite_compare(const struct work *w, const struct wanted *o, const char *file, struct error *err)
{
    struct guard g = { .why = ERROR_INIT };
    struct buf now = BUF_INIT;
    sqlite3 *db = NULL;
    int sq = sqlite3_open_v2(file, &db, SQLITE_OPEN_READONLY, NULL);
    if (sq == SQLITE_OK)
        sqlite_distrust(db);
    if (sq == SQLITE_OK)
        sqlite3_progress_handler(db, 100000, sqlite_guard_stops, &g);
    int rc = sq == SQLITE_OK ? sqlite_contents_facts(db, file, &now, err) : sqlite_error(err, db, sq, file);
    rc = rc == 0 ? buf_append(&now, "", 1, err) : rc;
    const char *facts = rc == 0 ? (const char *)now.data : "";
    if (rc == 0)
        rc = compare_fact(w, o->facts, facts, "objects", "number of tables, indexes, triggers and views",
                          "objects", err);
    if (rc == 0)
        rc = compare_fact(w, o->facts, facts, "schema", "all definitions", "definitions", err);
    if (rc == 0)
        rc = compare_fact(w, o->facts, facts, "rows", "rows of all tables", "table", err);
    if (rc == 0)
        rc = compare_rows(w, o, facts, err);
    (void)sqlite3_close(db);
    buf_free(&now);
    return rc;
}
