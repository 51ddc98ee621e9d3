#include "common/base/fact.h"
#include "common/base/str.h"
#include "common/engine/files/internal.h"

#include "common/base/banned.h"

enum { PATH_SHOWN = 4096 };

/* The members are looked at by nobody here: there may be millions. */
int files_export(const struct engine_streams *streams, const char *run_facts, const struct engine_export *out,
                 struct error *err)
{
    char path[PATH_SHOWN];
    char shown[PATH_SHOWN];
    (void)streams;
    if (!fact_get(run_facts, "source_path", path, sizeof path))
        path[0] = '\0';
    return buf_printf(
        out->steps, err,
        "\"data\" is the directory tree%s%s. From an archive root gets it back with owners, attributes and\n"
        "ACLs when GNU tar is told to; others get their own owner:\n\n"
        "  tar --zstd --xattrs --xattrs-include='*' --acls --numeric-owner -xpf ARCHIVE\n\n"
        "Set-user-id bits are in the archive. An export into a directory has no set-user-id and\n"
        "set-group-id bits of files and no file capabilities.\n",
        path[0] != '\0' ? " of " : "", str_printable(shown, sizeof shown, path));
}
