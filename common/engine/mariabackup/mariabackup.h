/*
 * mariabackup.h - the engine `mariabackup`: the files of a whole MariaDB server, as mariabackup streams them.
 *
 * For servers whose logical restore would take too long: the way back is copying
 * files and `mariabackup --prepare`. Everything or nothing: no single tables, no
 * other major version.
 *
 * Options
 *   socket, host, port, user   of the server, as for the client `mariadb`; it must run on this host
 *   defaults_file   option file with [client] user and password, mode 0600; read instead of /etc/mysql/my.cnf and
 *                   ~/.my.cnf. There is no option for a password
 *   bin_dir         where mariabackup (or mariadb-backup), mbstream and mariadb are; default: PATH
 *   timeout         the whole run; default 1d
 *   stall_timeout   no byte for so long; default 1h
 *   allow_untested  no (default) or yes: also servers of other series than 10.11
 *
 * One stream, backup.mbstream (docs/format.md). The run is good when mariabackup
 * ended with status 0 and "completed OK!" as its last words, and the framing of
 * the stream (mbstream.h) was whole to the end. Tablespaces outside the data
 * directory and encrypted ones are refused.
 *
 * restore() makes the directory `to`, a data directory that a server of the same
 * series can start on: mbstream -x and mariabackup --prepare in
 * `to`/INCOMPLETE-RESTORE, whose contents are moved up when everything was good.
 * While that name is there, the restore is not complete.
 */
#ifndef COMMON_ENGINE_MARIABACKUP_MARIABACKUP_H
#define COMMON_ENGINE_MARIABACKUP_MARIABACKUP_H

#include "common/engine/engine.h"

extern const struct engine engine_mariabackup;

#endif
