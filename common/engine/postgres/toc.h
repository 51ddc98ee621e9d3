/*
 * toc.h - the table of contents of a dump in pg_dump's custom format.
 *
 * What pg_restore -l prints is for people: names with spaces or newlines cannot
 * be told apart there. So the entries are read from the archive itself, with the
 * statements and the dependencies that pg_dump noted.
 *
 *     rc = pgsql_toc_read(data, len, &toc, err);   // strings are copied
 *     pgsql_toc_free(&toc);
 *
 * Archive versions 1.14 to 1.16 (pg_dump 12 to 18); others are E_UNSUPPORTED.
 * E_CORRUPT "postgres-toc" when it ends early or makes no sense.
 */
#ifndef COMMON_ENGINE_POSTGRES_TOC_H
#define COMMON_ENGINE_POSTGRES_TOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/base/vec.h"

struct toc_entry {
    int32_t id;
    char *desc;       /* "TABLE", "FK CONSTRAINT", ... */
    char *schema;     /* "" when it is in none */
    char *tag;        /* its name; of what belongs to a table: "TABLE NAME" */
    char *sql;        /* its definition */
    char *tablespace; /* "" for the database's own */
    char *owner;
    struct vec deps; /* size_t: places in the list; what is not in the list is left out */
};

struct pgsql_toc {
    struct vec entries; /* struct toc_entry */
};

int pgsql_toc_read(const void *data, size_t len, struct pgsql_toc *out, struct error *err);
void pgsql_toc_free(struct pgsql_toc *toc); /* a zeroed one is fine */

const struct toc_entry *toc_at(const struct pgsql_toc *toc, size_t i);
bool toc_is(const struct toc_entry *e, const char *desc);

#endif
