/* What the job's patterns kept out of a snapshot: no restore can bring it back, so it is told. */
#include <stdio.h>
#include <string.h>

#include "common/base/fact.h"
#include "common/base/number.h"
#include "common/engine/postgres/restore.h"

#include "common/base/banned.h"

enum { LIST_MAX = 400, TEXT_MAX = 600, KEY_MAX = 64 };

/* "SCHEMA/TABLE,..." of the fact as "SCHEMA.TABLE, ...", cut; names stay as `restore ls` spells them. Returns how many. */
static uint64_t names_of(const char *facts, const char *key, char list[LIST_MAX])
{
    char value[LIST_MAX - LIST_MAX / 4];
    char omitted[KEY_MAX];
    uint64_t n = 0;
    size_t used = 0;
    (void)snprintf(omitted, sizeof omitted, "%s_omitted", key); /* too many for a list */
    list[0] = '\0';
    if (fact_number(facts, omitted, &n) || !fact_get(facts, key, value, sizeof value))
        return n;
    for (const char *at = value; *at != '\0' && used + sizeof " and more" + 2 < LIST_MAX; at++) {
        n += *at == ',' ? 1 : 0;
        list[used++] = *at == '/' ? '.' : *at;
        if (*at == ',')
            list[used++] = ' ';
    }
    bool cut = strlen(value) == sizeof value - 1;
    (void)snprintf(list + used, LIST_MAX - used, "%s", cut ? "..." : "");
    return n + 1;
}

void pgsql_absent(const struct pgsql_plan *p, pgsql_absent_fn *fn, void *arg)
{
    char list[LIST_MAX];
    char text[TEXT_MAX];
    char count[NUMBER_TEXT_MAX];
    uint64_t all = 0;
    if (p->partial || p->target->data_only)
        return;
    uint64_t n = names_of(p->schema_facts, "tables_left_out", list);
    if (fact_number(p->schema_facts, PGSQL_LEFT_OUT_FACT, &all) && (n > 0 || all > 0)) {
        all = n > all ? n : all;
        (void)snprintf(text, sizeof text, "not in the snapshot, as the job's patterns said: %s %s%s%s",
                       count_format(count, all), plural(all, "object", "objects"),
                       list[0] != '\0' ? ", " : "", list);
        fn(text, arg);
    }
    n = names_of(p->schema_facts, "rows_left_out", list);
    if (n > 0) {
        (void)snprintf(text, sizeof text, "without rows, as the job's patterns said: %s %s%s%s",
                       count_format(count, n), plural(n, "table", "tables"), list[0] != '\0' ? ", " : "",
                       list);
        fn(text, arg);
    }
}
