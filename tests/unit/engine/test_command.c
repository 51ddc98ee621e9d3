/* The engine command: the stream, the verdict in every way a program can go wrong, arguments, environment. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/base/buffer.h"
#include "common/base/clock.h"
#include "common/base/str.h"
#include "common/engine/command/internal.h"
#include "common/engine/redact.h"
#include "common/sys/interrupt.h"

#include "common/base/banned.h"

enum { OPTIONS_MAX = 16 };

static const struct engine *command_engine(void)
{
    const struct engine *e = engine_find("command", NULL);
    ck_assert_ptr_nonnull(e);
    return e;
}

/* A whole run; `out` and `facts` may be NULL. */
static int backup(const struct engine_option *options, size_t n, size_t cap, struct buf *out,
                  struct buf *facts, struct error *err)
{
    const struct engine *e = command_engine();
    struct engine_job job = { .name = "night", .options = options, .noptions = n };
    struct engine_stream s;
    uint8_t *block = malloc(cap);
    int64_t got = 0;
    struct engine_run *run = e->open(&job, err);
    int rc = run != NULL ? e->next(run, &s, err) : err->code;
    while (rc > 0 && (got = e->read(run, block, cap, err)) > 0)
        if (out != NULL)
            ck_assert_int_eq(buf_append(out, block, (size_t)got, NULL), 0);
    free(block);
    rc = rc > 0 ? (int)got : rc;
    if (rc == 0 && facts != NULL)
        rc = e->stream_facts(run, facts, err);
    rc = rc < 0 ? rc : e->next(run, &s, err);
    rc = rc < 0 ? rc : e->finish(run, err);
    if (rc == 0 && facts != NULL)
        rc = e->run_facts(run, facts, err);
    if (facts != NULL)
        ck_assert_int_eq(buf_append(facts, "", 1, NULL), 0);
    e->close(run);
    return rc;
}

static int shell_with(const char *script, const char *key, const char *value, struct buf *out,
                      struct error *err)
{
    struct engine_option o[] = { { "command", "sh" },
                                 { "command", "-c" },
                                 { "command", script },
                                 { "stall_timeout", "30s" },
                                 { key, value } };
    if (key != NULL && strcmp(key, "stall_timeout") == 0)
        o[3].value = value;
    return backup(o, key != NULL ? 5 : 4, 65536, out, NULL, err);
}

static void assert_output(const struct buf *out, const char *want, size_t len)
{
    ck_assert_uint_eq(out->len, len);
    ck_assert(len == 0 || memcmp(out->data, want, len) == 0);
}

START_TEST(the_output_is_the_stream)
{
    static const size_t caps[] = { 1, 7, 1 << 20 };
    struct engine_option o[] = { { "command", "sh" },
                                 { "command", "-c" },
                                 { "command",
                                   "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done" },
                                 { "name", "dump.sql" } };
    struct buf out = BUF_INIT;
    struct buf facts = BUF_INIT;
    struct buf want = BUF_INIT;
    struct error err = ERROR_INIT;
    for (int i = 0; i < 2000; i++)
        ck_assert_int_eq(buf_printf(&want, NULL, "line %d\n", i), 0);
    int rc = backup(o, 4, caps[_i], &out, &facts, &err);
    ck_assert_msg(rc == 0, "%s", err.text);
    assert_output(&out, (const char *)want.data, want.len);
    char text[128];
    (void)snprintf(text, sizeof text,
                   "bytes=%zu\nsource=command\nstream=dump.sql\nexit_status=0\ncommand=[\"sh\"", want.len);
    ck_assert_msg(str_starts((const char *)facts.data, text), "%s", (const char *)facts.data);
    buf_free(&out);
    buf_free(&facts);
    buf_free(&want);
}
END_TEST

START_TEST(the_stream_has_a_name_and_content_chunks)
{
    struct engine_option o[] = { { "command", "/bin/true" } };
    struct engine_job job = { .name = "night", .options = o, .noptions = 1 };
    struct engine_stream s;
    struct engine_run *run = command_engine()->open(&job, NULL);
    ck_assert_ptr_nonnull(run);
    ck_assert_int_eq(command_engine()->next(run, &s, NULL), 1);
    ck_assert_str_eq(s.name, "true");
    ck_assert_int_eq(s.mode, CHUNK_CONTENT);
    ck_assert_uint_eq(s.chunk_avg, ENGINE_ROWS_CHUNK);
    ck_assert_uint_eq(s.mode_bits, 0600);
    ck_assert_int_eq(command_engine()->next(run, &s, NULL), E_INTERNAL);
    ck_assert_int_eq(command_engine()->finish(run, NULL), E_INTERNAL);
    command_engine()->close(run);
    command_engine()->close(NULL);
    ck_assert_ptr_null(command_engine()->restore);
}
END_TEST

/* ---- the verdict --------------------------------------------------------------------------------------- */

