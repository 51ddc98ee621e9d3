/*
 * drill_keep - keeps made-up results as `restore drill run` keeps those of real drills: page, certificate, history, evidence.
 *
 *     drill_keep [--config FILE] [--storage DIR] [--kit FILE] [--state DIR] RESULT.json ...
 *
 * The keys are real ones. Exit status 3: kept, but not sent to the evidence location that there is.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/crypto/secret.h"
#include "common/sys/atomic_file.h"
#include "restore/drill/evidence.h"

#include "common/base/banned.h"

enum { RESULT_MAX = 64 * 1024 * 1024 };

static int keep(struct cli_context *cli, const struct station *st, const struct evidence_origin *o,
                const char *path, struct error *err)
{
    struct drill_result r;
    struct buf json = BUF_INIT;
    struct evidence_kept kept;
    drill_result_init(&r);
    int rc = file_read_small(path, RESULT_MAX, &json, err);
    if (rc == 0)
        rc = drill_result_from_json(json.data, json.len, &r, err);
    if (rc == 0)
        rc = evidence_keep(cli, st->conf, o, &r, &kept, err);
    if (rc == 0) {
        evidence_tell(cli, &kept);
        if (kept.wanted && !kept.sent)
            cli->exit_code = CLI_EXIT_PARTLY;
    }
    drill_result_free(&r);
    buf_free(&json);
    return rc;
}

static int run(struct cli_context *cli, struct error *err)
{
    struct station st;
    struct evidence_origin o = EVIDENCE_ORIGIN_INIT;
    int rc = station_open_quietly(cli, KIT_OPTIONAL, &st, err);
    rc = rc < 0 ? rc : evidence_origin(&st, &o, err);
    for (size_t i = 0; rc == 0 && i < cli->nargs; i++)
        rc = keep(cli, &st, &o, cli->args[i], err);
    evidence_origin_free(&o);
    station_close(&st);
    return rc;
}

static int prepare(struct cli_context *cli, struct error *err)
{
    (void)cli;
    mem_settle();
    return crypto_init(err);
}

static const struct cli_option options[] = { { .name = "repo", .kind = CLI_STRING },
                                             { .name = "kit", .kind = CLI_FILE },
                                             { .name = "kit-passphrase-file", .kind = CLI_FILE },
                                             { .name = "approval", .kind = CLI_FILE, .many = true },
                                             { .name = "no-kit", .kind = CLI_FLAG },
                                             { .name = "root-key", .kind = CLI_FILE },
                                             { .name = "storage", .kind = CLI_FILE },
                                             { .name = "state", .kind = CLI_FILE },
                                             { .name = "expect", .kind = CLI_STRING, .many = true },
                                             CLI_OPTIONS_END };

static const struct cli_verb verbs[] = { { .name = "keep",
                                           .synopsis = "RESULT ...",
                                           .summary = "Keep.",
                                           .min_args = 1,
                                           .max_args = CLI_ANY,
                                           .run = run },
                                         CLI_VERBS_END };

int main(int argc, char **argv)
{
    static const struct cli_program program = { .name = "drill_keep",
                                                .summary = "keeps made-up results of drills",
                                                .verbs = verbs,
                                                .options = options,
                                                .default_config = CONF_DEFAULT_PATH,
                                                .prepare = prepare };
    return cli_main(&program, argc, argv);
}
