#include "tests/support/attack_target.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/crypto/keyfile.h"
#include "common/repo/charter.h"
#include "common/repo/names.h"
#include "common/sys/atomic_file.h"
#include "common/base/banned.h"

void target_init(struct target *t)
{
    *t = (struct target){ .sessions = VEC_OF(struct target_session),
                          .packs = VEC_OF(struct target_pack),
                          .snaps = VEC_OF(struct target_snap),
                          .boxes = VEC_OF(struct target_box),
                          .recipients = VEC_OF(struct target_recipient),
                          .finds = VEC_OF(struct target_find),
                          .maps = VEC_OF(struct target_map) };
    (void)pthread_mutex_init(&t->lock, NULL);
}

int target_map_file(struct target *t, const char *path, const uint8_t **data, size_t *len, struct error *err)
{
    struct stat st;
    int rc = 0;
    *data = NULL;
    *len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_sys(err, "open %s", path);
    if (fstat(fd, &st) < 0)
        rc = error_sys(err, "look at %s", path);
    else if (S_ISREG(st.st_mode) && st.st_size > 0) {
        void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        struct target_map *m = p != MAP_FAILED ? vec_push(&t->maps, err) : NULL;
        if (p == MAP_FAILED)
            rc = error_sys(err, "map %s", path);
        else if (m == NULL)
            rc = E_NOMEM;
        else
            *m = (struct target_map){ .data = p, .len = (size_t)st.st_size };
        *data = rc == 0 ? p : NULL;
        *len = rc == 0 ? (size_t)st.st_size : 0;
    }
    (void)close(fd);
    return rc;
}

/* ---- loading ------------------------------------------------------------------------------------------- */

static int load_writer(struct target *t, const char *path, struct error *err)
{
    struct buf file = BUF_INIT;
    enum keyfile_role role = KEYFILE_ROOT;
    struct secret *block = NULL;
    if (t->nwriters == sizeof t->writers / sizeof t->writers[0])
        return error_set(err, E_USAGE, "too many writer keys");
    struct target_writer *w = &t->writers[t->nwriters];
    int rc = keyfile_load(path, &file, err);
    if (rc == 0 && (block = keyfile_decode(file.data, file.len, &role, NULL, err)) == NULL)
        rc = err->code;
    if (rc == 0 && role != KEYFILE_WRITER)
        rc = error_set(err, E_USAGE, "%s is no writer's key", path);
    if (rc == 0)
        rc = writer_keys_decode(block, &w->keys, err);
    if (rc == 0 && (w->derived = writer_derive(w->keys.w_w, err)) == NULL)
        rc = E_NOMEM;
    if (rc == 0)
        t->nwriters++;
    secret_free(block);
    buf_wipe(&file);
    return rc;
}

static int load_charter(struct target *t, const char *path, const struct name *n, struct error *err)
{
    struct charter c;
    struct buf file = BUF_INIT;
    (void)n;
    int rc = file_read_small(path, CHARTER_MAX, &file, err);
    if (rc == 0 && charter_parse(file.data, file.len, &c, NULL) == 0) {
        for (size_t i = 0; rc == 0 && i < c.recipients.len; i++) {
            const struct charter_recipient *r = vec_at(&c.recipients, i);
            struct target_recipient *to = vec_push(&t->recipients, err);
            if (to == NULL) {
                rc = E_NOMEM;
            } else {
                memcpy(to->pk, r->pk, BOX_PK_LEN);
                memcpy(to->rid, r->rid, RID_LEN);
            }
        }
        charter_free(&c);
    }
    buf_free(&file);
    return rc;
}

static const struct target_recipient *recipient(const struct target *t, const uint8_t rid[RID_LEN])
{
    for (size_t i = 0; i < t->recipients.len; i++) {
        const struct target_recipient *r = vec_at(&t->recipients, i);
        if (memcmp(r->rid, rid, RID_LEN) == 0)
            return r;
    }
    return NULL;
}