static const struct {
    const char *script;
    const char *stall; /* or NULL */
    const char *timeout;
    const char *says;
} bad[] = {
    { "echo all of it; exit 1", NULL, NULL, "sh failed with status 1" },
    { "echo data; echo first >&2; echo what broke >&2; exit 3", NULL, NULL, "status 3: what broke" },
    { "echo data; kill -KILL $$", NULL, NULL, "signal 9 (SIGKILL)" },
    { "echo data; kill -TERM $$", NULL, NULL, "signal 15 (SIGTERM)" },
    { "echo data; exec >&-; exit 1", NULL, NULL, "failed with status 1" },
    { "echo data; exec >&-; sleep 1; kill -KILL $$", NULL, NULL, "SIGKILL" },
    { "echo data; echo last words >&2; exec >&-; sleep 1000", "1s", NULL,
      "closed its output, but did not end for 1.0 s and was stopped (`stall_timeout`): last words" },
    { "echo data; echo hm >&2; sleep 1000", "1s", NULL, "wrote nothing for 1.0 s and was stopped" },
    { "sleep 1000 & echo data", NULL, NULL, "a process that it started still holds its output" },
    { "(sleep 1; echo late) & exit 0", NULL, NULL, "still holds its output" },
    { "sleep 1000 & echo data; exit 4", NULL, NULL, "failed with status 4" },
    { "setsid sleep 3 & echo data", NULL, NULL, "still holds its output" },
    { "while :; do echo data; sleep 0.05; done", NULL, "1s", "did not end within 1.0 s" },
    { "exec >&-; sleep 1000", NULL, "1s", "did not end within 1.0 s" },
    { "exit 0", NULL, NULL, "wrote nothing: an empty output is no backup (`min_size: 0` accepts it)" },
    { "echo data; echo password=geheim in here >&2; exit 1", NULL, NULL, ": password=*** in here" },
    { "printf 'bad\\033[2J\\377' >&2; exit 1", NULL, NULL, "status 1: bad\\x1b[2J\\xff" },
};

START_TEST(every_failure_is_one)
{
    struct error err = ERROR_INIT;
    const char *key = bad[_i].stall != NULL ? "stall_timeout" : bad[_i].timeout != NULL ? "timeout" : NULL;
    int rc =
        shell_with(bad[_i].script, key, bad[_i].stall != NULL ? bad[_i].stall : bad[_i].timeout, NULL, &err);
    ck_assert_msg(rc == E_IO, "%d: %s", rc, err.text);
    ck_assert_msg(strstr(err.text, bad[_i].says) != NULL, "%s", err.text);
    ck_assert_ptr_null(strstr(err.text, "geheim"));
    ck_assert_ptr_null(strchr(err.text, '\033'));
    /* and the next one is not impressed */
    struct buf out = BUF_INIT;
    ck_assert_int_eq(shell_with("echo fine", NULL, NULL, &out, &err), 0);
    assert_output(&out, "fine\n", 5);
    buf_free(&out);
}
END_TEST

START_TEST(the_floor)
{
    struct buf out = BUF_INIT;
    struct error err = ERROR_INIT;
    ck_assert_int_eq(shell_with("exit 0", "min_size", "0", &out, &err), 0);
    assert_output(&out, "", 0);
    ck_assert_int_eq(shell_with("printf 12345", "min_size", "5", &out, &err), 0);
    ck_assert_int_eq(shell_with("printf 12345", "min_size", "6", NULL, &err), E_IO);
    ck_assert_msg(strstr(err.text, "wrote only 5 B; `min_size` is 6 B") != NULL, "%s", err.text);
    buf_free(&out);
}
END_TEST

/* Output that comes slowly, and an end that comes late, are no failures. */
START_TEST(patience)
{
    struct buf out = BUF_INIT;
    struct error err = ERROR_INIT;
    int rc = shell_with("for i in 1 2 3 4; do echo $i; sleep 0.5; done; exec >&-; sleep 0.5", "stall_timeout",
                        "20s", &out, &err);
    ck_assert_msg(rc == 0, "%s", err.text);
    assert_output(&out, "1\n2\n3\n4\n", 8);
    buf_free(&out);
}
END_TEST

START_TEST(a_pipeline_inside_may_end_in_any_order)
{
    struct buf out = BUF_INIT;
    struct error err = ERROR_INIT;
    int rc = shell_with("(echo a; sleep 0.3) | cat; (sleep 0.2; echo b) & wait", NULL, NULL, &out, &err);
    ck_assert_msg(rc == 0, "%s", err.text);
    assert_output(&out, "a\nb\n", 4);
    buf_free(&out);
}
END_TEST

/* ---- pipelines ------------------------------------------------------------------------------------------ */

/* Each script in a shell of its own, one reading the other; "" ends them. */
static int pipeline(const char *const scripts[4], const char *key, const char *value, struct buf *out,
                    struct buf *facts, struct error *err)
{
    struct engine_option o[OPTIONS_MAX + 4];
    size_t n = 0;
    for (size_t i = 0; i < 4 && scripts[i] != NULL; i++) {
        if (i > 0)
            o[n++] = (struct engine_option){ "command", NULL };
        o[n++] = (struct engine_option){ "command", "sh" };
        o[n++] = (struct engine_option){ "command", "-c" };
        o[n++] = (struct engine_option){ "command", scripts[i] };
    }
    o[n++] = (struct engine_option){ "stall_timeout", "20s" };
    if (key != NULL && strcmp(key, "stall_timeout") == 0)
        o[n - 1].value = value;
    else if (key != NULL)
        o[n++] = (struct engine_option){ key, value };
    return backup(o, n, 65536, out, facts, err);
}

