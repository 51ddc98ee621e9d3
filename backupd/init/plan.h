/*
 * plan.h - what `init` was asked for and which files that means (inside init/).
 *
 *     rc = init_request_read(cli, conf, &request, err);      // E_USAGE for what does not go together
 *     rc = init_plan(&request, &files, err);                 // struct init_file, in the order of writing
 *     rc = init_files_absent(&files, err);                   // E_EXISTS names the one in the way
 *     init_files_free(&files); init_request_free(&request);
 *
 * Three layouts:
 *     simple          host: root.pub, writer keys, kit.unconfirmed. safe directory: kit, its text, root.key, retention.key,
 *                     root.pub, README.txt
 *     same host       the same, and retention.key also on the host
 *     roles           one directory per role, with exactly the files that role needs
 */
#ifndef BACKUPD_INIT_PLAN_H
#define BACKUPD_INIT_PLAN_H

#include "backupd/init/people.h"
#include "common/base/vec.h"
#include "common/cli/cli.h"
#include "common/conf/conf.h"

enum init_content {
    INIT_ROOT_PUB,
    INIT_WRITER, /* number `index` */
    INIT_ROOT_KEY,
    INIT_RETENTION,
    INIT_KIT,      /* of person `index` */
    INIT_KIT_TEXT, /* likewise */
    INIT_README,
    INIT_UNCONFIRMED, /* keys/kit.h: nobody has tried the kit */
};

struct init_file {
    char *path;
    enum init_content content;
    size_t index;
    bool written; /* by this run: removed again when a later step fails */
};

enum init_passphrase { PASS_NONE, PASS_FILE, PASS_ASK };

struct init_request {
    const struct conf_repository *repository;
    size_t jobs; /* of this repository */
    size_t writers;
    uint32_t cadence_hours;
    uint32_t min_keep_days;
    uint32_t pack_size;
    bool same_host_retention;
    bool kit_unconfirmed; /* backups may begin although nobody has tried the kit */
    char *roles;          /* NULL: the simple layout */
    char *safe;           /* the directory that leaves the host; NULL with roles */
    struct init_people people;
    char *kit; /* with people: the names of the files follow from it */
    char *kit_text;
    enum init_passphrase how;
    const char *passphrase_file;
    uint32_t kdf_mib;          /* 0: default */
    struct conf_storage setup; /* how the storage is reached this once */
    bool other_setup;          /* that is not how it is reached later */
    size_t unmade;             /* writers whose directories the storage's owner makes: init_storage_dirs */
};

int init_request_read(const struct cli_context *cli, const struct conf *conf, struct init_request *out,
                      struct error *err);
void init_request_free(struct init_request *r);

int init_plan(const struct init_request *r, struct vec *files, struct error *err);
int init_files_absent(const struct vec *files, struct error *err);
void init_files_free(struct vec *files);

#endif
