/*
 * assign.h - which writer a job uses.
 *
 * A job keeps its writer for ever: that is what it deduplicates against. The
 * file <state>/<repository>/jobs says which, one line "JOB WRITER-ID" each; it
 * is replaced atomically under a lock. A job that is not in it gets the writer
 * of this host whose newest snapshot carries its name (the state directory was
 * lost), else a spare one: active in the charter, with an empty log.
 *
 * Errors: E_NOT_FOUND when no spare writer is left; E_BUSY when another process
 * holds the file for long.
 */
#ifndef BACKUPD_JOB_ASSIGN_H
#define BACKUPD_JOB_ASSIGN_H

#include "common/backend/backend.h"
#include "common/cli/cli.h"
#include "common/conf/conf.h"
#include "common/repo/format.h"

struct assignment {
    char job[CONF_NAME_MAX + 1];
    uint8_t writer[WRITER_ID_LEN];
};

/* The backend is only used when the job has no writer yet. cli as in host_open(). */
int assign_writer(struct cli_context *cli, const struct conf *conf, const struct conf_repository *repository,
                  const char *job, struct backend *backend, uint8_t id[WRITER_ID_LEN], struct error *err);

/* What the file says, into a vec of struct assignment; a missing file is an empty one. */
int assign_load(const char *path, struct vec *out, struct error *err);
int assign_save(const char *path, const struct vec *list, struct error *err);

#endif
