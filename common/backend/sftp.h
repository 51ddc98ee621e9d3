/*
 * sftp.h - a backend over SFTP (libssh2).
 *
 * The connection is made at the first use, so that opening costs nothing and a
 * lost connection is simply made again. libssh2 must never run in the daemon
 * process: a flipped bit in a packet length can abort it (docs/design.md).
 *
 * Host keys: `host_key` ("ssh-ed25519 AAAA...") pins the key; otherwise
 * known_hosts is read line by line (bad lines are skipped and reported, @revoked
 * is honoured). Unknown or changed keys are refused: E_AUTH (unknown) or
 * E_CONFLICT (changed), with the fingerprint and the line to add.
 * Algorithms: no SHA-1, no CBC; see docs/operations.md for what the server must
 * offer. User keys: ed25519 and ecdsa files, or the agent.
 *
 * All waits have two limits: `stall_ms` without any progress, `deadline_ms` for
 * one call altogether.
 */
#ifndef COMMON_BACKEND_SFTP_H
#define COMMON_BACKEND_SFTP_H

#include "common/backend/backend.h"

struct sftp_options {
    const char *host;
    unsigned port; /* 0: 22 */
    const char *user;
    const char *path; /* directory on the server; relative to the account's home unless it starts with '/' */
    const char *key_file; /* private key; NULL: agent */
    bool use_agent;
    const char *host_key;    /* pinned key line, or NULL */
    const char *known_hosts; /* file, or NULL: ~/.ssh/known_hosts then /etc/ssh/ssh_known_hosts */
    unsigned stall_ms;       /* 0: 30000 */
    unsigned deadline_ms;    /* 0: 30 minutes */
    unsigned retries;        /* reconnects for one call that can be repeated; default 3 when 0 */
    /* Writes the key's passphrase (NUL-terminated) into out and returns its length, or a negative error; called
     * at each connect; out is wiped afterwards. NULL: the key has none. */
    int (*passphrase)(void *arg, char *out, size_t cap, struct error *err);
    void *passphrase_arg;
};

/* Copies the options (not the arg). Does not connect. */
struct backend *backend_sftp(const struct sftp_options *options, struct error *err);
/* Connects now, to find out early; the error names the cause and the way out. */
int sftp_connect_now(struct backend *b, struct error *err);

/* SHA256 fingerprint and known_hosts line of whatever key the server shows, for `check storage`. The strings are
 * for free(). Nothing is sent but the handshake. */
int sftp_scan_host_key(const struct sftp_options *options, char **fingerprint, char **line,
                       struct error *err);

#endif
