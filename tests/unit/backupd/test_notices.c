/* What is told to whom: runs that fail, recover, are missed, are unusual; and how a channel travels to its sender. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backupd/daemon/alarms.h"
#include "backupd/daemon/notices.h"
#include "backupd/notices/compose.h"
#include "backupd/notices/deliver.h"
#include "backupd/notices/outbox.h"
#include "backupd/notices/wire.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/crypto/secret.h"
#include "common/sys/fdio.h"
#include "common/base/banned.h"

static char dir[64];
static struct error err = ERROR_INIT;
static struct cli_context cli = { .config = "c.yaml", .config_given = true };
static struct supervisor_options options = { .cli = &cli };
static struct supervisor s;
static struct notices *q;
static uint64_t now;

static uint64_t fake_wall(void *arg)
{
    (void)arg;
    return now;
}

static const char config[] =
    "repositories: { main: { storage: { type: local, path: /nonexistent } } }\n"
    "jobs:\n"
    "  shop: { engine: command, schedule: daily }\n"
    "  blog: { engine: command, schedule: daily }\n"
    "notify:\n"
    "  all: { type: webhook, url: 'https://example.net/', on: [failure, warning, recovery, missed, anomaly, alarm, always] }\n"
    "  bad: { type: mail, host: mail.example.net, from: a@example.net, to: b@example.net, on: failure, jobs: shop,"
    " user: me, password: { command: [/bin/cat, 'x y'] } }\n"
    "  odd: { type: command, command: [/bin/cat, '-'], on: [anomaly, alarm], repeat_after: 0s }\n"
    "  ping: { type: ping, url_secret: { file: /etc/url } }\n";

static struct conf *load(const char *text)
{
    char path[128];
    struct conf_problems problems = CONF_PROBLEMS_INIT;
    (void)snprintf(path, sizeof path, "%s/c.yaml", dir);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
    struct conf *conf = conf_load(path, NULL, &problems, &err);
    ck_assert_msg(conf != NULL, "%s", err.text);
    conf_problems_free(&problems);
    return conf;
}

static void setup(void)
{
    char path[128];
    static const struct clock_source clock = { .wall = fake_wall };
    now = 1764383400;
    clock_fake(&clock);
    ck_assert_int_eq(crypto_init(&err), 0);
    (void)snprintf(dir, sizeof dir, "/tmp/tell-test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    s = (struct supervisor){ .options = &options, .conf = load(config) };
    ck_assert_int_eq(crew_make(s.conf, &s.crew, &err), 0);
    ck_assert_int_eq(ledger_open(dir, &s.ledger, &err), 0);
    (void)snprintf(path, sizeof path, "%s/notices.db", dir);
    ck_assert_int_eq(notices_open(path, &q, &err), 0);
}

static void teardown(void)
{
    static const char *const names[] = { "c.yaml",     "history.db",     "history.db-wal", "history.db-shm",
                                         "notices.db", "notices.db-wal", "notices.db-shm", TROUBLE_FILE };
    notices_close(q);
    ledger_close(s.ledger);
    crew_free(&s.crew);
    conf_free(s.conf);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(dir);
    clock_fake(NULL);
}

static char told[1024];
static char body[16384];

static int collect(const struct notice *n, void *arg)
{
    size_t used = strlen(told);
    (void)arg;
    (void)snprintf(told + used, sizeof told - used, "%s%s:%s", used > 0 ? " " : "", n->channel, n->event);
    (void)snprintf(body, sizeof body, "%s", n->body);
    return 0;
}

/* What the queue holds now, which is then sent. */
static const char *taken(void)
{
    told[0] = body[0] = '\0';
    ck_assert_int_eq(notices_list(q, NULL, INT64_MAX, collect, NULL, &err), 0);
    for (size_t i = 0; i < s.conf->nchannels; i++)
        ck_assert_int_ge(notices_expire(q, s.conf->channels[i].name, NULL, INT64_MAX, &err), 0);
    return told;
}