static int add_boxes(struct target *t, size_t session, const struct envelope *env, struct error *err)
{
    for (unsigned g = 0; g < env->n; g++) {
        for (unsigned i = 0; i < env->group[g].n; i++) {
            struct target_box *b = vec_push(&t->boxes, err);
            if (b == NULL)
                return E_NOMEM;
            *b = (struct target_box){
                .session = session, .group = g, .share = i, .box = env->group[g].share[i].box
            };
            const struct target_recipient *r = recipient(t, env->group[g].share[i].rid);
            if (r == NULL)
                continue;
            uint8_t both[2 * BOX_PK_LEN];
            b->has_pk = true;
            memcpy(b->pk, r->pk, BOX_PK_LEN);
            memcpy(both, b->box, BOX_PK_LEN);
            memcpy(both + BOX_PK_LEN, r->pk, BOX_PK_LEN);
            (void)crypto_generichash_blake2b(b->nonce, sizeof b->nonce, both, sizeof both, NULL, 0);
        }
    }
    return 0;
}

static int session_of(struct target *t, const struct object_header *h, size_t *out, struct error *err)
{
    struct envelope env;
    for (*out = 0; *out < t->sessions.len; (*out)++) {
        const struct target_session *s = vec_at(&t->sessions, *out);
        if (memcmp(s->name.writer_id, h->writer_id, WRITER_ID_LEN) == 0 && s->name.session == h->session &&
            memcmp(s->envelope.kid, h->envelope, KID_LEN) == 0)
            return 0;
    }
    int rc = envelope_parse(h->envelope, h->envelope_len, &env, err);
    struct target_session *s = rc == 0 ? vec_push(&t->sessions, err) : NULL;
    if (s == NULL)
        return rc < 0 ? rc : E_NOMEM;
    *s = (struct target_session){ .name.session = h->session, .envelope = env, .first_pack = SIZE_MAX };
    memcpy(s->name.repo_id, h->repo_id, REPO_ID_LEN);
    memcpy(s->name.writer_id, h->writer_id, WRITER_ID_LEN);
    for (size_t i = 0; i < t->nwriters; i++)
        if (memcmp(t->writers[i].keys.writer_id, h->writer_id, WRITER_ID_LEN) == 0)
            s->writer = &t->writers[i];
    return add_boxes(t, *out, &env, err);
}

static bool is_raw(const struct trailer_blob *b)
{
    return b->clen == b->plen + 1 + AEAD_OVERHEAD;
}

/* A compressed blob is the better probe: its first five bytes are known. */
static void choose_probe(struct target_pack *p)
{
    for (size_t i = 0; i < p->trailer.blobs.len; i++) {
        const struct trailer_blob *b = vec_at(&p->trailer.blobs, i);
        if (p->probe == NULL || (is_raw(p->probe) && !is_raw(b)) ||
            (is_raw(p->probe) == is_raw(b) && b->clen < p->probe->clen))
            p->probe = b;
    }
}

static int load_pack(struct target *t, const char *path, const struct name *n, struct error *err)
{
    struct target_pack p = { .trailer = { .blobs = VEC_OF(struct trailer_blob) } };
    struct pack_tail tail;
    (void)snprintf(p.name, sizeof p.name, "pack %08x-%06x.%02x", n->session, n->idx, n->attempt);
    int rc = target_map_file(t, path, &p.data, &p.len, err);
    if (rc < 0)
        return rc;
    if (object_header_parse(OBJECT_PACK, p.data, p.len, &p.header, NULL) < 0) {
        t->torn++;
        return 0;
    }
    rc = session_of(t, &p.header, &p.session, err);
    struct target_session *s = rc == 0 ? vec_at(&t->sessions, p.session) : NULL;
    if (rc == 0 && s->writer != NULL) {
        const uint8_t *key = writer_derived_of(s->writer->derived)->trail_key;
        if (p.len < PACK_TAIL_LEN ||
            pack_tail_open(&p.header, key, p.data + p.len - PACK_TAIL_LEN, p.len, &tail, NULL) < 0 ||
            pack_trailer_open(&p.header, key, &tail, p.data + tail.trailer_off, &p.trailer, NULL) < 0) {
            t->torn++;
            return 0;
        }
        choose_probe(&p);
        if (s->first_pack == SIZE_MAX)
            s->first_pack = t->packs.len;
    }
    struct target_pack *slot = rc == 0 ? vec_push(&t->packs, err) : NULL;
    if (rc == 0 && slot == NULL)
        return E_NOMEM;
    if (rc == 0)
        *slot = p;
    return rc;
}

