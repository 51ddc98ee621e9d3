/*
 * attack_target.h - what the attack program wants to open: the sessions, packs and snapshot objects of a
 * repository.
 *
 *     target_init(&t);
 *     target_load(&t, repo, keys, nkeys, err);    keys: writer key files, as the backup host has them
 *     target_key_...(&t, ...)                     a key that passed a test; opens all that follows from it
 *     target_free(&t);
 *
 * Reads the repository as files, without its signatures: an attacker does not care who signed. The host's
 * keys open the trailers, so the places and ids of all blobs are known, and give the mix_key of their
 * sessions. A pack counts as opened when at least one of its blobs opens, has its id and decodes.
 *
 * Loading is single-threaded; the target_key functions lock and may be called from any thread.
 */
#ifndef TESTS_SUPPORT_ATTACK_TARGET_H
#define TESTS_SUPPORT_ATTACK_TARGET_H

#include <pthread.h>

#include "common/base/vec.h"
#include "common/chunk/blob.h"
#include "common/repo/envelope.h"
#include "common/repo/pack.h"
#include "common/repo/snap.h"

enum { TARGET_NAME_MAX = 96, BOX_NONCE_LEN = 24, BOX_SHARED_LEN = 32 };

struct target_writer {
    struct writer_keys keys;
    struct secret *derived;
};
struct target_session {
    struct session_name name;
    const struct target_writer *writer; /* NULL: the host has no key of it */
    struct envelope envelope;           /* points into the first object seen */
    size_t first_pack;                  /* index; SIZE_MAX: none */
    unsigned opened;                    /* packs */
    bool known;                         /* K_s was found */
};
struct target_box { /* one sealed share */
    size_t session;
    unsigned group, share;
    const uint8_t *box;
    uint8_t pk[BOX_PK_LEN];
    uint8_t nonce[BOX_NONCE_LEN];
    bool has_pk, open;
    uint8_t plain[SHARE_LEN];
};
struct target_pack {
    char name[TARGET_NAME_MAX];
    size_t session;
    const uint8_t *data;
    size_t len;
    struct object_header header;
    struct pack_trailer trailer;      /* empty without the writer's key */
    const struct trailer_blob *probe; /* the smallest blob, compressed ones first; NULL: none known */
    unsigned opened;                  /* blobs */
};
struct target_snap {
    char name[TARGET_NAME_MAX];
    size_t session;
    const uint8_t *data;
    size_t len;
    struct snap_parts parts;
    bool opened;
};
struct target_recipient {
    uint8_t pk[BOX_PK_LEN];
    uint8_t rid[RID_LEN];
};

/* One window that opened something. */
struct target_find {
    const char *kind;
    char where[256];
    char what[128];
};

struct target {
    struct target_writer writers[16];
    size_t nwriters;
    struct vec sessions;   /* struct target_session */
    struct vec packs;      /* struct target_pack */
    struct vec snaps;      /* struct target_snap */
    struct vec boxes;      /* struct target_box */
    struct vec recipients; /* struct target_recipient, from the charters */
    struct vec finds;      /* struct target_find */
    struct vec maps;       /* struct target_map */
    struct blob_codec *codec;
    uint8_t *plain;
    uint64_t torn;
    pthread_mutex_t lock;
};
struct target_map {
    void *data;
    size_t len;
};

void target_init(struct target *t);
int target_load(struct target *t, const char *repo, char *const *keys, size_t nkeys, struct error *err);
void target_free(struct target *t);

/* Maps a file for reading; *data is NULL for an empty one. */
int target_map_file(struct target *t, const char *path, const uint8_t **data, size_t *len, struct error *err);

/* Each is told what the key is called and where it stood; false: it opens nothing after all. */
bool target_key_s(struct target *t, size_t session, const uint8_t s[SHARE_LEN], const char *kind,
                  const char *where);
bool target_key_session(struct target *t, size_t session, const uint8_t k_s[KEY_LEN], const char *kind,
                        const char *where);
bool target_key_pack(struct target *t, size_t pack, const uint8_t k_p[KEY_LEN], const char *kind,
                     const char *where);
/* K_n; ke, which SEAL makes of it; HChaCha20(ke, nonce of this object). */
enum snap_key { SNAP_KEY, SNAP_CIPHER, SNAP_MESSAGE };
bool target_key_snap(struct target *t, size_t snap, const uint8_t key[KEY_LEN], enum snap_key what,
                     const char *kind, const char *where);
/* HChaCha20(K_p, nonce of one blob): opens that blob only. */
bool target_key_blob(struct target *t, size_t pack, const struct trailer_blob *blob,
                     const uint8_t key[KEY_LEN], const char *kind, const char *where);
/* The result of crypto_box_beforenm for this box; message_key: HSalsa20 of it and the box's nonce. */
bool target_key_box(struct target *t, size_t box, const uint8_t key[KEY_LEN], bool message_key,
                    const char *kind, const char *where);
/* The secret key behind the first 32 bytes of this box. */
bool target_key_ephemeral(struct target *t, size_t box, const uint8_t sk[KEY_LEN], const char *kind,
                          const char *where);
/* R of the recipient with this public key. */
bool target_key_recipient(struct target *t, const uint8_t pk[BOX_PK_LEN], const uint8_t r[KEY_LEN],
                          const char *kind, const char *where);

/* "WRITER/N" of a session. */
enum { SESSION_TEXT_MAX = 32 };
const char *target_session_text(const struct session_name *n, char out[SESSION_TEXT_MAX]);

size_t target_opened_packs(const struct target *t);

#endif
