#include "common/repo/packfile.h"

#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/crypto/hash.h"
#include "common/crypto/secret.h"
#include "common/repo/names.h"
#include "common/base/banned.h"

const char *packfile_name(const struct packfile *f, char *out)
{
    return name_pack(out, f->writer_id, f->pack.session, f->pack.idx, f->pack.attempt);
}

int packfile_stat(const struct packfile *f, struct error *err)
{
    char name[NAME_TEXT_MAX];
    struct backend_stat st;
    int rc = backend_stat(f->backend, packfile_name(f, name), &st, err);
    if (rc == E_NOT_FOUND)
        return error_corrupt(err, ERR_PACK_MISSING, "it is not there");
    if (rc < 0)
        return rc;
    if (st.size != f->pack.size)
        return error_corrupt(err, ERR_PACK_SIZE, "it has %llu instead of %llu bytes",
                             (unsigned long long)st.size, (unsigned long long)f->pack.size);
    return 0;
}

int packfile_hash(const struct packfile *f, void (*progress)(void *arg, uint64_t bytes), void *arg,
                  struct error *err)
{
    char name[NAME_TEXT_MAX];
    uint8_t hash[HASH_LEN];
    uint8_t *block = NULL;
    struct file_hash_state *state = NULL;
    int rc = packfile_stat(f, err);
    if (rc < 0)
        return rc;
    rc = E_NOMEM;
    block = mem_alloc(MIB, 1, err);
    state = block != NULL ? file_hash_new(err) : NULL;
    if (state == NULL)
        goto out;
    rc = 0;
    for (uint64_t at = 0; rc == 0 && at < f->pack.size; at += MIB) {
        size_t n = f->pack.size - at < MIB ? (size_t)(f->pack.size - at) : MIB;
        rc = backend_read(f->backend, packfile_name(f, name), at, block, n, err);
        if (rc == 0)
            file_hash_update(state, block, n);
        if (rc == 0 && progress != NULL)
            progress(arg, n);
    }
    if (rc < 0)
        goto out;
    file_hash_final(state, hash);
    if (!secret_equal(hash, f->pack.hash, HASH_LEN))
        rc = error_corrupt(err, ERR_PACK_HASH, "it does not have the hash its writer signed");
out:
    file_hash_free(state);
    free(block);
    return rc;
}

int packfile_trailer(const struct packfile *f, const uint8_t trail_key[KEY_LEN], struct pack_trailer *out,
                     struct error *err)
{
    char name[NAME_TEXT_MAX];
    uint8_t head[HEADER_MAX];
    uint8_t tail_bytes[PACK_TAIL_LEN];
    uint8_t *sealed = NULL;
    struct object_header h;
    struct pack_tail tail;
    int rc = packfile_stat(f, err);
    if (rc < 0)
        return rc;
    packfile_name(f, name);
    rc = backend_read(f->backend, name, 0, head, sizeof head, err);
    if (rc == 0)
        rc = object_header_parse(OBJECT_PACK, head, sizeof head, &h, err);
    if (rc == 0)
        rc = object_header_expect(OBJECT_PACK, &h, f->repo_id, f->writer_id, f->pack.session, f->pack.idx,
                                  err);
    if (rc == 0)
        rc = backend_read(f->backend, name, f->pack.size - PACK_TAIL_LEN, tail_bytes, sizeof tail_bytes, err);
    if (rc == 0)
        rc = pack_tail_open(&h, trail_key, tail_bytes, f->pack.size, &tail, err);
    if (rc == 0) {
        sealed = mem_alloc(tail.trailer_len, 1, err);
        rc = sealed != NULL ? backend_read(f->backend, name, tail.trailer_off, sealed, tail.trailer_len, err)
                            : E_NOMEM;
    }
    if (rc == 0)
        rc = pack_trailer_open(&h, trail_key, &tail, sealed, out, err);
    free(sealed);
    return rc < 0 ? error_wrap(err, "%s", name) : 0;
}
