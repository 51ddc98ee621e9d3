/*
 * mariadb.h - the engine `mariadb`: databases of a MariaDB server, of one moment.
 *
 * Options
 *   database        its name, or a list of names; or
 *   all_databases   yes: every one but the server's own
 *   host, port      a name; or
 *   socket          a path; neither: the library's default socket
 *   user            as for the stock client
 *   password_file   its first line is the password; or
 *   defaults_file   an option file with a group [client]. Both are refused when
 *                   others can read them; there is no option for a password, and
 *                   MYSQL_PWD is refused.
 *   ssl_ca          a file of certificates
 *   ssl_verify      yes or no; default yes for other hosts, no for this one: TLS,
 *                   with a certificate that fits the host
 *   users           yes (default) or no: also the accounts of the server
 *   non_transactional   refuse (default) or lock: tables that no snapshot shows
 *   exclude_tables, exclude_table_data   patterns DATABASE.TABLE (common/base/glob.h)
 *   exclude_databases   patterns, for all_databases
 *   freshness       DATABASE.TABLE.COLUMN, or TABLE.COLUMN: its largest value is a fact
 *   lock_timeout    how long to wait for a lock, a duration; default 30s
 *   connections     how many read rows at once, 1 to 8; default 1
 *   bin_dir         where mariadb-dump is; default PATH
 *   allow_untested  no (default) or yes: also releases other than 10.11. MySQL is
 *                   refused in any case.
 *
 * Streams (docs/format.md has them for outside readers); DB and TABLE are encoded
 * (common/engine/name.h)
 *   users.sql             mariadb-dump --system=users: the accounts of the server
 *   DB/schema.sql         mariadb-dump --no-data: tables and sequences
 *   DB/tables/TABLE.tsv   the rows of one table, as LOAD DATA takes them
 *   DB/load.sql           loads the tables with the stock client, sets the sequences
 *   DB/code.sql           mariadb-dump: triggers, events, routines, then views
 *
 * One connection reads, in one snapshot, and no lock is held at all. Several
 * (`connections`) need snapshots of one moment: BACKUP STAGE blocks commits for
 * the milliseconds in which they are taken, which needs RELOAD. Without that
 * right, or when a long statement is in the way, one connection reads, and a
 * warning says so. They share out the tables, and large ones by ranges of an
 * integer primary key; what is stored does not depend on it.
 * Rows come over the library, a stream for each table. Sequences have no
 * snapshot: they are read after the tables, so they are never behind the rows.
 * Definitions have none either: their fingerprint is compared at the end, and
 * what was changed in between makes the run one to repeat (E_RETRY). A server
 * whose own loss or lock ends a run gives E_RETRY. Rights whose lack the stock
 * tools pass over in silence are asked for first (E_DENIED). Memory: 4 MiB and
 * four times the longest row, for each connection.
 *
 * restore() fills a database that is empty or does not exist; `to` is its name
 * or mariadb://USER@HOST:PORT/DB?socket=..&password_file=.., never with a
 * password; ~/.my.cnf counts. Order: definitions, rows (tables in parallel, in
 * statements of about 16 MiB), sequences, code, then the comparison of every
 * table's rows and fingerprint with the facts (E_CORRUPT "facts-differ"). While
 * it runs and after a failure the comment of the database says that it is not
 * complete. plan() and every restore take the same look at the target first. Of
 * the scripts of a snapshot only statements of a known shape run, one at a time.
 * Accounts are made only when asked for, and never changed.
 */
#ifndef COMMON_ENGINE_MARIADB_MARIADB_H
#define COMMON_ENGINE_MARIADB_MARIADB_H

#include "common/engine/engine.h"

extern const struct engine engine_mariadb;

#endif
