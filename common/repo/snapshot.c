#include "common/repo/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/reader.h"
#include "common/base/str.h"
#include "common/crypto/hash.h"
#include "common/repo/names.h"
#include "common/repo/node.h"
#include "common/base/banned.h"

static int wrong_size(uint64_t is, uint64_t size, struct error *err)
{
    return error_corrupt(err, ERR_SNAP_SIZE, "it has %llu instead of %llu bytes", (unsigned long long)is,
                         (unsigned long long)size);
}

static int read_object(const struct repo *repo, const struct record *r, const char *name, struct buf *out,
                       struct error *err)
{
    struct backend_stat st;
    if (r->kind != RECORD_SNAPSHOT)
        return error_set(err, E_NOT_FOUND, "record %u holds no snapshot", r->seq);
    int rc = backend_stat(repo->backend, name, &st, err);
    if (rc == E_NOT_FOUND)
        return error_corrupt(err, ERR_SNAP_MISSING, "it is not there");
    if (rc < 0)
        return rc;
    if (st.size != r->snap_size || r->snap_size > SNAP_MAX)
        return wrong_size(st.size, r->snap_size, err);
    return backend_read_all(repo->backend, name, SNAP_MAX, out, err);
}

/* What its writer signed, at its place. */
static int check_object(struct snapshot *s, struct error *err)
{
    const struct record *r = &s->record->rec;
    uint8_t hash[HASH_LEN];
    if (s->bytes.len != r->snap_size)
        return wrong_size(s->bytes.len, r->snap_size, err);
    file_hash(s->bytes.data, s->bytes.len, hash);
    if (memcmp(hash, r->snap_hash, HASH_LEN) != 0)
        return error_corrupt(err, ERR_SNAP_HASH, "it does not have the hash its writer signed");
    int rc = snap_parse(s->bytes.data, s->bytes.len, &s->parts, err);
    return rc < 0 ? rc
                  : object_header_expect(OBJECT_SNAP, &s->parts.header, s->repo->repo_id, s->writer->id,
                                         r->session, r->seq, err);
}

int snapshot_from_bytes(const struct repo *repo, const struct repo_writer *writer,
                        const struct repo_record *record, struct buf *bytes, struct snapshot **out,
                        struct error *err)
{
    char name[NAME_TEXT_MAX];
    struct snapshot *s = mem_alloc(1, sizeof *s, err);
    if (s == NULL) {
        buf_free(bytes);
        return E_NOMEM;
    }
    s->repo = repo;
    s->writer = writer;
    s->record = record;
    s->bytes = *bytes;
    *bytes = (struct buf)BUF_INIT;
    s->view.packs = (struct vec)VEC_OF(struct pack_key);
    int rc = check_object(s, err);
    if (rc < 0) {
        snapshot_free(s);
        return error_wrap(err, "%s",
                          name_snap(name, writer->id, record->rec.session, record->rec.snap_attempt));
    }
    *out = s;
    return 0;
}

int snapshot_load(const struct repo *repo, const struct repo_writer *writer, const struct repo_record *record,
                  struct snapshot **out, struct error *err)
{
    char name[NAME_TEXT_MAX];
    struct buf bytes = BUF_INIT;
    name_snap(name, writer->id, record->rec.session, record->rec.snap_attempt);
    int rc = read_object(repo, &record->rec, name, &bytes, err);
    if (rc == 0)
        return snapshot_from_bytes(repo, writer, record, &bytes, out, err);
    buf_free(&bytes);
    return error_wrap(err, "%s", name);
}

int snapshot_open_view(struct snapshot *s, const struct secret *v_w, struct error *err)
{
    if (s->has_view)
        return 0;
    int rc = snap_view_open(&s->parts, secret_view(v_w), &s->view, err);
    if (rc < 0)
        return error_wrap(err, "snapshot %u", s->record->rec.session);
    s->has_view = true;
    return 0;
}

