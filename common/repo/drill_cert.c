#include "common/repo/drill_cert.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/str.h"

#include "common/base/banned.h"

enum { SIG_LINE = 4 + 2 * SIG_LEN + 1, HEX_HASH = 2 * HASH_LEN + 1 };

static const char *const verdicts[DRILL_CERT_VERDICTS] = { "pass", "fail", "could_not_run" };

const char *drill_cert_verdict_name(enum drill_cert_verdict v)
{
    return (unsigned)v < DRILL_CERT_VERDICTS ? verdicts[v] : "?";
}

bool drill_cert_id_good(const char *id)
{
    size_t n = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-");
    return n >= 1 && n < DRILL_CERT_ID_MAX && id[n] == '\0';
}

/* ---- building ------------------------------------------------------------------------------------------ */

static int put_hash(struct buf *out, const char *before, const uint8_t *hash, size_t len, const char *after,
                    struct error *err)
{
    char hex[HEX_HASH];
    hex_encode(hex, hash, len);
    return buf_printf(out, err, "%s%s%s", before, hex, after);
}

static int put_head(const struct drill_cert *c, struct buf *out, struct error *err)
{
    int rc = put_hash(out, "bk1 drill 1\nrepo ", c->repo_id, REPO_ID_LEN, "\n", err);
    rc = rc < 0 ? rc : buf_printf(out, err, "charter %" PRIu32, c->charter);
    rc = rc < 0 ? rc : put_hash(out, " ", c->charter_hash, HASH_LEN, "\n", err);
    rc = rc < 0 ? rc : put_hash(out, "key ", c->key, SIGN_PK_LEN, "\n", err);
    rc = rc < 0 ? rc : buf_printf(out, err, "id %s\n", c->id);
    rc = rc < 0 ? rc : put_hash(out, "record ", c->writer, WRITER_ID_LEN, " ", err);
    rc = rc < 0 ? rc : put_hash(out, "", c->record_hash, HASH_LEN, "\n", err);
    return rc < 0 ? rc
                  : buf_printf(out, err, "times %" PRIu64 " %" PRIu64 " %" PRIu64 "\nverdict %s\nscope %s\n",
                               c->made, c->started, c->finished, drill_cert_verdict_name(c->verdict),
                               c->whole ? "whole" : "part");
}

static int put_numbers(const struct drill_cert *c, struct buf *out, struct error *err)
{
    int rc = buf_printf(out, err, "checks %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64, c->checks[0],
                        c->checks[1], c->checks[2], c->checks[3]);
    rc = rc < 0 ? rc : put_hash(out, " ", c->checks_hash, HASH_LEN, "\n", err);
    rc = rc < 0 ? rc
                : buf_printf(out, err, "measured %" PRIu64 " %" PRIu64 " %" PRIu64, c->rto_ms,
                             c->rto_target_seconds, c->age_seconds);
    if (rc == 0 && c->rpo_known)
        rc = buf_printf(out, err, " %" PRIu64, c->rpo_seconds);
    else if (rc == 0)
        rc = buf_append(out, " -", 2, err);
    rc = rc < 0 ? rc : buf_printf(out, err, " %" PRIu64 "\nresult %" PRIu64, c->bytes, c->result_size);
    rc = rc < 0 ? rc : put_hash(out, " ", c->result_hash, HASH_LEN, "\n", err);
    rc = rc < 0 ? rc : buf_printf(out, err, "page %" PRIu64, c->page_size);
    return rc < 0 ? rc : put_hash(out, " ", c->page_hash, HASH_LEN, "\n", err);
}

static int put_text(struct buf *out, const char *word, const char *text, struct error *err)
{
    char shown[DRILL_CERT_TEXT_MAX];
    (void)str_printable(shown, sizeof shown, text);
    return buf_printf(out, err, "%s %s\n", word, shown[0] != '\0' ? shown : "-");
}

