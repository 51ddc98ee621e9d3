#include "backupd/keys/certificate.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/str.h"

#include "common/base/banned.h"

#define NAME "certificate"
enum { SIG_LINE = 4 + 2 * SIG_LEN + 1, LINE_CAP = 4096 + 256 };

static const char remarks[] =
    "# What this says: the files named below were overwritten and removed, and the root key that signed this after\n"
    "# them. What it does not say: that no copy of a key exists. Copies on other disks, backups and snapshots of\n"
    "# the machine, and paper are unknown to the program that wrote it. While a kit of a recipient exists, or W, V\n"
    "# and a recipient's key, whoever has it can read what is on the storage.\n";

static int put_files(const struct shred *s, struct buf *out, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < s->files.len; i++) {
        const struct shred_file *f = vec_at(&s->files, i);
        char hash[2 * HASH_LEN + 1];
        char path[4096];
        if (f->is_root)
            continue; /* it signs, so it still exists */
        hex_encode(hash, f->hash, HASH_LEN);
        rc = buf_printf(out, err, "%s %s %s %s\n", f->gone ? "destroyed" : "kept", shred_role(f->role), hash,
                        str_printable(path, sizeof path, f->path));
    }
    return rc;
}

static bool was_destroyed(const struct shred *s, const uint8_t rid[RID_LEN])
{
    for (size_t i = 0; i < s->files.len; i++) {
        const struct shred_file *f = vec_at(&s->files, i);
        if (f->has_rid && f->gone && memcmp(f->rid, rid, RID_LEN) == 0)
            return true;
    }
    return false;
}

static int put_recipients(const struct shred *s, struct buf *out, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < s->charter->recipients.len; i++) {
        const struct charter_recipient *r = vec_at(&s->charter->recipients, i);
        char rid[2 * RID_LEN + 1];
        hex_encode(rid, r->rid, RID_LEN);
        rc = buf_printf(out, err, "recipient %s %s %s\n", rid, r->name,
                        was_destroyed(s, r->rid) ? "destroyed" : "unseen");
    }
    return rc;
}

static int put_head(const struct shred *s, uint64_t now, struct buf *out, struct error *err)
{
    char repo[2 * REPO_ID_LEN + 1];
    char root[2 * SIGN_PK_LEN + 1];
    char hash[2 * HASH_LEN + 1];
    uint8_t pk[SIGN_PK_LEN];
    int rc = sign_public(s->root.seed, pk, err);
    hex_encode(repo, s->repo_id, REPO_ID_LEN);
    hex_encode(root, pk, SIGN_PK_LEN);
    hex_encode(hash, s->charter->hash, HASH_LEN);
    return rc == 0 ? buf_printf(out, err,
                                "bk1 shred 1\nrepo %s\nroot %s\ncharter %" PRIu32 " %s\ntime %" PRIu64 "\n",
                                repo, root, s->charter->version, hash, now)
                   : rc;
}

int certificate_build(const struct shred *s, uint64_t now, struct buf *out, struct error *err)
{
    uint8_t sig[SIG_LEN];
    char hex[2 * SIG_LEN + 1];
    int rc = put_head(s, now, out, err);
    if (rc == 0)
        rc = buf_append(out, remarks, sizeof remarks - 1, err);
    if (rc == 0)
        rc = put_files(s, out, err);
    if (rc == 0)
        rc = put_recipients(s, out, err);
    if (rc == 0)
        rc = sign_detached(s->root.seed, SIGN_SHRED, out->data, out->len, sig, err);
    if (rc < 0)
        return rc;
    hex_encode(hex, sig, SIG_LEN);
    return buf_printf(out, err, "sig %s\n", hex);
}

/* ---- checking ------------------------------------------------------------------------------------------ */

static int damaged(struct error *err)
{
    return error_corrupt(err, NAME, "this is not a certificate of destruction, or it was changed");
}

static bool begins(const char *line, size_t n, const char *word)
{
    size_t len = strlen(word);
    return n > len && memcmp(line, word, len) == 0;
}

static bool read_head(struct reader *r, struct certificate *out)
{
    struct line l;
    uint8_t hash[HASH_LEN];
    return line_next(r, &l) && l.n == 3 && line_is(&l, 0, "bk1") && line_is(&l, 1, "shred") &&
           line_is(&l, 2, "1") && line_next(r, &l) && l.n == 2 && line_is(&l, 0, "repo") &&
           line_hex(&l, 1, out->repo_id, REPO_ID_LEN) && line_next(r, &l) && l.n == 2 &&
           line_is(&l, 0, "root") && line_hex(&l, 1, out->root_pk, SIGN_PK_LEN) && line_next(r, &l) &&
           l.n == 3 && line_is(&l, 0, "charter") && line_number(&l, 1, 1, UINT32_MAX, &out->version) &&
           line_hex(&l, 2, hash, HASH_LEN) && line_next(r, &l) && l.n == 2 && line_is(&l, 0, "time") &&
           line_number(&l, 1, 0, INT64_MAX, &out->time);
}

static bool count_lines(const char *text, size_t len, struct certificate *out)
{
    for (size_t at = 0; at < len;) {
        const char *line = text + at;
        const char *end = memchr(line, '\n', len - at);
        size_t n = end != NULL ? (size_t)(end - line) : 0;
        if (end == NULL || n > LINE_CAP)
            return false;
        at += n + 1;
        out->destroyed += begins(line, n, "destroyed ");
        out->kept += begins(line, n, "kept ");
        out->seen += begins(line, n, "recipient ") && n > 10 && memcmp(end - 10, " destroyed", 10) == 0;
        out->unseen += begins(line, n, "recipient ") && n > 7 && memcmp(end - 7, " unseen", 7) == 0;
        if (!begins(line, n, "destroyed ") && !begins(line, n, "kept ") && !begins(line, n, "recipient ") &&
            (n == 0 || line[0] != '#'))
            return false;
    }
    return true;
}

int certificate_check(const void *data, size_t len, struct certificate *out, struct error *err)
{
    uint8_t sig[SIG_LEN];
    const char *text = data;
    memset(out, 0, sizeof *out);
    if (len <= SIG_LINE || len > CERTIFICATE_MAX)
        return damaged(err);
    size_t body = len - SIG_LINE;
    struct reader r = reader_of(data, body);
    if (memcmp(text + body, "sig ", 4) != 0 || text[len - 1] != '\n' ||
        !hex_decode(sig, SIG_LEN, text + body + 4) || !read_head(&r, out))
        return damaged(err);
    size_t left = reader_left(&r);
    if (!count_lines(text + body - left, left, out) ||
        !sign_verify(out->root_pk, SIGN_SHRED, data, body, sig))
        return damaged(err);
    return 0;
}
