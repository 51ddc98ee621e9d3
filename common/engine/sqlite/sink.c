#include "common/engine/sqlite/sink.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/engine/sqlite/internal.h"
#include "common/engine/sqlite/vfs.h"

#include "common/base/banned.h"

struct page_sink {
    sqlite3_vfs vfs;
    char name[VFS_NAME_MAX];
    bool registered;
    sqlite3 *db;
    struct buf out;
    struct error why;
    uint32_t page_size;
    uint32_t pages;
    uint32_t next;      /* the page that must come next, from 2 */
    uint32_t lock_page; /* holds SQLite's lock byte; never written */
    uint64_t end;       /* highest byte written, for xFileSize */
    bool late;          /* page 1 was written */
    uint8_t *first;     /* page 1 as given out */
    uint8_t *page1;     /* page 1 as the backup API wrote it */
};

struct sink_file {
    sqlite3_file base;
    struct page_sink *sink;
};

static struct page_sink *sink_of(sqlite3_file *f)
{
    return ((struct sink_file *)f)->sink;
}

/* The lock page and everything after it move up by one page of zeros. */
static int skip_lock_page(struct page_sink *s)
{
    if (s->next != s->lock_page || s->next > s->pages)
        return 0;
    s->next++;
    return buf_zeros(&s->out, s->page_size, &s->why);
}

static int take_page(struct page_sink *s, const uint8_t *data, uint64_t number)
{
    if (number == 1) {
        memcpy(s->page1, data, s->page_size);
        s->late = true;
        return 0;
    }
    int rc = skip_lock_page(s);
    if (rc < 0)
        return rc;
    if (number != s->next || number > s->pages)
        return error_set(&s->why, E_INTERNAL,
                         "SQLite %s wrote page %llu of the copy when page %lu of %lu was due; "
                         "this copy cannot be a stream",
                         sqlite3_libversion(), (unsigned long long)number, (unsigned long)s->next,
                         (unsigned long)s->pages);
    s->next++;
    return buf_append(&s->out, data, s->page_size, &s->why);
}

static int sink_write_page(sqlite3_file *f, const void *data, int len, sqlite3_int64 off)
{
    struct page_sink *s = sink_of(f);
    uint64_t at = (uint64_t)off;
    if (off < 0 || (uint32_t)len != s->page_size || at % s->page_size != 0) {
        (void)error_set(&s->why, E_INTERNAL,
                        "SQLite wrote %d bytes at %lld of a copy with pages of %lu bytes", len,
                        (long long)off, (unsigned long)s->page_size);
        return SQLITE_IOERR_WRITE;
    }
    if (take_page(s, data, at / s->page_size + 1) < 0)
        return SQLITE_IOERR_WRITE;
    if (at + s->page_size > s->end)
        s->end = at + s->page_size;
    return SQLITE_OK;
}

/* Only page 1 is ever asked for again; given-out pages are gone. */
static int sink_read_page(sqlite3_file *f, void *data, int len, sqlite3_int64 off)
{
    struct page_sink *s = sink_of(f);
    memset(data, 0, (size_t)len);
    if (s->late && off >= 0 && off + len <= (sqlite3_int64)s->page_size) {
        memcpy(data, s->page1 + off, (size_t)len);
        return SQLITE_OK;
    }
    return (uint64_t)off + (uint64_t)len <= s->end ? SQLITE_IOERR_READ : SQLITE_IOERR_SHORT_READ;
}

static int sink_close_file(sqlite3_file *f)
{
    (void)f;
    return SQLITE_OK;
}

static int sink_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    return (uint64_t)size < sink_of(f)->end ? SQLITE_IOERR_TRUNCATE : SQLITE_OK;
}

static int sink_nothing(sqlite3_file *f, int arg)
{
    (void)f;
    (void)arg;
    return SQLITE_OK;
}

static int sink_size(sqlite3_file *f, sqlite3_int64 *size)
{
    *size = (sqlite3_int64)sink_of(f)->end;
    return SQLITE_OK;
}

static int sink_reserved(sqlite3_file *f, int *out)
{
    (void)f;
    *out = 0;
    return SQLITE_OK;
}

static int sink_control(sqlite3_file *f, int op, void *arg)
{
    (void)f;
    (void)op;
    (void)arg;
    return SQLITE_NOTFOUND;
}

static int sink_sector(sqlite3_file *f)
{
    (void)f;
    return PAGE_SIZE_MIN;
}

static int sink_device(sqlite3_file *f)
{
    (void)f;
    return 0;
}

static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = sink_close_file,
    .xRead = sink_read_page,
    .xWrite = sink_write_page,
    .xTruncate = sink_truncate,
    .xSync = sink_nothing,
    .xFileSize = sink_size,
    .xLock = sink_nothing,
    .xUnlock = sink_nothing,
    .xCheckReservedLock = sink_reserved,
    .xFileControl = sink_control,
    .xSectorSize = sink_sector,
    .xDeviceCharacteristics = sink_device,
};

