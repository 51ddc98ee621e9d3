/*
 * conn.h - one connection to a MariaDB server, which never waits beyond its due.
 *
 *     struct maria_address a = { .socket = "/run/mysqld/mysqld.sock", .user = "backupd" };
 *     struct maria c;
 *     rc = maria_open(&c, &a, err);
 *     rc = maria_session(&c, lock_ms, err);          // the settings that make output the same everywhere
 *     rc = maria_query(&c, sql, &result, err);       // mysql_free_result
 *     maria_close(&c);                               // a zeroed one is fine
 *
 * Every wait is a poll that looks for a requested stop (E_CANCELLED) and calls
 * `tick`, at least about once a second. Errors carry the server's message, this
 * connection's name, and a code by the server's number: passing trouble (a lost
 * connection, a server that shuts down, a lock not obtained, a definition that
 * changed under the snapshot) is E_RETRY. After a lost or stopped connection only
 * maria_close is legal.
 *
 * The server may never ask for a file of this machine: LOAD DATA LOCAL is
 * refused, and where a restore allows it, the bytes come from memory, whatever
 * name the server says (maria_load). One statement a call; the server refuses
 * more.
 */
#ifndef COMMON_ENGINE_MARIADB_CONN_H
#define COMMON_ENGINE_MARIADB_CONN_H

#include <mysql.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/base/vec.h"

enum { MARIA_WHERE_MAX = 272, MARIA_PASSWORD_MAX = 4096 };

/* How a server is reached. Borrowed; NULL is not given. */
struct maria_address {
    const char *host; /* a name or an address; NULL: a socket */
    const char *socket;
    unsigned port;             /* 0: the default */
    const char *user;          /* NULL: as the defaults say, else the account of this process */
    const char *password_file; /* its first line is the password; refused when others can read it */
    const char *defaults_file; /* an option file with a group [client]; refused when others can read it */
    bool own_defaults;         /* the person's own: ~/.my.cnf and those of the system */
    const char *ssl_ca;        /* a file of certificates */
    bool ssl_verify;           /* TLS with a certificate that fits the host */
    bool local_files;          /* maria_load is used */
    const char *database;      /* or NULL */
};

struct maria {
    MYSQL *conn;
    char where[MARIA_WHERE_MAX];               /* "database shop at /run/mysqld/mysqld.sock", printable */
    unsigned number;                           /* of the server's last error, or 0 */
    int (*tick)(void *arg, struct error *err); /* while waiting; a failure ends the wait; or NULL */
    void *tick_arg;
    bool broken; /* a wait was given up: nothing more can be asked */
    /* maria_load: what the server gets when it asks for a file */
    const uint8_t *load;
    size_t load_left;
};

/* True for an address of this machine: a socket, localhost, 127.0.0.0/8, ::1. */
bool maria_is_local(const struct maria_address *a);
/* E_DENIED when others can read it; `what` is for messages ("job shop: password_file"). */
int maria_check_private(const char *what, const char *path, struct error *err);
/* The first line of a file, for buf_wipe, with a NUL. */
int maria_password(const char *path, struct buf *out, struct error *err);

int maria_open(struct maria *c, const struct maria_address *a, struct error *err);
void maria_close(struct maria *c);
/* The connecting alone, once its options are set; for maria_open. */
int maria_connect(struct maria *c, const struct maria_address *a, const char *password, struct error *err);

/* Bytes of rows are the same for every session that did this. lock_ms 0: the server's own limit. */
int maria_session(struct maria *c, uint64_t lock_ms, struct error *err);
/* What of it changes bytes, for a fact. */
const char *maria_session_text(void);

/* The whole result in memory; *out NULL when the statement gives no rows. For lists of names, not for tables. */
int maria_query(struct maria *c, const char *sql, MYSQL_RES **out, struct error *err);
int maria_queryf(struct maria *c, MYSQL_RES **out, struct error *err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
int maria_exec(struct maria *c, const char *sql, struct error *err);
int maria_exec_len(struct maria *c, const char *sql, size_t len, struct error *err);
int maria_execf(struct maria *c, struct error *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The first field of the first row, for free(); "" when it is NULL; E_NOT_FOUND without a row. */
char *maria_text(struct maria *c, const char *sql, struct error *err);
int maria_number(struct maria *c, const char *sql, int64_t *out, struct error *err);

/* Rows one by one: after maria_start, until *out is NULL. */
int maria_start(struct maria *c, const char *sql, MYSQL_RES **out, struct error *err);
int maria_row(struct maria *c, MYSQL_RES *result, MYSQL_ROW *out, struct error *err);
/* Frees a result (or NULL) whose rows nobody wants any more, without fetching them: the connection is broken. */
void maria_abandon(struct maria *c, MYSQL_RES *result);

/* Runs a LOAD DATA LOCAL statement whose "file" is these bytes. */
int maria_load(struct maria *c, const char *sql, const void *data, size_t len, struct error *err);

/* Records the server's last error: "where: what: message"; returns its code. */
int maria_error(struct maria *c, const char *what, struct error *err);
/* The code in err, for calls that return a pointer. */
int maria_failed(const struct error *err);
/* The code that belongs to an error number of server or library. */
int maria_code_of(unsigned number);

#endif
