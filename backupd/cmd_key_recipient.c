/* key new-recipient, add-recipient, remove-recipient: who can read. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "backupd/host.h"
#include "backupd/keys/change.h"
#include "backupd/keys/drill.h"
#include "backupd/keys/fresh.h"
#include "backupd/keys/recipient.h"
#include "backupd/verbs.h"
#include "common/base/clock.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/cli/json.h"
#include "common/sys/atomic_file.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

enum { OFFER_FILE_MAX = 4096, YEAR_ZERO = 1900 };

const struct cli_option key_new_recipient_options[] = {
    KEY_REPO_OPTION,
    { .name = "to",
      .kind = CLI_FILE,
      .required = true,
      .help = "The new key file; never over an existing one." },
    { .name = "root-pub",
      .kind = CLI_FILE,
      .help = "root.pub of the repository. Default: that in the repository's key directory." },
    FRESH_OPTIONS,
    CLI_OPTIONS_END
};

const struct cli_option key_add_recipient_options[] = {
    KEY_CHANGE_OPTIONS,
    { .name = "name",
      .kind = CLI_STRING,
      .help = "What the charter calls it; default: the name in its line. Everybody can read charters." },
    { .name = "expires",
      .kind = CLI_STRING,
      .metavar = "DATE",
      .help =
          "YYYY-MM-DD: from that day on, at 00:00 UTC, new sessions are not sealed to it. What it could read "
          "before it still can." },
    { .name = "with",
      .kind = CLI_STRING,
      .metavar = "RECIPIENT",
      .many = true,
      .help = "It opens nothing alone, only together with this one (and with each other that is named)." },
    { .name = "drill",
      .kind = CLI_FLAG,
      .help =
          "Make a drill kit for a host that rehearses restores: a recipient that expires, and a key that signs the "
          "certificates of its drills. Instead of FILE; needs the restore kit, --to and --expires." },
    KEY_KIT_OPTIONS,
    { .name = "to",
      .kind = CLI_FILE,
      .help = "With --drill: the new drill kit; never over an existing file." },
    { .name = "writer",
      .kind = CLI_STRING,
      .metavar = "WRITER",
      .many = true,
      .help =
          "With --drill: the kit opens only this writer (an id, or a job of this host). Default: all of the charter, spares "
          "included." },
    CLI_OPTIONS_END
};

const struct cli_option key_retire_drill_options[] = {
    KEY_CHANGE_OPTIONS,
    { .name = "stolen",
      .kind = CLI_FLAG,
      .help =
          "The key may be in other hands: its line leaves the charter, and no certificate that it ever signed counts." },
    { .name = "recipient",
      .kind = CLI_STRING,
      .metavar = "RECIPIENT",
      .help = "Also shut this recipient, the drill kit's, out of new sessions." },
    CLI_OPTIONS_END
};

const struct cli_option key_remove_recipient_options[] = { KEY_CHANGE_OPTIONS, CLI_OPTIONS_END };

/* ---- new ----------------------------------------------------------------------------------------------- */

static int read_root(const struct cli_context *cli, const struct conf_repository *repository,
                     struct access_root *out, struct error *err)
{
    const char *file = cli_text(cli, "root-pub");
    return file != NULL ? access_root_file(file, out, err) : access_root(repository, out, err);
}

static int print_offer(struct cli_context *cli, const struct buf *line, const struct member_kit *m,
                       struct error *err)
{
    uint8_t pk[BOX_PK_LEN];
    char print[ACCESS_FINGERPRINT_MAX];
    int rc = box_public(m->r, pk, err);
    if (rc < 0)
        return rc;
    if (cli->json) {
        struct jsonout *o = jsonout_new("summary");
        jsonout_bytes(o, "line", line->data, line->len - 1);
        jsonout_str(o, "fingerprint", access_key_print(pk, print));
        jsonout_str(o, "file", cli_text(cli, "to"));
        return jsonout_emit(o, err);
    }
    out_heading(&cli->out, "The secret key is in %s. It never leaves this machine.", cli_text(cli, "to"));
    out_line(&cli->out, OUT_PLAIN, "Send this line, which is not secret, to whoever holds the root key:");
    out_text(&cli->out, OUT_PLAIN, "\n%.*s\n", (int)line->len, (const char *)line->data);
    out_line(&cli->out, OUT_PLAIN, "and compare over the telephone:  %s", access_key_print(pk, print));
    out_line(&cli->out, OUT_PLAIN,
             "Once it was added (`backupd key add-recipient`), new sessions can be opened with it.");
    return 0;
}

