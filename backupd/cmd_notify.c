/* notify test, list, send: the channels by hand. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backupd/host.h"
#include "backupd/notices/compose.h"
#include "backupd/notices/deliver.h"
#include "backupd/notices/outbox.h"
#include "backupd/notices/wire.h"
#include "backupd/verbs.h"
#include "common/base/clock.h"
#include "common/base/number.h"
#include "common/base/suggest.h"
#include "common/base/zone.h"
#include "common/cli/json.h"
#include "common/cli/out.h"
#include "common/sys/dirs.h"
#include "common/sys/fdio.h"
#include "common/sys/interrupt.h"

#include "common/base/banned.h"

enum { FD_MAX = 1 << 20 };

typedef int channel_fn(struct cli_context *cli, const struct conf *conf, const struct conf_channel *c,
                       bool *ok, struct error *err);

static const struct conf_channel *find(const struct conf *conf, const char *name, struct error *err)
{
    struct suggestion near = suggest_for(name);
    char hint[SUGGEST_TEXT_MAX];
    for (size_t i = 0; i < conf->nchannels; i++) {
        if (strcmp(conf->channels[i].name, name) == 0)
            return &conf->channels[i];
        suggest_offer(&near, conf->channels[i].name);
    }
    (void)error_set(err, E_USAGE, "there is no channel '%s'%s", name, suggest_text(&near, "", hint));
    return NULL;
}

/* Calls fn for each channel that is named, or all; what fails of itself is told by fn and counted here. */
static int each(struct cli_context *cli, channel_fn *fn, const char *failed, struct error *err)
{
    struct conf *conf = host_configuration(cli, false, err);
    size_t good = 0;
    size_t bad = 0;
    if (conf == NULL)
        return err->code;
    size_t n = cli->nargs > 0 ? cli->nargs : conf->nchannels;
    int rc = zone_set(conf->daemon.time_zone, err);
    if (rc == 0 && n == 0)
        rc = error_set(err, E_USAGE, "the configuration has no channels: say who hears of it (notify: ...)");
    for (size_t i = 0; rc == 0 && i < cli->nargs; i++)
        rc = find(conf, cli->args[i], err) != NULL ? 0 : E_USAGE;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        bool ok = false;
        rc = interrupt_check(err);
        if (rc == 0)
            rc = fn(cli, conf, cli->nargs > 0 ? find(conf, cli->args[i], err) : &conf->channels[i], &ok, err);
        good += ok;
        bad += !ok;
    }
    if (rc == 0)
        rc = out_flush(&cli->out, err);
    if (rc == 0 && bad > 0) {
        cli->exit_code = good > 0 ? CLI_EXIT_PARTLY : CLI_EXIT_FAILED;
        rc = error_set(err, E_IO, "%zu of %zu %s", bad, n, failed);
    }
    conf_free(conf);
    return rc;
}

/* ---- test ------------------------------------------------------------------------------------------------------------- */

static int say(struct cli_context *cli, const struct conf_channel *c, const char *job, int sent,
               const char *why, struct error *err)
{
    static const char *const types[] = { "webhook", "ping", "mail", "command" };
    if (cli->json) {
        struct jsonout *o = jsonout_new("channel");
        jsonout_str(o, "channel", c->name);
        jsonout_str(o, "type", types[c->type]);
        jsonout_str(o, "job", job);
        jsonout_bool(o, "ok", sent == 0);
        jsonout_str(o, "text", sent == 0 ? "" : why);
        return jsonout_emit(o, err);
    }
    const char *of = job != NULL ? " of job " : "";
    if (sent == 0)
        out_line(&cli->out, OUT_GOOD, "%s (%s%s%s): told", c->name, types[c->type], of,
                 job != NULL ? job : "");
    else
        out_line(&cli->out, OUT_BAD, "%s (%s%s%s): failed: %s", c->name, types[c->type], of,
                 job != NULL ? job : "", why);
    return 0;
}

