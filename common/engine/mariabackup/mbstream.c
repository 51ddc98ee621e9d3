#include "common/engine/mariabackup/mbstream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/buffer.h"
#include "common/base/str.h"
#include "common/base/vec.h"
#include "common/engine/mariabackup/cnf.h"

#include "common/base/banned.h"

enum { MAGIC = 8, HEAD = 14, PAYLOAD_HEAD = 20, SHOWN_MAX = 4 * (MBSTREAM_PATH_MAX + 1) };

static const char magic[MAGIC + 1] = "XBSTCK01";

/* Files of mariabackup itself that are kept. */
static const char *const smalls[] = { "info", "checkpoints", "binlog_info", "my.cnf" };
enum { SMALLS = sizeof smalls / sizeof smalls[0], MY_CNF = SMALLS - 1 };

struct file {
    char *path;
    uint64_t len;
    int small; /* index of smalls, or -1 */
};

struct mbstream {
    uint8_t head[HEAD + MBSTREAM_PATH_MAX + PAYLOAD_HEAD];
    size_t have;       /* bytes of the chunk's head */
    uint64_t payload;  /* bytes of it that are still to come */
    size_t current;    /* the file they belong to */
    uint64_t offset;   /* in the stream, for messages */
    struct vec files;  /* struct file */
    struct vec opened; /* size_t: the files that are not closed yet */
    struct buf small[SMALLS];
};

struct mbstream *mbstream_new(struct error *err)
{
    struct mbstream *m = mem_alloc(1, sizeof *m, err);
    if (m == NULL)
        return NULL;
    m->files = (struct vec)VEC_OF(struct file);
    m->opened = (struct vec)VEC_OF(size_t);
    for (size_t i = 0; i < SMALLS; i++)
        buf_init(&m->small[i]);
    return m;
}

void mbstream_free(struct mbstream *m)
{
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->files.len; i++)
        free(((struct file *)vec_at(&m->files, i))->path);
    for (size_t i = 0; i < SMALLS; i++)
        buf_free(&m->small[i]);
    vec_free(&m->files);
    vec_free(&m->opened);
    free(m);
}

static uint64_t little(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = n; i-- > 0;)
        v = v << 8 | p[i];
    return v;
}

static int broken(const struct mbstream *m, const char *what, struct error *err)
{
    return error_set(err, E_CORRUPT, "the stream is none of mariabackup: %s at byte %llu", what,
                     (unsigned long long)m->offset);
}

/* ---- names ---------------------------------------------------------------------------------------------- */

static bool component_is_good(const char *at, size_t len)
{
    return len != 0 && !(len == 1 && at[0] == '.') && !(len == 2 && at[0] == '.' && at[1] == '.');
}

