#include "backupd/keys/recipient.h"

#include <string.h>

#include "common/base/str.h"
#include "common/crypto/hash.h"

#include "common/base/banned.h"

#define WORD "bk1-recipient"
enum { CHECK_BYTES = 5, CHECK_DIGITS = 2 * CHECK_BYTES, FIELDS = 5, NAME_FIELD = 3, CHECK_FIELD = 4 };

static void check_of(const void *text, size_t len, char out[CHECK_DIGITS + 1])
{
    uint8_t hash[HASH_LEN];
    file_hash(text, len, hash);
    hex_encode(out, hash, CHECK_BYTES);
}

bool recipient_name_valid(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-");
    return n >= 1 && n <= NAME_MAX_LEN && name[n] == '\0';
}

int recipient_line(struct buf *out, const uint8_t repo_id[REPO_ID_LEN], const uint8_t pk[BOX_PK_LEN],
                   const char *name, struct error *err)
{
    char repo[2 * REPO_ID_LEN + 1];
    char key[2 * BOX_PK_LEN + 1];
    char check[CHECK_DIGITS + 1];
    size_t start = out->len;
    if (!recipient_name_valid(name))
        return error_set(err, E_USAGE, "a recipient's name has 1..%d characters of a-z 0-9 . _ -",
                         NAME_MAX_LEN);
    hex_encode(repo, repo_id, REPO_ID_LEN);
    hex_encode(key, pk, BOX_PK_LEN);
    int rc = buf_printf(out, err, WORD " %s %s %s ", repo, key, name);
    if (rc < 0)
        return rc;
    check_of(out->data + start, out->len - start, check);
    return buf_printf(out, err, "%s\n", check);
}

/* The line, wherever it stands in the text that was sent. */
static bool find_line(const char *text, size_t len, const char **line, size_t *n)
{
    for (size_t at = 0; at < len;) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t stop = end != NULL ? (size_t)(end - text) : len;
        size_t from = at;
        at = stop + 1;
        while (from < stop && (text[from] == ' ' || text[from] == '\t'))
            from++;
        while (stop > from && (text[stop - 1] == ' ' || text[stop - 1] == '\r' || text[stop - 1] == '\t'))
            stop--;
        if (stop - from < sizeof WORD || memcmp(text + from, WORD " ", sizeof WORD) != 0)
            continue;
        *line = text + from;
        *n = stop - from;
        return true;
    }
    return false;
}

static int bad(struct error *err, const char *what)
{
    return error_set(err, E_USAGE,
                     "this is not a recipient's public line as `backupd key new-recipient` prints it: %s",
                     what);
}

int recipient_parse(const char *text, size_t len, struct recipient_offer *out, struct error *err)
{
    struct buf bytes = BUF_INIT;
    struct line l;
    const char *line = NULL;
    size_t n = 0;
    char check[CHECK_DIGITS + 1];
    memset(out, 0, sizeof *out);
    if (!find_line(text, len, &line, &n) || n > RECIPIENT_LINE_MAX)
        return bad(err, "there is no line that could be it");
    int rc = buf_append(&bytes, line, n, err);
    if (rc == 0)
        rc = buf_append(&bytes, "\n", 1, err);
    if (rc < 0)
        goto out;
    struct reader r = reader_of(bytes.data, bytes.len);
    if (!line_next(&r, &l) || l.n != FIELDS || !line_is(&l, 0, WORD)) {
        rc = bad(err, "it has other words");
        goto out;
    }
    check_of(line, n - strlen(l.field[CHECK_FIELD]), check);
    if (strcmp(check, l.field[CHECK_FIELD]) != 0)
        rc = bad(err, "its check does not fit: something was mistyped or cut");
    else if (!line_hex(&l, 1, out->repo_id, REPO_ID_LEN) || !line_hex(&l, 2, out->who.pk, BOX_PK_LEN))
        rc = bad(err, "a field is damaged");
    else if (!recipient_name_valid(l.field[NAME_FIELD]))
        rc = bad(err, "the name has characters that a charter cannot hold");
    else
        rc = box_rid(out->who.pk, out->who.rid, err);
    if (rc == 0)
        memcpy(out->who.name, l.field[NAME_FIELD], strlen(l.field[NAME_FIELD]) + 1);
out:
    buf_free(&bytes);
    return rc;
}

