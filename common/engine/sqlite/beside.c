/* A restore into a new file next to the live one. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/str.h"
#include "common/engine/sqlite/internal.h"
#include "common/engine/sqlite/swap.h"

#include "common/base/banned.h"

enum { WORD_MAX = 4096 };

static int live_of(const struct engine_target *t, char **live, struct error *err)
{
    struct stat st;
    *live = sqlite_real_path(t->to, err);
    if (*live == NULL)
        return err != NULL && err->code < 0 ? err->code : E_NOMEM;
    if (lstat(*live, &st) < 0) {
        (void)error_sys(err, "%s", *live);
        return error_wrap(
            err, "there is no live database to restore beside; without --beside the file gets this name");
    }
    if (!S_ISREG(st.st_mode))
        return error_set(err, E_USAGE, "%s is no regular file, so it cannot be the live database", *live);
    if (geteuid() != 0 && geteuid() != st.st_uid)
        return error_set(
            err, E_DENIED,
            "%s belongs to another user (uid %u), to whom the restored one could not be given: run this as "
            "him or as root",
            *live, (unsigned)st.st_uid);
    return 0;
}

int sqlite_look_any(const struct engine_target *target, struct error *err)
{
    char *live = NULL;
    if (!target->beside)
        return sqlite_look(target, err);
    int rc = live_of(target, &live, err);
    free(live);
    return rc;
}

static int count(const char *name, uint64_t len, const char *facts, void *arg, struct error *err)
{
    (void)name;
    (void)len;
    (void)facts;
    (void)err;
    ++*(size_t *)arg;
    return 0;
}

static int answer(const struct engine_target *t, const char *made, const char *live, struct error *err)
{
    char word[WORD_MAX];
    int rc = t->made != NULL ? buf_append(t->made, made, strlen(made) + 1, err) : 0;
    if (rc == 0 && t->drop != NULL)
        rc = buf_printf(t->drop, err, "rm %s", str_shell_word(word, sizeof word, made));
    if (rc == 0 && t->drop != NULL)
        rc = buf_append(t->drop, "", 1, err);
    if (rc == 0 && t->checked != NULL)
        rc = buf_printf(t->checked, err, "%sowner and permissions equal to those of %s",
                        t->checked->len > 0 ? ", " : "", live);
    return rc;
}

int sqlite_restore_any(const struct engine_streams *streams, const struct engine_target *target,
                       struct error *err)
{
    struct engine_target inner = *target;
    size_t streams_in = 0;
    char *live = NULL;
    char *made = NULL;
    if (!target->beside)
        return sqlite_restore(streams, target, err);
    int rc = live_of(target, &live, err);
    if (rc == 0)
        rc = streams->each(streams->arg, count, &streams_in, err);
    if (rc == 0 && streams_in != 1 && (target->select == NULL || target->select->database == NULL))
        rc = error_set(err, E_USAGE,
                       "the snapshot holds %zu databases, and one is restored beside a live one at a time",
                       streams_in);
    if (rc == 0 && (made = sqlite_beside_name(live, SQLITE_BESIDE, err)) == NULL)
        rc = err != NULL && err->code < 0 ? err->code : E_NOMEM;
    if (rc == 0) {
        inner.beside = false;
        inner.to = made;
        rc = sqlite_restore(streams, &inner, err);
    }
    if (rc == 0 && (rc = sqlite_own_like(made, live, err)) < 0)
        rc = error_wrap(err, "%s is restored and whole", made);
    if (rc == 0)
        rc = answer(target, made, live, err);
    free(live);
    free(made);
    return rc;
}