static int load_snap(struct target *t, const char *path, const struct name *n, struct error *err)
{
    struct target_snap s = { .data = NULL };
    (void)snprintf(s.name, sizeof s.name, "snap %08x.%02x", n->session, n->attempt);
    int rc = target_map_file(t, path, &s.data, &s.len, err);
    if (rc < 0)
        return rc;
    if (snap_parse(s.data, s.len, &s.parts, NULL) < 0) {
        t->torn++;
        return 0;
    }
    rc = session_of(t, &s.parts.header, &s.session, err);
    struct target_snap *slot = rc == 0 ? vec_push(&t->snaps, err) : NULL;
    if (rc == 0 && slot == NULL)
        return E_NOMEM;
    if (rc == 0)
        *slot = s;
    return rc;
}

typedef int load_fn(struct target *t, const char *path, const struct name *n, struct error *err);

static int load_dir(struct target *t, const char *repo, enum name_kind kind, const uint8_t *writer,
                    load_fn *load, struct error *err)
{
    char dir_name[NAME_TEXT_MAX], path[PATH_MAX];
    struct name of = { .kind = kind };
    struct dirent **entries = NULL;
    if (writer != NULL)
        memcpy(of.writer, writer, WRITER_ID_LEN);
    (void)snprintf(path, sizeof path, "%s/%s", repo, name_dir(dir_name, &of));
    int n = scandir(path, &entries, NULL, alphasort);
    int rc = n < 0 ? error_sys(err, "list %s", path) : 0;
    for (int i = 0; i < n; i++) {
        struct name name;
        char file[PATH_MAX + 256];
        (void)snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
        if (rc == 0 && name_parse(kind, writer, entries[i]->d_name, &name))
            rc = load(t, file, &name, err);
        free(entries[i]);
    }
    free(entries);
    return rc;
}

static int load_objects(struct target *t, const char *repo, struct error *err)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/w", repo);
    DIR *d = opendir(path);
    const struct dirent *e = NULL;
    int rc = d == NULL ? error_sys(err, "list %s", path) : 0;
    while (rc == 0 && (e = readdir(d)) != NULL) {
        uint8_t id[WRITER_ID_LEN];
        if (!name_parse_writer(e->d_name, id))
            continue;
        rc = load_dir(t, repo, NAME_PACK, id, load_pack, err);
        if (rc == 0)
            rc = load_dir(t, repo, NAME_SNAP, id, load_snap, err);
    }
    if (d != NULL)
        (void)closedir(d);
    return rc;
}

int target_load(struct target *t, const char *repo, char *const *keys, size_t nkeys, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < nkeys; i++)
        rc = load_writer(t, keys[i], err);
    if (rc == 0)
        rc = load_dir(t, repo, NAME_CHARTER, NULL, load_charter, err);
    if (rc == 0)
        rc = load_objects(t, repo, err);
    if (rc == 0 &&
        ((t->codec = blob_codec_new(err)) == NULL || (t->plain = mem_alloc(BLOB_FRAME_MAX, 1, err)) == NULL))
        rc = E_NOMEM;
    return rc;
}