static bool path_is_good(const char *path)
{
    for (const char *p = path; *p != '\0'; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return false;
    for (const char *at = path;; at++) {
        size_t len = strcspn(at, "/");
        if (!component_is_good(at, len))
            return false;
        at += len;
        if (*at == '\0')
            return true;
    }
}

static int small_of(const char *path)
{
    if (strcmp(path, "backup-my.cnf") == 0)
        return MY_CNF;
    for (int i = 0; i < MY_CNF; i++) {
        char old[64];
        char new[64];
        (void)snprintf(old, sizeof old, "xtrabackup_%s", smalls[i]);
        (void)snprintf(new, sizeof new, "mariadb_backup_%s", smalls[i]);
        if (strcmp(path, old) == 0 || strcmp(path, new) == 0)
            return i;
    }
    return -1;
}

static int check_path(const struct mbstream *m, const char *path, size_t len, struct error *err)
{
    char shown[SHOWN_MAX];
    if (strlen(path) != len || !path_is_good(path))
        return error_set(
            err, E_CORRUPT,
            "the stream has a file named \"%s\", which must not be (at byte %llu): nothing of it is "
            "written",
            str_printable(shown, sizeof shown, path), (unsigned long long)m->offset);
    if (str_ends(path, ".isl"))
        return error_set(
            err, E_UNSUPPORTED,
            "the stream has %s: a table whose data lies outside the server's data directory (DATA "
            "DIRECTORY). Restoring it could write into the live one: move it back with ALTER TABLE",
            str_printable(shown, sizeof shown, path));
    return 0;
}

/* The file of a chunk, opened when it is none of those that are open. */
static int find_file(struct mbstream *m, const char *path, size_t *out, struct error *err)
{
    for (size_t i = 0; i < m->opened.len; i++) {
        *out = *(size_t *)vec_at(&m->opened, i);
        if (strcmp(((struct file *)vec_at(&m->files, *out))->path, path) == 0)
            return 0;
    }
    if (m->files.len >= MBSTREAM_FILES_MAX || m->opened.len >= MBSTREAM_OPEN_MAX)
        return error_set(err, E_CORRUPT, "the stream has more than %d files, or more than %d at once",
                         MBSTREAM_FILES_MAX, MBSTREAM_OPEN_MAX);
    size_t *slot = vec_push(&m->opened, err);
    char *copy = slot != NULL ? str_dup(path, err) : NULL;
    struct file *f = copy != NULL ? vec_push(&m->files, err) : NULL;
    if (f == NULL) {
        free(copy);
        return E_NOMEM;
    }
    *f = (struct file){ .path = copy, .small = small_of(path) };
    *slot = *out = m->files.len - 1;
    return 0;
}

/* ---- chunks --------------------------------------------------------------------------------------------- */

/* How long the head is, as far as what is there tells. */
static size_t head_len(const struct mbstream *m)
{
    if (m->have < HEAD)
        return HEAD;
    return HEAD + (size_t)little(m->head + 10, 4) + (m->head[9] == 'P' ? PAYLOAD_HEAD : 0);
}

static int check_start(const struct mbstream *m, struct error *err)
{
    uint64_t path = little(m->head + 10, 4);
    if (memcmp(m->head, magic, MAGIC) != 0)
        return broken(m, "no chunk begins", err);
    if (m->head[8] != 0 || (m->head[9] != 'P' && m->head[9] != 'E'))
        return broken(m, "a chunk of an unknown kind", err);
    if (path == 0 || path > MBSTREAM_PATH_MAX)
        return broken(m, "a path that is empty or too long", err);
    return 0;
}

static int close_file(struct mbstream *m, struct file *f, struct error *err)
{
    size_t *last = vec_at(&m->opened, m->opened.len - 1);
    for (size_t i = 0; i < m->opened.len; i++) {
        size_t *at = vec_at(&m->opened, i);
        if (*at == m->current)
            *at = *last;
    }
    m->opened.len--;
    m->have = 0;
    if (f->small < 0)
        return 0;
    struct buf *text = &m->small[f->small];
    int rc = buf_append(text, "", 1, err);
    return rc == 0 && f->small == MY_CNF ? cnf_check((const char *)text->data, text->len - 1, err) : rc;
}

static int open_payload(struct mbstream *m, struct file *f, const uint8_t *head, struct error *err)
{
    char shown[SHOWN_MAX];
    uint64_t len = little(head, 8);
    uint64_t at = little(head + 8, 8);
    if (len > INT64_MAX || at != f->len || len > INT64_MAX - at)
        return error_set(err, E_CORRUPT, "the stream has a piece of %s that does not follow the one before",
                         str_printable(shown, sizeof shown, f->path));
    if (f->small >= 0 && at + len > MBSTREAM_SMALL_MAX)
        return error_set(err, E_CORRUPT, "%s in the stream is longer than %d bytes", f->path,
                         MBSTREAM_SMALL_MAX);
    f->len += len;
    m->payload = len;
    m->have = 0;
    return 0;
}

static int head_done(struct mbstream *m, struct error *err)
{
    char path[MBSTREAM_PATH_MAX + 1];
    size_t len = (size_t)little(m->head + 10, 4);
    memcpy(path, m->head + HEAD, len);
    path[len] = '\0';
    int rc = check_path(m, path, len, err);
    rc = rc < 0 ? rc : find_file(m, path, &m->current, err);
    if (rc < 0)
        return rc;
    struct file *f = vec_at(&m->files, m->current);
    return m->head[9] == 'E' ? close_file(m, f, err) : open_payload(m, f, m->head + HEAD + len, err);
}

int mbstream_feed(struct mbstream *m, const void *data, size_t len, struct error *err)
{
    const uint8_t *at = data;
    for (size_t take; len > 0; at += take, len -= take, m->offset += take) {
        int rc = 0;
        if (m->payload > 0) {
            take = len < m->payload ? len : (size_t)m->payload;
            int small = ((struct file *)vec_at(&m->files, m->current))->small;
            m->payload -= take;
            rc = small >= 0 ? buf_append(&m->small[small], at, take, err) : 0;
        } else {
            size_t want = head_len(m) - m->have;
            take = len < want ? len : want;
            memcpy(m->head + m->have, at, take);
            m->have += take;
            if (m->have == HEAD)
                rc = check_start(m, err);
            if (rc == 0 && m->have > HEAD && m->have == head_len(m))
                rc = head_done(m, err);
        }
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct file *)a)->path, ((const struct file *)b)->path);
}

/* After the last byte: the files in the order of their names. */
static int check_twice(struct mbstream *m, struct error *err)
{
    char shown[SHOWN_MAX];
    vec_sort(&m->files, by_path);
    for (size_t i = 1; i < m->files.len; i++) {
        const struct file *f = vec_at(&m->files, i);
        if (strcmp(f->path, ((const struct file *)vec_at(&m->files, i - 1))->path) == 0)
            return error_set(err, E_CORRUPT, "the stream has %s twice",
                             str_printable(shown, sizeof shown, f->path));
    }
    return 0;
}

int mbstream_end(struct mbstream *m, struct error *err)
{
    if (m->have != 0 || m->payload != 0 || m->opened.len != 0)
        return error_set(err, E_CORRUPT, "the stream of mariabackup ends early: %zu %s not whole",
                         m->opened.len, m->opened.len == 1 ? "file is" : "files are");
    if (m->small[MY_CNF].len == 0 || *mbstream_small(m, "checkpoints") == '\0' ||
        *mbstream_small(m, "info") == '\0')
        return error_set(err, E_CORRUPT,
                         "the stream of mariabackup ends early: what it writes last is not there");
    return check_twice(m, err);
}

size_t mbstream_files(const struct mbstream *m)
{
    return m->files.len;
}

struct mbstream_file mbstream_file(const struct mbstream *m, size_t i)
{
    const struct file *f = vec_at(&m->files, i);
    return (struct mbstream_file){ .path = f->path, .len = f->len };
}

const char *mbstream_small(const struct mbstream *m, const char *name)
{
    for (size_t i = 0; i < SMALLS; i++)
        if (strcmp(smalls[i], name) == 0 && m->small[i].len > 0 &&
            m->small[i].data[m->small[i].len - 1] == '\0')
            return (const char *)m->small[i].data;
    return "";
}
