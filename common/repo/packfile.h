/*
 * packfile.h - looks at a stored pack without opening its blobs.
 *
 * packfile_hash() reads every byte and compares with what the writer signed:
 * no key is needed. packfile_trailer() reads header, tail and trailer: only
 * trail_key is needed. Both name what is wrong (ERR_PACK_*).
 */
#ifndef COMMON_REPO_PACKFILE_H
#define COMMON_REPO_PACKFILE_H

#include "common/backend/backend.h"
#include "common/repo/pack.h"
#include "common/repo/record.h"

struct packfile {
    struct backend *backend;
    uint8_t repo_id[REPO_ID_LEN];
    uint8_t writer_id[WRITER_ID_LEN];
    struct record_pack pack; /* as introduced */
};

/* The file's name into out (NAME_TEXT_MAX); returns out. */
const char *packfile_name(const struct packfile *f, char *out);
/* ERR_PACK_MISSING, ERR_PACK_SIZE */
int packfile_stat(const struct packfile *f, struct error *err);
/* ... and ERR_PACK_HASH. progress (may be NULL) is called with bytes read since the last call. */
int packfile_hash(const struct packfile *f, void (*progress)(void *arg, uint64_t bytes), void *arg,
                  struct error *err);
int packfile_trailer(const struct packfile *f, const uint8_t trail_key[KEY_LEN], struct pack_trailer *out,
                     struct error *err);

#endif
