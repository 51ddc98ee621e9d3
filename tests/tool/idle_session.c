/*
 * idle_session - one backup through the library, then nothing: what a daemon is between two runs.
 *
 *     idle_session init REPO HOST SAFE              a repository; HOST/writer.key, SAFE/kit.key
 *     idle_session run [--seed HEX] [--pause yes] REPO KEY STATE DB
 *         Backs up the SQLite database DB, frees everything, prints "idle" and waits until its input ends.
 *         --seed: repeatable randomness (random_seed_for_tests), so that also the keys that nobody keeps are
 *         known. --pause yes: prints "running" before the session is committed and waits for a line: its keys
 *         are alive.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/backend/local.h"
#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/engine/engine.h"
#include "common/sys/privs.h"
#include "tests/support/world.h"
#include "common/base/banned.h"

static int save(const char *dir, const char *name, enum keyfile_role role, struct secret *block,
                struct error *err)
{
    struct buf file = BUF_INIT;
    char *path = str_printf(err, "%s/%s", dir, name);
    int rc = block != NULL && path != NULL ? keyfile_encode(role, block, NULL, NULL, &file, err) : E_NOMEM;
    if (rc == 0)
        rc = keyfile_save(path, &file, err);
    secret_free(block);
    buf_wipe(&file);
    free(path);
    return rc;
}

static int make(char *const *dirs, struct error *err)
{
    struct world w;
    for (int i = 0; i < 3; i++)
        if (mkdir(dirs[i], 0700) != 0 && access(dirs[i], W_OK) != 0)
            return error_sys(err, "make %s", dirs[i]);
    world_init(&w, backend_local(dirs[0], err), 1);
    int rc = save(dirs[1], "writer.key", KEYFILE_WRITER, writer_keys_encode(&w.writers[0], err), err);
    if (rc == 0)
        rc = save(dirs[2], "kit.key", KEYFILE_KIT, restore_kit_encode(&w.kit, err), err);
    world_free(&w);
    return rc;
}

static int load(const char *path, struct writer_keys *keys, struct error *err)
{
    struct buf file = BUF_INIT;
    enum keyfile_role role = KEYFILE_ROOT;
    struct secret *block = NULL;
    int rc = keyfile_load(path, &file, err);
    if (rc == 0 && (block = keyfile_decode(file.data, file.len, &role, NULL, err)) == NULL)
        rc = err->code;
    if (rc == 0)
        rc = role == KEYFILE_WRITER ? writer_keys_decode(block, keys, err)
                                    : error_set(err, E_USAGE, "%s: no writer", path);
    secret_free(block);
    buf_wipe(&file);
    return rc;
}

/* The database, from the engine into the session. */
static int pump(struct session *s, const struct engine *e, struct engine_run *run, struct error *err)
{
    struct engine_stream stream;
    struct stream_writer *out = NULL;
    uint8_t *block = mem_alloc(MIB, 1, err);
    int rc = block != NULL ? e->next(run, &stream, err) : E_NOMEM;
    if (rc == 1) {
        struct session_stream_options o = { .name = stream.name,
                                            .page_size = stream.page_size,
                                            .mode_bits = 0640 };
        rc = session_stream(s, &o, &out, err);
    }
    for (int64_t n = 1; rc == 0 && n > 0;) {
        n = e->read(run, block, MIB, err);
        rc = n < 0 ? (int)n : n > 0 ? stream_write(out, block, (size_t)n, err) : 0;
    }
    if (rc == 0)
        rc = stream_finish(out, NULL, err);
    free(block);
    return rc == 0 ? e->finish(run, err) : rc;
}

static void wait_line(const char *say)
{
    char c = 0;
    (void)printf("%s\n", say);
    (void)fflush(stdout);
    while (read(STDIN_FILENO, &c, 1) > 0 && c != '\n')
        ;
}

static int backup(char *const *args, bool pause, struct error *err)
{
    struct writer_keys keys = { .w_w = NULL };
    struct engine_option options[] = { { .key = "path", .value = args[3] },
                                       { .key = "name", .value = "shop.db" } };
    struct engine_job job = { .name = "idle", .options = options, .noptions = 2 };
    struct session *s = NULL;
    struct session_result result;
    const struct engine *e = engine_find("sqlite", err);
    struct engine_run *run = NULL;
    struct backend *backend = backend_local(args[0], err);
    int rc = backend != NULL && e != NULL ? load(args[1], &keys, err) : E_IO;
    struct session_options o = {
        .backend = backend, .keys = &keys, .state_dir = args[2], .label = "idle", .workers = 2, .uploads = 2
    };
    if (rc == 0)
        rc = session_begin(&o, &s, err);
    if (rc == 0 && (run = e->open(&job, err)) == NULL)
        rc = err->code;
    if (rc == 0)
        rc = pump(s, e, run, err);
    if (rc == 0 && pause)
        wait_line("running");
    if (rc == 0)
        rc = session_commit(s, NULL, &result, err);
    if (run != NULL)
        e->close(run);
    session_free(s);
    writer_keys_free(&keys);
    backend_close(backend);
    if (rc == 0)
        (void)printf("session %u: %llu packs, %llu bytes stored\n", result.session,
                     (unsigned long long)result.packs, (unsigned long long)result.stored);
    return rc;
}

static int usage(void)
{
    (void)fprintf(stderr, "usage: idle_session init REPO HOST SAFE\n"
                          "       idle_session run [--seed HEX] [--pause yes] REPO KEY STATE DB\n");
    return 2;
}

int main(int argc, char **argv)
{
    struct error err = ERROR_INIT;
    uint8_t seed[32];
    bool seeded = false, pause = false;
    int at = 2;
    for (; at + 1 < argc && argv[at][0] == '-'; at += 2) {
        if (strcmp(argv[at], "--pause") == 0)
            pause = true;
        else if (strcmp(argv[at], "--seed") == 0 && strlen(argv[at + 1]) == 64)
            seeded = hex_decode(seed, sizeof seed, argv[at + 1]);
        else
            return usage();
    }
    bool make_it = argc == 5 && strcmp(argv[1], "init") == 0;
    if (!make_it && (argc - at != 4 || strcmp(argv[1], "run") != 0))
        return usage();
    int rc = process_harden(&err);
    if (rc == 0)
        rc = crypto_init(&err);
    if (rc == 0 && seeded)
        random_seed_for_tests(seed);
    if (rc == 0)
        rc = make_it ? make(argv + 2, &err) : backup(argv + at, pause, &err);
    if (rc == 0 && !make_it) {
        (void)printf("idle\n");
        (void)fflush(stdout);
        char c;
        while (read(STDIN_FILENO, &c, 1) > 0)
            ;
    }
    if (rc < 0)
        (void)fprintf(stderr, "idle_session: %s\n", err.text);
    return rc < 0 ? 1 : 0;
}
