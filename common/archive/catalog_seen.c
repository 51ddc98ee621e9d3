#include "common/archive/catalog_seen.h"

#include <sys/random.h>

#include "common/base/banned.h"

#define PRIME (((uint64_t)1 << 61) - 1)

__extension__ typedef unsigned __int128 wide;

struct key {
    uint64_t value[2];
};

static uint64_t reduce(wide x)
{
    uint64_t r = (uint64_t)(x & PRIME) + (uint64_t)(x >> 61);
    return r >= PRIME ? r - PRIME : r;
}

/* Two polynomials with coefficients 1..256, and 1 in front: different paths are different polynomials. */
static struct key key_of(const struct catalog_seen *s, const char *path)
{
    struct key k = { { 1, 1 } };
    for (const char *p = path; *p != '\0'; p++)
        for (unsigned i = 0; i < 2; i++)
            k.value[i] = reduce((wide)k.value[i] * s->point[i] + (uint8_t)*p + 1);
    return k;
}

int catalog_seen_init(struct catalog_seen *s, struct error *err)
{
    if (getrandom(s->point, sizeof s->point, 0) != (ssize_t)sizeof s->point)
        return error_sys(err, "random bytes for a catalog");
    for (unsigned i = 0; i < 2; i++)
        s->point[i] %= PRIME;
    return 0;
}

int catalog_seen_add(struct catalog_seen *s, const char *path, enum catalog_type type, bool *added,
                     struct error *err)
{
    struct key k = key_of(s, path);
    uint8_t *slot = map_put(&s->types, &k, added, err);
    if (slot == NULL)
        return E_NOMEM;
    if (*added)
        *slot = (uint8_t)(type + 1);
    return 0;
}

bool catalog_seen_is(const struct catalog_seen *s, const char *path, enum catalog_type type)
{
    struct key k = key_of(s, path);
    const uint8_t *slot = map_get(&s->types, &k);
    return slot != NULL && *slot == type + 1;
}

void catalog_seen_free(struct catalog_seen *s)
{
    map_free(&s->types);
}
