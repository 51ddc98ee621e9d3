/*
 * attack - tries to open a repository with everything that lies on the backup host.
 *
 *     attack --repo DIR --writer-keys FILE [--writer-keys FILE]... [--threads N]
 *            [--control-s HEX:SESSION] [--control-file FILE] FILE_OR_DIR...
 *         Every 32-byte window of the files as every key of the format (attack_try.h). Exit 0: none opens
 *         anything. Exit 1: "OPENED n packs", with what, where. --control-s hides S of a session in one more
 *         (random) file and wants exactly this session opened: exit 1 if so, 3 if not. --control-file is one
 *         more file.
 *
 *     attack control ... --kit FILE --session WRITER/N [--seed HEX] --out DIR
 *         With the restore kit: one file of random bytes per kind of key, with that key of the session hidden
 *         in it.
 *
 *     attack find ... --kit FILE [--seed HEX] FILE_OR_DIR...
 *         With the restore kit: looks for 8-byte pieces of every key of every session. Exit 1: there are
 *         some.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/number.h"
#include "common/base/str.h"
#include "tests/support/attack_control.h"
#include "tests/support/attack_curve.h"
#include "common/base/banned.h"

enum { KEYS_MAX = 16, PATHS_MAX = 64, HAY = 9001, HAY_AT = 5003 };

struct arguments {
    const char *repo, *kit, *out;
    char *keys[KEYS_MAX];
    size_t nkeys;
    const char *paths[PATHS_MAX];
    size_t npaths;
    const char *session; /* "WRITER/N" */
    uint64_t threads;
    uint8_t seed[32], control[SHARE_LEN];
    bool has_seed, has_control;
};

static int usage(void)
{
    (void)fprintf(stderr,
                  "usage: attack [control|find] --repo DIR --writer-keys FILE... [--threads N]\n"
                  "           [--control-s HEX:SESSION] [--control-file FILE]\n"
                  "           [--kit FILE] [--session WRITER/N] [--seed HEX] [--out DIR] FILE_OR_DIR...\n");
    return 2;
}

static bool control_argument(struct arguments *a, const char *v)
{
    return strlen(v) > 2 * SHARE_LEN + 1 && v[2 * SHARE_LEN] == ':' && (a->has_control = true) &&
           hex_decode(a->control, SHARE_LEN, v) && (a->session = v + 2 * SHARE_LEN + 1)[0] != '\0';
}

static bool option(struct arguments *a, const char *name, char *v)
{
    if (strcmp(name, "--repo") == 0)
        a->repo = v;
    else if (strcmp(name, "--kit") == 0)
        a->kit = v;
    else if (strcmp(name, "--out") == 0)
        a->out = v;
    else if (strcmp(name, "--writer-keys") == 0 && a->nkeys < KEYS_MAX)
        a->keys[a->nkeys++] = v;
    else if (strcmp(name, "--control-file") == 0 && a->npaths < PATHS_MAX)
        a->paths[a->npaths++] = v;
    else if (strcmp(name, "--threads") == 0)
        return number_parse(v, 1, 16, &a->threads, NULL) == 0;
    else if (strcmp(name, "--session") == 0)
        a->session = v;
    else if (strcmp(name, "--seed") == 0)
        return (a->has_seed = strlen(v) == 64 && hex_decode(a->seed, sizeof a->seed, v));
    else if (strcmp(name, "--control-s") == 0)
        return control_argument(a, v);
    else
        return false;
    return true;
}

static bool parse(struct arguments *a, int argc, char **argv, int from)
{
    for (int i = from; i < argc; i++) {
        if (argv[i][0] == '-') {
            if (i + 1 == argc || !option(a, argv[i], argv[i + 1]))
                return false;
            i++;
        } else if (a->npaths < PATHS_MAX) {
            a->paths[a->npaths++] = argv[i];
        } else {
            return false;
        }
    }
    return a->repo != NULL && a->nkeys > 0;
}

static int add_paths(struct scan *s, const struct arguments *a, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < a->npaths; i++)
        rc = scan_add_path(s, a->paths[i], err);
    return rc;
}

