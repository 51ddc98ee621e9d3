/*
 * golden.h - what the parts of the golden generator (tests/tool/make_golden.c) share.
 *
 *   golden_keys.c       keys, key files, charters
 *   golden_run.c        sessions, retention records, names of files, the list of what is expected
 *   golden_story.c      what happens in the repository, day by day
 *   golden_negatives.c  negatives of charters and logs
 *   golden_broken.c     negatives of packs, snapshot objects and everything sealed in them
 *   golden_forge.c      one session built byte by byte
 *   golden_people.c     grants, a request and its approval
 *   golden_out.c        files and negatives on disk
 *
 * Everything ends the program when it fails.
 */
#ifndef TESTS_SUPPORT_GOLDEN_H
#define TESTS_SUPPORT_GOLDEN_H

#include "common/repo/repo.h"
#include "common/repo/session.h"
#include "tests/support/golden_forge.h"
#include "tests/support/golden_out.h"

enum {
    DAY = 86400,
    SHOP = 0, /* writers */
    BLOG = 1,
    SPARE = 2,
    WRITERS = 3,
    MEMBERS = 3,
};

struct golden {
    struct golden_out out;
    struct error err;
    struct backend *backend;
    uint64_t now;
    char state[256]; /* of the writers, below the temporary directory */
    struct root_keys root;
    uint8_t root_pk[SIGN_PK_LEN];
    struct restore_kit kit;
    struct member_kit members[MEMBERS];
    struct writer_keys writers[WRITERS];
    struct retention_keys retention;
    struct buf list; /* expected/list.txt */
    unsigned kept;
    struct forge_base forge;
};

static inline void must(struct golden *g, int rc)
{
    golden_must(rc, &g->err);
}

static inline void *must_have(struct golden *g, void *p)
{
    if (p == NULL)
        golden_must(g->err.code < 0 ? g->err.code : E_NOMEM, &g->err);
    return p;
}

/* The clock goes on. */
static inline void after(struct golden *g, uint64_t seconds)
{
    g->now += seconds;
}

/* ---- golden_keys.c ---- */
void golden_make_keys(struct golden *g);
void golden_first_charter(struct golden *g, struct charter *c);
void golden_second_charter(struct golden *g, const struct charter *first, struct charter *c);
void golden_publish_charter(struct golden *g, struct charter *c, const struct charter *prev);

/* ---- golden_run.c ---- */
struct golden_stream {
    const char *name;
    const char *facts;
    uint8_t *data;
    size_t len;
    uint32_t page_size;
    bool no_dedup;
};

struct golden_run {
    struct golden *g;
    size_t writer;
    const char *label;
    bool keep;
    struct session *session;
    char state[sizeof((struct golden *)0)->state + 8];
};

void golden_run_begin(struct golden_run *r, struct golden *g, size_t writer, const char *label);
/* keep: the snapshot will be live at the end, and its content is expected. */
void golden_run_streams(struct golden_run *r, const struct golden_stream *s, size_t n, bool keep);
/* expected: the code that the commit must give. */
void golden_run_commit(struct golden_run *r, int expected);
void golden_run_all(struct golden *g, size_t writer, const char *label, const struct golden_stream *s,
                    size_t n, bool keep);
void golden_expect_stream(struct golden *g, size_t writer, const char *snapshot, const char *path,
                          const char *facts, const void *data, size_t len);

/* What the view of a live snapshot says besides. */
void golden_expect_notes(struct golden *g, size_t writer, const char *snapshot, const char *notes);

struct golden_item {
    size_t writer;
    uint32_t session, idx;
};

struct golden_plan {
    uint32_t fence[2];
    uint32_t head[2]; /* 0: the newest */
    struct {
        size_t writer;
        uint32_t seq;
        uint32_t op;
    } ops[4];
    size_t nops;
    struct golden_item condemned[4], deleted[4];
    size_t ncondemned, ndeleted;
    const char *note;
    /* twists of the last record */
    uint32_t charter;
    bool prev_wrong, hash_wrong, unknown_writer;
};

struct repo *golden_open_repo(struct golden *g);
/* Record seq of the retention log, as it follows the first seq - 1 of them. */
void golden_build_retention(struct golden *g, const struct repo *repo, uint32_t seq,
                            const struct golden_plan *p, struct buf *out);
void golden_retain(struct golden *g, const struct golden_plan *p);

struct golden_path {
    char text[NAME_TEXT_MAX + 8];
};

struct golden_path golden_record_path(const struct golden *g, size_t writer, uint32_t seq, uint8_t attempt);
struct golden_path golden_snap_path(const struct golden *g, size_t writer, uint32_t session);
struct golden_path golden_pack_path(const struct golden *g, size_t writer, uint32_t session, uint8_t attempt);
struct golden_path golden_retention_path(uint32_t seq, uint8_t attempt);
struct golden_path golden_charter_path(uint32_t version);

/* ---- golden_story.c ---- */
void golden_story(struct golden *g);
void golden_list_records(struct golden *g);

/* ---- golden_negatives.c, golden_broken.c ---- */
void golden_negative_charters(struct golden *g);
void golden_negative_logs(struct golden *g);
void golden_negative_retention(struct golden *g);
void golden_negative_objects(struct golden *g);
void golden_negative_forged(struct golden *g);

/* ---- golden_people.c: last of all, so that what is above keeps its bytes ---- */
void golden_people(struct golden *g);

#endif
