/* --approval: shares that other people opened for a request of this station. */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/repo/approval.h"
#include "common/sys/atomic_file.h"
#include "common/sys/dirs.h"
#include "restore/station.h"

#include "common/base/banned.h"

enum { ID_SHOWN = 16, STATE_MAX = REQUEST_MAX + 256 };

int station_rid(const struct station *st, uint8_t rid[RID_LEN], struct error *err)
{
    uint8_t pk[BOX_PK_LEN];
    int rc = box_public(st->kit.r, pk, err);
    return rc < 0 ? rc : box_rid(pk, rid, err);
}

char *station_request_path(const struct station *st, const uint8_t id[HASH_LEN], struct error *err)
{
    struct error why = ERROR_INIT;
    char hex[2 * ID_SHOWN + 1];
    char *dir = station_state_dir(st, &why);
    if (dir == NULL) {
        if (why.code != 0)
            (void)error_copy(err, &why);
        else
            (void)error_set(
                err, E_USAGE,
                "the key of a request is kept on this machine, and there is no place for it: give "
                "--state DIR");
        return NULL;
    }
    hex_encode(hex, id, ID_SHOWN);
    char *path = str_printf(err, "%s/requests/%s", dir, hex);
    free(dir);
    return path;
}

/* The request that the approval is for, as this station keeps it. */
static int load_request(const struct station *st, const struct approval *a, struct secret **e_sk,
                        struct request *q, struct error *err)
{
    struct buf bytes = BUF_INIT;
    char *path = station_request_path(st, a->request_id, err);
    int rc = path != NULL ? file_read_small(path, STATE_MAX, &bytes, err) : err->code;
    if (rc == E_NOT_FOUND)
        rc = error_named(
            err, E_CONFLICT, ERR_APPROVAL_REQUEST,
            "it is for a request that was not made here, or whose key was removed (there is no %s)", path);
    rc = rc < 0 ? rc : request_state_parse(bytes.data, bytes.len, e_sk, q, err);
    buf_wipe(&bytes);
    free(path);
    return rc;
}

static int judge(const struct station *st, const struct approval *a, const struct charter_recipient **who,
                 struct error *err)
{
    uint8_t rid[RID_LEN];
    int rc = station_rid(st, rid, err);
    if (rc < 0)
        return rc;
    if (memcmp(a->repo_id, st->repo->repo_id, REPO_ID_LEN) != 0)
        return error_named(err, E_CONFLICT, ERR_APPROVAL_REQUEST, "it is for another repository");
    if (memcmp(a->requester, rid, RID_LEN) != 0)
        return error_named(err, E_CONFLICT, ERR_APPROVAL_REQUEST,
                           "it is for another person's request: it opens only with the kit that made it");
    *who = charter_recipient_find(repo_charter(st->repo), a->approver);
    if (*who == NULL)
        return error_named(err, E_CONFLICT, ERR_APPROVAL_AUTH,
                           "the newest charter does not name the person who approved");
    return 0;
}

static int read_one(struct station *st, const char *path, struct error *err)
{
    struct buf bytes = BUF_INIT;
    struct approval a;
    struct request q;
    struct secret *e_sk = NULL;
    const struct charter_recipient *who = NULL;
    char until[NUMBER_TEXT_MAX];
    request_init(&q);
    int rc = file_read_small(path, APPROVAL_MAX, &bytes, err);
    rc = rc < 0 ? rc : approval_parse(bytes.data, bytes.len, &a, err);
    rc = rc < 0 ? rc : judge(st, &a, &who, err);
    rc = rc < 0 ? rc : load_request(st, &a, &e_sk, &q, err);
    size_t before = st->opened.list.len;
    rc = rc < 0 ? rc : approval_open(&a, &q, e_sk, st->kit.r, who->pk, clock_wall(), &st->opened, err);
    if (rc == 0)
        log_event(LOG_INFO, "%s: %zu %s of %s, valid until %s", path, st->opened.list.len - before,
                  plural(st->opened.list.len - before, "share", "shares"), who->name,
                  time_format(until, a.expires));
    secret_free(e_sk);
    request_free(&q);
    buf_free(&bytes);
    return rc;
}

int station_read_approvals(struct station *st, struct error *err)
{
    for (size_t i = 0; i < cli_count(st->cli, "approval"); i++) {
        const char *path = cli_text_at(st->cli, "approval", i);
        struct error why = ERROR_INIT;
        if (!st->has_kit)
            return error_set(err, E_USAGE,
                             "--approval goes with the kit of the person who asked: give --kit FILE");
        if (read_one(st, path, &why) < 0) {
            (void)error_copy(err, &why);
            return error_wrap(err, "approval %s", path);
        }
    }
    if (st->opened.list.len != 0)
        st->opener.opened = &st->opened;
    return 0;
}
