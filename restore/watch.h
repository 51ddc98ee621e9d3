/*
 * watch.h - what `restore watch` finds: one row for each writer, and what is wrong with the repository.
 *
 *     struct watch w;
 *     watch_init(&w, cli, &station, now);
 *     rc = watch_read_options(&w, err);             // --names, --max-age, --warn-age; before the storage is asked
 *     rc = watch_look(&w, err);                     // an open station: logs, listings, times of files
 *     rc = watch_report(&w, err);                   // the summary line, then the rows; with --json lines of JSON
 *     watch_free(&w);
 */
#ifndef RESTORE_WATCH_H
#define RESTORE_WATCH_H

#include "common/conf/conf.h"
#include "restore/station.h"
#include "restore/watch_judge.h"

enum {
    WATCH_TEXT_MAX = 400,
    WATCH_NAMES_FILE_MAX = 1024 * 1024,
    WATCH_PROBLEMS_MAX = 20, /* shown; the rest is counted */
    WATCH_DISAGREE = 3600,   /* seconds by which the two times of a record may differ */
};

struct watch_name {
    char name[CONF_NAME_MAX + 1];
    uint8_t writer[WRITER_ID_LEN];
};

/* --max-age and --warn-age as given. */
struct watch_wish {
    char writer[CONF_NAME_MAX + 1]; /* a name or an id; "": for all */
    bool used;
    struct watch_rule rule;
};

struct watch_row {
    const struct repo_writer *writer;
    char id[2 * WRITER_ID_LEN + 1];
    char name[CONF_NAME_MAX + 1]; /* of the job; the id where it is not known */
    bool named;
    bool retired;
    bool spare;                     /* never published, and nobody says that it should have */
    const struct repo_record *last; /* the newest good snapshot; NULL: none */
    uint64_t claimed;               /* its time as the writer says */
    uint64_t stored;                /* as the storage says; 0: not known */
    uint64_t when; /* the older of the two; of a writer without snapshots when it was enrolled; 0: unknown */
    uint64_t age;
    struct watch_usual usual;
    struct watch_limits limits;
    enum watch_verdict verdict;
    char text[WATCH_TEXT_MAX];
};

struct watch {
    struct cli_context *cli;
    struct station *st;
    uint64_t now;
    struct vec names;    /* struct watch_name */
    struct vec wishes;   /* struct watch_wish */
    struct vec rows;     /* struct watch_row, the worst first */
    struct vec problems; /* char *: what is wrong with logs and files, the first WATCH_PROBLEMS_MAX */
    uint64_t nproblems;
    enum watch_verdict verdict;
};

void watch_init(struct watch *w, struct cli_context *cli, struct station *st, uint64_t now);
void watch_free(struct watch *w);

int watch_read_options(struct watch *w, struct error *err);
int watch_look(struct watch *w, struct error *err);
int watch_report(struct watch *w, struct error *err);
/* When there is nothing to report: one line, or one JSON object. verdict is WATCH_CRITICAL or WATCH_UNKNOWN. */
void watch_report_failure(struct cli_context *cli, enum watch_verdict verdict, const struct error *why);

/* ---- inside (watch_names.c) ------------------------------------------------------------------------------- */
/* Its name, or NULL. */
const char *watch_name_of(const struct watch *w, const uint8_t id[WRITER_ID_LEN]);
/* The rule for a row; *own: somebody named this very writer. */
struct watch_rule watch_rule_of(struct watch *w, const struct watch_row *row, bool *own);
/* E_USAGE: a --max-age is for a writer that is not there. */
int watch_wishes_used(const struct watch *w, struct error *err);

#endif
