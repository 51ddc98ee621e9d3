/* Sums of what is exported: SHA256SUMS, and the objects of MANIFEST.json. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/fact.h"
#include "common/base/str.h"
#include "restore/target/export_out.h"

#include "common/base/banned.h"

enum { ZEROS = 1 << 16, FACT_KEY_MAX = 256 };

struct summed {
    struct source base;
    struct source *inner;
    struct sha256_state *hash; /* NULL: not summed */
    const struct gaps *gaps;
    size_t next; /* gap */
    uint64_t at; /* in the file */
};

static void add_gaps(struct summed *s)
{
    static const uint8_t zeros[ZEROS];
    const struct gap *g = NULL;
    while (s->gaps != NULL && s->next < s->gaps->list.len &&
           (g = vec_at(&s->gaps->list, s->next))->offset == s->at) {
        for (uint64_t left = g->length; left > 0;) {
            size_t n = left < ZEROS ? (size_t)left : ZEROS;
            sha256_update(s->hash, zeros, n);
            left -= n;
        }
        s->at += g->length;
        s->next++;
    }
}

static int64_t summed_read(struct source *base, void *data, size_t cap, struct error *err)
{
    struct summed *s = (struct summed *)base;
    int64_t n = source_read(s->inner, data, cap, err);
    if (s->hash == NULL || n < 0)
        return n;
    const uint8_t *from = data;
    add_gaps(s);
    for (uint64_t left = (uint64_t)n; left > 0;) {
        const struct gap *g =
            s->gaps != NULL && s->next < s->gaps->list.len ? vec_at(&s->gaps->list, s->next) : NULL;
        size_t part = g != NULL && g->offset - s->at < left ? (size_t)(g->offset - s->at) : (size_t)left;
        sha256_update(s->hash, from, part);
        s->at += part;
        from += part;
        left -= part;
        add_gaps(s);
    }
    return n;
}

static void summed_free(struct source *base)
{
    free(base);
}

bool export_is_summed(const struct gaps *gaps)
{
    uint64_t total = 0;
    for (size_t i = 0; gaps != NULL && i < gaps->list.len; i++)
        total += ((const struct gap *)vec_at(&gaps->list, i))->length;
    return total <= EXPORT_HASHED_GAPS_MAX;
}

struct source *export_summed(struct source *source, struct sha256_state *hash, const struct gaps *gaps,
                             struct error *err)
{
    struct summed *s = mem_alloc(1, sizeof *s, err);
    if (s == NULL)
        return NULL;
    s->base = (struct source){ .read = summed_read, .free = summed_free };
    s->inner = source;
    s->hash = export_is_summed(gaps) ? hash : NULL;
    s->gaps = gaps;
    return &s->base;
}

/* ---- lists --------------------------------------------------------------------------------------------- */

/* As sha256sum does: a line that begins with '\' has escapes in its name. */
static int sums_line(struct export_out *o, const char *sum, const char *path, struct error *err)
{
    struct buf line = BUF_INIT;
    bool escape = strpbrk(path, "\\\n\r") != NULL;
    int rc = buf_printf(&line, err, "%s%s  ", escape ? "\\" : "", sum);
    for (const char *p = path; rc == 0 && *p != '\0'; p++) {
        const char *text = *p == '\\' ? "\\\\" : *p == '\n' ? "\\n" : *p == '\r' ? "\\r" : NULL;
        rc = text != NULL ? buf_append(&line, text, 2, err) : buf_append(&line, p, 1, err);
    }
    rc = rc < 0 ? rc : buf_append(&line, "\n", 1, err);
    rc = rc < 0 ? rc : spool_add(&o->sums, line.data, line.len, err);
    buf_free(&line);
    return rc;
}

static void add_fact(const char *key, size_t key_len, const char *value, size_t value_len, void *arg)
{
    char text[FACT_KEY_MAX];
    (void)snprintf(text, sizeof text, "%.*s", (int)key_len, key);
    jsonout_bytes(arg, text, value, value_len);
}

/* A name that is no UTF-8 is text with \xHH, and its bytes beside it. */
static int add_path(struct jsonout *j, const char *key, const char *path, struct error *err)
{
    size_t len = strlen(path);
    jsonout_str(j, key, path);
    if (utf8_valid(path, len))
        return 0;
    char *hex = mem_alloc(2, len + 1, err);
    char *name = str_printf(err, "%s_hex", key);
    if (hex != NULL && name != NULL) {
        hex_encode(hex, path, len);
        jsonout_str(j, name, hex);
    }
    bool good = hex != NULL && name != NULL;
    free(hex);
    free(name);
    return good ? 0 : E_NOMEM;
}

static int put_object(struct export_out *o, struct jsonout *j, struct error *err)
{
    static const char between[] = ",\n    ";
    struct buf text = BUF_INIT;
    int rc = buf_append(&text, between, sizeof between - 1, err);
    if (rc == 0)
        rc = jsonout_text(j, &text, err);
    else
        jsonout_free(j);
    if (rc == 0) /* nothing before the first one */
        rc = o->manifest.len == 0 ? spool_add(&o->manifest, text.data + 1, text.len - 1, err)
                                  : spool_add(&o->manifest, text.data, text.len, err);
    buf_free(&text);
    return rc;
}

int export_note_file(struct export_out *o, const char *path, uint64_t size, bool in_sums, const char *facts,
                     struct error *err)
{
    char sum[SHA256_TEXT];
    sha256_final(o->hash, sum);
    struct jsonout *j = jsonout_new(NULL);
    int rc = add_path(j, "path", path, err);
    jsonout_u64(j, "bytes", size);
    jsonout_str(j, "sha256", in_sums ? sum : NULL);
    if (facts != NULL && facts[0] != '\0')
        fact_each(facts, add_fact, jsonout_object(j, "facts"));
    o->files++;
    o->bytes += size;
    if (rc < 0) {
        jsonout_free(j);
        return rc;
    }
    rc = put_object(o, j, err);
    return rc == 0 && in_sums ? sums_line(o, sum, path, err) : rc;
}

int export_note_link(struct export_out *o, const struct catalog_entry *e, struct error *err)
{
    struct jsonout *j = jsonout_new(NULL);
    int rc = add_path(j, "path", e->path, err);
    rc = rc < 0 ? rc : add_path(j, e->type == CATALOG_HARDLINK ? "hardlink" : "symlink", e->target, err);
    if (rc == 0)
        return put_object(o, j, err);
    jsonout_free(j);
    return rc;
}
