/*
 * file_id.h - is it still the same file that has this name?
 *
 *     struct file_id mine = file_id_of(path);      // of what was just made
 *     if (!file_id_is(&mine, path)) ...            // somebody removed it, or put another one there
 *
 * The last part of the path is not followed when it is a link. Only as long as the file is open (a socket: bound) its number is
 * not given to another one.
 */
#ifndef COMMON_SYS_FILE_ID_H
#define COMMON_SYS_FILE_ID_H

#include <stdbool.h>
#include <sys/types.h>

struct file_id {
    dev_t dev;
    ino_t ino; /* 0: there was none */
};

struct file_id file_id_of(const char *path);
/* False when there was none, too. */
bool file_id_is(const struct file_id *id, const char *path);

#endif