static int sink_open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    struct sink_file *f = (struct sink_file *)file;
    (void)name;
    f->base.pMethods = NULL;
    if ((flags & SQLITE_OPEN_MAIN_DB) == 0)
        return SQLITE_CANTOPEN; /* a journal would mean that the pragmas below did not hold */
    f->sink = vfs->pAppData;
    f->base.pMethods = &methods;
    if (out_flags != NULL)
        *out_flags = flags;
    return SQLITE_OK;
}

static int sink_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    (void)vfs;
    (void)name;
    (void)flags;
    *out = 0;
    return SQLITE_OK;
}

static int sink_delete(sqlite3_vfs *vfs, const char *name, int sync_dir)
{
    (void)vfs;
    (void)name;
    (void)sync_dir;
    return SQLITE_OK;
}

static int sink_full_path(sqlite3_vfs *vfs, const char *name, int cap, char *out)
{
    (void)vfs;
    return snprintf(out, (size_t)cap, "%s", name) < cap ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int open_db(struct page_sink *s, struct error *err)
{
    (void)snprintf(s->name, sizeof s->name, "backup-sink-%p", (void *)s);
    vfs_forward(&s->vfs, s->name, (int)sizeof(struct sink_file), s);
    s->vfs.xOpen = sink_open_file;
    s->vfs.xAccess = sink_access;
    s->vfs.xDelete = sink_delete;
    s->vfs.xFullPathname = sink_full_path;
    int rc = sqlite3_vfs_register(&s->vfs, 0);
    if (rc == SQLITE_OK) {
        s->registered = true;
        rc = sqlite3_open_v2("copy", &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, s->name);
    }
    /* No journal, and a small cache that spills early and in order. */
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(s->db,
                          "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE; "
                          "PRAGMA cache_size=-1024",
                          NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : sqlite_error(err, s->db, rc, "the copy");
}

/* Asked from SQLite (0 changes nothing): tests move it, because databases beyond 1 GiB make slow tests. */
static uint32_t lock_page(uint32_t page_size)
{
    int at = sqlite3_test_control(SQLITE_TESTCTRL_PENDING_BYTE, 0U);
    return (at > 0 ? (uint32_t)at : 0x40000000U) / page_size + 1;
}

struct page_sink *page_sink_new(const uint8_t *page1, uint32_t page_size, uint32_t pages, struct error *err)
{
    struct page_sink *s = mem_alloc(1, sizeof *s, err);
    if (s == NULL)
        return NULL;
    buf_init(&s->out);
    s->page_size = page_size;
    s->pages = pages;
    s->next = 2;
    s->lock_page = lock_page(page_size);
    s->first = mem_copy(page1, page_size, err);
    s->page1 = mem_alloc(1, page_size, err);
    if (s->first == NULL || s->page1 == NULL || buf_append(&s->out, page1, page_size, err) < 0 ||
        open_db(s, err) < 0) {
        page_sink_free(s);
        return NULL;
    }
    return s;
}

sqlite3 *page_sink_db(struct page_sink *s)
{
    return s->db;
}

struct buf *page_sink_out(struct page_sink *s)
{
    return &s->out;
}

const struct error *page_sink_why(const struct page_sink *s)
{
    return s->why.code == 0 ? NULL : &s->why;
}

/* Sets the fields that the backup API changes to zero. */
static void neutral(uint8_t *page, bool count_is_stale)
{
    memset(page + 24, 0, 4);
    memset(page + 40, 0, 4);
    memset(page + 92, 0, 8);
    /* Writers before SQLite 3.7 leave the page count alone; the backup API sets it. */
    if (count_is_stale)
        memset(page + 28, 0, 4);
}

int page_sink_end(struct page_sink *s, struct error *err)
{
    int rc = skip_lock_page(s);
    if (rc < 0)
        return error_copy(err, &s->why);
    if (!s->late || s->next != s->pages + 1)
        return error_set(err, E_INTERNAL, "SQLite's copy ended after page %lu of %lu",
                         (unsigned long)s->next - 1, (unsigned long)s->pages);
    bool stale = memcmp(s->first + 24, s->first + 92, 4) != 0;
    neutral(s->first, stale);
    neutral(s->page1, stale);
    for (uint32_t i = 0; i < s->page_size; i++)
        if (s->first[i] != s->page1[i])
            return error_set(err, E_INTERNAL,
                             "page 1 of SQLite's copy differs from the page 1 of the snapshot at byte %lu; "
                             "the copy is refused, try again",
                             (unsigned long)i);
    return 0;
}

void page_sink_free(struct page_sink *s)
{
    if (s == NULL)
        return;
    (void)sqlite3_close(s->db);
    if (s->registered)
        (void)sqlite3_vfs_unregister(&s->vfs);
    buf_free(&s->out);
    free(s->first);
    free(s->page1);
    free(s);
}
