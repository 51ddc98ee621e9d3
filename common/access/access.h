/*
 * access.h - from the configuration to what the programs work with: storage, keys, secrets.
 *
 * The one room that knows configuration, crypto, storage and repository
 * together, so that neither program has a copy of this. It stands above the
 * library's rooms and below the programs.
 *
 *     conf = access_configuration(path, need_jobs, &problems, err);
 *     backend = access_storage(&conf_repository->storage, err);           // not connected yet
 *     rc = access_root(repository, &root, err);                           // what repo_open() pins
 *     rc = access_writer_keys(repository, id, &keys, err);                // backup host
 *     rc = access_retention_keys(repository, NULL, false, &keys, err);        // retention host
 *     rc = access_kit(path, &repository->kit_passphrase, prompt, &kit, err);  // restore station
 *
 * Files of a host's key directory (`keys:` of a repository), all 0400 in a 0700 directory:
 *     root.pub              "bk1 root REPO_ID PK\n": what every program pins; not secret
 *     writer-<16 hex>.key   one per writer of this host (spares included)
 *     retention.key, root.key only where their role lives
 *
 * crypto_init() must have succeeded before.
 */
#ifndef COMMON_ACCESS_ACCESS_H
#define COMMON_ACCESS_ACCESS_H

#include "common/backend/backend.h"
#include "common/base/vec.h"
#include "common/conf/conf.h"
#include "common/crypto/secret.h"
#include "common/engine/engine.h"
#include "common/repo/drill_keys.h"
#include "common/repo/keys.h"
#include "common/sys/limits.h"

#define ACCESS_ROOT_FILE "root.pub"
#define ACCESS_ROOT_KEY_FILE "root.key"
#define ACCESS_RETENTION_FILE "retention.key"

/* What `limits` of the configuration mean for a process. */
struct process_limits access_limits(const struct conf_limits *limits);

/* conf_load with the engines' hooks; problems are the caller's to print. */
struct conf *access_configuration(const char *path, bool need_jobs, struct conf_problems *problems,
                                  struct error *err);
/* The same; packed (or NULL) gets what was read, as one file (conf_hooks.packed). */
struct conf *access_configuration_packed(const char *path, bool need_jobs, struct buf *packed,
                                         struct conf_problems *problems, struct error *err);

/* Resolves {file}, {credential} or {command}: the secret's first line, without its end. NULL with err; a
 * file that others can read is refused (a credential's mode is systemd's matter). E_NOT_FOUND when the
 * reference is CONF_SECRET_NONE. */
struct secret *access_secret(const struct conf_secret *ref, struct error *err);

/* A backend for the storage; connects at first use. `storage` must live as long as the backend and its
 * clones: the passphrase of an SSH key is looked up at each connect. */
struct backend *access_storage(const struct conf_storage *storage, struct error *err);
/* Connects now, to find out early. */
int access_connect(struct backend *b, const struct conf_storage *storage, struct error *err);
/* What key the server shows; strings for free(). E_USAGE for storage that is not reached over SFTP. */
int access_scan_host_key(const struct conf_storage *storage, char **fingerprint, char **line,
                         struct error *err);

/* What a repository's programs pin. */
struct access_root {
    uint8_t repo_id[REPO_ID_LEN];
    uint8_t root_pk[SIGN_PK_LEN];
};
/* E_NOT_FOUND: this host has no keys for the repository yet. */
int access_root_file(const char *path, struct access_root *out, struct error *err);
int access_root(const struct conf_repository *repository, struct access_root *out, struct error *err);
/* E_EXISTS: never overwrites. */
int access_write_root(const char *keys_dir, const struct access_root *root, struct error *err);
/* For a host that pins the newest root key after a rotation; the caller has verified the chain from the old one. */
int access_replace_root(const char *keys_dir, const struct access_root *root, struct error *err);
/* The public key's hash in groups of four digits, for people to compare. */
enum { ACCESS_FINGERPRINT_MAX = 32 };
const char *access_fingerprint(const struct access_root *root, char out[ACCESS_FINGERPRINT_MAX]);
/* The same of any public key of 32 bytes: a writer's, a recipient's. */
const char *access_key_print(const uint8_t pk[SIGN_PK_LEN], char out[ACCESS_FINGERPRINT_MAX]);

/* "DIR/writer-<id>.key", for free(). */
char *access_writer_path(const char *keys_dir, const uint8_t id[WRITER_ID_LEN], struct error *err);
/* Ids (WRITER_ID_LEN bytes each) of the writers whose keys this host holds, sorted, into a vec of
 * uint8_t[8]. */
int access_writer_ids(const struct conf_repository *repository, struct vec *out, struct error *err);
/* E_CONFLICT: the file belongs to another repository or writer than its place says. What it pins becomes what
 * root.pub says. */
int access_writer_keys(const struct conf_repository *repository, const uint8_t id[WRITER_ID_LEN],
                       struct writer_keys *out, struct error *err);

/* The secrets of a key file of this role, or of its printable text form; for secret_free(). A path of "-" is the
 * text on stdin. `reference`
 * (may be NULL or CONF_SECRET_NONE) gives the passphrase; without one and with a terminal it is asked for
 * when `prompt`. E_AUTH: wrong or missing. E_USAGE: a key file of another role. */
struct secret *access_key_block(const char *path, enum keyfile_role role, const struct conf_secret *reference,
                                bool prompt, struct error *err);
/* The same; *role is what is wanted, 0 for a file of any role, and then says which it was. */
struct secret *access_any_key_block(const char *path, enum keyfile_role *role,
                                    const struct conf_secret *reference, bool prompt, struct error *err);
/* What the file says it is, without its passphrase; 0 when it is neither a key file nor its text. */
enum keyfile_role access_key_role(const char *path);
/* "restore kit", "root key", ... */
const char *access_role_name(enum keyfile_role role);
/* Opens a restore kit the same way. */
int access_kit(const char *path, const struct conf_secret *reference, bool prompt, struct restore_kit *out,
               struct error *err);

/* A drill host's kit the same way. */
int access_drill_keys(const char *path, const struct conf_secret *reference, bool prompt,
                      struct drill_keys *out, struct error *err);

/* The retention host's: `path`, or retention.key in the key directory (NULL). Besides it that host needs root.pub and the
 * storage's key, and no writer's key or kit. E_NOT_FOUND; E_CONFLICT: of another repository. What it
 * pins is what root.pub says. */
int access_retention_keys(const struct conf_repository *repository, const char *path, bool prompt,
                          struct retention_keys *out, struct error *err);
/* The same, or a quorum member's kit: then w and v stay NULL. */
int access_person_kit(const char *path, const struct conf_secret *reference, bool prompt,
                      struct restore_kit *out, struct error *err);

/* The engine's view of a job: paths are made absolute. The job's name points into conf; access_job_free. */
int access_job(const struct conf *conf, const struct conf_job *job, struct engine_job *out,
               struct error *err);
void access_job_free(struct engine_job *job);

#endif