int cmd_key_new_recipient(struct cli_context *cli, struct error *err)
{
    struct access_root root;
    struct member_kit m = { .r = NULL };
    struct fresh fresh = { .passphrase = NULL };
    struct secret *block = NULL;
    struct buf line = BUF_INIT;
    uint8_t pk[BOX_PK_LEN];
    struct conf *conf = cli_given(cli, "root-pub") ? NULL : host_configuration(cli, false, err);
    const struct conf_repository *repository =
        conf != NULL ? conf_find_repository(conf, cli_text(cli, "repo"), err) : NULL;
    int rc = repository == NULL && !cli_given(cli, "root-pub") ? err->code : 0;
    if (rc == 0 && !recipient_name_valid(cli->args[0]))
        rc =
            error_set(err, E_USAGE, "a recipient's name has 1..%d characters of a-z 0-9 . _ -", NAME_MAX_LEN);
    if (rc == 0)
        rc = read_root(cli, repository, &root, err);
    if (rc == 0 && access(cli_text(cli, "to"), F_OK) == 0)
        rc = error_set(err, E_EXISTS, "%s is there already, and a key is never overwritten",
                       cli_text(cli, "to"));
    if (rc == 0)
        rc = fresh_read(cli, "New passphrase for this key: ", &fresh, err);
    if (rc == 0)
        rc = member_kit_generate(root.repo_id, root.root_pk, &m, err);
    if (rc == 0)
        rc = box_public(m.r, pk, err);
    if (rc == 0)
        rc = recipient_line(&line, root.repo_id, pk, cli->args[0], err);
    block = rc == 0 ? member_kit_encode(&m, err) : NULL;
    if (rc == 0)
        rc = block != NULL ? fresh_save(cli_text(cli, "to"), KEYFILE_MEMBER, block, &fresh, err) : E_NOMEM;
    if (rc == 0)
        rc = print_offer(cli, &line, &m, err);
    secret_free(block);
    fresh_free(&fresh);
    member_kit_free(&m);
    buf_free(&line);
    conf_free(conf);
    return rc;
}

/* ---- add ----------------------------------------------------------------------------------------------- */

static bool two_digits(const char *s, int *out)
{
    if (s[0] < '0' || s[0] > '9' || s[1] < '0' || s[1] > '9')
        return false;
    *out = (s[0] - '0') * 10 + s[1] - '0';
    return true;
}

/* 00:00 UTC of YYYY-MM-DD, in the future. */
int key_parse_date(const char *text, uint64_t *out, struct error *err)
{
    enum { DATE_LEN = 10, MONTH_AT = 5, DAY_AT = 8 };
    int century = 0;
    int year = 0;
    struct tm t = { .tm_isdst = 0 };
    bool good = strlen(text) == DATE_LEN && two_digits(text, &century) && two_digits(text + 2, &year) &&
                text[4] == '-' && two_digits(text + MONTH_AT, &t.tm_mon) && text[7] == '-' &&
                two_digits(text + DAY_AT, &t.tm_mday);
    int month = t.tm_mon;
    int day = t.tm_mday;
    t.tm_mon--;
    t.tm_year = century * 100 + year - YEAR_ZERO;
    time_t seconds = good ? timegm(&t) : -1;
    if (seconds <= 0 || t.tm_mon + 1 != month || t.tm_mday != day)
        return error_set(err, E_USAGE, "--expires %s: expected a day as YYYY-MM-DD", text);
    if ((uint64_t)seconds <= clock_wall())
        return error_set(err, E_USAGE, "--expires %s: that day is over", text);
    *out = (uint64_t)seconds;
    return 0;
}

static int read_offer(const char *path, struct recipient_offer *out, struct error *err)
{
    struct buf text = BUF_INIT;
    int rc = strcmp(path, "-") == 0 ? fd_read_all(STDIN_FILENO, OFFER_FILE_MAX, &text, "stdin", err)
                                    : file_read_small(path, OFFER_FILE_MAX, &text, err);
    if (rc == 0)
        rc = recipient_parse((const char *)text.data, text.len, out, err);
    buf_free(&text);
    return rc < 0 ? error_wrap(err, "%s", strcmp(path, "-") == 0 ? "stdin" : path) : 0;
}

static int read_new(struct key_change *c, struct recipient_offer *o, struct error *err)
{
    const char *name = cli_text(c->cli, "name");
    const char *expires = cli_text(c->cli, "expires");
    int rc = read_offer(c->cli->args[0], o, err);
    if (rc == 0 && memcmp(o->repo_id, c->repo->repo_id, REPO_ID_LEN) != 0)
        rc = error_set(err, E_CONFLICT, "this line was made for another repository");
    if (rc == 0 && name != NULL && !recipient_name_valid(name))
        rc = error_set(err, E_USAGE, "--name %s: 1..%d characters of a-z 0-9 . _ -", name, NAME_MAX_LEN);
    if (rc == 0 && name != NULL)
        memcpy(o->who.name, name, strlen(name) + 1);
    if (rc == 0 && expires != NULL)
        rc = key_parse_date(expires, &o->who.expires, err);
    return rc;
}