static const char *run(enum daemon_event_kind kind, size_t job, enum history_verdict verdict,
                       const char *text, const char *result)
{
    struct history_run r = { .job = s.conf->jobs[job].name,
                             .reason = "due",
                             .due = (int64_t)now - 10,
                             .started = (int64_t)now - 9,
                             .attempt = 1,
                             .count = 1 };
    if (kind != DAEMON_SKIPPED) {
        ck_assert_int_eq(history_begin(ledger_history(s.ledger), &r, NULL, &r.id, &err), 0);
    }
    r.ended = kind == DAEMON_STARTED ? 0 : (int64_t)now;
    r.verdict = verdict;
    r.exit_code = verdict == HISTORY_OK ? 0 : 1;
    r.text = text;
    r.result = result;
    if (kind == DAEMON_ENDED) {
        ck_assert_int_eq(history_end(ledger_history(s.ledger), r.id, &r, NULL, &err), 0);
    }
    const struct daemon_event e = { .kind = kind, .job = job, .run = &r };
    ck_assert_msg(notices_tell(&s, q, &e, &err) == 0, "%s", err.text);
    return taken();
}

#define ENDED(verdict, text) run(DAEMON_ENDED, 0, verdict, text, "{}")

START_TEST(runs)
{
    ck_assert_str_eq(run(DAEMON_STARTED, 0, HISTORY_RUNNING, NULL, NULL), "ping:start");
    ck_assert_str_eq(ENDED(HISTORY_OK, ""), "all:always ping:success");
    ck_assert_str_eq(ENDED(HISTORY_FAILED, "no connection after 30 s"),
                     "all:failure bad:failure ping:failure");
    ck_assert_ptr_nonnull(strstr(body, "\"last_good\":\"2025-11-29T02:30:00Z\""));
    ck_assert_ptr_nonnull(strstr(body, "\"reason\":\"due\",\"due\":\"2025-11-29T02:29:50Z\""));
    now += 3600;
    ck_assert_str_eq(ENDED(HISTORY_FAILED, "no connection after 31 s"), "all:always ping:failure");
    ck_assert_str_eq(ENDED(HISTORY_STOPPED, "its window is over"), "all:failure bad:failure ping:failure");
    now += 86400;
    ck_assert_str_eq(ENDED(HISTORY_FAILED, "no connection after 5 s"),
                     "all:failure bad:failure ping:failure");
    /* Another job has troubles of its own; `bad` is not for it. */
    ck_assert_str_eq(run(DAEMON_ENDED, 1, HISTORY_FAILED, "no connection after 5 s", "{}"),
                     "all:failure ping:failure");
    ck_assert_str_eq(ENDED(HISTORY_OK, ""), "all:recovery ping:success");
    ck_assert_str_eq(ENDED(HISTORY_OK, ""), "all:always ping:success");
    ck_assert_str_eq(ENDED(HISTORY_FAILED, "no connection after 5 s"),
                     "all:failure bad:failure ping:failure");
}
END_TEST

START_TEST(warnings_and_missed)
{
    ck_assert_str_eq(run(DAEMON_SKIPPED, 0, HISTORY_SKIPPED, NULL, NULL), "all:missed");
    ck_assert_ptr_nonnull(strstr(body, "1 run was skipped: due"));
    ck_assert_str_eq(run(DAEMON_SKIPPED, 0, HISTORY_SKIPPED, NULL, NULL), "");
    ck_assert_str_eq(ENDED(HISTORY_WARNING, "2 files are missing"), "all:recovery all:warning ping:success");
    ck_assert_str_eq(ENDED(HISTORY_WARNING, "3 files are missing"), "all:always ping:success");
    ck_assert_str_eq(ENDED(HISTORY_OK, ""), "all:recovery ping:success");
    ck_assert_str_eq(ENDED(HISTORY_OK, ""), "all:always ping:success");
}
END_TEST

/* No failure, and told to who hears of failures; nothing for a ping to be alarmed by. */
START_TEST(cancelled)
{
    ck_assert_str_eq(ENDED(HISTORY_STOPPED, HISTORY_CANCELLED "alice"),
                     "all:cancelled bad:cancelled ping:cancelled");
    ck_assert_ptr_nonnull(strstr(body, "shop was cancelled\""));
    ck_assert_ptr_nonnull(strstr(body, "\"what\":\"cancelled by alice\""));
    ck_assert_ptr_nonnull(strstr(body, "\"next\":\"2025-11-30T"));
    /* What another run says of itself does not make it one. */
    ck_assert_str_eq(ENDED(HISTORY_FAILED, HISTORY_CANCELLED "itself"),
                     "all:failure bad:failure ping:failure");
    ck_assert_str_eq(ENDED(HISTORY_OK, ""), "all:recovery ping:success");
}
END_TEST

