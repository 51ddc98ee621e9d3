/* Which snapshots passed a drill: by certificates that the charter's drill keys signed. */
#include <stdio.h>
#include <string.h>

#include "backupd/retention/judge_internal.h"
#include "common/access/evidence.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/repo/drill_cert.h"

#include "common/base/banned.h"

/* struct judge's vec `proven`. */
struct proof {
    uint8_t writer[WRITER_ID_LEN];
    uint8_t record[HASH_LEN];
};

bool judge_proven(const struct judge *j, const struct prune_snapshot *s)
{
    for (size_t i = 0; i < j->proven.len; i++) {
        const struct proof *p = vec_at(&j->proven, i);
        if (memcmp(p->record, s->record->hash, HASH_LEN) == 0 &&
            memcmp(p->writer, s->writer->id, WRITER_ID_LEN) == 0)
            return true;
    }
    return false;
}

/* What does not count is passed over and told: it can only keep less, and a person has to look. */
static int take(const char *id, const void *data, size_t len, void *arg, struct error *err)
{
    struct judge *j = arg;
    struct drill_cert c;
    struct error why = ERROR_INIT;
    int rc = drill_cert_parse(data, len, &c, &why);
    if (rc == 0 && strcmp(c.id, id) != 0)
        rc = error_set(&why, E_CORRUPT, "it is the certificate of the drill %s under another name", c.id);
    if (rc == 0 && memcmp(c.repo_id, prune_repo(j->prune)->repo_id, REPO_ID_LEN) != 0)
        return 0;
    rc = rc < 0 ? rc : drill_cert_judge(&c, prune_repo(j->prune), NULL, &why);
    if (rc < 0) {
        log_event(LOG_WARN, "the certificate of drill %s does not count: %s", id, why.text);
        return 0;
    }
    if (c.verdict != DRILL_CERT_PASS || !c.whole)
        return 0;
    struct proof *p = vec_push(&j->proven, err);
    if (p == NULL)
        return E_NOMEM;
    memcpy(p->writer, c.writer, WRITER_ID_LEN);
    memcpy(p->record, c.record_hash, HASH_LEN);
    return 0;
}

int judge_read_proven(struct judge *j, struct error *err)
{
    struct error why = ERROR_INIT;
    j->proven = (struct vec)VEC_OF(struct proof);
    if (!j->conf->has_evidence)
        return 0;
    struct backend *b = access_evidence(j->conf, &why);
    int rc = b != NULL ? access_evidence_each(b, take, j, &why) : why.code;
    backend_close(b);
    if (rc == E_USAGE || rc == E_NOMEM)
        return error_copy(err, &why);
    if (rc < 0) {
        /* What is proven is not known: then nothing goes, rather than the wrong one. */
        char text[ERROR_TEXT_MAX + 64];
        (void)snprintf(text, sizeof text, "the evidence of drills cannot be read, so nothing expires: %s",
                       why.text);
        judge_alarm(j, "", text);
        j->proven_unknown = true;
    }
    return 0;
}

int judge_needs_evidence(const struct judge *j, struct error *err)
{
    for (size_t i = 0; i < j->list.len; i++) {
        const struct judged *one = vec_at(&j->list, i);
        if (one->has_rules && one->rules.proven != 0 && !j->conf->has_evidence)
            return error_set(
                err, E_USAGE,
                "keep.proven needs the certificates of drills: say where they are kept (drills: evidence: ...)");
    }
    return 0;
}
