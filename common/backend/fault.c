#include "common/backend/fault.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/str.h"

#include "common/base/banned.h"

struct fault {
    struct backend base;
    struct backend *inner;
    struct fault_plan *plan;
};

struct fault_upload {
    struct upload base;
    struct upload *inner; /* NULL once finished, or when it never existed */
    bool mute;            /* a lie was told: nothing more is stored */
};

/* What one operation is to do. */
enum fate { FATE_PASS, FATE_FAIL, FATE_CUT, FATE_LOST_ACK, FATE_LIE };

static struct fault *fault_of(struct backend *b)
{
    return (struct fault *)(void *)b;
}

static enum fate next_fate(struct fault_plan *p)
{
    unsigned long n = __atomic_add_fetch(&p->count, 1, __ATOMIC_SEQ_CST);
    bool hit = p->at != 0 && (p->kind == FAULT_DEAD ? n >= p->at : n == p->at);
    if (!hit)
        return FATE_PASS;
    __atomic_store_n(&p->fired, true, __ATOMIC_SEQ_CST);
    switch (p->kind) {
    case FAULT_CUT:
        return FATE_CUT;
    case FAULT_LOST_ACK:
        return FATE_LOST_ACK;
    case FAULT_LIE:
        return FATE_LIE;
    case FAULT_FAIL:
    case FAULT_DEAD:
    default:
        return FATE_FAIL;
    }
}

static int refuse(const struct fault_plan *p, const char *what, const char *name, struct error *err)
{
    bool has_code = p->code != 0 && (p->kind == FAULT_FAIL || p->kind == FAULT_DEAD);
    return error_set(err, has_code ? p->code : E_RETRY, "fault injected: %s %s", what, name);
}

/* For the operations that happen or do not: whether to go on, and what to say afterwards. */
static bool blocked(struct backend *b, enum fate fate, const char *what, const char *name, int *rc,
                    struct error *err)
{
    *rc = 0;
    if (fate == FATE_FAIL || fate == FATE_CUT) {
        *rc = refuse(fault_of(b)->plan, what, name, err);
        return true;
    }
    return false;
}

static int lost(struct backend *b, enum fate fate, const char *what, const char *name, int rc,
                struct error *err)
{
    b->caps = backend_caps(fault_of(b)->inner);
    return rc == 0 && fate == FATE_LOST_ACK ? refuse(fault_of(b)->plan, what, name, err) : rc;
}

static struct upload *fault_create(struct backend *b, const char *name, uint64_t expect, struct error *err)
{
    struct fault *f = fault_of(b);
    enum fate fate = next_fate(f->plan);
    int rc;
    if (blocked(b, fate, "create", name, &rc, err))
        return NULL;
    struct fault_upload *u = mem_alloc(1, sizeof *u, err);
    if (u == NULL)
        return NULL;
    u->base.backend = b;
    u->mute = fate == FATE_LIE;
    u->inner = backend_create(f->inner, name, expect, err);
    if (u->inner == NULL) {
        free(u);
        return NULL;
    }
    if (lost(b, fate, "create", name, 0, err) < 0) {
        upload_drop(u->inner);
        free(u);
        return NULL;
    }
    return &u->base;
}

static int fault_write(struct upload *base, const void *data, size_t len, struct error *err)
{
    struct fault_upload *u = (struct fault_upload *)(void *)base;
    const struct fault *f = fault_of(base->backend);
    enum fate fate = next_fate(f->plan);
    if (fate == FATE_FAIL)
        return refuse(f->plan, "write", "", err);
    if (fate == FATE_LIE)
        u->mute = true;
    if (u->mute)
        return fate == FATE_PASS || fate == FATE_LIE ? 0 : refuse(f->plan, "write", "", err);
    int rc = upload_write(u->inner, data, fate == FATE_CUT ? len / 2 : len, err);
    if (rc == 0 && fate != FATE_PASS)
        rc = refuse(f->plan, "write", "", err);
    return rc;
}

static int fault_finish(struct upload *base, struct error *err)
{
    struct fault_upload *u = (struct fault_upload *)(void *)base;
    const struct fault *f = fault_of(base->backend);
    enum fate fate = next_fate(f->plan);
    if (fate == FATE_FAIL || fate == FATE_CUT)
        return refuse(f->plan, "finish", "", err);
    struct upload *inner = u->inner;
    u->inner = NULL;
    if (fate == FATE_LIE) {
        upload_drop(inner);
        return 0;
    }
    int rc = upload_finish(inner, err);
    return lost(base->backend, fate, "finish", "", rc, err);
}

