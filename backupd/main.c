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
    { .name = "daemon",
      .summary = "Stay and run the jobs when they are due.",
      .help =
          "Runs in the foreground, for systemd or another supervisor, and prints a line for each thing that happens. Every "
          "run is a process of its own. SIGTERM lets runs end in order (stop_timeout), SIGHUP reads the configuration again and keeps "
          "the old one when the new one has mistakes.\n\n"
          "What was missed while the daemon was down is made up for as catch_up_within says: one run, the newest.",
      .run = cmd_daemon },
    { .name = "schedule",
      .synopsis = "[JOB ...]",
      .summary = "Show when the jobs are due next.",
      .help = "Times are those of the daemon's time_zone, with each job's jitter.",
      .options = schedule_options,
      .max_args = CLI_ANY,
      .run = cmd_schedule },
    { .name = "status",
      .synopsis = "[JOB ...]",
      .summary = "Show how each job stands: did last night work?",
      .help =
          "Reads what the daemon remembers. Exits with 1 when the last run of a job failed, was stopped or was missed, so that "
          "it can be asked by monitoring. Runs that people started with `backupd backup` are not in it.\n\n"
          "An account that may not read the daemon's files asks the daemon itself (daemon.read_group).",
      .options = status_options,
      .max_args = CLI_ANY,
      .run = cmd_status },
    { .name = "history",
      .synopsis = "[JOB]",
      .summary = "List the daemon's runs, the newest first.",
      .options = history_options,
      .max_args = 1,
      .run = cmd_history },
    { .name = "show",
      .synopsis = "RUN",
      .summary = "Show all about one run of the daemon.",
      .options = show_options,
      .min_args = 1,
      .max_args = 1,
      .run = cmd_show },
    { .name = "start",
      .synopsis = "JOB ...",
      .summary = "Let the daemon start jobs or tasks now.",
      .help =
          "Before their time, whether paused or not, and without their window; limits of how many runs are on still hold. "
          "The history says who it was. For members of daemon.control_group, root, and the daemon's own account. Exits with 4 "
          "when no daemon runs.",
      .options = start_options,
      .min_args = 1,
      .max_args = CLI_ANY,
      .run = cmd_start },
    { .name = "cancel",
      .synopsis = "RUN",
      .summary = "Let the daemon end a run, or drop one that waits.",
      .help =
          "RUN is its number, or the name of its job. It is asked to end in order, and killed after stop_timeout; what it "
          "stored is used by the next run. It is not tried again before it is due. A run that waits, or that will be tried "
          "again, has no number yet: name its job.",
      .options = control_options,
      .min_args = 1,
      .max_args = 1,
      .run = cmd_cancel },
    { .name = "pause",
      .synopsis = "JOB ...",
      .summary = "Skip jobs or tasks until they are resumed.",
      .help =
          "Also after a restart. What is skipped is in the history, what waits by its calendar with it. A run that is on "
          "goes on, and one that was started by hand starts.",
      .options = control_options,
      .min_args = 1,
      .max_args = CLI_ANY,
      .run = cmd_pause },
    { .name = "resume",
      .synopsis = "JOB ...",
      .summary = "End a pause.",
      .options = control_options,
      .min_args = 1,
      .max_args = CLI_ANY,
      .run = cmd_resume },
    { .name = "notify test",
      .synopsis = "[CHANNEL ...]",
      .summary = "Send a test notice now, and say what became of it.",
      .help =
          "Over the channels that are named, or all. A ping sends its test to /log behind the address, which changes no state "
          "there, for each job it covers. Exits with 0 when all got through, with 3 when some did, with 1 when none did.",
      .max_args = CLI_ANY,
      .run = cmd_notify_test },
    { .name = "notify list",
      .summary = "List the notices that wait to be sent, and why.",
      .run = cmd_notify_list },
    { .name = "notify send",
      .synopsis = "[CHANNEL ...]",
      .summary = "Try at once to send what waits.",
      .help =
          "For the moment after a mail server was repaired; the daemon tries again by itself, at most half an hour apart.",
      .max_args = CLI_ANY,
      .run = cmd_notify_send },
    { .name = "notify deliver",
      .summary = "Send what is due; the daemon's own.",
      .options = notify_deliver_options,
      .hidden = true,
      .run = cmd_notify_deliver },
    { .name = "metrics",
      .summary = "Print how the jobs stand, for Prometheus.",
      .help =
          "The text that the daemon also serves as /metrics (web) and writes for node_exporter (textfile): from its history and "
          "the configuration. Connects to no storage and no database.",
      .run = cmd_metrics },
    { .name = "anomaly list",
      .synopsis = "[JOB ...]",
      .summary = "Show which jobs are not like they were.",
      .help =
          "Each run is compared with those before it: rows, sizes, how much is new and how it compresses, tables that are gone. "
          "Shows how many runs are known, and what was found at the last one. A suspicious run is published, marked, and not "
          "learned from.",
      .max_args = CLI_ANY,
      .run = cmd_anomaly_list },
    { .name = "anomaly accept",
      .synopsis = "JOB",
      .summary = "Say that the last runs of a job were right: this is how it is now.",
      .help =
          "For when you know why it changed: an import, a clean-up, a table that was dropped on purpose. The suspicious runs at "
          "the end count from now on, and the next ones like them are no alarm. The snapshots themselves stay marked.",
      .min_args = 1,
      .max_args = 1,
      .run = cmd_anomaly_accept },
    { .name = "list",
      .synopsis = "[JOB]",
      .summary = "List the snapshots that this host made.",
      .help = "Shows names, times, sizes and receipts. This host's keys open no content; `restore` on the "
              "restore station shows that.",
      .max_args = 1,
      .run = cmd_list },
    { .name = "expire",
      .synopsis = "[SNAPSHOT ...]",
      .summary = "Let go what the keep rules no longer keep, and delete what has gone.",
      .help =
          "On the host that holds the retention key. Without a name the rules decide (keep, keep_jobs): what expires is "
          "listed with a reason, its data is condemned, and deleted by later runs, delete_after from now at the "
          "earliest. Run it once a day. With names exactly these expire, also within min-keep; a reason is wanted then.\n\n"
          "A snapshot is called LABEL/NUMBER as in a list, or WRITER/NUMBER where that is not enough.\n\n"
          "Exit code 9 when there was an alarm: an unusual number of new snapshots, a clock that is not trusted, a log "
          "that does not fit. What had to stop did.",
      .options = expire_options,
      .max_args = CLI_ANY,
      .run = cmd_expire },
    { .name = "hold",
      .synopsis = "SNAPSHOT ...",
      .summary = "Keep snapshots whatever the rules say, until they are released.",
      .help =
          "A legal hold: above every rule, also erase_after. Who, why and until when is kept, sealed, in the "
          "retention log. A snapshot that has expired already is kept from being deleted.",
      .options = hold_options,
      .min_args = 1,
      .max_args = CLI_ANY,
      .run = cmd_hold },
    { .name = "release",
      .synopsis = "SNAPSHOT ...",
      .summary = "End a hold.",
      .help = "From the next run on the rules decide again.",
      .options = release_options,
      .min_args = 1,
      .max_args = CLI_ANY,
      .run = cmd_release },
    { .name = "revive",
      .synopsis = "SNAPSHOT ...",
      .summary = "Make expired snapshots live again.",
      .help =
          "Possible until their data is deleted. The next run of the rules judges them as before: hold them, or "
          "change the rules, to keep them.",
      .options = revive_options,
      .min_args = 1,
      .max_args = CLI_ANY,
      .run = cmd_revive },
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
    { .name = "key show",
      .summary = "Show who may write, delete and read.",
      .help =
          "What the newest charter says: recipients and groups, writers with their ranges, retention keys; and "
          "which of the keys this host holds.",
      .options = key_show_options,
      .run = cmd_key_show },
    { .name = "key verify-kit",
      .summary = "Try the restore kit, as file or as text that was typed back.",
      .help =
          "Proves that it is the kit of this very repository and complete: that the charter names its key, that the "
          "keys of this host's writers follow from it, and that it opens the newest session of every writer. Then "
          "this host may back up: after `init` it waits for this.\n\n"
          "Type the paper into a file once (or give it on stdin with --kit -): a mistake is found in its line.",
      .options = key_verify_kit_options,
      .run = cmd_key_verify_kit },
    { .name = "key export-kit",
      .summary = "Write the restore kit again, as file and as text.",
      .help = "For another copy, another passphrase, the newest root key, or for a recipient of its own.",
      .options = key_export_kit_options,
      .run = cmd_key_export_kit },
    { .name = "key check",
      .summary = "Prove that each kit opens every session.",
      .help =
          "Reads the headers only, so it is quick: once a month, with every copy in escrow. Names the first "
          "session that does not open. Sessions that were made when a key was no recipient are counted apart.",
      .options = key_check_options,
      .run = cmd_key_check },
    { .name = "key passphrase",
      .synopsis = "FILE",
      .summary = "Give a key file another passphrase.",
      .help =
          "The repository is not touched. The file is replaced in one step: it has the old passphrase or the new "
          "one, whenever this ends.",
      .options = key_passphrase_options,
      .min_args = 1,
      .max_args = 1,
      .file_args = true,
      .run = cmd_key_passphrase },
    { .name = "key add-writer",
      .summary = "Enrol writers, for new jobs or hosts.",
      .help =
          "Where the root key and the restore kit are. Makes the key files and signs a charter that names them.",
      .options = key_add_writer_options,
      .run = cmd_key_add_writer },
    { .name = "key rotate-writer",
      .synopsis = "WRITER",
      .summary = "Give a writer another signing key.",
      .help =
          "The writer goes on after its last verified record and stores nothing twice. WRITER is an id, or a job "
          "of this host. On the host that backs up its key file is replaced; elsewhere the new file is made "
          "with the kit (--to).",
      .options = key_rotate_writer_options,
      .min_args = 1,
      .max_args = 1,
      .run = cmd_key_rotate_writer },
    { .name = "key retire-writer",
      .synopsis = "WRITER",
      .summary = "Close a writer: what it adds from now on counts for nobody.",
      .help =
          "After its last verified record, or before the fork of its log. WRITER is an id, or a job of this host.",
      .options = key_retire_writer_options,
      .min_args = 1,
      .max_args = 1,
      .run = cmd_key_retire_writer },
    { .name = "key new-recipient",
      .synopsis = "NAME",
      .summary = "Make a key that is to read backups, on its owner's own machine.",
      .help =
          "The secret key stays in the file. What is printed is public: one line with a check, for who holds the "
          "root key, and digits to compare over the telephone.",
      .options = key_new_recipient_options,
      .min_args = 1,
      .max_args = 1,
      .run = cmd_key_new_recipient },
    { .name = "key add-recipient",
      .synopsis = "[FILE]",
      .summary = "Let a key read what is backed up from now on.",
      .help =
          "FILE holds the line that `key new-recipient` printed; - is stdin. With --with it opens nothing alone.\n\n"
          "With --drill it makes the kit of a drill host instead: with an expiry date, for the writers that it drills, and with "
          "the key that signs the certificates of its drills. The restore kit stays where it is.",
      .options = key_add_recipient_options,
      .max_args = 1,
      .file_args = true,
      .run = cmd_key_add_recipient },
    { .name = "key remove-recipient",
      .synopsis = "RECIPIENT",
      .summary = "Shut a key out of new sessions.",
      .help = "Old sessions stay readable to it. Every group that needs it goes, too.",
      .options = key_remove_recipient_options,
      .min_args = 1,
      .max_args = 1,
      .run = cmd_key_remove_recipient },
    { .name = "key retire-drill",
      .synopsis = "[KEY]",
      .summary = "Refuse what a drill host signs from now on.",
      .help =
          "KEY is the digits that `key show` prints for it; not needed when only one is active. With --stolen nothing that it ever "
          "signed counts, and snapshots that only its certificates prove can be let go.",
      .options = key_retire_drill_options,
      .max_args = 1,
      .run = cmd_key_retire_drill },
    { .name = "key rotate-root",
      .summary = "Replace the root key.",
      .help =
          "The old root key signs a charter that names the new one; the new one signs the next. Whoever pins the "
          "old key goes on; `key pin` pins the new one.",
      .options = key_rotate_root_options,
      .run = cmd_key_rotate_root },
    { .name = "key pin",
      .summary = "Pin the newest root key on this host.",
      .help =
          "After `key rotate-root`: follows the charters from the key that is pinned to the newest one that has "
          "signed, shows both, and replaces root.pub.",
      .options = key_pin_options,
      .run = cmd_key_pin },
    { .name = "repository shred",
      .summary = "Destroy the keys of a repository, and certify it.",
      .help =
          "Destroys every key file of the repository that it is told of or knows, the root key last, and writes a "
          "certificate that the root key has signed: what was destroyed, what was not found, and which recipients' "
          "keys were not among them. Nothing can be restored afterwards; what is on the storage can still be checked "
          "for being unchanged (L0, L1).\n\n"
          "It cannot know of copies: other disks, backups of this one, paper. With --check it verifies a certificate.",
      .options = repository_shred_options,
      .run = cmd_repository_shred },
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
    { .name = "end-hooks",
      .synopsis = "JOB",
      .summary = "Run what a killed run left out: `after`, and `on_failure`.",
      .hidden = true,
      .min_args = 1,
      .max_args = 1,
      .run = cmd_end_hooks },
    { .name = "serve-status",
      .summary = "Serve the status page; the daemon starts it when `web` is configured.",
      .options = serve_status_options,
      .hidden = true,
      .run = cmd_serve_status },
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