START_TEST(a_pipeline_is_one_stream)
{
    static const char *const scripts[4] = { "seq 1 200000", "tr 0-8 1-9", "cat" };
    struct buf out = BUF_INIT;
    struct buf facts = BUF_INIT;
    struct error err = ERROR_INIT;
    int rc = pipeline(scripts, NULL, NULL, &out, &facts, &err);
    ck_assert_msg(rc == 0, "%s", err.text);
    ck_assert_uint_eq(out.len, 1288895);
    ck_assert_int_eq(memcmp(out.data, "2\n3\n4\n", 6), 0);
    ck_assert_ptr_nonnull(strstr((const char *)facts.data,
                                 "command=[\"sh\", \"-c\", \"seq 1 200000\"] | [\"sh\", \"-c\", "
                                 "\"tr 0-8 1-9\"] | [\"sh\", \"-c\", \"cat\"]\n"));
    buf_free(&out);
    buf_free(&facts);
}
END_TEST

static const struct {
    const char *scripts[4];
    const char *key;
    const char *value;
    const char *says;
} bad_pipelines[] = {
    { { "echo a; echo why >&2; exit 3", "cat" }, NULL, NULL, "stage 1 of 2: sh failed with status 3: why" },
    { { "echo a", "cat; exit 4", "cat" }, NULL, NULL, "stage 2 of 3: sh failed with status 4" },
    { { "echo a", "cat", "cat; exit 5" }, NULL, NULL, "stage 3 of 3: sh failed with status 5" },
    { { "echo a; exit 1", "cat; exit 2", "cat" },
      NULL,
      NULL,
      "stage 1 of 3: sh failed with status 1 (1 more stage failed with it)" },
    /* the later one is the reason, the earlier one only lost its reader */
    { { "exec yes", "head -n 1; exit 6" }, NULL, NULL, "stage 2 of 2: sh failed with status 6" },
    /* and where the later one is content, the whole is still not */
    { { "exec yes", "exec head -n 1" },
      NULL,
      NULL,
      "stage 1 of 2: sh was ended by signal 13 (SIGPIPE). What comes after it did not read to its end" },
    { { "exec yes", "cat", "exec head -n 1" }, NULL, NULL, "What comes after it did not read to its end" },
    { { "echo a; kill -KILL $$", "cat" }, NULL, NULL, "stage 1 of 2: sh was ended by signal 9 (SIGKILL)" },
    { { "setsid sleep 5 & echo a", "cat" },
      NULL,
      NULL,
      "stage 1 of 2 (sh) ended, but a process that it started" },
    { { "exec >&-; exec sleep 1000", "cat" },
      "stall_timeout",
      "1s",
      "stage 1 of 2 (sh) did not end after the output was complete for 1.0 s" },
    { { "sleep 1000", "cat; echo silent >&2" },
      "stall_timeout",
      "1s",
      "stage 2 of 2 (sh) wrote nothing for 1.0 s" },
    { { "while :; do echo a; sleep 0.05; done", "cat" }, "timeout", "1s", "did not end within 1.0 s" },
};

START_TEST(a_failure_of_any_stage_is_one)
{
    struct error err = ERROR_INIT;
    int rc =
        pipeline(bad_pipelines[_i].scripts, bad_pipelines[_i].key, bad_pipelines[_i].value, NULL, NULL, &err);
    ck_assert_msg(rc == E_IO && strstr(err.text, bad_pipelines[_i].says) != NULL, "%d: %s", rc, err.text);
}
END_TEST

START_TEST(a_missing_stage_is_named)
{
    struct engine_option o[] = { { "command", "true" },
                                 { "command", NULL },
                                 { "command", "no-such-program" } };
    struct engine_option empty[] = { { "command", "true" }, { "command", NULL } };
    struct error err = ERROR_INIT;
    ck_assert_int_eq(backup(o, 3, 4096, NULL, NULL, &err), E_NOT_FOUND);
    ck_assert_msg(strstr(err.text, "stage 2 of 2 (no-such-program): ") != NULL, "%s", err.text);
    ck_assert_int_eq(backup(empty, 2, 4096, NULL, NULL, &err), E_USAGE);
    struct engine_option many[64];
    for (size_t i = 0; i < 64; i++)
        many[i] = (struct engine_option){ "command", i % 2 == 0 ? "cat" : NULL };
    ck_assert_int_eq(backup(many, 63, 4096, NULL, NULL, &err), E_USAGE);
    ck_assert_msg(strstr(err.text, "more than 16 programs") != NULL, "%s", err.text);
}
END_TEST

/* ---- marks and sizes ------------------------------------------------------------------------------------ */

