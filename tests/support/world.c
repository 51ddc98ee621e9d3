#include "tests/support/world.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/crypto/secret.h"
#include "common/repo/charter.h"
#include "common/repo/repo.h"
#include "common/sys/dirs.h"
#include "common/base/banned.h"

static void must(int rc, const struct error *err)
{
    if (rc < 0) {
        (void)fprintf(stderr, "world: %s\n", err->text);
        abort();
    }
}

static void publish_charter(struct world *w, uint32_t min_keep_days, struct error *err)
{
    struct charter c;
    struct buf bytes = BUF_INIT;
    charter_init(&c);
    c.min_keep_days = min_keep_days;
    memcpy(c.repo_id, w->root.repo_id, REPO_ID_LEN);
    memcpy(c.root_pk, w->root_pk, SIGN_PK_LEN);
    struct charter_recipient *r = vec_push(&c.recipients, err);
    must(r == NULL ? E_NOMEM : box_public(w->kit.r, r->pk, err), err);
    must(box_rid(r->pk, r->rid, err), err);
    (void)snprintf(r->name, sizeof r->name, "station");
    struct charter_group *g = vec_push(&c.groups, err);
    must(g == NULL ? E_NOMEM : 0, err);
    g->n = 1;
    memcpy(g->rid[0], r->rid, RID_LEN);
    for (size_t i = 0; i < w->nwriters; i++) {
        struct charter_writer *line = vec_push(&c.writers, err);
        must(line == NULL ? E_NOMEM : sign_public(w->writers[i].seed, line->pk, err), err);
        memcpy(line->id, w->writers[i].writer_id, WRITER_ID_LEN);
        line->first_seq = 1;
        line->last_seq = SEQ_OPEN;
    }
    struct charter_retention *ret = vec_push(&c.retention, err);
    must(ret == NULL ? E_NOMEM : sign_public(w->retention.seed, ret->pk, err), err);
    ret->first_seq = 1;
    ret->last_seq = SEQ_OPEN;
    must(charter_build(&c, w->root.seed, &bytes, err), err);
    must(repo_create_dirs(w->backend, &c, err), err);
    must(repo_publish_charter(w->backend, NULL, bytes.data, bytes.len, NULL, err), err);
    buf_free(&bytes);
    charter_free(&c);
}

