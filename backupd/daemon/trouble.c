#include "backupd/daemon/trouble.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/number.h"
#include "common/base/str.h"
#include "common/base/zone.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

/* The first line is for who looks with `cat`; numbers, then two texts of one line each; a number and a text that older daemons did
 * not write; zeros; the sum. */
#define HEAD "backupd: what the history does not take, 1\n"

enum { TRIES = 5, SUM_LEN = 16, LINE_WHY = 5, LINE_NEWEST = 6, LINES = 7 };

/* FNV-1a: nobody forges it, it tells a half from a whole. */
static uint64_t sum_of(const char *text, size_t len)
{
    uint64_t h = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)text[i]) * UINT64_C(1099511628211);
    return h;
}

static void put_sum(char page[TROUBLE_SIZE])
{
    char sum[SUM_LEN + 1];
    (void)snprintf(sum, sizeof sum, "%016" PRIx64, sum_of(page, TROUBLE_SIZE - SUM_LEN));
    memcpy(page + TROUBLE_SIZE - SUM_LEN, sum, SUM_LEN);
}

int trouble_write(int fd, const struct trouble *t, struct error *err)
{
    char page[TROUBLE_SIZE] = { 0 };
    char why[TROUBLE_TEXT_MAX];
    char newest[TROUBLE_TEXT_MAX];
    char stands[TROUBLE_TEXT_MAX];
    (void)snprintf(page, sizeof page - SUM_LEN,
                   HEAD "%" PRId64 "\n%" PRIu64 "\n%" PRIu64 "\n%" PRIu64 "\n%s\n%s\n%" PRIu64 "\n%s\n",
                   t->since, t->ends, t->more, t->lost, str_printable(why, sizeof why, t->why),
                   str_printable(newest, sizeof newest, t->newest), t->states,
                   str_printable(stands, sizeof stands, t->stands));
    put_sum(page);
    return fd_pwrite_full(fd, page, sizeof page, 0, TROUBLE_FILE, err);
}

/* A file that is there keeps what it says: the blocks are taken either way. */
int trouble_make(const char *path, int *fd, struct error *err)
{
    struct trouble t = { .since = 0 };
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*fd < 0)
        return error_sys(err, "%s", path);
    int rc = trouble_read(*fd, &t, NULL) < 0 ? trouble_write(*fd, &(struct trouble){ .since = 0 }, err)
                                             : trouble_write(*fd, &t, err);
    if (rc == 0)
        rc = fd_sync(*fd, path, err);
    if (rc < 0)
        fd_drop(fd);
    return rc;
}

int trouble_open(const char *path, int *fd, struct error *err)
{
    *fd = fd_open_read(path, err);
    return *fd < 0 ? *fd : 0;
}

/* Of an older daemon there is nothing. */
static int take_stands(char *rest, struct trouble *out)
{
    const char *line = strsep(&rest, "\n");
    const char *text = rest != NULL ? strsep(&rest, "\n") : NULL;
    if (text == NULL)
        return line == NULL || line[0] == '\0' ? 0 : E_CORRUPT;
    if (rest == NULL || number_parse(line, 0, INT64_MAX, &out->states, NULL) < 0)
        return E_CORRUPT;
    (void)snprintf(out->stands, sizeof out->stands, "%s", text);
    return 0;
}

static int take(char *page, struct trouble *out)
{
    uint64_t numbers[LINE_WHY] = { 0 };
    char *rest = page;
    char *line = NULL;
    for (int i = 0; i < LINES; i++) {
        line = strsep(&rest, "\n");
        if (line == NULL || rest == NULL)
            return E_CORRUPT;
        if (i > 0 && i < LINE_WHY && number_parse(line, 0, INT64_MAX, &numbers[i], NULL) < 0)
            return E_CORRUPT;
        if (i == LINE_WHY)
            (void)snprintf(out->why, sizeof out->why, "%s", line);
        if (i == LINE_NEWEST)
            (void)snprintf(out->newest, sizeof out->newest, "%s", line);
    }
    out->since = (int64_t)numbers[1];
    out->ends = numbers[2];
    out->more = numbers[3];
    out->lost = numbers[4];
    int rc = take_stands(rest, out);
    return rc < 0 ? rc : out->since != 0;
}

static int read_once(int fd, struct trouble *out, struct error *err)
{
    char page[TROUBLE_SIZE + 1] = { 0 };
    char sum[SUM_LEN + 1];
    int rc = fd_pread_full(fd, page, TROUBLE_SIZE, 0, TROUBLE_FILE, err);
    if (rc < 0)
        return rc;
    memcpy(sum, page + TROUBLE_SIZE - SUM_LEN, SUM_LEN);
    sum[SUM_LEN] = '\0';
    put_sum(page);
    if (memcmp(sum, page + TROUBLE_SIZE - SUM_LEN, SUM_LEN) != 0 || !str_starts(page, HEAD) ||
        (rc = take(page, out)) < 0)
        return error_set(err, E_CORRUPT, TROUBLE_FILE " is not whole");
    return rc;
}

int trouble_read(int fd, struct trouble *out, struct error *err)
{
    int rc = E_CORRUPT;
    for (int i = 0; rc == E_CORRUPT && i < TRIES; i++) {
        *out = (struct trouble){ .since = 0 };
        rc = read_once(fd, out, err);
    }
    return rc;
}

const char *trouble_says(const struct trouble *t, char out[TROUBLE_SAYS_MAX])
{
    char wall[32];
    int n = snprintf(out, TROUBLE_SAYS_MAX, "The history takes nothing since %s: %s.",
                     zone_format(wall, t->since), t->why);
    size_t used = n > 0 ? (size_t)n : 0;
    if (t->ends > 0 && used < TROUBLE_SAYS_MAX)
        n = snprintf(out + used, TROUBLE_SAYS_MAX - used,
                     " %" PRIu64 " %s of runs %s not in it; the newest: %s.", t->ends,
                     plural(t->ends, "end", "ends"), plural(t->ends, "is", "are"), t->newest);
    used += t->ends > 0 && n > 0 ? (size_t)n : 0;
    if (t->lost > 0 && used < TROUBLE_SAYS_MAX)
        n = snprintf(out + used, TROUBLE_SAYS_MAX - used,
                     " %" PRIu64 " more were too many to be kept, the daemon's log has them.", t->lost);
    used += t->lost > 0 && n > 0 ? (size_t)n : 0;
    if (t->stands[0] != '\0' && used < TROUBLE_SAYS_MAX)
        (void)snprintf(out + used, TROUBLE_SAYS_MAX - used, " Not stored: %s.", t->stands);
    return out;
}
