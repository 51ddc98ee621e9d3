/*
 * keys.h - the keys of a new repository, its first charter, and their files (inside init/).
 *
 *     rc = init_keys_generate(&request, &keys, err);
 *     rc = init_keys_seal(&request, passphrase, &keys, err);    // takes seconds when there is a passphrase
 *     rc = init_charter(&request, &keys, &charter, &bytes, err);
 *     rc = init_files_write(&request, &keys, &files, err);      // takes its own back when one fails
 *     init_files_remove(&files);                                // undoes it
 *     init_keys_free(&keys);
 */
#ifndef BACKUPD_INIT_KEYS_H
#define BACKUPD_INIT_KEYS_H

#include "backupd/init/plan.h"
#include "common/access/access.h"
#include "common/base/buffer.h"
#include "common/repo/charter.h"
#include "common/repo/keys.h"

struct init_keys {
    struct root_keys root;
    struct access_root pin;
    struct restore_kit kit;
    struct retention_keys retention;
    struct vec writers; /* struct writer_keys */
    struct vec others;  /* struct init_other: the people behind the first */
    /* key files */
    struct buf root_file;
    struct buf kit_file;
    struct buf retention_file;
};

int init_keys_generate(const struct init_request *r, struct init_keys *out, struct error *err);
int init_keys_seal(const struct init_request *r, const struct secret *passphrase, struct init_keys *keys,
                   struct error *err);
/* With --people: the kit of person i, under a passphrase of its own. */
int init_keys_seal_person(const struct init_request *r, size_t i, const struct secret *passphrase,
                          struct init_keys *keys, struct error *err);
void init_keys_free(struct init_keys *keys);

/* The signed bytes go to `bytes`; *c is filled and to be freed with charter_free. */
int init_charter(const struct init_request *r, const struct init_keys *keys, struct charter *c,
                 struct buf *bytes, struct error *err);

int init_files_write(const struct init_request *r, const struct init_keys *keys, struct vec *files,
                     struct error *err);
void init_files_remove(struct vec *files);

#endif
