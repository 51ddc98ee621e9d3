#include "restore/export_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/fact.h"
#include "common/base/number.h"
#include "common/base/str.h"

#include "common/base/banned.h"

enum { FACT_KEY_MAX = 256, FACT_SHOWN = 64 };

char *export_top(const struct chosen *c, struct error *err)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    char job[SNAPSHOT_NAME_MAX];
    char *top = str_printf(err, "%s-%u", snap_job(c->snap, job), c->snap->record->rec.session);
    for (char *p = top; p != NULL && *p != '\0'; p++)
        if (strchr(plain, *p) == NULL || (p == top && (*p == '.' || *p == '-')))
            *p = '_';
    return top;
}

static const char *fact_shown(const struct chosen *c, const char *key, char out[4 * FACT_SHOWN])
{
    char text[FACT_SHOWN];
    if (!fact_get(c->snap->object->priv.facts, key, text, sizeof text))
        return "unknown";
    return str_printable(out, (size_t)4 * FACT_SHOWN, text);
}

int export_readme(const struct chosen *c, const struct buf *steps, struct buf *out, struct error *err)
{
    const struct snap_view *v = &c->snap->object->view;
    char receipt[RECEIPT_LEN + 1];
    char from[NUMBER_TEXT_MAX];
    char to[NUMBER_TEXT_MAX];
    char host[4 * FACT_SHOWN];
    char engine[4 * FACT_SHOWN];
    int rc = buf_printf(
        out, err,
        "Snapshot %s, exported in standard forms. Nothing of backupd is needed to load it.\n\n"
        "  taken     %s to %s\n"
        "  host      %s\n"
        "  engine    %s\n"
        "  receipt   %s\n\n"
        "What is here:\n\n"
        "  data/           what was backed up, under the names of the snapshot\n"
        "  MANIFEST.json   what it is: times, versions, facts, and each file's length and SHA-256\n"
        "  SHA256SUMS      the sums again, for sha256sum\n\n"
        "MANIFEST.json came last: an export without it is not complete. Every byte was authenticated when\n"
        "it left the backup; from here on nothing is encrypted. Check what you got, in this directory:\n\n"
        "  sha256sum --quiet --check SHA256SUMS\n\n",
        c->name, time_format(from, v->started), time_format(to, v->finished), fact_shown(c, "host", host),
        fact_shown(c, "source", engine), snap_receipt(c->snap, receipt));
    if (rc == 0 && steps->len != 0)
        rc = buf_printf(out, err, "How to load it, in the directory `data`:\n\n");
    return rc < 0 ? rc : buf_append(out, steps->data, steps->len, err);
}

/* The seed of fingerprints is as secret as the snapshot; what it is for can be had from the sums of the files. */
static bool is_secret(const char *key, size_t len)
{
    static const char seed[] = "fingerprint_seed";
    return len == sizeof seed - 1 && memcmp(key, seed, len) == 0;
}

static void add_fact(const char *key, size_t key_len, const char *value, size_t value_len, void *arg)
{
    char text[FACT_KEY_MAX];
    if (is_secret(key, key_len))
        return;
    (void)snprintf(text, sizeof text, "%.*s", (int)key_len, key);
    jsonout_bytes(arg, text, value, value_len);
}

struct jsonout *export_head(const struct chosen *c)
{
    const struct snap_view *v = &c->snap->object->view;
    char writer[2 * WRITER_ID_LEN + 1];
    char receipt[RECEIPT_LEN + 1];
    struct jsonout *j = jsonout_new(NULL);
    hex_encode(writer, c->snap->writer->id, WRITER_ID_LEN);
    jsonout_str(j, "format", "backupd export 1");
    jsonout_str(j, "snapshot", c->name);
    jsonout_str(j, "job", v->label);
    jsonout_u64(j, "session", c->snap->record->rec.session);
    jsonout_str(j, "writer", writer);
    jsonout_str(j, "receipt", snap_receipt(c->snap, receipt));
    jsonout_time(j, "started", v->started);
    jsonout_time(j, "finished", v->finished);
    fact_each(c->snap->object->priv.facts, add_fact, jsonout_object(j, "facts"));
    return j;
}
