/*
 * internal.h - what the files of this engine share; not for others.
 */
#ifndef COMMON_ENGINE_MARIABACKUP_INTERNAL_H
#define COMMON_ENGINE_MARIABACKUP_INTERNAL_H

#include "common/base/buffer.h"
#include "common/engine/mariabackup/mariabackup.h"

#define MB_STREAM "backup.mbstream"
#define MB_SERIES "10.11" /* of the servers this was tested with */
#define MB_INCOMPLETE "INCOMPLETE-RESTORE"

enum { MB_VERSION_MAX = 96, MB_SERIES_MAX = 16, MB_CONNECT_MAX = 5, MB_OPTION_MAX = 512 };

/* settings.c */
struct mb_settings {
    const char *job;
    const char *bin_dir; /* or NULL */
    uint64_t timeout_ms;
    uint64_t stall_ms;
    bool allow_untested;
    char connect[MB_CONNECT_MAX]
                [MB_OPTION_MAX]; /* --defaults-file=, which must be first, --socket= and so on */
    size_t nconnect;
};

int mb_settings_read(const struct engine_job *job, struct mb_settings *out, struct error *err);

/* tool.c: "10.11.19-MariaDB-log" has the series "10.11"; "" when it is no version of MariaDB. */
const char *mb_series(const char *version, char out[MB_SERIES_MAX]);
/* A program of bin_dir or PATH: the first of `names` that is there, for free(). */
char *mb_tool_find(const char *bin_dir, const char *const *names, struct error *err);
struct mb_tool {
    char *path;
    char version[MB_VERSION_MAX];
};
/* mariabackup of this series (E_NOT_FOUND and E_UNSUPPORTED name the package); series NULL: any. */
int mb_tool_mariabackup(const char *bin_dir, const char *series, struct mb_tool *out, struct error *err);
/* It ended, with status 0 and "completed OK!" as its last words? For child_finish's rc and err. */
struct child;
int mb_tool_verdict(const struct child *c, int rc, const char *what, struct error *err);

/* server.c: what the server says, asked through the client `mariadb`. */
struct mb_server {
    char version[MB_VERSION_MAX];
    char series[MB_SERIES_MAX];
    char datadir[512];
    char account[256]; /* user@host */
    bool reload, process, lock_tables, binlog_monitor;
    bool encrypted;
    struct buf elsewhere; /* tables outside the data directory, "a, b"; asked only with PROCESS */
};
int mb_server_ask(const struct mb_settings *s, struct mb_server *out, struct error *err);
void mb_server_free(struct mb_server *s);

int mb_probe(const struct engine_job *job, engine_finding_fn *fn, void *arg, struct error *err);

/* restore.c */
int mb_look(const struct engine_target *target, struct error *err);
int mb_restore(const struct engine_streams *streams, const struct engine_target *target, struct error *err);

/* export.c */
int mariabackup_export(const struct engine_streams *streams, const char *run_facts,
                       const struct engine_export *out, struct error *err);

#endif
