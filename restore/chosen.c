#include "restore/chosen.h"

#include <stdio.h>
#include <string.h>

#include "common/base/fact.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"

#include "common/base/banned.h"

enum { ANOMALY_SHOWN = 256, KEY_SHOWN = 8 }; /* bytes of a public key: enough to tell keys apart */

int chosen_open(struct cli_context *cli, enum station_kit kit, const char *selector, struct chosen *c,
                struct error *err)
{
    struct selector sel;
    *c = (struct chosen){ .snap = NULL };
    int rc = selector_parse(selector, cli_text(cli, "job"), &sel, err);
    rc = rc < 0 ? rc : station_open(cli, kit, &c->st, err);
    rc = rc < 0 ? rc : snaps_load(&c->st, &c->all, err);
    sel.expired = true;
    rc = rc < 0 ? rc : selector_find(&c->all, &sel, &c->snap, err);
    if (rc < 0)
        return rc;
    (void)snap_name(c->snap, c->name);
    if (!snap_live(c->snap))
        log_event(
            LOG_WARN,
            "%s has expired and will be deleted: `backupd revive` on the retention host keeps it; a restore that "
            "meets a deletion fails",
            c->name);
    return rc;
}

int chosen_unlock(struct chosen *c, struct error *err)
{
    return snap_unlock(&c->all, c->snap, &c->fetcher, err);
}

int chosen_begin(struct chosen *c, const struct out *out, struct error *err)
{
    const struct cli_context *cli = c->st.cli;
    int rc = station_trusts(&c->st, c->snap->writer, err);
    if (rc == 0 && cli->json) {
        struct jsonout *o = jsonout_new("snapshot");
        snap_json(&c->all, c->snap, o);
        rc = jsonout_emit(o, err);
    } else if (rc == 0 && !cli->quiet) {
        struct table *pairs = pairs_new(err);
        pairs_add(pairs, "snapshot", OUT_BOLD, "%s", c->name);
        chosen_describe(c, pairs);
        rc = table_print(pairs, out, err);
        table_free(pairs);
    }
    return rc < 0 ? rc : chosen_unlock(c, err);
}

void chosen_close(struct chosen *c, int rc)
{
    if (c->st.cli == NULL)
        return;
    station_settle(&c->st, rc == 0);
    fetcher_free(c->fetcher);
    snaps_free(&c->all);
    station_close(&c->st);
}

/* ---- description --------------------------------------------------------------------------------------- */

static const uint8_t *signer_of(const struct snaps *all, const struct snap *snap)
{
    const struct charter_writer *line =
        charter_writer_at(repo_charter(all->st->repo), snap->writer->id, snap->record->rec.seq);
    return line != NULL ? line->pk : NULL;
}

static void hex_or(char out[2 * SIGN_PK_LEN + 1], const uint8_t *data, size_t len)
{
    if (data != NULL)
        hex_encode(out, data, len);
    else
        (void)snprintf(out, 2 * SIGN_PK_LEN + 1, "unknown");
}

void chosen_describe(const struct chosen *c, struct table *pairs)
{
    const struct record *r = &c->snap->record->rec;
    char text[2 * SIGN_PK_LEN + 1];
    char time[NUMBER_TEXT_MAX];
    char receipt[RECEIPT_LEN + 1];
    uint64_t seen = snap_first_seen(&c->all, c->snap);
    hex_encode(text, c->snap->writer->id, WRITER_ID_LEN);
    pairs_add(pairs, "writer", OUT_PLAIN, "%s, record %u of %zu", text, r->seq, c->snap->writer->records.len);
    pairs_add(pairs, "made", OUT_PLAIN, "%s by the writer's clock", time_format(time, r->time));
    if (seen != 0)
        pairs_add(pairs, "first seen", OUT_PLAIN, "%s, by retention record %u", time_format(time, seen),
                  c->snap->record->first_seen);
    else
        pairs_add(pairs, "first seen", OUT_PLAIN, "not yet by any retention run");
    hex_or(text, signer_of(&c->all, c->snap), KEY_SHOWN);
    pairs_add(pairs, "signed by", OUT_PLAIN, "key %s of charter %u (newest: %u)", text, r->charter,
              repo_charter(c->st.repo)->version);
    pairs_add(pairs, "receipt", OUT_PLAIN, "%s", snap_receipt(c->snap, receipt));
}

static void note_json(const char *key, size_t key_len, const char *value, size_t value_len, void *arg)
{
    if (key_len == 3 && memcmp(key, "tag", 3) == 0)
        jsonout_bytes(arg, NULL, value, value_len);
}

static void view_json(const struct snap_view *v, struct jsonout *o)
{
    jsonout_str(o, "job", v->label);
    jsonout_time(o, "started", v->started);
    jsonout_time(o, "finished", v->finished);
    jsonout_u64(o, "size", v->logical);
    jsonout_u64(o, "new_bytes", v->added);
    jsonout_u64(o, "packs_needed", v->packs.len);
    fact_each(v->notes, note_json, jsonout_array(o, "tags"));
    jsonout_bool(o, "complete", !fact_has(v->notes, "incomplete", "1"));
    char anomaly[ANOMALY_SHOWN];
    jsonout_str(o, "anomaly", fact_get(v->notes, "anomaly", anomaly, sizeof anomaly) ? anomaly : NULL);
}

void snap_json(const struct snaps *all, const struct snap *snap, struct jsonout *o)
{
    const struct record *r = &snap->record->rec;
    char text[2 * SIGN_PK_LEN + 1];
    char name[SNAPSHOT_NAME_MAX];
    char receipt[RECEIPT_LEN + 1];
    char hash[SNAP_HASH_TEXT];
    hex_encode(hash, snap->record->hash, HASH_LEN);
    jsonout_str(o, "name", snap_name(snap, name));
    jsonout_str(o, "state", snap_state(snap));
    hex_encode(text, snap->writer->id, WRITER_ID_LEN);
    jsonout_str(o, "writer", text);
    jsonout_u64(o, "seq", r->seq);
    jsonout_u64(o, "number", r->session);
    jsonout_time(o, "time", r->time);
    jsonout_time(o, "first_seen", snap_first_seen(all, snap));
    hex_or(text, signer_of(all, snap), SIGN_PK_LEN);
    jsonout_str(o, "signer", text);
    jsonout_u64(o, "charter", r->charter);
    jsonout_str(o, "receipt", snap_receipt(snap, receipt));
    jsonout_str(o, "hash", hash);
    jsonout_u64(o, "packs_new", r->packs.len);
    if (snap->object != NULL && snap->object->has_view)
        view_json(&snap->object->view, o);
    if (snap->record->expired)
        jsonout_bool(o, "restorable", snap_whole(snap));
    if (snap->damage != NULL)
        jsonout_str(o, "damage", snap->damage);
}

int member_not_found(const struct chosen *c, const char *path, struct error *err)
{
    char shown[256];
    return error_set(err, E_NOT_FOUND, "%s holds no \"%s\": `restore ls %s` lists what it holds", c->name,
                     str_printable(shown, sizeof shown, path), c->name);
}
