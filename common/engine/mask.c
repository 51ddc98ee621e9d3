#include "common/engine/mask.h"

#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/crypto/hash.h"
#include "common/crypto/secret.h"

#include "common/base/banned.h"

const struct mask_escapes mask_escapes_postgres = { "bfnrtv", "\b\f\n\r\t\v", 6, "postgres-copy" };
const struct mask_escapes mask_escapes_mariadb = { "0tn", "\0\t\n", 3, "mariadb-rows" };

struct mask_hash {
    struct secret *key;
    struct file_hash_state *state;
    size_t length;
};

/* Takes the key. */
static struct mask_hash *with_key(struct secret *key, size_t length, struct error *err)
{
    struct mask_hash *h = key != NULL ? mem_alloc(1, sizeof *h, err) : NULL;
    if (h == NULL) {
        secret_free(key);
        return NULL;
    }
    h->length = length;
    h->key = key;
    h->state = file_hash_new(err);
    if (h->state != NULL)
        return h;
    mask_hash_free(h);
    return NULL;
}

struct mask_hash *mask_hash_new(struct error *err)
{
    return with_key(secret_random(HASH_LEN, err), MASK_HASH_MAX, err);
}

struct mask_hash *mask_hash_again(const struct mask_hash *h, struct error *err)
{
    return with_key(secret_copy(secret_view(h->key), HASH_LEN, err), h->length, err);
}

void mask_hash_limit(struct mask_hash *h, size_t length)
{
    length = length < MASK_HASH_MIN ? MASK_HASH_MIN : length;
    h->length = length < h->length ? length : h->length;
}

size_t mask_hash_length(const struct mask_hash *h)
{
    return h->length;
}

void mask_hash_begin(struct mask_hash *h)
{
    file_hash_begin_keyed(h->state, secret_view(h->key));
}

void mask_hash_add(struct mask_hash *h, const void *data, size_t len)
{
    file_hash_update(h->state, data, len);
}

/* Five bits a character, from the left. */
void mask_hash_text(struct mask_hash *h, char out[MASK_HASH_MAX + 1])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
    uint8_t hash[HASH_LEN];
    file_hash_final(h->state, hash);
    for (size_t i = 0; i < h->length; i++) {
        size_t bit = 5 * i;
        unsigned pair = (unsigned)hash[bit / 8] << 8 | hash[bit / 8 + 1];
        out[i] = letters[pair >> (11 - bit % 8) & 31];
    }
    out[h->length] = '\0';
    secret_wipe(hash, sizeof hash);
}

void mask_hash_free(struct mask_hash *h)
{
    if (h == NULL)
        return;
    secret_free(h->key);
    file_hash_free(h->state);
    free(h);
}

void mask_table_free(struct mask_table *t)
{
    for (size_t i = 0; i < t->columns.len; i++) {
        struct mask_column *c = vec_at(&t->columns, i);
        free(c->name);
        free(c->sql);
        free(c->type);
        free(c->constant);
    }
    vec_free(&t->columns);
    free(t->schema);
    free(t->name);
    free(t->sql);
    free(t->stream);
}
