/*
 * golden_check.c - holds the library against the golden repository (tests/golden/README.md).
 *
 *     golden_check DIRECTORY              everything: levels, content, members, keys, negatives
 *     golden_check DIRECTORY show NAME    what the library says about the negatives whose name holds NAME
 *
 * Prints what differs and a count; exits with 0 only when nothing does.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/backend/memory.h"
#include "common/base/str.h"
#include "common/crypto/hash.h"
#include "common/crypto/paper.h"
#include "common/repo/approval.h"
#include "common/repo/check.h"
#include "common/repo/keys.h"
#include "common/sys/atomic_file.h"
#include "common/sys/dirs.h"
#include "common/base/banned.h"

enum { FILE_MAX = 1 << 26, NAMES_MAX = 1024, PATH_LEN = 512, BLOCK = 1 << 20, DAY = 86400, KEYS_MAX = 4 };

struct golden {
    const char *dir;
    struct backend *repo;
    struct backend *keys;
    uint8_t root_pk[SIGN_PK_LEN];
    struct restore_kit kit;
    struct member_kit members[3];
    struct buf list;
    unsigned good, wrong;
};

/* The names that came up: alarms, and notes. */
struct verdict {
    char alarms[NAMES_MAX];
    char notes[NAMES_MAX];
};

static void must(int rc, const struct error *err)
{
    if (rc < 0) {
        (void)fprintf(stderr, "golden_check: %s\n", err->text);
        exit(2);
    }
}

static void report(struct golden *g, bool good, const char *what, const char *why)
{
    g->good += good ? 1 : 0;
    g->wrong += good ? 0 : 1;
    if (!good)
        (void)printf("not ok - %s: %s\n", what, why);
}

/* ---- loading ------------------------------------------------------------------------------------------- */

/* Everything below a directory of the file system into a backend in memory. */
static void load_dir(const char *path, const char *name, struct backend *to)
{
    struct error err = ERROR_INIT;
    DIR *d = opendir(path);
    const struct dirent *e = NULL;
    must(d != NULL ? 0 : error_sys(&err, "open %s", path), &err);
    while ((e = readdir(d)) != NULL) {
        struct stat st;
        struct buf bytes = BUF_INIT;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        char *file = path_join(path, e->d_name, &err);
        char *below = path_join(name, e->d_name, &err);
        must(file != NULL && below != NULL ? 0 : E_NOMEM, &err);
        must(stat(file, &st) == 0 ? 0 : error_sys(&err, "look at %s", file), &err);
        if (S_ISDIR(st.st_mode)) {
            must(backend_make_dir(to, below, 0755, &err), &err);
            load_dir(file, below, to);
        } else {
            must(file_read_small(file, FILE_MAX, &bytes, &err), &err);
            must(memory_replace(to, below, bytes.data, bytes.len, &err), &err);
            buf_free(&bytes);
        }
        free(file);
        free(below);
    }
    (void)closedir(d);
}

static void load(struct golden *g)
{
    struct error err = ERROR_INIT;
    char path[PATH_LEN];
    backend_close(g->repo);
    backend_close(g->keys);
    g->repo = backend_memory(&err);
    g->keys = backend_memory(&err);
    must(g->repo != NULL && g->keys != NULL ? 0 : E_NOMEM, &err);
    (void)snprintf(path, sizeof path, "%s/repo", g->dir);
    load_dir(path, "", g->repo);
    (void)snprintf(path, sizeof path, "%s/keys", g->dir);
    load_dir(path, "", g->keys);
}

static struct secret *read_key(struct golden *g, const char *name, enum keyfile_role want,
                               const char *passphrase, struct error *err)
{
    struct buf bytes = BUF_INIT;
    enum keyfile_role role = KEYFILE_ROOT;
    struct secret *pass = passphrase != NULL ? secret_copy(passphrase, strlen(passphrase), err) : NULL;
    struct secret *block = NULL;
    if (backend_read_all(g->keys, name, FILE_MAX, &bytes, err) == 0)
        block = keyfile_decode(bytes.data, bytes.len, &role, pass, err);
    if (block != NULL && role != want && role != KEYFILE_MEMBER) {
        (void)error_set(err, E_USAGE, "%s is of role %d", name, (int)role);
        secret_free(block);
        block = NULL;
    }
    secret_free(pass);
    buf_free(&bytes);
    return block;
}

