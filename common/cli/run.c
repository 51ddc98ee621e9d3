#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/cli/cli.h"
#include "common/cli/json.h"
#include "common/cli/out_text.h"
#include "common/cli/progress.h"

#if defined __has_include
#if __has_include("version.h")
#include "version.h"
#endif
#endif
#ifndef BACKUP_VERSION
#define BACKUP_VERSION "unknown"
#endif

#include "common/base/banned.h"

/* stderr shares the terminal with the progress line. */
static void say(const char *prefix, enum out_style style, const char *text, bool plain)
{
    struct out out = out_on(stderr, plain);
    char *safe = out_safe(text, true);
    progress_hide();
    (void)fputs(prefix, stderr);
    /* later lines are set in, so that they cannot pass for a line of the program's own */
    for (char *line = safe; line != NULL;) {
        char *end = strchr(line, '\n');
        if (end != NULL)
            *end = '\0';
        out_styled(&out, style, line);
        (void)fputs(end != NULL && end[1] != '\0' ? "\n  " : "\n", stderr);
        line = end != NULL && end[1] != '\0' ? end + 1 : NULL;
    }
    progress_show();
    free(safe);
}

static void on_log(enum log_level level, const char *text, void *arg)
{
    static const char *const names[] = {
        [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warning", [LOG_ALARM] = "alarm"
    };
    static const enum out_style looks[] = {
        [LOG_DEBUG] = OUT_DIM, [LOG_INFO] = OUT_PLAIN, [LOG_WARN] = OUT_WARN, [LOG_ALARM] = OUT_BAD
    };
    const struct cli_context *cli = arg;
    char prefix[160];
    if ((level == LOG_DEBUG && cli->verbose < 2) || (level == LOG_INFO && cli->verbose < 1))
        return;
    if (cli->json) {
        struct jsonout *o = jsonout_new("log");
        jsonout_str(o, "level", names[level]);
        jsonout_str(o, "message", text);
        if (log_kind()[0] != '\0')
            jsonout_str(o, "kind", log_kind());
        (void)jsonout_emit(o, NULL); /* the error of the verb is what counts */
        return;
    }
    (void)snprintf(prefix, sizeof prefix, "%s: %s%s", cli->program->name,
                   level >= LOG_WARN ? names[level] : "", level >= LOG_WARN ? ": " : "");
    say(prefix, looks[level], text, cli_flag(cli, "no-color"));
}

static void report(const struct cli_context *cli, const struct error *err, int exit_code)
{
    char prefix[160];
    const char *verb = cli->verb != NULL ? cli->verb->name : NULL;
    (void)snprintf(prefix, sizeof prefix, "%s: %s%s", cli->program->name, verb != NULL ? verb : "",
                   verb != NULL ? ": " : "");
    say(prefix, OUT_BAD, err->text[0] != '\0' ? err->text : error_code_name(err->code),
        cli_flag(cli, "no-color"));
    if (!cli->json)
        return;
    struct jsonout *o = jsonout_new("error");
    jsonout_str(o, "code", error_code_name(err->code));
    jsonout_i64(o, "exit_code", exit_code);
    if (err->name != NULL)
        jsonout_str(o, "violation", err->name);
    jsonout_str(o, "command", verb);
    jsonout_str(o, "message", err->text);
    (void)jsonout_emit(o, NULL); /* it stands on stderr already */
}

/* What the program itself answers; *done says whether it did. */
static int answer(const struct cli_context *cli, bool *done, struct error *err)
{
    const struct cli_program *program = cli->program;
    struct buf text = BUF_INIT;
    int rc = 0;
    *done = true;
    if (cli_flag(cli, "help"))
        rc = cli_help(program, cli->verb, out_width(stdout), &text, err);
    else if (cli_flag(cli, "version"))
        rc = buf_printf(&text, err, "%s %s\n", program->name, BACKUP_VERSION);
    else if (cli_flag(cli, "man"))
        rc = cli_man(program, &text, err);
    else if (cli_flag(cli, "bash-completion"))
        rc = cli_bash_completion(program, &text, err);
    else if (cli->verb == NULL)
        rc = error_set(err, E_USAGE, "which command? `%s --help` lists them", program->name);
    else
        *done = false;
    if (rc == 0 && text.len != 0 && fwrite(text.data, 1, text.len, stdout) != text.len)
        rc = error_sys(err, "the output could not be written");
    buf_free(&text);
    return rc;
}

static int run_verb(struct cli_context *cli, bool *ran, struct error *err)
{
    const struct cli_program *program = cli->program;
    int rc = 0;
    log_to(on_log, cli);
    if (program->prepare != NULL)
        rc = program->prepare(cli, err);
    *ran = rc >= 0;
    if (*ran)
        rc = cli->verb->run(cli, err);
    if (program->finish != NULL)
        program->finish(cli);
    log_to(NULL, NULL);
    return rc < 0 ? rc : 0;
}

int cli_main(const struct cli_program *program, int argc, char **argv)
{
    struct cli_context cli = { .program = program };
    struct error err = ERROR_INIT;
    bool done = false;
    bool ran = false;
    int rc = cli_parse(program, argc, argv, &cli, &err);
    if (rc == E_USAGE)
        (void)snprintf(err.text + strlen(err.text), sizeof err.text - strlen(err.text),
                       " (see `%s%s%s --help`)", program->name, cli.verb != NULL ? " " : "",
                       cli.verb != NULL ? cli.verb->name : "");
    if (rc == 0)
        rc = answer(&cli, &done, &err);
    if (rc == 0 && !done)
        rc = run_verb(&cli, &ran, &err);
    if (rc < 0)
        err.code = rc;
    if (rc < 0 && !ran && cli.verb != NULL && cli.verb->unable != NULL)
        cli.exit_code = cli.verb->unable(&cli, &err);
    struct out out = { .file = stdout };
    struct error lost = ERROR_INIT;
    if (out_flush(&out, &lost) < 0 && rc == 0)
        rc = error_copy(&err, &lost);
    int code = cli.exit_code != 0 ? cli.exit_code : cli_exit_code(rc);
    if (rc < 0)
        report(&cli, &err, code);
    cli_context_free(&cli);
    return code;
}
