#include "common/repo/object.h"

#include <string.h>

#include "common/base/reader.h"
#include "common/base/writer.h"
#include "common/crypto/secret.h"
#include "common/repo/keys.h"
#include "common/base/banned.h"

struct kind_names {
    const char *magic;
    int (*keys)(const uint8_t k_s[KEY_LEN], const void *header, size_t len, struct object_keys *out,
                struct error *err);
    const char *bad_header;
    const char *bad_commit;
};

static const struct kind_names *names_of(enum object_kind kind)
{
    static const struct kind_names names[] = {
        [OBJECT_PACK] = { MAGIC_PACK, pack_keys, ERR_PACK_HEADER, ERR_PACK_COMMIT },
        [OBJECT_SNAP] = { MAGIC_SNAP, snap_keys, ERR_SNAP_HEADER, ERR_SNAP_COMMIT },
    };
    return &names[kind];
}

int object_header_build(enum object_kind kind, const struct object_author *author, uint32_t second,
                        struct buf *out, uint8_t key[KEY_LEN], struct error *err)
{
    const struct kind_names *names = names_of(kind);
    struct object_keys both;
    struct writer w = writer_of(out);
    writer_bytes(&w, names->magic, MAGIC_LEN);
    writer_u32(&w, (uint32_t)(HEADER_FIXED_LEN + author->envelope->len + COMMIT_LEN));
    writer_u32(&w, 0);
    writer_bytes(&w, author->repo_id, REPO_ID_LEN);
    writer_bytes(&w, author->writer_id, WRITER_ID_LEN);
    writer_u32(&w, author->session);
    writer_u32(&w, second);
    writer_zeros(&w, 16);
    writer_bytes(&w, author->envelope->data, author->envelope->len);
    int rc = writer_end(&w, err);
    if (rc == 0)
        rc = names->keys(author->session_key, out->data, out->len, &both, err);
    if (rc == 0)
        rc = buf_append(out, both.commit, COMMIT_LEN, err);
    if (rc == 0 && out->len > HEADER_MAX)
        rc = error_set(err, E_USAGE, "too many recipients: a header of %zu bytes", out->len);
    if (rc == 0)
        memcpy(key, both.key, KEY_LEN);
    secret_wipe(&both, sizeof both);
    return rc;
}

int object_header_parse(enum object_kind kind, const void *data, size_t len, struct object_header *out,
                        struct error *err)
{
    const struct kind_names *names = names_of(kind);
    struct reader r = reader_of(data, len);
    const uint8_t *magic = reader_bytes(&r, MAGIC_LEN);
    if (magic == NULL || memcmp(magic, names->magic, MAGIC_LEN) != 0)
        return error_corrupt(err, names->bad_header, "not a %s (wrong magic)",
                             kind == OBJECT_PACK ? "pack" : "snap");
    uint32_t hdr_len = reader_u32(&r);
    reader_zeros(&r, 4);
    reader_copy(&r, out->repo_id, REPO_ID_LEN);
    reader_copy(&r, out->writer_id, WRITER_ID_LEN);
    out->session = reader_u32(&r);
    out->second = reader_u32(&r);
    reader_zeros(&r, 16);
    if (!reader_ok(&r) || hdr_len > HEADER_MAX || hdr_len < HEADER_FIXED_LEN + COMMIT_LEN || hdr_len > len)
        return error_corrupt(err, names->bad_header, "header length %u or a reserved field is wrong",
                             hdr_len);
    out->bytes = data;
    out->len = hdr_len;
    out->envelope = out->bytes + HEADER_FIXED_LEN;
    out->envelope_len = hdr_len - HEADER_FIXED_LEN - COMMIT_LEN;
    return 0;
}

int object_header_expect(enum object_kind kind, const struct object_header *h,
                         const uint8_t repo_id[REPO_ID_LEN], const uint8_t writer_id[WRITER_ID_LEN],
                         uint32_t session, uint32_t second, struct error *err)
{
    if (memcmp(h->repo_id, repo_id, REPO_ID_LEN) != 0 ||
        memcmp(h->writer_id, writer_id, WRITER_ID_LEN) != 0 || h->session != session || h->second != second)
        return error_corrupt(err, names_of(kind)->bad_header,
                             "the header belongs to another place (session %u, number %u)", h->session,
                             h->second);
    return 0;
}

int object_header_key(enum object_kind kind, const struct object_header *h,
                      const uint8_t session_key[KEY_LEN], uint8_t key[KEY_LEN], struct error *err)
{
    const struct kind_names *names = names_of(kind);
    struct object_keys both;
    size_t signed_len = h->len - COMMIT_LEN;
    int rc = names->keys(session_key, h->bytes, signed_len, &both, err);
    if (rc == 0 && !secret_equal(both.commit, h->bytes + signed_len, COMMIT_LEN))
        rc = error_corrupt(err, names->bad_commit, "the header does not commit to the session key");
    if (rc == 0)
        memcpy(key, both.key, KEY_LEN);
    secret_wipe(&both, sizeof both);
    return rc;
}

static unsigned log2_floor(uint64_t v)
{
    unsigned n = 0;
    while (v >>= 1)
        n++;
    return n;
}

uint64_t padme(uint64_t len)
{
    if (len < 2)
        return len;
    unsigned e = log2_floor(len);
    unsigned s = log2_floor(e) + 1;
    if (s >= e)
        return len;
    uint64_t mask = ((uint64_t)1 << (e - s)) - 1;
    return (len + mask) & ~mask;
}
