#include "common/engine/sqlite/tap.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/engine/sqlite/internal.h"
#include "common/engine/sqlite/vfs.h"

#include "common/base/banned.h"

/* SQLite's documented log layout: a header, then frames of a header and a page. */
enum { WAL_HEADER = 32, WAL_FRAME_HEADER = 24 };

struct tap {
    sqlite3_vfs vfs;
    char name[VFS_NAME_MAX];
    bool registered;
    bool have_header;
    uint8_t header[HEADER_SIZE];
    uint32_t page1_size; /* 0: none yet */
    uint8_t page1[PAGE_SIZE_MAX];
};

enum kind { KIND_OTHER, KIND_MAIN, KIND_WAL };

struct tap_file {
    sqlite3_file base; /* first: SQLite sees only this */
    struct tap *tap;
    enum kind kind;
    sqlite3_file *below; /* lies behind this struct, in the memory SQLite gave */
};

static sqlite3_file *below(sqlite3_file *f)
{
    return ((struct tap_file *)f)->below;
}

static bool is_page_size(int n)
{
    return n >= PAGE_SIZE_MIN && n <= PAGE_SIZE_MAX && (n & (n - 1)) == 0;
}

static bool is_page1(struct tap_file *f, int len, sqlite3_int64 off)
{
    if (!is_page_size(len))
        return false;
    if (f->kind == KIND_MAIN)
        return off == 0;
    sqlite3_int64 first = WAL_HEADER + WAL_FRAME_HEADER;
    if (f->kind != KIND_WAL || off < first || (off - first) % (len + WAL_FRAME_HEADER) != 0)
        return false;
    /* A frame of an open snapshot does not change, so its number can be asked after the fact. */
    uint8_t number[4];
    if (f->below->pMethods->xRead(f->below, number, sizeof number, off - WAL_FRAME_HEADER) != SQLITE_OK)
        return false;
    static const uint8_t one[4] = { 0, 0, 0, 1 };
    return memcmp(number, one, sizeof one) == 0;
}

static int tap_read(sqlite3_file *file, void *data, int len, sqlite3_int64 off)
{
    struct tap_file *f = (struct tap_file *)file;
    int rc = f->below->pMethods->xRead(f->below, data, len, off);
    if (rc != SQLITE_OK && rc != SQLITE_IOERR_SHORT_READ)
        return rc;
    if (f->kind == KIND_MAIN && off == 0 && len >= HEADER_SIZE && rc == SQLITE_OK) {
        memcpy(f->tap->header, data, HEADER_SIZE);
        f->tap->have_header = true;
    }
    if (is_page1(f, len, off)) {
        memcpy(f->tap->page1, data, (size_t)len);
        f->tap->page1_size = (uint32_t)len;
    }
    return rc;
}

static int tap_close(sqlite3_file *f)
{
    return below(f)->pMethods->xClose(below(f));
}

static int tap_write(sqlite3_file *f, const void *data, int len, sqlite3_int64 off)
{
    return below(f)->pMethods->xWrite(below(f), data, len, off);
}

static int tap_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    return below(f)->pMethods->xTruncate(below(f), size);
}

static int tap_sync(sqlite3_file *f, int flags)
{
    return below(f)->pMethods->xSync(below(f), flags);
}

static int tap_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return below(f)->pMethods->xFileSize(below(f), size);
}

static int tap_lock(sqlite3_file *f, int level)
{
    return below(f)->pMethods->xLock(below(f), level);
}

static int tap_unlock(sqlite3_file *f, int level)
{
    return below(f)->pMethods->xUnlock(below(f), level);
}

static int tap_reserved(sqlite3_file *f, int *out)
{
    return below(f)->pMethods->xCheckReservedLock(below(f), out);
}

static int tap_control(sqlite3_file *f, int op, void *arg)
{
    return below(f)->pMethods->xFileControl(below(f), op, arg);
}

static int tap_sector(sqlite3_file *f)
{
    return below(f)->pMethods->xSectorSize(below(f));
}

static int tap_device(sqlite3_file *f)
{
    return below(f)->pMethods->xDeviceCharacteristics(below(f));
}

static int tap_shm_map(sqlite3_file *f, int region, int size, int extend, void volatile **out)
{
    return below(f)->pMethods->xShmMap(below(f), region, size, extend, out);
}

static int tap_shm_lock(sqlite3_file *f, int off, int n, int flags)
{
    return below(f)->pMethods->xShmLock(below(f), off, n, flags);
}

static void tap_shm_barrier(sqlite3_file *f)
{
    below(f)->pMethods->xShmBarrier(below(f));
}

static int tap_shm_unmap(sqlite3_file *f, int delete_it)
{
    return below(f)->pMethods->xShmUnmap(below(f), delete_it);
}

/* Version 2: shared memory, but no xFetch, so that every page comes through tap_read. */
static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = tap_close,
    .xRead = tap_read,
    .xWrite = tap_write,
    .xTruncate = tap_truncate,
    .xSync = tap_sync,
    .xFileSize = tap_size,
    .xLock = tap_lock,
    .xUnlock = tap_unlock,
    .xCheckReservedLock = tap_reserved,
    .xFileControl = tap_control,
    .xSectorSize = tap_sector,
    .xDeviceCharacteristics = tap_device,
    .xShmMap = tap_shm_map,
    .xShmLock = tap_shm_lock,
    .xShmBarrier = tap_shm_barrier,
    .xShmUnmap = tap_shm_unmap,
};

static int tap_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    struct tap_file *f = (struct tap_file *)file;
    sqlite3_vfs *system_vfs = sqlite3_vfs_find(NULL);
    f->base.pMethods = NULL;
    f->tap = vfs->pAppData;
    f->kind = (flags & SQLITE_OPEN_MAIN_DB) != 0 ? KIND_MAIN
              : (flags & SQLITE_OPEN_WAL) != 0   ? KIND_WAL
                                                 : KIND_OTHER;
    f->below = (sqlite3_file *)(f + 1);
    int rc = system_vfs->xOpen(system_vfs, name, f->below, flags, out_flags);
    if (f->below->pMethods != NULL) /* SQLite then calls xClose even after a failure */
        f->base.pMethods = &methods;
    return rc;
}

struct tap *tap_new(struct error *err)
{
    struct tap *t = mem_alloc(1, sizeof *t, err);
    if (t == NULL)
        return NULL;
    int rc = sqlite3_initialize();
    if (rc == SQLITE_OK) {
        /* The address is unique among the living. */
        (void)snprintf(t->name, sizeof t->name, "backup-tap-%p", (void *)t);
        vfs_forward(&t->vfs, t->name, (int)sizeof(struct tap_file) + sqlite3_vfs_find(NULL)->szOsFile, t);
        t->vfs.xOpen = tap_open;
        rc = sqlite3_vfs_register(&t->vfs, 0);
    }
    if (rc != SQLITE_OK) {
        (void)error_set(err, E_INTERNAL, "register a SQLite VFS: %s", sqlite3_errstr(rc));
        free(t);
        return NULL;
    }
    t->registered = true;
    return t;
}

const char *tap_vfs(const struct tap *t)
{
    return t->name;
}

const uint8_t *tap_page1(const struct tap *t, uint32_t *size)
{
    *size = t->page1_size;
    return t->page1_size == 0 ? NULL : t->page1;
}

const uint8_t *tap_header(const struct tap *t)
{
    return t->have_header ? t->header : NULL;
}

void tap_free(struct tap *t)
{
    if (t == NULL)
        return;
    if (t->registered)
        (void)sqlite3_vfs_unregister(&t->vfs);
    free(t);
}
