/* What this station has seen before (marks), and what people noted elsewhere (receipts). */
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/sys/dirs.h"
#include "common/sys/filelock.h"
#include "restore/station.h"

#include "common/base/banned.h"

enum { RECEIPT_MAX = 2 * HASH_LEN, LOCK_MS = 10000 };

/* NULL without err: nothing is kept. */
char *station_state_dir(const struct station *st, struct error *err)
{
    const char *given = cli_text(st->cli, "state");
    if (given != NULL)
        return str_dup(given, err);
    if (st->repository == NULL)
        return NULL;
    return str_printf(err, "%s/restore/%s", st->conf->state, st->repository->name);
}

int station_load_marks(struct station *st, struct error *err)
{
    char *dir = station_state_dir(st, err);
    if (dir == NULL)
        return cli_given(st->cli, "state") || st->repository != NULL ? E_NOMEM : 0;
    st->marks_path = path_join(dir, "marks", err);
    free(dir);
    if (st->marks_path == NULL)
        return E_NOMEM;
    struct error why = ERROR_INIT;
    int rc = marks_load(st->marks_path, &st->marks, &why);
    if (rc == E_NOT_FOUND) {
        st->first_time = true;
        return 0;
    }
    if (rc == E_DENIED) { /* what cannot be read must not be replaced either: it may hold higher marks */
        log_event(LOG_WARN, "a rollback of the storage would not be noticed: %s", why.text);
        free(st->marks_path);
        st->marks_path = NULL;
        return 0;
    }
    if (rc < 0) {
        (void)error_copy(err, &why);
        return error_wrap(err, "marks of this station (check a receipt with --expect, then remove the file)");
    }
    if (memcmp(st->marks.repo_id, st->root.repo_id, REPO_ID_LEN) != 0)
        return error_set(
            err, E_CONFLICT,
            "the kit (or root key) is of another repository than the one this station knows by this "
            "name (%s): name its own kit with --kit, or, when the kit is right, give each repository "
            "its own --state directory",
            st->marks_path);
    return 0;
}

/* Under a lock, and read again: another run may have raised them meanwhile, and they must not fall. */
static int save_marks(struct station *st, struct error *err)
{
    struct error why = ERROR_INIT;
    struct filelock *lock = NULL;
    char *lock_path = NULL;
    char *dir = path_dir(st->marks_path, err);
    int rc = dir != NULL ? dir_make_private(dir, err) : E_NOMEM;
    if (rc == 0) {
        lock_path = path_join(dir, "lock", err);
        lock = lock_path != NULL ? filelock_wait(lock_path, LOCK_MS, err) : NULL;
        rc = lock != NULL ? 0 : err->code;
    }
    if (rc == 0) {
        marks_free(&st->marks);
        rc = marks_load(st->marks_path, &st->marks, &why);
        rc = rc == E_NOT_FOUND ? 0 : rc < 0 ? error_copy(err, &why) : rc;
    }
    rc = rc < 0 ? rc : repo_marks_raise(st->repo, &st->marks, err);
    rc = rc < 0 ? rc : marks_save(st->marks_path, &st->marks, err);
    filelock_free(lock);
    free(lock_path);
    free(dir);
    return rc;
}

void station_settle(struct station *st, bool good)
{
    struct error why = ERROR_INIT;
    if (!good || st->alarms != 0 || st->cli->exit_code != 0 || st->marks_path == NULL)
        return;
    if (save_marks(st, &why) < 0)
        log_event(LOG_WARN, "what was seen is not remembered, so a rollback would not be noticed: %s",
                  why.text);
}

void station_report_alarms(const struct station *st)
{
    if (st->alarms != 0 && st->cli->exit_code == 0)
        st->cli->exit_code = CLI_EXIT_DIFFERS;
}

/* ---- receipts ------------------------------------------------------------------------------------------ */

static bool receipt_valid(const char *s)
{
    size_t len = strlen(s);
    return len >= RECEIPT_LEN && len <= RECEIPT_MAX && strspn(s, "0123456789abcdef") == len;
}

static const struct repo_record *record_of(const struct repo *repo, const char *receipt, size_t *newer)
{
    for (size_t i = 0; i < repo->writers.len; i++) {
        const struct repo_writer *w = vec_at(&repo->writers, i);
        for (size_t n = w->records.len; n > 0; n--) {
            const struct repo_record *r = vec_at(&w->records, n - 1);
            char hex[RECEIPT_MAX + 1];
            hex_encode(hex, r->hash, HASH_LEN);
            *newer = w->records.len - n;
            if (str_starts(hex, receipt))
                return r;
        }
    }
    return NULL;
}

/* A log that holds the record was not rolled back behind it: its chain of hashes leads there. */
int station_check_receipts(const struct station *st, struct error *err)
{
    for (size_t i = 0; i < cli_count(st->cli, "expect"); i++) {
        const char *receipt = cli_text_at(st->cli, "expect", i);
        size_t newer = 0;
        if (!receipt_valid(receipt))
            return error_set(err, E_USAGE, "--expect takes a receipt of %d lower-case hex digits",
                             RECEIPT_LEN);
        const struct repo_record *r = record_of(st->repo, receipt, &newer);
        if (r == NULL)
            return error_named(
                err, E_CONFLICT, ERR_LOG_ROLLBACK,
                "no log holds the record with receipt %s: the storage shows less than was there, or it is "
                "another repository",
                receipt);
        log_event(LOG_INFO, "receipt %s is record %u; %zu newer %s", receipt, r->rec.seq, newer,
                  plural(newer, "record follows", "records follow"));
    }
    return 0;
}
