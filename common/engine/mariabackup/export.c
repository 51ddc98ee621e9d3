#include <stdio.h>

#include "common/base/fact.h"
#include "common/base/str.h"
#include "common/engine/mariabackup/internal.h"

#include "common/base/banned.h"

enum { FACT_MAX = 128 };

int mariabackup_export(const struct engine_streams *streams, const char *run_facts,
                       const struct engine_export *out, struct error *err)
{
    char version[FACT_MAX];
    char shown[FACT_MAX];
    (void)streams;
    if (!fact_get(run_facts, "server_version", version, sizeof version))
        (void)snprintf(version, sizeof version, "of an unknown version");
    return buf_printf(
        out->steps, err,
        "The files of a whole MariaDB server %s, as mariabackup streams them. They make a data\ndirectory for a "
        "server of the same series, with the tools of that series:\n\n"
        "    mkdir -m 0700 ../datadir\n"
        "    mbstream -x -C ../datadir < backup.mbstream\n"
        "    mariabackup --prepare --target-dir=../datadir\n\n"
        "Then give it to the server's user (chown -R mysql:mysql) and start the server on it.\n",
        str_printable(shown, sizeof shown, version));
}
