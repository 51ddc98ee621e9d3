#include "restore/target/space.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include "common/base/number.h"
#include "common/sys/dirs.h"

#include "common/base/banned.h"

static int ask(const char *path, struct statvfs *fs, struct error *err)
{
    if (statvfs(path, fs) == 0)
        return 0;
    if (errno != ENOENT)
        return error_sys(err, "free space at %s", path);
    char *dir = path_dir(path, err);
    if (dir == NULL)
        return E_NOMEM;
    int rc = statvfs(dir, fs) == 0 ? 0 : error_sys(err, "directory %s", dir);
    free(dir);
    return rc;
}

bool space_has_files(const struct statvfs *fs, uint64_t files)
{
    return fs->f_files == 0 || files <= fs->f_favail;
}

int space_check(const char *path, uint64_t bytes, uint64_t files, struct error *err)
{
    struct statvfs fs;
    char need[NUMBER_TEXT_MAX];
    char have[NUMBER_TEXT_MAX];
    int rc = ask(path, &fs, err);
    if (rc == 0 && !space_has_files(&fs, files))
        return error_set(
            err, E_NO_SPACE,
            "not enough room at %s: %llu files (inodes) are needed, %llu are free; nothing was written", path,
            (unsigned long long)files, (unsigned long long)fs.f_favail);
    if (rc < 0 || fs.f_blocks == 0 || fs.f_frsize == 0)
        return rc;
    uint64_t block = fs.f_frsize;
    uint64_t blocks = bytes / block + (bytes % block != 0) + files; /* on average a file wastes half of one */
    if (blocks <= fs.f_bavail)
        return 0;
    return error_set(err, E_NO_SPACE,
                     "not enough room at %s: %s are needed, %s are free; nothing was written", path,
                     size_format(need, bytes + files * block), size_format(have, fs.f_bavail * block));
}

const char *rate_format(char out[RATE_TEXT_MAX], uint64_t bytes, uint64_t milliseconds)
{
    char size[NUMBER_TEXT_MAX];
    char time[NUMBER_TEXT_MAX];
    char rate[NUMBER_TEXT_MAX];
    uint64_t per_second = (uint64_t)((double)bytes * 1000.0 / (double)(milliseconds != 0 ? milliseconds : 1));
    (void)snprintf(out, RATE_TEXT_MAX, "%s in %s (%s/s)", size_format(size, bytes),
                   duration_format(time, milliseconds), size_format(rate, per_second));
    return out;
}
