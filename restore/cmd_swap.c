/* restore swap: what was restored beside a live database takes its place. */
#include <string.h>
#include <sys/stat.h>

#include "restore/options.h"
#include "restore/swap.h"
#include "restore/verbs.h"

#include "common/base/banned.h"

static const char *const swap_engines[] = { "postgres", "sqlite", "mariadb", NULL };

const struct cli_option swap_options[] = {
    { .name = "to",
      .letter = 't',
      .kind = CLI_FILE,
      .metavar = "LIVE",
      .required = true,
      .help = "The live database, as for `restore database --beside`." },
    { .name = "from",
      .kind = CLI_FILE,
      .metavar = "NAME",
      .help =
          "What takes its place. Default: what `restore database --beside` made, when there is just one; with "
          "--undo what the last swap kept." },
    { .name = "undo",
      .kind = CLI_FLAG,
      .help = "Put back what a swap replaced. The restored one is kept in turn." },
    SWAP_OPTIONS,
    { .name = "plan", .kind = CLI_FLAG, .help = "Only tell what would be done, and who is in the way." },
    { .name = "engine",
      .kind = CLI_CHOICE,
      .choices = swap_engines,
      .metavar = "ENGINE",
      .help =
          "What kind of database LIVE is. Default: sqlite when it is the path of a file, else postgres." },
    CLI_OPTIONS_END
};

/* A path that names a file, or could; a connection string or a plain word is a database of a server. */
static const char *guess_engine(const char *to)
{
    struct stat st;
    if (strncmp(to, "mariadb://", 10) == 0)
        return "mariadb";
    if (strstr(to, "://") != NULL)
        return "postgres";
    if (lstat(to, &st) == 0 && !S_ISDIR(st.st_mode))
        return "sqlite";
    return strchr(to, '/') != NULL && strchr(to, '=') == NULL ? "sqlite" : "postgres";
}

int cmd_swap(struct cli_context *cli, struct error *err)
{
    const char *name = cli_given(cli, "engine") ? cli_text(cli, "engine") : guess_engine(cli_text(cli, "to"));
    const struct engine *engine = engine_find(name, err);
    if (engine == NULL)
        return E_USAGE;
    return swap_run(cli, engine, cli_text(cli, "from"), cli_flag(cli, "undo"), cli_flag(cli, "plan"), err);
}
