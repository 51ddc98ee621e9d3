/* What people said when they decided: notes of the retention log. */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backupd/retention/judge_internal.h"
#include "common/base/fact.h"
#include "common/base/str.h"

#include "common/base/banned.h"

/* ---- writing ------------------------------------------------------------------------------------------- */

static bool is_line(const char *text)
{
    return text[0] != '\0' && utf8_valid(text, strlen(text)) && strpbrk(text, "\r\n") == NULL;
}

char *judge_note(const struct cli_context *cli, const char *what, const char *until, struct error *err)
{
    const char *reason = cli_text(cli, "reason");
    const char *by = cli_text(cli, "by");
    const struct passwd *account = by == NULL ? getpwuid(getuid()) : NULL;
    if (reason == NULL) {
        (void)error_set(err, E_USAGE, "say why: --reason TEXT is kept in the retention log");
        return NULL;
    }
    if (by == NULL)
        by = account != NULL ? account->pw_name : "unknown";
    if (!is_line(reason) || !is_line(by) || strlen(reason) + strlen(by) + 200 > PRUNE_NOTE_MAX) {
        (void)error_set(err, E_USAGE,
                        "--reason and --by are one line of UTF-8 each, %d bytes together at most",
                        PRUNE_NOTE_MAX - 200);
        return NULL;
    }
    return str_printf(err, "what=%s\nby=%s\n%s%s%sreason=%s\n", what, by, until != NULL ? "until=" : "",
                      until != NULL ? until : "", until != NULL ? "\n" : "", reason);
}

/* ---- reading ------------------------------------------------------------------------------------------- */

/* The last retention record that held it, or NULL. */
static const struct repo_retention *held_by(const struct repo *repo, const struct prune_snapshot *s)
{
    for (size_t k = repo->retention.len; k-- > 0;) {
        const struct repo_retention *r = vec_at(&repo->retention, k);
        for (size_t i = 0; i < r->rec.ops.len; i++) {
            const struct retention_op *op = vec_at(&r->rec.ops, i);
            if (op->op == RETENTION_HOLD && op->seq == s->seq &&
                memcmp(op->writer, s->writer->id, WRITER_ID_LEN) == 0)
                return r;
        }
    }
    return NULL;
}

/* Its note as text that ends with NUL; false when there is none that can be read. */
static bool read_note(const struct judge *j, const struct repo_retention *r, struct buf *out)
{
    char name[NAME_TEXT_MAX];
    struct buf bytes = BUF_INIT;
    struct error why = ERROR_INIT;
    bool good = r->rec.has_note &&
                backend_read_all(j->backend, name_retention(name, r->rec.seq, r->attempt), RECORD_MAX, &bytes,
                                 &why) == 0 &&
                retention_note(bytes.data, bytes.len, j->keys.v, out, &why) == 0 &&
                buf_append(out, "", 1, &why) == 0;
    buf_free(&bytes);
    return good;
}

const char *judge_hold_text(const struct judge *j, size_t i, char out[JUDGE_HOLD_MAX], bool *overdue)
{
    const struct repo_retention *r = held_by(prune_repo(j->prune), judge_snapshot(j, i));
    struct buf note = BUF_INIT;
    char by[128], until[32], reason[200];
    char today[JUDGE_DATE_MAX];
    out[0] = '\0';
    *overdue = false;
    if (r != NULL && read_note(j, r, &note)) {
        const char *text = (const char *)note.data;
        bool has_by = fact_get(text, "by", by, sizeof by);
        bool has_until = fact_get(text, "until", until, sizeof until);
        bool has_reason = fact_get(text, "reason", reason, sizeof reason);
        *overdue = has_until && strcmp(until, judge_date(today, prune_time(j->prune))) < 0;
        (void)snprintf(out, JUDGE_HOLD_MAX, "%s%s%s%s%s%s", has_by ? "by " : "", has_by ? by : "",
                       has_until ? " until " : "", has_until ? until : "", has_reason ? ": " : "",
                       has_reason ? reason : "");
    }
    buf_free(&note);
    return out;
}