void target_free(struct target *t)
{
    for (size_t i = 0; i < t->nwriters; i++) {
        writer_keys_free(&t->writers[i].keys);
        secret_free(t->writers[i].derived);
    }
    for (size_t i = 0; i < t->packs.len; i++)
        pack_trailer_free(&((struct target_pack *)vec_at(&t->packs, i))->trailer);
    for (size_t i = 0; i < t->maps.len; i++) {
        const struct target_map *m = vec_at(&t->maps, i);
        (void)munmap(m->data, m->len);
    }
    vec_free(&t->sessions);
    vec_free(&t->packs);
    vec_free(&t->snaps);
    vec_free(&t->boxes);
    vec_free(&t->recipients);
    vec_free(&t->finds);
    vec_free(&t->maps);
    blob_codec_free(t->codec);
    free(t->plain);
    (void)pthread_mutex_destroy(&t->lock);
}

/* ---- opening; all below holds the lock ----------------------------------------------------------------- */

static void note(struct target *t, const char *kind, const char *where, const char *what)
{
    struct target_find *f = vec_push(&t->finds, NULL);
    if (f == NULL)
        return;
    f->kind = kind;
    (void)snprintf(f->where, sizeof f->where, "%s", where);
    (void)snprintf(f->what, sizeof f->what, "%s", what);
    (void)printf("  %s at %s opens %s\n", kind, where, what);
    (void)fflush(stdout);
}

static bool blob_ok(struct target *t, const struct target_pack *p, const struct trailer_blob *b,
                    const uint8_t *key)
{
    const struct target_session *s = vec_at(&t->sessions, p->session);
    return blob_open(t->codec, key, writer_derived_of(s->writer->derived)->id_key, (int)b->kind, b->id,
                     p->data + b->off, b->clen, t->plain, b->plen, NULL) == 0;
}

/* Blobs that open; the pack counts once. */
static unsigned open_pack(struct target *t, struct target_pack *p, const uint8_t k_p[KEY_LEN])
{
    struct target_session *s = vec_at(&t->sessions, p->session);
    unsigned n = 0;
    for (size_t i = 0; i < p->trailer.blobs.len; i++)
        n += blob_ok(t, p, vec_at(&p->trailer.blobs, i), k_p) ? 1 : 0;
    if (n != 0 && p->opened == 0)
        s->opened++;
    p->opened = n > p->opened ? n : p->opened;
    return n;
}

static bool open_snap(struct target_snap *s, const uint8_t k_n[KEY_LEN])
{
    struct snap_priv priv;
    if (snap_priv_open(&s->parts, k_n, &priv, NULL) < 0)
        return false;
    snap_priv_free(&priv);
    s->opened = true;
    return true;
}

static bool open_session(struct target *t, size_t index, const uint8_t k_s[KEY_LEN], const char *kind,
                         const char *where)
{
    struct target_session *s = vec_at(&t->sessions, index);
    uint8_t kid[KID_LEN], key[KEY_LEN];
    unsigned packs = 0, blobs = 0, snaps = 0;
    char what[128], text[SESSION_TEXT_MAX];
    if (session_kid(k_s, kid, NULL) < 0 || memcmp(kid, s->envelope.kid, KID_LEN) != 0)
        return false;
    for (size_t i = 0; i < t->packs.len; i++) {
        struct target_pack *p = vec_at(&t->packs, i);
        if (p->session != index || object_header_key(OBJECT_PACK, &p->header, k_s, key, NULL) < 0)
            continue;
        unsigned n = open_pack(t, p, key);
        blobs += n;
        packs += n != 0 ? 1 : 0;
    }
    for (size_t i = 0; i < t->snaps.len; i++) {
        struct target_snap *n = vec_at(&t->snaps, i);
        if (n->session == index && object_header_key(OBJECT_SNAP, &n->parts.header, k_s, key, NULL) == 0)
            snaps += open_snap(n, key) ? 1 : 0;
    }
    s->known = true;
    (void)snprintf(what, sizeof what, "session %s: %u packs (%u blobs), %u snapshot objects",
                   target_session_text(&s->name, text), packs, blobs, snaps);
    note(t, kind, where, what);
    return true;
}

