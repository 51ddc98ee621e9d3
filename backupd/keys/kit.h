/*
 * kit.h - the restore kit outside this host: its text for paper, its files, and whether somebody has tried it.
 *
 * *The text*: key text (crypto/paper.h) with a head that says what it is.
 *
 * *Confirmed*: `init` leaves the file kit.unconfirmed in the key directory of a host that backs up. While it is
 * there `backup` refuses: backups whose kit nobody has tried are worth nothing on the day they are needed.
 * `backupd key verify-kit` removes it, there or elsewhere: on another host it prints a code, which verify-kit
 * --confirmation takes on the host that backs up. The code is 10 hex digits of F("bk1 kit REPO_ID RID"): a
 * guard against forgetting, not against people. A host without the file was set up otherwise and is asked nothing.
 */
#ifndef BACKUPD_KEYS_KIT_H
#define BACKUPD_KEYS_KIT_H

#include "common/access/access.h"
#include "common/base/buffer.h"
#include "common/repo/charter.h"
#include "common/repo/keys.h"

#define KIT_UNCONFIRMED_FILE "kit.unconfirmed"
enum { KIT_CODE_MAX = 16 };

/* Appends the text of a kit's file. `name`: of the repository. Wipe `out` after use. */
int kit_text(const char *name, const struct access_root *pin, bool passphrase, const struct buf *kit_file,
             struct buf *out, struct error *err);
/* Writes the kit's file, then its text; each path may be NULL; neither is ever overwritten. */
int kit_save(const char *path, const char *text_path, const char *name, const struct restore_kit *kit,
             const struct secret *passphrase, const struct keyfile_kdf *kdf, struct error *err);

/* The file that says that nobody has tried the kit. */
int kit_mark_unconfirmed(const char *keys_dir, struct error *err);
bool kit_is_unconfirmed(const char *keys_dir);
/* 1: it was there and is removed, 0: there was none. */
int kit_confirm(const char *keys_dir, struct error *err);
const char *kit_code(const uint8_t repo_id[REPO_ID_LEN], const uint8_t rid[RID_LEN], char out[KIT_CODE_MAX]);
/* Whether it is the code of one of the charter's recipients. */
bool kit_code_fits(const struct charter *c, const char *code);

#endif
