#include "common/engine/fingerprint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/fact.h"
#include "common/base/str.h"
#include "common/crypto/hash.h"

#include "common/base/banned.h"

enum { SEED_DIGITS = 16 };

struct fingerprint {
    struct check_state *row; /* of a row that came in pieces */
    bool open;
    uint64_t seed;
    uint64_t high;
    uint64_t low;
    uint64_t rows;
};

struct fingerprint *fingerprint_new(uint64_t seed, struct error *err)
{
    struct fingerprint *fp = mem_alloc(1, sizeof *fp, err);
    if (fp == NULL)
        return NULL;
    fp->seed = seed;
    fp->row = check_new_seeded(seed, err);
    if (fp->row == NULL) {
        free(fp);
        return NULL;
    }
    return fp;
}

static uint64_t big_endian(const uint8_t *p)
{
    uint64_t n = 0;
    for (int i = 0; i < 8; i++)
        n = n << 8 | p[i];
    return n;
}

static void add(struct fingerprint *fp, const uint8_t hash[CHECK_LEN])
{
    uint64_t low = big_endian(hash + 8);
    fp->low += low;
    fp->high += big_endian(hash) + (fp->low < low);
    fp->rows++;
}

void fingerprint_piece(struct fingerprint *fp, const void *data, size_t len)
{
    if (!fp->open)
        check_reset(fp->row);
    fp->open = true;
    check_update(fp->row, data, len);
}

void fingerprint_row(struct fingerprint *fp)
{
    uint8_t hash[CHECK_LEN];
    if (!fp->open)
        check_reset(fp->row);
    check_final(fp->row, hash);
    add(fp, hash);
    fp->open = false;
}

void fingerprint_lines(struct fingerprint *fp, const void *data, size_t len)
{
    const uint8_t *p = data;
    while (len > 0) {
        const uint8_t *end = memchr(p, '\n', len);
        if (end == NULL) {
            fingerprint_piece(fp, p, len);
            return;
        }
        size_t line = (size_t)(end - p);
        if (fp->open) {
            fingerprint_piece(fp, p, line);
            fingerprint_row(fp);
        } else {
            check_add_seeded(fp->seed, p, line, &fp->high, &fp->low);
            fp->rows++;
        }
        p = end + 1;
        len -= line + 1;
    }
}

bool fingerprint_partial(const struct fingerprint *fp)
{
    return fp->open;
}

uint64_t fingerprint_rows(const struct fingerprint *fp)
{
    return fp->rows;
}

const char *fingerprint_text(const struct fingerprint *fp, char out[FINGERPRINT_TEXT_MAX])
{
    (void)snprintf(out, FINGERPRINT_TEXT_MAX, "%s:%016llx%016llx", FINGERPRINT_METHOD,
                   (unsigned long long)fp->high, (unsigned long long)fp->low);
    return out;
}

static bool parse(const char *text, struct fingerprint *out)
{
    uint8_t hash[CHECK_LEN];
    size_t method = strlen(FINGERPRINT_METHOD ":");
    if (strncmp(text, FINGERPRINT_METHOD ":", method) != 0 || strlen(text) != method + 2 * sizeof hash ||
        !hex_decode(hash, sizeof hash, text + method))
        return false;
    add(out, hash);
    return true;
}

bool fingerprint_join(char sum[FINGERPRINT_TEXT_MAX], const char *other)
{
    struct fingerprint both = { .row = NULL };
    if (!parse(sum, &both) || !parse(other, &both))
        return false;
    (void)fingerprint_text(&both, sum);
    return true;
}

int fingerprint_seed_fact(uint64_t seed, struct buf *out, struct error *err)
{
    return buf_printf(out, err, FINGERPRINT_SEED_FACT "=%016llx\n", (unsigned long long)seed);
}

int fingerprint_seed_read(const char *facts, uint64_t *out, struct error *err)
{
    char text[SEED_DIGITS + 2];
    uint8_t seed[SEED_DIGITS / 2];
    *out = 0;
    if (!fact_get(facts, FINGERPRINT_SEED_FACT, text, sizeof text))
        return 0;
    if (strlen(text) != SEED_DIGITS || !hex_decode(seed, sizeof seed, text))
        return error_set(err, E_UNSUPPORTED,
                         "the fact " FINGERPRINT_SEED_FACT
                         " of the snapshot is no number of %d digits: it is of "
                         "a kind that this program does not know",
                         SEED_DIGITS);
    *out = big_endian(seed);
    return 0;
}

void fingerprint_free(struct fingerprint *fp)
{
    if (fp == NULL)
        return;
    check_free(fp->row);
    free(fp);
}
