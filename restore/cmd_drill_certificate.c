/* restore drill certificate: prints one, or checks one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/number.h"
#include "common/base/str.h"
#include "common/cli/json.h"
#include "common/repo/drill_cert.h"
#include "common/sys/atomic_file.h"
#include "common/sys/dirs.h"
#include "restore/drill/records.h"
#include "restore/options.h"
#include "restore/verbs.h"

#include "common/base/banned.h"

const struct cli_option drill_certificate_options[] = {
    { .name = "check",
      .kind = CLI_FILE,
      .help =
          "Check this certificate instead: its signature, and the result and the page when they lie beside it. Without --key by "
          "the drill keys that the repository's charters name." },
    { .name = "key",
      .kind = CLI_STRING,
      .metavar = "KEY",
      .help =
          "With --check: the drill host's public key, 64 hex digits, or its fingerprint as `backupd key show` prints it. Then "
          "neither the repository nor a configuration is needed." },
    JOB_OPTION,
    DRILL_EVIDENCE_OPTION,
    CLI_OPTIONS_END
};

/* ---- check --------------------------------------------------------------------------------------------- */

struct checking {
    struct cli_context *cli;
    struct drill_cert cert;
    bool retired;
    const char *by;     /* what says that the key is right */
    const char *result; /* what is beside it */
    const char *page;
};

static int by_key(struct checking *k, const char *key, struct error *err)
{
    char hex[2 * SIGN_PK_LEN + 1];
    char print[ACCESS_FINGERPRINT_MAX];
    hex_encode(hex, k->cert.key, SIGN_PK_LEN);
    k->by = "the key that was given";
    if (strcmp(key, hex) == 0 || strcmp(key, access_key_print(k->cert.key, print)) == 0)
        return 0;
    return error_set(err, E_AUTH, "it was signed by another key, %s", access_key_print(k->cert.key, print));
}

static int by_charters(struct checking *k, struct error *err)
{
    struct station st;
    int rc = station_open(k->cli, KIT_IF_GIVEN, &st, err);
    rc = rc < 0 ? rc : drill_cert_judge(&k->cert, st.repo, &k->retired, err);
    k->by = "a drill key that the charters of the repository name";
    station_close(&st);
    return rc;
}

/* FILE.cert -> FILE.json, where that is there: is it what was signed? */
static int beside(const char *path, const char *ending, uint64_t size, const uint8_t hash[HASH_LEN],
                  const char **found, struct error *err)
{
    struct buf bytes = BUF_INIT;
    struct error why = ERROR_INIT;
    *found = "not beside it";
    if (!str_ends(path, EVIDENCE_CERTIFICATE))
        return 0;
    char *name = str_printf(err, "%.*s%s", (int)(strlen(path) - strlen(EVIDENCE_CERTIFICATE)), path, ending);
    int rc = name != NULL ? file_read_small(name, EVIDENCE_FILE_MAX, &bytes, &why) : E_NOMEM;
    if (rc == 0) {
        *found = "beside it, and unchanged";
        rc = drill_file_judge(name, &bytes, size, hash, err);
    } else if (rc == E_NOT_FOUND) {
        rc = 0;
    } else if (name != NULL) {
        rc = error_copy(err, &why);
    }
    buf_free(&bytes);
    free(name);
    return rc;
}

static int tell_json(const struct checking *k, struct error *err)
{
    const struct drill_cert *c = &k->cert;
    char hex[2 * HASH_LEN + 1];
    struct jsonout *o = jsonout_new("certificate");
    jsonout_str(o, "id", c->id);
    jsonout_str(o, "verdict", drill_cert_verdict_name(c->verdict));
    jsonout_bool(o, "whole", c->whole);
    jsonout_str(o, "snapshot", c->snapshot);
    hex_encode(hex, c->record_hash, HASH_LEN);
    jsonout_str(o, "record_hash", hex);
    jsonout_time(o, "started", c->started);
    jsonout_time(o, "finished", c->finished);
    hex_encode(hex, c->key, SIGN_PK_LEN);
    jsonout_str(o, "key", hex);
    jsonout_bool(o, "key_retired", k->retired);
    jsonout_str(o, "result", k->result);
    jsonout_str(o, "page", k->page);
    return jsonout_emit(o, err);
}

