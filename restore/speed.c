#include "restore/speed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/sys/atomic_file.h"
#include "common/sys/dirs.h"
#include "restore/drill/evidence.h"

#include "common/base/banned.h"

enum { FILE_MAX = 64 * 1024, WORD_MAX = 64, SMALLEST = 1 << 20 /* less says nothing */ };

static char *speed_path(const struct station *st)
{
    char *dir = st->marks_path != NULL ? path_dir(st->marks_path, NULL) : NULL;
    char *path = dir != NULL ? path_join(dir, "speed", NULL) : NULL;
    free(dir);
    return path;
}

/* NUL-terminated; empty when there is none. */
static int read_file(const char *path, struct buf *out)
{
    if (file_read_small(path, FILE_MAX, out, NULL) < 0)
        buf_clear(out);
    return buf_append(out, "", 1, NULL);
}

/* The next word of a line; NULL at its end. */
static const char *next_word(const char **at, char out[WORD_MAX])
{
    size_t n = strcspn(*at, " \n");
    (void)snprintf(out, WORD_MAX, "%.*s", (int)(n < WORD_MAX ? n : WORD_MAX - 1), *at);
    *at += n + ((*at)[n] == ' ');
    return n != 0 ? out : NULL;
}

struct speed_line {
    char engine[WORD_MAX];
    uint64_t bytes, ms, time;
};

static bool read_line(const char *at, struct speed_line *out)
{
    char word[WORD_MAX];
    uint64_t *const numbers[] = { &out->bytes, &out->ms, &out->time };
    if (next_word(&at, out->engine) == NULL)
        return false;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (next_word(&at, word) == NULL || number_parse(word, 0, INT64_MAX / 1000000, numbers[i], NULL) < 0)
            return false;
    return out->ms != 0;
}

static const char *line_end(const char *at)
{
    const char *end = strchr(at, '\n');
    return end != NULL ? end + 1 : at + strlen(at);
}

void speed_note(const struct station *st, const char *engine, uint64_t bytes, uint64_t ms)
{
    struct buf text = BUF_INIT;
    struct error why = ERROR_INIT;
    char *path = bytes >= SMALLEST && ms != 0 ? speed_path(st) : NULL;
    char *dir = path != NULL ? path_dir(path, NULL) : NULL;
    size_t lines = 0;
    if (dir == NULL || dir_make_private(dir, &why) < 0 || read_file(path, &text) < 0)
        goto out;
    const char *from = (const char *)text.data;
    for (const char *at = from; *at != '\0'; at = line_end(at))
        lines++;
    for (; lines >= SPEED_LINES; lines--)
        from = line_end(from);
    struct buf now = BUF_INIT;
    int rc = buf_printf(&now, &why, "%s%s %llu %llu %llu\n", from, engine, (unsigned long long)bytes,
                        (unsigned long long)ms, (unsigned long long)clock_wall());
    if (rc == 0)
        rc = file_write_atomic(path, now.data, now.len, 0600, FILE_REPLACE, &why);
    if (rc < 0)
        log_event(LOG_INFO, "how fast this went is not kept: %s", why.text);
    buf_free(&now);
out:
    buf_free(&text);
    free(dir);
    free(path);
}

static void count(struct speed *out, uint64_t bytes, uint64_t ms, uint64_t time)
{
    uint64_t rate = bytes * 1000 / ms;
    out->slowest = out->restores == 0 || rate < out->slowest ? rate : out->slowest;
    out->fastest = rate > out->fastest ? rate : out->fastest;
    out->bytes += bytes;
    out->ms += ms;
    out->newest = time > out->newest ? time : out->newest;
    out->restores++;
}

static int add_drill(const struct drills_row *r, void *arg)
{
    struct speed *out = arg;
    int64_t ms = r->fetch_ms + r->decrypt_ms + r->load_ms + r->index_ms;
    if (r->verdict == DRILLS_COULD_NOT_RUN || r->bytes < SMALLEST || r->bytes > INT64_MAX / 1000 || ms <= 0)
        return 0;
    count(out, (uint64_t)r->bytes, (uint64_t)ms, (uint64_t)r->finished);
    out->drills++;
    return 0;
}

static void ask_drills(const struct station *st, const char *engine, struct speed *out)
{
    struct drills *d = NULL;
    struct drills_filter f = { .engine = engine, .limit = SPEED_LINES };
    if (evidence_history(st->cli, st->conf, &d, NULL) == 0)
        (void)drills_each(d, &f, add_drill, out, NULL);
    drills_close(d);
}

void speed_ask(const struct station *st, const char *engine, struct speed *out)
{
    struct buf text = BUF_INIT;
    char *path = speed_path(st);
    *out = (struct speed){ .restores = 0 };
    if (path != NULL && read_file(path, &text) == 0)
        for (const char *at = (const char *)text.data; *at != '\0'; at = line_end(at)) {
            struct speed_line l;
            if (!read_line(at, &l) || strcmp(l.engine, engine) != 0)
                continue;
            count(out, l.bytes, l.ms, l.time);
        }
    ask_drills(st, engine, out);
    buf_free(&text);
    free(path);
}
