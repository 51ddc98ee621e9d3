#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backupd/init/plan.h"
#include "backupd/setup.h"
#include "backupd/verbs.h"
#include "common/base/str.h"
#include "common/cli/prompt.h"
#include "common/repo/charter.h"
#include "common/repo/format.h"
#include "common/sys/dirs.h"

#include "common/base/banned.h"

enum { SPARE_MAX = 256, MIB_BITS = 20 };

const struct cli_option init_options[] = {
    { .name = "spare-writers",
      .kind = CLI_INTEGER,
      .fallback = "4",
      .max = SPARE_MAX,
      .help = "Writers enrolled beyond one for each configured job, so that new jobs need no root key." },
    { .name = "safe",
      .kind = CLI_FILE,
      .metavar = "DIR",
      .help = "Where to put what must leave this host: restore kit, root key, retention key. Default: "
              "./backup-safe-REPOSITORY." },
    { .name = "kit",
      .kind = CLI_FILE,
      .help = "The restore kit's file. Default: restore-kit.key in the safe." },
    { .name = "kit-text",
      .kind = CLI_FILE,
      .help = "The restore kit as text to print. Default: restore-kit.txt in the safe." },
    { .name = "kit-passphrase",
      .kind = CLI_FLAG,
      .help = "Ask on the terminal for a passphrase of the kit, the root key and the retention key (the "
              "default on a terminal)." },
    { .name = "kit-passphrase-file", .kind = CLI_FILE, .help = "Take it from the first line of this file." },
    { .name = "no-kit-passphrase",
      .kind = CLI_FLAG,
      .help = "Leave them without one: whoever has the files can read all backups." },
    { .name = "passphrase-memory",
      .kind = CLI_SIZE,
      .fallback = "1G",
      .min = 64 * (uint64_t)MIB,
      .max = 4096 * (uint64_t)MIB,
      .help =
          "Memory that trying one passphrase takes: here, at each restore, and for each guess of a thief." },
    { .name = "people",
      .kind = CLI_STRING,
      .metavar = "NAME,NAME,...",
      .help =
          "One restore kit for each of these people instead of one that opens alone; a restore then takes --need "
          "of them (`restore request`, `restore approve`). On a terminal each one is asked for a passphrase." },
    { .name = "need",
      .kind = CLI_INTEGER,
      .metavar = "NUMBER",
      .min = 1,
      .max = ENVELOPE_SHARES_MAX,
      .help =
          "With --people: how many of them a restore takes. 2 of 3 is a good choice; 1 means that each one is "
          "enough." },
    { .name = "kit-unconfirmed",
      .kind = CLI_FLAG,
      .help = "Let this host back up although nobody has tried the kit. Without it `backup` waits for `key "
              "verify-kit`." },
    { .name = "roles",
      .kind = CLI_FILE,
      .metavar = "DIR",
      .help = "For separate hosts: one directory for each role below DIR (root, writer, retention, restore, "
              "auditor) with exactly its files; nothing goes into this host's key directory." },
    { .name = "same-host-retention",
      .kind = CLI_FLAG,
      .help =
          "Also put the retention key into this host's key directory. Whoever breaks into this host can then "
          "delete all backups." },
    SETUP_OPTIONS,
    { .name = "cadence",
      .kind = CLI_INTEGER,
      .metavar = "HOURS",
      .fallback = "36",
      .max = CHARTER_CADENCE_MAX,
      .help = "A writer whose newest snapshot is older is reported as late; 0: never." },
    { .name = "min-keep",
      .kind = CLI_INTEGER,
      .metavar = "DAYS",
      .fallback = "14",
      .max = CHARTER_KEEP_DAYS_MAX,
      .help = "No snapshot is ever removed before this age, whatever any policy says." },
    { .name = "pack-size",
      .kind = CLI_SIZE,
      .fallback = "16M",
      .min = PACK_SIZE_MIN,
      .max = PACK_SIZE_MAX,
      .help =
          "Size of the files on the storage; a multiple of 1 MiB. Memory: (connections + 2) times this." },
    CLI_OPTIONS_END
};

