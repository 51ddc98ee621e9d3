/*
 * session.h - one run of one job by its writer: streams in, a published snapshot out.
 *
 *     session_begin(&options, &s, err);
 *     session_stream(s, &stream, &w, err);               one stream at a time
 *       stream_write(w, data, len, err)...; stream_finish(w, facts, err);
 *     session_member(s, &entry, err);                    a directory or a link: a member without bytes
 *     session_note(s, "tag", "monthly", err);            what retention may see
 *     session_commit(s, facts, &result, err);            only after the producer's verdict
 *     session_free(s);                                   without a commit: nothing is published
 *
 * begin does what has to be true before anything is stored (format.md 10, 12, 13): lock, marks against
 * rollback, a record of an earlier run that was on its way, the cache (rebuilt from trailers when it is lost),
 * what the storage still has, adoption of packs that an earlier run finished. Everything it finds odd goes to
 * log_event as a warning or an alarm.
 *
 * commit stores the catalog and the snapshot object, journals the record, publishes it, and looks at the
 * retention log once more (W6): E_RETRY "unconfirmed" means that the same run must be made again, cheaply.
 *
 * The session's key exists only between begin and commit, on guarded memory.
 * Single-threaded for the caller; the work behind runs in the pipeline's threads.
 */
#ifndef COMMON_REPO_SESSION_H
#define COMMON_REPO_SESSION_H

#include "common/archive/catalog.h"
#include "common/backend/backend.h"
#include "common/repo/format.h"
#include "common/repo/keys.h"
#include "common/repo/record.h"

struct session;
struct session_numbers;

struct session_options {
    struct backend *backend;        /* borrowed; cloned for uploads */
    const struct writer_keys *keys; /* borrowed */
    const char *state_dir;          /* this writer's own directory; made 0700 when missing */
    const char *label;              /* the job's name, at most LABEL_MAX bytes of UTF-8 */
    unsigned workers;               /* compression threads; 0: by processors */
    unsigned uploads;               /* connections; 0: 2 */
    int level;                      /* zstd; 0: 3 */
    uint32_t chunk_avg;             /* measurements: content mode, whatever a stream says; 0: what it says */
    bool force_content;             /* measurements: content mode also for pages */
    bool scattered;                 /* measurements: nothing is stored again to keep a stream together */
    bool scrub;                     /* re-hash one random stored pack at begin */
    void (*uploaded)(void *arg, uint64_t bytes); /* from another thread; may be NULL */
    void *arg;
    /* In commit, when everything is stored and before the snapshot object is made: the last moment for notes
     * (session_note). A failure is that of the commit. May be NULL. */
    int (*judge)(void *arg, struct session *s, const struct session_numbers *numbers, struct error *err);
    void *judge_arg;
};

/* log.h: the kind of the alarm about each pack that is lost. */
#define SESSION_LOST_KIND "packs"

/* What a session has done when everything is stored, for judge(). */
struct session_numbers {
    uint64_t streams, members;
    uint64_t logical;
    uint64_t fresh; /* bytes of the source that were not stored before; without what is stored again */
    uint64_t sampled, packed; /* of new bytes: so many were compressed on trial, and what they became */
    uint64_t stored;
    uint64_t lost; /* packs that the storage had lost or damaged when the session began */
};

struct session_result {
    uint32_t session;
    uint32_t seq;
    uint32_t charter;
    uint32_t retention;         /* record acknowledged; 0: none */
    uint64_t started, finished; /* seconds since 1970 */
    uint64_t streams;
    uint64_t members;  /* streams, directories and links */
    uint64_t logical;  /* bytes of all streams */
    uint64_t fresh;    /* plaintext bytes that went into new blobs */
    uint64_t gathered; /* of these, stored before: that a table stays cheap to fetch alone */
    uint64_t drained;  /* the same: out of old packs and blobs that are hardly used any more */
    uint64_t stored;   /* bytes of packs uploaded by this run */
    uint64_t packs;    /* their number */
    uint64_t adopted;  /* packs of an earlier, unfinished run that this record introduces */
    uint64_t needed;   /* packs this snapshot refers to */
    char receipt[RECEIPT_LEN + 1];
};

struct stream_writer;

struct session_stream_options {
    const char *name;   /* UTF-8 path, unique in the session */
    uint32_t page_size; /* 0: content-defined chunks */
    uint32_t chunk_avg; /* of those, 512..8192 bytes; 0: 2 KiB */
    bool no_dedup;      /* no chunk ids anywhere */
    uint32_t mode_bits; /* permission bits for a restore */
    /* Of a regular file, or NULL. Its path (any bytes) and its mode then stand for name and mode_bits. Copied. */
    const struct catalog_entry *entry;
};

int session_begin(const struct session_options *options, struct session **out, struct error *err);
uint32_t session_number(const struct session *s);

/* w is owned by the session; it ends with stream_finish (or with the session). */
int session_stream(struct session *s, const struct session_stream_options *options, struct stream_writer **w,
                   struct error *err);
int stream_write(struct stream_writer *w, const void *data, size_t len, struct error *err);
/* facts: "key=value\n" lines, at most MEMBER_FACTS_MAX bytes; may be NULL. */
int stream_finish(struct stream_writer *w, const char *facts, struct error *err);

/* Of the stream that was finished last; fresh, sampled and packed as in session_numbers (a file of a tree has no
 * sample of its own). */
struct session_stream_numbers {
    uint64_t len;
    uint64_t fresh, sampled, packed;
};
void session_stream_numbers(const struct session *s, struct session_stream_numbers *out);

/* A directory, symbolic link or hard link; copied. A hard link names a regular member whose path sorts before. */
int session_member(struct session *s, const struct catalog_entry *entry, struct error *err);

/* A note of the view (snap.h): what whoever holds only the view key may see. key: [a-z_]; value: UTF-8 of one
 * line, not empty. E_USAGE otherwise, also when there are too many. */
int session_note(struct session *s, const char *key, const char *value, struct error *err);

int session_commit(struct session *s, const char *facts, struct session_result *result, struct error *err);
void session_free(struct session *s);

#endif
