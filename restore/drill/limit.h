/*
 * limit.h - a drill that takes too long is stopped, as a signal would stop it.
 *
 *     rc = drill_limit_start(seconds, err);   // 0: none
 *     ...                                     // everything ends with E_CANCELLED when it is over
 *     drill_limit_end();                      // forgets the request that it made
 */
#ifndef RESTORE_DRILL_LIMIT_H
#define RESTORE_DRILL_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/error.h"

int drill_limit_start(uint64_t seconds, struct error *err);
bool drill_limit_passed(void);
void drill_limit_end(void);

#endif