/* A failure that the planner will try again is none yet. */
START_TEST(tried_again)
{
    struct planner_state state = { .last_due = (int64_t)now - 60,
                                   .due = (int64_t)now - 60,
                                   .not_before = (int64_t)now + 300 };
    planner_restore(s.crew.planner, 0, &state, false);
    ck_assert_str_eq(ENDED(HISTORY_FAILED, "lost connection"), "all:always");
    ck_assert_ptr_nonnull(strstr(body, "failed: lost connection (it is tried again)"));
    /* Until it is not, after all. */
    ck_assert_str_eq(run(DAEMON_GIVEN_UP, 0, HISTORY_FAILED, "lost the server", "{}"),
                     "all:failure bad:failure ping:failure");
    state.due = 0;
    planner_restore(s.crew.planner, 0, &state, false);
    ck_assert_str_eq(ENDED(HISTORY_FAILED, "lost connection"), "all:failure bad:failure ping:failure");
}
END_TEST

START_TEST(anomalies)
{
    static const char odd[] =
        "{\"message_type\":\"summary\",\"anomalies\":[{\"kind\":\"rows\",\"what\":\"table shop.orders\",\"seen\":12,"
        "\"usual\":\"48,000 to 52,000\",\"look_at\":\"who deleted rows \\u001b[2J\\nWhat to do: nothing\"},"
        "{\"kind\":\"entropy\",\"what\":\"stream x\",\"seen\":7.99}, 5]}";
    ck_assert_str_eq(run(DAEMON_ENDED, 0, HISTORY_OK, "", odd), "all:anomaly odd:anomaly ping:success");
    told[0] = '\0';
    now += 60;
    ck_assert_str_eq(run(DAEMON_ENDED, 0, HISTORY_OK, "", odd), "all:always odd:anomaly ping:success");
    ck_assert_str_eq(run(DAEMON_ENDED, 0, HISTORY_OK, "", "{\"anomalies\":[]}"), "all:always ping:success");
    ck_assert_str_eq(run(DAEMON_ENDED, 0, HISTORY_OK, "", "{\"anomalies\":7}"), "all:always ping:success");
    ck_assert_str_eq(run(DAEMON_ENDED, 0, HISTORY_OK, "", "{broken"), "all:always ping:success");
}
END_TEST

/* What is unusual about a failure goes with its notice; who hears of anomalies only gets it as one. */
START_TEST(unusual_failures)
{
    static const char refused[] =
        "{\"message_type\":\"unusual\",\"job\":\"shop\",\"anomalies\":[{\"kind\":\"host_key\",\"severity\":\"warning\","
        "\"what\":\"another key\",\"seen\":\"SHA256:b\",\"usual\":\"SHA256:a\",\"look_at\":\"ask\"}]}";
    ck_assert_str_eq(run(DAEMON_ENDED, 0, HISTORY_FAILED, "THE HOST KEY HAS CHANGED", refused),
                     "all:failure bad:failure odd:anomaly ping:failure");
    ck_assert_ptr_nonnull(strstr(body, "\"kind\":\"host_key\",\"severity\":\"warning\""));
    ck_assert_ptr_nonnull(strstr(body, "\"usual\":\"SHA256:a\""));
    ck_assert_str_eq(ENDED(HISTORY_FAILED, "THE HOST KEY HAS CHANGED"), "all:always ping:failure");
    ck_assert_str_eq(ENDED(HISTORY_OK, ""), "all:recovery ping:success");
}
END_TEST