static int verdict(const struct target *t, const struct scan *s, const struct arguments *a)
{
    size_t packs = target_opened_packs(t), sessions = 0;
    bool only = true;
    for (size_t i = 0; i < t->sessions.len; i++) {
        const struct target_session *one = vec_at(&t->sessions, i);
        char text[SESSION_TEXT_MAX];
        if (one->opened == 0)
            continue;
        sessions++;
        only = only && a->session != NULL && strcmp(target_session_text(&one->name, text), a->session) == 0;
        (void)printf("session %s: %u packs opened\n", target_session_text(&one->name, text), one->opened);
    }
    if (a->has_control && (sessions != 1 || !only)) {
        (void)printf("CONTROL FAILED: session %s alone should have opened, %zu sessions did\n", a->session,
                     sessions);
        return 3;
    }
    if (t->finds.len != 0) {
        (void)printf("OPENED %zu packs of %zu, of %zu sessions, with %zu windows\n", packs, t->packs.len,
                     sessions, t->finds.len);
        return 1;
    }
    (void)printf("no window opens any of %zu packs, %zu sessions (%llu windows tried, %zu files)\n",
                 t->packs.len, t->sessions.len, (unsigned long long)(s->counts.tried + s->counts.disguised),
                 s->files.len);
    return 0;
}

static int run_attack(struct target *t, const struct arguments *a, struct error *err)
{
    struct plan plan;
    struct scan scan = { .plan = NULL };
    uint8_t hay[HAY];
    int rc = plan_make(&plan, t, err);
    curve_init();
    if (rc == 0 && (!lanes_self_test() || !curve_self_test()))
        rc = error_set(err, E_INTERNAL, "the attack's own arithmetic is wrong");
    if (rc == 0)
        rc = scan_init(&scan, &plan, err);
    if (rc == 0)
        rc = add_paths(&scan, a, err);
    if (rc == 0 && a->has_control) {
        randombytes_buf(hay, sizeof hay);
        memcpy(hay + HAY_AT, a->control, SHARE_LEN);
        rc = scan_add_bytes(&scan, "control", hay, sizeof hay, err);
    }
    if (rc == 0) {
        (void)printf("repository: %zu packs, %zu sessions, %zu snapshot objects, %llu files that are torn\n",
                     t->packs.len, t->sessions.len, t->snaps.len, (unsigned long long)t->torn);
        plan_describe(&plan);
        rc = scan_run(&scan, (unsigned)a->threads, err);
    }
    if (rc == 0) {
        scan_report(&scan);
        rc = verdict(t, &scan, a);
    }
    scan_free(&scan);
    plan_free(&plan);
    return rc;
}

static int run_find(struct target *t, const struct arguments *a, struct error *err)
{
    struct plan plan = { .target = t };
    struct scan scan = { .plan = NULL };
    struct vec keys;
    int rc = control_keys(t, a->kit, a->has_seed ? a->seed : NULL, &keys, err);
    if (rc == 0)
        rc = scan_init(&scan, &plan, err);
    if (rc == 0)
        rc = add_paths(&scan, a, err);
    if (rc == 0) {
        uint64_t n = control_find(&keys, &scan);
        (void)printf("pieces of %zu keys of %zu sessions found in %zu files (%.1f MB): %llu\n", keys.len,
                     t->sessions.len, scan.files.len, (double)scan.bytes / 1e6, (unsigned long long)n);
        rc = n != 0 ? 1 : 0;
    }
    scan_free(&scan);
    vec_free(&keys);
    return rc;
}

static int run_control(struct target *t, const struct arguments *a, struct error *err)
{
    struct vec keys;
    int rc = control_keys(t, a->kit, a->has_seed ? a->seed : NULL, &keys, err);
    if (rc == 0)
        rc = control_write(&keys, a->session, a->out, err);
    vec_free(&keys);
    return rc;
}

int main(int argc, char **argv)
{
    struct arguments a = { .threads = 2 };
    struct target t;
    struct error err = ERROR_INIT;
    const char *verb = argc > 1 && argv[1][0] != '-' ? argv[1] : "";
    bool control = strcmp(verb, "control") == 0, find = strcmp(verb, "find") == 0;
    if (!parse(&a, argc, argv, control || find ? 2 : 1) || ((control || find) && a.kit == NULL) ||
        (control && (a.out == NULL || a.session == NULL)))
        return usage();
    target_init(&t);
    int rc = crypto_init(&err);
    if (rc == 0)
        rc = target_load(&t, a.repo, a.keys, a.nkeys, &err);
    if (rc == 0)
        rc = control ? run_control(&t, &a, &err) : find ? run_find(&t, &a, &err) : run_attack(&t, &a, &err);
    if (rc < 0)
        (void)fprintf(stderr, "attack: %s\n", err.text);
    target_free(&t);
    return rc < 0 ? 4 : rc;
}
