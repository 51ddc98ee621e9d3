#include "backupd/init/people.h"

#include <stdio.h>
#include <string.h>

#include "backupd/init/keys.h"
#include "common/base/str.h"
#include "common/sys/dirs.h"

#include "common/base/banned.h"

/* ---- the options ----------------------------------------------------------------------------------------- */

static int add_name(struct init_people *p, const char *name, size_t len, struct error *err)
{
    char *slot = p->n < INIT_PEOPLE_MAX ? p->name[p->n] : NULL;
    if (slot == NULL)
        return error_set(err, E_USAGE, "--people takes at most %d names", INIT_PEOPLE_MAX);
    if (len < 1 || len > NAME_MAX_LEN || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") < len ||
        name[0] == '.')
        return error_set(err, E_USAGE,
                         "--people: a name is 1 to %d of a-z, 0-9, '.', '_' and '-': \"%.*s\" is none",
                         NAME_MAX_LEN, (int)(len < 80 ? len : 80), name);
    memcpy(slot, name, len);
    slot[len] = '\0';
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->name[i], slot) == 0)
            return error_set(err, E_USAGE, "--people names %s twice", slot);
    p->n++;
    return 0;
}

/* n over k, or more than limit. */
static uint64_t choices(uint64_t n, uint64_t k, uint64_t limit)
{
    uint64_t c = 1;
    for (uint64_t i = 1; i <= k; i++) {
        c = c * (n - k + i) / i;
        if (c > limit)
            return limit + 1;
    }
    return c;
}

static int check(const struct init_people *p, struct error *err)
{
    if (p->need < 1 || p->need > p->n || p->need > ENVELOPE_SHARES_MAX)
        return error_set(err, E_USAGE, "--need %u: of %zu people 1 to %zu can be needed", p->need, p->n,
                         p->n < ENVELOPE_SHARES_MAX ? p->n : (size_t)ENVELOPE_SHARES_MAX);
    uint64_t groups = choices(p->n, p->need, ENVELOPE_GROUPS_MAX);
    if (groups > ENVELOPE_GROUPS_MAX || groups * p->need > ENVELOPE_BOXES_MAX)
        return error_set(
            err, E_USAGE,
            "every %u of %zu people are more than %d groups (or %d shares): take fewer people, or "
            "need more or fewer of them",
            p->need, p->n, ENVELOPE_GROUPS_MAX, ENVELOPE_BOXES_MAX);
    return 0;
}

int init_people_read(const struct cli_context *cli, struct init_people *out, struct error *err)
{
    const char *names = cli_text(cli, "people");
    int rc = 0;
    out->n = 0;
    if (names == NULL)
        return cli_given(cli, "need") ? error_set(err, E_USAGE, "--need goes with --people") : 0;
    if (!cli_given(cli, "need"))
        return error_set(err, E_USAGE, "--people: how many of them does a restore take? Give --need NUMBER");
    while (rc == 0 && names != NULL) {
        const char *comma = strchr(names, ',');
        rc = add_name(out, names, comma != NULL ? (size_t)(comma - names) : strlen(names), err);
        names = comma != NULL ? comma + 1 : NULL;
    }
    out->need = (unsigned)cli_number(cli, "need");
    return rc < 0 ? rc : check(out, err);
}

char *init_people_path(const char *path, const char *name, struct error *err)
{
    const char *dot = strrchr(path_base(path), '.');
    int stem = dot != NULL ? (int)(dot - path) : (int)strlen(path);
    return str_printf(err, "%.*s-%s%s", stem, path, name, dot != NULL ? dot : "");
}

/* ---- the keys -------------------------------------------------------------------------------------------- */

int init_people_generate(const struct init_people *p, struct init_keys *keys, struct error *err)
{
    int rc = 0;
    for (size_t i = 1; rc == 0 && i < p->n; i++) {
        struct init_other *o = vec_push(&keys->others, err);
        rc = o != NULL ? member_kit_generate(keys->kit.repo_id, keys->kit.root_pk, &o->key, err) : E_NOMEM;
    }
    return rc;
}

const struct buf *init_people_kit(const struct init_keys *keys, size_t i)
{
    return i == 0 ? &keys->kit_file : &((const struct init_other *)vec_at(&keys->others, i - 1))->kit_file;
}

int init_people_seal(size_t i, const struct secret *passphrase, const struct keyfile_kdf *kdf,
                     struct init_keys *keys, struct error *err)
{
    struct restore_kit kit = keys->kit; /* borrows its secrets */
    struct buf *file = (struct buf *)(uintptr_t)init_people_kit(keys, i);
    if (i > 0)
        kit.r = ((struct init_other *)vec_at(&keys->others, i - 1))->key.r;
    struct secret *block = restore_kit_encode(&kit, err);
    int rc = block != NULL ? keyfile_encode(KEYFILE_KIT, block, passphrase, kdf, file, err) : E_NOMEM;
    secret_free(block);
    return rc;
}

/* ---- the charter ----------------------------------------------------------------------------------------- */

static int add_recipient(const struct secret *r, const char *name, struct charter *c, struct error *err)
{
    struct charter_recipient *who = vec_push(&c->recipients, err);
    if (who == NULL)
        return E_NOMEM;
    (void)snprintf(who->name, sizeof who->name, "%s", name);
    int rc = box_public(r, who->pk, err);
    return rc < 0 ? rc : box_rid(who->pk, who->rid, err);
}

/* The recipients whose numbers are in pick[0..need). */
static int add_group(const size_t *pick, unsigned need, struct charter *c, struct error *err)
{
    struct charter_group *g = vec_push(&c->groups, err);
    if (g == NULL)
        return E_NOMEM;
    g->n = need;
    for (unsigned k = 0; k < need; k++)
        memcpy(g->rid[k], ((const struct charter_recipient *)vec_at(&c->recipients, pick[k]))->rid, RID_LEN);
    return 0;
}

/* Every choice of `need` out of n, in order. */
static int add_groups(size_t n, unsigned need, struct charter *c, struct error *err)
{
    size_t pick[ENVELOPE_SHARES_MAX];
    for (unsigned k = 0; k < need; k++)
        pick[k] = k;
    for (;;) {
        int rc = add_group(pick, need, c, err);
        unsigned k = need;
        while (k > 0 && pick[k - 1] == n - need + k - 1)
            k--;
        if (rc < 0 || k == 0)
            return rc;
        pick[k - 1]++;
        for (; k < need; k++)
            pick[k] = pick[k - 1] + 1;
    }
}

int init_people_charter(const struct init_people *p, const struct init_keys *keys, struct charter *c,
                        struct error *err)
{
    int rc = add_recipient(keys->kit.r, p->n != 0 ? p->name[0] : "restore-kit", c, err);
    for (size_t i = 1; rc == 0 && i < p->n; i++)
        rc = add_recipient(((const struct init_other *)vec_at(&keys->others, i - 1))->key.r, p->name[i], c,
                           err);
    return rc < 0 ? rc : add_groups(p->n != 0 ? p->n : 1, p->n != 0 ? p->need : 1, c, err);
}