START_TEST(words)
{
    static const char odd[] =
        "{\"list\":[{\"kind\":\"rows\",\"what\":\"table shop.orders\",\"seen\":12,\"usual\":\"48,000 to 52,000\","
        "\"look_at\":\"who deleted rows \\u001b[2J\\nWhat to do: nothing\"}]}";
    struct notice_words w = NOTICE_WORDS_INIT;
    struct jsonin *list = jsonin_parse(odd, strlen(odd), &err);
    const struct notice_facts facts = { .event = "anomaly",
                                        .job = "shop",
                                        .what = "1 thing is not as usual",
                                        .time = (int64_t)now,
                                        .uid = "00",
                                        .host = "web1",
                                        .zone = "UTC",
                                        .command = "backupd",
                                        .anomalies = jsonin_get(jsonin_top(list), "list"),
                                        .repeat_after = 86400 };
    ck_assert_int_eq(notice_compose(&facts, &w, &err), 0);
    ck_assert_str_eq((const char *)w.subject.data, "[backupd] web1: shop saw something unusual");
    const char *text = (const char *)w.text.data;
    ck_assert_ptr_nonnull(strstr(
        text, "\nUnusual:        table shop.orders\n  seen          12\n  usual         48,000 to 52,000\n"
              "  look at       who deleted rows \\x1b[2J\\x0aWhat to do: nothing\n"));
    ck_assert_ptr_nonnull(strstr(text, "\n  backupd history shop\n"));
    ck_assert_ptr_nonnull(strstr((const char *)w.body.data, "\"seen\":\"12\""));
    ck_assert_ptr_nonnull(strstr((const char *)w.body.data, "\"run\":null"));
    jsonin_free(list);
    notice_words_free(&w);
    const struct notice_facts task = { .event = "failure",
                                       .task = CONF_TASK_EXPIRE,
                                       .job = "tidy",
                                       .what = "no storage",
                                       .time = (int64_t)now,
                                       .uid = "00",
                                       .host = "web1",
                                       .command = "backupd" };
    ck_assert_int_eq(notice_compose(&task, &w, &err), 0);
    text = (const char *)w.text.data;
    ck_assert_ptr_nonnull(strstr(text, "Task tidy on web1 failed.\n"));
    ck_assert_ptr_nonnull(strstr(text, "\n  backupd start tidy\n"));
    ck_assert_ptr_null(strstr(text, "snapshot"));
    notice_words_free(&w);
}
END_TEST

/* A drill that found a bad backup, and one that found out nothing, are not the same. */
START_TEST(words_of_a_drill)
{
    struct notice_words w = NOTICE_WORDS_INIT;
    struct history_run r = { .id = 7, .job = "weekly", .verdict = HISTORY_FAILED, .exit_code = 9 };
    const struct notice_facts facts = { .event = "failure",
                                        .task = CONF_TASK_DRILL,
                                        .job = "weekly",
                                        .run = &r,
                                        .what = "table orders: 12 rows are missing",
                                        .time = (int64_t)now,
                                        .uid = "00",
                                        .host = "web1",
                                        .command = "backupd --config /etc/b.yaml" };
    ck_assert_int_eq(notice_compose(&facts, &w, &err), 0);
    const char *text = (const char *)w.text.data;
    ck_assert_str_eq((const char *)w.subject.data, "[backupd] web1: restore drill weekly failed");
    ck_assert_ptr_nonnull(strstr(text, "What was restored is not what was backed up"));
    ck_assert_ptr_nonnull(strstr(text, "\n  restore --config /etc/b.yaml drill show latest\n"));
    notice_words_free(&w);
    r.exit_code = 4;
    ck_assert_int_eq(notice_compose(&facts, &w, &err), 0);
    ck_assert_ptr_nonnull(strstr((const char *)w.text.data, "does not say that a backup is bad"));
    notice_words_free(&w);
}
END_TEST

