#include "common/base/alloc.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/banned.h"

/* Packs are larger, everything that comes and goes by the thousand is smaller. */
enum { MAPPED_FROM = 8 * 1024 * 1024 };

static atomic_ulong fail_after;

void mem_settle(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, MAPPED_FROM); /* a hint: nothing depends on it but the peak */
}

static bool must_fail(void)
{
    unsigned long left = atomic_load(&fail_after);
    while (left != 0) {
        if (atomic_compare_exchange_weak(&fail_after, &left, left - 1))
            return left == 1;
    }
    return false;
}

void mem_fail_after(unsigned long calls)
{
    atomic_store(&fail_after, calls);
}

static void *no_memory(size_t count, size_t size, struct error *err)
{
    (void)error_set(err, E_NOMEM, "out of memory (%zu x %zu bytes)", count, size);
    return NULL;
}

void *mem_alloc(size_t count, size_t size, struct error *err)
{
    if (must_fail())
        return no_memory(count, size, err);
    /* calloc checks the product; a zero-sized block would make NULL ambiguous. */
    void *p = calloc(count == 0 ? 1 : count, size == 0 ? 1 : size);
    return p != NULL ? p : no_memory(count, size, err);
}

void *mem_grow(void *old, size_t count, size_t size, struct error *err)
{
    if (must_fail() || (size != 0 && count > SIZE_MAX / size))
        return no_memory(count, size, err);
    size_t bytes = count * size;
    void *p = realloc(old, bytes == 0 ? 1 : bytes);
    return p != NULL ? p : no_memory(count, size, err);
}

void *mem_copy(const void *from, size_t size, struct error *err)
{
    void *p = mem_alloc(size, 1, err);
    if (p != NULL && size != 0)
        memcpy(p, from, size);
    return p;
}
