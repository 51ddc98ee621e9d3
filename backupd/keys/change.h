/*
 * change.h - one change of who may do what: a new charter, signed by the offline root key.
 *
 *     rc = key_change_open(cli, conf, &c, err);        // opens and verifies everything; changes nothing
 *     ... edit c.next ...
 *     key_change_says(&c, CHANGE_WHAT, "writer %s is closed after record %u", id, last);
 *     key_change_says(&c, CHANGE_WHOM, "...");         // whose work is different from now on
 *     key_change_says(&c, CHANGE_FINAL, "...");        // what it cannot undo
 *     rc = key_change_confirm(&c, err);                // prints it, asks; E_CANCELLED when the answer is no
 *     ... write new key files ...
 *     rc = key_change_publish(&c, err);
 *     rc = key_change_report(&c, err);                 // says that it was done, and what comes next
 *     key_change_close(&c);                            // always
 *
 * A change is one file, so it is there or it is not: a run that was ended anywhere is run again. Two people who
 * change at once: the second one is refused (E_CONFLICT), nothing forks.
 *
 * Options of such a verb: KEY_CHANGE_OPTIONS. --root-key is the file of the secret key, opened with
 * --root-passphrase-file or a question. What is pinned is root.pub of the repository's key directory where that is
 * there, else the root key itself. The root key must be the one that the newest charter names (E_AUTH).
 */
#ifndef BACKUPD_KEYS_CHANGE_H
#define BACKUPD_KEYS_CHANGE_H

#include "backupd/setup.h"
#include "common/access/access.h"
#include "common/base/buffer.h"
#include "common/cli/cli.h"
#include "common/repo/charter.h"
#include "common/repo/keys.h"
#include "common/repo/repo.h"

#define KEY_YES_OPTION                                                               \
    {                                                                                \
        .name = "yes", .letter = 'y', .kind = CLI_FLAG,                              \
        .help = "Do it without asking. Needed where there is no terminal to ask on." \
    }
#define KEY_REPO_OPTION                                                        \
    {                                                                          \
        .name = "repo", .kind = CLI_STRING, .metavar = "REPOSITORY",           \
        .help = "Which repository; needed when the configuration has several." \
    }
#define KEY_CHANGE_OPTIONS                                                                    \
    { .name = "root-key",                                                                     \
      .kind = CLI_FILE,                                                                       \
      .required = true,                                                                       \
      .help = "The root key, from the safe: it signs the change." },                          \
        { .name = "root-passphrase-file",                                                     \
          .kind = CLI_FILE,                                                                   \
          .help = "Its passphrase: the first line of this file. Default: it is asked for." }, \
        KEY_REPO_OPTION, KEY_YES_OPTION, SETUP_OPTIONS

#define KEY_KIT_OPTIONS                                                                        \
    { .name = "kit",                                                                           \
      .kind = CLI_FILE,                                                                        \
      .help = "The restore kit: its file or its text. Default: `kit` of the configuration." }, \
    {                                                                                          \
        .name = "kit-passphrase-file", .kind = CLI_FILE,                                       \
        .help = "Its passphrase: the first line of this file."                                 \
    }

enum change_part { CHANGE_WHAT, CHANGE_WHOM, CHANGE_FINAL, CHANGE_NEXT, CHANGE_PARTS };

struct key_change {
    struct cli_context *cli;
    const struct conf *conf;
    const struct conf_repository *repository;
    struct conf_storage setup;
    bool other_setup;
    struct access_root pin; /* what is pinned here; root_pk may be an older root */
    struct root_keys root;
    struct backend *backend;
    struct repo *repo; /* every log, verified; as before the change */
    struct charter next;
    struct buf bytes; /* of the signed charter, after publish */
    bool maybe;       /* publish failed, and yet the charter may stand there: new key files must stay */
    struct vec says[CHANGE_PARTS]; /* of char * */
    struct error lost;             /* a line that could not be kept */
};

/* The repository is --repo, or the only one there is. */
int key_change_open(struct cli_context *cli, const struct conf *conf, struct key_change *c,
                    struct error *err);
void key_change_says(struct key_change *c, enum change_part part, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int key_change_confirm(struct key_change *c, struct error *err);
int key_change_publish(struct key_change *c, struct error *err);
int key_change_report(struct key_change *c, struct error *err);
void key_change_close(struct key_change *c);

/* The whole of a verb that needs no more than a change: reads the configuration, opens, calls `edit`, closes. */
int key_change_run(struct cli_context *cli, int (*edit)(struct key_change *c, struct error *err),
                   struct error *err);

/* What new key files pin: the newest root key that has signed a charter. */
const uint8_t *key_change_pin(const struct key_change *c);
/* Alarms of this writer's log that are not its being late. */
size_t key_change_alarms(const struct key_change *c, const uint8_t id[WRITER_ID_LEN]);

/* Asks `question` on the terminal unless --yes was given. E_CANCELLED: no. */
int key_ask(struct cli_context *cli, const char *question, struct error *err);
/* A reference to the first line of the file that an option names; CONF_SECRET_NONE without it. */
struct conf_secret key_passphrase_ref(const struct cli_context *cli, const char *option);
/* The kit at `path`, or what KEY_KIT_OPTIONS and the configuration say. */
int key_kit(struct cli_context *cli, const struct conf_repository *repository, const char *path,
            struct restore_kit *out, struct error *err);

#endif
