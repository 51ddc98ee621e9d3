#include "restore/snaps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"

#include "common/base/banned.h"

/* Newest first. One order for all, also when a clock fell back: inside a log the seq decides, because `when` never
 * falls there. */
static int by_age(const void *a, const void *b)
{
    const struct snap *x = a;
    const struct snap *y = b;
    if (x->when != y->when)
        return x->when > y->when ? -1 : 1;
    int writer = memcmp(x->writer->id, y->writer->id, WRITER_ID_LEN);
    if (writer != 0)
        return writer;
    return x->record->rec.seq > y->record->rec.seq ? -1 : x->record->rec.seq < y->record->rec.seq;
}

int snaps_load(struct station *st, struct snaps *out, struct error *err)
{
    *out = (struct snaps){ .st = st, .list = VEC_OF(struct snap) };
    for (size_t i = 0; i < st->repo->writers.len; i++) {
        const struct repo_writer *w = vec_at(&st->repo->writers, i);
        uint64_t when = 0;
        for (size_t n = 0; n < w->records.len; n++) {
            const struct repo_record *r = vec_at(&w->records, n);
            when = r->rec.time > when ? r->rec.time : when;
            if (r->rec.kind != RECORD_SNAPSHOT)
                continue;
            struct snap *s = vec_push(&out->list, err);
            if (s == NULL)
                return E_NOMEM;
            *s = (struct snap){ .writer = w, .record = r, .when = when };
        }
    }
    vec_sort(&out->list, by_age);
    return 0;
}

void snaps_free(struct snaps *all)
{
    for (size_t i = 0; i < all->list.len; i++) {
        struct snap *s = vec_at(&all->list, i);
        snapshot_free(s->object);
        free(s->damage);
    }
    vec_free(&all->list);
}

static int keep_damage(struct snap *snap, const struct error *why, struct error *err)
{
    snap->damage = str_dup(why->text, err);
    snap->damage_name = why->name;
    return snap->damage != NULL ? 0 : E_NOMEM;
}

static int open_view(struct snaps *all, struct snap *snap, struct error *err)
{
    if (!all->st->has_kit || !opener_has_view(&all->st->opener, snap->writer->id))
        return 0;
    struct secret *v_w = opener_view(&all->st->opener, snap->writer->id, err);
    int rc = v_w != NULL ? snapshot_open_view(snap->object, v_w, err) : E_NOMEM;
    secret_free(v_w);
    return rc;
}

int snap_open(struct snaps *all, struct snap *snap, struct error *err)
{
    struct error why = ERROR_INIT;
    if (snap->object != NULL || snap->damage != NULL)
        return 0;
    int rc = snapshot_load(all->st->repo, snap->writer, snap->record, &snap->object, &why);
    rc = rc < 0 ? rc : open_view(all, snap, &why);
    if (rc == E_CORRUPT || rc == E_NOT_FOUND)
        return keep_damage(snap, &why, err);
    return rc < 0 ? error_copy(err, &why) : 0;
}

static int refuse_damaged(const struct snap *snap, struct error *err)
{
    char name[SNAPSHOT_NAME_MAX];
    return error_corrupt(err, snap->damage_name, "snapshot %s: %s; `restore verify` tells what else is hit",
                         snap_name(snap, name), snap->damage);
}

int snap_unlock(struct snaps *all, struct snap *snap, struct fetcher **f, struct error *err)
{
    char name[SNAPSHOT_NAME_MAX];
    int rc = snap_open(all, snap, err);
    if (rc < 0)
        return rc;
    if (snap->damage != NULL)
        return refuse_damaged(snap, err);
    *f = fetcher_new(all->st->repo, snap->writer, &all->st->opener, 0, err);
    rc = *f != NULL ? snapshot_open(snap->object, *f, err) : err->code < 0 ? err->code : E_NOMEM;
    return rc < 0 ? error_wrap(err, "%s", snap_name(snap, name)) : 0;
}

bool snap_live(const struct snap *snap)
{
    return repo_record_live(snap->record);
}

bool snap_whole(const struct snap *snap)
{
    const struct snapshot *s = snap->object;
    if (s == NULL || snap->damage != NULL)
        return false;
    const struct record *r = &snap->record->rec;
    const uint8_t *id = snap->writer->id;
    bool whole = repo_item_find(s->repo, id, r->session, IDX_SNAP, r->snap_attempt).deleted == 0;
    for (size_t i = 0; whole && s->has_view && i < s->view.packs.len; i++) {
        const struct pack_key *k = vec_at(&s->view.packs, i);
        const struct record_pack *in = repo_pack_find(snap->writer, k->session, k->idx, NULL);
        whole = in != NULL && repo_item_find(s->repo, id, k->session, k->idx, in->attempt).deleted == 0;
    }
    return whole;
}

const char *snap_state(const struct snap *snap)
{
    if (snap->record->is_void)
        return "void";
    if (snap->record->expired)
        return snap_whole(snap) ? "expired" : "deleted";
    if (snap->damage != NULL)
        return "damaged";
    return snap->record->held ? "held" : "live";
}

const char *snap_job(const struct snap *snap, char out[SNAPSHOT_NAME_MAX])
{
    if (snap->object != NULL && snap->object->has_view)
        (void)snprintf(out, SNAPSHOT_NAME_MAX, "%s", snap->object->view.label);
    else
        hex_encode(out, snap->writer->id, WRITER_ID_LEN);
    return out;
}

const char *snap_name(const struct snap *snap, char out[SNAPSHOT_NAME_MAX])
{
    char job[SNAPSHOT_NAME_MAX];
    char shown[SNAPSHOT_NAME_MAX];
    (void)snprintf(out, SNAPSHOT_NAME_MAX, "%s/%u",
                   str_printable(shown, sizeof shown - 12, snap_job(snap, job)), snap->record->rec.session);
    return out;
}

const char *snap_receipt(const struct snap *snap, char out[RECEIPT_LEN + 1])
{
    return record_receipt(snap->record->hash, out);
}

uint64_t snap_first_seen(const struct snaps *all, const struct snap *snap)
{
    uint32_t k = snap->record->first_seen;
    if (k == 0 || k > all->st->repo->retention.len)
        return 0;
    const struct repo_retention *r = vec_at(&all->st->repo->retention, k - 1);
    return r->clock;
}