/* Nothing is broken: to look at the database helps nobody. */
START_TEST(words_of_a_run_without_time)
{
    static const char *const texts[] = { HISTORY_WINDOW_OVER, HISTORY_TOO_LONG ": said something",
                                         "nothing has moved for 5 min" };
    for (size_t i = 0; i < 3; i++) {
        struct notice_words w = NOTICE_WORDS_INIT;
        struct history_run r = {
            .id = 7, .job = "shop", .verdict = HISTORY_STOPPED, .exit_code = 130, .text = texts[i]
        };
        const struct notice_facts facts = { .event = "failure",
                                            .job = "shop",
                                            .run = &r,
                                            .what = texts[i],
                                            .time = (int64_t)now,
                                            .uid = "00",
                                            .host = "web1",
                                            .command = "backupd" };
        ck_assert_int_eq(notice_compose(&facts, &w, &err), 0);
        const char *text = (const char *)w.text.data;
        ck_assert_str_eq((const char *)w.subject.data, "[backupd] web1: shop was stopped");
        ck_assert_int_eq(strstr(text, "backupd check ") != NULL, i == 2);
        ck_assert_int_eq(strstr(text, "\n  backupd history shop\n") != NULL, i != 2);
        ck_assert_int_eq(strstr(text, "`window`") != NULL, i == 0);
        ck_assert_int_eq(strstr(text, "`max_duration`") != NULL, i == 1);
        notice_words_free(&w);
    }
}
END_TEST

/* It takes nothing: said as an alarm, and again when it was not for a while; over: a recovery, once. */
START_TEST(history_that_takes_nothing)
{
    struct trouble t = {
        .since = (int64_t)now, .ends = 1, .why = "disk is full", .newest = "shop: failed: no space"
    };
    const struct trouble none = { .since = 0 };
    ck_assert_int_eq(notices_tell_history(&s, q, &none, &err), 0);
    ck_assert_str_eq(taken(), "");
    ck_assert_int_eq(notices_tell_history(&s, q, &t, &err), 0);
    ck_assert_str_eq(taken(), "all:alarm odd:alarm");
    ck_assert_ptr_nonnull(strstr(body, "the newest: shop: failed: no space"));
    t.ends = 2;
    ck_assert_int_eq(notices_tell_history(&s, q, &t, &err), 0);
    ck_assert_str_eq(taken(), "odd:alarm");
    ck_assert_int_eq(notices_tell_history(&s, q, &none, &err), 0);
    ck_assert_str_eq(taken(), "all:recovery");
    ck_assert_ptr_nonnull(strstr(body, "is well again"));
    ck_assert_int_eq(notices_tell_history(&s, q, &none, &err), 0);
    ck_assert_str_eq(taken(), "");
}
END_TEST

/* What is told while the queue takes nothing: nothing twice that was told before, one by one, and then back. */
START_TEST(in_memory)
{
    struct notices *spare = NULL;
    struct notice n;
    struct buf text = BUF_INIT;
    uint64_t dropped = 0;
    int64_t id = 0;
    ck_assert_str_eq(ENDED(HISTORY_FAILED, "no connection after 5 s"),
                     "all:failure bad:failure ping:failure");
    ck_assert_int_eq(notices_open_memory(q, &spare, &err), 0);
    const struct history_run r = {
        .id = 9, .job = "shop", .verdict = HISTORY_FAILED, .exit_code = 1, .text = "no connection after 7 s"
    };
    struct daemon_event e = { .kind = DAEMON_ENDED, .job = 0, .run = &r };
    struct history_run other = r;
    ck_assert_int_eq(notices_tell(&s, spare, &e, &err), 0);
    other.text = "no space";
    e.run = &other;
    ck_assert_int_eq(notices_tell(&s, spare, &e, &err), 0);
    /* `bad` has heard of the one before. */
    int fd = notices_spare_take(spare, "bad", (int64_t)now, &id, &err);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fd_read_all(fd, NOTICE_WIRE_MAX, &text, "notice", &err), 0);
    fd_drop(&fd);
    ck_assert_int_eq(notice_read((const char *)text.data, text.len, &n, &err), 0);
    ck_assert_str_eq(n.channel, "bad");
    ck_assert_str_eq(n.event, "failure");
    ck_assert_ptr_nonnull(strstr(n.body, "no space"));
    ck_assert_int_eq(notice_read((const char *)text.data, text.len - 1, &n, &err), E_CORRUPT);
    notices_spare_done(spare, id, "no connection");
    ck_assert_int_eq(notices_spare_take(spare, "bad", (int64_t)now, &id, &err), E_NOT_FOUND);
    fd = notices_spare_take(spare, "bad", (int64_t)now + OUTBOX_PAUSE, &id, &err);
    ck_assert_int_ge(fd, 0);
    fd_drop(&fd);
    notices_spare_done(spare, id, NULL);
    ck_assert_int_eq(notices_spare_take(spare, "bad", INT64_MAX, &id, &err), E_NOT_FOUND);
    ck_assert_int_eq(notices_move(spare, q, &dropped, &err), 0);
    notices_close(spare);
    ck_assert_str_eq(taken(), "all:always all:failure ping:failure");
    ck_assert_str_eq(ENDED(HISTORY_FAILED, "no space"), "all:always ping:failure");
    ck_assert_str_eq(ENDED(HISTORY_OK, ""), "all:recovery ping:success");
    buf_free(&text);
}
END_TEST

