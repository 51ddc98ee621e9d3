/*
 * check.h - verification, level by level (format.md, section "Verify levels").
 *
 *   L0  root public key             logs, signatures, each introduced pack and snap present with its size
 *   L1  + reads everything          every byte is what its writer signed
 *   L2  + V                         every pack that a live snapshot lists exists; past deletions hit nothing that a
 *                                   view which is still there needed
 *   LK  + R_i, W                    these keys open every session (headers only)
 *   L3  + R_i, W, reads everything  every blob opens and decodes, every tree and catalog holds together, every
 *                                   stream has its check
 * L1 contains L0; L2 contains L0 (and L1's reading only when asked for); L3 contains all of them.
 *
 *     check_run(repo, &options, &result, err);    // 0 also when something is wrong: look at result.findings
 *
 * A finding names the object, the format's error name, and the snapshots it hits (known with V). Failures that
 * are no verdict about the repository (lost connection, no memory) are returned as errors.
 */
#ifndef COMMON_REPO_CHECK_H
#define COMMON_REPO_CHECK_H

#include "common/repo/fetch.h"
#include "common/repo/repo.h"
#include "common/repo/snapshot.h"

enum check_level { CHECK_L0, CHECK_L1, CHECK_L2, CHECK_LK, CHECK_L3 };

struct check_finding {
    const char *name;  /* ERR_* */
    bool note;         /* harmless */
    const char *where; /* file, or stream of a snapshot */
    const char *text;
    const char *const *snapshots; /* names of the live snapshots hit */
    size_t nsnapshots;
};

struct check_options {
    enum check_level level;
    /* L0 without reading: snapshot objects, too, are compared by the sizes that are listed. */
    bool listed_only;
    struct opener opener; /* what the caller holds; members may be NULL */
    uint32_t subset;      /* hundredths of a percent of the packs to read, at random; 0: all */
    /* Which files to read, by name: packs, and at L3 also the snapshots whose streams are read. NULL: as subset says. What
     * became of those that were read is told to `looked`. */
    bool (*wanted)(void *arg, const char *name);
    void (*looked)(void *arg, const char *name, bool sound);
    const uint8_t *writer; /* only this writer; NULL: all */
    uint32_t session;      /* L3: only this snapshot's streams; 0: all live ones */
    void (*finding)(void *arg, const struct check_finding *f);
    void (*total)(void *arg, uint64_t bytes);    /* more bytes to come; may be NULL */
    void (*progress)(void *arg, uint64_t bytes); /* bytes done; may be NULL */
    void *arg;
};

struct check_result {
    uint64_t writers;
    uint64_t records;
    uint64_t snapshots; /* live ones looked at */
    uint64_t packs;     /* introduced and not deleted */
    uint64_t packs_read;
    uint64_t bytes_read;       /* of packs and snaps, whole */
    uint64_t sessions_opened;  /* LK: headers */
    uint64_t sessions_granted; /* LK, L3: sessions that only a grant opened */
    uint64_t grants;           /* LK: entries of grants for these keys */
    uint64_t blobs;            /* opened and decoded */
    uint64_t streams;          /* read whole and checked */
    uint64_t stream_bytes;
    uint64_t findings; /* that are not notes */
};

int check_run(const struct repo *repo, const struct check_options *options, struct check_result *result,
              struct error *err);

#endif
