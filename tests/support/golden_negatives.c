#include "tests/support/golden.h"

#include <stdio.h>
#include <string.h>

#include "common/base/str.h"
#include "common/crypto/hash.h"
#include "common/base/banned.h"

/* ---- negatives: charters ------------------------------------------------------------------------------- */

/* Replaces the first `from` of a charter by `to`, and signs it again. */
static void edit_charter(struct golden *g, uint32_t version, const char *from, const char *to,
                         const struct secret *seed, struct buf *out)
{
    enum { SIG_LINE = 4 + 2 * SIG_LEN + 1 };
    struct buf old = BUF_INIT;
    uint8_t sig[SIG_LEN];
    char hex[2 * SIG_LEN + 1];
    golden_read(&g->out, golden_charter_path(version).text, &old);
    must(g, buf_append(&old, "", 1, &g->err));
    const char *text = (const char *)old.data;
    const char *at = strstr(text, from);
    if (at == NULL)
        golden_must(error_set(&g->err, E_INTERNAL, "charter %u: no '%s'", version, from), &g->err);
    size_t before = (size_t)(at - text);
    size_t rest = before + strlen(from);
    buf_clear(out);
    must(g, buf_append(out, text, before, &g->err));
    must(g, buf_append(out, to, strlen(to), &g->err));
    must(g, buf_append(out, text + rest, old.len - 1 - SIG_LINE - rest, &g->err));
    must(g, sign_detached(seed, SIGN_CHARTER, out->data, out->len, sig, &g->err));
    hex_encode(hex, sig, SIG_LEN);
    must(g, buf_printf(out, &g->err, "sig %s\n", hex));
    buf_free(&old);
}

/* The line of a writer in the newest charter, as text. */
static void writer_line(const struct golden *g, size_t writer, char out[256])
{
    char id[2 * WRITER_ID_LEN + 1];
    struct buf text = BUF_INIT;
    struct error err = ERROR_INIT;
    hex_encode(id, g->writers[writer].writer_id, WRITER_ID_LEN);
    golden_read(&g->out, golden_charter_path(2).text, &text);
    golden_must(buf_append(&text, "", 1, &err), &err);
    char want[64];
    (void)snprintf(want, sizeof want, "writer %s ", id);
    const char *at = strstr((const char *)text.data, want);
    const char *end = at != NULL ? strchr(at, '\n') : NULL;
    golden_must(end != NULL ? 0 : E_INTERNAL, &err);
    (void)snprintf(out, 256, "%.*s\n", (int)(end - at), at);
    buf_free(&text);
}

static void charter_negative(struct golden *g, const char *name, const char *expect, const char *from,
                             const char *to)
{
    struct buf bytes = BUF_INIT;
    edit_charter(g, 2, from, to, g->root.seed, &bytes);
    golden_negative(&g->out, name, expect);
    golden_change(&g->out, golden_charter_path(2).text, bytes.data, bytes.len);
    golden_negative_end(&g->out);
    buf_free(&bytes);
}

/* Another root: both charters name and are signed by it. */
static void foreign_root(struct golden *g)
{
    struct buf bytes = BUF_INIT;
    char from[80] = "root ";
    char to[80] = "root ";
    char prev[80] = "prev ";
    char prev_new[80] = "prev ";
    uint8_t pk[SIGN_PK_LEN];
    uint8_t hash[HASH_LEN];
    struct secret *seed =
        must_have(g, secret_copy("a root key that nobody has pinned", SIGN_SEED_LEN, &g->err));
    must(g, sign_public(seed, pk, &g->err));
    hex_encode(from + 5, g->root_pk, SIGN_PK_LEN);
    hex_encode(to + 5, pk, SIGN_PK_LEN);
    golden_negative(&g->out, "charter-root-foreign", "L0 charter-root");
    golden_read(&g->out, golden_charter_path(1).text, &bytes);
    file_hash(bytes.data, bytes.len, hash);
    hex_encode(prev + 5, hash, HASH_LEN);
    edit_charter(g, 1, from, to, seed, &bytes);
    golden_change(&g->out, golden_charter_path(1).text, bytes.data, bytes.len);
    file_hash(bytes.data, bytes.len, hash);
    hex_encode(prev_new + 5, hash, HASH_LEN);
    /* Charter 2: both lines, one after the other in the text. */
    char both[256], both_new[256];
    (void)snprintf(both, sizeof both, "%s\n%s\n", prev, from);
    (void)snprintf(both_new, sizeof both_new, "%s\n%s\n", prev_new, to);
    edit_charter(g, 2, both, both_new, seed, &bytes);
    golden_change(&g->out, golden_charter_path(2).text, bytes.data, bytes.len);
    golden_negative_end(&g->out);
    secret_free(seed);
    buf_free(&bytes);
}