/* job NULL: the daemon's. */
static int test_one(struct cli_context *cli, const struct conf *conf, const struct conf_channel *c,
                    const char *job, bool *ok, struct error *err)
{
    struct notice_words words = NOTICE_WORDS_INIT;
    struct error why = ERROR_INIT;
    char uid[NOTICE_UID_TEXT];
    char host[NOTICE_HOST_MAX];
    char command[HOST_COMMAND_MAX];
    int64_t now = (int64_t)clock_wall();
    const struct notice_facts facts = { .event = "test",
                                        .what = "backupd notify test",
                                        .time = now,
                                        .uid = notice_uid(uid),
                                        .host = notice_host(host),
                                        .zone = conf->daemon.time_zone,
                                        .command = host_command(cli, conf, command) };
    int rc = notice_compose(&facts, &words, err);
    if (rc == 0) {
        const struct notice notice = { .uid = uid,
                                       .channel = c->name,
                                       .event = "test",
                                       .job = job != NULL ? job : "",
                                       .subject = (const char *)words.subject.data,
                                       .text = (const char *)words.text.data,
                                       .body = (const char *)words.body.data,
                                       .created = now };
        int sent = deliver(c, &notice, &why);
        *ok = *ok && sent == 0;
        rc = sent == E_CANCELLED ? error_copy(err, &why) : say(cli, c, job, sent, why.text, err);
    }
    notice_words_free(&words);
    return rc;
}

static int test_channel(struct cli_context *cli, const struct conf *conf, const struct conf_channel *c,
                        bool *ok, struct error *err)
{
    int rc = 0;
    *ok = true;
    if (c->type != CONF_PING)
        return test_one(cli, conf, c, NULL, ok, err);
    for (size_t i = 0; rc == 0 && i < conf->njobs + conf->ntasks; i++)
        if (conf_channel_has_job(c, conf->jobs[i].name))
            rc = test_one(cli, conf, c, conf->jobs[i].name, ok, err);
    return rc;
}

int cmd_notify_test(struct cli_context *cli, struct error *err)
{
    return each(cli, test_channel, "channels did not take the test", err);
}

/* ---- send ------------------------------------------------------------------------------------------------------------- */

static int send_channel(struct cli_context *cli, const struct conf *conf, const struct conf_channel *c,
                        bool *ok, struct error *err)
{
    struct outbox_result r;
    int rc = outbox_send(conf->state, c, true, &r, err);
    if (rc < 0)
        return error_wrap(err, "%s", c->name);
    *ok = r.failed == 0;
    if (cli->json) {
        struct jsonout *o = jsonout_new("channel");
        jsonout_str(o, "channel", c->name);
        jsonout_u64(o, "sent", r.sent);
        jsonout_u64(o, "failed", r.failed);
        jsonout_u64(o, "left", r.left);
        jsonout_str(o, "text", r.why.text);
        return jsonout_emit(o, err);
    }
    out_line(&cli->out, *ok ? OUT_GOOD : OUT_BAD, "%s: %zu told, %zu wait%s%s", c->name, r.sent,
             r.failed + r.left, *ok ? "" : ": ", r.why.text);
    return 0;
}

int cmd_notify_send(struct cli_context *cli, struct error *err)
{
    return each(cli, send_channel, "channels did not take all", err);
}

const struct cli_option notify_deliver_options[] = {
    { .name = "notice-fd",
      .kind = CLI_INTEGER,
      .metavar = "N",
      .min = 3,
      .max = FD_MAX,
      .help = "One notice, instead of what waits in the queue." },
    CLI_OPTIONS_END
};

/* The one that the daemon has in memory: its queue takes nothing. */
static int deliver_given(int fd, const struct conf_channel *c, struct error *err)
{
    struct buf text = BUF_INIT;
    struct notice notice;
    int rc = fd_read_all(fd, NOTICE_WIRE_MAX, &text, "the notice", err);
    if (rc == 0)
        rc = notice_read((const char *)text.data, text.len, &notice, err);
    if (rc == 0)
        rc = deliver(c, &notice, err);
    buf_free(&text);
    return rc;
}

