/*
 * files.h - the engine `files`: a directory tree.
 *
 * Options
 *   path             the directory (required); it is not a member itself
 *   exclude          shell patterns of what is left out; a list
 *   one_file_system  do not enter directories of other file systems; default yes
 *
 * Stored are regular files, directories, symbolic links and hard links with
 * mode, owner, group, their names, modification time, extended attributes and
 * POSIX ACLs. Fifos, sockets and devices are named in a warning and counted. A
 * directory of another file system is stored empty.
 *
 * Patterns are matched against the path relative to `path`, byte by byte, with
 * fnmatch(3) and FNM_PATHNAME: `*`, `?` and `[...]` do not match '/'; names that
 * begin with a dot are like others.
 *   without '/'   the last component of any path: "*.tmp", "node_modules"
 *   with '/'      the whole path, from the root: "var/cache", "/tmp"
 *   '/' at end    directories only
 * What lies below an excluded directory is excluded.
 *
 * There is no one moment of a tree: files are read one after the other. A file
 * whose size or times change while it is read is read once more when it is small
 * (1 MiB); after that it is stored as it was read and marked: the fact
 * changed=yes, a warning, a flaw of the run. What vanishes or cannot be read is
 * named and is a flaw; what cannot be read to its end is stored as far as it
 * goes, with the fact incomplete=yes. A directory that cannot be listed fails
 * the run. The data directory of a running PostgreSQL or MariaDB server is
 * refused; the write-ahead log of an SQLite database is warned about.
 *
 * Holes of sparse files are left out of the stream: the fact
 * gaps=OFFSET:LENGTH,... (offsets in the file, ascending). The file has as many
 * bytes as stream and gaps together.
 *
 * Facts of the run: source, source_path, root_mode, root_uid, root_gid,
 * root_mtime, and counts: files, directories, symlinks, hardlinks, excluded,
 * special, other_file_systems, missing, changed, metadata_missing,
 * directories_changed.
 *
 * Restoring is `restore files`: there is no restore().
 */
#ifndef COMMON_ENGINE_FILES_FILES_H
#define COMMON_ENGINE_FILES_FILES_H

#include "common/engine/engine.h"

extern const struct engine engine_files;

#endif
