#include "backupd/init/keys.h"

#include <string.h>

#include "common/base/banned.h"

int init_keys_generate(const struct init_request *r, struct init_keys *out, struct error *err)
{
    memset(out, 0, sizeof *out);
    out->writers = (struct vec)VEC_OF(struct writer_keys);
    out->others = (struct vec)VEC_OF(struct init_other);
    int rc = root_keys_generate(&out->root, err);
    if (rc == 0)
        rc = restore_kit_generate(&out->root, &out->kit, err);
    if (rc == 0)
        rc = init_people_generate(&r->people, out, err);
    if (rc == 0)
        rc = retention_keys_generate(&out->kit, &out->retention, err);
    for (size_t i = 0; rc == 0 && i < r->writers; i++) {
        struct writer_keys *w = vec_push(&out->writers, err);
        rc = w != NULL ? writer_keys_generate(&out->kit, w, err) : E_NOMEM;
    }
    if (rc == 0) {
        memcpy(out->pin.repo_id, out->kit.repo_id, REPO_ID_LEN);
        memcpy(out->pin.root_pk, out->kit.root_pk, SIGN_PK_LEN);
    }
    return rc;
}

/* Takes over `block`. */
static int seal_one(enum keyfile_role role, struct secret *block, const struct secret *passphrase,
                    const struct keyfile_kdf *kdf, struct buf *out, struct error *err)
{
    int rc = block != NULL ? keyfile_encode(role, block, passphrase, kdf, out, err) : E_NOMEM;
    secret_free(block);
    return rc;
}

int init_keys_seal(const struct init_request *r, const struct secret *passphrase, struct init_keys *keys,
                   struct error *err)
{
    const struct keyfile_kdf kdf = { .mem_mib = r->kdf_mib };
    int rc = r->people.n == 0 ? init_people_seal(0, passphrase, &kdf, keys, err) : 0;
    if (rc == 0)
        rc = seal_one(KEYFILE_ROOT, root_keys_encode(&keys->root, err), passphrase, &kdf, &keys->root_file,
                      err);
    if (rc == 0)
        rc = seal_one(KEYFILE_RETENTION, retention_keys_encode(&keys->retention, err), passphrase, &kdf,
                      &keys->retention_file, err);
    return rc;
}

int init_keys_seal_person(const struct init_request *r, size_t i, const struct secret *passphrase,
                          struct init_keys *keys, struct error *err)
{
    const struct keyfile_kdf kdf = { .mem_mib = r->kdf_mib };
    return init_people_seal(i, passphrase, &kdf, keys, err);
}

void init_keys_free(struct init_keys *keys)
{
    root_keys_free(&keys->root);
    restore_kit_free(&keys->kit);
    retention_keys_free(&keys->retention);
    for (size_t i = 0; i < keys->writers.len; i++)
        writer_keys_free(vec_at(&keys->writers, i));
    vec_free(&keys->writers);
    for (size_t i = 0; i < keys->others.len; i++) {
        struct init_other *o = vec_at(&keys->others, i);
        member_kit_free(&o->key);
        buf_wipe(&o->kit_file);
    }
    vec_free(&keys->others);
    buf_wipe(&keys->root_file);
    buf_wipe(&keys->kit_file);
    buf_wipe(&keys->retention_file);
}

/* ---- the charter --------------------------------------------------------------------------------------- */

static int add_writers(const struct init_request *r, const struct init_keys *keys, struct charter *c,
                       struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < keys->writers.len; i++) {
        const struct writer_keys *w = vec_at(&keys->writers, i);
        struct charter_writer *line = vec_push(&c->writers, err);
        if (line == NULL)
            return E_NOMEM;
        *line = (struct charter_writer){ .cadence_hours = r->cadence_hours,
                                         .first_seq = 1,
                                         .last_seq = SEQ_OPEN };
        memcpy(line->id, w->writer_id, WRITER_ID_LEN);
        rc = sign_public(w->seed, line->pk, err);
    }
    return rc;
}

int init_charter(const struct init_request *r, const struct init_keys *keys, struct charter *c,
                 struct buf *bytes, struct error *err)
{
    charter_init(c);
    memcpy(c->repo_id, keys->pin.repo_id, REPO_ID_LEN);
    memcpy(c->root_pk, keys->pin.root_pk, SIGN_PK_LEN);
    c->pack_size = r->pack_size;
    c->min_keep_days = r->min_keep_days;
    int rc = init_people_charter(&r->people, keys, c, err);
    if (rc == 0)
        rc = add_writers(r, keys, c, err);
    struct charter_retention *line = rc == 0 ? vec_push(&c->retention, err) : NULL;
    if (rc == 0 && line == NULL)
        rc = E_NOMEM;
    if (rc == 0) {
        *line = (struct charter_retention){ .first_seq = 1, .last_seq = SEQ_OPEN };
        rc = sign_public(keys->retention.seed, line->pk, err);
    }
    return rc == 0 ? charter_build(c, keys->root.seed, bytes, err) : rc;
}
