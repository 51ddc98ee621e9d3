/* restore - the verb table. What the verbs do is in cmd_*.c. */
#include "common/base/alloc.h"
#include "common/cli/cli.h"
#include "common/conf/conf.h"
#include "common/crypto/secret.h"
#include "common/sys/interrupt.h"
#include "common/sys/privs.h"
#include "restore/verbs.h"

#include "common/base/banned.h"

#define SELECTOR_HELP                                                                                   \
    "A snapshot is named by JOB/NUMBER as `restore list` shows it, by `latest` or `latest~1` (the one " \
    "before), by a date such as 2026-11-24 or 2026-11-24T02:30 (the newest one not after it, in UTC), " \
    "or by the first 6 or more hex digits of its receipt. JOB/latest and JOB/DATE work too."

static const struct cli_verb verbs[] = {
    { .name = "list",
      .summary = "List the snapshots of a repository.",
      .help = "Without a kit the names and sizes stay closed: writers, numbers and times are shown.",
      .options = list_options,
      .run = cmd_list },
    { .name = "show",
      .synopsis = "SNAPSHOT",
      .summary = "Show everything about one snapshot.",
      .help = SELECTOR_HELP,
      .options = show_options,
      .min_args = 1,
      .max_args = 1,
      .run = cmd_show },
    { .name = "ls",
      .synopsis = "SNAPSHOT [PATH]",
      .summary = "List what a snapshot holds.",
      .help = SELECTOR_HELP,
      .options = ls_options,
      .min_args = 1,
      .max_args = 2,
      .run = cmd_ls },
    { .name = "diff",
      .synopsis = "SNAPSHOT SNAPSHOT",
      .summary = "Show what is different between two snapshots.",
      .help =
          "Tables that came, went, or have other rows or contents; other numbers of objects, rights, values of "
          "sequences; files of a tree by size, contents and metadata. Only the lists and facts of the snapshots are "
          "read, no data. Contents of tables are compared by their fingerprints, which those of different writers "
          "do not allow.\n\nThe first column: + added, - removed, ~ changed, m only metadata of a file changed, ? the same number of rows "
          "and contents that cannot be compared.\n\nExit status 0 whether or not there are differences; `differs` in the summary of --json "
          "tells programs.\n\n" SELECTOR_HELP,
      .options = diff_options,
      .min_args = 2,
      .max_args = 2,
      .run = cmd_diff },
    { .name = "cat",
      .synopsis = "SNAPSHOT PATH",
      .summary = "Write one stream to standard output.",
      .help = "Only exit status 0 means that the output is whole and was checked.\n\n" SELECTOR_HELP,
      .options = cat_options,
      .min_args = 2,
      .max_args = 2,
      .run = cmd_cat },
    { .name = "files",
      .synopsis = "SNAPSHOT --to DIR [PATH ...]",
      .summary = "Restore streams, files and directories below a directory.",
      .help =
          "With PATHs only those and what lies below them. Permissions, times, extended attributes and ACLs "
          "are restored as saved; owners when root restores (--owner); the set-user-id and set-group-id bits "
          "of files are left out (--preserve-setid). Holes become holes again.\n\nExit status 3: members are "
          "missing, or metadata that was to be restored could not be; each is named.\n\n" SELECTOR_HELP,
      .options = files_options,
      .min_args = 1,
      .max_args = CLI_ANY,
      .run = cmd_files },
    { .name = "database",
      .synopsis = "SNAPSHOT --to TARGET",
      .summary = "Restore a database and let it check itself.",
      .help =
          "SQLite: the file is built under a temporary name and gets its own only after every check passed. "
          "PostgreSQL: a database is filled and every table compared with what was backed up; after a failure "
          "its comment says that it is not complete. The source itself is refused as a target: restore beside "
          "it, then swap.\n\n" SELECTOR_HELP,
      .options = database_options,
      .min_args = 1,
      .max_args = 1,
      .run = cmd_database },
    { .name = "plan",
      .synopsis = "SNAPSHOT --to TARGET",
      .summary = "Tell what `restore database` would do, and touch nothing.",
      .help =
          "The same options as for `restore database`, and the same checks that it makes before it begins: what would be "
          "made, versions, encodings, extensions, roles, tablespaces, rights, room, and how long it took before. "
          "PostgreSQL and SQLite.\n\nExit status 0: the restore can begin. 4: something is missing or in the way; each "
          "is told with its cure.\n\n" SELECTOR_HELP,
      .options = database_options,
      .min_args = 1,
      .max_args = 1,
      .run = cmd_plan },
    { .name = "table",
      .synopsis = "SNAPSHOT TABLE",
      .summary = "Write the rows of one table to standard output.",
      .help =
          "TABLE or SCHEMA.TABLE, quoted as in SQL where needed. Only that table is fetched. Bytes are in the encoding of "
          "the database. Only exit status 0 means that the output is whole: in a pipe use `set -o pipefail`. The script "
          "of a restore that failed has no COMMIT, so nothing of it stays.\n\n" SELECTOR_HELP,
      .options = table_options,
      .min_args = 2,
      .max_args = 2,
      .run = cmd_table },
    { .name = "swap",
      .synopsis = "--to LIVE",
      .summary = "Put a database that was restored beside the live one into its place.",
      .help =
          "The two exchange their names in one step, and the one that was live is kept as LIVE_before_restore_TIME "
          "(PostgreSQL) or LIVE.before-restore-TIME (SQLite). Which becomes which is told first, with everybody who is "
          "connected, and at the end the line that undoes it. Whatever is killed in between, LIVE is one of the two as "
          "a whole; the next call names what was left and mends it.\n\nNeither the repository nor a kit is needed. "
          "Exit status 13: connections are in the way, and nothing was changed.",
      .options = swap_options,
      .run = cmd_swap },
    { .name = "export",
      .synopsis = "SNAPSHOT --to PATH",
      .summary = "Write a snapshot in standard forms, to be loaded without this program.",
      .help =
          "Into one archive or directory come the streams as they are (what psql, pg_restore, sqlite3 or tar "
          "take), a README.txt with the exact steps to load them, and a MANIFEST.json with times, versions, "
          "facts and the SHA-256 of each file. What a PostgreSQL dump defines is also there as plain SQL when "
          "a pg_restore of the server's release or a newer one is installed here.\n\nIt is all or nothing: "
          "one damaged stream ends it and nothing is left. An archive has owners, set-user-id bits, "
          "attributes, ACLs and holes of files; a directory has what `restore files` restores. The same "
          "snapshot gives the same bytes. Nothing of it is encrypted.\n\nExit status 3: all is there, but the backup "
          "itself held only the beginning of a file, or metadata could not be written.\n\n" SELECTOR_HELP,
      .options = export_options,
      .min_args = 1,
      .max_args = 1,
      .run = cmd_export },
    { .name = "verify",
      .synopsis = "[SNAPSHOT]",
      .summary = "Check that the repository is whole.",
      .help =
          "Without options: logs, signatures and the presence of every pack; with a kit also that every "
          "snapshot has the packs it needs. With SNAPSHOT only its writer is checked, and with --read-data "
          "only its streams are read whole.\n\nLevels: L0 logs, signatures, presence. L1 every byte as "
          "signed. L2 every pack a snapshot needs. LK this kit opens every session. L3 everything is "
          "opened and checked.",
      .options = verify_options,
      .max_args = 1,
      .run = cmd_verify },
    { .name = "watch",
      .synopsis = "[REPOSITORY]",
      .summary = "Tell, from another machine, whether a good backup of every writer is there in time.",
      .help =
          "Needs the root key's public part (root.pub) and an account that reads the storage; no kit. Logs and signatures are "
          "verified, files are compared with what is listed, and the newest good snapshot of each writer - of each job, for a job "
          "keeps its writer - is compared with the pace of those before. Of the writer's and the storage's time the older one "
          "counts: touched files do not make a backup younger.\n\n"
          "The first line is for Nagios, Icinga and the like, with numbers behind the |; then comes a line for each writer "
          "(not with --quiet). Without --max-age it is WARNING when the next one did not come, and CRITICAL when the one after that did "
          "not come either. Logs that went back (this station remembers, see --state), forks, gaps and missing files are CRITICAL. "
          "Retired and spare writers are listed only.\n\n"
          "Exit status here: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN: it could not be found out, for a mistake in the command "
          "line, a key or the configuration, or because the storage was not reached.",
      .options = watch_options,
      .max_args = 1,
      .run = cmd_watch,
      .unable = watch_unable },
    { .name = "drill run",
      .synopsis = "[SNAPSHOT]",
      .summary = "Restore a snapshot into a throwaway place, and check what comes out.",
      .help =
          "Without a SNAPSHOT the newest one. PostgreSQL and MariaDB: a server of the snapshot's release is made in a "
          "private directory, from the installed programs, reached by a socket only; SQLite: a private file; files: a "
          "private directory. Rows, fingerprints, objects, rights and sequences are compared with what was backed up, the "
          "database checks itself, and the assertions of the configuration are asked. Afterwards nothing is left; when "
          "the drill is killed its servers die with it, and the next one removes the directory.\n\n"
          "What was restored cannot act: where the system allows it the server has no network, and events, "
          "subscriptions and preloaded libraries are off. Started by root, the server runs as the account backupd-drill, or "
          "nobody.\n\nExit status 0: passed. 9: failed, the backup is not what it should be. 4: could not run, which says "
          "nothing about the backup; the way out is told.\n\n" SELECTOR_HELP,
      .options = drill_run_options,
      .max_args = 1,
      .run = cmd_drill_run },
    { .name = "drill kept",
      .summary = "List what `restore drill run --keep` left, and how to connect to it.",
      .help = "What this user kept on this machine, and until when.",
      .options = drill_kept_options,
      .run = cmd_drill_kept },
    { .name = "drill end",
      .synopsis = "ID | --all",
      .summary = "End what a drill kept: its server, and its directory.",
      .help = "Returns when nothing of it is left. By itself it ends when the time of --keep-for is over.",
      .options = drill_end_options,
      .max_args = 1,
      .run = cmd_drill_end },
    { .name = "drill keeper",
      .summary = "What the process of a drill becomes with --keep.",
      .hidden = true,
      .min_args = 7,
      .max_args = 7,
      .run = cmd_drill_keeper },
    { .name = "drill list",
      .summary = "List the restore drills that were made, the newest first.",
      .help =
          "Of this host. With --evidence those in the evidence location, each certificate checked by the drill keys of the "
          "charter, and the result and the page beside it by the hashes that were signed: then one that does not count is "
          "told, and the exit status is 9.",
      .options = drill_list_options,
      .run = cmd_drill_list },
    { .name = "drill show",
      .synopsis = "ID",
      .summary = "Show what one drill found.",
      .help = "ID is as `restore drill list` shows it, or `latest`. With --json the result itself.",
      .options = drill_show_options,
      .min_args = 1,
      .max_args = 1,
      .run = cmd_drill_show },
    { .name = "drill certificate",
      .synopsis = "[ID]",
      .summary = "Print the signed certificate of a drill, or check one.",
      .help =
          "A certificate says which snapshot was drilled (the hash of its record), when, with what, and what came out; it is signed "
          "by the drill host's key. --check verifies one: offline with --key, else by the repository's charters.\n\n"
          "Exit status 9: it, or a file beside it, is not what was signed. 12: signed by a key that does not count.",
      .options = drill_certificate_options,
      .max_args = 1,
      .run = cmd_drill_certificate },
    { .name = "drill status",
      .synopsis = "[JOB ...]",
      .summary = "Tell whether every job was drilled lately, for monitoring.",
      .help =
          "Exit status as monitoring plugins have it. 0: the last drill of every job passed, not too long ago. 1: stale (also when a "
          "table of a drill with `sample` was not drilled in time; -v names them all), or the last "
          "one could not run. 2: the last one failed, or a job never passed one. 3: it is not known.",
      .options = drill_status_options,
      .max_args = CLI_ANY,
      .run = cmd_drill_status,
      .unable = drill_status_unable },
    { .name = "request",
      .synopsis = "SNAPSHOT ... --out FILE --reason TEXT",
      .summary = "Ask a second person to open exactly what some snapshots need.",
      .help =
          "For repositories whose keys are shared out to groups of people (`backupd init --people`). The file lists the "
          "snapshots and the sessions whose keys they need, and a public key made for this request; it holds no secret "
          "and can be sent by mail. Its secret key stays in the state directory of this machine (--state) until "
          "the request is over. Tell the code by another way.\n\n" SELECTOR_HELP,
      .options = request_options,
      .max_args = CLI_ANY,
      .run = cmd_request },
    { .name = "approve",
      .synopsis = "REQUEST",
      .summary = "Open the own shares of exactly what a request asks for.",
      .help =
          "Reads the repository itself and shows who asks, for which snapshots, and which other snapshots become "
          "readable with the same keys. After the code of the request was typed, this kit's shares of those sessions are "
          "opened and sealed to the request: only the kit that asked can use the file, with `restore VERB --approval "
          "FILE`. A request that was altered, that says something else than the repository, or that is over, is "
          "refused.",
      .options = approve_options,
      .min_args = 1,
      .max_args = 1,
      .file_args = true,
      .run = cmd_approve },
    { .name = "grant",
      .synopsis = "RECIPIENT [SNAPSHOT ...]",
      .summary = "Give a recipient who was added later the keys of old snapshots.",
      .help =
          "RECIPIENT is a name of the newest charter. The keys of the sessions that the snapshots need (all live ones, when "
          "none is named) are sealed to the groups in which the charter has this recipient, and written to the "
          "repository as a file below grant/. This kit, with --approval where it takes several people, must open "
          "all of them.\n\nThe only verb that adds something to a repository: the account must be able to write.\n\n" SELECTOR_HELP,
      .options = grant_options,
      .min_args = 1,
      .max_args = CLI_ANY,
      .run = cmd_grant },
    CLI_VERBS_END
};

