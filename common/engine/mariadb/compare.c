/* Is what stands in the target what was backed up? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/fact.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/engine/mariadb/restore.h"
#include "common/engine/name.h"

#include "common/base/banned.h"

enum { BLOCK = 1 << 18, LIST_MAX = 600 };

static int read_table(struct maria_crew *crew, struct maria *c, struct maria_load *l, struct error *err)
{
    struct maria_table now = l->t; /* borrows its names */
    char shown[200];
    uint8_t *block = mem_alloc(1, BLOCK, err);
    struct source *s =
        block != NULL ? maria_rows_source(c, &now, crew->t->goal.database, crew->p->seed, err) : NULL;
    int64_t n = s != NULL ? 1 : maria_failed(err);
    while (n > 0)
        n = source_read(s, block, BLOCK, err);
    source_free(s);
    free(block);
    /* A drill tells everything that differs, and this is the most of all. */
    if (n == E_RETRY && !c->broken && crew->p->target->check != NULL) {
        error_clear(err);
        (void)snprintf(l->fingerprint_now, sizeof l->fingerprint_now, "no table with these columns");
        return 0;
    }
    if (n < 0)
        return error_wrap(err, "compare table %s", str_printable(shown, sizeof shown, l->t.name));
    l->rows_now = now.rows;
    memcpy(l->fingerprint_now, now.fingerprint, sizeof now.fingerprint);
    return 0;
}

/* One comparison, to the target's check() or, when it differs, to the list. Takes the text. */
static int judged(const struct maria_plan *p, const struct engine_check *check, struct vec *list, char *text,
                  struct error *err)
{
    int rc = 0;
    if (p->target->check != NULL)
        rc = p->target->check(check, p->target->drill_arg, err);
    else if (check->differs)
        rc = text != NULL ? names_add(list, text, err) : E_NOMEM;
    free(text);
    return rc;
}

static int judge(const struct maria_plan *p, struct vec *list, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < p->loads.len; i++) {
        const struct maria_load *l = vec_at(&p->loads, i);
        char expected[FINGERPRINT_TEXT_MAX + 64];
        char found[FINGERPRINT_TEXT_MAX + 64];
        if (!str_starts(l->t.fingerprint, FINGERPRINT_METHOD ":"))
            return error_set(err, E_UNSUPPORTED,
                             "the fingerprint of %s is of a kind that this program does not know", l->stream);
        const struct engine_target *t = p->target;
        const char *masked = t->masked != NULL ? t->masked(l->stream, t->drill_arg) : NULL;
        const char *sum = masked != NULL ? masked : l->t.fingerprint;
        bool rows = l->rows_now == l->t.rows;
        struct engine_check check = { .kind = "table",
                                      .name = masked != NULL ? "rows and fingerprint, as masked"
                                                             : "rows and fingerprint",
                                      .subject = l->t.name,
                                      .differs = !rows || strcmp(l->fingerprint_now, sum) != 0,
                                      .expected = expected,
                                      .found = found };
        (void)snprintf(expected, sizeof expected, "%llu rows, %s", (unsigned long long)l->t.rows, sum);
        (void)snprintf(found, sizeof found, "%llu rows, %s", (unsigned long long)l->rows_now,
                       l->fingerprint_now);
        char *text = !check.differs ? NULL
                     : rows         ? str_printf(err, "%s (other contents)", l->t.name)
                                    : str_printf(err, "%s (%llu rows, backed up were %llu)", l->t.name,
                                                 (unsigned long long)l->rows_now, (unsigned long long)l->t.rows);
        rc = judged(p, &check, list, text, err);
    }
    return rc;
}

static int judge_count(const struct maria_plan *p, const char *kind, uint64_t now, struct vec *list,
                       struct error *err)
{
    char texts[2][32];
    uint64_t expected = 0;
    if (!fact_number(p->code_facts, kind, &expected))
        return error_corrupt(err, ERR_MARIA_FACTS, "code.sql has no fact \"%s\"", kind);
    struct engine_check check = { .kind = "objects",
                                  .name = "objects",
                                  .subject = kind,
                                  .differs = now != expected,
                                  .expected = texts[0],
                                  .found = texts[1] };
    (void)snprintf(texts[0], sizeof texts[0], "%llu", (unsigned long long)expected);
    (void)snprintf(texts[1], sizeof texts[1], "%llu", (unsigned long long)now);
    return judged(
        p, &check, list,
        check.differs ? str_printf(err, "%s (%s, backed up were %s)", kind, texts[1], texts[0]) : NULL, err);
}

/* Where something was left out, or was there before, the counts must differ. */
static int judge_code(struct maria_target *t, const struct maria_plan *p, struct vec *list, struct error *err)
{
    uint64_t counts[MARIA_COUNTS] = { 0 };
    char left_out[8];
    if (p->partial || p->target->into_nonempty ||
        fact_get(p->schema_facts, "excluded", left_out, sizeof left_out))
        return 0;
    int rc = maria_count_code(&t->c, t->goal.database, counts, err);
    for (size_t i = 0; rc == 0 && i < MARIA_COUNTS; i++)
        rc = judge_count(p, maria_counts[i], counts[i], list, err);
    return rc;
}

static int told(const struct maria_plan *p, struct error *err)
{
    char n[2][NUMBER_TEXT_MAX];
    uint64_t rows = 0;
    for (size_t i = 0; i < p->loads.len; i++)
        rows += ((struct maria_load *)vec_at(&p->loads, i))->t.rows;
    if (p->target->checked == NULL)
        return 0;
    return buf_printf(p->target->checked, err, "rows and fingerprints of %s %s equal (%s %s)",
                      count_format(n[0], p->loads.len), plural(p->loads.len, "table", "tables"),
                      count_format(n[1], rows), plural(rows, "row", "rows"));
}

int maria_compare(struct maria_target *t, struct maria_plan *p, struct error *err)
{
    struct maria_crew crew = { .t = t, .p = p, .work = read_table };
    struct vec list = VEC_OF(char *);
    char text[LIST_MAX];
    int rc = maria_crew_run(&crew, err);
    if (rc == 0)
        rc = judge(p, &list, err);
    if (rc == 0)
        rc = judge_code(t, p, &list, err);
    if (rc == 0)
        rc = maria_compare_definitions(t, p, err);
    if (rc == 0)
        rc = maria_compare_values(t, p, err);
    if (rc == 0 && list.len > 0)
        rc = error_corrupt(err, ERR_MARIA_DIFFER, "%s: what was loaded is not what was backed up: %s",
                           t->c.where, names_text(&list, text, sizeof text));
    names_free(&list);
    return rc == 0 ? told(p, err) : rc;
}
