/*
 * grants.h - what the lines of SHOW GRANTS say about a database.
 *
 *     struct grants g = GRANTS_INIT;
 *     grants_add(&g, "GRANT SELECT, TRIGGER ON `shop`.* TO `bk`@`localhost`", err);    // each line
 *     if (!grants_has(&g, RIGHT_TRIGGER, "shop", NULL)) ...
 *     grants_free(&g);
 *
 * Lines of columns, of single routines and of roles are passed over: the server
 * lists the rights of an active role itself.
 */
#ifndef COMMON_ENGINE_MARIADB_GRANTS_H
#define COMMON_ENGINE_MARIADB_GRANTS_H

#include <stdbool.h>

#include "common/base/error.h"
#include "common/base/vec.h"

enum grant_right {
    RIGHT_SELECT = 1,
    RIGHT_SHOW_VIEW = 2,
    RIGHT_TRIGGER = 4,
    RIGHT_EVENT = 8,
    RIGHT_LOCK = 16,
    RIGHT_RELOAD = 32,
    RIGHT_ROUTINE = 64, /* SHOW CREATE ROUTINE, of MariaDB 11.3 */
    RIGHT_CREATE = 128,
    RIGHT_ALTER = 256,
    RIGHT_DROP = 512,
    RIGHT_INSERT = 1024,
    RIGHT_REFERENCES = 2048,
    RIGHT_CREATE_VIEW = 4096,
    RIGHT_CREATE_ROUTINE = 8192,
    RIGHT_SUPER = 16384,
    RIGHT_SET_USER = 32768,
    RIGHT_ALL = 65536, /* ALL PRIVILEGES, also counted as each of the others */
};

struct grant {
    char *database; /* a pattern with % and _; NULL: everywhere */
    char *table;    /* NULL: all of them */
    unsigned rights;
};

struct grants {
    struct vec list; /* struct grant */
};

#define GRANTS_INIT                  \
    {                                \
        .list = VEC_OF(struct grant) \
    }

int grants_add(struct grants *g, const char *line, struct error *err);
/* database NULL: everywhere; table NULL: the whole database. */
bool grants_has(const struct grants *g, unsigned right, const char *database, const char *table);
void grants_free(struct grants *g);

#endif
