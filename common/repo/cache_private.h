/*
 * cache_private.h - what the files of the cache share; nobody else includes it.
 *
 *     cache.c          open, replay, close, statistics
 *     cache_session.c  a session and its new blobs
 *     cache_pack.c     packs in memory    cache_confirm.c  into the journal    cache_entry.c  their form there
 *     cache_lists.c    chunk lists in memory: the LRU, and the lists of unconfirmed blobs
 *     cache_list_read.c  out of the journal
 *     cache_lookup.c   finding a chunk
 *     cache_stream.c   what the last snapshot of a stream used
 *     cache_sparse.c   what a table leaves behind to be cheap to fetch alone
 *     cache_use.c      how much of each blob a snapshot uses
 *     cache_drain.c    what a job leaves behind so that old blobs and packs end
 *     cache_note.c     these four lists in the journal
 *     cache_compact.c  the journal without what is dead
 *     cache_journal.c  the file           cache_index.c  the hash tables
 */
#ifndef COMMON_REPO_CACHE_PRIVATE_H
#define COMMON_REPO_CACHE_PRIVATE_H

#include "common/base/map.h"
#include "common/base/reader.h"
#include "common/base/writer.h"
#include "common/repo/cache.h"
#include "common/repo/cache_index.h"
#include "common/repo/cache_journal.h"

/* Entries of the journal; the payloads stand where they are written. */
enum cache_entry_type {
    ENTRY_SESSION = 1,    /* u32 session */
    ENTRY_PACK = 2,       /* see cache_entry.c */
    ENTRY_STREAM = 3,     /* a note: cache_stream.c */
    ENTRY_COMMIT = 4,     /* u32 session | u32 seq */
    ENTRY_INTRODUCED = 5, /* u32 seq | u32 n | n x {u32 session, u32 idx} */
    ENTRY_DROP = 6,       /* u32 session | u32 idx */
    ENTRY_SPARSE = 7,     /* a note: cache_sparse.c */
    ENTRY_LEFT = 8,       /* a note: cache_drain.c */
    ENTRY_USAGE = 9,      /* a note: cache_drain.c */
};

/* Lists of blobs, each with a key; the newest one of a key counts, once its session commits. */
enum note_kind { NOTE_STREAM, NOTE_SPARSE, NOTE_LEFT, NOTE_USAGE, NOTE_KINDS };

#define CACHE_BAD_JOURNAL "cache-journal"
#define CACHE_NUMBER_MAX 0x7ffffffdu    /* of a blob: a hook's value holds number + 1 and a bit */
#define CACHE_STARTS_STREAM 0x80000000u /* bit of a chunk's length in the journal */

enum {
    CACHE_LRU_DEFAULT = 48 * MIB,
    CACHE_EXACT_DEFAULT = 11 * MIB / 4, /* 32 MiB of hooks: with more their table doubles */
    CACHE_SAMPLE_DEFAULT = 7,
    CACHE_NUMBER_GAP = 4 * MIB, /* numbers that one pack's entry may pass over */
    CACHE_SAME_HOOKS = 16,
    CACHE_SAME_CHUNKS = 64,
    CACHE_NEIGHBOURS = 3,      /* lists loaded with one that matched */
    CACHE_NEIGHBOURS_LOOK = 8, /* among so many following numbers */
    CACHE_REPAID = 8,          /* a list is repaid by so many hits: credit for as many more */
    CACHE_CREDIT_MAX = 256,    /* loads that need not repay */
    CACHE_CREDIT_TRY = 128,    /* without credit: one lookup in so many may load lists ahead */
    CACHE_LISTS_MAX = (1 << 20) - 1,
    CACHE_POSITION_BITS = 12,
    CACHE_WINDOW = 8, /* blobs of the last snapshot loaded ahead */
    CACHE_STREAMS_MAX = 1 << 20,
    CACHE_USES_MAX = 8 * MIB, /* blobs recorded for a stream */
    CACHE_RECENT = 64,        /* a blob among the last so many recorded is not recorded again */
    CACHE_BLOB_HEAD = 52,     /* of a blob in a pack's entry, before the chunks */
    CACHE_CHUNK_LEN = 20,
    CACHE_CHECK_LEN = 8,
};

