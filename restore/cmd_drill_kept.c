/* restore drill kept, end: what `restore drill run --keep` left for people. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/access/access.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/cli/json.h"
#include "restore/drill/keep.h"
#include "restore/verbs.h"

#include "common/base/banned.h"

#define SCRATCH_OPTION                                                                                    \
    {                                                                                                     \
        .name = "scratch", .kind = CLI_FILE, .metavar = "DIR",                                            \
        .help =                                                                                           \
            "Where it was drilled, as for `restore drill run`. Default: $TMPDIR, /var/tmp, and what the " \
            "drills of the configuration say."                                                            \
    }

const struct cli_option drill_kept_options[] = { SCRATCH_OPTION, CLI_OPTIONS_END };
const struct cli_option drill_end_options[] = {
    SCRATCH_OPTION, { .name = "all", .kind = CLI_FLAG, .help = "All that are kept." }, CLI_OPTIONS_END
};

struct looking {
    struct cli_context *cli;
    struct table *table; /* of `kept` */
    struct vec dirs;     /* of `end`: char *, what is to go */
    const char *id;      /* or NULL: all */
    size_t found;
};

/* ---- where ------------------------------------------------------------------------------------------------- */

static bool is_in(const struct vec *bases, const char *base)
{
    for (size_t i = 0; i < bases->len; i++)
        if (strcmp(*(char **)vec_at(bases, i), base) == 0)
            return true;
    return false;
}

/* What is not there holds nothing. */
static int add_base(struct vec *bases, const char *path, struct error *err)
{
    char *real = path != NULL ? realpath(path, NULL) : NULL;
    bool wanted = real != NULL && !is_in(bases, real);
    char **slot = wanted ? vec_push(bases, err) : NULL;
    if (slot != NULL)
        *slot = real;
    else
        free(real);
    return wanted && slot == NULL ? E_NOMEM : 0;
}

static void free_texts(struct vec *texts)
{
    for (size_t i = 0; i < texts->len; i++)
        free(*(char **)vec_at(texts, i));
    vec_free(texts);
}

static int find_bases(const struct cli_context *cli, struct vec *bases, struct error *err)
{
    struct conf_problems problems = CONF_PROBLEMS_INIT;
    struct error why = ERROR_INIT;
    if (cli_given(cli, "scratch"))
        return add_base(bases, cli_text(cli, "scratch"), err);
    int rc = add_base(bases, scratch_base(), err);
    rc = rc < 0 ? rc : add_base(bases, "/var/tmp", err);
    struct conf *conf =
        access(cli->config, R_OK) == 0 ? access_configuration(cli->config, false, &problems, &why) : NULL;
    for (size_t i = 0; rc == 0 && conf != NULL && i < conf->ndrills; i++)
        rc = add_base(bases, conf->drills[i].scratch, err);
    conf_problems_free(&problems);
    conf_free(conf);
    return rc;
}

static int look(struct looking *l, kept_fn *fn, struct error *err)
{
    struct vec bases = VEC_OF(char *);
    int rc = find_bases(l->cli, &bases, err);
    for (size_t i = 0; rc == 0 && i < bases.len; i++)
        rc = kept_each(*(char **)vec_at(&bases, i), fn, l, err);
    free_texts(&bases);
    return rc;
}

/* ---- kept -------------------------------------------------------------------------------------------------- */