static const struct cli_option global_options[] = {
    { .name = "repo",
      .letter = 'r',
      .kind = CLI_STRING,
      .metavar = "NAME",
      .help = "Repository of the configuration; may be left out when there is only one." },
    { .name = "kit",
      .letter = 'k',
      .kind = CLI_FILE,
      .help = "The restore kit: a key file or its printed form. Default: `kit` of the repository." },
    { .name = "kit-passphrase-file",
      .kind = CLI_FILE,
      .help =
          "Its first line is the kit's passphrase. Otherwise the configuration says where it is, or it is "
          "asked for." },
    { .name = "approval",
      .kind = CLI_FILE,
      .many = true,
      .help =
          "What `restore approve` wrote for a request of this kit: needed where several people restore together." },
    { .name = "no-kit", .kind = CLI_FLAG, .help = "Work without keys although a kit is configured." },
    { .name = "root-key",
      .kind = CLI_FILE,
      .help = "File root.pub of the repository, for checks without a kit." },
    { .name = "storage",
      .kind = CLI_FILE,
      .metavar = "DIR",
      .help =
          "A copy of the repository in a local directory, instead of the configured storage. With --kit (or "
          "--root-key) no configuration is needed." },
    { .name = "state",
      .kind = CLI_FILE,
      .metavar = "DIR",
      .help =
          "Where this station keeps what it has seen, so that a storage cannot show it less later. Default: "
          "`restore/REPOSITORY` in the configured state directory." },
    { .name = "expect",
      .kind = CLI_STRING,
      .metavar = "RECEIPT",
      .many = true,
      .help = "A receipt from a log, a mail or the monitoring: some writer's log must hold this record." },
    CLI_OPTIONS_END
};

