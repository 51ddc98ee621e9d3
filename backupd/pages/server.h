/*
 * server.h - the status page over HTTP, in a process of its own (libmicrohttpd).
 *
 *     rc = server_run(&options, err);        // until SIGTERM, or until the daemon's line ends
 *
 *     /                   the page            /api/status.json   its numbers
 *     /metrics            for Prometheus      /healthz           200 "ok", or 503
 *
 * It reads the configuration once and the history read-only, opens no network connection and holds no secret. Before the first
 * request it is confined (confine.h), and can open no file any more: neither the keys of this host nor anything else. The
 * socket comes from the daemon and listens already.
 *
 * GET and HEAD only. One request for each connection, at most SERVER_CONNECTIONS at a time, each ended after SERVER_SECONDS
 * whatever it does. On TCP the Host header must name this host's loopback: a page from elsewhere whose name was made to
 * lead here (DNS rebinding) gets nothing. What is sent may run no script, load nothing and stand in no frame.
 */
#ifndef BACKUPD_PAGES_SERVER_H
#define BACKUPD_PAGES_SERVER_H

#include "common/cli/cli.h"

enum {
    SERVER_CONNECTIONS = 16,
    SERVER_SECONDS = 20,
    SERVER_IDLE_SECONDS = 10,
    SERVER_REQUEST_MAX = 16 * 1024, /* bytes of a request */
    SERVER_FILES = 64,
    SERVER_MEMORY = 256 * 1024 * 1024,
    SERVER_CACHE_MS = 1000, /* a page this old is sent again */
};

struct server_options {
    struct cli_context *cli;
    int listen_fd;
    int daemon_fd;
};

int server_run(const struct server_options *options, struct error *err);

/* Whether a Host header names the loopback: localhost, 127.x.x.x or [::1], with or without a port. */
bool server_host_is_ours(const char *host);

#endif
