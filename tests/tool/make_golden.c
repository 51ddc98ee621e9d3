/*
 * make_golden.c - writes the golden repository, its keys, its expected content and its negatives.
 *
 *     make_golden DIRECTORY           an empty or missing directory; the same bytes every time
 *
 * tests/golden/README.md describes the result. To extend it: add runs and retention records to
 * golden_story(), and negatives to golden_negatives.c and golden_broken.c; tests/support/golden.h says what is
 * where. The last session of the first writer is forged, so that negatives can change it; it stays the last.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/backend/local.h"
#include "common/base/clock.h"
#include "common/sys/dirs.h"
#include "tests/support/golden.h"
#include "common/base/banned.h"

static const uint64_t start_time = 1767225600; /* 2026-01-01 */

static uint64_t wall(void *arg)
{
    return ((const struct golden *)arg)->now;
}

static uint64_t mono(void *arg)
{
    return ((const struct golden *)arg)->now * 1000;
}

static void remove_state(const char *path)
{
    struct error err = ERROR_INIT;
    DIR *d = opendir(path);
    const struct dirent *e = NULL;
    while (d != NULL && (e = readdir(d)) != NULL) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        char *below = path_join(path, e->d_name, &err);
        if (below != NULL && unlink(below) < 0)
            remove_state(below);
        free(below);
    }
    if (d != NULL)
        (void)closedir(d);
    (void)rmdir(path);
}

static void free_keys(struct golden *g)
{
    root_keys_free(&g->root);
    restore_kit_free(&g->kit);
    for (size_t i = 0; i < WRITERS; i++)
        writer_keys_free(&g->writers[i]);
    for (size_t i = 0; i < MEMBERS; i++)
        member_kit_free(&g->members[i]);
    retention_keys_free(&g->retention);
}

int main(int argc, char **argv)
{
    static const uint8_t seed[32] = "golden repository of format bk1";
    static struct golden g = { .err = ERROR_INIT, .now = start_time, .list = BUF_INIT, .state = "" };
    const struct clock_source clock = { .wall = wall, .mono_ms = mono, .arg = &g };
    if (argc != 2) {
        (void)fprintf(stderr, "usage: make_golden DIRECTORY\n");
        return 2;
    }
    g.out = (struct golden_out){ .dir = argv[1], .changes = BUF_INIT };
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(g.state, sizeof g.state, "%s/golden-XXXXXX", tmp != NULL ? tmp : "/tmp");
    must(&g, crypto_init(&g.err));
    random_seed_for_tests(seed);
    clock_fake(&clock);
    if (mkdtemp(g.state) == NULL || (mkdir(argv[1], 0755) < 0 && access(argv[1], W_OK) < 0)) {
        perror(argv[1]);
        return 1;
    }
    char *repo = must_have(&g, path_join(argv[1], "repo", &g.err));
    if (mkdir(repo, 0755) < 0) {
        perror(repo);
        return 1;
    }
    g.backend = must_have(&g, backend_local(repo, &g.err));
    golden_make_keys(&g);
    golden_story(&g);
    golden_list_records(&g);
    golden_negative_charters(&g);
    golden_negative_logs(&g);
    golden_negative_retention(&g);
    golden_negative_objects(&g);
    golden_negative_forged(&g);
    golden_people(&g);
    (void)printf("%u negatives\n", g.out.number);
    backend_close(g.backend);
    remove_state(g.state);
    free_keys(&g);
    buf_free(&g.list);
    buf_free(&g.out.changes);
    free(repo);
    return 0;
}