static const struct cli_text examples[] = {
    { "restore list", "What is there." },
    { "restore database latest --job shop-db --to /var/tmp/shop.db", "The newest backup of one database." },
    { "restore database shop-pg/12 --to shop_new --create-roles",
      "A PostgreSQL database, into one that was just created." },
    { "restore database shop-pg/12 --to shop --beside", "The same, next to the live database." },
    { "restore swap --to shop --terminate", "And put it into its place." },
    { "restore plan shop-pg/12 --to shop_new", "What that would do, and what it lacks." },
    { "restore database shop-pg/12 --table shop.orders --to scratch", "One table, into an empty database." },
    { "restore table shop-pg/12 shop.orders --as orders_old | psql -X -v ON_ERROR_STOP=1 shop",
      "Its rows beside the live ones." },
    { "restore files shop-db/7 --to /var/tmp/shop", "A snapshot's streams as plain files." },
    { "restore files www/latest --to /srv/www.new uploads", "One directory of a tree." },
    { "restore export shop-pg/12 --to shop.tar.zst", "For somebody who has only PostgreSQL's own tools." },
    { "restore verify --read-data-subset 5%", "Read and check a random part of all packs." },
    { "restore watch shop --max-age 26h", "For the monitoring: is last night's backup there?" },
    { "restore diff shop-db/latest~1 shop-db/latest", "What the last night changed." },
    { "restore list --storage /mnt/copy --kit kit.key", "On a fresh machine, without any configuration." },
    { "restore request shop-pg/12 --reason 'order 4711 is gone' --out ask",
      "Where it takes two people: ask the other one," },
    { "restore approve ask", "who looks at it and opens the own shares," },
    { "restore files shop-pg/12 --to /var/tmp/shop --approval ask.approval", "and go on with them." },
    { NULL, NULL }
};

