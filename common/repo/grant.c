#include "common/repo/grant.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/reader.h"
#include "common/base/writer.h"

#include "common/base/banned.h"

enum { LEN_AT = 8, COUNT_AT = 48, ENTRY_HEAD = WRITER_ID_LEN + 8 };

/* ---- writing ------------------------------------------------------------------------------------------- */

int grant_begin(struct grant_writer *g, const uint8_t repo_id[REPO_ID_LEN], const uint8_t rid[RID_LEN],
                struct error *err)
{
    *g = (struct grant_writer){ .bytes = BUF_INIT };
    memcpy(g->repo_id, repo_id, REPO_ID_LEN);
    memcpy(g->rid, rid, RID_LEN);
    struct writer w = writer_of(&g->bytes);
    writer_bytes(&w, MAGIC_GRANT, MAGIC_LEN);
    writer_zeros(&w, 8);
    writer_bytes(&w, repo_id, REPO_ID_LEN);
    writer_bytes(&w, rid, RID_LEN);
    writer_zeros(&w, 8);
    return writer_end(&w, err);
}

static bool group_names(const struct recipient_group *g, const uint8_t rid[RID_LEN])
{
    for (unsigned i = 0; i < g->n; i++)
        if (memcmp(g->share[i].rid, rid, RID_LEN) == 0)
            return true;
    return false;
}

int grant_add(struct grant_writer *g, const struct session_name *name, const uint8_t kid[KID_LEN],
              const uint8_t s[SHARE_LEN], const struct recipients *to, struct error *err)
{
    struct buf envelope = BUF_INIT;
    for (unsigned i = 0; i < to->n; i++)
        if (!group_names(&to->group[i], g->rid))
            return error_set(err, E_USAGE, "a group of the grant does not name its recipient");
    int rc = envelope_build_grant(s, to, kid, name, &envelope, err);
    if (rc == 0) {
        struct writer w = writer_of(&g->bytes);
        writer_bytes(&w, name->writer_id, WRITER_ID_LEN);
        writer_u32(&w, name->session);
        writer_u32(&w, (uint32_t)envelope.len);
        writer_bytes(&w, envelope.data, envelope.len);
        rc = writer_end(&w, err);
        g->n += rc == 0;
    }
    buf_free(&envelope);
    return rc;
}

bool grant_full(const struct grant_writer *g)
{
    return g->bytes.len + ENTRY_HEAD + GRANT_ENVELOPE_MAX > GRANT_MAX;
}

int grant_end(struct grant_writer *g, struct error *err)
{
    if (g->n == 0 || g->bytes.len > GRANT_MAX)
        return error_set(err, E_USAGE, "a grant of %u sessions and %zu bytes", g->n, g->bytes.len);
    store_u32(g->bytes.data + LEN_AT, (uint32_t)g->bytes.len);
    store_u32(g->bytes.data + COUNT_AT, g->n);
    return 0;
}

void grant_free(struct grant_writer *g)
{
    buf_free(&g->bytes);
}

/* ---- reading ------------------------------------------------------------------------------------------- */

bool grant_is_torn(const void *data, size_t len)
{
    const uint8_t *p = data;
    return len < LEN_AT + 4 || len < load_u32(p + LEN_AT);
}

static int syntax(const char *what, struct error *err)
{
    return error_corrupt(err, ERR_GRANT_SYNTAX, "%s", what);
}

static bool envelope_names(const struct envelope *env, const uint8_t rid[RID_LEN])
{
    for (unsigned g = 0; g < env->n; g++) {
        bool found = false;
        for (unsigned i = 0; i < env->group[g].n; i++)
            found |= memcmp(env->group[g].share[i].rid, rid, RID_LEN) == 0;
        if (!found)
            return false;
    }
    return true;
}

static int order(const void *a, const void *b)
{
    const struct grant_entry *x = a;
    const struct grant_entry *y = b;
    int c = memcmp(x->writer_id, y->writer_id, WRITER_ID_LEN);
    return c != 0 ? c : x->session < y->session ? -1 : x->session > y->session;
}

static int order_loaded(const void *a, const void *b)
{
    const struct grant_entry *x = a;
    const struct grant_entry *y = b;
    int c = order(a, b);
    return c != 0 ? c : x->file < y->file ? -1 : x->file > y->file;
}

