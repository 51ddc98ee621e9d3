#include "common/repo/charter.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/str.h"

#include "common/base/banned.h"

static int put_hex(struct buf *out, const char *before, const void *data, size_t len, const char *after,
                   struct error *err)
{
    char hex[2 * SIG_LEN + 1];
    hex_encode(hex, data, len);
    return buf_printf(out, err, "%s%s%s", before, hex, after);
}

static int put_range(struct buf *out, uint32_t first, uint32_t last, struct error *err)
{
    if (last == SEQ_OPEN)
        return buf_printf(out, err, " %u\n", first);
    return buf_printf(out, err, " %u %u\n", first, last);
}

static int put_head(struct buf *out, const struct charter *c, struct error *err)
{
    int rc = buf_printf(out, err, "bk1 charter %u\n", c->version);
    rc = rc < 0 ? rc : put_hex(out, "repo ", c->repo_id, REPO_ID_LEN, "\n", err);
    rc = rc < 0 ? rc : put_hex(out, "prev ", c->prev, HASH_LEN, "\n", err);
    rc = rc < 0 ? rc : put_hex(out, "root ", c->root_pk, SIGN_PK_LEN, "\n", err);
    return rc < 0 ? rc : buf_printf(out, err, "pack-size %u\nmin-keep %u\n", c->pack_size, c->min_keep_days);
}

static int put_recipients(struct buf *out, const struct charter *c, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; i < c->recipients.len && rc == 0; i++) {
        const struct charter_recipient *r = vec_at(&c->recipients, i);
        rc = put_hex(out, "recipient ", r->rid, RID_LEN, " ", err);
        rc = rc < 0 ? rc : put_hex(out, "", r->pk, BOX_PK_LEN, " ", err);
        rc = rc < 0 ? rc : buf_printf(out, err, "%.*s", NAME_MAX_LEN, r->name);
        if (rc == 0 && r->expires != 0)
            rc = buf_printf(out, err, " %" PRIu64, r->expires);
        rc = rc < 0 ? rc : buf_append(out, "\n", 1, err);
    }
    for (size_t i = 0; i < c->groups.len && rc == 0; i++) {
        const struct charter_group *g = vec_at(&c->groups, i);
        rc = buf_append(out, "group", 5, err);
        for (unsigned k = 0; k < g->n && k < ENVELOPE_SHARES_MAX && rc == 0; k++)
            rc = put_hex(out, " ", g->rid[k], RID_LEN, "", err);
        rc = rc < 0 ? rc : buf_append(out, "\n", 1, err);
    }
    return rc;
}

static int put_keys(struct buf *out, const struct charter *c, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; i < c->writers.len && rc == 0; i++) {
        const struct charter_writer *w = vec_at(&c->writers, i);
        rc = put_hex(out, "writer ", w->id, WRITER_ID_LEN, " ", err);
        rc = rc < 0 ? rc : put_hex(out, "", w->pk, SIGN_PK_LEN, "", err);
        rc = rc < 0 ? rc : buf_printf(out, err, " %u", w->cadence_hours);
        rc = rc < 0 ? rc : put_range(out, w->first_seq, w->last_seq, err);
    }
    for (size_t i = 0; i < c->retention.len && rc == 0; i++) {
        const struct charter_retention *r = vec_at(&c->retention, i);
        rc = put_hex(out, "retention ", r->pk, SIGN_PK_LEN, "", err);
        rc = rc < 0 ? rc : put_range(out, r->first_seq, r->last_seq, err);
    }
    for (size_t i = 0; i < c->drills.len && rc == 0; i++) {
        const struct charter_drill *d = vec_at(&c->drills, i);
        rc = put_hex(out, "drill ", d->pk, SIGN_PK_LEN, d->active ? " active\n" : " retired\n", err);
    }
    return rc;
}

/* What was built must parse; what does not is the caller's mistake. */
static int check_built(struct charter *c, const struct buf *out, struct error *err)
{
    struct charter again;
    struct error why = ERROR_INIT;
    int rc = charter_parse(out->data, out->len, &again, &why);
    if (rc == E_CORRUPT)
        return error_set(err, E_USAGE, "%s", why.text);
    if (rc < 0)
        return error_copy(err, &why);
    memcpy(c->hash, again.hash, HASH_LEN);
    charter_free(&again);
    return 0;
}

int charter_build(struct charter *c, const struct secret *root_seed, struct buf *out, struct error *err)
{
    uint8_t pk[SIGN_PK_LEN];
    uint8_t sig[SIG_LEN];
    int rc = sign_public(root_seed, pk, err);
    if (rc < 0)
        return rc;
    if (c->version == 1 && memcmp(pk, c->root_pk, SIGN_PK_LEN) != 0)
        return error_set(err, E_USAGE, "charter 1 must be signed by the root key it names");
    vec_sort(&c->writers, charter_writer_order);
    vec_sort(&c->retention, charter_retention_order);
    rc = put_head(out, c, err);
    rc = rc < 0 ? rc : put_recipients(out, c, err);
    rc = rc < 0 ? rc : put_keys(out, c, err);
    rc = rc < 0 ? rc : sign_detached(root_seed, SIGN_CHARTER, out->data, out->len, sig, err);
    rc = rc < 0 ? rc : put_hex(out, "sig ", sig, SIG_LEN, "\n", err);
    rc = rc < 0 ? rc : check_built(c, out, err);
    if (rc < 0)
        buf_clear(out);
    return rc;
}