static const struct {
    const char *script;
    const char *key;
    const char *value;
    const char *says; /* NULL: good */
} marked[] = {
    { "echo BEGIN; echo END", "begin_mark", "BEGIN", NULL },
    { "echo BEGIN; echo END", "end_mark", "END", NULL },
    { "printf 'a\r\nEND\r\n'", "end_mark", "END", NULL },
    { "printf END", "end_mark", "END", NULL },
    { "echo END; echo", "end_mark", "END", "ends with \"ND\\x0a\"" },
    { "echo a; echo EN", "end_mark", "END", "ends with \"\\x0aEN\" and not with \"END\" (`end_mark`)" },
    { "echo EN", "end_mark", "END", "ends with \"EN\"" },
    { "echo END", "end_mark", "END\n", NULL },
    { "printf END", "end_mark", "END\n", "and not with \"END\\x0a\"" },
    { "printf '\\037\\213x'", "begin_mark", "hex:1f8b", NULL },
    { "printf '\\037\\214x'", "begin_mark", "hex:1f8b",
      "begins with \"\\x1f\\x8c\" and not with \"\\x1f\\x8b\"" },
    { "printf x", "begin_mark", "hex:1f8b", "begins with \"x\"" },
    { "head -c 300000 /dev/zero; echo END", "end_mark", "END", NULL },
    { "printf 'x\\377'", "end_mark", "hex:ff", NULL },
    { "printf 'x\\377\\n'", "end_mark", "hex:ff", "ends with" },
};

START_TEST(marks_are_compared)
{
    struct error err = ERROR_INIT;
    int rc = shell_with(marked[_i].script, marked[_i].key, marked[_i].value, NULL, &err);
    if (marked[_i].says == NULL)
        ck_assert_msg(rc == 0, "%s", err.text);
    else
        ck_assert_msg(rc == E_IO && strstr(err.text, marked[_i].says) != NULL, "%d: %s", rc, err.text);
}
END_TEST

/* Fed in pieces of any size, the ends are the same. */
START_TEST(the_ends_of_an_output)
{
    char text[2000];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i % 26);
    for (size_t len = 0; len < sizeof text; len += 61) {
        for (size_t step = 1; step < 700; step += 97) {
            struct command_ends e = { .head_len = 0 };
            for (size_t at = 0; at < len; at += step)
                command_ends_add(&e, text + at, len - at < step ? len - at : step);
            ck_assert_uint_eq(e.head_len, len < sizeof e.head ? len : sizeof e.head);
            ck_assert_uint_eq(e.tail_len, len < sizeof e.tail ? len : sizeof e.tail);
            ck_assert(len == 0 || memcmp(e.head, text, e.head_len) == 0);
            ck_assert(len == 0 || memcmp(e.tail, text + len - e.tail_len, e.tail_len) == 0);
        }
    }
}
END_TEST

static int shrink(const char *percent, bool known, uint64_t last, struct error *err)
{
    struct engine_option o[] = {
        { "command", "printf" }, { "command", "%080d" }, { "command", "1" }, { "max_shrink", percent }
    };
    const struct engine *e = command_engine();
    struct engine_job job = {
        .name = "night", .options = o, .noptions = 4, .last_known = known, .last_bytes = last
    };
    struct engine_stream s;
    char block[200];
    struct engine_run *run = e->open(&job, err);
    if (run == NULL)
        return err->code;
    ck_assert_int_eq(e->next(run, &s, err), 1);
    while (e->read(run, block, sizeof block, err) > 0)
        ;
    int rc = e->finish(run, err);
    e->close(run);
    return rc;
}

START_TEST(an_output_that_shrank)
{
    struct error err = ERROR_INIT;
    ck_assert_int_eq(shrink("20%", true, 100, &err), 0);
    ck_assert_int_eq(shrink("19%", true, 100, &err), E_IO);
    ck_assert_msg(
        strstr(err.text, "wrote 80 B, 20% less than the 100 B of the last snapshot; `max_shrink` is 19%") !=
            NULL,
        "%s", err.text);
    ck_assert_int_eq(shrink("19", false, 0, &err), 0);
    ck_assert_int_eq(shrink("100%", true, UINT64_MAX, &err), 0);
    ck_assert_int_eq(shrink("0%", true, 80, &err), 0);
    ck_assert_int_eq(shrink("0%", true, 81, &err), E_IO);
    ck_assert_int_eq(shrink("0%", true, 0, &err), 0);
    ck_assert_int_eq(shrink("101%", true, 1, &err), E_USAGE);
    ck_assert_int_eq(shrink("5%%", true, 1, &err), E_USAGE);
    ck_assert_int_eq(shrink("", true, 1, &err), E_USAGE);
    ck_assert_int_eq(shrink("half", true, 1, &err), E_USAGE);
}
END_TEST

START_TEST(a_requested_stop_is_told_as_that)
{
    static const char *const scripts[] = { "sleep 1000", "echo data; setsid sleep 3 & sleep 1000" };
    struct error err = ERROR_INIT;
    interrupt_request();
    int rc = shell_with(scripts[_i], NULL, NULL, NULL, &err);
    interrupt_forget();
    ck_assert_msg(rc == E_CANCELLED, "%d: %s", rc, err.text);
}
END_TEST

