/*
 * cnf.h - is a backup-my.cnf harmless (inside mariabackup/).
 *
 * mariabackup writes it at the end of a stream and `mariabackup --prepare` reads
 * it. Only [mysqld] and settings innodb_NAME=VALUE without a path to elsewhere
 * are good; plugin_load and the like, which servers with encrypted tables need,
 * are E_UNSUPPORTED.
 */
#ifndef COMMON_ENGINE_MARIABACKUP_CNF_H
#define COMMON_ENGINE_MARIABACKUP_CNF_H

#include <stddef.h>

#include "common/base/error.h"

int cnf_check(const char *text, size_t len, struct error *err);

#endif
