/* restore swap: what was restored beside a live database takes its place. */
#include <string.h>
#include <sys/stat.h>

#include "restore/swap.h"
#include "restore/verbs.h"

#include "common/base/banned.h"

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
