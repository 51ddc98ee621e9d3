#include "common/archive/catalog_path.h"

#include <string.h>

#include "common/archive/catalog.h"

#include "common/base/banned.h"

const char *catalog_path_fault(const char *path, size_t len)
{
    if (len == 0)
        return "is empty";
    if (len > CATALOG_PATH_MAX)
        return "is too long";
    if (memchr(path, '\0', len) != NULL)
        return "holds a NUL byte";
    if (path[0] == '/')
        return "is absolute";
    for (size_t at = 0; at <= len;) {
        const char *slash = at < len ? memchr(path + at, '/', len - at) : NULL;
        size_t n = slash == NULL ? len - at : (size_t)(slash - path) - at;
        if (n == 0)
            return "has an empty component";
        if (n == 1 && path[at] == '.')
            return "has a component \".\"";
        if (n == 2 && path[at] == '.' && path[at + 1] == '.')
            return "has a component \"..\"";
        at += n + 1;
    }
    return NULL;
}