START_TEST(close_ends_all_it_has_started)
{
    /* The second one has left the group by the time it says so. */
    static const char *const scripts[] = {
        "sleep 1000 & echo $!; echo $$; sleep 1000",
        "setsid sh -c 'echo $$; echo $0; exec sleep 1000' $$ & sleep 1000",
    };
    struct engine_option o[] = { { "command", "sh" }, { "command", "-c" }, { "command", scripts[_i] } };
    struct engine_job job = { .name = "night", .options = o, .noptions = 3 };
    struct engine_stream s;
    char text[64] = "";
    size_t len = 0;
    struct engine_run *run = command_engine()->open(&job, NULL);
    ck_assert_int_eq(command_engine()->next(run, &s, NULL), 1);
    while (len < sizeof text - 1 && (len < 2 || strchr(strchr(text, '\n') + 1, '\n') == NULL)) {
        int64_t n = command_engine()->read(run, text + len, sizeof text - 1 - len, NULL);
        ck_assert_int_gt(n, 0);
        len += (size_t)n;
    }
    command_engine()->close(run);
    char *end = NULL;
    long background = strtol(text, &end, 10);
    long leader = strtol(end, NULL, 10);
    ck_assert_int_gt(background, 1);
    ck_assert_int_eq(kill((pid_t)leader, 0), -1);
    /* a killed orphan is init's to reap: gone, or a zombie for a moment */
    for (int i = 0; i < 1000 && kill((pid_t)background, 0) == 0; i++) {
        char path[64];
        char state[256] = "";
        (void)snprintf(path, sizeof path, "/proc/%ld/stat", background);
        FILE *f = fopen(path, "r");
        if (f == NULL)
            break;
        ck_assert_ptr_nonnull(fgets(state, sizeof state, f));
        (void)fclose(f);
        if (strstr(state, ") Z ") != NULL)
            break;
        ck_assert_int_lt(i, 999);
        (void)usleep(5000);
    }
}
END_TEST

/* ---- arguments and environment ------------------------------------------------------------------------- */

START_TEST(arguments_arrive_as_they_are)
{
    static const char *const hostile[] = { "$(touch x)", "`id`", "a\nb", "",      "it's \"quoted\"",
                                           "\xff\xfe",   "-n",   "; rm", "*",     "\\",
                                           "\033[31m",   "a\tb", "||",   "$HOME", "\xc3\xa9\xc2\x9b" };
    enum { N = sizeof hostile / sizeof hostile[0] };
    struct engine_option o[N + 2] = { { "command", "/usr/bin/printf" }, { "command", "%s|" } };
    struct buf out = BUF_INIT;
    struct buf want = BUF_INIT;
    struct buf facts = BUF_INIT;
    struct error err = ERROR_INIT;
    for (size_t i = 0; i < N; i++) {
        o[i + 2] = (struct engine_option){ "command", hostile[i] };
        ck_assert_int_eq(buf_printf(&want, NULL, "%s|", hostile[i]), 0);
    }
    int rc = backup(o, N + 2, 4096, &out, &facts, &err);
    ck_assert_msg(rc == 0, "%s", err.text);
    assert_output(&out, (const char *)want.data, want.len);
    const char *shown = strstr((const char *)facts.data, "command=[");
    ck_assert_ptr_nonnull(shown);
    ck_assert_str_eq(
        shown, "command=[\"/usr/bin/printf\", \"%s|\", \"$(touch x)\", \"`id`\", \"a\\x0ab\", \"\", "
               "\"it's \\\"quoted\\\"\", \"\\xff\\xfe\", \"-n\", \"; rm\", \"*\", \"\\\\\", \"\\x1b[31m\", "
               "\"a\\x09b\", \"||\", \"$HOME\", \"\xc3\xa9\\xc2\\x9b\"]\n");
    ck_assert(utf8_valid((const char *)facts.data, facts.len - 1));
    buf_free(&out);
    buf_free(&want);
    buf_free(&facts);
}
END_TEST

START_TEST(the_environment_is_clean)
{
    struct engine_option o[] = { { "command", "env" }, { "env", "MARK=a b" }, { "env", "TZ=Mars" } };
    struct buf out = BUF_INIT;
    struct error err = ERROR_INIT;
    ck_assert_int_eq(setenv("PGPASSWORD", "geheim", 1), 0);
    ck_assert_int_eq(setenv("CREDENTIALS_DIRECTORY", "/run/x", 1), 0);
    ck_assert_int_eq(setenv("SSH_AUTH_SOCK", "/run/y", 1), 0);
    ck_assert_int_eq(setenv("USER", "somebody", 1), 0);
    ck_assert_int_eq(setenv("HOME", "/srv/somebody", 1), 0);
    ck_assert_int_eq(setenv("TZ", "UTC", 1), 0);
    ck_assert_int_eq(setenv("PATH", "/usr/bin:/bin", 1), 0);
    ck_assert_int_eq(setenv("LANG", "C", 1), 0);
    ck_assert_int_eq(unsetenv("TMPDIR"), 0);
    ck_assert_int_eq(backup(o, 3, 4096, &out, NULL, &err), 0);
    /* And the mark by which all that it starts is found. */
    const char *mark = out.len > 0 ? memmem(out.data, out.len, "BACKUPD_CHILD=", 14) : NULL;
    ck_assert_ptr_nonnull(mark);
    out.len = (size_t)(mark - (const char *)out.data);
    assert_output(
        &out, "PATH=/usr/bin:/bin\nHOME=/srv/somebody\nLANG=C\nMARK=a b\nTZ=Mars\nUSER=somebody\n",
        strlen("PATH=/usr/bin:/bin\nHOME=/srv/somebody\nLANG=C\nMARK=a b\nTZ=Mars\nUSER=somebody\n"));
    buf_free(&out);
}
END_TEST

