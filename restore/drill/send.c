#include "restore/drill/send.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/access/evidence.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/repo/drill_cert.h"
#include "common/state/drills.h"
#include "common/sys/atomic_file.h"
#include "common/sys/dirs.h"

#include "common/base/banned.h"

/* Ids with a certificate in the directory, as access_evidence_ids() gives them. */
static int local_ids(const char *dir, struct vec *out, struct error *err)
{
    enum { END = sizeof EVIDENCE_CERTIFICATE - 1 };
    int rc = 0;
    DIR *d = opendir(dir);
    const struct dirent *e = NULL;
    if (d == NULL)
        return error_sys(err, "list %s", dir);
    while (rc == 0 && ((void)(errno = 0), e = readdir(d)) != NULL) {
        char id[EVIDENCE_NAME_MAX];
        size_t n = strlen(e->d_name);
        if (n <= END || n - END >= sizeof id || !str_ends(e->d_name, EVIDENCE_CERTIFICATE))
            continue;
        memcpy(id, e->d_name, n - END);
        id[n - END] = '\0';
        if (!drill_cert_id_good(id))
            continue;
        char *slot = vec_push(out, err);
        if (slot != NULL)
            memcpy(slot, id, sizeof id);
        else
            rc = E_NOMEM;
    }
    if (rc == 0 && e == NULL && errno != 0)
        rc = error_sys(err, "list %s", dir);
    (void)closedir(d);
    return rc;
}

static bool among(const struct vec *ids, const char *id)
{
    for (size_t i = 0; i < ids->len; i++)
        if (strcmp(vec_at(ids, i), id) == 0)
            return true;
    return false;
}

/* What stands there under the name is the same, or the remains of an upload that was cut: those are removed, where the account
 * may. */
static int put(struct backend *b, const char *name, const struct buf *bytes, struct error *err)
{
    struct backend_stat st;
    struct error why = ERROR_INIT;
    int rc = backend_put(b, name, bytes->data, bytes->len, &why);
    if (rc != E_EXISTS)
        return rc < 0 ? error_copy(err, &why) : 0;
    rc = backend_stat(b, name, &st, err);
    if (rc < 0 || st.size == bytes->len)
        return rc;
    rc = backend_remove(b, name, err);
    if (rc < 0)
        return error_wrap(
            err,
            "%s was sent before, but not to its end, and this account cannot remove it: remove it there with "
            "another one, and the next drill sends it",
            name);
    return backend_put(b, name, bytes->data, bytes->len, err);
}

static int send_one(struct backend *b, const char *dir, const char *id, struct error *err)
{
    static const char *const endings[] = { EVIDENCE_RESULT, EVIDENCE_PAGE,
                                           EVIDENCE_CERTIFICATE }; /* the last one last */
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof endings / sizeof endings[0]; i++) {
        char name[EVIDENCE_NAME_MAX];
        struct buf bytes = BUF_INIT;
        char *path = path_join(dir, evidence_name(name, id, endings[i]), err);
        rc = path != NULL ? file_read_small(path, EVIDENCE_FILE_MAX, &bytes, err) : E_NOMEM;
        if (rc == 0)
            rc = put(b, name, &bytes, err);
        buf_free(&bytes);
        free(path);
    }
    return rc;
}

static void note_sent(struct drills *d, const char *id)
{
    struct error why = ERROR_INIT;
    if (d != NULL && drills_stored(d, id, &why) < 0)
        log_event(LOG_WARN, "the list of drills does not know that %s was sent: %s", id, why.text);
}

int evidence_send(const struct conf *conf, const char *state, const char *dir, const char *id,
                  struct error *err)
{
    struct vec here = { .item = EVIDENCE_NAME_MAX };
    struct vec there = { .item = EVIDENCE_NAME_MAX };
    struct drills *d = NULL;
    char *path = path_join(state, DRILLS_FILE, NULL);
    struct backend *b = access_evidence(conf, err);
    int rc = b != NULL ? access_evidence_ids(b, &there, err) : err->code;
    if (rc == 0)
        rc = local_ids(dir, &here, err);
    if (rc == 0 && path != NULL)
        (void)drills_open(path, &d, NULL);
    if (rc == 0 && !among(&there, id)) /* this one first */
        rc = send_one(b, dir, id, err);
    if (rc == 0)
        note_sent(d, id);
    for (size_t i = 0; rc == 0 && i < here.len; i++) {
        const char *other = vec_at(&here, i);
        struct error why = ERROR_INIT;
        if (strcmp(other, id) == 0 || among(&there, other))
            continue;
        if (send_one(b, dir, other, &why) < 0)
            log_event(LOG_WARN, "the drill %s is not in the evidence location yet: %s", other, why.text);
        else
            note_sent(d, other);
    }
    drills_close(d);
    backend_close(b);
    vec_free(&here);
    vec_free(&there);
    free(path);
    return rc;
}