int drill_cert_build(struct drill_cert *c, const struct secret *seed, struct buf *out, struct error *err)
{
    uint8_t sig[SIG_LEN];
    char hex[2 * SIG_LEN + 1];
    size_t start = out->len;
    if (!drill_cert_id_good(c->id))
        return error_set(err, E_USAGE, "this is no id of a drill");
    int rc = sign_public(seed, c->key, err);
    rc = rc < 0 ? rc : put_head(c, out, err);
    rc = rc < 0 ? rc : put_numbers(c, out, err);
    rc = rc < 0 ? rc : put_text(out, "snapshot", c->snapshot, err);
    rc = rc < 0 ? rc : put_text(out, "engine", c->engine, err);
    rc = rc < 0 ? rc : put_text(out, "host", c->host, err);
    rc = rc < 0 ? rc : put_text(out, "tool", c->tool, err);
    rc = rc < 0 ? rc : put_text(out, "server", c->server, err);
    rc = rc < 0 ? rc : sign_detached(seed, SIGN_DRILL, out->data + start, out->len - start, sig, err);
    if (rc < 0)
        return rc;
    hex_encode(hex, sig, SIG_LEN);
    return buf_printf(out, err, "sig %s\n", hex);
}

/* ---- reading ------------------------------------------------------------------------------------------- */

/* The next line, which begins with this word and has n fields with it. */
static bool next(struct reader *r, struct line *l, const char *word, size_t n)
{
    return line_next(r, l) && l->n == n && line_is(l, 0, word);
}

static bool any_number(const struct line *l, size_t i, uint64_t *out)
{
    return line_number(l, i, 0, INT64_MAX, out);
}

static bool read_id(struct reader *r, struct drill_cert *c)
{
    struct line l;
    if (!next(r, &l, "id", 2) || !drill_cert_id_good(l.field[1]))
        return false;
    memcpy(c->id, l.field[1], strlen(l.field[1]) + 1);
    return true;
}

static bool read_verdict(struct reader *r, struct drill_cert *c)
{
    struct line l;
    if (!next(r, &l, "verdict", 2))
        return false;
    for (unsigned i = 0; i < DRILL_CERT_VERDICTS; i++)
        if (line_is(&l, 1, verdicts[i])) {
            c->verdict = (enum drill_cert_verdict)i;
            return true;
        }
    return false;
}

static bool read_head(struct reader *r, struct drill_cert *c)
{
    struct line l;
    uint64_t version = 0;
    if (!next(r, &l, "bk1", 3) || !line_is(&l, 1, "drill") || !line_is(&l, 2, "1") ||
        !next(r, &l, "repo", 2) || !line_hex(&l, 1, c->repo_id, REPO_ID_LEN) || !next(r, &l, "charter", 3) ||
        !line_number(&l, 1, 1, SEQ_MAX, &version) || !line_hex(&l, 2, c->charter_hash, HASH_LEN) ||
        !next(r, &l, "key", 2) || !line_hex(&l, 1, c->key, SIGN_PK_LEN))
        return false;
    c->charter = (uint32_t)version;
    return read_id(r, c) && next(r, &l, "record", 3) && line_hex(&l, 1, c->writer, WRITER_ID_LEN) &&
           line_hex(&l, 2, c->record_hash, HASH_LEN) && next(r, &l, "times", 4) &&
           any_number(&l, 1, &c->made) && any_number(&l, 2, &c->started) && any_number(&l, 3, &c->finished);
}

static bool read_numbers(struct reader *r, struct drill_cert *c)
{
    struct line l;
    if (!next(r, &l, "scope", 2) || (!line_is(&l, 1, "whole") && !line_is(&l, 1, "part")))
        return false;
    c->whole = line_is(&l, 1, "whole");
    if (!next(r, &l, "checks", 6) || !line_hex(&l, 5, c->checks_hash, HASH_LEN))
        return false;
    for (size_t i = 0; i < 4; i++)
        if (!any_number(&l, i + 1, &c->checks[i]))
            return false;
    if (!next(r, &l, "measured", 6) || !any_number(&l, 1, &c->rto_ms) ||
        !any_number(&l, 2, &c->rto_target_seconds) || !any_number(&l, 3, &c->age_seconds) ||
        !any_number(&l, 5, &c->bytes))
        return false;
    c->rpo_known = !line_is(&l, 4, "-");
    return (!c->rpo_known || any_number(&l, 4, &c->rpo_seconds)) && next(r, &l, "result", 3) &&
           any_number(&l, 1, &c->result_size) && line_hex(&l, 2, c->result_hash, HASH_LEN) &&
           next(r, &l, "page", 3) && any_number(&l, 1, &c->page_size) &&
           line_hex(&l, 2, c->page_hash, HASH_LEN);
}

