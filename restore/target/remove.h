/*
 * remove.h - empties a directory, however deep, and follows no link.
 */
#ifndef RESTORE_TARGET_REMOVE_H
#define RESTORE_TARGET_REMOVE_H

#include <stdbool.h>

/* Removes everything below the open directory, but not the directory. Other file systems are left alone. False when
 * something stayed: also when a directory was moved while it was emptied, for nothing outside is touched. */
bool remove_below(int dir);

#endif