void world_init_keep(struct world *w, struct backend *backend, size_t nwriters, uint32_t min_keep_days)
{
    struct error err = ERROR_INIT;
    memset(w, 0, sizeof *w);
    must(crypto_init(&err), &err);
    w->backend = backend;
    w->nwriters = nwriters;
    must(root_keys_generate(&w->root, &err), &err);
    must(sign_public(w->root.seed, w->root_pk, &err), &err);
    must(restore_kit_generate(&w->root, &w->kit, &err), &err);
    for (size_t i = 0; i < nwriters; i++)
        must(writer_keys_generate(&w->kit, &w->writers[i], &err), &err);
    must(retention_keys_generate(&w->kit, &w->retention, &err), &err);
    w->sks[0] = w->kit.r;
    w->opener = (struct opener){ .w = w->kit.w, .v = w->kit.v, .sks = w->sks, .nsks = 1 };
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(w->dir, sizeof w->dir, "%s/bk1-world-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(w->dir) == NULL)
        abort();
    publish_charter(w, min_keep_days, &err);
}

void world_init(struct world *w, struct backend *backend, size_t nwriters)
{
    world_init_keep(w, backend, nwriters, 0);
}

const char *world_state(const struct world *w, size_t i, char out[WORLD_PATH_MAX])
{
    (void)snprintf(out, WORLD_PATH_MAX, "%.200s/writer-%zu", w->dir, i);
    return out;
}

static void remove_dir(const char *path)
{
    DIR *d = opendir(path);
    const struct dirent *e = NULL;
    while (d != NULL && (e = readdir(d)) != NULL) {
        char *file = e->d_name[0] != '.' || strlen(e->d_name) > 2 ? path_join(path, e->d_name, NULL) : NULL;
        if (file != NULL)
            (void)unlink(file);
        free(file);
    }
    if (d != NULL)
        (void)closedir(d);
    (void)rmdir(path);
}

void world_forget_state(const struct world *w, size_t i)
{
    char path[WORLD_PATH_MAX];
    remove_dir(world_state(w, i, path));
}

void world_free(struct world *w)
{
    for (size_t i = 0; i < w->nwriters; i++) {
        world_forget_state(w, i);
        writer_keys_free(&w->writers[i]);
    }
    (void)rmdir(w->dir);
    root_keys_free(&w->root);
    restore_kit_free(&w->kit);
    retention_keys_free(&w->retention);
    backend_close(w->backend);
}

static int put_stream(const struct world *w, struct session *s, const struct world_stream *stream,
                      struct error *err)
{
    struct session_stream_options o = { .name = stream->name,
                                        .page_size = stream->page_size,
                                        .chunk_avg = w->chunk_avg,
                                        .no_dedup = stream->no_dedup,
                                        .mode_bits = 0640 };
    struct stream_writer *out = NULL;
    int rc = session_stream(s, &o, &out, err);
    for (size_t at = 0; rc == 0 && at < stream->len; at += 100000) {
        size_t n = stream->len - at < 100000 ? stream->len - at : 100000;
        rc = stream_write(out, stream->data + at, n, err);
    }
    return rc < 0 ? rc : stream_finish(out, w->facts != NULL ? w->facts : "kind=test\n", err);
}

int world_backup_on(struct world *w, struct backend *backend, size_t i, const struct world_stream *streams,
                    size_t n, struct session_result *result, struct error *err)
{
    char state[WORLD_PATH_MAX];
    struct session *s = NULL;
    struct session_options o = { .backend = backend != NULL ? backend : w->backend,
                                 .keys = &w->writers[i],
                                 .state_dir = world_state(w, i, state),
                                 .label = "job",
                                 .workers = 2,
                                 .uploads = 2,
                                 .chunk_avg = w->session_chunk_avg };
    int rc = session_begin(&o, &s, err);
    for (size_t k = 0; rc == 0 && k < n; k++)
        rc = put_stream(w, s, &streams[k], err);
    if (rc == 0)
        rc = session_commit(s, "source=test\n", result, err);
    session_free(s);
    return rc;
}

int world_backup(struct world *w, size_t i, const struct world_stream *streams, size_t n,
                 struct session_result *result, struct error *err)
{
    return world_backup_on(w, NULL, i, streams, n, result, err);
}

struct wanted {
    const char *name;
    struct stream_ref ref;
    bool found;
};

static int want(const struct member *m, void *arg, struct error *err)
{
    struct wanted *wanted = arg;
    (void)err;
    if (strcmp(m->entry.path, wanted->name) == 0) {
        wanted->ref = m->ref;
        wanted->found = true;
    }
    return 0;
}

int world_read(struct world *w, size_t i, const char *name, struct buf *out, struct error *err)
{
    return world_read_at(w, i, 0, name, out, err);
}

int world_read_at(struct world *w, size_t i, uint32_t seq, const char *name, struct buf *out,
                  struct error *err)
{
    struct repo *repo = NULL;
    struct snapshot *snap = NULL;
    struct fetcher *f = NULL;
    struct source *src = NULL;
    struct sink *sink = NULL;
    struct wanted wanted = { .name = name };
    struct repo_options o = { .now = 0 };
    int rc = repo_open(w->backend, w->root_pk, &o, &repo, err);
    struct repo_writer *writer = rc == 0 ? repo_writer_find(repo, w->writers[i].writer_id) : NULL;
    struct repo_record *head = writer == NULL ? NULL
                               : seq == 0     ? repo_head(writer)
                                              : repo_record_at(writer, seq);
    if (rc == 0 && head == NULL)
        rc = error_set(err, E_NOT_FOUND, "no snapshot");
    if (rc == 0)
        rc = snapshot_load(repo, writer, head, &snap, err);
    if (rc == 0)
        rc = snapshot_open_view(snap, w->writers[i].v_w, err);
    if (rc == 0) {
        f = fetcher_new(repo, writer, &w->opener, 0, err);
        rc = f != NULL ? snapshot_members(snap, f, want, &wanted, err) : E_NOMEM;
    }
    if (rc == 0 && !wanted.found)
        rc = error_set(err, E_NOT_FOUND, "no stream %s", name);
    if (rc == 0) {
        src = snapshot_stream(snap, f, &wanted.ref, err);
        sink = sink_buffer(out, err);
        rc = src != NULL && sink != NULL ? stream_copy(src, sink, NULL, err) : E_INTERNAL;
    }
    sink_free(sink);
    source_free(src);
    fetcher_free(f);
    snapshot_free(snap);
    repo_close(repo);
    return rc;
}

struct names {
    char *out;
    size_t cap;
};

static void note_finding(void *arg, const struct check_finding *f)
{
    struct names *n = arg;
    size_t used = n->out != NULL ? strlen(n->out) : 0;
    if (!f->note && n->out != NULL && strstr(n->out, f->name) == NULL)
        (void)snprintf(n->out + used, n->cap - used, "%s%s", used != 0 ? " " : "", f->name);
}

int world_verify(struct world *w, enum check_level level, char *names, size_t cap, struct error *err)
{
    struct repo *repo = NULL;
    struct repo_options ro = { .now = 0 };
    struct names n = { .out = names, .cap = cap };
    struct check_options o = { .level = level, .opener = w->opener, .finding = note_finding, .arg = &n };
    struct check_result result;
    if (names != NULL)
        names[0] = '\0';
    int rc = repo_open(w->backend, w->root_pk, &ro, &repo, err);
    if (rc == 0)
        rc = check_run(repo, &o, &result, err);
    repo_close(repo);
    return rc < 0 ? rc : (int)result.findings;
}

void world_fill(uint8_t *out, size_t len, uint64_t seed, bool text)
{
    static const char *const words[] = { "order ",      "customer ",  "paid ", "open ",
                                         "2026-11-24 ", "Berlin ",    "EUR ",  "shipped ",
                                         "{\"sku\":",   "\"qty\":1}", "\n",    "0042 " };
    uint64_t x = seed * 0x9e3779b97f4a7c15ULL + 1;
    for (size_t i = 0; i < len;) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        if (!text) {
            out[i++] = (uint8_t)x;
            continue;
        }
        char number[24];
        int digits = snprintf(number, sizeof number, "%u ", (unsigned)(x >> 40) % 100000);
        const char *word = (x & 3) == 0 ? number : words[(x >> 8) % (sizeof words / sizeof words[0])];
        size_t n = (x & 3) == 0 ? (size_t)digits : strlen(word);
        if (n > len - i)
            n = len - i;
        memcpy(out + i, word, n);
        i += n;
    }
}
