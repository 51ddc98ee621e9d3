/*
 * storage.h - the storage of a new repository (inside init/).
 *
 *     rc = init_storage_open(&request, &backend, err);       // makes the directory itself when it is missing
 *     rc = init_storage_empty(backend, err);                 // E_EXISTS: a repository is there already
 *     rc = init_storage_dirs(&request, backend, &charter, &unmade, err);
 *     rc = init_storage_publish(backend, &bytes, err);
 *     rc = init_storage_verify(&request, &pin, err);         // as the host's own account sees it
 */
#ifndef BACKUPD_INIT_STORAGE_H
#define BACKUPD_INIT_STORAGE_H

#include "backupd/init/plan.h"
#include "common/access/access.h"
#include "common/backend/backend.h"
#include "common/repo/charter.h"

int init_storage_open(const struct init_request *r, struct backend **out, struct error *err);
int init_storage_empty(struct backend *b, struct error *err);
/* *unmade: writers whose directories the server's owner has still to make, because this account may not. */
int init_storage_dirs(const struct init_request *r, struct backend *b, const struct charter *c,
                      size_t *unmade, struct error *err);
/* *maybe is set when it failed and the charter may stand there nevertheless: then the keys must stay. */
int init_storage_publish(struct backend *b, const struct buf *charter, bool *maybe, struct error *err);
int init_storage_verify(const struct init_request *r, const struct access_root *pin, struct error *err);

#endif