static int read_passphrase_options(const struct cli_context *cli, struct init_request *r, struct error *err)
{
    int given = cli_flag(cli, "kit-passphrase") + cli_given(cli, "kit-passphrase-file") +
                cli_flag(cli, "no-kit-passphrase");
    if (given > 1)
        return error_set(
            err, E_USAGE,
            "--kit-passphrase, --kit-passphrase-file and --no-kit-passphrase exclude each other");
    r->passphrase_file = cli_text(cli, "kit-passphrase-file");
    r->how = r->passphrase_file != NULL           ? PASS_FILE
             : cli_flag(cli, "no-kit-passphrase") ? PASS_NONE
                                                  : PASS_ASK;
    r->kdf_mib = (uint32_t)(cli_number(cli, "passphrase-memory") >> MIB_BITS);
    if (r->how == PASS_ASK && !prompt_possible())
        return error_set(err, E_USAGE,
                         "the restore kit wants a passphrase and there is no terminal to ask on: give "
                         "--kit-passphrase-file FILE, or --no-kit-passphrase");
    return 0;
}

static int read_layout(const struct cli_context *cli, struct init_request *r, struct error *err)
{
    const char *roles = cli_text(cli, "roles");
    const char *safe = cli_text(cli, "safe");
    r->same_host_retention = cli_flag(cli, "same-host-retention");
    if (roles != NULL && (safe != NULL || r->same_host_retention))
        return error_set(err, E_USAGE, "--roles makes a directory for each role: --%s does not go with it",
                         safe != NULL ? "safe" : "same-host-retention");
    if (roles != NULL)
        r->roles = str_dup(roles, err);
    else
        r->safe = safe != NULL ? str_dup(safe, err) : str_printf(err, "backup-safe-%s", r->repository->name);
    char *home = roles == NULL ? r->safe : r->roles != NULL ? path_join(r->roles, "restore", err) : NULL;
    if (home == NULL)
        return E_NOMEM;
    const char *kit = cli_text(cli, "kit");
    const char *text = cli_text(cli, "kit-text");
    r->kit = kit != NULL ? str_dup(kit, err) : path_join(home, "restore-kit.key", err);
    r->kit_text = text != NULL ? str_dup(text, err) : path_join(home, "restore-kit.txt", err);
    if (home != r->safe)
        free(home);
    return r->kit != NULL && r->kit_text != NULL ? 0 : E_NOMEM;
}

int init_request_read(const struct cli_context *cli, const struct conf *conf, struct init_request *out,
                      struct error *err)
{
    memset(out, 0, sizeof *out);
    out->repository = conf_find_repository(conf, cli->nargs > 0 ? cli->args[0] : NULL, err);
    if (out->repository == NULL)
        return E_USAGE;
    for (size_t i = 0; i < conf->njobs; i++)
        out->jobs += strcmp(conf->jobs[i].repository, out->repository->name) == 0;
    out->writers = out->jobs + (size_t)cli_number(cli, "spare-writers");
    if (out->writers == 0)
        return error_set(err, E_USAGE,
                         "no job is configured for %s and no spare writer is wanted: nobody could write",
                         out->repository->name);
    out->cadence_hours = (uint32_t)cli_number(cli, "cadence");
    out->min_keep_days = (uint32_t)cli_number(cli, "min-keep");
    out->kit_unconfirmed = cli_flag(cli, "kit-unconfirmed");
    out->pack_size = (uint32_t)cli_number(cli, "pack-size");
    if (out->pack_size % MIB != 0)
        return error_set(err, E_USAGE, "--pack-size must be a multiple of 1 MiB");
    int rc = init_people_read(cli, &out->people, err);
    if (rc == 0)
        rc = setup_storage(cli, out->repository, &out->setup, &out->other_setup, err);
    if (rc == 0)
        rc = read_layout(cli, out, err);
    return rc == 0 ? read_passphrase_options(cli, out, err) : rc;
}

void init_request_free(struct init_request *r)
{
    free(r->roles);
    free(r->safe);
    free(r->kit);
    free(r->kit_text);
}
