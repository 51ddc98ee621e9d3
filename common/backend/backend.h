/*
 * backend.h - the storage contract. It knows names and bytes, nothing else.
 *
 * A backend is one directory on some storage. Names are relative paths made of
 * [A-Za-z0-9._-] components joined by '/', at most BACKEND_NAME_MAX bytes, no
 * component starting with '.'; anything else is refused with E_USAGE.
 *
 *     struct backend *b = backend_local("/srv/repo", err);   // or backend_sftp(), backend_memory()
 *     rc = backend_put(b, "w/01/pack/x.00", data, len, err); // create-exclusive, durable when it returns 0
 *     rc = backend_read(b, name, offset, buf, len, err);     // exactly len bytes
 *     backend_close(b);
 *
 * Promises
 *   - Nothing is ever overwritten: create fails with E_EXISTS when the name
 *     exists, also as the remains of an upload that was cut.
 *   - upload_finish() returns 0 only after the storage acknowledged the bytes,
 *     an fsync where it has one, the close, and a stat that gives the size.
 *     An upload that fails or is dropped may leave a torn file under its name;
 *     the caller goes on with another name.
 *   - A failed call says which name and what to do about it. E_RETRY: the
 *     connection was lost; the backend reconnects by itself at the next call,
 *     but an upload in progress is gone.
 *
 * One backend belongs to one thread at a time; open several for parallel work
 * (backend_clone). close accepts NULL.
 */
#ifndef COMMON_BACKEND_BACKEND_H
#define COMMON_BACKEND_BACKEND_H

/* The name of an error: the server's key is another one than this host expects, or revoked. */
#define ERR_HOST_KEY "host-key"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buffer.h"
#include "common/base/error.h"

enum { BACKEND_NAME_MAX = 255 };

/* What this storage can do, found out when it is opened or first used. */
enum backend_caps {
    BACKEND_FSYNC = 1 << 0, /* acknowledged bytes are on disk */
    BACKEND_SPACE = 1 << 1, /* backend_space() answers */
    BACKEND_LOCAL = 1 << 2, /* reads cost no round trip */
};

struct backend_stat {
    uint64_t size;
    uint64_t mtime; /* seconds, by the storage's clock; 0 when unknown */
    bool is_dir;
};

struct backend_space {
    uint64_t total; /* bytes */
    uint64_t available;
};

struct backend;
struct upload;

/* Called for each entry of a directory, in any order, without "." and "..". A negative return stops the
 * listing and is returned. */
typedef int backend_list_fn(const char *name, const struct backend_stat *st, void *arg, struct error *err);

unsigned backend_caps(const struct backend *b);
/* Where it is, for people: "sftp://user@host:22/path". Borrowed. */
const char *backend_where(const struct backend *b);
/* What proves that it is the same storage as last time, for people: an SFTP server's host key ("SHA256:..."). "" when
 * there is no such thing, and before the first connection. Borrowed. */
const char *backend_identity(const struct backend *b);
/* A second, independent handle to the same storage (own connection). */
struct backend *backend_clone(const struct backend *b, struct error *err);
void backend_close(struct backend *b);

/* Streaming create-exclusive. Owned by the caller until finish or drop, which free it. `expect` is the size
 * to come, for space checks (0: unknown). */
struct upload *backend_create(struct backend *b, const char *name, uint64_t expect, struct error *err);
int upload_write(struct upload *u, const void *data, size_t len, struct error *err);
int upload_finish(struct upload *u, struct error *err); /* frees u in any case */
void upload_drop(struct upload *u);

/* create + write + finish of one block. */
int backend_put(struct backend *b, const char *name, const void *data, size_t len, struct error *err);

/* Exactly len bytes at offset; a file that ends earlier is E_CORRUPT ("short-file"). */
int backend_read(struct backend *b, const char *name, uint64_t offset, void *data, size_t len,
                 struct error *err);
/* The whole file, which must not be larger than `limit` (E_CORRUPT "too-large", before anything is read). */
int backend_read_all(struct backend *b, const char *name, uint64_t limit, struct buf *out, struct error *err);
int backend_stat(struct backend *b, const char *name, struct backend_stat *st, struct error *err);
/* dir "" is the root of the backend. */
int backend_list(struct backend *b, const char *dir, backend_list_fn *fn, void *arg, struct error *err);
int backend_remove(struct backend *b, const char *name, struct error *err);
/* One level; E_EXISTS when it is there already. mode as in mkdir(2). */
int backend_make_dir(struct backend *b, const char *name, unsigned mode, struct error *err);
int backend_space(struct backend *b, struct backend_space *space, struct error *err);

/* ---- for implementers: put this first in the own struct -------------------------------------------- */
struct backend_ops {
    struct backend *(*clone)(const struct backend *b, struct error *err);
    void (*close)(struct backend *b);
    struct upload *(*create)(struct backend *b, const char *name, uint64_t expect, struct error *err);
    int (*write)(struct upload *u, const void *data, size_t len, struct error *err);
    int (*finish)(struct upload *u, struct error *err); /* must not free */
    void (*release)(struct upload *u);                  /* frees; after finish or instead of it */
    int (*read)(struct backend *b, const char *name, uint64_t offset, void *data, size_t len,
                struct error *err);
    int (*stat)(struct backend *b, const char *name, struct backend_stat *st, struct error *err);
    int (*list)(struct backend *b, const char *dir, backend_list_fn *fn, void *arg, struct error *err);
    int (*remove)(struct backend *b, const char *name, struct error *err);
    int (*make_dir)(struct backend *b, const char *name, unsigned mode, struct error *err);
    int (*space)(struct backend *b, struct backend_space *space, struct error *err);
};
struct backend {
    const struct backend_ops *ops;
    unsigned caps;
    char *where;    /* freed by backend_close */
    char *identity; /* the same; or NULL */
};
struct upload {
    struct backend *backend;
    int failed; /* code of the first failed write; kept by the dispatcher: later writes and finish repeat it */
};
/* E_USAGE for a name outside the contract. */
int backend_name_check(const char *name, struct error *err);

#endif