static void load_keys(struct golden *g)
{
    struct error err = ERROR_INIT;
    struct buf pub = BUF_INIT;
    must(backend_read_all(g->keys, "root.pub", 1024, &pub, &err), &err);
    must(pub.len == 65 && hex_decode(g->root_pk, SIGN_PK_LEN, (const char *)pub.data) ? 0 : E_CORRUPT, &err);
    buf_free(&pub);
    struct secret *block = read_key(g, "kit.key", KEYFILE_KIT, NULL, &err);
    must(block != NULL ? restore_kit_decode(block, &g->kit, &err) : E_CORRUPT, &err);
    secret_free(block);
    for (int i = 0; i < 3; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "member-%d.key", i + 1);
        block = read_key(g, name, KEYFILE_MEMBER, NULL, &err);
        must(block != NULL ? member_kit_decode(block, &g->members[i], &err) : E_CORRUPT, &err);
        secret_free(block);
    }
}

/* ---- verdicts ------------------------------------------------------------------------------------------ */

static bool has_word(const char *words, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = strstr(words, word); at != NULL; at = strstr(at + 1, word))
        if ((at == words || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
            return true;
    return false;
}

static void add_word(char *words, const char *word)
{
    size_t used = strlen(words);
    if (!has_word(words, word))
        (void)snprintf(words + used, NAMES_MAX - used, "%s%s", used != 0 ? " " : "", word);
}

static void add_error(struct verdict *v, const struct error *err)
{
    add_word(v->alarms, err->name != NULL ? err->name : error_code_name(err->code));
}

static void on_finding(void *arg, const struct check_finding *f)
{
    struct verdict *v = arg;
    add_word(f->note ? v->notes : v->alarms, f->name);
}

static struct repo *open_repo(struct golden *g, const struct marks *marks, uint64_t now, struct verdict *v)
{
    struct error err = ERROR_INIT;
    struct repo *repo = NULL;
    struct repo_options o = { .marks = marks, .now = now };
    if (repo_open(g->repo, g->root_pk, &o, &repo, &err) < 0)
        add_error(v, &err);
    return repo;
}

static void judge_level(struct golden *g, enum check_level level, struct verdict *v)
{
    struct error err = ERROR_INIT;
    struct check_result result;
    const struct secret *sks[] = { g->kit.r };
    struct check_options o = { .level = level, .finding = on_finding, .arg = v };
    if (level >= CHECK_L2)
        o.opener.v = g->kit.v;
    if (level >= CHECK_LK) {
        o.opener.w = g->kit.w;
        o.opener.sks = sks;
        o.opener.nsks = 1;
    }
    struct repo *repo = open_repo(g, NULL, 0, v);
    if (repo != NULL && check_run(repo, &o, &result, &err) < 0)
        add_error(v, &err);
    repo_close(repo);
}

/* ---- restoring ----------------------------------------------------------------------------------------- */

struct restore {
    struct golden *g;
    struct snapshot *snapshot;
    struct fetcher *fetcher;
    struct verdict *v;
    unsigned streams; /* that are as expected */
};

static bool expected(const struct restore *r, const char *path, uint64_t len, const uint8_t hash[HASH_LEN],
                     const char *facts)
{
    char line[PATH_LEN];
    char id[2 * WRITER_ID_LEN + 1];
    char hex[2 * HASH_LEN + 1];
    char name[SNAPSHOT_NAME_MAX];
    char shown[256];
    hex_encode(id, r->snapshot->writer->id, WRITER_ID_LEN);
    hex_encode(hex, hash, HASH_LEN);
    (void)snprintf(line, sizeof line, "stream\t%s\t%s\t%s\t%llu\t%s\t", id, snapshot_name(r->snapshot, name),
                   path, (unsigned long long)len, hex);
    const char *at = strstr((const char *)r->g->list.data, line);
    const char *tab = at != NULL ? strchr(at + strlen(line), '\t') : NULL;
    (void)snprintf(shown, sizeof shown, "%s", facts);
    for (char *p = shown; *p != '\0'; p++)
        *p = *p == '\n' ? ';' : *p;
    return tab != NULL && strncmp(tab + 1, shown, strlen(shown)) == 0 && tab[1 + strlen(shown)] == '\n';
}

static bool notes_expected(const struct restore *r)
{
    char line[PATH_LEN];
    char id[2 * WRITER_ID_LEN + 1];
    char name[SNAPSHOT_NAME_MAX];
    hex_encode(id, r->snapshot->writer->id, WRITER_ID_LEN);
    int at = snprintf(line, sizeof line, "notes\t%s\t%s\t", id, snapshot_name(r->snapshot, name));
    (void)snprintf(line + at, sizeof line - (size_t)at, "%s\n", r->snapshot->view.notes);
    for (char *p = line + at; *p != '\0' && p[1] != '\0'; p++)
        *p = *p == '\n' ? ';' : *p;
    return strstr((const char *)r->g->list.data, line) != NULL;
}

/* The list holds the members of the last snapshot, which are of every type. */
static bool member_expected(const struct restore *r, const struct catalog_entry *e)
{
    static const char *const types[] = {
        [CATALOG_REGULAR] = "file",
        [CATALOG_DIR] = "dir",
        [CATALOG_SYMLINK] = "symlink",
        [CATALOG_HARDLINK] = "hardlink",
    };
    char line[PATH_LEN];
    char id[2 * WRITER_ID_LEN + 1];
    char name[SNAPSHOT_NAME_MAX];
    if (strcmp(r->snapshot->view.label, "probe") != 0)
        return true;
    hex_encode(id, r->snapshot->writer->id, WRITER_ID_LEN);
    (void)snprintf(line, sizeof line, "member\t%s\t%s\t%s\t%s\t0%o\t%llu\t%llu\t%s\t%s\t%lld.%09u\t%s\n", id,
                   snapshot_name(r->snapshot, name), e->path, types[e->type], e->mode,
                   (unsigned long long)e->uid, (unsigned long long)e->gid, e->uname != NULL ? e->uname : "",
                   e->gname != NULL ? e->gname : "", (long long)e->mtime, e->mtime_nsec,
                   e->target != NULL ? e->target : "");
    return strstr((const char *)r->g->list.data, line) != NULL;
}

static int restore_member(const struct member *m, void *arg, struct error *err)
{
    struct restore *r = arg;
    struct error why = ERROR_INIT;
    uint8_t hash[HASH_LEN];
    uint64_t len = 0;
    if (!member_expected(r, &m->entry))
        add_word(r->v->alarms, "unexpected-member");
    if (m->entry.type != CATALOG_REGULAR)
        return 0;
    uint8_t *block = malloc(BLOCK);
    struct file_hash_state *state = file_hash_new(err);
    struct source *src = snapshot_stream(r->snapshot, r->fetcher, &m->ref, &why);
    int64_t n = src != NULL && block != NULL && state != NULL ? 1 : -1;
    while (n > 0) {
        n = source_read(src, block, BLOCK, &why);
        if (n > 0)
            file_hash_update(state, block, (size_t)n);
        len += n > 0 ? (uint64_t)n : 0;
    }
    if (n < 0) {
        add_error(r->v, &why);
    } else {
        file_hash_final(state, hash);
        bool good = expected(r, m->entry.path, len, hash, m->facts);
        r->streams += good ? 1 : 0;
        if (!good)
            add_word(r->v->alarms, "unexpected-content");
    }
    source_free(src);
    file_hash_free(state);
    free(block);
    return 0;
}

static void restore_one(struct restore *r, const struct repo *repo, const struct repo_writer *w,
                        const struct repo_record *record)
{
    struct error err = ERROR_INIT;
    struct secret *v_w = view_key_derive(r->g->kit.v, w->id, &err);
    int rc = v_w != NULL ? snapshot_load(repo, w, record, &r->snapshot, &err) : E_NOMEM;
    if (rc == 0)
        rc = snapshot_open_view(r->snapshot, v_w, &err);
    if (rc == 0 && !notes_expected(r))
        add_word(r->v->alarms, "unexpected-notes");
    if (rc == 0)
        rc = snapshot_members(r->snapshot, r->fetcher, restore_member, r, &err);
    if (rc < 0)
        add_error(r->v, &err);
    snapshot_free(r->snapshot);
    r->snapshot = NULL;
    secret_free(v_w);
}

/* Restores every live snapshot; the number of streams that were as expected. */
static unsigned restore_with(struct golden *g, const struct secret *const *sks, size_t nsks,
                             const struct opened_shares *opened, struct verdict *v)
{
    struct error err = ERROR_INIT;
    struct restore r = { .g = g, .v = v };
    struct opener opener = { .w = g->kit.w, .v = g->kit.v, .sks = sks, .nsks = nsks, .opened = opened };
    struct repo *repo = open_repo(g, NULL, 0, v);
    for (size_t i = 0; repo != NULL && i < repo->writers.len; i++) {
        const struct repo_writer *w = vec_at(&repo->writers, i);
        r.fetcher = fetcher_new(repo, w, &opener, 0, &err);
        must(r.fetcher != NULL ? 0 : E_NOMEM, &err);
        for (uint32_t n = 1; n <= w->records.len; n++)
            if (repo_record_live(repo_record_at(w, n)))
                restore_one(&r, repo, w, repo_record_at(w, n));
        fetcher_free(r.fetcher);
    }
    repo_close(repo);
    return r.streams;
}

static unsigned restore_all(struct golden *g, const struct secret *const *sks, size_t nsks, struct verdict *v)
{
    return restore_with(g, sks, nsks, NULL, v);
}

/* ---- the other verbs ----------------------------------------------------------------------------------- */

static uint64_t last_time(const struct repo *repo)
{
    return repo->retention.len > 0 ? repo_retention_head(repo)->rec.time : 0;
}

static void take_findings(const struct repo *repo, struct verdict *v)
{
    for (size_t i = 0; repo != NULL && i < repo->findings.len; i++) {
        const struct repo_finding *f = vec_at(&repo->findings, i);
        add_word(f->note ? v->notes : v->alarms, f->name);
    }
}

static void judge_late(struct golden *g, struct verdict *v)
{
    struct repo *repo = open_repo(g, NULL, 0, v);
    uint64_t now = repo != NULL ? last_time(repo) + (uint64_t)10 * DAY : 1;
    repo_close(repo);
    repo = open_repo(g, NULL, now, v);
    take_findings(repo, v);
    repo_close(repo);
}

static void judge_key(struct golden *g, struct verdict *v)
{
    struct error err = ERROR_INIT;
    struct restore_kit kit = { .w = NULL };
    struct buf text = BUF_INIT;
    struct secret *block = read_key(g, "kit.key", KEYFILE_KIT, NULL, &err);
    if (block == NULL || restore_kit_decode(block, &kit, &err) < 0)
        add_error(v, &err);
    restore_kit_free(&kit);
    secret_free(block);
    must(backend_read_all(g->keys, "kit.txt", FILE_MAX, &text, &err), &err);
    error_clear(&err);
    block = paper_decode((const char *)text.data, text.len, &err);
    if (block == NULL)
        add_error(v, &err);
    secret_free(block);
    buf_free(&text);
}

static void judge_marks(struct golden *g, const struct marks *marks, struct verdict *v)
{
    struct repo *repo = open_repo(g, marks, 0, v);
    take_findings(repo, v);
    repo_close(repo);
}

static void judge(struct golden *g, const char *verb, const struct marks *marks, struct verdict *v)
{
    static const char *const levels[] = { "L0", "L1", "L2", "LK", "L3" };
    const struct secret *station[] = { g->kit.r };
    const struct secret *alone[] = { g->members[0].r };
    *v = (struct verdict){ .alarms = "" };
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
        if (strcmp(verb, levels[i]) == 0)
            judge_level(g, (enum check_level)i, v);
    if (strcmp(verb, "restore") == 0)
        (void)restore_all(g, station, 1, v);
    if (strcmp(verb, "alone") == 0)
        (void)restore_all(g, alone, 1, v);
    if (strcmp(verb, "late") == 0)
        judge_late(g, v);
    if (strcmp(verb, "marks") == 0)
        judge_marks(g, marks, v);
    if (strcmp(verb, "key") == 0)
        judge_key(g, v);
}

/* ---- changes ------------------------------------------------------------------------------------------- */

/* "repo/NAME" and "keys/NAME". */
static struct backend *place_of(const struct golden *g, const char *path, const char **name)
{
    struct error err = ERROR_INIT;
    bool repo = strncmp(path, "repo/", 5) == 0;
    must(repo || strncmp(path, "keys/", 5) == 0 ? 0 : error_set(&err, E_USAGE, "no place '%s'", path), &err);
    *name = path + 5;
    return repo ? g->repo : g->keys;
}

static void put(const struct golden *g, const char *path, const void *data, size_t len)
{
    struct error err = ERROR_INIT;
    const char *name = NULL;
    struct backend *b = place_of(g, path, &name);
    must(memory_replace(b, name, data, len, &err), &err);
}

static void get(const struct golden *g, const char *path, struct buf *out)
{
    struct error err = ERROR_INIT;
    const char *name = NULL;
    struct backend *b = place_of(g, path, &name);
    must(backend_read_all(b, name, FILE_MAX, out, &err), &err);
}

static void set_bytes(const struct golden *g, const char *path, const char *at, const char *hex)
{
    struct error err = ERROR_INIT;
    const char *name = NULL;
    struct backend *b = place_of(g, path, &name);
    size_t len = 0;
    uint8_t *data = memory_tamper(b, name, &len);
    size_t offset = strtoul(at, NULL, 10);
    size_t n = strlen(hex) / 2;
    must(data != NULL && offset <= len && n <= len - offset && hex_decode(data + offset, n, hex)
             ? 0
             : error_set(&err, E_USAGE, "set %s at %s", path, at),
         &err);
}

/* One line of "change": up to four words. */
static void apply(const struct golden *g, const char *negative, char *line)
{
    char *word[4] = { NULL, NULL, NULL, NULL };
    char path[PATH_LEN];
    struct error err = ERROR_INIT;
    struct buf bytes = BUF_INIT;
    char *rest = line;
    for (int i = 0; i < 4; i++)
        word[i] = strsep(&rest, " ");
    if (strcmp(word[0], "remove") == 0 && word[1] != NULL) {
        put(g, word[1], NULL, 0);
    } else if (strcmp(word[0], "copy") == 0 && word[2] != NULL) {
        get(g, word[1], &bytes);
        put(g, word[2], bytes.data, bytes.len);
    } else if (strcmp(word[0], "cut") == 0 && word[2] != NULL) {
        get(g, word[1], &bytes);
        put(g, word[1], bytes.data, strtoul(word[2], NULL, 10));
    } else if (strcmp(word[0], "put") == 0 && word[2] != NULL) {
        (void)snprintf(path, sizeof path, "%s/negatives/%s/%s", g->dir, negative, word[2]);
        must(file_read_small(path, FILE_MAX, &bytes, &err), &err);
        put(g, word[1], bytes.data, bytes.len);
    } else if (strcmp(word[0], "set") == 0 && word[3] != NULL) {
        set_bytes(g, word[1], word[2], word[3]);
    } else {
        must(error_set(&err, E_USAGE, "%s: unknown change '%s'", negative, word[0]), &err);
    }
    buf_free(&bytes);
}

static char *read_text(const struct golden *g, const char *negative, const char *file)
{
    struct error err = ERROR_INIT;
    struct buf bytes = BUF_INIT;
    char path[PATH_LEN];
    (void)snprintf(path, sizeof path, "%s/negatives/%s/%s", g->dir, negative, file);
    must(file_read_small(path, FILE_MAX, &bytes, &err), &err);
    must(buf_append(&bytes, "", 1, &err), &err);
    return (char *)bytes.data;
}

/* "VERB NAME...": exactly these alarms; a NAME with "note:" must be among the notes. */
static bool agrees(char *expect, const struct verdict *v)
{
    char alarms[NAMES_MAX] = "";
    char *rest = expect;
    bool good = true;
    for (char *word = strsep(&rest, " "); word != NULL; word = strsep(&rest, " ")) {
        if (strncmp(word, "note:", 5) == 0)
            good = good && has_word(v->notes, word + 5);
        else
            add_word(alarms, word);
    }
    char found[NAMES_MAX];
    char *left = found;
    (void)snprintf(found, sizeof found, "%s", v->alarms);
    for (char *word = strsep(&left, " "); word != NULL; word = strsep(&left, " "))
        good = good && (word[0] == '\0' || has_word(alarms, word));
    return good && strlen(alarms) == strlen(v->alarms);
}

static void check_negative(struct golden *g, const char *name, const struct marks *marks, bool show)
{
    struct verdict v;
    char why[3 * NAMES_MAX];
    load(g);
    char *change = read_text(g, name, "change");
    char *expect = read_text(g, name, "expect");
    char *rest = change;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n"))
        if (line[0] != '\0')
            apply(g, name, line);
    expect[strcspn(expect, "\n")] = '\0';
    char *names = expect;
    const char *verb = strsep(&names, " ");
    judge(g, verb, marks, &v);
    (void)snprintf(why, sizeof why, "%s should give '%s', gives '%s' and the notes '%s'", verb, names,
                   v.alarms, v.notes);
    if (show)
        (void)printf("%s: %s\n", name, why);
    else
        report(g, names != NULL && agrees(names, &v), name, why);
    free(change);
    free(expect);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static unsigned check_negatives(struct golden *g, const struct marks *marks, const char *show)
{
    char path[PATH_LEN];
    struct dirent **list = NULL;
    unsigned done = 0;
    (void)snprintf(path, sizeof path, "%s/negatives", g->dir);
    int n = scandir(path, &list, NULL, by_name);
    for (int i = 0; i < n; i++) {
        const char *name = list[i]->d_name;
        if (name[0] != '.' && (show == NULL || strstr(name, show) != NULL)) {
            check_negative(g, name, marks, show != NULL);
            done++;
        }
        free(list[i]);
    }
    free(list);
    return done;
}

/* ---- what must be good --------------------------------------------------------------------------------- */

static unsigned expected_streams(const struct golden *g, const char *snapshots)
{
    unsigned n = 0;
    for (const char *at = (const char *)g->list.data; at != NULL && *at != '\0';) {
        const char *end = strchr(at, '\n');
        if (strncmp(at, "stream\t", 7) == 0)
            n += snapshots == NULL ||
                 strncmp(at + 7 + 2 * WRITER_ID_LEN + 1, snapshots, strlen(snapshots)) != 0;
        at = end != NULL ? end + 1 : NULL;
    }
    return n;
}

static void check_good(struct golden *g)
{
    static const char *const verbs[] = { "L0", "L1", "L2", "LK", "L3", "restore", "key" };
    const struct secret *station[] = { g->kit.r };
    const struct secret *two[] = { g->members[2].r, g->members[0].r };
    struct verdict v;
    char why[3 * NAMES_MAX];
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        judge(g, verbs[i], NULL, &v);
        report(g, v.alarms[0] == '\0', verbs[i], v.alarms);
    }
    v = (struct verdict){ .alarms = "" };
    unsigned n = restore_all(g, station, 1, &v);
    (void)snprintf(why, sizeof why, "%u streams as expected of %u", n, expected_streams(g, NULL));
    report(g, n == expected_streams(g, NULL), "every stream", why);
    /* Two members open what was made under the second charter; only blog/1 is older. */
    v = (struct verdict){ .alarms = "" };
    n = restore_all(g, two, 2, &v);
    (void)snprintf(why, sizeof why, "%u streams, then '%s'", n, v.alarms);
    report(g, n > 0 && strcmp(v.alarms, "AUTH") == 0, "two of three members", why);
}

static void read_file(const struct golden *g, const char *name, struct buf *out)
{
    struct error err = ERROR_INIT;
    char path[PATH_LEN];
    (void)snprintf(path, sizeof path, "%s/people/%s", g->dir, name);
    must(file_read_small(path, FILE_MAX, out, &err), &err);
}

/* Member 1 with what member 2 approved: shop/3, and of the others what lies in its sessions. */
static void check_approval(struct golden *g)
{
    struct error err = ERROR_INIT;
    struct buf state = BUF_INIT;
    struct buf bytes = BUF_INIT;
    struct secret *e_sk = NULL;
    struct opened_shares opened = OPENED_SHARES_INIT;
    struct request q;
    struct approval a;
    struct verdict v = { .alarms = "" };
    uint8_t pk[BOX_PK_LEN];
    char why[NAMES_MAX + 64];
    const struct secret *one[] = { g->members[0].r };
    read_file(g, "request.state", &state);
    read_file(g, "approval", &bytes);
    must(request_state_parse(state.data, state.len, &e_sk, &q, &err), &err);
    must(box_public(g->members[0].r, pk, &err), &err);
    must(request_verify(&q, g->members[1].r, pk, q.created, &err), &err);
    must(request_verify(&q, g->members[2].r, pk, q.created, &err), &err);
    must(box_public(g->members[1].r, pk, &err), &err);
    must(approval_parse(bytes.data, bytes.len, &a, &err), &err);
    must(approval_open(&a, &q, e_sk, g->members[0].r, pk, a.time, &opened, &err), &err);
    unsigned n = restore_with(g, one, 1, &opened, &v);
    /* shop/2 and shop/3 have 5 and 6 streams; later ones and those of the blog are of other sessions */
    (void)snprintf(why, sizeof why, "%u streams, then '%s'", n, v.alarms);
    report(g, n == 11 && strcmp(v.alarms, "AUTH") == 0, "member 1 with the approval of member 2", why);
    request_free(&q);
    secret_free(e_sk);
    shares_free(&opened);
    buf_free(&state);
    buf_free(&bytes);
}

/* Whom the charter does not know, by grants alone. */
static void check_late(struct golden *g)
{
    struct error err = ERROR_INIT;
    struct member_kit late = { .r = NULL };
    struct verdict v = { .alarms = "" };
    char why[NAMES_MAX + 64];
    struct secret *block = read_key(g, "late.key", KEYFILE_MEMBER, NULL, &err);
    must(block != NULL ? member_kit_decode(block, &late, &err) : E_CORRUPT, &err);
    const struct secret *sks[] = { late.r };
    unsigned n = restore_all(g, sks, 1, &v);
    (void)snprintf(why, sizeof why, "%u streams, then '%s'", n, v.alarms);
    report(g, n == expected_streams(g, NULL) && v.alarms[0] == '\0', "the late recipient by grants", why);
    member_kit_free(&late);
    secret_free(block);
}

static void check_kits(struct golden *g)
{
    struct error err = ERROR_INIT;
    struct buf text = BUF_INIT;
    struct buf file = BUF_INIT;
    struct secret *plain = read_key(g, "kit.key", KEYFILE_KIT, NULL, &err);
    struct secret *locked = read_key(g, "kit-golden.key", KEYFILE_KIT, "golden", &err);
    struct secret *none = read_key(g, "kit-golden.key", KEYFILE_KIT, "golde", &err);
    bool same = plain != NULL && locked != NULL && none == NULL && secret_len(plain) == secret_len(locked) &&
                memcmp(secret_view(plain), secret_view(locked), secret_len(plain)) == 0;
    report(g, same, "the kit behind its passphrase", err.text);
    must(backend_read_all(g->keys, "kit.txt", FILE_MAX, &text, &err), &err);
    must(backend_read_all(g->keys, "kit.key", FILE_MAX, &file, &err), &err);
    struct secret *typed = paper_decode((const char *)text.data, text.len, &err);
    same = typed != NULL && secret_len(typed) == file.len &&
           memcmp(secret_view(typed), file.data, file.len) == 0;
    report(g, same, "the kit as key text", err.text);
    secret_free(plain);
    secret_free(locked);
    secret_free(none);
    secret_free(typed);
    buf_free(&text);
    buf_free(&file);
}

int main(int argc, char **argv)
{
    static struct golden g = { .list = BUF_INIT };
    struct error err = ERROR_INIT;
    struct marks marks;
    struct verdict v = { .alarms = "" };
    char path[PATH_LEN];
    if (argc != 2 && !(argc == 4 && strcmp(argv[2], "show") == 0)) {
        (void)fprintf(stderr, "usage: golden_check DIRECTORY [show NAME]\n");
        return 2;
    }
    must(crypto_init(&err), &err);
    g.dir = argv[1];
    (void)snprintf(path, sizeof path, "%s/expected/list.txt", g.dir);
    must(file_read_small(path, FILE_MAX, &g.list, &err), &err);
    must(buf_append(&g.list, "", 1, &err), &err);
    load(&g);
    load_keys(&g);
    marks_init(&marks);
    struct repo *repo = open_repo(&g, NULL, 0, &v);
    must(repo != NULL ? repo_marks_raise(repo, &marks, &err) : E_CORRUPT, &err);
    repo_close(repo);
    if (argc == 2) {
        check_good(&g);
        check_kits(&g);
        check_late(&g);
        check_approval(&g);
    }
    unsigned negatives = check_negatives(&g, &marks, argc == 4 ? argv[3] : NULL);
    if (argc == 2)
        (void)printf("%u right, %u wrong, %u of them negatives\n", g.good, g.wrong, negatives);
    marks_free(&marks);
    restore_kit_free(&g.kit);
    for (int i = 0; i < 3; i++)
        member_kit_free(&g.members[i]);
    buf_free(&g.list);
    backend_close(g.repo);
    backend_close(g.keys);
    return g.wrong == 0 ? 0 : 1;
}
