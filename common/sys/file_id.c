#include "common/sys/file_id.h"

#include <sys/stat.h>

#include "common/base/banned.h"

struct file_id file_id_of(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 ? (struct file_id){ .dev = st.st_dev, .ino = st.st_ino }
                                 : (struct file_id){ .ino = 0 };
}

bool file_id_is(const struct file_id *id, const char *path)
{
    struct file_id now = file_id_of(path);
    return id->ino != 0 && now.ino == id->ino && now.dev == id->dev;
}
