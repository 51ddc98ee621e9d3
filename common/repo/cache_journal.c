#include "common/repo/cache_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/reader.h"
#include "common/base/str.h"
#include "common/base/writer.h"
#include "common/crypto/hash.h"
#include "common/sys/dirs.h"
#include "common/sys/fdio.h"
#include "common/base/banned.h"

#define JOURNAL_MAGIC "BK1CACH\n"
#define BAD_JOURNAL "cache-journal"
enum { ENTRY_HEAD = 8, CHECK_SIZE = 8, SCAN_STEP = 1024 * 1024 };

static int build_header(const uint8_t *repo_id, const uint8_t *writer_id, struct buf *out, struct error *err)
{
    struct writer w = writer_of(out);
    writer_bytes(&w, JOURNAL_MAGIC, MAGIC_LEN);
    writer_u32(&w, JOURNAL_VERSION);
    writer_zeros(&w, 4);
    writer_bytes(&w, repo_id, REPO_ID_LEN);
    writer_bytes(&w, writer_id, WRITER_ID_LEN);
    int rc = writer_end(&w, err);
    if (rc < 0)
        return rc;
    writer_u64(&w, check64(out->data, out->len));
    return writer_end(&w, err);
}

static int write_header(struct journal *j, const char *dir, const struct buf *header, struct error *err)
{
    int rc = fd_pwrite_full(j->fd, header->data, header->len, 0, j->path, err);
    if (rc == 0)
        rc = fd_sync(j->fd, j->path, err);
    if (rc == 0)
        rc = dir_sync(dir, err);
    j->end = JOURNAL_HEADER_LEN;
    return rc;
}

static int check_header(const struct journal *j, const struct buf *want, struct error *err)
{
    uint8_t have[JOURNAL_HEADER_LEN];
    int rc = fd_pread_full(j->fd, have, sizeof have, 0, j->path, err);
    if (rc < 0)
        return rc;
    if (memcmp(have, JOURNAL_MAGIC, MAGIC_LEN) != 0 ||
        load_u64(have + JOURNAL_HEADER_LEN - CHECK_SIZE) != check64(have, JOURNAL_HEADER_LEN - CHECK_SIZE))
        return error_corrupt(err, BAD_JOURNAL, "%s is no cache journal, or is damaged", j->path);
    if (load_u32(have + MAGIC_LEN) != JOURNAL_VERSION)
        return error_set(err, E_UNSUPPORTED, "%s has version %u", j->path, load_u32(have + MAGIC_LEN));
    if (memcmp(have, want->data, sizeof have) != 0)
        return error_set(err, E_CONFLICT, "%s belongs to another repository or writer", j->path);
    return 0;
}

