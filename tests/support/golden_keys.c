#include "tests/support/golden.h"

#include <stdio.h>
#include <string.h>

#include "common/base/str.h"
#include "common/crypto/paper.h"
#include "common/base/banned.h"

/* ---- keys ---------------------------------------------------------------------------------------------- */

static void save_key(struct golden *g, const char *name, enum keyfile_role role, struct secret *block,
                     const char *passphrase)
{
    static const struct keyfile_kdf small = { .mem_mib = 64, .ops = 1 };
    char path[64];
    struct buf file = BUF_INIT;
    struct buf text = BUF_INIT;
    struct secret *pass =
        passphrase != NULL ? must_have(g, secret_copy(passphrase, strlen(passphrase), &g->err)) : NULL;
    (void)must_have(g, block);
    must(g, keyfile_encode(role, block, pass, &small, &file, &g->err));
    (void)snprintf(path, sizeof path, "keys/%s.key", name);
    golden_write(&g->out, path, file.data, file.len, 0600);
    if (role == KEYFILE_KIT) {
        must(g, paper_encode(file.data, file.len, &text, &g->err));
        (void)snprintf(path, sizeof path, "keys/%s.txt", name);
        golden_write(&g->out, path, text.data, text.len, 0644);
    }
    secret_free(block);
    secret_free(pass);
    buf_free(&file);
    buf_free(&text);
}

static void save_keys(struct golden *g)
{
    static const char *const writers[WRITERS] = { "writer-shop", "writer-blog", "writer-spare" };
    char hex[2 * SIGN_PK_LEN + 2];
    char name[16];
    hex_encode(hex, g->root_pk, SIGN_PK_LEN);
    hex[(size_t)2 * SIGN_PK_LEN] = '\n';
    golden_write(&g->out, "keys/root.pub", hex, (size_t)2 * SIGN_PK_LEN + 1, 0644);
    save_key(g, "root", KEYFILE_ROOT, root_keys_encode(&g->root, &g->err), NULL);
    save_key(g, "kit", KEYFILE_KIT, restore_kit_encode(&g->kit, &g->err), NULL);
    save_key(g, "kit-golden", KEYFILE_KIT, restore_kit_encode(&g->kit, &g->err), "golden");
    save_key(g, "retention", KEYFILE_RETENTION, retention_keys_encode(&g->retention, &g->err), NULL);
    for (size_t i = 0; i < WRITERS; i++)
        save_key(g, writers[i], KEYFILE_WRITER, writer_keys_encode(&g->writers[i], &g->err), NULL);
    for (size_t i = 0; i < MEMBERS; i++) {
        (void)snprintf(name, sizeof name, "member-%zu", i + 1);
        save_key(g, name, KEYFILE_MEMBER, member_kit_encode(&g->members[i], &g->err), NULL);
    }
}

void golden_make_keys(struct golden *g)
{
    must(g, root_keys_generate(&g->root, &g->err));
    must(g, sign_public(g->root.seed, g->root_pk, &g->err));
    must(g, restore_kit_generate(&g->root, &g->kit, &g->err));
    for (size_t i = 0; i < WRITERS; i++)
        must(g, writer_keys_generate(&g->kit, &g->writers[i], &g->err));
    for (size_t i = 0; i < MEMBERS; i++)
        must(g, member_kit_generate(g->root.repo_id, g->root_pk, &g->members[i], &g->err));
    must(g, retention_keys_generate(&g->kit, &g->retention, &g->err));
    save_keys(g);
}

/* ---- charters ------------------------------------------------------------------------------------------ */

static void add_recipient(struct golden *g, struct charter *c, const struct secret *sk, const char *name)
{
    struct charter_recipient *r = must_have(g, vec_push(&c->recipients, &g->err));
    must(g, box_public(sk, r->pk, &g->err));
    must(g, box_rid(r->pk, r->rid, &g->err));
    (void)snprintf(r->name, sizeof r->name, "%s", name);
}

/* A group of recipients by their number; b < 0: of one. */
static void add_group(struct golden *g, struct charter *c, int a, int b)
{
    struct charter_group *group = must_have(g, vec_push(&c->groups, &g->err));
    const struct charter_recipient *r = vec_at(&c->recipients, (size_t)a);
    memcpy(group->rid[group->n++], r->rid, RID_LEN);
    if (b < 0)
        return;
    r = vec_at(&c->recipients, (size_t)b);
    memcpy(group->rid[group->n++], r->rid, RID_LEN);
}

static void add_writer(struct golden *g, struct charter *c, size_t i, uint32_t cadence)
{
    struct charter_writer *w = must_have(g, vec_push(&c->writers, &g->err));
    memcpy(w->id, g->writers[i].writer_id, WRITER_ID_LEN);
    must(g, sign_public(g->writers[i].seed, w->pk, &g->err));
    w->cadence_hours = cadence;
    w->first_seq = 1;
    w->last_seq = SEQ_OPEN;
}

void golden_first_charter(struct golden *g, struct charter *c)
{
    charter_init(c);
    memcpy(c->repo_id, g->root.repo_id, REPO_ID_LEN);
    memcpy(c->root_pk, g->root_pk, SIGN_PK_LEN);
    c->min_keep_days = 2;
    add_recipient(g, c, g->kit.r, "station");
    add_group(g, c, 0, -1);
    add_writer(g, c, SHOP, 24);
    add_writer(g, c, BLOG, 0);
    struct charter_retention *r = must_have(g, vec_push(&c->retention, &g->err));
    must(g, sign_public(g->retention.seed, r->pk, &g->err));
    r->first_seq = 1;
    r->last_seq = SEQ_OPEN;
}

/* Two of three members may restore without the station. */
void golden_second_charter(struct golden *g, const struct charter *first, struct charter *c)
{
    static const char *const names[MEMBERS] = { "anna", "bert", "c-3.po_x" };
    must(g, charter_next(first, c, &g->err));
    for (size_t i = 0; i < MEMBERS; i++)
        add_recipient(g, c, g->members[i].r, names[i]);
    add_group(g, c, 1, 2);
    add_group(g, c, 1, 3);
    add_group(g, c, 2, 3);
    add_writer(g, c, SPARE, 0);
    struct charter_drill *d = must_have(g, vec_push(&c->drills, &g->err));
    memcpy(d->pk, g->root_pk, SIGN_PK_LEN);
    d->active = true;
}

void golden_publish_charter(struct golden *g, struct charter *c, const struct charter *prev)
{
    struct buf bytes = BUF_INIT;
    must(g, charter_build(c, g->root.seed, &bytes, &g->err));
    must(g, repo_create_dirs(g->backend, c, &g->err));
    must(g, repo_publish_charter(g->backend, prev, bytes.data, bytes.len, NULL, &g->err));
    buf_free(&bytes);
}
