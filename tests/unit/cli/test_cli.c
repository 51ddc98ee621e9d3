#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/str.h"
#include "common/cli/cli.h"
#include "common/cli/json.h"
#include "common/cli/out.h"
#include "common/cli/progress.h"
#include "common/cli/prompt.h"

#include "common/base/banned.h"

/* ---- a small program ------------------------------------------------------------ */

static const char *const levels[] = { "fast", "normal", "slow", NULL };

static const struct cli_option backup_options[] = {
    { .name = "dry-run", .letter = 'n', .help = "Only say what would be done." },
    { .name = "level",
      .letter = 'l',
      .kind = CLI_CHOICE,
      .choices = levels,
      .fallback = "normal",
      .help = "Level." },
    { .name = "tag",
      .letter = 't',
      .kind = CLI_STRING,
      .metavar = "KEY=VALUE",
      .many = true,
      .help = "Tag it." },
    { .name = "limit", .kind = CLI_SIZE, .help = "Bytes per second." },
    { .name = "jobs", .kind = CLI_INTEGER, .min = 1, .max = 8, .fallback = "2", .help = "At a time." },
    { .name = "wait", .kind = CLI_DURATION, .help = "For a lock." },
    { .name = "part", .kind = CLI_PERCENT, .fallback = "2.5%", .help = "How much." },
    { .name = "from", .kind = CLI_FILE, .help = "Read names from." },
    { .name = "secret-switch", .hidden = true, .help = "Not shown." },
    CLI_OPTIONS_END
};
static const struct cli_option add_options[] = {
    { .name = "role", .kind = CLI_STRING, .required = true, .help = "What the key may do." }, CLI_OPTIONS_END
};
static const struct cli_option own_options[] = {
    { .name = "repository", .letter = 'r', .kind = CLI_STRING, .metavar = "NAME", .help = "Which one." },
    CLI_OPTIONS_END
};

static int run_result; /* what the verb answers */
static int run_exit;
static int prepared;

static int prepare(struct cli_context *cli, struct error *err)
{
    prepared = (int)cli->verb->needs;
    return cli->verb->needs == 9 ? error_set(err, E_NOT_FOUND, "not prepared") : 0;
}

static void finish(struct cli_context *cli)
{
    (void)cli;
    prepared += 100;
}

static int run(struct cli_context *cli, struct error *err)
{
    log_event(LOG_WARN, "be careful");
    log_event(LOG_INFO, "all is well");
    log_event(LOG_DEBUG, "detail");
    out_line(&cli->out, OUT_BOLD, "args %zu \033[1m", cli->nargs);
    cli->exit_code = run_exit;
    return run_result < 0 ? error_set(err, run_result, "line one\nline two") : 0;
}

static int unable(struct cli_context *cli, const struct error *why)
{
    out_line(&cli->out, OUT_PLAIN, "UNKNOWN: %s", why->text);
    return 3;
}

static const struct cli_verb verbs[] = {
    { .name = "backup",
      .synopsis = "[JOB ...]",
      .summary = "Back up now.",
      .help = "One.\n\nTwo.",
      .options = backup_options,
      .max_args = CLI_ANY,
      .needs = 1,
      .run = run },
    { .name = "key list", .summary = "List keys.", .run = run },
    { .name = "key add",
      .synopsis = "FILE",
      .summary = "Add a key.",
      .options = add_options,
      .min_args = 1,
      .max_args = 1,
      .file_args = true,
      .run = run },
    { .name = "check", .summary = "Check it.", .run = run },
    { .name = "check storage", .summary = "Check the storage.", .run = run, .needs = 9 },
    { .name = "secret-verb", .summary = "Not shown.", .hidden = true, .run = run },
    { .name = "watch", .summary = "For a monitoring.", .hidden = true, .run = run, .unable = unable },
    { .name = "watch it", .summary = "Another.", .hidden = true, .run = run, .unable = unable, .needs = 9 },
    CLI_VERBS_END
};
static const struct cli_text files[] = { { "/etc/x.yaml", "The configuration." }, { NULL, NULL } };
static const struct cli_text examples[] = { { "backupd backup \"a b\"", "An example." }, { NULL, NULL } };
static const struct cli_program program = { .name = "backupd",
                                            .summary = "encrypted backups",
                                            .description = "It backs up.",
                                            .section = 8,
                                            .verbs = verbs,
                                            .options = own_options,
                                            .default_config = "/etc/x.yaml",
                                            .files = files,
                                            .examples = examples,
                                            .prepare = prepare,
                                            .finish = finish };

