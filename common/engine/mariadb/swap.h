/*
 * swap.h - MariaDB renames no databases: what people do instead.
 */
#ifndef COMMON_ENGINE_MARIADB_SWAP_H
#define COMMON_ENGINE_MARIADB_SWAP_H

#include "common/engine/engine.h"

/* Tells the steps and does none of them: E_UNSUPPORTED, also when it only looks. */
int maria_swap(const struct engine_swap *swap, engine_plan_fn *fn, void *arg, struct error *err);

#endif