START_TEST(the_working_directory)
{
    struct engine_option o[] = { { "command", "pwd" }, { "dir", "/usr" } };
    struct buf out = BUF_INIT;
    struct error err = ERROR_INIT;
    ck_assert_int_eq(backup(o, 2, 4096, &out, NULL, &err), 0);
    assert_output(&out, "/usr\n", 5);
    o[1].value = "/usr/none";
    ck_assert_int_eq(backup(o, 2, 4096, NULL, NULL, &err), E_NOT_FOUND);
    buf_free(&out);
}
END_TEST

START_TEST(a_long_command_is_cut_in_the_facts)
{
    struct engine_option o[3002] = { { "command", "true" }, { "min_size", "0" } };
    char *argument = malloc(101);
    struct buf facts = BUF_INIT;
    struct error err = ERROR_INIT;
    memset(argument, 'x', 100);
    argument[100] = '\0';
    for (size_t i = 2; i < 3002; i++)
        o[i] = (struct engine_option){ "command", argument };
    ck_assert_int_eq(backup(o, 500, 4096, NULL, &facts, &err), 0);
    ck_assert_uint_lt(facts.len, REDACT_SHOWN_MAX + 500);
    ck_assert_ptr_nonnull(strstr((const char *)facts.data, ", ...]\n"));
    ck_assert_int_eq(backup(o, 700, 4096, NULL, NULL, &err), E_USAGE); /* 64 KiB */
    ck_assert_int_eq(backup(o, 3000, 4096, NULL, NULL, &err), E_USAGE);
    buf_free(&facts);
    free(argument);
}
END_TEST

/* ---- options ------------------------------------------------------------------------------------------- */

static const struct {
    struct engine_option options[3];
    const char *says;
} wrong[] = {
    { { { "command", "pg_dump -Fc shop" } }, "as a list: command: [pg_dump, -Fc, shop]" },
    { { { "command", "" } }, "must name a program" },
    { { { "name", "x" } }, "must name a program" },
    { { { "command", "./dump.sh" } }, "needs its whole path" },
    { { { "command", "bin/dump" } }, "needs its whole path" },
    { { { "command", "true" }, { "name", "a/b" } }, "cannot be the name" },
    { { { "command", "true" }, { "name", ".." } }, "cannot be the name" },
    { { { "command", "true" }, { "min_size", "much" } }, "is not a size" },
    { { { "command", "true" }, { "min_size", "2000000 G" } }, "more than the limit" },
    { { { "command", "true" }, { "timeout", "soon" } }, "is not a duration" },
    { { { "command", "true" }, { "timeout", "5w" } }, "more than the limit" },
    { { { "command", "true" }, { "stall_timeout", "0s" } }, "less than the limit" },
    { { { "command", "true" }, { "env", "NAME" } }, "item 1 of `env` is no NAME=value" },
    { { { "command", "true" }, { "env", "1A=x" } }, "is no NAME=value" },
    { { { "command", "true" }, { "env", "A B=x" } }, "is no NAME=value" },
    { { { "env", "=x" }, { "command", "true" } }, "is no NAME=value" },
    { { { "command", "true" }, { "env", "A=1" }, { "env", "A=2" } }, "`env` has A twice" },
    { { { "command", "true" }, { "end_mark", "hex:f" } }, "end_mark has 0 bytes" },
    { { { "command", "true" }, { "end_mark", "hex:0g" } }, "is no hex: with two digits" },
    { { { "command", "true" }, { "begin_mark", "" } }, "begin_mark has 0 bytes" },
    { { { "command", "true" }, { "command", NULL }, { "command", "./x" } }, "needs its whole path" },
};

START_TEST(options_that_make_no_sense)
{
    struct error err = ERROR_INIT;
    size_t n = 0;
    while (n < 3 && wrong[_i].options[n].key != NULL)
        n++;
    struct engine_job job = { .name = "night", .options = wrong[_i].options, .noptions = n };
    ck_assert_ptr_null(command_engine()->open(&job, &err));
    ck_assert_int_eq(err.code, E_USAGE);
    ck_assert_msg(strstr(err.text, wrong[_i].says) != NULL, "%s", err.text);
    ck_assert_msg(str_starts(err.text, "job night: "), "%s", err.text);
    ck_assert_int_eq(command_engine()->probe(&job, NULL, NULL, NULL), E_USAGE);
}
END_TEST

/* ---- probe --------------------------------------------------------------------------------------------- */

struct findings {
    char text[4096];
    int fatal;
    int other;
};

