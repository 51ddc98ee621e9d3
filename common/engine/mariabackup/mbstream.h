/*
 * mbstream.h - the framing of a stream of mariabackup, looked at while it passes.
 *
 *     struct mbstream *m = mbstream_new(err);
 *     rc = mbstream_feed(m, data, len, err);     // in pieces of any size
 *     rc = mbstream_end(m, err);                 // whole: ends between two chunks, every file closed
 *     mbstream_free(m);
 *
 * The stream is chunks: "XBSTCK01", flags (1 byte), type 'P' or 'E' (1), length
 * of the path (4, little endian), the path; with 'P' then length (8) and offset
 * (8) of the payload, its CRC-32 (4), the payload. 'E' closes a file. Chunks of
 * several files may alternate.
 *
 * Refused (E_CORRUPT): anything else, a path that is absolute, has "." or "..",
 * an empty component or a control character, a file that is opened twice or not
 * closed, payload that is not in order. And two things that lead out of the
 * directory a stream is put into (E_UNSUPPORTED): a tablespace that lies
 * elsewhere (.isl), and a backup-my.cnf that names paths or plugins. The program
 * mbstream refuses some of these names, too, but then ends with status 0.
 * The CRCs are left to it.
 */
#ifndef COMMON_ENGINE_MARIABACKUP_MBSTREAM_H
#define COMMON_ENGINE_MARIABACKUP_MBSTREAM_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"

enum {
    MBSTREAM_PATH_MAX = 511, /* bytes; mbstream's own limit */
    MBSTREAM_FILES_MAX = 10 * 1000 * 1000,
    MBSTREAM_OPEN_MAX = 256,        /* at the same time */
    MBSTREAM_SMALL_MAX = 64 * 1024, /* of a file that is kept, see mbstream_small */
};

struct mbstream;

struct mbstream_file {
    const char *path;
    uint64_t len;
};

struct mbstream *mbstream_new(struct error *err);
int mbstream_feed(struct mbstream *m, const void *data, size_t len, struct error *err);
int mbstream_end(struct mbstream *m, struct error *err);
size_t mbstream_files(const struct mbstream *m);
struct mbstream_file mbstream_file(const struct mbstream *m, size_t i);
/* The text of mariabackup's own file xtrabackup_NAME (or mariadb_backup_NAME): "info", "checkpoints", "binlog_info";
 * "" when there is none. */
const char *mbstream_small(const struct mbstream *m, const char *name);
void mbstream_free(struct mbstream *m);

#endif