/* What is to be typed is done by the daemon: it knows then that the job is well again. */
START_TEST(commands_of_a_night_that_is_lost)
{
    struct notice_words w = NOTICE_WORDS_INIT;
    const struct history_run run = { .job = "shop",
                                     .reason = "the job is paused",
                                     .verdict = HISTORY_SKIPPED };
    struct notice_facts facts = { .event = "missed",
                                  .job = "shop",
                                  .what = "",
                                  .run = &run,
                                  .time = (int64_t)now,
                                  .uid = "00",
                                  .host = "web1",
                                  .command = "backupd" };
    ck_assert_int_eq(notice_compose(&facts, &w, &err), 0);
    ck_assert_ptr_nonnull(strstr((const char *)w.text.data, "\n  backupd start shop\n"));
    ck_assert_ptr_null(strstr((const char *)w.text.data, "resume"));
    notice_words_free(&w);
    facts.paused = true;
    ck_assert_int_eq(notice_compose(&facts, &w, &err), 0);
    ck_assert_ptr_nonnull(strstr((const char *)w.text.data, "\n  backupd resume shop\n"));
    notice_words_free(&w);
    facts.event = "anomaly";
    ck_assert_int_eq(notice_compose(&facts, &w, &err), 0);
    ck_assert_ptr_nonnull(strstr((const char *)w.text.data, "\n  backupd anomaly accept shop\n"));
    notice_words_free(&w);
}
END_TEST

/* The subject alone says what it is about, and is no longer than a line. */
START_TEST(words_of_an_alarm)
{
    struct notice_words w = NOTICE_WORDS_INIT;
    struct notice_facts facts = { .event = "alarm",
                                  .what =
                                      "control socket: uid 1001 was refused: it is in no group that may ask "
                                      "(daemon.read_group)",
                                  .time = (int64_t)now,
                                  .uid = "00",
                                  .host = "web1",
                                  .command = "backupd" };
    ck_assert_int_eq(notice_compose(&facts, &w, &err), 0);
    ck_assert_str_eq(
        (const char *)w.subject.data,
        "[backupd] web1: alarm: control socket: uid 1001 was refused: it is in no group that may ask...");
    ck_assert_ptr_null(strstr((const char *)w.text.data, "check config"));
    notice_words_free(&w);
    facts.old_configuration = true; /* what works then comes first */
    ck_assert_int_eq(notice_compose(&facts, &w, &err), 0);
    const char *check = strstr((const char *)w.text.data, "\n  backupd check config\n");
    const char *status = strstr((const char *)w.text.data, "\n  backupd status\n");
    ck_assert(check != NULL && status != NULL && check < status);
    notice_words_free(&w);
    facts.old_configuration = false;
    facts.what = "\xc3\xa9\xc3\xa9\nBcc: x@example.net";
    ck_assert_int_eq(notice_compose(&facts, &w, &err), 0);
    ck_assert_str_eq((const char *)w.subject.data,
                     "[backupd] web1: alarm: \xc3\xa9\xc3\xa9\\x0aBcc: x@example.net");
    notice_words_free(&w);
}
END_TEST

