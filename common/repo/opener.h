/*
 * opener.h - what a reader holds, and what it has for one writer.
 *
 * Either the roots W and V, from which everything follows, or a drill kit, which holds those of some writers only.
 */
#ifndef COMMON_REPO_OPENER_H
#define COMMON_REPO_OPENER_H

#include "common/repo/drill_keys.h"

struct opened_shares;

/* Borrowed. */
struct opener {
    const struct secret *w;          /* W, or NULL */
    const struct secret *v;          /* V, or NULL */
    const struct drill_keys *drill;  /* a drill kit: then w and v are NULL; or NULL */
    const struct secret *const *sks; /* recipients' X25519 secret keys */
    size_t nsks;
    const struct opened_shares *opened; /* what other people passed on, or NULL */
};

/* Whether it has W_w, or V_w, of this writer. */
bool opener_has_root(const struct opener *o, const uint8_t id[WRITER_ID_LEN]);
bool opener_has_view(const struct opener *o, const uint8_t id[WRITER_ID_LEN]);
/* W_w and V_w, for secret_free(); NULL with err: E_AUTH when it does not have it. */
struct secret *opener_root(const struct opener *o, const uint8_t id[WRITER_ID_LEN], struct error *err);
struct secret *opener_view(const struct opener *o, const uint8_t id[WRITER_ID_LEN], struct error *err);

#endif