static bool try_s(struct target *t, size_t index, const uint8_t secret[SHARE_LEN], const char *kind,
                  const char *where)
{
    const struct target_session *s = vec_at(&t->sessions, index);
    uint8_t k_s[KEY_LEN];
    return s->writer != NULL &&
           session_key(writer_derived_of(s->writer->derived)->mix_key, &s->name, secret, k_s, NULL) == 0 &&
           open_session(t, index, k_s, kind, where);
}

/* A share is known now: perhaps its group is complete. */
static bool shares_of(struct target *t, struct target_box *b, const uint8_t share[SHARE_LEN],
                      const char *kind, const char *where)
{
    uint8_t s[SHARE_LEN] = { 0 };
    const struct target_session *session = vec_at(&t->sessions, b->session);
    unsigned have = 0;
    b->open = true;
    memcpy(b->plain, share, SHARE_LEN);
    for (size_t i = 0; i < t->boxes.len; i++) {
        const struct target_box *o = vec_at(&t->boxes, i);
        if (o->session != b->session || o->group != b->group || !o->open)
            continue;
        have++;
        for (size_t k = 0; k < SHARE_LEN; k++)
            s[k] ^= o->plain[k];
    }
    if (have == session->envelope.group[b->group].n)
        return try_s(t, b->session, s, kind, where);
    note(t, kind, where, "one share of a group; the others are missing");
    return true;
}

bool target_key_s(struct target *t, size_t session, const uint8_t s[SHARE_LEN], const char *kind,
                  const char *where)
{
    (void)pthread_mutex_lock(&t->lock);
    bool good = try_s(t, session, s, kind, where);
    (void)pthread_mutex_unlock(&t->lock);
    return good;
}

bool target_key_session(struct target *t, size_t session, const uint8_t k_s[KEY_LEN], const char *kind,
                        const char *where)
{
    (void)pthread_mutex_lock(&t->lock);
    bool good = open_session(t, session, k_s, kind, where);
    (void)pthread_mutex_unlock(&t->lock);
    return good;
}

bool target_key_pack(struct target *t, size_t pack, const uint8_t k_p[KEY_LEN], const char *kind,
                     const char *where)
{
    char what[128];
    (void)pthread_mutex_lock(&t->lock);
    struct target_pack *p = vec_at(&t->packs, pack);
    unsigned n = open_pack(t, p, k_p);
    (void)snprintf(what, sizeof what, "%.60s: %u blobs", p->name, n);
    if (n != 0)
        note(t, kind, where, what);
    (void)pthread_mutex_unlock(&t->lock);
    return n != 0;
}

bool target_key_snap(struct target *t, size_t snap, const uint8_t key[KEY_LEN], enum snap_key what,
                     const char *kind, const char *where)
{
    uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES] = { 0 };
    unsigned long long n = 0;
    (void)pthread_mutex_lock(&t->lock);
    struct target_snap *s = vec_at(&t->snaps, snap);
    const uint8_t *priv = s->parts.priv;
    const uint8_t *cipher = priv + AEAD_NONCE_LEN;
    const struct object_header *h = &s->parts.header;
    bool fits = s->parts.priv_len > SEAL_OVERHEAD && s->parts.priv_len <= BLOB_FRAME_MAX;
    size_t len = fits ? s->parts.priv_len - AEAD_NONCE_LEN : 0;
    bool good = false;
    memcpy(nonce + 4, priv + 16, 8);
    if (what == SNAP_KEY)
        good = open_snap(s, key);
    else if (fits && what == SNAP_CIPHER)
        good = aead_decrypt(key, priv, h->bytes, h->len, cipher, len, t->plain, NULL) == 0;
    else if (fits)
        good = crypto_aead_chacha20poly1305_ietf_decrypt(t->plain, &n, NULL, cipher, len, h->bytes, h->len,
                                                         nonce, key) == 0;
    s->opened = s->opened || good;
    if (good)
        note(t, kind, where, s->name);
    (void)pthread_mutex_unlock(&t->lock);
    return good;
}

