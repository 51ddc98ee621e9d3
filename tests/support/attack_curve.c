#include "tests/support/attack_curve.h"

#include <sodium.h>
#include <string.h>

#include "common/base/banned.h"

__extension__ typedef unsigned __int128 wide;

#define MASK ((UINT64_C(1) << 51) - 1)
#define INLINE static inline __attribute__((always_inline))

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "bytes are taken as they lie in memory");

INLINE uint64_t get64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE void put64(uint8_t *p, uint64_t v)
{
    memcpy(p, &v, sizeof v);
}

/* ---- numbers modulo 2^255 - 19 ------------------------------------------------------------------------- */

static const struct fe one = { { 1, 0, 0, 0, 0 } };

static struct fe fe_load(const uint8_t b[32])
{
    return (struct fe){ { get64(b) & MASK, get64(b + 6) >> 3 & MASK, get64(b + 12) >> 6 & MASK,
                          get64(b + 19) >> 1 & MASK, get64(b + 24) >> 12 & MASK } };
}

INLINE void fe_carry(struct fe *a)
{
    for (size_t i = 0; i < 4; i++) {
        a->v[i + 1] += a->v[i] >> 51;
        a->v[i] &= MASK;
    }
    a->v[0] += 19 * (a->v[4] >> 51);
    a->v[4] &= MASK;
}

static void fe_store(uint8_t out[32], const struct fe *in)
{
    struct fe a = *in;
    fe_carry(&a);
    fe_carry(&a);
    /* + 19 makes bit 255 say whether a is not below the prime. */
    uint64_t q = (a.v[0] + 19) >> 51;
    for (size_t i = 1; i < 5; i++)
        q = (a.v[i] + q) >> 51;
    a.v[0] += 19 * q;
    for (size_t i = 0; i < 4; i++) {
        a.v[i + 1] += a.v[i] >> 51;
        a.v[i] &= MASK;
    }
    a.v[4] &= MASK;
    put64(out, a.v[0] | a.v[1] << 51);
    put64(out + 8, a.v[1] >> 13 | a.v[2] << 38);
    put64(out + 16, a.v[2] >> 26 | a.v[3] << 25);
    put64(out + 24, a.v[3] >> 39 | a.v[4] << 12);
}

INLINE void fe_add(struct fe *r, const struct fe *a, const struct fe *b)
{
    for (size_t i = 0; i < 5; i++)
        r->v[i] = a->v[i] + b->v[i];
}

/* b below 2^54 in every limb; the result is carried. */
INLINE void fe_sub(struct fe *r, const struct fe *a, const struct fe *b)
{
    static const uint64_t p16[5] = { 16 * (MASK - 18), 16 * MASK, 16 * MASK, 16 * MASK, 16 * MASK };
    for (size_t i = 0; i < 5; i++)
        r->v[i] = a->v[i] + p16[i] - b->v[i];
    fe_carry(r);
}

INLINE void fe_mul(struct fe *r, const struct fe *a, const struct fe *b)
{
    const uint64_t *x = a->v, *y = b->v;
    uint64_t y1 = 19 * y[1], y2 = 19 * y[2], y3 = 19 * y[3], y4 = 19 * y[4];
    wide t0 = (wide)x[0] * y[0] + (wide)x[1] * y4 + (wide)x[2] * y3 + (wide)x[3] * y2 + (wide)x[4] * y1;
    wide t1 = (wide)x[0] * y[1] + (wide)x[1] * y[0] + (wide)x[2] * y4 + (wide)x[3] * y3 + (wide)x[4] * y2;
    wide t2 = (wide)x[0] * y[2] + (wide)x[1] * y[1] + (wide)x[2] * y[0] + (wide)x[3] * y4 + (wide)x[4] * y3;
    wide t3 = (wide)x[0] * y[3] + (wide)x[1] * y[2] + (wide)x[2] * y[1] + (wide)x[3] * y[0] + (wide)x[4] * y4;
    wide t4 =
        (wide)x[0] * y[4] + (wide)x[1] * y[3] + (wide)x[2] * y[2] + (wide)x[3] * y[1] + (wide)x[4] * y[0];
    t1 += (uint64_t)(t0 >> 51);
    t2 += (uint64_t)(t1 >> 51);
    t3 += (uint64_t)(t2 >> 51);
    t4 += (uint64_t)(t3 >> 51);
    uint64_t low = ((uint64_t)t0 & MASK) + 19 * (uint64_t)(t4 >> 51);
    r->v[1] = ((uint64_t)t1 & MASK) + (low >> 51);
    r->v[0] = low & MASK;
    r->v[2] = (uint64_t)t2 & MASK;
    r->v[3] = (uint64_t)t3 & MASK;
    r->v[4] = (uint64_t)t4 & MASK;
}

