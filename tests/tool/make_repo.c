/*
 * make_repo - a repository made with the library alone, for tests of what reads one.
 *
 *     make_repo new DIR [WRITERS [CADENCE-HOURS]]
 *         DIR/storage, kit.key (no passphrase), root.key, root.pub, retention.key, writer-0.key, writer-1.key, ...
 *     make_repo snapshot DIR WRITER LABEL SOURCE NAME=FILE...
 *         one session of writer 0, 1, ...; SOURCE becomes the fact `source`; prints "LABEL/NUMBER RECEIPT"
 *     make_repo retain DIR [expire|hold|release|revive WRITER SEQ]
 *         one record of the retention log, which sees all heads
 *
 * MAKE_REPO_TIME in the environment, seconds since 1970, is the time of all that.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/backend/local.h"
#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/access/access.h"
#include "common/repo/repo.h"
#include "common/repo/session.h"
#include "common/sys/atomic_file.h"

#include "common/base/banned.h"

enum { WRITERS_MAX = 8, STREAM_MAX = 256 * 1024 * 1024, PATH_BYTES = 512 };

static struct error failure = ERROR_INIT;

static void must(int rc)
{
    if (rc >= 0)
        return;
    (void)fprintf(stderr, "make_repo: %s\n", failure.text);
    exit(1);
}

static void *must_get(void *p)
{
    must(p != NULL ? 0 : E_NOMEM);
    return p;
}

static const char *below(const char *dir, const char *name)
{
    static char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static const char *writer_file(unsigned n)
{
    static char name[32];
    (void)snprintf(name, sizeof name, "writer-%u.key", n);
    return name;
}

static unsigned number(const char *text)
{
    uint64_t n = 0;
    must(number_parse(text, 0, SEQ_MAX, &n, &failure));
    return (unsigned)n;
}

static uint64_t fixed_wall(void *arg)
{
    return *(const uint64_t *)arg;
}

static uint64_t fixed_mono(void *arg)
{
    (void)arg;
    return 0;
}

static void fix_time(void)
{
    static uint64_t now;
    static struct clock_source source = { .wall = fixed_wall, .mono_ms = fixed_mono, .arg = &now };
    const char *text = getenv("MAKE_REPO_TIME");
    if (text == NULL)
        return;
    must(number_parse(text, 0, (uint64_t)1 << 40, &now, &failure));
    clock_fake(&source);
}

static struct backend *storage(const char *dir)
{
    return must_get(backend_local(below(dir, "storage"), &failure));
}

/* ---- key files ----------------------------------------------------------------------------------------- */

static void save(const char *path, enum keyfile_role role, struct secret *block)
{
    struct buf bytes = BUF_INIT;
    must_get(block);
    must(keyfile_encode(role, block, NULL, NULL, &bytes, &failure));
    must(keyfile_save(path, &bytes, &failure));
    buf_wipe(&bytes);
    secret_free(block);
}

static struct secret *load(const char *path, enum keyfile_role role)
{
    return must_get(access_key_block(path, role, NULL, false, &failure));
}

/* ---- new ----------------------------------------------------------------------------------------------- */

static void add_recipient(struct charter *c, const struct restore_kit *kit)
{
    struct charter_recipient *who = must_get(vec_push(&c->recipients, &failure));
    struct charter_group *group = must_get(vec_push(&c->groups, &failure));
    *who = (struct charter_recipient){ .name = "kit" };
    must(box_public(kit->r, who->pk, &failure));
    must(box_rid(who->pk, who->rid, &failure));
    group->n = 1;
    memcpy(group->rid[0], who->rid, RID_LEN);
}

static void add_writer(struct charter *c, const struct restore_kit *kit, const char *dir, unsigned n,
                       uint32_t cadence)
{
    struct writer_keys keys;
    must(writer_keys_generate(kit, &keys, &failure));
    struct charter_writer *line = must_get(vec_push(&c->writers, &failure));
    *line = (struct charter_writer){ .cadence_hours = cadence, .first_seq = 1, .last_seq = SEQ_OPEN };
    memcpy(line->id, keys.writer_id, WRITER_ID_LEN);
    must(sign_public(keys.seed, line->pk, &failure));
    save(below(dir, writer_file(n)), KEYFILE_WRITER, writer_keys_encode(&keys, &failure));
    writer_keys_free(&keys);
}