_Static_assert(1 << CACHE_POSITION_BITS == BLOB_CHUNKS_MAX, "a position in a list fits");

enum slot_state { SLOT_NONE = 0, SLOT_FRESH, SLOT_KNOWN, SLOT_DAMAGED };

/* One per blob number. */
struct blob_slot {
    uint32_t pack;   /* KNOWN: index in packs */
    uint32_t at;     /* KNOWN: its bytes in the pack's payload */
    uint32_t handle; /* of its list in memory, 0 none */
    uint16_t nchunks;
    uint8_t kind;
    uint8_t state;
    unsigned plen : 31; /* KNOWN */
    unsigned left : 1;  /* the running session's job leaves it behind */
};

struct list_chunk {
    uint8_t id[CHUNK_ID_LEN];
    uint32_t len; /* without the bit */
    uint32_t off; /* sum of the lengths before, and the bit that says it starts a stream */
};
_Static_assert(BLOB_PLAIN_MAX < (1 << 30), "an offset leaves room for a bit");

/* The chunks of one blob. */
struct chunk_list {
    struct chunk_list *older; /* LRU; fresh lists are not in it */
    struct chunk_list *newer;
    struct list_chunk *chunks;
    uint32_t n;
    uint32_t cap;
    uint32_t number;
    uint32_t handle;
    uint32_t len; /* of all chunks */
    uint8_t kind;
    bool placed;
    bool listed;   /* being confirmed */
    uint32_t hits; /* since it was loaded */
    struct blob_ref ref;
};

struct note_place { /* where a note is in the journal */
    uint64_t at;
    uint32_t len;
    uint32_t session; /* that committed it */
};

struct note_hint { /* a note that waits for the commit */
    enum note_kind kind;
    uint64_t key;
    struct note_place place;
};

struct stream_order {
    uint32_t blob;
    uint32_t pos;
};

/* cache_sparse.c */
struct cache_sparse {
    bool on;
    bool before;     /* the stream had a last snapshot */
    uint32_t *avoid; /* ascending */
    size_t navoid;
    struct map uses; /* u32 blob -> struct sparse_use */
    uint32_t last;   /* blob, with bytes that are not in uses yet */
    uint64_t pending;
    uint64_t fresh; /* bytes that nobody had */
};

/* Why the last lookup passed over a copy. */
enum refusal { REFUSED_NOT = 0, REFUSED_DRAIN, REFUSED_ALONE };

struct blob_use {
    uint32_t used; /* plaintext, each byte once */
    uint32_t bits; /* 1 + where its bits begin; 0: it is used from its start, without a gap */
};

/* cache_use.c: how much of each blob the running snapshot uses. */
struct cache_use {
    struct vec blobs; /* struct blob_use by number */
    struct vec bits;  /* u64: a bit for each chunk of blobs that are used with gaps */
};

/* cache_drain.c */
struct cache_drain {
    bool on;
    uint64_t key;            /* of the job */
    uint64_t planned;        /* plaintext that streams alone are going to store again in the next session */
    struct cache_again done; /* in this one */
};

struct cache_stream {
    bool open;
    bool first; /* no chunk of it was stored in the open blob yet */
    uint64_t key;
    uint32_t *last;              /* blobs that its last snapshot used, in order */
    struct stream_order *sorted; /* the same by number */
    size_t nlast;
    size_t window;   /* position in last up to which lists were loaded */
    struct vec uses; /* uint32_t */
    uint32_t recent[CACHE_RECENT];
    size_t nrecent;
    struct cache_sparse sparse;
};

struct cache {
    struct journal journal;
    uint8_t repo_id[REPO_ID_LEN];
    uint8_t writer_id[WRITER_ID_LEN];
    struct cache_limits limits;
    bool damaged;
    uint32_t last_session;
    uint32_t last_seq;
    uint32_t session; /* running, 0 none */

    struct vec slots; /* struct blob_slot by number */
    struct vec packs; /* struct cache_pack */
    struct map pack_index;
    size_t settled;  /* packs before it are introduced or dropped */
    uint32_t fresh;  /* blobs of the session that are not confirmed */
    uint64_t nblobs; /* live */
    uint64_t nchunks;

