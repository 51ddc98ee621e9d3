#include "common/repo/marks.h"

#include <string.h>

#include "common/base/str.h"
#include "common/repo/charter.h"
#include "common/sys/atomic_file.h"

#include "common/base/banned.h"

enum { MARKS_MODE = 0600, WRITER_HEX = 2 * WRITER_ID_LEN };

void marks_init(struct marks *m)
{
    *m = (struct marks){ .writers = VEC_OF(struct mark_writer) };
}

void marks_free(struct marks *m)
{
    vec_free(&m->writers);
    marks_init(m);
}

/* ---- text -------------------------------------------------------------------------------------------- */

static int put_mark(struct buf *out, const char *word, const struct mark *m, struct error *err)
{
    char hash[2 * HASH_LEN + 1];
    hex_encode(hash, m->hash, HASH_LEN);
    return buf_printf(out, err, "%s %u %s\n", word, m->seq, hash);
}

int marks_encode(const struct marks *m, struct buf *out, struct error *err)
{
    char id[2 * REPO_ID_LEN + 1];
    char word[sizeof "writer " + WRITER_HEX] = "writer ";
    hex_encode(id, m->repo_id, REPO_ID_LEN);
    int rc = buf_printf(out, err, "bk1 marks 1\nrepo %s\n", id);
    rc = rc < 0 ? rc : put_mark(out, "charter", &m->charter, err);
    rc = rc < 0 ? rc : put_mark(out, "retention", &m->retention, err);
    for (size_t i = 0; i < m->writers.len && rc == 0; i++) {
        const struct mark_writer *w = vec_at(&m->writers, i);
        hex_encode(word + 7, w->id, WRITER_ID_LEN);
        rc = put_mark(out, word, &w->head, err);
    }
    return rc < 0 ? rc : buf_append(out, "end\n", 4, err);
}

/* SEQ HASH from field i on, and nothing after it. */
static bool take_mark(const struct line *l, size_t i, struct mark *m)
{
    uint64_t seq = 0;
    if (l->n != i + 2 || !line_number(l, i, 0, SEQ_MAX, &seq) || !line_hex(l, i + 1, m->hash, HASH_LEN))
        return false;
    m->seq = (uint32_t)seq;
    return true;
}

static bool take_head(struct reader *r, struct marks *m)
{
    struct line l;
    return line_next(r, &l) && l.n == 3 && line_is(&l, 0, "bk1") && line_is(&l, 1, "marks") &&
           line_is(&l, 2, "1") && line_next(r, &l) && l.n == 2 && line_is(&l, 0, "repo") &&
           line_hex(&l, 1, m->repo_id, REPO_ID_LEN) && line_next(r, &l) && line_is(&l, 0, "charter") &&
           take_mark(&l, 1, &m->charter) && line_next(r, &l) && line_is(&l, 0, "retention") &&
           take_mark(&l, 1, &m->retention);
}

/* The writer lines and the end; E_CORRUPT without text when they are malformed. */
static int take_writers(struct reader *r, struct marks *m, struct error *err)
{
    struct line l;
    while (line_next(r, &l)) {
        struct mark_writer w;
        if (l.n == 1 && line_is(&l, 0, "end"))
            return reader_at_end(r) ? 0 : E_CORRUPT;
        if (!line_is(&l, 0, "writer") || !line_hex(&l, 1, w.id, WRITER_ID_LEN) || !take_mark(&l, 2, &w.head))
            return E_CORRUPT;
        if (m->writers.len > 0) {
            const struct mark_writer *last = vec_at(&m->writers, m->writers.len - 1);
            if (memcmp(last->id, w.id, WRITER_ID_LEN) >= 0)
                return E_CORRUPT;
        }
        struct mark_writer *to = vec_push(&m->writers, err);
        if (to == NULL)
            return E_NOMEM;
        *to = w;
    }
    return E_CORRUPT;
}

int marks_decode(const void *data, size_t len, struct marks *out, struct error *err)
{
    struct reader r = reader_of(data, len);
    marks_init(out);
    int rc = take_head(&r, out) ? take_writers(&r, out, err) : E_CORRUPT;
    if (rc == E_CORRUPT)
        rc = error_corrupt(err, ERR_MARKS_SYNTAX, "the file of high-water marks is damaged");
    if (rc < 0)
        marks_free(out);
    return rc;
}

/* ---- file -------------------------------------------------------------------------------------------- */

int marks_load(const char *path, struct marks *out, struct error *err)
{
    struct buf text = BUF_INIT;
    marks_init(out);
    int rc = file_read_small(path, MARKS_MAX, &text, err);
    if (rc == 0) {
        rc = marks_decode(text.data, text.len, out, err);
        if (rc < 0)
            (void)error_wrap(err, "%s", path);
    }
    buf_free(&text);
    return rc;
}

int marks_save(const char *path, const struct marks *m, struct error *err)
{
    struct buf text = BUF_INIT;
    int rc = marks_encode(m, &text, err);
    if (rc == 0)
        rc = file_write_atomic(path, text.data, text.len, MARKS_MODE, FILE_REPLACE, err);
    buf_free(&text);
    return rc;
}

/* ---- writers ----------------------------------------------------------------------------------------- */

static int writer_order(const void *a, const void *b)
{
    const struct mark_writer *x = a;
    const struct mark_writer *y = b;
    return memcmp(x->id, y->id, WRITER_ID_LEN);
}

static struct mark_writer *find(const struct marks *m, const uint8_t id[WRITER_ID_LEN])
{
    for (size_t i = 0; i < m->writers.len; i++) {
        struct mark_writer *w = vec_at(&m->writers, i);
        if (memcmp(w->id, id, WRITER_ID_LEN) == 0)
            return w;
    }
    return NULL;
}

const struct mark *marks_writer(const struct marks *m, const uint8_t id[WRITER_ID_LEN])
{
    const struct mark_writer *w = find(m, id);
    return w != NULL ? &w->head : NULL;
}

int marks_set_writer(struct marks *m, const uint8_t id[WRITER_ID_LEN], uint32_t seq,
                     const uint8_t hash[HASH_LEN], struct error *err)
{
    struct mark_writer *w = find(m, id);
    bool added = w == NULL;
    if (added && (w = vec_push(&m->writers, err)) == NULL)
        return E_NOMEM;
    memcpy(w->id, id, WRITER_ID_LEN);
    w->head.seq = seq;
    memcpy(w->head.hash, hash, HASH_LEN);
    if (added)
        vec_sort(&m->writers, writer_order);
    return 0;
}