static void add_retention(struct charter *c, const struct restore_kit *kit, const char *dir)
{
    struct retention_keys keys;
    must(retention_keys_generate(kit, &keys, &failure));
    struct charter_retention *line = must_get(vec_push(&c->retention, &failure));
    *line = (struct charter_retention){ .first_seq = 1, .last_seq = SEQ_OPEN };
    must(sign_public(keys.seed, line->pk, &failure));
    save(below(dir, "retention.key"), KEYFILE_RETENTION, retention_keys_encode(&keys, &failure));
    retention_keys_free(&keys);
}

static void make_new(const char *dir, unsigned writers, uint32_t cadence)
{
    struct root_keys root;
    struct restore_kit kit;
    struct charter c;
    struct buf bytes = BUF_INIT;
    struct access_root pin;
    if (mkdir(dir, 0700) < 0 || mkdir(below(dir, "storage"), 0700) < 0)
        must(error_sys(&failure, "%s", dir));
    must(root_keys_generate(&root, &failure));
    must(restore_kit_generate(&root, &kit, &failure));
    charter_init(&c);
    memcpy(c.repo_id, root.repo_id, REPO_ID_LEN);
    must(sign_public(root.seed, c.root_pk, &failure));
    add_recipient(&c, &kit);
    for (unsigned i = 0; i < writers; i++)
        add_writer(&c, &kit, dir, i, cadence);
    add_retention(&c, &kit, dir);
    must(charter_build(&c, root.seed, &bytes, &failure));
    struct backend *b = storage(dir);
    must(repo_create_dirs(b, &c, &failure));
    must(repo_publish_charter(b, NULL, bytes.data, bytes.len, NULL, &failure));
    save(below(dir, "kit.key"), KEYFILE_KIT, restore_kit_encode(&kit, &failure));
    save(below(dir, "root.key"), KEYFILE_ROOT, root_keys_encode(&root, &failure));
    memcpy(pin.repo_id, root.repo_id, REPO_ID_LEN);
    memcpy(pin.root_pk, c.root_pk, SIGN_PK_LEN);
    must(access_write_root(dir, &pin, &failure));
    backend_close(b);
    buf_free(&bytes);
    charter_free(&c);
    restore_kit_free(&kit);
    root_keys_free(&root);
}

/* ---- snapshot ------------------------------------------------------------------------------------------ */

static void add_stream(struct session *s, char *argument)
{
    char *equals = strchr(argument, '=');
    if (equals == NULL)
        must(error_set(&failure, E_USAGE, "NAME=FILE is expected, not %s", argument));
    *equals = '\0';
    struct buf data = BUF_INIT;
    struct stream_writer *w = NULL;
    struct session_stream_options options = { .name = argument, .mode_bits = 0640 };
    must(file_read_small(equals + 1, STREAM_MAX, &data, &failure));
    must(session_stream(s, &options, &w, &failure));
    must(stream_write(w, data.data, data.len, &failure));
    must(stream_finish(w, "kind=test\n", &failure));
    buf_free(&data);
}

static void make_snapshot(const char *dir, unsigned writer, const char *label, const char *source,
                          char **streams)
{
    char state[PATH_BYTES];
    char facts[256];
    struct writer_keys keys;
    struct session *s = NULL;
    struct session_result result;
    struct secret *block = load(below(dir, writer_file(writer)), KEYFILE_WRITER);
    must(writer_keys_decode(block, &keys, &failure));
    secret_free(block);
    struct backend *b = storage(dir);
    (void)snprintf(state, sizeof state, "%s/state-%u", dir, writer);
    struct session_options options = { .backend = b, .keys = &keys, .state_dir = state, .label = label };
    must(session_begin(&options, &s, &failure));
    for (; *streams != NULL; streams++)
        add_stream(s, *streams);
    (void)snprintf(facts, sizeof facts, "source=%s\n", source);
    must(session_commit(s, facts, &result, &failure));
    (void)printf("%s/%u %s\n", label, result.session, result.receipt);
    session_free(s);
    backend_close(b);
    writer_keys_free(&keys);
}

