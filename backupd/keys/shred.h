/*
 * shred.h - destroying the keys of a repository: which files, what they are, in which order.
 *
 *     rc = shred_plan(&s, paths, n, passphrase, err);   // looks at every file; destroys nothing
 *     rc = shred_resume(&s, "CERT.list", err);          // what an earlier run that was ended had planned
 *     rc = shred_note(&s, "CERT.list", err);            // so that a run after this one knows
 *     rc = shred_files(&s, err);                        // all but the root key
 *     ... sign the certificate, write it ...
 *     rc = shred_root(&s, err);                         // the last one
 *     shred_free(&s);
 *
 * A path is a key file, its text, or a directory (then its key files, *.key, *.key.new and *.txt with key text). A
 * file of another repository stops everything before anything is destroyed. One with a passphrase that is not known
 * cannot be told apart from another repository's: it counts because it was named.
 */
#ifndef BACKUPD_KEYS_SHRED_H
#define BACKUPD_KEYS_SHRED_H

#include "common/base/vec.h"
#include "common/conf/conf.h"
#include "common/repo/charter.h"
#include "common/repo/keys.h"

struct shred_file {
    char *path;
    enum keyfile_role role;
    uint8_t hash[HASH_LEN];
    bool has_rid; /* opened: it is of this repository for certain, and of this recipient */
    uint8_t rid[RID_LEN];
    bool opened;
    bool is_root; /* the root key that signs: goes last */
    bool gone;
    bool earlier;                /* by an earlier run */
    char reason[ERROR_TEXT_MAX]; /* why it is not gone, or what is left of it */
};

struct shred {
    struct vec files; /* struct shred_file */
    uint8_t repo_id[REPO_ID_LEN];
    struct root_keys root;
    const struct charter *charter; /* the newest; borrowed */
};

/* s->repo_id and s->root are set. `passphrase` (NULL or NONE: none) is tried on what has one. */
int shred_plan(struct shred *s, const char *path, bool must_exist, const struct conf_secret *passphrase,
               struct error *err);
int shred_note(const struct shred *s, const char *list, struct error *err);
int shred_resume(struct shred *s, const char *list, struct error *err);
int shred_files(struct shred *s, struct error *err);
int shred_root(struct shred *s, struct error *err);
void shred_free(struct shred *s);

/* "root key", "kit", ...: one word, for certificates. */
const char *shred_role(enum keyfile_role role);

#endif
