/* What a snapshot has not, because its job left it out: no restore can bring it back, so it is told. */
#include <stdio.h>

#include "common/base/fact.h"
#include "common/base/number.h"
#include "common/engine/mariadb/restore.h"
#include "common/engine/name.h"

#include "common/base/banned.h"

enum { LIST_MAX = 400, TEXT_MAX = 600, KEY_MAX = 64 };

static int tell(const char *facts, const char *key, const char *what, const char *const of[2],
                maria_absent_fn *fn, void *arg, struct error *err)
{
    char omitted[KEY_MAX];
    char yes[8];
    char list[LIST_MAX];
    char count[NUMBER_TEXT_MAX];
    char text[TEXT_MAX];
    struct vec names = VEC_OF(char *);
    (void)snprintf(omitted, sizeof omitted, "%s_omitted", key); /* too many for a list */
    bool many = fact_get(facts, omitted, yes, sizeof yes);
    int rc = many ? 0 : names_of_fact(facts, key, ERR_MARIA_NAME, &names, err);
    if (rc == 0 && many)
        (void)snprintf(text, sizeof text, "%s: %s, too many to name", what, of[1]);
    else if (rc == 0 && names.len > 0)
        (void)snprintf(text, sizeof text, "%s: %s %s, %s", what, count_format(count, names.len),
                       plural(names.len, of[0], of[1]), names_text(&names, list, sizeof list));
    if (rc == 0 && (many || names.len > 0))
        fn(text, arg);
    names_free(&names);
    return rc;
}

int maria_absent(const struct maria_plan *p, maria_absent_fn *fn, void *arg, struct error *err)
{
    static const char *const objects[] = { "object", "objects" };
    static const char *const tables[] = { "table", "tables" };
    if (p->partial)
        return 0;
    int rc = tell(p->schema_facts, "excluded", "not in the snapshot, as the job's patterns said", objects, fn,
                  arg, err);
    return rc == 0
               ? tell(p->schema_facts, "without_rows",
                      "without rows, as the job's patterns said or because their engine keeps them elsewhere",
                      tables, fn, arg, err)
               : rc;
}
