/*
 * attack_scan.h - every 32-byte window of files, handed to attack_try.h.
 *
 *     scan_init(&s, &plan, err);
 *     scan_add_path(&s, path, err)...;        files, and directories with all below
 *     scan_add_bytes(&s, name, data, len, err);
 *     scan_run(&s, threads, err);
 *     scan_report(&s);
 *     scan_free(&s);
 *
 * Left out, because a random key looks like that with a probability of less than 1e-9 in all:
 * windows with few distinct bytes, with one value eight times or more, and with no byte above 127.
 * A window seen before is not tried again: a table of 8-byte fingerprints under a random key remembers them
 * (a slot taken by another one is forgotten, which only costs time).
 *
 * Beside the windows themselves three disguises are tried: 64 hex digits, a key whose halves lie twice each
 * in a row (as vector registers hold it), and 64 signed digits of a scalar (as Ed25519 code holds it).
 */
#ifndef TESTS_SUPPORT_ATTACK_SCAN_H
#define TESTS_SUPPORT_ATTACK_SCAN_H

#include "tests/support/attack_try.h"

struct scan_file {
    char *name;
    const uint8_t *data;
    size_t len;
};
struct scan_counts {
    uint64_t windows, few, heavy, text, duplicate, tried, disguised;
};

struct scan {
    const struct plan *plan;
    struct vec files; /* struct scan_file */
    uint64_t bytes;
    unsigned least; /* distinct bytes */
    double bound;   /* probability that a random key is left out */
    uint64_t *seen; /* fingerprints */
    size_t seen_mask;
    uint64_t salt[4];
    pthread_mutex_t lock;
    size_t file; /* the next piece of work */
    size_t at;
    uint64_t done;
    double started, told;
    struct scan_counts counts;
};

int scan_init(struct scan *s, const struct plan *plan, struct error *err);
int scan_add_path(struct scan *s, const char *path, struct error *err);
/* data is borrowed. */
int scan_add_bytes(struct scan *s, const char *name, const uint8_t *data, size_t len, struct error *err);
int scan_run(struct scan *s, unsigned threads, struct error *err);
void scan_report(const struct scan *s);
void scan_free(struct scan *s);

/* "FILE, offset N", and for the dumps of memdump the mapping. */
void scan_place(char out[256], const char *file, size_t offset);

#endif
