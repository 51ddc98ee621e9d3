/*
 * people.h - several people who restore together: who they are, and which of them are enough (inside init/).
 *
 *     rc = init_people_read(cli, &people, err);                  // --people alice,bob,carol --need 2
 *     rc = init_people_generate(&people, &keys, err);            // after the first one's kit is made
 *     rc = init_people_seal(i, passphrase, kdf, &keys, err);
 *     rc = init_people_charter(&people, &keys, &charter, err);   // recipients, and every group of `need`
 *     path = init_people_path("DIR/restore-kit.key", name, err); // "DIR/restore-kit-alice.key", for free()
 *
 * Each one's kit has W and V and a recipient key of its own. Without --people there is one kit and one group.
 */
#ifndef BACKUPD_INIT_PEOPLE_H
#define BACKUPD_INIT_PEOPLE_H

#include "common/base/buffer.h"
#include "common/cli/cli.h"
#include "common/repo/charter.h"
#include "common/repo/keys.h"

enum { INIT_PEOPLE_MAX = 16 };

struct init_people {
    size_t n; /* 0: one kit that opens alone */
    unsigned need;
    char name[INIT_PEOPLE_MAX][NAME_MAX_LEN + 1];
};

/* One of the people behind the first, whose kit is the repository's. */
struct init_other {
    struct member_kit key;
    struct buf kit_file;
};

struct init_keys;

int init_people_read(const struct cli_context *cli, struct init_people *out, struct error *err);
char *init_people_path(const char *path, const char *name, struct error *err);
int init_people_generate(const struct init_people *p, struct init_keys *keys, struct error *err);
/* Person i of n, from 0. */
int init_people_seal(size_t i, const struct secret *passphrase, const struct keyfile_kdf *kdf,
                     struct init_keys *keys, struct error *err);
const struct buf *init_people_kit(const struct init_keys *keys, size_t i);
int init_people_charter(const struct init_people *p, const struct init_keys *keys, struct charter *c,
                        struct error *err);

#endif
