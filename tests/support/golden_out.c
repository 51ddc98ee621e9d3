#include "tests/support/golden_out.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/str.h"
#include "common/sys/atomic_file.h"
#include "common/base/banned.h"

enum { PATH_LEN = 1024, RUN_MAX = 96, GAP_MAX = 8, READ_MAX = 1 << 26 };

void golden_must(int rc, const struct error *err)
{
    if (rc < 0) {
        (void)fprintf(stderr, "golden: %s\n", err->text);
        exit(1);
    }
}

static void must_sys(bool good, const char *what, const char *path)
{
    if (!good) {
        (void)fprintf(stderr, "golden: %s %s: ", what, path);
        perror("");
        exit(1);
    }
}

static const char *full(const struct golden_out *o, const char *name, char path[PATH_LEN])
{
    int n = snprintf(path, PATH_LEN, "%s/%s", o->dir, name);
    must_sys(n > 0 && n < PATH_LEN, "name", name);
    return path;
}

static void make_parents(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0755); /* what is missing then is named by open */
        *slash = '/';
    }
}

void golden_write(const struct golden_out *o, const char *name, const void *data, size_t len, unsigned mode)
{
    char path[PATH_LEN];
    (void)full(o, name, path);
    make_parents(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    must_sys(fd >= 0, "create", path);
    for (size_t at = 0; at < len;) {
        ssize_t n = write(fd, (const uint8_t *)data + at, len - at);
        must_sys(n > 0, "write", path);
        at += (size_t)n;
    }
    must_sys(close(fd) == 0, "close", path);
}

void golden_read(const struct golden_out *o, const char *name, struct buf *out)
{
    char path[PATH_LEN];
    struct error err = ERROR_INIT;
    buf_clear(out);
    golden_must(file_read_small(full(o, name, path), READ_MAX, out, &err), &err);
}

void golden_rename(const struct golden_out *o, const char *from, const char *to)
{
    char a[PATH_LEN];
    char b[PATH_LEN];
    must_sys(rename(full(o, from, a), full(o, to, b)) == 0, "rename", a);
}

void golden_unlink(const struct golden_out *o, const char *name)
{
    char path[PATH_LEN];
    must_sys(unlink(full(o, name, path)) == 0, "remove", path);
}

/* ---- negatives ----------------------------------------------------------------------------------------- */

static void line(struct golden_out *o, const char *op, const char *a, const char *b)
{
    struct error err = ERROR_INIT;
    golden_must(buf_printf(&o->changes, &err, b != NULL ? "%s %s %s\n" : "%s %s\n", op, a, b), &err);
}

void golden_negative(struct golden_out *o, const char *name, const char *expect)
{
    char file[PATH_LEN];
    char text[256];
    o->number++;
    o->files = 0;
    (void)snprintf(o->negative, sizeof o->negative, "negatives/%03u-%s", o->number, name);
    buf_clear(&o->changes);
    int n = snprintf(text, sizeof text, "%s\n", expect);
    (void)snprintf(file, sizeof file, "%s/expect", o->negative);
    golden_write(o, file, text, (size_t)n, 0644);
}

static bool exists(const struct golden_out *o, const char *name)
{
    char path[PATH_LEN];
    return access(full(o, name, path), F_OK) == 0;
}

/* One run of bytes as text. */
static void set(struct golden_out *o, const char *name, size_t at, const uint8_t *data, size_t len)
{
    char hex[2 * RUN_MAX + 1];
    char place[2 * RUN_MAX + 64];
    hex_encode(hex, data, len);
    (void)snprintf(place, sizeof place, "%zu %s", at, hex);
    line(o, "set", name, place);
}

/* Lines for every run of bytes that differs. */
static void difference(struct golden_out *o, const char *name, const uint8_t *old, const uint8_t *new,
                       size_t len)
{
    for (size_t at = 0; at < len;) {
        if (old[at] == new[at]) {
            at++;
            continue;
        }
        size_t end = at + 1;
        for (size_t i = end; i < len && i - end < GAP_MAX && i - at < RUN_MAX; i++)
            if (old[i] != new[i])
                end = i + 1;
        set(o, name, at, new + at, end - at);
        at = end;
    }
}

void golden_change(struct golden_out *o, const char *name, const void *data, size_t len)
{
    struct buf old = BUF_INIT;
    size_t differ = len;
    if (exists(o, name)) {
        golden_read(o, name, &old);
        if (old.len == len) {
            differ = 0;
            for (size_t i = 0; i < len; i++)
                differ += old.data[i] != ((const uint8_t *)data)[i] ? 1 : 0;
        }
    }
    if (old.len == len && differ < len / 4) {
        difference(o, name, old.data, data, len);
    } else {
        char file[PATH_LEN];
        char kept[16];
        (void)snprintf(kept, sizeof kept, "file%u", ++o->files);
        (void)snprintf(file, sizeof file, "%s/%s", o->negative, kept);
        golden_write(o, file, data, len, 0644);
        line(o, "put", name, kept);
    }
    buf_free(&old);
}

void golden_remove(struct golden_out *o, const char *name)
{
    line(o, "remove", name, NULL);
}

void golden_copy(struct golden_out *o, const char *from, const char *to)
{
    line(o, "copy", from, to);
}

void golden_cut(struct golden_out *o, const char *name, size_t len)
{
    char number[32];
    (void)snprintf(number, sizeof number, "%zu", len);
    line(o, "cut", name, number);
}

void golden_flip(struct golden_out *o, const char *name, size_t at, uint8_t mask)
{
    struct buf bytes = BUF_INIT;
    golden_read(o, name, &bytes);
    must_sys(at < bytes.len, "offset in", name);
    bytes.data[at] ^= mask;
    set(o, name, at, bytes.data + at, 1);
    buf_free(&bytes);
}

void golden_negative_end(struct golden_out *o)
{
    char file[PATH_LEN];
    (void)snprintf(file, sizeof file, "%s/change", o->negative);
    golden_write(o, file, o->changes.data, o->changes.len, 0644);
}
