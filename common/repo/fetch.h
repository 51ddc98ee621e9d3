/*
 * fetch.h - blobs out of packs, for one writer's snapshots.
 *
 * A fetcher opens a pack when its first blob is needed: header, envelope, the
 * pack's key. Session keys and pack keys stay on guarded memory until it is
 * freed. Decoded blobs live in an LRU (64 MiB by default).
 *
 *     struct fetcher *f = fetcher_new(repo, writer, &opener, 0, err);
 *     fetcher_prefetch(f, view, kind, refs, n, err);              // optional: in storage order, few large reads
 *     fetcher_blob(f, view, kind, &ref, &data, err);              // ref.plen bytes, borrowed until the next call
 *
 * Every reference is checked before it is followed: it must lie in the
 * snapshot's view and inside its pack. Errors carry the format's names.
 */
#ifndef COMMON_REPO_FETCH_H
#define COMMON_REPO_FETCH_H

#include "common/repo/keys.h"
#include "common/repo/repo.h"
#include "common/repo/snap.h"
#include "common/repo/unlock.h"

struct fetcher;

enum { FETCH_CACHE_DEFAULT = 64 * MIB };

struct fetcher *fetcher_new(const struct repo *repo, const struct repo_writer *writer,
                            const struct opener *opener, size_t cache_bytes, struct error *err);
void fetcher_free(struct fetcher *f);

int fetcher_blob(struct fetcher *f, const struct snap_view *view, enum blob_kind kind,
                 const struct blob_ref *ref, const uint8_t **data, struct error *err);
/* Reads what is not in the LRU yet, at most half of it; failures are left to fetcher_blob. */
int fetcher_prefetch(struct fetcher *f, const struct snap_view *view, enum blob_kind kind,
                     const struct blob_ref *refs, size_t n, struct error *err);

/* K_s of a session, from any of its headers. Borrowed, KEY_LEN bytes. E_AUTH: not among the recipients, also
 * not by a grant; the text says who is. */
int fetcher_session_key(struct fetcher *f, const struct object_header *h, const uint8_t **key,
                        struct error *err);
/* S of a session, for a grant: `s` holds SHARE_LEN bytes on guarded memory. */
int fetcher_session_secret(struct fetcher *f, const struct object_header *h, uint8_t *s, struct error *err);
/* unlock_share() of the session's envelope: for keys that open only together with others. */
int fetcher_session_share(const struct fetcher *f, const struct object_header *h, struct error *err);
/* Sessions that only a grant opened, and the grants of the opener's people (borrowed). */
uint64_t fetcher_granted(const struct fetcher *f);
int fetcher_grants(struct fetcher *f, const struct grant_set **out, struct error *err);
const struct writer_derived *fetcher_keys(const struct fetcher *f);

/* Bytes read from the storage so far. */
uint64_t fetcher_bytes_read(const struct fetcher *f);
/* Microseconds that reading them took. */
uint64_t fetcher_waited_us(const struct fetcher *f);

#endif
