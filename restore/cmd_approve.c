/* restore approve: the second person opens the own shares of exactly what was asked for. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/cli/json.h"
#include "common/cli/prompt.h"
#include "common/sys/atomic_file.h"
#include "restore/approve.h"
#include "restore/options.h"
#include "restore/verbs.h"

#include "common/base/banned.h"

enum { PRIVATE_MODE = 0600, CODE_DIGITS = 16 };

const struct cli_option approve_options[] = {
    { .name = "out", .kind = CLI_FILE, .help = "The file to write. Default: REQUEST.approval." },
    { .name = "code",
      .kind = CLI_STRING,
      .metavar = "CODE",
      .help =
          "The code of the request, as its maker told it: approves without asking. Otherwise it is asked for on the "
          "terminal." },
    { .name = "valid",
      .kind = CLI_DURATION,
      .min = 1,
      .max = REQUEST_VALID_MAX,
      .help = "How long the approval is accepted. Default, and at most: as long as the request." },
    ALARMS_OPTION,
    CLI_OPTIONS_END
};

/* The same digits, whatever stands between them. */
static bool same_code(const char *given, const char *code)
{
    size_t n = 0;
    for (const char *c = code; *c != '\0'; c++) {
        if (*c == '-')
            continue;
        while (*given == '-' || *given == ' ')
            given++;
        if (*given != *c)
            return false;
        given++;
        n++;
    }
    while (*given == '-' || *given == ' ')
        given++;
    return *given == '\0' && n == CODE_DIGITS;
}

static int confirm(const struct approve *a, struct error *err)
{
    const char *code = cli_text(a->cli, "code");
    if (code != NULL)
        return same_code(code, a->code)
                   ? 0
                   : error_named(
                         err, E_CONFLICT, ERR_REQUEST_AUTH,
                         "this request has another code than the one given (%s): it is not the one that "
                         "its maker told you about",
                         a->code);
    int rc = prompt_word("Ask the person for the request's code, and type it to approve: ", a->code,
                         "--code CODE, as its maker told it", err);
    if (rc == 0)
        return error_set(err, E_CANCELLED, "not approved");
    return rc < 0 ? rc : 0;
}

static char *out_path(const struct cli_context *cli, struct error *err)
{
    const char *given = cli_text(cli, "out");
    return given != NULL ? str_dup(given, err) : str_printf(err, "%s.approval", cli->args[0]);
}

static int write_approval(const struct approve *a, const char *path, uint64_t *expires, struct error *err)
{
    struct opened_shares shares = OPENED_SHARES_INIT;
    struct buf bytes = BUF_INIT;
    struct approval out = { .time = clock_wall(), .expires = a->q.expires };
    if (cli_given(a->cli, "valid") && out.time + cli_number(a->cli, "valid") < out.expires)
        out.expires = out.time + cli_number(a->cli, "valid");
    *expires = out.expires;
    int rc = approve_shares(a, &shares, err);
    rc = rc < 0 ? rc : approval_encode(&out, &a->q, a->st.kit.r, a->requester->pk, &shares, &bytes, err);
    rc = rc < 0 ? rc : file_write_atomic(path, bytes.data, bytes.len, PRIVATE_MODE, FILE_EXCLUSIVE, err);
    shares_free(&shares);
    buf_free(&bytes);
    return rc;
}

static int report(const struct approve *a, const char *path, uint64_t expires, struct error *err)
{
    const struct out *out = &a->cli->out;
    char until[NUMBER_TEXT_MAX];
    if (a->cli->json) {
        struct jsonout *o = jsonout_new("summary");
        jsonout_str(o, "approval", path);
        jsonout_str(o, "code", a->code);
        jsonout_u64(o, "shares", a->nshares);
        jsonout_time(o, "expires", expires);
        return jsonout_emit(o, err);
    }
    if (a->cli->quiet)
        return 0;
    out_text(out, OUT_PLAIN, "\n");
    out_line(out, OUT_GOOD, "%s: %zu %s for %s, valid until %s", path, a->nshares,
             plural(a->nshares, "share", "shares"), a->requester->name, time_format(until, expires));
    out_line(out, OUT_PLAIN,
             "Only %s can use it, and only for this request. What was opened stays open: there is no "
             "way to take it back.",
             a->requester->name);
    return 0;
}

int cmd_approve(struct cli_context *cli, struct error *err)
{
    struct approve a;
    uint64_t expires = 0;
    char *path = NULL;
    int rc = approve_open(&a, cli, cli->args[0], err);
    rc = rc < 0 ? rc : approve_judge(&a, err);
    if (rc == 0 && (path = out_path(cli, err)) == NULL)
        rc = E_NOMEM;
    if (rc == 0 && access(path, F_OK) == 0)
        rc = error_set(err, E_EXISTS, "%s is there already", path);
    if (rc == 0 && !cli->quiet)
        rc = approve_show(&a, err);
    rc = rc < 0 ? rc : out_flush(&cli->out, err);
    rc = rc < 0 ? rc : confirm(&a, err);
    rc = rc < 0 ? rc : write_approval(&a, path, &expires, err);
    rc = rc < 0 ? rc : report(&a, path, expires, err);
    approve_close(&a, rc == 0);
    free(path);
    return rc;
}
