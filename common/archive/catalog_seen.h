/*
 * catalog_seen.h - the paths of a catalog that came before, and what they are.
 *
 * Only 128 bits of each path are kept. A file's name is chosen by whoever may write to the tree, so nobody may be able to
 * find two names that look the same: that would make a catalog that was written without complaint unreadable. The
 * bits come from a polynomial over the path whose two points are drawn for each catalog that is read: two paths meet
 * with a probability below 2^-88, whatever they are.
 *
 *     struct catalog_seen s = CATALOG_SEEN_INIT;
 *     catalog_seen_init(&s, err);
 *     catalog_seen_add(&s, path, type, &added, err);
 *     catalog_seen_is(&s, path, type);
 *     catalog_seen_free(&s);
 */
#ifndef COMMON_ARCHIVE_CATALOG_SEEN_H
#define COMMON_ARCHIVE_CATALOG_SEEN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/archive/catalog.h"
#include "common/base/map.h"

struct catalog_seen {
    struct map types; /* two values of a path's polynomial -> enum catalog_type + 1 */
    uint64_t point[2];
};

#define CATALOG_SEEN_INIT                                                      \
    {                                                                          \
        .types = MAP_OF(2 * sizeof(uint64_t), sizeof(uint8_t)), .point = { 0 } \
    }

int catalog_seen_init(struct catalog_seen *s, struct error *err);
/* *added is false when the path was there before. */
int catalog_seen_add(struct catalog_seen *s, const char *path, enum catalog_type type, bool *added,
                     struct error *err);
bool catalog_seen_is(const struct catalog_seen *s, const char *path, enum catalog_type type);
void catalog_seen_free(struct catalog_seen *s);

#endif
