/*
 * engine_bare - engine_drain without facts: the same engine with fingerprints that only count rows and a census that
 * asks nothing. For measuring what facts cost; nothing but this tool is built this way.
 *
 * The functions here stand in for those of fingerprint.c and census.c, so the linker takes these.
 */
#include "tests/tool/engine_drain.c"

#include "common/engine/fingerprint.h"
#include "common/engine/postgres/census.h"

struct fingerprint {
    uint64_t rows;
    bool open;
};

struct fingerprint *fingerprint_new(uint64_t seed, struct error *err)
{
    (void)seed;
    return mem_alloc(1, sizeof(struct fingerprint), err);
}

/* A message of COPY is a row: what the server's own count is compared with. */
void fingerprint_lines(struct fingerprint *fp, const void *data, size_t len)
{
    fp->open = len > 0 && ((const char *)data)[len - 1] != '\n';
    fp->rows += !fp->open;
}

void fingerprint_whole(struct fingerprint *fp, const void *data, const size_t *ends, size_t n)
{
    (void)data;
    (void)ends;
    fp->rows += n;
}

void fingerprint_piece(struct fingerprint *fp, const void *data, size_t len)
{
    (void)data;
    (void)len;
    fp->open = true;
}

void fingerprint_row(struct fingerprint *fp)
{
    fp->open = false;
    fp->rows++;
}

bool fingerprint_partial(const struct fingerprint *fp)
{
    return fp->open;
}

uint64_t fingerprint_rows(const struct fingerprint *fp)
{
    return fp->rows;
}

const char *fingerprint_text(const struct fingerprint *fp, char out[FINGERPRINT_TEXT_MAX])
{
    (void)fp;
    (void)snprintf(out, FINGERPRINT_TEXT_MAX, "%s", FINGERPRINT_NONE);
    return out;
}

bool fingerprint_join(char sum[FINGERPRINT_TEXT_MAX], const char *other)
{
    (void)sum;
    (void)other;
    return true;
}

int fingerprint_seed_fact(uint64_t seed, struct buf *out, struct error *err)
{
    (void)seed;
    (void)out;
    (void)err;
    return 0;
}

int fingerprint_seed_read(const char *facts, uint64_t *out, struct error *err)
{
    (void)facts;
    (void)err;
    *out = 0;
    return 0;
}

void fingerprint_free(struct fingerprint *fp)
{
    free(fp);
}

int pgsql_census(struct pgsql *c, struct buf *out, struct error *err)
{
    (void)c;
    (void)out;
    (void)err;
    return 0;
}

int pgsql_census_each(const char *facts, pgsql_census_fn *fn, void *arg, struct error *err)
{
    (void)facts;
    (void)fn;
    (void)arg;
    (void)err;
    return 0;
}

int pgsql_sequence_facts(const struct vec *sequences, struct buf *out, struct error *err)
{
    (void)sequences;
    (void)out;
    (void)err;
    return 0;
}