    struct tagmap hooks;
    bool sampled;

    struct tagmap chunks; /* handle << CACHE_POSITION_BITS | position, of all lists in memory */
    struct vec lists;     /* struct chunk_list * by handle */
    struct vec handles;   /* uint32_t: free ones */
    struct chunk_list *newest;
    struct chunk_list *oldest;
    uint64_t list_bytes; /* of the LRU */
    uint64_t lists_read;
    uint32_t last_hit; /* blob number + 1 */
    unsigned credit;   /* for loading lists: data that comes in random order does not earn it */
    uint32_t tries;
    struct buf scratch;

    struct { /* where the last hit ended */
        uint32_t blob;
        uint32_t end;
        uint32_t pos;
    } cursor;

    struct map notes[NOTE_KINDS]; /* u64 key -> struct note_place of the newest that counts */
    struct vec hints;             /* struct note_hint of the running session */
    struct cache_stream stream;
    struct cache_use use;
    struct cache_drain drain;
    enum refusal refused;
};

static inline uint32_t chunk_tag(const uint8_t *id)
{
    return load_u32(id + 4);
}

static inline struct blob_slot *slot_at(const struct cache *c, uint32_t number)
{
    return number < c->slots.len ? vec_at(&c->slots, number) : NULL;
}

/* Its chunks may match. */
bool slot_live(const struct cache *c, const struct blob_slot *slot);

/* ---- cache_lists.c ---- */
void lists_free(struct cache *c);
/* A list in memory, or NULL. */
struct chunk_list *list_of(const struct cache *c, uint32_t number);
/* Empty, with room for so many chunks; nobody's yet in the LRU. */
struct chunk_list *list_new(struct cache *c, uint32_t number, uint8_t kind, uint32_t cap, struct error *err);
/* The LRU; a fresh list is not in it. */
void list_link_newest(struct cache *c, struct chunk_list *list);
void list_unlink(struct cache *c, struct chunk_list *list);
/* Until the limit holds; the newest stays. */
void list_evict(struct cache *c);
struct chunk_list *list_begin(struct cache *c, uint32_t number, uint8_t kind, struct error *err);
int list_add(struct cache *c, struct chunk_list *list, const uint8_t *id, uint32_t len, bool starts,
             struct error *err);
/* A fresh list's blob was confirmed: from now on it may leave the memory. */
void list_confirmed(struct cache *c, struct chunk_list *list);
void list_drop(struct cache *c, struct chunk_list *list);
bool list_starts_stream(const struct list_chunk *chunk);
uint32_t list_offset(const struct list_chunk *chunk);
/* The position of the chunk that starts at this offset, or n. */
uint32_t list_position(const struct chunk_list *list, uint32_t offset);

/* ---- cache_list_read.c ---- */
/* Reads a KNOWN blob's list; it becomes the newest. 1, 0 when it is damaged (logged), or an error. */
int list_load(struct cache *c, uint32_t number, struct error *err);
/* list_load unless it is there; it becomes the newest. */
int list_touch(struct cache *c, uint32_t number, struct error *err);
/* Looks for a chunk in a KNOWN blob's bytes in the journal, keeping nothing. 1 and *out, 0, or an error. */
int list_peek(struct cache *c, uint32_t number, const uint8_t *id, uint32_t len, struct cache_hit *out,
              struct error *err);

/* ---- cache_entry.c ---- */
struct pack_blob { /* of a pack's entry */
    struct blob_ref ref;
    const uint8_t *chunks; /* in place, CACHE_CHUNK_LEN each */
    uint32_t number;
    uint32_t at; /* in the payload */
    uint16_t nchunks;
    uint8_t kind;
};
void entry_write_pack(struct writer *w, const struct cache_pack *pack);
void entry_write_list(struct writer *w, const struct chunk_list *list);
void entry_write_import(struct writer *w, uint32_t number, const struct cache_import *blob);
int entry_read_pack(struct reader *r, struct cache_pack *pack, struct error *err);
int entry_read_blob(struct reader *r, const struct cache_pack *pack, struct pack_blob *b, struct error *err);
int entry_bad_pack(struct error *err, const char *what);