INLINE void fe_square(struct fe *r, const struct fe *a)
{
    fe_mul(r, a, a);
}

/* a^(p-2): p - 2 = 2^255 - 21 has all bits set but 2 and 4. */
static void fe_invert(struct fe *r, const struct fe *a)
{
    struct fe x = one, base = *a;
    for (int bit = 254; bit >= 0; bit--) {
        fe_square(&x, &x);
        if (bit != 2 && bit != 4)
            fe_mul(&x, &x, &base);
    }
    *r = x;
}

/* ---- points of the twisted Edwards curve, extended coordinates (Hisil and others, 2008) ---------------- */

struct cached { /* y + x, y - x, 2 d x y of an affine point */
    struct fe plus, minus, product;
};
static struct cached low[256];   /* b * B */
static struct cached high[256];  /* -b * 2^248 * B */
static struct cached clamps[32]; /* what clamping adds, by the low three and the top two bits */
static struct fe twice_d;

/* with_t: an addition follows. */
INLINE void point_double(struct roller *p, bool with_t)
{
    struct fe a, b, c, e, f, g, h, s;
    fe_square(&a, &p->x);
    fe_square(&b, &p->y);
    fe_square(&c, &p->z);
    fe_add(&c, &c, &c);
    fe_add(&s, &p->x, &p->y);
    fe_square(&e, &s);
    fe_add(&h, &a, &b);
    fe_sub(&e, &h, &e);
    fe_sub(&g, &a, &b);
    fe_add(&f, &c, &g);
    fe_mul(&p->x, &e, &f);
    fe_mul(&p->y, &g, &h);
    fe_mul(&p->z, &f, &g);
    if (with_t)
        fe_mul(&p->t, &e, &h);
}

INLINE void point_add(struct roller *p, const struct cached *q)
{
    struct fe a, b, c, d, e, f, g, h;
    fe_sub(&a, &p->y, &p->x);
    fe_mul(&a, &a, &q->minus);
    fe_add(&b, &p->y, &p->x);
    fe_mul(&b, &b, &q->plus);
    fe_mul(&c, &p->t, &q->product);
    fe_add(&d, &p->z, &p->z);
    fe_sub(&e, &b, &a);
    fe_sub(&f, &d, &c);
    fe_add(&g, &d, &c);
    fe_add(&h, &b, &a);
    fe_mul(&p->x, &e, &f);
    fe_mul(&p->y, &g, &h);
    fe_mul(&p->z, &f, &g);
    fe_mul(&p->t, &e, &h);
}

static struct cached to_cached(const struct roller *p)
{
    struct cached c;
    struct fe inverse, x, y;
    fe_invert(&inverse, &p->z);
    fe_mul(&x, &p->x, &inverse);
    fe_mul(&y, &p->y, &inverse);
    fe_add(&c.plus, &y, &x);
    fe_carry(&c.plus);
    fe_sub(&c.minus, &y, &x);
    fe_mul(&c.product, &x, &y);
    fe_mul(&c.product, &c.product, &twice_d);
    return c;
}

static struct cached negative(const struct cached *c)
{
    static const struct fe zero;
    struct cached n = { .plus = c->minus, .minus = c->plus };
    fe_sub(&n.product, &zero, &c->product);
    return n;
}

static const struct roller nothing = { .y = { { 1 } }, .z = { { 1 } } };

static void make_base(struct roller *b)
{
    /* x of the base point, little-endian; y is 4/5. */
    static const uint8_t x[32] = { 0x1a, 0xd5, 0x25, 0x8f, 0x60, 0x2d, 0x56, 0xc9, 0xb2, 0xa7, 0x25,
                                   0x95, 0x60, 0xc7, 0x2c, 0x69, 0x5c, 0xdc, 0xd6, 0xfd, 0x31, 0xe2,
                                   0xa4, 0xc0, 0xfe, 0x53, 0x6e, 0xcd, 0xd3, 0x36, 0x69, 0x21 };
    static const struct fe four = { { 4 } }, five = { { 5 } };
    b->x = fe_load(x);
    fe_invert(&b->y, &five);
    fe_mul(&b->y, &b->y, &four);
    b->z = one;
    fe_mul(&b->t, &b->x, &b->y);
}

