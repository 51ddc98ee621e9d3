/*
 * sqlite.h - the engine `sqlite`: one database file, copied while it is in use.
 *
 * Options
 *   path          the database file (required)
 *   name          name of the stream; default: the file's base name
 *   busy_timeout  how long to wait for a lock, a duration; default 10s, at most 1h
 *   max_block     rollback journal only: log a warning when the copy kept writers
 *                 waiting for longer; default 2s
 *
 * The stream is the database file of one moment, byte for byte what the file
 * would hold after a checkpoint: pages 1, 2, 3, ... in order, no staging file, a
 * few MB of memory. It is read with SQLite's backup API inside one read
 * transaction; the copy is written into a private VFS (sink.h) that hands the
 * pages to read().
 *
 * Page 1 must come first but the backup API writes it last, and with counters
 * of its own. So the source is opened through a thin VFS (tap.h) that keeps
 * the page 1 SQLite read when the transaction began, from the file or from the
 * write-ahead log. When the late page 1 arrives it must equal that one except
 * in the fields that the backup API sets itself; otherwise the run fails.
 *
 * Locks
 *   write-ahead log   writers go on. Checkpoints cannot reset the log meanwhile,
 *                     so it grows with what is written during the copy.
 *   rollback journal  commits wait until the last page was read. There is no way
 *                     around it: without the transaction any commit makes the
 *                     backup API start over at page 1, and bytes of a sequential
 *                     stream that were given out cannot be taken back. The time
 *                     is logged when it exceeds max_block, with the cure: WAL.
 *
 * The database is opened read-only, and never with open(2): closing any
 * descriptor of it would drop SQLite's POSIX locks in this process. A WAL
 * database without its -shm file is refused unless this process runs as its
 * owner or as root (whose files SQLite hands to the owner): a -shm that belongs
 * to somebody else would lock the application out. Reading a WAL database that
 * nobody has open leaves an empty -wal and a -shm, as with any read-only reader;
 * the application's next start takes them over.
 *
 * Facts of the stream: page_size, pages, encoding, user_version,
 * application_id, journal_mode (wal or rollback), tables. Of the run: source,
 * sqlite_version, source_path.
 *
 * restore() makes one new file (mode 0600) from a snapshot's only stream. It is
 * written under a temporary name, checked with quick_check, and only then gets
 * its own name, which must be free. A -wal or -journal that lies next to the
 * new name would be replayed into the restored file: it is moved aside to
 * NAME-wal.stale-PID (removed when empty). After a failure nothing is left.
 * With `beside` the new file is LIVE.restored-TIME, and swap() puts it into the place of LIVE (swap.h).
 */
#ifndef COMMON_ENGINE_SQLITE_SQLITE_H
#define COMMON_ENGINE_SQLITE_SQLITE_H

#include "common/engine/engine.h"

extern const struct engine engine_sqlite;

#endif
