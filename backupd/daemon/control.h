/*
 * control.h - how people talk to the daemon: a unix socket, one line of JSON there, one back (inside daemon/).
 *
 *     control.c         the part: the socket, who comes in, bytes in and out, times
 *     control_peer.c    who it is and what they may
 *     control_do.c      what they ask for
 *     control_query.c   what only reads: a child of the daemon prints it
 *
 * Request (at most CONTROL_REQUEST_MAX bytes and a line end), "verb" and what goes with it:
 *     start   jobs [names], wait true|false       cancel   what "number of a run, or name of a job"
 *     pause   jobs [names]                        resume   jobs [names]
 *     status  jobs    history  jobs, lines, only_runs    show  what "number"    schedule  jobs, next
 *                     these four: json true|false
 * Answer: {"message_type":"answer","exit_code":N,"error":TEXT or null,"lines":[...],"runs":[...],"output":TEXT}. The connection is
 * closed then. lines are the daemon's own words, runs the numbers of what was started (0: it waits), output is what the verb has
 * printed.
 *
 * Who asks is what the kernel says (SO_PEERCRED, SO_PEERGROUPS): root and the daemon's own account may everything, members of
 * control_group too, members of read_group the four that only read. Others are refused at once; that is told with an alarm,
 * once a minute for each account, and counted in the history.
 *
 * Nobody holds the loop up: everything is non-blocking, a request and an answer have CONTROL_TIMEOUT seconds each, and there are
 * limits to how many come in, altogether and of one account. Only who waits for a run's end may stay.
 */
#ifndef BACKUPD_DAEMON_CONTROL_H
#define BACKUPD_DAEMON_CONTROL_H

#include <sys/types.h>

#include "backupd/daemon/supervisor_internal.h"
#include "common/cli/jsonflat.h"

enum {
    CONTROL_CLIENTS_MAX = 12,
    CONTROL_PER_ACCOUNT = 6, /* root and the daemon's own aside */
    CONTROL_WAITERS_MAX = 6,
    CONTROL_QUERIES_MAX = 3, /* children at a time; others wait for their turn */
    CONTROL_JOBS_MAX = 256,  /* names in a request */
    CONTROL_REQUEST_MAX = 16 * 1024,
    CONTROL_OUTPUT_MAX = 4 * 1024 * 1024, /* what a query may print */
    CONTROL_TIMEOUT = 10,                 /* seconds for a request to come, and for an answer to be taken */
    CONTROL_QUERY_TIMEOUT = 30,
    CONTROL_GROUPS_MAX = 4096, /* supplementary groups of an account */
    CONTROL_NAME_MAX = 64,
};

/* ---- control_peer.c ------------------------------------------------------------------------------------------------ */

enum control_right { CONTROL_NONE = 0, CONTROL_READ, CONTROL_ALL };

struct control_groups {
    bool has_read, has_control;
    gid_t read, control;
};

struct control_peer {
    uid_t uid;
    enum control_right right;
    char name[CONTROL_NAME_MAX]; /* "alice", or "uid 1001" of an account that /etc/passwd does not have */
};

/* E_USAGE names the group that there is not. */
int control_groups_find(const struct conf_daemon *conf, struct control_groups *out, struct error *err);
int control_peer_read(int fd, const struct control_groups *groups, struct control_peer *out,
                      struct error *err);

/* ---- a client ------------------------------------------------------------------------------------------------------- */

enum client_state { CLIENT_ASKS, CLIENT_QUEUED, CLIENT_QUERY, CLIENT_WAITS, CLIENT_TOLD };

/* A job that a client has started. */
struct started {
    char *job;
    int64_t run; /* 0: not yet */
    bool over;
    int exit_code;
    char *text;
};

struct client {
    int fd;
    struct control_peer peer;
    enum client_state state;
    int64_t until; /* supervisor_now() when it is given up; INT64_MAX: never */
    struct buf in;
    struct buf out;
    size_t sent;
    struct jsonin *request;
    struct vec started; /* struct started */
    bool stays;         /* until the runs are over */
    struct child *query;
    int query_pidfd;
    struct buf output;
    bool output_over; /* the end of it was read */
};

/* ---- control_do.c --------------------------------------------------------------------------------------------------- */

/* Does what c->request says: afterwards there is an answer, or c waits. */
void control_do(struct supervisor *s, struct client *c);
/* Something has happened to a job that it waits for. */
void control_hear(struct supervisor *s, struct client *c, const struct daemon_event *e);
/* After the planner has had its turn: who does not wait for the end is answered. */
void control_settle(struct supervisor *s, struct client *c);
void control_started_free(struct client *c);

/* ---- control_query.c ------------------------------------------------------------------------------------------------ */

bool control_is_query(const char *verb);
/* Starts the child; an answer says why it could not be. */
void control_query_start(struct supervisor *s, struct client *c);
/* Takes what it printed; answers when it is over. */
void control_query_look(struct client *c);
void control_query_free(struct client *c);

/* ---- control.c ------------------------------------------------------------------------------------------------------ */

/* Makes the answer that is sent now. error NULL: none. lines (char *) may be NULL. */
void control_answer(struct client *c, int exit_code, const char *error, const struct vec *lines);
/* Says an alarm, and counts for the history (refused.h). */
void control_refuse(struct supervisor *s, const struct control_peer *peer, const char *what);

extern const struct part_kind control_part;

#endif