/* ---- retain -------------------------------------------------------------------------------------------- */

static void see_heads(const struct repo *repo, struct retention_record *r)
{
    for (size_t i = 0; i < repo->writers.len; i++) {
        const struct repo_writer *w = vec_at(&repo->writers, i);
        const struct repo_record *head = repo_head(w);
        if (head == NULL)
            continue;
        struct retention_head *h = must_get(vec_push(&r->heads, &failure));
        memcpy(h->writer, w->id, WRITER_ID_LEN);
        memcpy(h->hash, head->hash, HASH_LEN);
        h->head = head->rec.seq;
    }
}

static void add_op(const char *dir, struct retention_record *r, const char *word, unsigned writer,
                   uint32_t seq)
{
    static const char *const words[] = { "expire", "revive", "hold", "release" };
    struct writer_keys keys;
    struct secret *block = load(below(dir, writer_file(writer)), KEYFILE_WRITER);
    must(writer_keys_decode(block, &keys, &failure));
    secret_free(block);
    struct retention_op *op = must_get(vec_push(&r->ops, &failure));
    memcpy(op->writer, keys.writer_id, WRITER_ID_LEN);
    op->seq = seq;
    for (uint32_t i = 0; i < 4; i++)
        if (strcmp(word, words[i]) == 0)
            op->op = i;
    writer_keys_free(&keys);
}

static void make_retention(const char *dir, char **op)
{
    struct retention_keys keys;
    struct repo *repo = NULL;
    struct retention_record r;
    struct buf bytes = BUF_INIT;
    struct repo_options options = { .now = 0 };
    struct secret *block = load(below(dir, "retention.key"), KEYFILE_RETENTION);
    must(retention_keys_decode(block, &keys, &failure));
    secret_free(block);
    struct backend *b = storage(dir);
    must(repo_open(b, keys.root_pk, &options, &repo, &failure));
    retention_init(&r);
    memcpy(r.repo_id, repo->repo_id, REPO_ID_LEN);
    r.seq = (uint32_t)repo->retention.len + 1;
    r.charter = repo_charter(repo)->version;
    r.time = clock_wall();
    memcpy(r.prev, repo_prev_hash(repo, NULL), HASH_LEN);
    see_heads(repo, &r);
    if (op[0] != NULL && op[1] != NULL && op[2] != NULL)
        add_op(dir, &r, op[0], number(op[1]), number(op[2]));
    must(retention_encode(&r, keys.seed, keys.v, "made by a test", &bytes, &failure));
    must(repo_publish_retention(repo, bytes.data, bytes.len, NULL, &failure));
    buf_free(&bytes);
    retention_free(&r);
    repo_close(repo);
    backend_close(b);
    retention_keys_free(&keys);
}

int main(int argc, char **argv)
{
    must(crypto_init(&failure));
    fix_time();
    if (argc >= 3 && strcmp(argv[1], "new") == 0) {
        unsigned writers = argc > 3 ? number(argv[3]) : 1;
        make_new(argv[2], writers <= WRITERS_MAX ? writers : WRITERS_MAX, argc > 4 ? number(argv[4]) : 0);
    } else if (argc >= 7 && strcmp(argv[1], "snapshot") == 0) {
        make_snapshot(argv[2], number(argv[3]), argv[4], argv[5], argv + 6);
    } else if (argc >= 3 && strcmp(argv[1], "retain") == 0) {
        make_retention(argv[2], argv + 3);
    } else {
        (void)fprintf(stderr, "usage: see the head of tests/tool/make_repo.c\n");
        return 2;
    }
    return 0;
}