/* ---- groups -------------------------------------------------------------------------------------------- */

const struct charter_recipient *recipient_find(const struct charter *c, const char *text)
{
    const struct charter_recipient *found = NULL;
    uint8_t rid[RID_LEN];
    if (strlen(text) == 2 * RID_LEN && hex_decode(rid, RID_LEN, text))
        return charter_recipient_find(c, rid);
    for (size_t i = 0; i < c->recipients.len; i++) {
        const struct charter_recipient *r = vec_at(&c->recipients, i);
        if (strcmp(r->name, text) != 0)
            continue;
        if (found != NULL)
            return NULL;
        found = r;
    }
    return found;
}

int recipient_add(struct charter *c, const struct charter_recipient *who, const char *const *with,
                  size_t nwith, struct error *err)
{
    struct charter_group group = { .n = 1 };
    if (charter_recipient_find(c, who->rid) != NULL)
        return error_set(err, E_USAGE, "this key is a recipient already");
    if (recipient_find(c, who->name) != NULL)
        return error_set(err, E_USAGE, "there is a recipient %s already: choose another name (--name)",
                         who->name);
    memcpy(group.rid[0], who->rid, RID_LEN);
    for (size_t i = 0; i < nwith; i++) {
        const struct charter_recipient *other = recipient_find(c, with[i]);
        if (other == NULL)
            return error_set(err, E_USAGE, "--with %s: the charter has no such recipient", with[i]);
        if (group.n == ENVELOPE_SHARES_MAX)
            return error_set(err, E_USAGE, "a group has at most %d recipients", ENVELOPE_SHARES_MAX);
        memcpy(group.rid[group.n++], other->rid, RID_LEN);
    }
    struct charter_recipient *slot = vec_push(&c->recipients, err);
    struct charter_group *to = slot != NULL ? vec_push(&c->groups, err) : NULL;
    if (to == NULL)
        return E_NOMEM;
    *slot = *who;
    *to = group;
    return 0;
}

static bool has(const struct charter_group *g, const uint8_t rid[RID_LEN])
{
    for (unsigned k = 0; k < g->n; k++)
        if (memcmp(g->rid[k], rid, RID_LEN) == 0)
            return true;
    return false;
}

/* Keeps those items that do not match. */
static size_t drop(struct vec *v, bool (*match)(const void *item, const uint8_t *rid), const uint8_t *rid)
{
    size_t kept = 0;
    for (size_t i = 0; i < v->len; i++) {
        void *item = vec_at(v, i);
        if (match(item, rid))
            continue;
        if (kept != i)
            memcpy(vec_at(v, kept), item, v->item);
        kept++;
    }
    size_t dropped = v->len - kept;
    v->len = kept;
    return dropped;
}

static bool is_group(const void *item, const uint8_t *rid)
{
    return has(item, rid);
}

static bool is_recipient(const void *item, const uint8_t *rid)
{
    return memcmp(((const struct charter_recipient *)item)->rid, rid, RID_LEN) == 0;
}

int recipient_remove(struct charter *c, const uint8_t rid[RID_LEN], uint64_t now, size_t *groups,
                     struct error *err)
{
    struct recipients left;
    struct error why = ERROR_INIT;
    *groups = drop(&c->groups, is_group, rid);
    (void)drop(&c->recipients, is_recipient, rid);
    if (charter_recipients(c, now, &left, &why) < 0)
        return error_set(err, E_USAGE,
                         "nobody would be left who can open new sessions: add another recipient first");
    return 0;
}