static void say_added(struct key_change *c, const struct recipient_offer *o, const struct charter_group *g)
{
    char print[ACCESS_FINGERPRINT_MAX];
    char date[NUMBER_TEXT_MAX];
    const char *name = o->who.name;
    key_change_says(c, CHANGE_WHAT, "recipient %s, key %s", name, access_key_print(o->who.pk, print));
    if (g->n == 1)
        key_change_says(c, CHANGE_WHAT, "%s opens every session from the next one on, alone", name);
    for (unsigned k = 1; k < g->n; k++)
        key_change_says(c, CHANGE_WHAT, "%s opens new sessions only together with %s%s", name,
                        charter_recipient_find(&c->next, g->rid[k])->name, k + 1 < g->n ? " and" : "");
    if (o->who.expires != 0)
        key_change_says(c, CHANGE_WHAT, "from %s on no new session is sealed to it",
                        time_format(date, o->who.expires));
    key_change_says(c, CHANGE_WHOM,
                    "who holds that key: compare its digits with that person, over the telephone");
    key_change_says(c, CHANGE_WHOM,
                    "sessions that exist stay closed to it: it reads none of them, and of a new snapshot");
    key_change_says(c, CHANGE_WHOM,
                    "  only what was stored since. What did not change lies in old sessions: until those");
    key_change_says(c, CHANGE_WHOM,
                    "  are granted to it, or a job begins anew with another writer, keep the older kit");
    key_change_says(c, CHANGE_FINAL,
                    "what a session was once sealed to stays so: removing %s later takes nothing", name);
    key_change_says(c, CHANGE_FINAL, "  back that was stored until then");
    key_change_says(c, CHANGE_NEXT,
                    "To restore with it, %s also needs what every kit holds beside its own key:", name);
    key_change_says(c, CHANGE_NEXT,
                    "  backupd key export-kit --kit OLD-KIT --recipient-key FILE --to NEW-KIT");
}

static int add(struct key_change *c, struct error *err)
{
    struct recipient_offer o;
    const char *with[ENVELOPE_SHARES_MAX];
    size_t n = cli_count(c->cli, "with");
    if (cli_flag(c->cli, "drill"))
        return key_drill_add(c, err);
    if (cli_given(c->cli, "to") || cli_given(c->cli, "writer"))
        return error_set(err, E_USAGE, "--to and --writer go with --drill, which makes a key file");
    if (c->cli->nargs == 0)
        return error_set(err, E_USAGE,
                         "which key? Name the file with the line of `key new-recipient`, or give --drill");
    int rc = read_new(c, &o, err);
    if (rc == 0 && n >= ENVELOPE_SHARES_MAX)
        rc = error_set(err, E_USAGE, "a group has at most %d recipients", ENVELOPE_SHARES_MAX);
    for (size_t i = 0; rc == 0 && i < n; i++)
        with[i] = cli_text_at(c->cli, "with", i);
    if (rc == 0)
        rc = recipient_add(&c->next, &o.who, with, n, err);
    if (rc < 0)
        return rc;
    say_added(c, &o, vec_at(&c->next.groups, c->next.groups.len - 1));
    rc = key_change_confirm(c, err);
    if (rc == 0)
        rc = key_change_publish(c, err);
    return rc == 0 ? key_change_report(c, err) : rc;
}

int cmd_key_add_recipient(struct cli_context *cli, struct error *err)
{
    return key_change_run(cli, add, err);
}

/* ---- remove -------------------------------------------------------------------------------------------- */

static size_t sessions(const struct repo *repo)
{
    size_t n = 0;
    for (size_t i = 0; i < repo->writers.len; i++) {
        const struct repo_writer *w = vec_at(&repo->writers, i);
        for (size_t k = 0; k < w->records.len; k++)
            n += repo_record_live(vec_at(&w->records, k));
    }
    return n;
}

static int take_away(struct key_change *c, struct error *err)
{
    size_t groups = 0;
    const struct charter_recipient *found = recipient_find(&c->next, c->cli->args[0]);
    if (found == NULL)
        return error_set(err, E_USAGE, "the charter has no recipient %s, or several (`backupd key show`)",
                         c->cli->args[0]);
    struct charter_recipient who = *found;
    int rc = recipient_remove(&c->next, who.rid, clock_wall(), &groups, err);
    if (rc < 0)
        return rc;
    key_change_says(c, CHANGE_WHAT,
                    "%s is no recipient any more: sessions that begin from now on stay closed to it",
                    who.name);
    key_change_says(c, CHANGE_WHAT, "%zu %s of %zu that needed it %s gone", groups,
                    plural(groups, "group", "groups"), c->next.groups.len + groups,
                    plural(groups, "is", "are"));
    key_change_says(c, CHANGE_WHOM, "a session that is going on now was sealed before, and is open to it");
    key_change_says(c, CHANGE_FINAL,
                    "what exists stays readable to %s, with its key and access to the storage: up to %zu %s",
                    who.name, sessions(c->repo), plural(sessions(c->repo), "snapshot", "snapshots"));
    key_change_says(c, CHANGE_FINAL,
                    "  now. Take its access to the storage away, and let those snapshots expire");
    rc = key_change_confirm(c, err);
    if (rc == 0)
        rc = key_change_publish(c, err);
    return rc == 0 ? key_change_report(c, err) : rc;
}

int cmd_key_remove_recipient(struct cli_context *cli, struct error *err)
{
    return key_change_run(cli, take_away, err);
}

int cmd_key_retire_drill(struct cli_context *cli, struct error *err)
{
    return key_change_run(cli, key_drill_retire, err);
}