/* ---- cache_session.c ---- */
int replay_session(struct cache *c, const uint8_t *payload, size_t len, struct error *err);
int replay_commit(struct cache *c, const uint8_t *payload, size_t len, struct error *err);

/* ---- cache_pack.c ---- */
/* What a pack's entry says of its blobs is possible; adds up pack->nchunks and pack->plain. */
int pack_check_blobs(const struct cache *c, struct reader r, struct cache_pack *pack, struct error *err);
struct cache_pack *pack_find(const struct cache *c, uint32_t session, uint32_t idx);
/* Takes a pack's journal entry into the tables; checks it whole before. */
int pack_apply(struct cache *c, uint64_t at, const uint8_t *payload, size_t len, struct error *err);
int pack_apply_introduced(struct cache *c, const uint8_t *payload, size_t len, struct error *err);
int pack_apply_drop(struct cache *c, const uint8_t *payload, size_t len, struct error *err);
void pack_apply_commit(struct cache *c);
/* Forgets hooks of dropped packs. */
int pack_purge_hooks(struct cache *c, struct error *err);

/* ---- cache_note.c ---- */
enum { NOTE_HEAD = 16 };
/* Bytes of an item. */
size_t note_item(enum note_kind kind);
/* The type of its entries; and back, -1 for others. */
enum cache_entry_type note_type(enum note_kind kind);
int note_kind_of(uint32_t type);
const struct note_place *note_find(const struct cache *c, enum note_kind kind, uint64_t key);
/* Its items; nothing when there is none, or it is damaged (logged). */
int note_read(struct cache *c, enum note_kind kind, uint64_t key, struct buf *items, struct error *err);
/* For a note that is written elsewhere: its head, and the number of items once they are there. */
void note_write_head(struct writer *w, uint32_t session, uint64_t key);
void note_set_count(struct buf *entry, enum note_kind kind);
/* Whether there is room for one more stream's notes, or for new ones of a known one. */
bool note_has_room(const struct cache *c, enum note_kind kind, uint64_t key);
/* Appends one to the journal. Does nothing outside of a session. */
int note_put(struct cache *c, enum note_kind kind, uint64_t key, const struct buf *items, struct error *err);
int note_apply(struct cache *c, enum note_kind kind, uint64_t at, const uint8_t *payload, size_t len,
               struct error *err);
int note_apply_commit(struct cache *c, struct error *err);

/* ---- cache_stream.c ---- */
void stream_free(struct cache_stream *s);
/* Was the blob used by the last snapshot of the open stream? *pos: where in its list. */
bool stream_used(const struct cache_stream *s, uint32_t blob, size_t *pos);
/* A chunk was found in the blob: moves the window. */
int stream_hit(struct cache *c, uint32_t blob, struct error *err);

/* ---- cache_sparse.c ---- */
void sparse_free(struct cache_sparse *s);
/* The stream does not find its chunks in this blob. */
bool sparse_avoids(const struct cache_sparse *s, uint32_t blob);
/* Notes what the next session of this stream avoids. */
int sparse_end(struct cache *c, struct error *err);

/* ---- cache_use.c ---- */
void use_free(struct cache_use *u);
/* Plaintext bytes of it that the running snapshot uses. */
uint32_t use_of(const struct cache *c, uint32_t blob);

/* ---- cache_drain.c ---- */
/* At the end of a session, with a commit or without. */
void drain_free(struct cache *c);
/* A chunk is stored after the last lookup: counted when it was known. */
void drain_stored(struct cache *c, uint32_t len);

/* ---- cache_compact.c ---- */
#define JOURNAL_NAME "journal"
#define JOURNAL_NEW_NAME "journal.new"
uint64_t compact_dead(const struct cache *c);
/* Removes what a crash may have left. */
int compact_clean(const char *dir, struct error *err);
/* cache.c: cache_open, of this file. */
int cache_open_file(const char *dir, const char *name, const uint8_t *repo_id, const uint8_t *writer_id,
                    const struct cache_limits *limits, struct cache **out, struct error *err);

#endif