void curve_init(void)
{
    static const struct fe top = { { 121665 } }, bottom = { { 121666 } }, zero;
    struct cached step, up, down;
    struct roller p, base;
    fe_invert(&twice_d, &bottom);
    fe_mul(&twice_d, &twice_d, &top);
    fe_sub(&twice_d, &zero, &twice_d);
    fe_add(&twice_d, &twice_d, &twice_d);
    fe_carry(&twice_d);
    make_base(&base);
    step = to_cached(&base);
    p = nothing;
    for (size_t b = 0; b < 256; b++, point_add(&p, &step))
        low[b] = to_cached(&p);
    p = base;
    for (int i = 0; i < 248; i++)
        point_double(&p, true);
    up = to_cached(&p);
    step = negative(&up);
    struct roller sum = nothing;
    for (size_t b = 0; b < 256; b++, point_add(&sum, &step))
        high[b] = to_cached(&sum);
    for (int i = 0; i < 6; i++)
        point_double(&p, true);
    up = to_cached(&p); /* 2^254 */
    down = negative(&up);
    for (size_t i = 0; i < 32; i++) {
        struct cached minus = negative(&low[i & 7]);
        sum = nothing;
        point_add(&sum, &minus);
        if ((i >> 3 & 1) == 0)
            point_add(&sum, &up);
        if ((i >> 4) != 0) {
            point_add(&sum, &down);
            point_add(&sum, &down);
        }
        clamps[i] = to_cached(&sum);
    }
}

/* ---- windows ------------------------------------------------------------------------------------------- */

INLINE void times_256(struct roller *r)
{
    for (int i = 0; i < 7; i++)
        point_double(r, false);
    point_double(r, true);
}

void roller_start(struct roller *r, const uint8_t *window)
{
    *r = nothing;
    for (size_t i = 32; i-- > 0;) {
        times_256(r);
        point_add(r, &low[window[i]]);
    }
}

void roller_back(struct roller *r, const uint8_t *window)
{
    point_add(r, &high[window[32]]);
    times_256(r);
    point_add(r, &low[window[0]]);
}

void roller_emit(const struct roller *r, const uint8_t *window, struct curve_batch *b)
{
    struct roller p = *r;
    point_add(&p, &clamps[(window[0] & 7) | (window[31] >> 6) << 3]);
    fe_add(&b->above[b->n], &p.z, &p.y);
    fe_sub(&b->below[b->n], &p.z, &p.y);
    b->n++;
}

/* One inversion for all (Montgomery). A zero below the line is the neutral element, which no key has. */
void curve_finish(struct curve_batch *b, uint8_t *pks)
{
    struct fe running[CURVE_BATCH], inverse;
    struct fe product = one;
    for (size_t i = 0; i < b->n; i++) {
        uint8_t raw[32];
        fe_store(raw, &b->below[i]);
        if (sodium_is_zero(raw, sizeof raw) != 0)
            b->below[i] = one;
        running[i] = product;
        fe_mul(&product, &product, &b->below[i]);
    }
    fe_invert(&inverse, &product);
    for (size_t i = b->n; i-- > 0;) {
        struct fe u;
        fe_mul(&u, &inverse, &running[i]);
        fe_mul(&inverse, &inverse, &b->below[i]);
        fe_mul(&u, &u, &b->above[i]);
        fe_store(pks + 32 * i, &u);
    }
    b->n = 0;
}

bool curve_self_test(void)
{
    static uint8_t text[32 + CURVE_BATCH];
    static uint8_t pks[32 * CURVE_BATCH];
    static struct curve_batch batch;
    struct roller r;
    randombytes_buf(text, sizeof text);
    roller_start(&r, text + CURVE_BATCH - 1);
    for (size_t i = CURVE_BATCH; i-- > 0;) {
        if (i + 1 < CURVE_BATCH)
            roller_back(&r, text + i);
        roller_emit(&r, text + i, &batch);
    }
    curve_finish(&batch, pks);
    for (size_t i = 0; i < CURVE_BATCH; i++) {
        uint8_t want[32];
        (void)crypto_scalarmult_base(want, text + CURVE_BATCH - 1 - i);
        if (memcmp(want, pks + 32 * i, 32) != 0)
            return false;
    }
    return true;
}
