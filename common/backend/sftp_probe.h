/*
 * sftp_probe.h - what an account of an SFTP server may ask for, found out without changing anything.
 *
 *     struct sftp_probe p;
 *     rc = sftp_probe(b, "w/ID/log/00000001.00", "w/ID/pack/none", &p, err);
 *     if (p.overwrite == PROBE_ALLOWED) warn();
 *
 * The requests are built by hand and go over a channel of their own: libssh2 has
 * no call for some of them, and answers "yes" for others whatever the server
 * said. Each is one that cannot have an effect: on a name that does not exist,
 * below a directory that does not exist, or with nothing to set. So "allowed"
 * means that the server would have gone on to do it; its file system may still
 * have refused. A file is opened for writing and closed again, which changes
 * nothing and needs the right that truncating and appending need.
 */
#ifndef COMMON_BACKEND_SFTP_PROBE_H
#define COMMON_BACKEND_SFTP_PROBE_H

#include <stdint.h>

#include "common/backend/backend.h"

enum probe_answer { PROBE_UNKNOWN = 0, PROBE_REFUSED, PROBE_ALLOWED };

struct sftp_probe {
    enum probe_answer overwrite; /* a stored file opened for writing */
    enum probe_answer create;    /* any creation at all: false for an account that only reads */
    enum probe_answer remove;
    enum probe_answer rename;     /* also posix-rename */
    enum probe_answer link;       /* symbolic and hard links */
    enum probe_answer attributes; /* size, mode, owner, times: by name, link and handle */
    enum probe_answer make_dir;   /* also rmdir */
    bool fsync;                   /* extensions that the server names */
    bool statvfs;
    bool limits;
};

/* `file` exists and may be read (NULL: there is none: then `overwrite` stays unknown); `none` does not
 * exist (NULL: only the extensions are found out). E_USAGE for storage that is not reached over SFTP. */
int sftp_probe(struct backend *b, const char *file, const char *none, struct sftp_probe *out,
               struct error *err);

/* Who owns a file or directory there; E_UNSUPPORTED when the server does not tell. */
int sftp_owner(struct backend *b, const char *name, uint32_t *uid, struct error *err);

#endif
