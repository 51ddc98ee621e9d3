/*
 * check_internal.h - what the parts of a verification share. Private to check*.c.
 *
 *   check.c       levels L0 to L2, findings
 *   check_deep.c  what needs a recipient's key: LK, L3
 *   check_past.c  past deletions
 *   check_reach.c which packs a stream needs
 */
#ifndef COMMON_REPO_CHECK_INTERNAL_H
#define COMMON_REPO_CHECK_INTERNAL_H

#include <stdbool.h>

#include "common/repo/check.h"

struct check {
    const struct repo *repo;
    const struct check_options *options;
    struct check_result *result;
    bool grants_seen;
};

struct check_writer {
    struct check *check;
    const struct repo_writer *writer;
    struct secret *view_key; /* V_w, or NULL */
    struct fetcher *fetcher; /* or NULL */
    struct vec packs;        /* struct record_pack: introduced, not deleted, present with their size */
    struct vec snapshots;    /* struct snapshot *: live and loaded */
};

void check_report(struct check *c, const struct check_finding *f);
/* Reports, with the snapshots that need the pack. */
int check_pack_finding(struct check_writer *w, const struct record_pack *pack, const struct error *why,
                       struct error *err);
/* s may be NULL when it could not be loaded; stream NULL: the object itself. */
int check_snapshot_finding(struct check_writer *w, const struct snapshot *s, const struct repo_record *r,
                           const char *stream, const struct error *why);
/* True for failures that say something about the repository, not about this run. */
bool check_is_verdict(int code);
void check_progress(void *check, uint64_t bytes);

int check_pack_deep(struct check_writer *w, const struct record_pack *pack, struct error *why);
int check_keys(struct check_writer *w, struct error *err);
int check_streams(struct check_writer *w, struct error *err);

/* Deletions that hit what an expired snapshot needed while it was live, as far as views are still there. */
int check_past(struct check_writer *w, struct error *err);

/* Appends each pack (struct pack_key) that the stream's blobs and nodes lie in, once. */
int check_reach(struct fetcher *f, const struct snap_view *view, const struct stream_ref *ref,
                struct vec *packs, struct error *err);
/* ERR_VIEW_INCOMPLETE when the view lacks one of them. */
int check_in_view(const struct vec *packs, const struct snap_view *view, struct error *err);

#endif
