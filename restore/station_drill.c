/* A station that has a drill kit: the charter says whether it may still be used. */
#include <string.h>

#include "common/base/clock.h"
#include "common/base/number.h"
#include "restore/station.h"

#include "common/base/banned.h"

#define ANOTHER "whoever holds the root key makes another one (`backupd key add-recipient --drill`)"

int station_read_drill_kit(struct station *st, const char *path, const struct conf_secret *reference,
                           struct error *err)
{
    int rc = access_drill_keys(path, reference, true, &st->drill, err);
    if (rc < 0)
        return rc;
    memcpy(st->kit.repo_id, st->drill.repo_id, REPO_ID_LEN);
    memcpy(st->kit.root_pk, st->drill.root_pk, SIGN_PK_LEN);
    st->kit.r = st->drill.r; /* of one owner */
    st->drill.r = NULL;
    st->has_kit = true;
    st->has_drill = true;
    st->recipients[0] = st->kit.r;
    st->opener = (struct opener){ .drill = &st->drill, .sks = st->recipients, .nsks = 1 };
    return 0;
}

static const struct charter_drill *line_of(const struct charter *c, const uint8_t pk[SIGN_PK_LEN])
{
    for (size_t i = 0; i < c->drills.len; i++) {
        const struct charter_drill *d = vec_at(&c->drills, i);
        if (memcmp(d->pk, pk, SIGN_PK_LEN) == 0)
            return d;
    }
    return NULL;
}

int station_judge_drill_kit(const struct station *st, struct error *err)
{
    uint8_t rid[RID_LEN];
    uint8_t pk[SIGN_PK_LEN];
    char date[NUMBER_TEXT_MAX];
    const struct charter *c = repo_charter(st->repo);
    if (!st->has_drill)
        return 0;
    int rc = station_rid(st, rid, err);
    if (rc == 0)
        rc = sign_public(st->drill.seed, pk, err);
    if (rc < 0)
        return rc;
    const struct charter_recipient *who = charter_recipient_find(c, rid);
    const struct charter_drill *line = line_of(c, pk);
    if (who == NULL)
        return error_set(
            err, E_AUTH,
            "charter %u does not name this drill kit among its recipients: it was taken out; " ANOTHER,
            c->version);
    if (who->expires != 0 && who->expires <= clock_wall())
        return error_set(
            err, E_AUTH,
            "this drill kit (%s) expired on %s: it is refused, and new backups are not sealed to it; " ANOTHER,
            who->name, time_format(date, who->expires));
    if (line == NULL || !line->active)
        return error_set(err, E_AUTH, "charter %u %s the signing key of this drill kit; " ANOTHER, c->version,
                         line == NULL ? "does not name" : "has retired");
    return 0;
}