enum { WORDS_MAX = 32 };

/* Splits at spaces; parses into *cli. */
static int parse(const char *line, struct cli_context *cli, struct error *err)
{
    static char text[512];
    static char *argv[WORDS_MAX];
    int argc = 0;
    memset(cli, 0, sizeof *cli);
    (void)snprintf(text, sizeof text, "%s", line);
    for (char *save = NULL, *w = strtok_r(text, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save)) {
        ck_assert_int_lt(argc, WORDS_MAX);
        argv[argc++] = w;
    }
    return cli_parse(&program, argc, argv, cli, err);
}

START_TEST(options_in_every_form)
{
    struct cli_context cli;
    struct error err = ERROR_INIT;
    int rc = parse(
        "backupd -qv --config=c -r shop backup -nlslow a --tag x=1 -ty=2 --json b --limit 2MiB --jobs 8 "
        "--wait=1h",
        &cli, &err);
    ck_assert_msg(rc == 0, "%s", err.text);
    ck_assert_str_eq(cli.verb->name, "backup");
    ck_assert_uint_eq(cli.nargs, 2);
    ck_assert_str_eq(cli.args[0], "a");
    ck_assert_str_eq(cli.args[1], "b");
    ck_assert(cli.quiet && cli.json && cli.config_given);
    ck_assert_uint_eq(cli.verbose, 1);
    ck_assert_str_eq(cli.config, "c");
    ck_assert_str_eq(cli_text(&cli, "repository"), "shop");
    ck_assert(cli_flag(&cli, "dry-run"));
    ck_assert_uint_eq(cli_choice(&cli, "level"), 2);
    ck_assert_str_eq(cli_text(&cli, "level"), "slow");
    ck_assert_uint_eq(cli_count(&cli, "tag"), 2);
    ck_assert_str_eq(cli_text(&cli, "tag"), "y=2");
    ck_assert_str_eq(cli_text_at(&cli, "tag", 0), "x=1");
    ck_assert_str_eq(cli_text_at(&cli, "tag", 1), "y=2");
    ck_assert_ptr_null(cli_text_at(&cli, "tag", 2));
    ck_assert_uint_eq(cli_number(&cli, "limit"), 2 * 1024 * 1024);
    ck_assert_uint_eq(cli_number(&cli, "jobs"), 8);
    ck_assert_uint_eq(cli_number(&cli, "wait"), 3600);
    cli_context_free(&cli);
}
END_TEST

START_TEST(defaults)
{
    struct cli_context cli;
    ck_assert_int_eq(parse("backupd backup -- -n --json", &cli, NULL), 0);
    ck_assert_uint_eq(cli.nargs, 2);
    ck_assert_str_eq(cli.args[0], "-n");
    ck_assert(!cli.json && !cli.quiet && !cli.config_given);
    ck_assert_str_eq(cli.config, "/etc/x.yaml");
    ck_assert(!cli_flag(&cli, "dry-run"));
    ck_assert(!cli_given(&cli, "level"));
    ck_assert_uint_eq(cli_choice(&cli, "level"), 1);
    ck_assert_uint_eq(cli_number(&cli, "jobs"), 2);
    ck_assert_uint_eq(cli_number(&cli, "part"), 250);
    ck_assert_uint_eq(cli_number(&cli, "limit"), 0);
    ck_assert_ptr_null(cli_text(&cli, "tag"));
    ck_assert_ptr_null(cli_text_at(&cli, "tag", 0));
    cli_context_free(&cli);
}
END_TEST

