/*
 * table_parts.h - the rows of a partitioned table, which has none of its own; for table.c.
 */
#ifndef COMMON_ENGINE_POSTGRES_TABLE_PARTS_H
#define COMMON_ENGINE_POSTGRES_TABLE_PARTS_H

#include "common/engine/postgres/restore.h"

/* The selected table has no stream: if it is partitioned, appends the loads of all its partitions (struct pgsql_load *, of
 * the plan), also of theirs, and gives `whole` its schema, name and sql, which the caller frees. Otherwise `why`
 * becomes the error. E_UNSUPPORTED when rows of a partition are not in the snapshot. */
int pgsql_table_parts(struct pgsql_plan *p, const struct error *why, struct vec *parts,
                      struct pgsql_table *whole, struct error *err);

#endif
