/*
 * sftp_internal.h - one SFTP backend from the inside.
 *
 *   sftp.c          opening, repeating, stat, space
 *   sftp_read.c     ranges, and what is fetched ahead
 *   sftp_dir.c      list, remove, make_dir
 *   sftp_upload.c   create, write window, finish
 *   sftp_connect.c  socket, handshake, opening and dropping the session
 *   sftp_hostkey.c  pins, known_hosts, fingerprints
 *   sftp_auth.c     key file, agent
 *   sftp_keyfile.c  what a private key file holds, without its secret
 *   sftp_wait.c     waiting, and what a failure means
 *
 * libssh2 runs non-blocking. Every call is written
 *
 *     do
 *         rc = libssh2_xxx(...);                  // the same arguments each time
 *     while (sftp_again(s, rc));
 *     if (rc < 0)
 *         return sftp_fail(s, rc, "stat", name, err);
 *
 * Its state machines belong to the SFTP channel, not to the file: whatever
 * answered "again" is finished before anything else starts. Unacknowledged
 * writes are therefore drained (sftp_settle) before any other operation.
 */
#ifndef COMMON_BACKEND_SFTP_INTERNAL_H
#define COMMON_BACKEND_SFTP_INTERNAL_H

#include <libssh2.h>
#include <libssh2_sftp.h>

#include "common/backend/sftp.h"

enum sftp_trouble { SFTP_FINE, SFTP_STALLED, SFTP_LATE, SFTP_POLL_FAILED };

enum { SFTP_METHODS_MAX = 512, SFTP_STRINGS = 6 };

struct sftp_upload {
    struct upload base;
    struct sftp_upload *next; /* in the list of its backend */
    char *name;
    LIBSSH2_SFTP_HANDLE *handle; /* NULL once the session is gone */
    struct buf pending;          /* not acknowledged yet; its beginning may be on the wire */
    size_t done;                 /* bytes at the front of pending that were acknowledged */
    size_t asked;                /* bytes at the front of pending that libssh2 was given */
    uint64_t written;            /* bytes taken from the caller */
};

struct sftp {
    struct backend base;
    struct sftp_options options;
    char *owned[SFTP_STRINGS]; /* what the strings in options point to */
    int fd;
    LIBSSH2_SESSION *session;
    LIBSSH2_SFTP *channel;
    uint64_t deadline; /* of the running call, clock_mono_ms */
    enum sftp_trouble trouble;
    bool no_fsync; /* the server said so */
    struct sftp_upload *uploads;
    LIBSSH2_SFTP_HANDLE *read_handle; /* the file read last: a restore reads many ranges of one pack */
    char read_name[BACKEND_NAME_MAX + 1];
    uint64_t read_at;   /* where libssh2 stands */
    uint64_t read_next; /* where the last read ended, for the caller */
    struct buf ahead;   /* bytes of that file fetched in advance, from ahead_at on */
    uint64_t ahead_at;
    size_t ahead_size;                /* how much to fetch; 0: reads did not follow each other */
    LIBSSH2_SFTP_HANDLE *list_handle; /* here so that dropping the session finds it */
};

struct sftp *sftp_of(struct backend *b);
/* "path/name" on the server, for free(). */
char *sftp_path(const struct sftp *s, const char *name, struct error *err);

/* ---- waiting and failing (sftp_wait.c) ----------------------------------------------------------------- */
/* Starts the clock of one call. */
void sftp_clock_start(struct sftp *s);
/* True: rc was "again", the wait succeeded, call again. */
bool sftp_again(struct sftp *s, ssize_t rc);
/* Waits for the socket; 0 or the trouble recorded in s. */
int sftp_wait_fd(struct sftp *s, short events);
/* Turns a failed call into an error and drops the session unless it is a mere "no" of the server. */
int sftp_fail(struct sftp *s, ssize_t rc, const char *what, const char *name, struct error *err);
/* The server's status when rc says there is one, else FX_OK. */
unsigned long sftp_status(const struct sftp *s, ssize_t rc);
/* E_RETRY with the reason of the trouble, or the meaning of rc. Drops nothing. */
int sftp_lost(const struct sftp *s, ssize_t rc, const char *what, struct error *err);