static int parse_entry(struct reader *r, const uint8_t rid[RID_LEN], struct grant_entry *e, struct error *err)
{
    struct envelope env;
    reader_copy(r, e->writer_id, WRITER_ID_LEN);
    e->session = reader_u32(r);
    e->envelope_len = reader_u32(r);
    if (!reader_ok(r) || e->session < 1 || e->session > SESSION_MAX || e->envelope_len > GRANT_ENVELOPE_MAX)
        return syntax("an entry is malformed", err);
    e->envelope = reader_bytes(r, e->envelope_len);
    if (e->envelope == NULL)
        return syntax("an entry is cut", err);
    if (envelope_parse_grant(e->envelope, e->envelope_len, &env, NULL) < 0 || !envelope_names(&env, rid))
        return syntax("an entry's envelope is malformed, or not for this recipient", err);
    return 0;
}

int grant_parse(const void *data, size_t len, const uint8_t repo_id[REPO_ID_LEN], const uint8_t rid[RID_LEN],
                struct vec *out, struct error *err)
{
    struct reader r = reader_of(data, len);
    uint8_t repo[REPO_ID_LEN];
    uint8_t who[RID_LEN];
    struct grant_entry last = { .session = 0 };
    size_t start = out->len;
    if (len < GRANT_HEAD_LEN || len > GRANT_MAX || memcmp(data, MAGIC_GRANT, MAGIC_LEN) != 0)
        return syntax("it is no grant, or it is cut", err);
    (void)reader_bytes(&r, MAGIC_LEN);
    uint32_t size = reader_u32(&r);
    reader_zeros(&r, 4);
    reader_copy(&r, repo, REPO_ID_LEN);
    reader_copy(&r, who, RID_LEN);
    uint32_t n = reader_u32(&r);
    reader_zeros(&r, 4);
    if (!reader_ok(&r) || size != len || n == 0)
        return syntax("its length or count is wrong", err);
    if (memcmp(repo, repo_id, REPO_ID_LEN) != 0 || memcmp(who, rid, RID_LEN) != 0)
        return syntax("it is of another repository or recipient than its place says", err);
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < n; i++) {
        struct grant_entry e = { .session = 0 };
        rc = parse_entry(&r, rid, &e, err);
        if (rc == 0 && i > 0 && order(&last, &e) >= 0)
            rc = syntax("its entries are out of order", err);
        struct grant_entry *slot = rc == 0 ? vec_push(out, err) : NULL;
        if (slot == NULL) {
            rc = rc < 0 ? rc : E_NOMEM;
            break;
        }
        *slot = last = e;
    }
    if (rc == 0 && !reader_at_end(&r))
        rc = syntax("something follows its last entry", err);
    if (rc < 0)
        out->len = start;
    return rc;
}

/* ---- those of a repository ------------------------------------------------------------------------------- */

static int remember_damage(struct grant_set *g, const char *where, const struct error *why, struct error *err)
{
    struct grant_damage *d = vec_push(&g->damage, err);
    if (d == NULL)
        return E_NOMEM;
    memcpy(d->where, where, strnlen(where, NAME_TEXT_MAX - 1));
    d->why = *why;
    return 0;
}

/* Takes over the bytes when they are a grant. */
static int take(struct grant_set *g, const struct repo *repo, const uint8_t rid[RID_LEN], struct buf *bytes,
                struct error *err)
{
    size_t start = g->entries.len;
    int rc = grant_parse(bytes->data, bytes->len, repo->repo_id, rid, &g->entries, err);
    struct buf *slot = rc == 0 ? vec_push(&g->files, err) : NULL;
    if (slot == NULL)
        return rc < 0 ? rc : E_NOMEM;
    *slot = *bytes;
    *bytes = (struct buf)BUF_INIT;
    for (size_t i = start; i < g->entries.len; i++)
        ((struct grant_entry *)vec_at(&g->entries, i))->file = (uint32_t)(g->files.len - 1);
    return 0;
}