START_TEST(alarms)
{
    char text[ALARMS_TEXT_MAX];
    alarms_listen();
    log_event(LOG_WARN, "only a warning");
    ck_assert(!alarms_wait());
    alarms_quiet(true);
    log_event(LOG_ALARM, "told by somebody else");
    alarms_quiet(false);
    for (int i = 0; i < ALARMS_MAX + 2; i++)
        log_event(LOG_ALARM, "number %d", i);
    ck_assert(alarms_take(text));
    ck_assert_str_eq(text, "2 alarms before this one were too many to keep: number 2");
    for (int i = 1; i < ALARMS_MAX; i++)
        ck_assert(alarms_take(text));
    ck_assert_str_eq(text, "number 17");
    ck_assert(!alarms_take(text));
    log_tap(NULL, NULL);
    ck_assert_int_eq(notices_tell_alarm(&s, q, "the disk is full", NULL, &err), 0);
    ck_assert_str_eq(taken(), "all:alarm odd:alarm");
    ck_assert_int_eq(notices_tell_alarm(&s, q, "channel all: given up", "all", &err), 0);
    ck_assert_str_eq(taken(), "odd:alarm");
}
END_TEST

START_TEST(wires)
{
    for (size_t i = 0; i < s.conf->nchannels; i++) {
        struct buf out = BUF_INIT;
        struct buf again = BUF_INIT;
        struct channel_wire w;
        ck_assert_int_eq(channel_write(&s.conf->channels[i], "/var/lib/x", &out, &err), 0);
        ck_assert_msg(channel_read((const char *)out.data, out.len, &w, &err) == 0, "%s", err.text);
        ck_assert_str_eq(w.channel.name, s.conf->channels[i].name);
        ck_assert_int_eq(channel_write(&w.channel, w.state, &again, &err), 0);
        ck_assert_uint_eq(out.len, again.len);
        ck_assert_mem_eq(out.data, again.data, out.len);
        /* Cut anywhere it is refused. */
        for (size_t n = 0; n < out.len; n += 7) {
            struct channel_wire part;
            ck_assert_int_lt(channel_read((const char *)out.data, n, &part, &err), 0);
        }
        channel_free(&w);
        buf_free(&out);
        buf_free(&again);
    }
    static const char *const bad[] = {
        "{}", "[]", "{\"state\":\"/x\",\"name\":\"../x\",\"type\":0,\"url\":\"x\",\"timeout_ms\":1}",
        "{\"state\":\"/x\",\"name\":\"x\",\"type\":3,\"timeout_ms\":1,\"command\":[1]}"
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct channel_wire w;
        ck_assert_int_lt(channel_read(bad[i], strlen(bad[i]), &w, &err), 0);
    }
}
END_TEST

START_TEST(pings)
{
    char url[64];
    static const char *const cases[][3] = {
        { "https://hc/{job}", "start", "https://hc/shop/start" },
        { "https://hc/{job}/", "failure", "https://hc/shop/fail" },
        { "https://hc/{job}/", "success", "https://hc/shop/" },
        { "https://hc/k/{job}?create=1&x={job}", "failure", "https://hc/k/shop/fail?create=1&x=shop" },
        { "https://hc#x", "test", "https://hc/log#x" },
        { "https://hc/{job}", "cancelled", "https://hc/shop/log" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(deliver_ping_url(cases[i][0], "shop", cases[i][1], url, sizeof url, &err), 0);
        ck_assert_str_eq(url, cases[i][2]);
    }
    ck_assert_int_eq(deliver_ping_url("https://hc/{job}{job}", "a-name-of-some-length-and-more", "start", url,
                                      sizeof url, &err),
                     E_USAGE);
    ck_assert_int_eq(outbox_pause(0), 30);
    ck_assert_int_eq(outbox_pause(3), 240);
    ck_assert_int_eq(outbox_pause(1000), OUTBOX_PAUSE_MAX);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("backupd/notices");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_set_timeout(all, 60);
    tcase_add_test(all, runs);
    tcase_add_test(all, warnings_and_missed);
    tcase_add_test(all, cancelled);
    tcase_add_test(all, tried_again);
    tcase_add_test(all, anomalies);
    tcase_add_test(all, unusual_failures);
    tcase_add_test(all, words);
    tcase_add_test(all, words_of_a_drill);
    tcase_add_test(all, commands_of_a_night_that_is_lost);
    tcase_add_test(all, words_of_an_alarm);
    tcase_add_test(all, words_of_a_run_without_time);
    tcase_add_test(all, history_that_takes_nothing);
    tcase_add_test(all, in_memory);
    tcase_add_test(all, alarms);
    tcase_add_test(all, wires);
    tcase_add_test(all, pings);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
