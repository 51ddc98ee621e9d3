/*
 * judge_internal.h - what the files of retention/ share.
 *
 *   judge.c      open, find
 *   decide.c     asks the policy
 *   proven.c     which snapshots passed a drill
 *   notes.c      notes of retention records: what a person said when it was held or expired
 *   report.c     tables, JSON, the summary of a run
 *   space.c      which job needs how much
 *   simulate.c   the nights of the next years
 */
#ifndef BACKUPD_RETENTION_JUDGE_INTERNAL_H
#define BACKUPD_RETENTION_JUDGE_INTERNAL_H

#include "backupd/retention/judge.h"
#include "common/access/access.h"

enum { JUDGE_DATE_MAX = 32 };

/* A live snapshot as the policy sees it. */
struct judged {
    size_t at; /* in prune_snapshots */
    struct policy rules;
    bool has_rules;
};

struct judge {
    struct cli_context *cli;
    struct conf *conf;
    const struct conf_repository *repository;
    struct backend *backend;
    struct retention_keys keys;
    char *state;
    struct prune *prune;
    bool dry;
    size_t alarms;
    bool judged_by_policy;
    uint64_t frees;      /* bytes that come free, in the end, by what has been decided */
    size_t suspicious;   /* jobs */
    struct vec list;     /* struct judged */
    struct vec asked;    /* struct policy_snapshot, parallel to list */
    struct vec verdicts; /* struct policy_verdict, parallel to list */
    struct policy_summary summary;
    struct vec proven;   /* private to proven.c */
    bool proven_unknown; /* the certificates could not be read */
};

struct prune_snapshot *judge_snapshot(const struct judge *j, size_t i);
/* The rules for a label; false: none. */
bool judge_rules(const struct judge *j, const char *label, struct policy *out);
/* What a run at `now` has to know. */
struct policy_run judge_run(const struct judge *j, uint64_t now, uint64_t last_run);
void judge_alarm(struct judge *j, const char *label, const char *text);
/* Tells about jobs whose newest snapshots are suspicious; their number. After the policy. */
size_t judge_suspicious(const struct judge *j);
/* The day in the repository's zone. */
const char *judge_date(char out[JUDGE_DATE_MAX], uint64_t t);

/* proven.c: reads the certificates (once); E_USAGE: the place of evidence is a wrong one. */
int judge_read_proven(struct judge *j, struct error *err);
bool judge_proven(const struct judge *j, const struct prune_snapshot *s);
/* E_USAGE: a rule counts drills, and nothing says where their certificates are. */
int judge_needs_evidence(const struct judge *j, struct error *err);

/* notes.c: who holds it and why, "by anna until 2027-01-01: tax audit", or "" when nothing was noted. */
enum { JUDGE_HOLD_MAX = 400 };
const char *judge_hold_text(const struct judge *j, size_t i, char out[JUDGE_HOLD_MAX], bool *overdue);

#endif
