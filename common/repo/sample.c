#include "common/repo/sample.h"

#include <stdbool.h>
#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/base/buffer.h"
#include "common/chunk/blob.h"

#include "common/base/banned.h"

enum { WINDOW = 64 * 1024, ONE_IN = 16, QUICK = 1 /* zstd level */ };

struct sample {
    struct blob_codec *codec;
    struct buf window;
    struct buf frame;
    uint64_t skip;                        /* bytes until the next window */
    uint64_t sampled, packed;             /* of the stream */
    uint64_t total_sampled, total_packed; /* of all before */
    bool stopped;
};

struct sample *sample_new(struct error *err)
{
    struct sample *s = mem_alloc(1, sizeof *s, err);
    if (s == NULL)
        return NULL;
    s->codec = blob_codec_new(err);
    if (s->codec != NULL && buf_reserve(&s->window, WINDOW, err) == 0)
        return s;
    sample_free(s);
    return NULL;
}

static int squeeze(struct sample *s, struct error *err)
{
    if (s->window.len == 0)
        return 0;
    int rc = blob_encode(s->codec, s->window.data, s->window.len, QUICK, &s->frame, err);
    if (rc == 0) {
        s->sampled += s->window.len;
        s->packed += s->frame.len;
    }
    buf_clear(&s->window);
    return rc;
}

int sample_add(struct sample *s, const void *data, size_t len, struct error *err)
{
    const uint8_t *p = data;
    int rc = 0;
    while (rc == 0 && len > 0 && !s->stopped) {
        size_t room = s->skip > 0 ? (size_t)s->skip : WINDOW - s->window.len;
        size_t n = len < room ? len : room;
        if (s->skip > 0)
            s->skip -= n;
        else if ((rc = buf_append(&s->window, p, n, err)) == 0 && s->window.len == WINDOW) {
            rc = squeeze(s, err);
            s->skip = (uint64_t)WINDOW * (ONE_IN - 1);
        }
        p += n;
        len -= n;
    }
    return rc;
}

int sample_take(struct sample *s, uint64_t *sampled, uint64_t *packed, struct error *err)
{
    int rc = squeeze(s, err);
    *sampled = s->sampled;
    *packed = s->packed;
    s->total_sampled += s->sampled;
    s->total_packed += s->packed;
    s->sampled = s->packed = s->skip = 0;
    return rc;
}

int sample_stop(struct sample *s, struct error *err)
{
    uint64_t unused[2];
    int rc = sample_take(s, &unused[0], &unused[1], err);
    s->stopped = true;
    return rc;
}

void sample_total(const struct sample *s, uint64_t *sampled, uint64_t *packed)
{
    *sampled = s->total_sampled;
    *packed = s->total_packed;
}

void sample_free(struct sample *s)
{
    if (s == NULL)
        return;
    blob_codec_free(s->codec);
    buf_wipe(&s->window);
    buf_wipe(&s->frame);
    free(s);
}