/* Number n of a recipient: its first attempt that is a grant. *there: some attempt exists. */
static int load_number(struct grant_set *g, const struct repo *repo, const uint8_t rid[RID_LEN], uint32_t n,
                       bool *there, struct error *err)
{
    struct grant_damage first = { .where = "" };
    *there = false;
    for (unsigned attempt = 0; attempt < ATTEMPTS; attempt++) {
        char name[NAME_TEXT_MAX];
        struct buf bytes = BUF_INIT;
        struct error why = ERROR_INIT;
        (void)name_grant(name, rid, n, (uint8_t)attempt);
        int rc = backend_read_all(repo->backend, name, GRANT_MAX, &bytes, &why);
        if (rc == E_NOT_FOUND)
            break;
        *there = true;
        bool torn = rc == 0 && grant_is_torn(bytes.data, bytes.len);
        g->total += bytes.len;
        if (rc == 0 && g->total > GRANTS_TOTAL_MAX)
            rc = error_corrupt(&why, "too-large", "the grants together have more than %d MiB",
                               GRANTS_TOTAL_MAX / MIB);
        rc = rc < 0 ? rc : take(g, repo, rid, &bytes, &why);
        buf_free(&bytes);
        if (rc == 0)
            return 0;
        if (rc != E_CORRUPT)
            return error_copy(err, &why);
        if (first.where[0] == '\0' && !torn) {
            memcpy(first.where, name, sizeof name);
            first.why = why;
        }
    }
    return first.where[0] != '\0' ? remember_damage(g, first.where, &first.why, err) : 0;
}

int grant_set_load(const struct repo *repo, const uint8_t (*rids)[RID_LEN], size_t n, struct grant_set **out,
                   struct error *err)
{
    struct grant_set *g = mem_alloc(1, sizeof *g, err);
    int rc = g != NULL ? 0 : E_NOMEM;
    if (rc < 0)
        return rc;
    g->files = (struct vec)VEC_OF(struct buf);
    g->entries = (struct vec)VEC_OF(struct grant_entry);
    g->damage = (struct vec)VEC_OF(struct grant_damage);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        bool there = true;
        for (uint32_t k = 1; rc == 0 && there && k <= GRANT_FILES_MAX; k++)
            rc = load_number(g, repo, rids[i], k, &there, err);
    }
    if (rc < 0) {
        grant_set_free(g);
        return rc;
    }
    vec_sort(&g->entries, order_loaded);
    *out = g;
    return 0;
}

const struct grant_entry *grant_set_next(const struct grant_set *g, const uint8_t writer_id[WRITER_ID_LEN],
                                         uint32_t session, size_t *pos)
{
    struct grant_entry want = { .session = session };
    memcpy(want.writer_id, writer_id, WRITER_ID_LEN);
    if (*pos == 0) { /* the first one by halving: there may be thousands of sessions */
        size_t low = 0;
        size_t high = g->entries.len;
        while (low < high) {
            size_t mid = low + (high - low) / 2;
            if (order(vec_at(&g->entries, mid), &want) < 0)
                low = mid + 1;
            else
                high = mid;
        }
        *pos = low;
    }
    if (*pos >= g->entries.len || order(vec_at(&g->entries, *pos), &want) != 0)
        return NULL;
    return vec_at(&g->entries, (*pos)++);
}

void grant_set_free(struct grant_set *g)
{
    if (g == NULL)
        return;
    for (size_t i = 0; i < g->files.len; i++)
        buf_free(vec_at(&g->files, i));
    vec_free(&g->files);
    vec_free(&g->entries);
    vec_free(&g->damage);
    free(g);
}

/* ---- publishing ---------------------------------------------------------------------------------------- */

static bool is_grant(const uint8_t *data, size_t len, void *arg)
{
    const struct grant_writer *g = arg;
    struct vec entries = VEC_OF(struct grant_entry);
    int rc = grant_parse(data, len, g->repo_id, g->rid, &entries, NULL);
    vec_free(&entries);
    return rc == 0;
}

int grant_publish(const struct repo *repo, const struct grant_writer *g, char name[NAME_TEXT_MAX],
                  struct error *err)
{
    struct name n = { .kind = NAME_GRANT };
    struct backend_stat st;
    memcpy(n.rid, g->rid, RID_LEN);
    for (n.seq = 1; n.seq <= GRANT_FILES_MAX; n.seq++) {
        struct error why = ERROR_INIT;
        int rc = backend_stat(repo->backend, name_grant(name, g->rid, n.seq, 0), &st, &why);
        if (rc == 0)
            continue;
        if (rc != E_NOT_FOUND)
            return error_copy(err, &why);
        rc = publish_object(repo->backend, &n, g->bytes.data, g->bytes.len, is_grant, (void *)(uintptr_t)g,
                            err);
        (void)name_format(name, &n);
        return rc;
    }
    return error_set(err, E_CONFLICT, "this recipient has %d files of grants: no more are read",
                     GRANT_FILES_MAX);
}