int journal_open(const char *dir, const char *name, const uint8_t repo_id[REPO_ID_LEN],
                 const uint8_t writer_id[WRITER_ID_LEN], struct journal *j, struct error *err)
{
    struct buf header = BUF_INIT;
    struct stat st;
    *j = (struct journal){ .fd = -1 };
    int rc = build_header(repo_id, writer_id, &header, err);
    if (rc < 0)
        goto out;
    j->path = path_join(dir, name, err);
    if (j->path == NULL) {
        rc = E_NOMEM;
        goto out;
    }
    j->fd = open(j->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (j->fd < 0 || fstat(j->fd, &st) < 0) {
        rc = error_sys(err, "open %s", j->path);
        goto out;
    }
    if (!S_ISREG(st.st_mode)) {
        rc = error_set(err, E_DENIED, "%s is not a regular file", j->path);
        goto out;
    }
    j->end = (uint64_t)st.st_size;
    if (j->end < JOURNAL_HEADER_LEN) {
        if (j->end != 0)
            log_event(LOG_WARN, "%s: torn while it was made, starting empty", j->path);
        rc = write_header(j, dir, &header, err);
    } else {
        rc = check_header(j, &header, err);
    }
out:
    buf_free(&header);
    if (rc < 0)
        journal_close(j);
    return rc;
}

void journal_close(struct journal *j)
{
    fd_drop(&j->fd);
    free(j->path);
    j->path = NULL;
}

/* ---- writing ---- */

static int check_usable(const struct journal *j, struct error *err)
{
    return j->broken ? error_set(err, E_IO, "%s: an earlier write failed", j->path) : 0;
}

int journal_append(struct journal *j, uint32_t type, const struct buf *payload, uint64_t *at,
                   struct error *err)
{
    struct buf entry = BUF_INIT;
    int rc = check_usable(j, err);
    if (rc == 0 && payload->len > JOURNAL_ENTRY_MAX)
        rc = error_set(err, E_INTERNAL, "a journal entry of %zu bytes", payload->len);
    if (rc == 0)
        rc = buf_reserve(&entry, payload->len + JOURNAL_FRAME_LEN, err);
    if (rc < 0)
        goto out;
    struct writer w = writer_of(&entry);
    writer_u32(&w, type);
    writer_u32(&w, (uint32_t)payload->len);
    writer_bytes(&w, payload->data, payload->len);
    writer_u64(&w, check64(entry.data, entry.len));
    rc = writer_end(&w, err);
    if (rc < 0)
        goto out;
    rc = fd_pwrite_full(j->fd, entry.data, entry.len, j->end, j->path, err);
    if (rc < 0) {
        j->broken = true;
        goto out;
    }
    if (at != NULL)
        *at = j->end + ENTRY_HEAD;
    j->end += entry.len;
out:
    buf_free(&entry);
    return rc;
}

int journal_sync(struct journal *j, struct error *err)
{
    int rc = check_usable(j, err);
    if (rc == 0)
        rc = fd_sync(j->fd, j->path, err);
    if (rc < 0)
        j->broken = true;
    return rc;
}

int journal_cut(struct journal *j, uint64_t end, struct error *err)
{
    log_event(LOG_WARN, "%s: cut off %llu torn %s at the end", j->path, (unsigned long long)(j->end - end),
              plural(j->end - end, "byte", "bytes"));
    if (ftruncate(j->fd, (off_t)end) < 0)
        return error_sys(err, "truncate %s", j->path);
    j->end = end;
    return fd_sync(j->fd, j->path, err);
}

/* ---- reading ---- */

int journal_read(const struct journal *j, uint64_t at, void *data, size_t len, struct error *err)
{
    return fd_pread_full(j->fd, data, len, at, j->path, err);
}

static bool entry_is_whole(const uint8_t *entry, size_t payload_len)
{
    return load_u64(entry + ENTRY_HEAD + payload_len) == check64(entry, ENTRY_HEAD + payload_len);
}

int journal_read_entry(const struct journal *j, uint64_t at, uint32_t type, struct buf *out,
                       struct error *err)
{
    uint8_t head[ENTRY_HEAD];
    buf_clear(out);
    if (at < JOURNAL_HEADER_LEN + ENTRY_HEAD || at > j->end)
        return error_set(err, E_INTERNAL, "%s: no entry at %llu", j->path, (unsigned long long)at);
    int rc = journal_read(j, at - ENTRY_HEAD, head, sizeof head, err);
    if (rc < 0)
        return rc;
    size_t len = load_u32(head + 4);
    if (load_u32(head) != type || len > JOURNAL_ENTRY_MAX || at + len + CHECK_SIZE > j->end)
        return error_corrupt(err, BAD_JOURNAL, "%s: damaged at %llu", j->path, (unsigned long long)at);
    rc = buf_reserve(out, len + JOURNAL_FRAME_LEN, err);
    if (rc == 0)
        rc = journal_read(j, at - ENTRY_HEAD, out->data, len + JOURNAL_FRAME_LEN, err);
    if (rc < 0)
        return rc;
    if (memcmp(out->data, head, sizeof head) != 0 || !entry_is_whole(out->data, len))
        return error_corrupt(err, BAD_JOURNAL, "%s: damaged at %llu", j->path, (unsigned long long)at);
    out->len = ENTRY_HEAD + len;
    buf_consume(out, ENTRY_HEAD);
    return 0;
}

void journal_scan_init(struct journal_scan *scan, const struct journal *j)
{
    *scan = (struct journal_scan){ .j = j, .pos = JOURNAL_HEADER_LEN, .window = BUF_INIT };
}

void journal_scan_free(struct journal_scan *scan)
{
    buf_free(&scan->window);
}

/* The n bytes at pos, which lie in the file, in memory. */
static int window_at(struct journal_scan *scan, uint64_t pos, size_t n, const uint8_t **data,
                     struct error *err)
{
    uint64_t have = scan->window_at + scan->window.len;
    if (pos < scan->window_at || pos + n > have) {
        uint64_t left = scan->j->end - pos;
        size_t want = n > SCAN_STEP ? n : SCAN_STEP;
        if (want > left)
            want = (size_t)left;
        buf_clear(&scan->window);
        int rc = buf_reserve(&scan->window, want, err);
        if (rc == 0)
            rc = journal_read(scan->j, pos, scan->window.data, want, err);
        if (rc < 0)
            return rc;
        scan->window.len = want;
        scan->window_at = pos;
    }
    *data = scan->window.data + (pos - scan->window_at);
    return 0;
}

/* 1: a valid entry at pos, *size its whole length; 0: none, *size the length it claims when that lies within
 * the file, else 0. */
static int try_entry(struct journal_scan *scan, uint64_t pos, uint64_t *size, struct journal_entry *entry,
                     struct error *err)
{
    const uint8_t *p;
    uint64_t left = scan->j->end - pos;
    *size = 0;
    if (left < JOURNAL_FRAME_LEN)
        return 0;
    int rc = window_at(scan, pos, ENTRY_HEAD, &p, err);
    if (rc < 0)
        return rc;
    size_t len = load_u32(p + 4);
    if (len > JOURNAL_ENTRY_MAX || len > left - JOURNAL_FRAME_LEN)
        return 0;
    *size = len + JOURNAL_FRAME_LEN;
    rc = window_at(scan, pos, len + JOURNAL_FRAME_LEN, &p, err);
    if (rc < 0)
        return rc;
    if (!entry_is_whole(p, len))
        return 0;
    *entry = (struct journal_entry){
        .type = load_u32(p), .at = pos + ENTRY_HEAD, .payload = p + ENTRY_HEAD, .len = len
    };
    return 1;
}

int journal_next(struct journal_scan *scan, struct journal_entry *entry, struct error *err)
{
    uint64_t size;
    if (scan->pos == scan->j->end)
        return 0;
    int rc = try_entry(scan, scan->pos, &size, entry, err);
    if (rc == 0 && size != 0) {
        /* Perhaps only this entry is damaged: then a valid one follows it. */
        uint64_t next = scan->pos + size;
        rc = try_entry(scan, next, &size, entry, err);
        if (rc == 1) {
            log_event(LOG_ALARM, "%s: a damaged entry at %llu is passed over", scan->j->path,
                      (unsigned long long)scan->pos);
            scan->damaged++;
            scan->pos = next;
        }
    }
    if (rc == 0)
        scan->torn = true;
    if (rc == 1)
        scan->pos += size;
    return rc;
}