bool target_key_blob(struct target *t, size_t pack, const struct trailer_blob *blob,
                     const uint8_t key[KEY_LEN], const char *kind, const char *where)
{
    uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES] = { 0 };
    char what[128];
    unsigned long long n = 0;
    (void)pthread_mutex_lock(&t->lock);
    struct target_pack *p = vec_at(&t->packs, pack);
    struct target_session *s = vec_at(&t->sessions, p->session);
    memcpy(nonce + 4, blob->id + 16, 8);
    bool good = crypto_aead_chacha20poly1305_ietf_decrypt(t->plain, &n, NULL, p->data + blob->off, blob->clen,
                                                          blob->id, BLOB_ID_LEN, nonce, key) == 0;
    if (good) {
        (void)snprintf(what, sizeof what, "%.60s: the blob at %u (%u bytes)", p->name, blob->off, blob->clen);
        s->opened += p->opened == 0 ? 1 : 0;
        p->opened += p->opened == 0 ? 1 : 0;
        note(t, kind, where, what);
    }
    (void)pthread_mutex_unlock(&t->lock);
    return good;
}

/* crypto_box from the point where Salsa20's own key is known: 32 bytes of stream for Poly1305, then the
 * message. */
static bool open_message(const struct target_box *b, const uint8_t key[KEY_LEN], uint8_t share[SHARE_LEN])
{
    uint8_t stream[32 + SHARE_LEN];
    const uint8_t *mac = b->box + BOX_PK_LEN;
    (void)crypto_stream_salsa20(stream, sizeof stream, b->nonce + 16, key);
    for (size_t i = 0; i < SHARE_LEN; i++)
        share[i] = stream[32 + i] ^ mac[16 + i];
    return crypto_onetimeauth_verify(mac, mac + 16, SHARE_LEN, stream) == 0;
}

bool target_key_box(struct target *t, size_t box, const uint8_t key[KEY_LEN], bool message_key,
                    const char *kind, const char *where)
{
    uint8_t share[SHARE_LEN];
    (void)pthread_mutex_lock(&t->lock);
    struct target_box *b = vec_at(&t->boxes, box);
    bool good = message_key ? open_message(b, key, share)
                            : crypto_box_open_easy_afternm(share, b->box + BOX_PK_LEN, BOX_LEN - BOX_PK_LEN,
                                                           b->nonce, key) == 0;
    good = good && shares_of(t, b, share, kind, where);
    (void)pthread_mutex_unlock(&t->lock);
    return good;
}

bool target_key_ephemeral(struct target *t, size_t box, const uint8_t sk[KEY_LEN], const char *kind,
                          const char *where)
{
    uint8_t key[crypto_box_BEFORENMBYTES];
    const struct target_box *b = vec_at(&t->boxes, box);
    return b->has_pk && crypto_box_beforenm(key, b->pk, sk) == 0 &&
           target_key_box(t, box, key, false, kind, where);
}

bool target_key_recipient(struct target *t, const uint8_t pk[BOX_PK_LEN], const uint8_t r[KEY_LEN],
                          const char *kind, const char *where)
{
    bool good = false;
    for (size_t i = 0; i < t->boxes.len; i++) {
        const struct target_box *b = vec_at(&t->boxes, i);
        uint8_t key[crypto_box_BEFORENMBYTES];
        if (b->has_pk && memcmp(b->pk, pk, BOX_PK_LEN) == 0 && crypto_box_beforenm(key, b->box, r) == 0)
            good = target_key_box(t, i, key, false, kind, where) || good;
    }
    return good;
}

const char *target_session_text(const struct session_name *n, char out[SESSION_TEXT_MAX])
{
    char hex[2 * WRITER_ID_LEN + 1];
    hex_encode(hex, n->writer_id, WRITER_ID_LEN);
    (void)snprintf(out, SESSION_TEXT_MAX, "%s/%u", hex, n->session);
    return out;
}

size_t target_opened_packs(const struct target *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->packs.len; i++)
        n += ((const struct target_pack *)vec_at(&t->packs, i))->opened != 0 ? 1 : 0;
    return n;
}
