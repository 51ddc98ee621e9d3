#include "common/engine/fingerprint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/fact.h"
#include "common/base/str.h"
#include "common/crypto/hash.h"

#include "common/base/banned.h"

enum { SEED_DIGITS = 16, LINES = 64 };

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

void fingerprint_whole(struct fingerprint *fp, const void *data, const size_t *ends, size_t n)
{
    check_add_rows(fp->seed, data, ends, n, &fp->high, &fp->low);
    fp->rows += n;
}

/* The rows at data that are whole, up to LINES of them; returns their bytes. */
static size_t add_whole(struct fingerprint *fp, const uint8_t *data, size_t len)
{
    size_t ends[LINES];
    size_t n = 0;
    size_t at = 0;
    const uint8_t *end;
    while (n < LINES && at < len && (end = memchr(data + at, '\n', len - at)) != NULL)
        ends[n++] = at = (size_t)(end - data) + 1;
    fingerprint_whole(fp, data, ends, n);
    return at;
}

void fingerprint_lines(struct fingerprint *fp, const void *data, size_t len)
{
    const uint8_t *p = data;
    size_t at = 0;
    size_t n = 1;
    if (fp->open && len > 0) {
        const uint8_t *end = memchr(p, '\n', len);
        at = end != NULL ? (size_t)(end - p) + 1 : len;
        fingerprint_piece(fp, p, end != NULL ? at - 1 : len);
        if (end != NULL)
            fingerprint_row(fp);
    }
    for (; n > 0 && at < len; at += n)
        n = add_whole(fp, p + at, len - at);
    if (at < len)
        fingerprint_piece(fp, p + at, len - at);
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