static int show(const struct kept *k, void *arg, struct error *err)
{
    struct looking *l = arg;
    char t[NUMBER_TEXT_MAX];
    l->found++;
    if (l->cli->json) {
        struct jsonout *o = jsonout_new("kept");
        jsonout_str(o, "id", k->id);
        jsonout_str(o, "snapshot", k->snapshot);
        jsonout_str(o, "verdict", k->verdict);
        jsonout_time(o, "since", k->since);
        jsonout_time(o, "until", k->until);
        jsonout_str(o, "connect", k->connect);
        jsonout_str(o, "directory", k->dir);
        return jsonout_emit(o, err);
    }
    table_cell(l->table, OUT_PLAIN, "%s", k->id);
    table_cell(l->table, OUT_BOLD, "%s", k->snapshot != NULL ? k->snapshot : "-");
    table_cell(l->table, OUT_PLAIN, "%s", k->verdict != NULL ? k->verdict : "-");
    table_cell(l->table, OUT_PLAIN, "%s", time_format(t, k->until));
    table_cell(l->table, OUT_PLAIN, "%s", k->connect);
    return 0;
}

int cmd_drill_kept(struct cli_context *cli, struct error *err)
{
    struct looking l = { .cli = cli, .table = table_new(err) };
    table_column(l.table, "drill", false);
    table_column(l.table, "snapshot", false);
    table_column(l.table, "verdict", false);
    table_column(l.table, "until", false);
    table_column(l.table, "connect with", false);
    int rc = look(&l, show, err);
    if (rc == 0 && !cli->json && l.found > 0)
        rc = table_print(l.table, &cli->out, err);
    if (rc == 0 && !cli->json && l.found == 0)
        out_line(&cli->out, OUT_DIM, "Nothing is kept.");
    table_free(l.table);
    return rc;
}

/* ---- end --------------------------------------------------------------------------------------------------- */

static int collect(const struct kept *k, void *arg, struct error *err)
{
    struct looking *l = arg;
    if (l->id != NULL && strcmp(l->id, k->id) != 0)
        return 0;
    l->found++;
    char **slot = vec_push(&l->dirs, err);
    return slot != NULL && (*slot = str_dup(k->dir, err)) != NULL ? 0 : E_NOMEM;
}

int cmd_drill_end(struct cli_context *cli, struct error *err)
{
    struct looking l = { .cli = cli, .dirs = VEC_OF(char *), .id = cli->nargs > 0 ? cli->args[0] : NULL };
    if ((l.id != NULL) == cli_flag(cli, "all"))
        return error_set(err, E_USAGE, "say which one (`restore drill kept` lists them), or --all");
    int rc = look(&l, collect, err);
    if (rc == 0 && l.found == 0 && l.id != NULL)
        rc = error_set(
            err, E_NOT_FOUND,
            "nothing of the drill %s is kept here; `restore drill kept` lists what is (--scratch DIR: "
            "where it was drilled)",
            l.id);
    for (size_t i = 0; rc == 0 && i < l.dirs.len; i++)
        rc = kept_end(*(char **)vec_at(&l.dirs, i), err);
    if (rc == 0 && !cli->quiet && !cli->json)
        out_line(&cli->out, OUT_GOOD,
                 l.found != 0 ? "Ended: %zu. Nothing of %s is left." : "Nothing is kept.", l.found,
                 plural(l.found, "it", "them"));
    free_texts(&l.dirs);
    return rc;
}

/* ---- the keeper -------------------------------------------------------------------------------------------- */

/* Not for people: what the process of a drill becomes (keep.h). DIR and numbers. */
int cmd_drill_keeper(struct cli_context *cli, struct error *err)
{
    enum { LOCK, READY, ERRORS, SERVER, UNTIL, CODE, NUMBERS };
    long long n[NUMBERS];
    for (size_t i = 0; i < NUMBERS; i++) {
        char *end = NULL;
        n[i] = strtoll(cli->args[i + 1], &end, 10);
        if (*end != '\0' || n[i] < -1)
            return error_set(err, E_USAGE, "it is started by `restore drill run --keep`");
    }
    const struct keeper k = { .dir = cli->args[0],
                              .lock = (int)n[LOCK],
                              .ready = (int)n[READY],
                              .errors = (int)n[ERRORS],
                              .server = (long)n[SERVER],
                              .until = (uint64_t)n[UNTIL],
                              .exit_code = (int)n[CODE] };
    return keeper_run(&k, err);
}
