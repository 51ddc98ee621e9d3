/*
 * setup.h - accounts and directories of a repository on an SFTP server, and the script that makes them.
 *
 *     rc = setup_read(cli, repository, &setup, err);      // repository: of the configuration, or NULL
 *     rc = setup_script(&setup, &text, err);              // POSIX shell, for the person who owns the server
 *     setup_free(&setup);                                 // always
 *
 * One account per role, and one per backup host, which owns the directories of
 * that host's writers. Every name, path and key that reaches the script is of
 * characters that neither a shell nor sshd_config reads as anything else; others
 * are refused with E_USAGE.
 */
#ifndef BACKUPD_STORAGE_SETUP_H
#define BACKUPD_STORAGE_SETUP_H

#include "common/base/buffer.h"
#include "common/base/vec.h"
#include "common/cli/cli.h"
#include "common/conf/conf.h"

enum {
    SETUP_PREFIX_MAX = 20, /* of 32 bytes that an account's name may have */
    SETUP_HOST_MAX = 11,
    SETUP_NAME_MAX = SETUP_PREFIX_MAX + 1 + SETUP_HOST_MAX,
    SETUP_KEY_MAX = 16 * 1024, /* bytes of a public key file */
};

enum setup_role { SETUP_ADMIN, SETUP_RETENTION, SETUP_READER, SETUP_WRITER };

struct setup_account {
    enum setup_role role;
    char name[SETUP_NAME_MAX + 1];
    struct vec keys; /* char *: "TYPE BASE64 COMMENT" */
    struct vec ids;  /* WRITER_ID_LEN bytes each; SETUP_WRITER only */
};

struct setup {
    const char *prefix;    /* --user */
    char *directory;       /* absolute; the chroot and the repository are below it */
    struct vec accounts;   /* struct setup_account: the three roles, then the backup hosts */
    size_t waiting;        /* backup hosts whose writers are not known yet */
    const char *id_source; /* the key directory that ids were taken from, or NULL */
};

int setup_read(const struct cli_context *cli, const struct conf_repository *repository, struct setup *out,
               struct error *err);
void setup_free(struct setup *s);
int setup_script(const struct setup *s, struct buf *out, struct error *err);

/* Appends the keys of a file (lines "TYPE BASE64 [COMMENT]") to a vec of char *. */
int setup_public_keys(const char *path, struct vec *keys, struct error *err);

#endif
