/*
 * postgres.h - the engine `postgres`: databases of a PostgreSQL server, each of one moment.
 *
 * Options
 *   database        its name, or a list of names
 *   all_databases   yes: all that allow connections and are no templates, but for
 *   exclude_databases   those whose name one of these patterns matches
 *   host            a name, or the directory of a socket; port, user: as for psql
 *   passfile        libpq's password file; refused when others can read it. There
 *                   is no option for a password, and PGPASSWORD is refused.
 *   sslmode, sslrootcert   as for psql
 *   globals         yes (default) or no: also the roles and tablespaces of the server
 *   lock_timeout    how long to wait for a lock, a duration; default 30s
 *   freshness       columns as SCHEMA.TABLE.COLUMN, a list: their newest values are facts
 *   bin_dir         where pg_dump is; default: where Debian puts the one of the
 *                   server's release, then newer ones, then PATH
 *   allow_untested  no (default) or yes: also servers of other releases than 15
 *
 * Streams (docs/format.md has them for outside readers); DB, SCHEMA and TABLE are
 * encoded (name.h)
 *   globals.sql                     pg_dumpall --globals-only
 *   DB/schema.pgdump                pg_dump -Fc: everything but data
 *   DB/largeobjects.pgdump          pg_dump -Fc: large objects, when there are any
 *   DB/tables/SCHEMA/TABLE.copy     the rows of one table as COPY text
 *   DB/tables/SCHEMA/TABLE.copybin  the same in COPY's binary format, when a row is
 *                                   longer than 1 GB as text
 *   DB/load.sql                     loads the tables with psql, sets the sequences
 *
 * Several databases come one after the other, each with a snapshot of its own that
 * ends before the next begins: one moment of all of them does not exist in
 * PostgreSQL. What is known of a database are facts of its schema.pgdump.
 *
 * One connection locks the tables (ACCESS SHARE) and then takes the snapshot;
 * LOCK TABLE takes none, so what the snapshot shows is what is locked. A second
 * one, and pg_dump, read in that snapshot. Sequences are not transactional: they
 * are read after the tables, so they are never behind the rows. A stream ends
 * well only after the server's count of rows equals the rows that passed, or the
 * child's exit status 0 with a dump's beginning; the run only when the snapshot was held to the end.
 *
 * A server whose own loss, lock or conflict ends a run gives E_RETRY. Memory: a
 * few MB, and twice the longest row.
 *
 * restore() fills a database that exists and is empty with the one of the snapshot,
 * or the selected one of several; `to` is its name, a URI or
 * a connection string without a password. Order: a look at all that the server
 * lacks (fits.c; E_UNSUPPORTED, nothing was touched), roles when asked for, pre-data,
 * rows over `jobs` connections (rows.c), large objects, sequences, post-data, then
 * the comparison of every table's rows and fingerprint with the facts (E_CORRUPT
 * "facts-differ"), then the script that runs after it. While it runs and after a
 * failure the comment of the database says that it is not complete. plan() is
 * that look alone. With selected tables or schemas only their streams are opened,
 * and subset.c chooses their definitions from the dump's table of contents. Memory
 * of a restore: 4 MB for each of two batches and a connection, the definitions, and
 * the longest row of text only in pieces. table() keeps one value at a time.
 *
 * With `beside` it makes that database itself, next to the live one: from template0, with the encoding and locale of
 * the snapshot, owner, tablespace, settings, rights and limits of the live one, which it only reads. swap() exchanges
 * the names of the two in one transaction (swap.c).
 *
 * The dumps of a snapshot are code by nature; its facts, load.sql and globals.sql
 * are not: names are quoted, and of the two scripts only statements of a known
 * shape run, one at a time.
 */
#ifndef COMMON_ENGINE_POSTGRES_POSTGRES_H
#define COMMON_ENGINE_POSTGRES_POSTGRES_H

#include "common/engine/engine.h"

extern const struct engine engine_postgres;

#endif
