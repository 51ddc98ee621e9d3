#include <stddef.h>

#include "backupd/verbs.h"
#include "common/base/alloc.h"
#include "common/cli/cli.h"
#include "common/conf/conf.h"
#include "common/crypto/secret.h"
#include "common/sys/interrupt.h"
#include "common/sys/privs.h"

#include "common/base/banned.h"

static const struct cli_verb verbs[] = {
    { .name = "init",
      .synopsis = "[REPOSITORY]",
      .summary = "Make the keys and the repository.",
      .help =
          "Makes every key of a new repository, its charter and its directories, and the restore kit: the "
          "key file, and a text to print. The configuration must name the repository; each of its jobs "
          "gets a writer, and spare writers are enrolled so that a later job needs no root key.\n\n"
          "What decrypts and what deletes goes into one directory (--safe) that belongs off this host; the "
          "host keeps only what it needs to add backups. With --roles each role gets a directory of its "
          "own, for hosts that are kept apart.\n\n"
          "No key is ever overwritten. On storage whose account cannot make directories, name once an "
          "account that can (--setup-user, --setup-key).",
      .options = init_options,
      .max_args = 1,
      .run = cmd_init },
    { .name = "backup",
      .synopsis = "[JOB ...]",
      .summary = "Back up now.",
      .help =
          "Backs up the jobs that are named, or all. A snapshot is published only after its source said that "
          "every stream was complete; a job that fails publishes nothing and does not stop the others.\n\n"
          "The receipt that is printed pins what was published: `restore --expect RECEIPT` accepts nothing "
          "older.",
      .options = backup_options,
      .max_args = CLI_ANY,
      .run = cmd_backup },
    { .name = "list",
      .synopsis = "[JOB]",
      .summary = "List the snapshots that this host made.",
      .help = "Shows names, times, sizes and receipts. This host's keys open no content; `restore` on the "
              "restore station shows that.",
      .max_args = 1,
      .run = cmd_list },
    { .name = "check config",
      .summary = "Check the configuration.",
      .help =
          "Prints every problem as FILE:LINE:COLUMN: TEXT. A configuration without jobs, as a restore station "
          "has one, is no problem.",
      .run = cmd_check_config },
    { .name = "check database",
      .synopsis = "[JOB ...]",
      .summary = "Check that the sources can be backed up.",
      .help =
          "Asks the sources of the jobs that are named, or of all: is it there, may this user read it, would "
          "anything be missed? Each finding comes with its cure. Nothing is read beyond that, nothing is "
          "changed; neither keys nor storage are needed. A warning does not keep a job from running.\n\n"
          "Run it as the user, and with the environment, that the backups will have.",
      .max_args = CLI_ANY,
      .run = cmd_check_database },
    { .name = "check storage",
      .synopsis = "[REPOSITORY]",
      .summary = "Check that the storage can be reached and used.",
      .help =
          "Connects, shows the server's key, what the storage can do, and the state of the repository and of "
          "this host's writers.",
      .options = check_storage_options,
      .max_args = 1,
      .run = cmd_check_storage },
    { .name = "storage setup-script",
      .synopsis = "[REPOSITORY]",
      .summary = "Print the script that sets up write-once accounts on an SFTP server.",
      .help =
          "For a server with stock OpenSSH, and for the person who owns it, who reads it and runs it as root. Here "
          "nothing is run or changed, and no connection is made. Each role and each backup host gets an account of its "
          "own in a chroot, without shell or password, with only the SFTP requests that it needs; files are born "
          "read-only. The script may be run again, and removes nothing.\n\n"
          "Twice for a new repository: before `init`, which then publishes the charter with the admin's account "
          "(--setup-user NAME-adm), and after it, when the writers are known. `check storage --probe` shows afterwards "
          "what each account can do.",
      .options = storage_setup_options,
      .max_args = 1,
      .run = cmd_storage_setup },
    { .name = "man config",
      .summary = "Print the manual page backupd.yaml(5).",
      .hidden = true,
      .run = cmd_man_config },
    CLI_VERBS_END
};

static const struct cli_text files[] = {
    { CONF_DEFAULT_PATH, "The configuration; see backupd.yaml(5)." },
    { "/etc/backupd/keys/NAME", "This host's keys of repository NAME." },
    { "/var/lib/backupd", "Marks, journals, caches and locks. It can be lost without losing a backup." },
    { NULL, NULL }
};

static const struct cli_text environment[] = {
    { "CREDENTIALS_DIRECTORY",
      "Where systemd puts the secrets that the configuration names as credentials." },
    { "NO_COLOR", "No colours." },
    { NULL, NULL }
};

static const struct cli_text examples[] = {
    { "backupd init", "Make keys and repository as the configuration says." },
    { "backupd backup shop", "Back up one job now." },
    { "backupd check database", "See, before the first night, which source would fail and what cures it." },
    { "backupd storage setup-script --user shop --writer web1=web1.pub --admin-key adm.pub > setup.sh",
      "The script for the owner of the SFTP server." },
    { "backupd check storage", "See whether the storage is there and what its account may do." },
    { NULL, NULL }
};

static const struct cli_text see_also[] = { { "restore", "1" }, { "backupd.yaml", "5" }, { NULL, NULL } };

/* Before anything secret is read. */
static int prepare(struct cli_context *cli, struct error *err)
{
    (void)cli;
    mem_settle();
    int rc = process_harden(err);
    if (rc == 0)
        rc = interrupt_install(err);
    return rc == 0 ? crypto_init(err) : rc;
}

static const struct cli_program program = {
    .name = "backupd",
    .summary = "encrypted backups of databases",
    .description =
        "Backs up databases to storage that is not trusted. Everything is compressed, deduplicated and "
        "encrypted on this host, which holds no key that could read a finished backup.",
    .section = 8,
    .verbs = verbs,
    .default_config = CONF_DEFAULT_PATH,
    .files = files,
    .environment = environment,
    .examples = examples,
    .see_also = see_also,
    .prepare = prepare,
};

int main(int argc, char **argv)
{
    return cli_main(&program, argc, argv);
}