void golden_negative_charters(struct golden *g)
{
    char line[256], twice[600], closed[300], range[300], text[2 * HASH_LEN + 1];
    uint8_t hash[HASH_LEN];
    struct buf bytes = BUF_INIT;
    struct golden_out *o = &g->out;
    golden_negative(o, "charter-missing", "L0 charter-missing");
    golden_remove(o, golden_charter_path(1).text);
    golden_negative_end(o);
    edit_charter(g, 1, "min-keep 2", "min-keep 1", g->retention.seed, &bytes);
    golden_negative(o, "charter-one-signed-by-another", "L0 charter-signature");
    golden_change(o, golden_charter_path(1).text, bytes.data, bytes.len);
    golden_negative_end(o);
    edit_charter(g, 2, "min-keep 2", "min-keep 1", g->retention.seed, &bytes);
    golden_negative(o, "charter-two-signed-by-another", "L0 charter-signature");
    golden_change(o, golden_charter_path(2).text, bytes.data, bytes.len);
    golden_negative_end(o);
    golden_negative(o, "charter-cut", "L0 charter-syntax");
    golden_cut(o, golden_charter_path(1).text, 300);
    golden_negative_end(o);
    golden_negative(o, "charter-two-cut-is-a-note",
                    "L0 note:charter-syntax record-charter retention-charter snap-missing");
    golden_cut(o, golden_charter_path(2).text, 300);
    golden_negative_end(o);
    golden_negative(o, "charter-two-gone", "L0 record-charter retention-charter snap-missing");
    golden_remove(o, golden_charter_path(2).text);
    golden_negative_end(o);
    golden_negative(o, "charter-copied-to-next-version", "L0 charter-chain");
    golden_copy(o, golden_charter_path(2).text, golden_charter_path(3).text);
    golden_negative_end(o);
    golden_negative(o, "charter-gap", "L0 log-gap");
    golden_copy(o, golden_charter_path(2).text, golden_charter_path(4).text);
    golden_negative_end(o);
    golden_read(o, golden_charter_path(1).text, &bytes);
    file_hash(bytes.data, bytes.len, hash);
    hex_encode(text, hash, HASH_LEN);
    charter_negative(g, "charter-prev", "L0 charter-chain", text,
                     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
    foreign_root(g);
    charter_negative(g, "charter-leading-zero", "L0 charter-syntax", "min-keep 2", "min-keep 02");
    charter_negative(g, "charter-two-spaces", "L0 charter-syntax", "min-keep 2", "min-keep  2");
    charter_negative(g, "charter-pack-size", "L0 charter-syntax", "pack-size 16777216", "pack-size 16777217");
    charter_negative(g, "charter-name", "L0 charter-syntax", " anna", " Anna");
    charter_negative(g, "charter-crlf", "L0 charter-syntax", "min-keep 2\n", "min-keep 2\r\n");
    charter_negative(g, "charter-drill-word", "L0 charter-syntax", " active\n", " asleep\n");
    hex_encode(text, g->root.repo_id, REPO_ID_LEN);
    (void)snprintf(line, sizeof line, "repo %s", text);
    charter_negative(g, "charter-other-repo", "L0 charter-repo", line,
                     "repo 00112233445566778899aabbccddeeff");
    writer_line(g, SHOP, line);
    (void)snprintf(twice, sizeof twice, "%s%.*s 3\n", line, (int)strlen(line) - 3, line);
    (void)snprintf(closed, sizeof closed, "%.*s 4\n", (int)strlen(line) - 1, line);
    charter_negative(g, "charter-ranges-overlap", "L0 charter-range", line, twice);
    charter_negative(g, "charter-drops-a-writer", "L0 charter-range", line, "");
    (void)snprintf(range, sizeof range, "%.*s2\n", (int)strlen(line) - 2, line);
    charter_negative(g, "charter-moves-first", "L0 charter-range", line, range);
    charter_negative(g, "writer-retired-at-4", "L0 note:record-writer", line, closed);
    charter_negative(g, "retention-retired-at-7", "L0 note:retention-key", " 1\ndrill", " 1 7\ndrill");
    buf_free(&bytes);
}

/* ---- negatives: logs ----------------------------------------------------------------------------------- */

static void retention_negative(struct golden *g, const char *name, const char *expect, struct golden_plan p,
                               uint8_t attempt)
{
    struct buf bytes = BUF_INIT;
    struct repo *repo = golden_open_repo(g);
    if (p.head[SHOP] == 0)
        p.head[SHOP] = 4;
    golden_build_retention(g, repo, 8, &p, &bytes);
    golden_negative(&g->out, name, expect);
    golden_change(&g->out, golden_retention_path(8, attempt).text, bytes.data, bytes.len);
    golden_negative_end(&g->out);
    buf_free(&bytes);
    repo_close(repo);
}

/* One operation on the shop. */
static struct golden_plan op_plan(uint32_t head, uint32_t seq, uint32_t op)
{
    return (struct golden_plan){
        .fence = { 5, 5 }, .head = { head, 5 }, .ops = { { SHOP, seq, op } }, .nops = 1
    };
}

void golden_negative_retention(struct golden *g)
{
    struct golden_out *o = &g->out;
    const struct golden_plan base = { .fence = { 5, 5 }, .head = { 4, 5 } };
    struct golden_plan p = base;
    golden_negative(o, "retention-reserved", "L0 retention-syntax");
    golden_flip(o, golden_retention_path(8, 0).text, 12, 1);
    golden_negative_end(o);
    golden_negative(o, "retention-copied-to-next-seq", "L0 retention-identity");
    golden_copy(o, golden_retention_path(8, 0).text, golden_retention_path(9, 0).text);
    golden_negative_end(o);
    golden_negative(o, "retention-time-altered", "L0 retention-signature");
    golden_flip(o, golden_retention_path(8, 0).text, 40, 1);
    golden_negative_end(o);
    golden_negative(o, "retention-gap", "L0 log-gap snap-missing pack-missing");
    golden_remove(o, golden_retention_path(4, 0).text);
    golden_negative_end(o);
    p.prev_wrong = true;
    retention_negative(g, "retention-prev", "L0 retention-chain", p, 0);
    p = base;
    p.charter = 1;
    retention_negative(g, "retention-charter-falls", "L0 retention-charter", p, 0);
    p.charter = 3;
    retention_negative(g, "retention-charter-unknown", "L0 retention-charter", p, 0);
    p = base;
    p.head[SHOP] = 3;
    retention_negative(g, "retention-head-falls", "L0 retention-heads", p, 0);
    p = base;
    p.fence[BLOG] = 4;
    retention_negative(g, "retention-fence-falls", "L0 retention-heads", p, 0);
    p.fence[BLOG] = 8;
    retention_negative(g, "retention-fence-too-high", "L0 retention-heads", p, 0);
    p = base;
    p.head[SHOP] = 5;
    p.hash_wrong = true;
    retention_negative(g, "retention-head-hash", "L0 retention-heads", p, 0);
    p = base;
    p.unknown_writer = true;
    retention_negative(g, "retention-head-of-nobody", "L0 retention-heads", p, 0);
    p = base;
    p.head[SHOP] = 6;
    retention_negative(g, "retention-saw-more", "L0 log-gap", p, 0);
    p = base;
    p.ncondemned = 1;
    p.condemned[0] = (struct golden_item){ SHOP, 5, 0 };
    retention_negative(g, "condemned-session-not-seen", "L0 retention-lists", p, 0);
    p.condemned[0] = (struct golden_item){ SHOP, 4, IDX_SNAP };
    retention_negative(g, "condemned-live-snap", "L0 retention-lists", p, 0);
    p.deleted[0] = p.condemned[0] = (struct golden_item){ SHOP, 1, 0 };
    p.ndeleted = 1;
    retention_negative(g, "deleted-when-condemned", "L0 retention-lists", p, 0);
    p.ncondemned = 0;
    retention_negative(g, "deleted-not-condemned", "L0 retention-lists", p, 0);
    retention_negative(g, "expire-newest", "L0 retention-expire", op_plan(4, 4, RETENTION_EXPIRE), 0);
    p = op_plan(4, 4, RETENTION_EXPIRE);
    p.note = "also with a note";
    retention_negative(g, "expire-newest-with-note", "L0 retention-expire", p, 0);
    retention_negative(g, "expire-held", "L0 retention-expire", op_plan(4, 2, RETENTION_EXPIRE), 0);
    retention_negative(g, "expire-younger-than-min-keep", "L0 retention-expire",
                       op_plan(5, 4, RETENTION_EXPIRE), 0);
    p = op_plan(4, 3, RETENTION_EXPIRE);
    g->now += (uint64_t)30 * DAY;
    retention_negative(g, "expire-clock-jumped", "L0 retention-expire", p, 0);
    g->now -= (uint64_t)30 * DAY;
    retention_negative(g, "expire-not-seen", "L0 retention-expire", op_plan(4, 5, RETENTION_EXPIRE), 0);
    p = op_plan(4, 5, RETENTION_EXPIRE);
    p.ops[0].writer = BLOG;
    retention_negative(g, "expire-no-snapshot", "L0 retention-expire", p, 0);
    retention_negative(g, "revive-live", "L0 retention-expire", op_plan(4, 3, RETENTION_REVIVE), 0);
    retention_negative(g, "revive-deleted", "L0 retention-expire", op_plan(4, 1, RETENTION_REVIVE), 0);
    retention_negative(g, "retention-fork", "L0 log-fork", base, 1);
}

void golden_negative_logs(struct golden *g)
{
    struct golden_out *o = &g->out;
    const uint32_t seq = g->forge.seq;
    golden_negative(o, "record-reserved", "L0 record-syntax");
    golden_flip(o, golden_record_path(g, SHOP, seq, 0).text, 172, 1);
    golden_negative_end(o);
    golden_negative(o, "record-kind", "L0 record-syntax");
    golden_flip(o, golden_record_path(g, SHOP, seq, 0).text, 12, 2);
    golden_negative_end(o);
    golden_negative(o, "record-copied-to-next-seq", "L0 record-identity");
    golden_copy(o, golden_record_path(g, SHOP, seq, 0).text, golden_record_path(g, SHOP, seq + 1, 0).text);
    golden_negative_end(o);
    golden_negative(o, "record-of-other-writer", "L0 record-identity");
    golden_copy(o, golden_record_path(g, BLOG, 5, 0).text, golden_record_path(g, SHOP, seq, 0).text);
    golden_negative_end(o);
    golden_negative(o, "record-time-altered", "L0 record-signature");
    golden_flip(o, golden_record_path(g, SHOP, seq, 0).text, 56, 1);
    golden_negative_end(o);
    golden_negative(o, "record-cut-is-a-note", "L0 note:record-syntax");
    golden_cut(o, golden_record_path(g, SHOP, seq, 0).text, 200);
    golden_negative_end(o);
    golden_negative(o, "record-cut-before-the-head", "L0 record-syntax");
    golden_cut(o, golden_record_path(g, BLOG, 4, 0).text, 200);
    golden_negative_end(o);
    golden_negative(o, "record-gap", "L0 log-gap");
    golden_remove(o, golden_record_path(g, SHOP, 2, 0).text);
    golden_negative_end(o);
    golden_negative(o, "record-gone-but-seen", "L0 log-gap");
    golden_remove(o, golden_record_path(g, BLOG, 5, 0).text);
    golden_negative_end(o);
    golden_negative(o, "record-rolled-back", "marks log-rollback");
    golden_remove(o, golden_record_path(g, SHOP, seq, 0).text);
    golden_negative_end(o);
    golden_negative(o, "retention-rolled-back", "marks log-rollback");
    golden_remove(o, golden_retention_path(8, 0).text);
    golden_negative_end(o);
    golden_negative(o, "writer-is-late", "late log-late");
    golden_negative_end(o);
}