static const struct {
    const char *line;
    const char *verb;
} good_lines[] = {
    { "backupd key list", "key list" },
    { "backupd key add f --role x", "key add" },
    { "backupd check", "check" },
    { "backupd check storage", "check storage" },
    { "backupd check -v", "check" },
    { "backupd secret-verb", "secret-verb" },
    { "backupd backup -", "backup" },
    { "backupd help key add", "key add" }, /* what is missing does not matter then */
    { "backupd key add --help", "key add" },
    { "backupd backup --part 100", "backup" },
    { "backupd backup --part 0.01%", "backup" },
    { "backupd", NULL },
};

START_TEST(good_line)
{
    struct cli_context cli;
    struct error err = ERROR_INIT;
    int rc = parse(good_lines[_i].line, &cli, &err);
    ck_assert_msg(rc == 0, "%s", err.text);
    ck_assert_pstr_eq(cli.verb != NULL ? cli.verb->name : NULL, good_lines[_i].verb);
    cli_context_free(&cli);
}
END_TEST

static const struct {
    const char *line;
    const char *text;
} bad_lines[] = {
    { "backupd bakup", "unknown command 'bakup', did you mean 'backup'?" },
    { "backupd zzzzzz", "unknown command 'zzzzzz'" },
    { "backupd key", "'key' needs one of: list, add" },
    { "backupd key ad", "'key' needs one of: list, add" },
    { "backupd check stor", "'stor' is too much: it takes no arguments" },
    { "backupd key add --role x", "an argument is missing: key add FILE" },
    { "backupd key add a b --role x", "'b' is one argument too many" },
    { "backupd key add a", "option '--role TEXT' is missing" },
    { "backupd --dry-run backup", "option '--dry-run' has to stand behind its command ('backup')" },
    { "backupd backup --dryrun", "unknown option '--dryrun', did you mean '--dry-run'?" },
    { "backupd backup --jsn", "unknown option '--jsn', did you mean '--json'?" },
    { "backupd backup --secret-swich", "unknown option '--secret-swich'" },
    { "backupd backup -nX", "unknown option '-X' in '-nX'" },
    { "backupd backup --dry-run=1", "option '--dry-run' takes no value" },
    { "backupd backup --limit", "option '--limit' needs a value (SIZE)" },
    { "backupd backup -l", "option '-l' needs a value (WORD)" },
    { "backupd backup --limit 1 --limit 2", "option '--limit' is given twice" },
    { "backupd backup --limit x", "option '--limit': 'x' is not a size (like 512K, 16MiB or 2GiB)" },
    { "backupd backup --jobs 9", "option '--jobs': 9 is outside 1..8" },
    { "backupd backup --wait 5", "option '--wait': '5' is not a duration (like 90s, 15m, 6h, 7d, 4w or 1y)" },
    { "backupd backup --part 101", "option '--part': '101' is not a percentage (like 5% or 2.5%)" },
    { "backupd backup --part 1.234", "option '--part': '1.234' is not a percentage (like 5% or 2.5%)" },
    { "backupd backup --part .5", "option '--part': '.5' is not a percentage (like 5% or 2.5%)" },
    { "backupd backup -l slwo", "option '-l': 'slwo' is none of: fast, normal, slow, did you mean 'slow'?" },
};

START_TEST(bad_line)
{
    struct cli_context cli;
    struct error err = ERROR_INIT;
    ck_assert_int_eq(parse(bad_lines[_i].line, &cli, &err), E_USAGE);
    ck_assert_str_eq(err.text, bad_lines[_i].text);
    cli_context_free(&cli);
}
END_TEST