/* ---- the session (sftp_connect.c) ---------------------------------------------------------------------- */
int sftp_connect(struct sftp *s, struct error *err);
int sftp_session_new(struct sftp *s, struct error *err);
/* Socket and handshake only. `types`: host key types to ask for. */
int sftp_handshake(struct sftp *s, const char *types, struct error *err);
void sftp_drop(struct sftp *s);
/* The connection has ended. libssh2 reports that as a refused login or channel when it happens there. */
bool sftp_peer_gone(const struct sftp *s);
/* The names of `wanted` that this libssh2 knows, comma-separated. */
void sftp_known_methods(LIBSSH2_SESSION *session, int method, const char *wanted, char out[SFTP_METHODS_MAX]);

/* ---- who is there (sftp_hostkey.c) --------------------------------------------------------------------- */
/* The host key types to ask for, from the pin or from known_hosts. */
int sftp_hostkey_types(struct sftp *s, char out[SFTP_METHODS_MAX], struct error *err);
int sftp_hostkey_check(struct sftp *s, struct error *err);
/* For free(). */
char *sftp_hostkey_fingerprint(const struct sftp *s, struct error *err);
char *sftp_hostkey_line(const struct sftp *s, struct error *err);
extern const char sftp_all_hostkey_types[];

/* ---- who we are (sftp_auth.c, sftp_keyfile.c) ---------------------------------------------------------- */
int sftp_authenticate(struct sftp *s, struct error *err);
/* Refuses what cannot work (RSA, a public key, an unreadable file) before the server is asked; *encrypted
 * tells whether a passphrase is needed. */
int sftp_keyfile_check(const char *path, bool *encrypted, struct error *err);
/* Decodes base64 up to the first character that is none, skipping line ends; returns the bytes written. */
size_t sftp_base64_decode(const char *text, size_t len, uint8_t *out, size_t cap);

/* ---- uploads (sftp_upload.c) --------------------------------------------------------------------------- */
struct upload *sftp_create(struct backend *b, const char *name, uint64_t expect, struct error *err);
int sftp_write(struct upload *base, const void *data, size_t len, struct error *err);
int sftp_finish(struct upload *base, struct error *err);
void sftp_release(struct upload *base);
/* Drains what uploads other than `except` have on the wire; one that fails remembers it. */
void sftp_settle(struct sftp *s, const struct sftp_upload *except);

/* ---- reading (sftp_read.c) ----------------------------------------------------------------------------- */
int sftp_read(struct backend *b, const char *name, uint64_t offset, void *data, size_t len,
              struct error *err);

/* ---- directories (sftp_dir.c) -------------------------------------------------------------------------- */
int sftp_list(struct backend *b, const char *dir, backend_list_fn *fn, void *arg, struct error *err);
int sftp_remove(struct backend *b, const char *name, struct error *err);
int sftp_make_dir(struct backend *b, const char *name, unsigned mode, struct error *err);

/* ---- shared by the operations (sftp.c) ----------------------------------------------------------------- */
/* Connects when needed, runs op, and runs it again on a new session when the connection was lost. */
typedef int sftp_op(struct sftp *s, void *arg, struct error *err);
int sftp_repeat(struct sftp *s, sftp_op *op, void *arg, struct error *err);
int sftp_stat(struct backend *b, const char *name, struct backend_stat *st, struct error *err);
int sftp_space(struct backend *b, struct backend_space *space, struct error *err);
/* Closes and forgets a handle; 0 or what libssh2 said. */
int sftp_close_handle(struct sftp *s, LIBSSH2_SFTP_HANDLE **handle);
struct backend_stat sftp_stat_of(const LIBSSH2_SFTP_ATTRIBUTES *a);
/* One request on a live session. */
int sftp_stat_once(struct sftp *s, const char *name, struct backend_stat *st, struct error *err);
int sftp_space_once(struct sftp *s, struct backend_space *space, struct error *err);

#endif
