/*
 * fault.h - a decorator that fails, cuts or lies at the N-th operation.
 *
 * Every call through the contract counts as one operation (each upload_write
 * and upload_finish too). Clones share the plan and its counter. Tests repeat a
 * run with at = 1, 2, 3 ... until the plan did not fire.
 */
#ifndef COMMON_BACKEND_FAULT_H
#define COMMON_BACKEND_FAULT_H

#include "common/backend/backend.h"

enum fault_kind {
    FAULT_FAIL,     /* the operation does not happen and returns `code` */
    FAULT_CUT,      /* a write stores half its bytes, then fails with E_RETRY; other operations as FAIL */
    FAULT_LOST_ACK, /* the operation happens, but E_RETRY is returned */
    FAULT_LIE,      /* a read, stat or list succeeds with wrong bytes, size or a missing entry;
                       a write or finish says yes but stores nothing more */
    FAULT_DEAD,     /* from this operation on every one fails with `code` (the process died) */
};

struct fault_plan {
    enum fault_kind kind;
    unsigned long at;    /* 1 = the first operation; 0 = never */
    int code;            /* for FAULT_FAIL and FAULT_DEAD */
    unsigned long count; /* operations seen so far (updated atomically) */
    bool fired;
};

/* Takes ownership of `inner` (also on failure); `plan` is borrowed and must outlive all clones. */
struct backend *backend_fault(struct backend *inner, struct fault_plan *plan, struct error *err);

#endif