static void fault_release(struct upload *base)
{
    struct fault_upload *u = (struct fault_upload *)(void *)base;
    upload_drop(u->inner);
    free(u);
}

static int fault_read(struct backend *b, const char *name, uint64_t offset, void *data, size_t len,
                      struct error *err)
{
    enum fate fate = next_fate(fault_of(b)->plan);
    int rc;
    if (blocked(b, fate, "read", name, &rc, err))
        return rc;
    rc = backend_read(fault_of(b)->inner, name, offset, data, len, err);
    if (rc == 0 && fate == FATE_LIE)
        ((uint8_t *)data)[len / 2] ^= 0x10;
    return lost(b, fate, "read", name, rc, err);
}

static int fault_stat(struct backend *b, const char *name, struct backend_stat *st, struct error *err)
{
    enum fate fate = next_fate(fault_of(b)->plan);
    int rc;
    if (blocked(b, fate, "stat", name, &rc, err))
        return rc;
    rc = backend_stat(fault_of(b)->inner, name, st, err);
    if (rc == 0 && fate == FATE_LIE)
        st->size++;
    return lost(b, fate, "stat", name, rc, err);
}

struct omission {
    backend_list_fn *fn;
    void *arg;
    bool done;
};

static int omit_first(const char *name, const struct backend_stat *st, void *arg, struct error *err)
{
    struct omission *o = arg;
    if (!o->done) {
        o->done = true;
        return 0;
    }
    return o->fn(name, st, o->arg, err);
}

static int fault_list(struct backend *b, const char *dir, backend_list_fn *fn, void *arg, struct error *err)
{
    enum fate fate = next_fate(fault_of(b)->plan);
    int rc;
    if (blocked(b, fate, "list", dir, &rc, err))
        return rc;
    struct omission omission = { .fn = fn, .arg = arg, .done = fate != FATE_LIE };
    rc = backend_list(fault_of(b)->inner, dir, omit_first, &omission, err);
    return lost(b, fate, "list", dir, rc, err);
}

static int fault_remove(struct backend *b, const char *name, struct error *err)
{
    enum fate fate = next_fate(fault_of(b)->plan);
    int rc;
    if (blocked(b, fate, "remove", name, &rc, err) || fate == FATE_LIE)
        return rc;
    rc = backend_remove(fault_of(b)->inner, name, err);
    return lost(b, fate, "remove", name, rc, err);
}

static int fault_make_dir(struct backend *b, const char *name, unsigned mode, struct error *err)
{
    enum fate fate = next_fate(fault_of(b)->plan);
    int rc;
    if (blocked(b, fate, "make directory", name, &rc, err) || fate == FATE_LIE)
        return rc;
    rc = backend_make_dir(fault_of(b)->inner, name, mode, err);
    return lost(b, fate, "make directory", name, rc, err);
}

static int fault_space(struct backend *b, struct backend_space *space, struct error *err)
{
    enum fate fate = next_fate(fault_of(b)->plan);
    int rc;
    if (blocked(b, fate, "space", "", &rc, err))
        return rc;
    rc = backend_space(fault_of(b)->inner, space, err);
    if (rc == 0 && fate == FATE_LIE)
        space->available /= 2;
    return lost(b, fate, "space", "", rc, err);
}

static void fault_close(struct backend *b)
{
    backend_close(fault_of(b)->inner);
    free(b);
}

/* Opening a handle is no operation on the storage, so it is not counted. */
static struct backend *fault_clone(const struct backend *b, struct error *err)
{
    const struct fault *f = (const struct fault *)(const void *)b;
    struct backend *inner = backend_clone(f->inner, err);
    return inner != NULL ? backend_fault(inner, f->plan, err) : NULL;
}

static const struct backend_ops fault_ops = {
    .clone = fault_clone,
    .close = fault_close,
    .create = fault_create,
    .write = fault_write,
    .finish = fault_finish,
    .release = fault_release,
    .read = fault_read,
    .stat = fault_stat,
    .list = fault_list,
    .remove = fault_remove,
    .make_dir = fault_make_dir,
    .space = fault_space,
};

struct backend *backend_fault(struct backend *inner, struct fault_plan *plan, struct error *err)
{
    struct fault *f = mem_alloc(1, sizeof *f, err);
    char *where = f != NULL ? str_dup(backend_where(inner), err) : NULL;
    if (where == NULL) {
        free(f);
        backend_close(inner);
        return NULL;
    }
    f->base.ops = &fault_ops;
    f->base.caps = backend_caps(inner);
    f->base.where = where;
    f->inner = inner;
    f->plan = plan;
    return &f->base;
}