static const struct cli_text files[] = {
    { CONF_DEFAULT_PATH, "The configuration: repositories, where the kit is, jobs." },
    { "/var/lib/backupd/restore/REPOSITORY/marks", "What this station has seen of a repository." },
    { NULL, NULL }
};

static const struct cli_text see_also[] = { { "backupd", "8" }, { NULL, NULL } };

/* First of all, before any secret is read. */
static int prepare(struct cli_context *cli, struct error *err)
{
    (void)cli;
    mem_settle();
    int rc = process_harden(err);
    rc = rc < 0 ? rc : crypto_init(err);
    return rc < 0 ? rc : interrupt_install(err);
}

static const struct cli_program program = {
    .name = "restore",
    .summary = "get data back from encrypted backups, and check them",
    .description =
        "restore lists, checks and restores the snapshots that backupd(8) made. It changes nothing in a "
        "repository; only `restore grant` adds to one.\n\nBefore anything is restored, logs and signatures are checked; what is restored is "
        "checked byte for byte; nothing existing is overwritten; and only exit status 0 means that all of it "
        "was restored.",
    .section = 1,
    .verbs = verbs,
    .options = global_options,
    .default_config = CONF_DEFAULT_PATH,
    .files = files,
    .examples = examples,
    .see_also = see_also,
    .prepare = prepare,
};

int main(int argc, char **argv)
{
    return cli_main(&program, argc, argv);
}