START_TEST(exit_codes)
{
    static const struct {
        int code, exit;
    } map[] = {
        { E_OK, 0 },       { E_RETRY, 1 },  { E_NOT_FOUND, 1 },   { E_EXISTS, 1 }, { E_CORRUPT, 9 },
        { E_AUTH, 12 },    { E_DENIED, 1 }, { E_NO_SPACE, 1 },    { E_IO, 1 },     { E_UNSUPPORTED, 4 },
        { E_USAGE, 2 },    { E_NOMEM, 1 },  { E_CANCELLED, 130 }, { E_BUSY, 11 },  { E_CONFLICT, 9 },
        { E_INTERNAL, 1 }, { -99, 1 },
    };
    for (size_t i = 0; i < sizeof map / sizeof map[0]; i++) {
        ck_assert_int_eq(cli_exit_code(map[i].code), map[i].exit);
        ck_assert_ptr_nonnull(cli_exit_text(map[i].exit));
    }
    ck_assert_ptr_nonnull(cli_exit_text(CLI_EXIT_PARTLY));
    ck_assert_ptr_nonnull(cli_exit_text(CLI_EXIT_NO_REPOSITORY));
    ck_assert_ptr_null(cli_exit_text(77));
}
END_TEST

/* ---- texts made from the tables ------------------------------------------------------------ */

static void must_hold(const struct buf *text, const char *what)
{
    ck_assert_msg(memmem(text->data, text->len, what, strlen(what)) != NULL, "'%s' is missing in\n%.*s", what,
                  (int)text->len, (const char *)text->data);
}

static void must_not_hold(const struct buf *text, const char *what)
{
    ck_assert_msg(memmem(text->data, text->len, what, strlen(what)) == NULL, "'%s' stands in\n%.*s", what,
                  (int)text->len, (const char *)text->data);
}

/* Every option of a table, shown as `prefix` + name. */
static void must_hold_options(const struct buf *text, const struct cli_option *o, const char *prefix)
{
    for (; o != NULL && o->name != NULL; o++) {
        char word[64];
        (void)snprintf(word, sizeof word, "%s%s", prefix, o->name);
        if (o->hidden)
            must_not_hold(text, word);
        else
            must_hold(text, word);
    }
}

START_TEST(help_holds_everything)
{
    struct buf text = BUF_INIT;
    ck_assert_int_eq(cli_help(&program, NULL, 80, &text, NULL), 0);
    for (const struct cli_verb *v = verbs; v->name != NULL; v++)
        if (!v->hidden)
            must_hold(&text, v->name);
    must_not_hold(&text, "secret");
    must_hold_options(&text, cli_global_options(), "--");
    must_hold_options(&text, own_options, "--");
    must_hold(&text, "/etc/x.yaml");
    must_hold(&text, "130");
    for (const struct cli_verb *v = verbs; v->name != NULL; v++) {
        buf_clear(&text);
        ck_assert_int_eq(cli_help(&program, v, 60, &text, NULL), 0);
        must_hold(&text, v->summary);
        must_hold_options(&text, v->options, "--");
        must_hold_options(&text, cli_global_options(), "--");
        size_t column = 0;
        for (size_t i = 0; i < text.len; i++) {
            column = text.data[i] == '\n' ? 0 : column + 1;
            ck_assert_uint_le(column, 60);
        }
    }
    buf_free(&text);
}
END_TEST

START_TEST(man_page_holds_everything)
{
    struct buf text = BUF_INIT;
    ck_assert_int_eq(cli_man(&program, &text, NULL), 0);
    must_hold(&text, ".Dt BACKUPD 8\n");
    must_hold_options(&text, cli_global_options(), "Fl \\&-");
    must_hold_options(&text, own_options, "Fl \\&-");
    for (const struct cli_verb *v = verbs; v->name != NULL; v++) {
        char heading[64];
        (void)snprintf(heading, sizeof heading, ".Ss \"\\&%s\"\n", v->name);
        if (v->hidden)
            must_not_hold(&text, heading);
        else
            must_hold(&text, heading);
        must_hold_options(&text, v->options, "Fl \\&-");
    }
    must_hold(&text, "One of: fast, normal, slow.");
    must_hold(&text, "\\&backupd backup \\(dqa b\\(dq");
    must_hold(&text, ".It 130\n");
    buf_free(&text);
}
END_TEST