int snapshot_open(struct snapshot *s, struct fetcher *f, struct error *err)
{
    const uint8_t *session_key = NULL;
    uint8_t key[KEY_LEN];
    if (s->has_priv)
        return 0;
    if (!s->has_view)
        return error_set(err, E_INTERNAL, "a snapshot is opened before its view");
    int rc = fetcher_session_key(f, &s->parts.header, &session_key, err);
    if (rc == 0)
        rc = object_header_key(OBJECT_SNAP, &s->parts.header, session_key, key, err);
    if (rc == 0)
        rc = snap_priv_open(&s->parts, key, &s->priv, err);
    secret_wipe(key, sizeof key);
    if (rc < 0)
        return error_wrap(err, "snapshot %u", s->record->rec.session);
    s->has_priv = true;
    return 0;
}

/* stream reference 84 | u32 nfacts | facts */
static int decode_body(const struct catalog_entry *e, struct member *m, char **facts, struct error *err)
{
    struct reader r = reader_of(e->body, e->body_len);
    const uint8_t *ref = reader_bytes(&r, STREAM_REF_LEN);
    uint32_t n = reader_u32(&r);
    if (!reader_ok(&r) || n > MEMBER_FACTS_MAX)
        return error_corrupt(err, CATALOG_E_BODY, "a member's body breaks the limits");
    const char *text = (const char *)reader_bytes(&r, n);
    if (!reader_at_end(&r) || !utf8_valid(text, n) || memchr(text, '\0', n) != NULL)
        return error_corrupt(err, CATALOG_E_BODY, "a member's facts are no text, or bytes follow them");
    int rc = stream_ref_decode(ref, STREAM_REF_LEN, &m->ref, err);
    if (rc < 0)
        return rc;
    *facts = str_dup_len(text, n, err);
    m->facts = *facts;
    return *facts != NULL ? 0 : E_NOMEM;
}

static int give_member(const struct catalog_entry *e, member_fn *fn, void *arg, struct error *err)
{
    struct member m = { .entry = *e, .facts = "" };
    char *facts = NULL;
    int rc = 0;
    if (e->type == CATALOG_REGULAR)
        rc = decode_body(e, &m, &facts, err);
    if (rc < 0) {
        char shown[256];
        rc = error_wrap(err, "%s", str_printable(shown, sizeof shown, e->path));
    } else {
        rc = fn(&m, arg, err);
    }
    free(facts);
    return rc;
}

int snapshot_members(struct snapshot *s, struct fetcher *f, member_fn *fn, void *arg, struct error *err)
{
    struct catalog_entry e;
    int rc = snapshot_open(s, f, err);
    struct source *bytes = rc == 0 ? snapshot_stream(s, f, &s->priv.catalog, err) : NULL;
    struct catalog_reader *catalog = bytes != NULL ? catalog_reader_new(bytes, err) : NULL;
    if (catalog == NULL) {
        source_free(bytes);
        return rc < 0 ? rc : err != NULL && err->code < 0 ? err->code : E_NOMEM;
    }
    while (rc == 0 && (rc = catalog_next(catalog, &e, err)) == 1)
        rc = give_member(&e, fn, arg, err);
    catalog_reader_free(catalog);
    source_free(bytes);
    return rc;
}

struct source *snapshot_stream(const struct snapshot *s, struct fetcher *f, const struct stream_ref *ref,
                               struct error *err)
{
    return stream_reader(f, &s->view, ref, err);
}

const char *snapshot_name(const struct snapshot *s, char out[SNAPSHOT_NAME_MAX])
{
    (void)snprintf(out, SNAPSHOT_NAME_MAX, "%s/%u", s->has_view ? s->view.label : "?",
                   s->record->rec.session);
    return out;
}

void snapshot_free(struct snapshot *s)
{
    if (s == NULL)
        return;
    snap_view_free(&s->view);
    snap_priv_free(&s->priv);
    buf_free(&s->bytes);
    free(s);
}