/* "WORD TEXT\n": the text is the rest of the line. */
static bool read_text(struct reader *r, const char *word, char out[DRILL_CERT_TEXT_MAX])
{
    size_t len = strlen(word);
    const uint8_t *from = r->data + r->pos;
    const uint8_t *end = memchr(from, '\n', reader_left(r));
    size_t n = end != NULL ? (size_t)(end - from) : 0;
    const char *line = (const char *)reader_bytes(r, n + 1);
    if (end == NULL || line == NULL || n < len + 2 || n - len - 1 >= DRILL_CERT_TEXT_MAX ||
        memcmp(line, word, len) != 0 || line[len] != ' ' || !utf8_valid(line, n))
        return false;
    for (size_t i = len + 1; i < n; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            return false;
    memcpy(out, line + len + 1, n - len - 1);
    out[n - len - 1] = '\0';
    return true;
}

static bool read_texts(struct reader *r, struct drill_cert *c)
{
    return read_text(r, "snapshot", c->snapshot) && read_text(r, "engine", c->engine) &&
           read_text(r, "host", c->host) && read_text(r, "tool", c->tool) &&
           read_text(r, "server", c->server) && reader_at_end(r);
}

int drill_cert_parse(const void *data, size_t len, struct drill_cert *out, struct error *err)
{
    uint8_t sig[SIG_LEN];
    const char *text = data;
    memset(out, 0, sizeof *out);
    if (len <= SIG_LINE || len > DRILL_CERT_MAX)
        return error_corrupt(err, ERR_DRILL_CERTIFICATE, "this is not the certificate of a drill");
    size_t body = len - SIG_LINE;
    struct reader r = reader_of(data, body);
    if (memcmp(text + body, "sig ", 4) != 0 || text[len - 1] != '\n' ||
        !hex_decode(sig, SIG_LEN, text + body + 4) || !read_head(&r, out) || !read_verdict(&r, out) ||
        !read_numbers(&r, out) || !read_texts(&r, out))
        return error_corrupt(err, ERR_DRILL_CERTIFICATE,
                             "this is not the certificate of a drill, or something in it was changed");
    if (!sign_verify(out->key, SIGN_DRILL, data, body, sig))
        return error_corrupt(err, ERR_DRILL_CERTIFICATE,
                             "the signature does not fit: this is not what the drill host signed");
    return 0;
}

/* ---- judging ------------------------------------------------------------------------------------------- */

static const struct charter_drill *line_of(const struct charter *c, const uint8_t pk[SIGN_PK_LEN])
{
    for (size_t i = 0; i < c->drills.len; i++) {
        const struct charter_drill *d = vec_at(&c->drills, i);
        if (memcmp(d->pk, pk, SIGN_PK_LEN) == 0)
            return d;
    }
    return NULL;
}

int drill_cert_judge(const struct drill_cert *c, const struct repo *repo, bool *retired, struct error *err)
{
    if (memcmp(c->repo_id, repo->repo_id, REPO_ID_LEN) != 0)
        return error_set(err, E_CONFLICT, "the certificate is of another repository");
    const struct charter *then =
        c->charter <= repo->charters.len ? vec_at(&repo->charters, c->charter - 1) : NULL;
    if (then == NULL || memcmp(then->hash, c->charter_hash, HASH_LEN) != 0)
        return error_set(err, E_CONFLICT,
                         "the certificate names a charter %" PRIu32 " that is not the one of this repository",
                         c->charter);
    const struct charter_drill *was = line_of(then, c->key);
    const struct charter_drill *is = line_of(repo_charter(repo), c->key);
    if (was == NULL || !was->active)
        return error_set(err, E_AUTH,
                         "charter %" PRIu32 ", which the certificate names, %s the key that signed it",
                         c->charter, was == NULL ? "does not know" : "had retired");
    if (is == NULL)
        return error_set(
            err, E_AUTH,
            "the key that signed it was taken out of the charter since: nothing that it signed counts");
    if (retired != NULL)
        *retired = !is->active;
    return 0;
}