START_TEST(completion_holds_everything)
{
    struct buf text = BUF_INIT;
    ck_assert_int_eq(cli_bash_completion(&program, &text, NULL), 0);
    must_hold(&text, "compgen -W 'help backup key check'");
    must_hold(&text, "'key ') mapfile -t COMPREPLY < <(compgen -W 'list add'");
    must_hold(&text, "compgen -W 'fast normal slow'");
    must_hold(&text, "complete -F _backupd backupd\n");
    must_not_hold(&text, "secret");
    for (const struct cli_verb *v = verbs; v->name != NULL; v++)
        must_hold_options(&text, v->options, " --");
    must_hold_options(&text, cli_global_options(), " --");
    buf_free(&text);
}
END_TEST

/* ---- cli_main ------------------------------------------------------------ */

static char stdout_text[8192];
static char stderr_text[8192];

static void slurp(FILE *f, char *out, size_t cap)
{
    rewind(f);
    out[fread(out, 1, cap - 1, f)] = '\0';
    ck_assert_int_eq(fclose(f), 0);
}

static int run_main(const char *line)
{
    char text[256];
    char *argv[WORDS_MAX];
    int argc = 0;
    (void)snprintf(text, sizeof text, "%s", line);
    for (char *save = NULL, *w = strtok_r(text, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    FILE *out = tmpfile();
    FILE *errors = tmpfile();
    ck_assert(out != NULL && errors != NULL);
    (void)fflush(stdout);
    int old_out = dup(STDOUT_FILENO);
    int old_err = dup(STDERR_FILENO);
    ck_assert(dup2(fileno(out), STDOUT_FILENO) >= 0 && dup2(fileno(errors), STDERR_FILENO) >= 0);
    int code = cli_main(&program, argc, argv);
    (void)fflush(stdout);
    ck_assert(dup2(old_out, STDOUT_FILENO) >= 0 && dup2(old_err, STDERR_FILENO) >= 0);
    (void)close(old_out);
    (void)close(old_err);
    slurp(out, stdout_text, sizeof stdout_text);
    slurp(errors, stderr_text, sizeof stderr_text);
    return code;
}

START_TEST(main_runs_a_verb)
{
    ck_assert_int_eq(run_main("backupd backup a"), 0);
    ck_assert_str_eq(stdout_text, "args 1 \\x1b[1m\n");
    ck_assert_str_eq(stderr_text, "backupd: warning: be careful\n");
    ck_assert_int_eq(prepared, 101);
    ck_assert_int_eq(run_main("backupd backup -v"), 0);
    ck_assert_str_eq(stderr_text, "backupd: warning: be careful\nbackupd: all is well\n");
    ck_assert_int_eq(run_main("backupd backup -vv"), 0);
    ck_assert_str_eq(stderr_text, "backupd: warning: be careful\nbackupd: all is well\nbackupd: detail\n");
    run_exit = CLI_EXIT_PARTLY;
    ck_assert_int_eq(run_main("backupd backup"), 3);
}
END_TEST

START_TEST(main_reports_once)
{
    run_result = E_CORRUPT;
    ck_assert_int_eq(run_main("backupd backup"), 9);
    ck_assert_str_eq(stderr_text, "backupd: warning: be careful\nbackupd: backup: line one\n  line two\n");
    run_exit = CLI_EXIT_NO_REPOSITORY;
    ck_assert_int_eq(run_main("backupd backup"), 10);
    ck_assert_int_eq(run_main("backupd check storage"), 1);
    ck_assert_str_eq(stderr_text, "backupd: check storage: not prepared\n");
    ck_assert_int_eq(prepared, 109);
}
END_TEST

START_TEST(main_reports_as_json)
{
    run_result = E_BUSY;
    ck_assert_int_eq(run_main("backupd backup --json"), 11);
    ck_assert_str_eq(stdout_text,
                     "{\"message_type\":\"log\",\"level\":\"warning\",\"message\":\"be careful\"}\n"
                     "args 0 \\x1b[1m\n"
                     "{\"message_type\":\"error\",\"code\":\"BUSY\",\"exit_code\":11,\"command\":\"backup\","
                     "\"message\":\"line one\\nline two\"}\n");
    ck_assert_str_eq(stderr_text, "backupd: backup: line one\n  line two\n");
}
END_TEST

START_TEST(verbs_of_a_monitoring_answer_mistakes)
{
    ck_assert_int_eq(run_main("backupd watch --bogus"), 3);
    ck_assert_str_eq(stdout_text, "UNKNOWN: unknown option '--bogus' (see `backupd watch --help`)\n");
    ck_assert(str_starts(stderr_text, "backupd: watch: unknown option '--bogus'"));
    ck_assert_int_eq(run_main("backupd --bogus -q watch"), 3);
    ck_assert(str_starts(stdout_text, "UNKNOWN: unknown option '--bogus'"));
    ck_assert_int_eq(run_main("backupd watch a"), 3);
    ck_assert_int_eq(run_main("backupd watch it"), 3);
    ck_assert_str_eq(stdout_text, "UNKNOWN: not prepared\n");
    ck_assert_int_eq(run_main("backupd watch --help"), 0);
    run_result = E_BUSY; /* the verb ran: its own code */
    ck_assert_int_eq(run_main("backupd watch"), 11);
    ck_assert_int_eq(run_main("backupd --bogus backup"), 2);
    ck_assert_str_eq(stdout_text, "");
}
END_TEST

START_TEST(main_answers_itself)
{
    ck_assert_int_eq(run_main("backupd"), 2);
    ck_assert_str_eq(stderr_text, "backupd: which command? `backupd --help` lists them\n");
    ck_assert_int_eq(run_main("backupd backup --dryrun"), 2);
    ck_assert_str_eq(stderr_text,
                     "backupd: backup: unknown option '--dryrun', did you mean '--dry-run'? (see `backupd "
                     "backup --help`)\n");
    ck_assert_int_eq(run_main("backupd --version"), 0);
    ck_assert(str_starts(stdout_text, "backupd "));
    ck_assert_int_eq(run_main("backupd key add --help"), 0);
    ck_assert(str_starts(stdout_text, "Usage: backupd key add [OPTION ...] FILE\n"));
    ck_assert_int_eq(run_main("backupd --man"), 0);
    ck_assert(str_starts(stdout_text, ".Dd "));
    ck_assert_int_eq(run_main("backupd --bash-completion"), 0);
    ck_assert(str_starts(stdout_text, "# bash completion"));
}
END_TEST

START_TEST(main_notices_a_full_disk)
{
    int old = dup(STDOUT_FILENO);
    FILE *full = fopen("/dev/full", "w");
    char *argv[] = { (char[]){ "backupd" }, (char[]){ "--version" }, NULL };
    ck_assert_ptr_nonnull(full);
    ck_assert_int_ge(dup2(fileno(full), STDOUT_FILENO), 0);
    int code = cli_main(&program, 2, argv);
    ck_assert_int_ge(dup2(old, STDOUT_FILENO), 0);
    (void)close(old);
    (void)fclose(full);
    clearerr(stdout);
    ck_assert_int_eq(code, 1);
}
END_TEST

/* ---- output ------------------------------------------------------------ */

static char *printed(const struct table *t, bool colour)
{
    char *text = NULL;
    size_t len = 0;
    struct out out = { .file = open_memstream(&text, &len), .colour = colour };
    ck_assert_ptr_nonnull(out.file);
    ck_assert_int_eq(table_print(t, &out, NULL), 0);
    ck_assert_int_eq(fclose(out.file), 0);
    return text;
}

START_TEST(tables_line_up)
{
    struct table *t = table_new(NULL);
    table_column(t, "name", false);
    table_column(t, "size", true);
    table_column(t, "state", false);
    table_cell(t, OUT_PLAIN, "h\xc3\xa4\xc3\x9f\n");
    table_cell(t, OUT_PLAIN, "12 B");
    table_cell(t, OUT_GOOD, "ok");
    table_cell(t, OUT_PLAIN, "\xe6\x97\xa5\xe6\x9c\xac");
    table_cell(t, OUT_PLAIN, "%d", 7);
    table_cell(t, OUT_PLAIN, "\xff");
    ck_assert_uint_eq(table_rows(t), 2);
    char *text = printed(t, false);
    ck_assert_str_eq(text, "name     size  state\n"
                           "h\xc3\xa4\xc3\x9f\\x0a  12 B  ok\n"
                           "\xe6\x97\xa5\xe6\x9c\xac        7  \\xff\n");
    free(text);
    text = printed(t, true);
    ck_assert_ptr_nonnull(strstr(text, "\033[32mok\033[0m\n"));
    free(text);
    table_free(t);
    ck_assert_int_eq(table_print(NULL, &(struct out){ .file = stdout }, NULL), E_NOMEM);
}
END_TEST

START_TEST(pairs_line_up)
{
    struct table *t = pairs_new(NULL);
    pairs_add(t, "id", OUT_PLAIN, "%s", "abc");
    pairs_add(t, "repository", OUT_PLAIN, "shop");
    char *text = printed(t, false);
    ck_assert_str_eq(text, "id:          abc\nrepository:  shop\n");
    free(text);
    table_free(t);
}
END_TEST

START_TEST(columns_on_the_screen)
{
    ck_assert_uint_eq(out_columns(""), 0);
    ck_assert_uint_eq(out_columns("abc"), 3);
    ck_assert_uint_eq(out_columns("\xc3\xa4"), 1);
    ck_assert_uint_eq(out_columns("\xe6\x97\xa5"), 2);
    ck_assert_uint_eq(out_columns("e\xcc\x81"), 1); /* a combining accent */
    ck_assert_uint_eq(out_columns("\xff\xfe"), 2);
}
END_TEST

START_TEST(json_lines)
{
    struct buf text = BUF_INIT;
    struct jsonout *o = jsonout_new("finding");
    jsonout_str(o, "name", "\xc3\xa4\xff\"");
    jsonout_bytes(o, "raw", "a\0b", 3);
    jsonout_str(o, "none", NULL);
    jsonout_u64(o, "big", UINT64_MAX);
    jsonout_u64(o, "n", 7);
    jsonout_i64(o, "i", -7);
    jsonout_bool(o, "yes", true);
    jsonout_double(o, "d", 0.42);
    jsonout_double(o, "inf", 1e308 * 10);
    jsonout_time(o, "time", 86400);
    struct jsonout *list = jsonout_array(o, "list");
    jsonout_str(list, NULL, "x");
    jsonout_u64(jsonout_object(list, NULL), "k", 1);
    (void)jsonout_object(o, "empty");
    ck_assert_int_eq(jsonout_text(o, &text, NULL), 0);
    ck_assert_int_eq(buf_append(&text, "", 1, NULL), 0);
    ck_assert_str_eq(
        (char *)text.data,
        "{\"message_type\":\"finding\",\"name\":\"\xc3\xa4\\\\xff\\\"\",\"raw\":\"a\\u0000b\",\"none\":null,"
        "\"big\":\"18446744073709551615\",\"n\":7,\"i\":-7,\"yes\":true,\"d\":0.42,\"inf\":null,"
        "\"time\":\"1970-01-02T00:00:00Z\",\"list\":[\"x\",{\"k\":1}],\"empty\":{}}");
    buf_free(&text);
    jsonout_str(NULL, "a", "b");
    jsonout_free(jsonout_new("unused"));
    ck_assert_int_eq(jsonout_text(NULL, &text, NULL), E_NOMEM);
    o = jsonout_new("status");
    jsonout_str(o, NULL, "an object needs keys");
    ck_assert_int_lt(jsonout_text(o, &text, NULL), 0);
    buf_free(&text);
}
END_TEST

static void expect_line(const struct progress_view *view, size_t width, const char *expected)
{
    struct buf text = BUF_INIT;
    ck_assert_int_eq(progress_line(view, width, &text, NULL), 0);
    ck_assert_int_eq(buf_append(&text, "", 1, NULL), 0);
    ck_assert_str_eq((char *)text.data, expected);
    buf_free(&text);
}

START_TEST(progress_lines)
{
    struct progress_view v = { .what = "backup",
                               .done = 512,
                               .total = 1024,
                               .rate = 100,
                               .elapsed_ms = 5000,
                               .current = "d\xc3\xa4t\xc3\xa4/\033x" };
    ck_assert_uint_eq(progress_seconds_left(&v), 6);
    expect_line(&v, 120,
                "backup  [##########..........]  50 %  512 B of 1.0 KiB  100 B/s  6 s left  "
                "d\xc3\xa4t\xc3\xa4/\\x1bx");
    expect_line(&v, 79, "backup   50 %  512 B of 1.0 KiB  100 B/s  6 s left  d\xc3\xa4t\xc3\xa4/\\x1bx");
    expect_line(&v, 60, "backup   50 %  512 B of 1.0 KiB  100 B/s  6 s left  d\xc3\xa4t\xc3\xa4/\\x1");
    expect_line(&v, 20, "backup   50 %  512 B");
    v.current = NULL;
    v.done = 2048; /* more than was foreseen */
    ck_assert_uint_eq(progress_seconds_left(&v), UINT64_MAX);
    expect_line(&v, 79, "backup  100 %  2.0 KiB of 1.0 KiB  100 B/s");
    v.total = 0;
    v.rate = 0;
    expect_line(&v, 79, "backup  2.0 KiB  5.0 s");
}
END_TEST

START_TEST(progress_thread_starts_and_stops)
{
    struct cli_context cli = { .json = true };
    struct error err = ERROR_INIT;
    struct progress *p = progress_start(&cli, "x", &err);
    ck_assert_msg(p != NULL, "%s", err.text);
    ck_assert_ptr_null(progress_start(&cli, "y", &err));
    progress_total(p, 10);
    progress_add_total(p, 10);
    progress_on_bytes(5, p);
    progress_add(p, 1);
    progress_set(p, 7);
    progress_item(p, "a");
    progress_item(p, NULL);
    progress_hide();
    progress_hide();
    progress_show();
    progress_show();
    progress_stop(p);
    cli.quiet = true;
    ck_assert_ptr_null(progress_start(&cli, "x", &err));
    progress_add(NULL, 1);
    progress_stop(NULL);
}
END_TEST

START_TEST(no_question_without_a_terminal)
{
    char out[16];
    struct error err = ERROR_INIT;
    (void)setsid(); /* away from the terminal that a developer may have */
    if (prompt_possible())
        return;
    ck_assert_int_eq(prompt_confirm("Really?", "--yes", &err), E_USAGE);
    ck_assert_str_eq(err.text, "\"Really?\" cannot be asked without a terminal: answer with --yes");
    ck_assert_int_eq(prompt_word("Really?", "x", NULL, &err), E_USAGE);
    ck_assert_int_eq(prompt_hidden("Passphrase", NULL, out, sizeof out, &err), E_USAGE);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof(a)[0]))

int main(void)
{
    Suite *suite = suite_create("cli");
    TCase *tc = tcase_create("cli");
    tcase_add_test(tc, options_in_every_form);
    tcase_add_test(tc, defaults);
    tcase_add_loop_test(tc, good_line, 0, COUNT(good_lines));
    tcase_add_loop_test(tc, bad_line, 0, COUNT(bad_lines));
    tcase_add_test(tc, exit_codes);
    tcase_add_test(tc, help_holds_everything);
    tcase_add_test(tc, man_page_holds_everything);
    tcase_add_test(tc, completion_holds_everything);
    tcase_add_test(tc, main_runs_a_verb);
    tcase_add_test(tc, main_reports_once);
    tcase_add_test(tc, main_reports_as_json);
    tcase_add_test(tc, verbs_of_a_monitoring_answer_mistakes);
    tcase_add_test(tc, main_answers_itself);
    tcase_add_test(tc, main_notices_a_full_disk);
    tcase_add_test(tc, tables_line_up);
    tcase_add_test(tc, pairs_line_up);
    tcase_add_test(tc, columns_on_the_screen);
    tcase_add_test(tc, json_lines);
    tcase_add_test(tc, progress_lines);
    tcase_add_test(tc, progress_thread_starts_and_stops);
    tcase_add_test(tc, no_question_without_a_terminal);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
