/*
 * golden_out.h - files of the golden repository and its negatives (tests/golden/README.md). Everything here
 * ends the program when it fails: it is used by one generator.
 *
 *     struct golden_out o = { .dir = "tests/golden" };
 *     golden_write(&o, "keys/root.pub", data, len, 0644);
 *     golden_read(&o, "repo/ret/00000001.00", &bytes);
 *
 *     golden_negative(&o, "snap-hash-byte", "L0 snap-hash");
 *     golden_change(&o, "repo/w/.../snap/00000005.00", data, len);    // stored as a difference if short
 *     golden_remove(&o, "repo/...");  golden_copy(&o, from, to);  golden_cut(&o, "repo/...", 100);
 *     golden_negative_end(&o);
 */
#ifndef TESTS_SUPPORT_GOLDEN_OUT_H
#define TESTS_SUPPORT_GOLDEN_OUT_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/buffer.h"
#include "common/base/error.h"

struct golden_out {
    const char *dir;
    unsigned number;    /* of the last negative */
    unsigned files;     /* that the negative in progress keeps */
    char negative[128]; /* its directory, below dir */
    struct buf changes;
};

void golden_must(int rc, const struct error *err);
void golden_write(const struct golden_out *o, const char *name, const void *data, size_t len, unsigned mode);
void golden_read(const struct golden_out *o, const char *name, struct buf *out);
/* Moves a file of the repository. */
void golden_rename(const struct golden_out *o, const char *from, const char *to);
void golden_unlink(const struct golden_out *o, const char *name);

void golden_negative(struct golden_out *o, const char *name, const char *expect);
void golden_change(struct golden_out *o, const char *name, const void *data, size_t len);
void golden_remove(struct golden_out *o, const char *name);
void golden_copy(struct golden_out *o, const char *from, const char *to);
void golden_cut(struct golden_out *o, const char *name, size_t len);
/* XORs one byte of a file. */
void golden_flip(struct golden_out *o, const char *name, size_t at, uint8_t mask);
void golden_negative_end(struct golden_out *o);

#endif