static int tell(const struct checking *k, struct error *err)
{
    const struct drill_cert *c = &k->cert;
    const struct out *out = &k->cli->out;
    char t[2][NUMBER_TEXT_MAX];
    char print[ACCESS_FINGERPRINT_MAX];
    char record[2 * HASH_LEN + 1];
    if (k->cli->json)
        return tell_json(k, err);
    hex_encode(record, c->record_hash, HASH_LEN);
    out_line(out, OUT_GOOD, "The certificate is good: nothing in it was changed, and it was signed by %s.",
             k->by);
    struct table *p = pairs_new(err);
    pairs_add(p, "drill", OUT_PLAIN, "%s, on %s", c->id, c->host);
    pairs_add(p, "verdict", c->verdict == DRILL_CERT_PASS ? OUT_GOOD : OUT_WARN, "%s%s",
              drill_cert_verdict_name(c->verdict),
              c->whole ? "" : ", of a part: not all tables, or columns were masked");
    pairs_add(p, "snapshot", OUT_PLAIN, "%s, made %s", c->snapshot, time_format(t[0], c->made));
    pairs_add(p, "its record", OUT_PLAIN, "%s", record);
    pairs_add(p, "time", OUT_PLAIN, "%s to %s, by the drill host's clock", time_format(t[0], c->started),
              time_format(t[1], c->finished));
    pairs_add(p, "checks", OUT_PLAIN, "%llu passed, %llu failed, %llu could not run",
              (unsigned long long)c->checks[0], (unsigned long long)c->checks[1],
              (unsigned long long)c->checks[2]);
    pairs_add(p, "restored in", OUT_PLAIN, "%s, %s", duration_format(t[0], c->rto_ms),
              size_format(t[1], c->bytes));
    pairs_add(p, "with", OUT_PLAIN, "restore %s; %s", c->tool, c->server);
    pairs_add(p, "key", k->retired ? OUT_WARN : OUT_PLAIN, "%s%s", access_key_print(c->key, print),
              k->retired ? ", retired since: whoever has it could have dated this back" : "");
    pairs_add(p, "result", OUT_PLAIN, "%s", k->result);
    pairs_add(p, "page", OUT_PLAIN, "%s", k->page);
    int rc = table_print(p, out, err);
    table_free(p);
    return rc;
}

static int check(struct cli_context *cli, struct error *err)
{
    struct checking k = { .cli = cli };
    struct buf bytes = BUF_INIT;
    const char *path = cli_text(cli, "check");
    int rc = file_read_small(path, DRILL_CERT_MAX, &bytes, err);
    rc = rc < 0 ? rc : drill_cert_parse(bytes.data, bytes.len, &k.cert, err);
    rc = rc < 0 ? rc : cli_given(cli, "key") ? by_key(&k, cli_text(cli, "key"), err) : by_charters(&k, err);
    rc = rc < 0 ? rc : beside(path, EVIDENCE_RESULT, k.cert.result_size, k.cert.result_hash, &k.result, err);
    rc = rc < 0 ? rc : beside(path, EVIDENCE_PAGE, k.cert.page_size, k.cert.page_hash, &k.page, err);
    buf_free(&bytes);
    return rc < 0 ? error_wrap(err, "%s", path) : tell(&k, err);
}

/* ---- print --------------------------------------------------------------------------------------------- */

static int print(struct cli_context *cli, struct error *err)
{
    struct drill_source s;
    struct buf bytes = BUF_INIT;
    char id[EVIDENCE_NAME_MAX];
    int rc = drill_source_open(cli, cli_flag(cli, "evidence"), &s, err);
    rc = rc < 0 ? rc : drill_source_id(&s, cli->args[0], id, err);
    rc = rc < 0 ? rc : drill_source_file(&s, id, EVIDENCE_CERTIFICATE, &bytes, err);
    if (rc == 0 && fwrite(bytes.data, 1, bytes.len, cli->out.file) != bytes.len)
        rc = error_sys(err, "write the certificate");
    buf_free(&bytes);
    drill_source_close(&s);
    return rc;
}

int cmd_drill_certificate(struct cli_context *cli, struct error *err)
{
    bool checks = cli_given(cli, "check");
    if (checks == (cli->nargs != 0))
        return error_set(err, E_USAGE,
                         checks ? "--check names the file itself: leave the id out"
                                : "which drill? Name its id (`restore drill list`), or give --check FILE");
    if (cli_given(cli, "key") && !checks)
        return error_set(err, E_USAGE, "--key goes with --check");
    return checks ? check(cli, err) : print(cli, err);
}
