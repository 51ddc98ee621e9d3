/*
 * share.h - connections that read parts of one table, which must be the same table for all of them.
 *
 *     struct maria_shares *s = maria_shares_new(readers, tables, err);
 *     maria_shares_add(s, table);                         // for each part, before any lane begins
 *     rc = maria_shares_hold(s, lane, table, err);        // before a part is asked for
 *     maria_shares_begun(s, table);                       // the server gives its rows
 *     rc = maria_shares_leave(s, lane, table, err);       // it was read
 *
 * A connection that reads of a table keeps its definition from being changed, up
 * to a savepoint. Between two parts that must not end: another table could take
 * the name. So a lane lets go only when all parts were begun; then at once, so
 * that nobody who changes a table that was read must wait for the others.
 */
#ifndef COMMON_ENGINE_MARIADB_SHARE_H
#define COMMON_ENGINE_MARIADB_SHARE_H

#include "common/engine/mariadb/internal.h"

struct maria_shares;

/* Lane i is readers[i], at most MARIA_READERS_MAX. Borrows. */
struct maria_shares *maria_shares_new(struct maria *readers, size_t tables, struct error *err);
void maria_shares_add(struct maria_shares *s, size_t table);
size_t maria_shares_parts(const struct maria_shares *s, size_t table);
/* Parts are held in their order, of one table after the other. */
int maria_shares_hold(struct maria_shares *s, unsigned lane, size_t table, struct error *err);
void maria_shares_begun(struct maria_shares *s, size_t table);
int maria_shares_leave(struct maria_shares *s, unsigned lane, size_t table, struct error *err);
/* Nobody waits for parts any more. */
void maria_shares_end(struct maria_shares *s);
bool maria_shares_ended(struct maria_shares *s);
void maria_shares_free(struct maria_shares *s); /* NULL is fine */

#endif
