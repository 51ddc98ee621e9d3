/*
 * probe.h - what an SFTP account can and cannot do, as rows of `check storage --probe`.
 *
 * Nothing is changed. What a role is for is no warning; what it must not do is,
 * and so is an account that is also another role's.
 */
#ifndef BACKUPD_STORAGE_PROBE_H
#define BACKUPD_STORAGE_PROBE_H

#include "backupd/report.h"
#include "backupd/storage/setup.h"
#include "common/backend/backend.h"

/* The choices of --role, in the order of enum setup_role; NULL-terminated. */
extern const char *const probe_roles[];

/* `ids`: writers of this host (WRITER_ID_LEN bytes each). A repository must be there. */
void storage_probe(struct backend *b, enum setup_role role, const struct vec *ids, struct report *report);

#endif
