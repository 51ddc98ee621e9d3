/*
 * writer.h - writers in a charter: which one is meant, closing its range, opening one, and its key file.
 *
 *     rc = key_writer_find(&c, "shop-db", id, err);              // 16 hex digits, or a job of this host
 *     rc = key_writer_close(&c, id, &last, err);                 // c.next: nothing after `last` counts
 *     rc = key_writer_open(&c.next, id, pk, cadence, last + 1, err);
 *     rc = key_writer_save(path, &keys, err);                    // E_EXISTS: never overwrites
 */
#ifndef BACKUPD_KEYS_WRITER_H
#define BACKUPD_KEYS_WRITER_H

#include "backupd/keys/change.h"

/* E_USAGE: no such writer in the charter. */
int key_writer_find(const struct key_change *c, const char *text, uint8_t id[WRITER_ID_LEN],
                    struct error *err);
/* The job that uses this writer on this host, or NULL; for free(). */
char *key_writer_job(const struct conf *conf, const struct conf_repository *repository,
                     const uint8_t id[WRITER_ID_LEN]);
/* Closes its open range at the last verified record: before a fork, if there is one. E_USAGE: closed already;
 * E_CONFLICT: its log ends with an alarm that is no fork, and `despite` is not set. */
int key_writer_close(struct key_change *c, const uint8_t id[WRITER_ID_LEN], bool despite, uint32_t *last,
                     struct error *err);
int key_writer_open(struct charter *next, const uint8_t id[WRITER_ID_LEN], const struct secret *seed,
                    uint32_t cadence, uint32_t first, struct error *err);
int key_writer_save(const char *path, const struct writer_keys *keys, struct error *err);
/* The key file of writer `id` at this path; E_CONFLICT when it is of another writer or repository. */
int key_writer_load(const char *path, const struct key_change *c, const uint8_t id[WRITER_ID_LEN],
                    struct writer_keys *out, struct error *err);

#endif
