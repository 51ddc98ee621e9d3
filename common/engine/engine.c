#include "common/engine/engine.h"

#include <stdio.h>
#include <string.h>

#include "common/engine/command/command.h"
#include "common/engine/files/files.h"
#include "common/engine/mariadb/mariadb.h"
#include "common/engine/mariabackup/mariabackup.h"
#include "common/engine/postgres/postgres.h"
#include "common/engine/sqlite/sqlite.h"

#include "common/base/banned.h"

static const struct engine *const engines[] = { &engine_sqlite,      &engine_postgres, &engine_mariadb,
                                                &engine_mariabackup, &engine_files,    &engine_command };
enum { ENGINES = sizeof engines / sizeof engines[0] };

const struct engine *engine_find(const char *name, struct error *err)
{
    char known[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < ENGINES; i++) {
        if (strcmp(engines[i]->name, name) == 0)
            return engines[i];
        int n = snprintf(known + used, sizeof known - used, "%s%s", i == 0 ? "" : ", ", engines[i]->name);
        if (n > 0 && (size_t)n < sizeof known - used)
            used += (size_t)n;
    }
    (void)error_set(err, E_USAGE, "there is no engine \"%s\"; known: %s", name, known);
    return NULL;
}

int64_t engine_lend(const struct engine *engine, struct engine_run *run, void *block, size_t cap,
                    const void **data, struct error *err)
{
    if (engine->lend != NULL)
        return engine->lend(run, block, cap, data, err);
    *data = block;
    return engine->read(run, block, cap, err);
}

const char *engine_option(const struct engine_job *job, const char *key)
{
    for (size_t i = 0; i < job->noptions; i++)
        if (strcmp(job->options[i].key, key) == 0)
            return job->options[i].value;
    return NULL;
}