int cmd_notify_deliver(struct cli_context *cli, struct error *err)
{
    uint64_t fd = cli_number(cli, "notice-fd");
    struct buf text = BUF_INIT;
    struct channel_wire wire = { .root = NULL };
    struct outbox_result r = { .why = ERROR_INIT };
    int rc = fd_read_all(STDIN_FILENO, CHANNEL_WIRE_MAX, &text, "stdin", err);
    if (rc == 0)
        rc = channel_read((const char *)text.data, text.len, &wire, err);
    if (rc == 0)
        rc = fd != 0 ? deliver_given((int)fd, &wire.channel, err)
                     : outbox_send(wire.state, &wire.channel, false, &r, err);
    if (rc == 0 && r.failed > 0)
        rc = error_copy(err, &r.why);
    channel_free(&wire);
    buf_free(&text);
    return rc;
}

/* ---- list ------------------------------------------------------------------------------------------------------------- */

struct listing {
    struct cli_context *cli;
    struct table *table;
    struct error *err;
};

static int list_one(const struct notice *n, void *arg)
{
    struct listing *l = arg;
    char created[32];
    char next[32];
    if (l->cli->json) {
        struct jsonout *o = jsonout_new("notice");
        jsonout_str(o, "id", n->uid);
        jsonout_str(o, "channel", n->channel);
        jsonout_str(o, "event", n->event);
        jsonout_str(o, "job", n->job);
        jsonout_str(o, "subject", n->subject);
        jsonout_time(o, "created", (uint64_t)n->created);
        jsonout_time(o, "next", (uint64_t)n->next);
        jsonout_u64(o, "tries", n->tries);
        jsonout_str(o, "error", n->error);
        return jsonout_emit(o, l->err);
    }
    table_cell(l->table, OUT_BOLD, "%s", n->channel);
    table_cell(l->table, OUT_PLAIN, "%s", n->event);
    table_cell(l->table, OUT_PLAIN, "%s", n->job);
    table_cell(l->table, OUT_PLAIN, "%s", zone_format(created, n->created));
    table_cell(l->table, OUT_PLAIN, "%u", n->tries);
    table_cell(l->table, OUT_DIM, "%s", zone_format(next, n->next));
    table_cell(l->table, OUT_PLAIN, "%s", n->error);
    return 0;
}

static struct table *list_table(struct error *err)
{
    static const char *const columns[] = { "channel", "event", "job", "since", "tries", "next", "" };
    struct table *t = table_new(err);
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        table_column(t, columns[i], i == 4);
    return t;
}

int cmd_notify_list(struct cli_context *cli, struct error *err)
{
    struct notices *queue = NULL;
    struct conf *conf = host_configuration(cli, false, err);
    if (conf == NULL)
        return err->code;
    struct listing l = { .cli = cli, .table = cli->json ? NULL : list_table(err), .err = err };
    char *path = path_join(conf->state, OUTBOX_FILE, err);
    struct error why = ERROR_INIT;
    int rc = path != NULL ? zone_set(conf->daemon.time_zone, err) : E_NOMEM;
    if (rc == 0 && (rc = notices_open_read(path, &queue, &why)) < 0 && rc != E_NOT_FOUND)
        rc = error_copy(err, &why);
    else if (rc == E_NOT_FOUND)
        rc = 0;
    else if (rc == 0)
        rc = notices_list(queue, NULL, INT64_MAX, list_one, &l, err);
    if (rc == 0 && !cli->json && table_rows(l.table) > 0)
        rc = table_print(l.table, &cli->out, err);
    else if (rc == 0 && !cli->json)
        out_line(&cli->out, OUT_PLAIN, "nothing waits to be sent");
    if (rc == 0)
        rc = out_flush(&cli->out, err);
    notices_close(queue);
    table_free(l.table);
    free(path);
    conf_free(conf);
    return rc;
}
