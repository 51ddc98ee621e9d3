/*
 * sqlite.h - the engine `sqlite`: database files, copied while they are in use.
 *
 * Options
 *   path          the database file, or several, or patterns (required)
 *   name          name of the stream; only for one file without a pattern; default: its base name
 *   skip_others   leave out what a pattern matches and is no database, by name; default no: it is an error
 *   allow_empty   a pattern may match nothing; default no
 *   check         quick (default), full or none: PRAGMA quick_check or integrity_check of each copy
 *   busy_timeout  how long to wait for a lock, a duration; default 10s, at most 1h
 *   max_block     rollback journal only: how long writers may have to wait; default 2s
 *   on_block      warn (default) when it was longer, or fail: the run is given up then
 *   max_wal       write-ahead log only: give the run up when the log grows beyond this size; default no limit
 *   spool         directory for a copy of a database with a rollback journal; default /var/tmp; or none
 *
 * Patterns: in each component `*`, `?` and `[...]` as fnmatch(3), names that begin with a dot only where the
 * pattern has it; `**` stands for any number of directories, once in a pattern, and follows no links. A backslash
 * takes the meaning from `*`, `?`, `[` and itself. A directory that may not be read is an error: what is in it would be
 * missing. NAME-wal, -shm and -journal beside a file NAME belong to it and are not matched.
 *
 * Streams. One path without a pattern: the base name. Else the path without what means nothing ("/srv//a/./b.db" is
 * "srv/a/b.db"), '%' and bytes that are not UTF-8 as %XX: never two alike, the same every night. They come in the order
 * of their names.
 *
 * A stream is the database file of one moment, byte for byte what the file would hold after a checkpoint: pages 1,
 * 2, 3, ... in order. Several files are several moments, each read when its turn comes: what an application writes
 * into two files in one transaction (ATTACH) may be in one copy and not in the other.
 *
 * It is read with SQLite's backup API inside one read transaction; the copy is written into a private VFS (sink.h) that
 * hands the pages out. Page 1 must come first but the backup API writes it last, and with counters of its own. So the
 * source is opened through a thin VFS (tap.h) that keeps the page 1 SQLite read when the transaction began, from the
 * file or from the write-ahead log. When the late page 1 arrives it must equal that one except in the fields that the
 * backup API sets itself; otherwise the run fails.
 *
 * Locks
 *   write-ahead log   writers go on. Checkpoints cannot reset the log meanwhile, so it grows with what is written
 *                     during the copy; at 1 GiB a warning, at max_wal the run is given up (E_BUSY).
 *   rollback journal  commits wait while the pages are read. So that they wait for this machine's disk and not for the
 *                     storage, the copy goes into memory (up to 64 MiB) or a file without a name in `spool`, the
 *                     transaction ends, and then it is given out. With `spool: none`, or no room there, pages are
 *                     given out as they are read. Longer than max_block is a warning or, with on_block, the end of the
 *                     run (E_BUSY). There is no copy in small steps without a transaction: any commit makes the backup
 *                     API start over at page 1, and under load it never ends.
 * Limits are looked at between reads: who stops reading keeps the transaction.
 *
 * The check is made on the same bytes: in the spool, else in the read transaction, before it ends. CHECK constraints
 * are not evaluated: a row that breaks one is no damage. What cannot be checked because the schema calls functions that
 * only the application has is stored with a warning. A damaged database fails the run (E_CORRUPT): nothing is
 * published, whatever the other files are like.
 *
 * The database is opened read-only, and never with open(2): closing any descriptor of it would drop SQLite's POSIX
 * locks in this process. A WAL database without its -shm file is refused unless this process runs as its owner or as
 * root (whose files SQLite hands to the owner), and may write in its directory: a -shm that belongs to somebody else
 * would lock the application out. Reading a WAL database that nobody has open leaves an empty -wal and a -shm, as with
 * any read-only reader; the application's next start takes them over.
 *
 * A file that is replaced or cut while it is read, or that vanished after it was listed, is E_RETRY.
 *
 * Facts of a stream: page_size, pages, encoding, user_version, application_id, journal_mode (wal or rollback), tables,
 * freelist, source_path, quick_check or integrity_check (ok, unknown, none), objects, schema, rows, table_rows
 * (docs/format.md). There is no fingerprint of rows: the stream's own check proves every byte. Of the run: source,
 * sqlite_version, databases, skipped, source_path.
 *
 * restore() of one stream makes a new file (mode 0600), of several a directory (0700, new or empty) with the streams
 * below it; engine_selection.database takes one of several, by its name or by the end of it. A file is written under
 * a temporary name, checked with quick_check, flushed, and only then gets its own name, which must be free. A -wal or
 * -journal that lies next to the new name would be replayed into the restored file: it is moved aside to
 * NAME-wal.stale-PID (removed when empty), before the file gets its name. After a failure nothing is left.
 * With `beside` the new file is LIVE.restored-TIME, and swap() puts it into the place of LIVE (swap.h).
 */
#ifndef COMMON_ENGINE_SQLITE_SQLITE_H
#define COMMON_ENGINE_SQLITE_SQLITE_H

#include "common/engine/engine.h"

extern const struct engine engine_sqlite;

/* A condition on a row `v` of sqlite_schema: full text that has its words from another table, whose rows it can be made of
 * again. Other virtual tables keep what they hold themselves. */
#define SQLITE_FTS_OF_OTHERS                                                                   \
    "v.sql LIKE 'CREATE VIRTUAL%USING%fts_%content%=%' AND v.sql NOT LIKE '%content%=%''''%' " \
    "AND NOT EXISTS (SELECT 1 FROM sqlite_schema s WHERE s.name = v.name || '_content')"

#endif
