#include "common/engine/mariadb/swap.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/str.h"
#include "common/engine/mariadb/sql.h"
#include "common/engine/stamp.h"

#include "common/base/banned.h"

enum { STEP_MAX = 1500, WORD_MAX = 400, NAME_MAX_BYTES = 64 * 4 };

struct steps {
    engine_plan_fn *fn;
    void *arg;
    int n;
};

static void step(struct steps *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void step(struct steps *s, const char *fmt, ...)
{
    char text[STEP_MAX];
    char shown[STEP_MAX];
    va_list args;
    int used = snprintf(text, sizeof text, "%d. ", ++s->n);
    va_start(args, fmt);
    (void)vsnprintf(text + used, sizeof text - (size_t)used, fmt, args);
    va_end(args);
    s->fn(PLAN_NOTE, str_printable(shown, sizeof shown, text), NULL, s->arg);
}

/* The database of NAME or mariadb://.../NAME?... as it is written there. */
static int name_in(const char *to, char out[NAME_MAX_BYTES], struct error *err)
{
    const char *scheme = to != NULL ? strstr(to, "://") : NULL;
    const char *slash = scheme != NULL ? strchr(scheme + 3, '/') : NULL;
    const char *from = slash != NULL ? slash + 1 : to;
    size_t len = from == NULL ? 0 : scheme != NULL ? strcspn(from, "?") : strlen(from);
    if (len == 0 || len >= NAME_MAX_BYTES || (scheme != NULL && slash == NULL))
        return error_set(err, E_USAGE, "--to must name the live database, --from the restored one");
    (void)snprintf(out, NAME_MAX_BYTES, "%.*s", (int)len, from);
    return 0;
}

static void tell(struct steps *s, const char *live, const char *fresh, const char *quoted_live,
                 const char *quoted_kept, const char *kept)
{
    char old[WORD_MAX];
    char new[WORD_MAX];
    char aside[WORD_MAX];
    (void)str_shell_word(old, sizeof old, live);
    (void)str_shell_word(new, sizeof new, fresh);
    (void)str_shell_word(aside, sizeof aside, kept);
    s->fn(
        PLAN_NOTE,
        "the quick way: tell the application the other name. Rights go by the name of the database: repeat what SHOW "
        "GRANTS says for its accounts with the new one",
        NULL, s->arg);
    s->fn(PLAN_NOTE, "the way that keeps the name copies the data twice:", NULL, s->arg);
    step(s, "stop the application (SHOW PROCESSLIST names who is connected)");
    step(s, "SHOW CREATE DATABASE %s; and note its character set and collation for the next steps",
         quoted_live);
    step(s, "CREATE DATABASE %s CHARACTER SET ... COLLATE ...;", quoted_kept);
    step(
        s,
        "set -o pipefail; mariadb-dump --single-transaction --routines --events --triggers -- %s | mariadb -- %s   and "
        "compare a few counts: this is the way back",
        old, aside);
    step(s, "DROP DATABASE %s; CREATE DATABASE %s CHARACTER SET ... COLLATE ...;", quoted_live, quoted_live);
    step(
        s,
        "set -o pipefail; mariadb-dump --single-transaction --routines --events --triggers -- %s | mariadb -- %s   "
        "or restore the snapshot once more, into %s, which compares every row",
        new, old, old);
    step(s, "start the application; to undo it, the last two steps again with %s", aside);
}

int maria_swap(const struct engine_swap *swap, engine_plan_fn *fn, void *arg, struct error *err)
{
    struct steps s = { .fn = fn, .arg = arg };
    char live[NAME_MAX_BYTES];
    char fresh[NAME_MAX_BYTES] = "NEW";
    char when[STAMP_MAX];
    char *quoted = NULL;
    char *aside = NULL;
    int rc = name_in(swap->live, live, err);
    if (rc == 0 && swap->fresh != NULL)
        rc = name_in(swap->fresh, fresh, err);
    if (rc < 0)
        return rc;
    char *kept = str_printf(err, "%.30s_before_restore_%s", live, stamp_name(when, clock_wall()));
    if (kept != NULL && (quoted = maria_quoted_text(live, err)) != NULL &&
        (aside = maria_quoted_text(kept, err)) != NULL) {
        tell(&s, live, fresh, quoted, aside, kept);
        rc = error_set(
            err, E_UNSUPPORTED,
            "MariaDB has no statement that renames a database, so this is not done in one step; nothing was "
            "changed, the steps are above");
    } else {
        rc = E_NOMEM;
    }
    free(quoted);
    free(aside);
    free(kept);
    return rc;
}