static void note(bool fatal, const char *what, const char *cure, void *arg)
{
    struct findings *f = arg;
    size_t used = strlen(f->text);
    f->fatal += fatal;
    f->other += !fatal;
    (void)snprintf(f->text + used, sizeof f->text - used, "%s (%s)\n", what, cure);
}

static void expect_probe(const struct engine_option *o, size_t n, bool preflight, int fatal, int other,
                         const char *says)
{
    struct findings f = { .text = "" };
    struct error err = ERROR_INIT;
    struct engine_job job = { .name = "night", .options = o, .noptions = n, .preflight = preflight };
    ck_assert_int_eq(command_engine()->probe(&job, note, &f, &err), 0);
    ck_assert_msg(f.fatal == fatal && f.other == other && strstr(f.text, says) != NULL, "%d, %d: %s", f.fatal,
                  f.other, f.text);
}

START_TEST(probe_finds_what_would_fail)
{
    char dir[] = "/tmp/command-test-XXXXXX";
    char file[64];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(file, sizeof file, "%s/tool", dir);
    FILE *f = fopen(file, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fclose(f), 0);
    struct engine_option missing[] = { { "command", "no-such-program" }, { "min_size", "1K" } };
    struct engine_option no_file[] = { { "command", "/usr/bin/no-such-program" }, { "min_size", "1K" } };
    struct engine_option plain[] = { { "command", file }, { "min_size", "1K" } };
    struct engine_option no_dir[] = { { "command", "true" }, { "dir", "/none" }, { "min_size", "1K" } };
    struct engine_option bad_dir[] = { { "command", "true" }, { "dir", file }, { "min_size", "1K" } };
    struct engine_option good[] = { { "command", "true" }, { "dir", dir }, { "min_size", "1K" } };
    ck_assert_int_eq(setenv("PATH", "/usr/bin:/bin", 1), 0);
    expect_probe(missing, 2, true, 1, 0, "not found in PATH) (install it");
    expect_probe(no_file, 2, true, 1, 0, "No such file or directory (install it");
    expect_probe(plain, 2, true, 1, 0, "this user cannot execute it");
    expect_probe(no_dir, 3, true, 1, 0, "the directory /none: No such file or directory (correct");
    expect_probe(bad_dir, 3, true, 1, 0, "is no directory");
    expect_probe(good, 3, true, 0, 0, "");
    /* found, but not where cron looks */
    char path[128];
    ck_assert_int_eq(chmod(file, 0755), 0);
    (void)snprintf(path, sizeof path, "/usr/bin:%s", dir);
    ck_assert_int_eq(setenv("PATH", path, 1), 0);
    plain[0].value = "tool";
    expect_probe(plain, 2, true, 0, 1, "cron and systemd have another PATH");
    expect_probe(plain, 2, false, 0, 0, "");
    ck_assert_int_eq(unlink(file), 0);
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

START_TEST(probe_finds_what_is_better_changed)
{
    struct engine_option floor[] = { { "command", "true" } };
    struct engine_option none[] = { { "command", "true" }, { "min_size", "0" } };
    struct engine_option argument[] = { { "command", "true" },
                                        { "command", "--password=x" },
                                        { "min_size", "1K" } };
    struct engine_option env[] = { { "command", "true" },
                                   { "env", "PGPASSWORD=geheim" },
                                   { "min_size", "1K" } };
    expect_probe(floor, 1, true, 0, 1, "any output of a byte or more");
    expect_probe(floor, 1, false, 0, 0, "");
    expect_probe(none, 2, true, 0, 1, "`min_size` is 0");
    expect_probe(argument, 3, false, 1, 0,
                 "argument 1 of true in `command` seems to hold a password: everybody");
    expect_probe(env, 3, false, 1, 0, "item 1 of `env` seems to hold a password");
    env[2] = argument[2] = (struct engine_option){ "allow_visible_secrets", "yes" };
    expect_probe(argument, 3, false, 0, 1, "argument 1 of true");
    expect_probe(env, 3, false, 0, 1, "item 1 of `env`");
}
END_TEST

static const struct {
    const char *text;
    const char *want;
} redactions[] = {
    { "nothing here", "nothing here" },
    { "--password=geheim", "--password=***" },
    { "--password-file=/x --no-password", "--password-file=/x --no-password" },
    { "host=a password=b dbname=c", "host=a password=*** dbname=c" },
    { "password='a b' c", "password=*** c" },
    { "PGPASSWORD=x", "PGPASSWORD=***" },
    { "?user=a&token=b&c=d", "?user=a&token=***&c=d" },
    { "password=", "password=" },
    { "mongodb://me:ge=he:im@host:27017/db", "mongodb://me:***@host:27017/db" },
    { "http://host:80/a@b", "http://host:80/a@b" },
    { "postgres://me@host:5432/x", "postgres://me@host:5432/x" },
    { "see https://a:b@c and https://d:e@f", "see https://a:***@c and https://d:***@f" },
    { "a:b@c", "a:b@c" },
    { "secret=secret=token=x", "secret=***" },
};

START_TEST(passwords_are_struck_out)
{
    char out[256];
    ck_assert_str_eq(redact_text(out, sizeof out, redactions[_i].text), redactions[_i].want);
    ck_assert_int_eq(redact_finds(redactions[_i].text), strstr(redactions[_i].want, "***") != NULL);
    (void)redact_text(out, 8, redactions[_i].text);
    ck_assert_uint_lt(strlen(out), 8);
}
END_TEST

static const struct {
    const char *argv[5];
    const char *want; /* what redact_argv makes of it */
} arguments[] = {
    { { "x", "--password", "geheim" }, "[\"x\", \"--password\", \"***\"]" },
    { { "x", "--password=geheim" }, "[\"x\", \"--password=***\"]" },
    { { "x", "--password", "-v" }, "[\"x\", \"--password\", \"-v\"]" },
    { { "x", "--password" }, "[\"x\", \"--password\"]" },
    { { "x", "--api-key", "abc" }, "[\"x\", \"--api-key\", \"***\"]" },
    { { "pg_dump", "--no-password", "shop" }, "[\"pg_dump\", \"--no-password\", \"shop\"]" },
    { { "x", "--password-file", "/f" }, "[\"x\", \"--password-file\", \"/f\"]" },
    { { "/usr/bin/mysqldump", "-pgeheim", "shop" }, "[\"/usr/bin/mysqldump\", \"-p***\", \"shop\"]" },
    { { "mariadb-dump", "-p", "shop" }, "[\"mariadb-dump\", \"-p\", \"shop\"]" },
    { { "sudo", "mariadb-dump", "-pgeheim" }, "[\"sudo\", \"mariadb-dump\", \"-p***\"]" },
    { { "psql", "-p5432" }, "[\"psql\", \"-p5432\"]" },
    { { "tar", "-pcf", "-" }, "[\"tar\", \"-pcf\", \"-\"]" },
    { { "mongodump", "-p", "geheim" }, "[\"mongodump\", \"-p\", \"***\"]" },
    { { "redis-cli", "-a", "geheim", "--rdb", "-" }, "[\"redis-cli\", \"-a\", \"***\", \"--rdb\", \"-\"]" },
    { { "redis-cli", "-p", "6379" }, "[\"redis-cli\", \"-p\", \"6379\"]" },
    { { "redis-cli", "--askpass", "--rdb", "-" }, "[\"redis-cli\", \"--askpass\", \"--rdb\", \"-\"]" },
};

START_TEST(passwords_by_their_place)
{
    const char *argv[6] = { NULL };
    struct buf out = BUF_INIT;
    bool found = false;
    for (size_t i = 0; i < 5; i++)
        argv[i] = arguments[_i].argv[i];
    for (size_t i = 0; argv[i] != NULL; i++)
        found = found || redact_finds_at(argv, i);
    ck_assert_int_eq(redact_argv(argv, &out, NULL), 0);
    ck_assert_int_eq(buf_append(&out, "", 1, NULL), 0);
    ck_assert_str_eq((const char *)out.data, arguments[_i].want);
    ck_assert_int_eq(found, strstr(arguments[_i].want, "***") != NULL);
    buf_free(&out);
}
END_TEST

#define COUNT(a) (int)(sizeof(a) / sizeof(a)[0])

int main(void)
{
    Suite *suite = suite_create("engine/command");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, the_output_is_the_stream, 0, 3);
    tcase_add_test(t, the_stream_has_a_name_and_content_chunks);
    tcase_add_loop_test(t, every_failure_is_one, 0, COUNT(bad));
    tcase_add_test(t, the_floor);
    tcase_add_test(t, patience);
    tcase_add_test(t, a_pipeline_inside_may_end_in_any_order);
    tcase_add_loop_test(t, a_requested_stop_is_told_as_that, 0, 2);
    /* The second needs what valgrind has not (sweep.h). */
    bool sweeps = syscall(SYS_pidfd_open, getpid(), 0U) >= 0 || errno != ENOSYS;
    tcase_add_loop_test(t, close_ends_all_it_has_started, 0, sweeps ? 2 : 1);
    tcase_add_test(t, arguments_arrive_as_they_are);
    tcase_add_test(t, the_environment_is_clean);
    tcase_add_test(t, the_working_directory);
    tcase_add_test(t, a_long_command_is_cut_in_the_facts);
    tcase_add_loop_test(t, options_that_make_no_sense, 0, COUNT(wrong));
    tcase_add_test(t, probe_finds_what_would_fail);
    tcase_add_test(t, probe_finds_what_is_better_changed);
    tcase_add_loop_test(t, passwords_are_struck_out, 0, COUNT(redactions));
    tcase_add_loop_test(t, passwords_by_their_place, 0, COUNT(arguments));
    tcase_add_test(t, a_pipeline_is_one_stream);
    tcase_add_loop_test(t, a_failure_of_any_stage_is_one, 0, COUNT(bad_pipelines));
    tcase_add_test(t, a_missing_stage_is_named);
    tcase_add_loop_test(t, marks_are_compared, 0, COUNT(marked));
    tcase_add_test(t, the_ends_of_an_output);
    tcase_add_test(t, an_output_that_shrank);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
