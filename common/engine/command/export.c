#include "common/base/fact.h"
#include "common/base/str.h"
#include "common/engine/command/command.h"
#include "common/engine/command/internal.h"
#include "common/engine/redact.h"

#include "common/base/banned.h"

enum { NAME_SHOWN = 1024 };

static int tell(const char *name, uint64_t len, const char *facts, void *arg, struct error *err)
{
    char shown[NAME_SHOWN];
    (void)facts;
    return buf_printf(arg, err, "  %s (%llu bytes)\n", str_printable(shown, sizeof shown, name),
                      (unsigned long long)len);
}

int command_export(const struct engine_streams *streams, const char *run_facts,
                   const struct engine_export *out, struct error *err)
{
    char command[REDACT_SHOWN_MAX + 1];
    char shown[REDACT_SHOWN_MAX + 1];
    int rc = buf_printf(out->steps, err,
                        "What a program wrote, byte for byte. Give it to the program that reads it:\n\n");
    rc = rc < 0 ? rc : streams->each(streams->arg, tell, out->steps, err);
    if (rc == 0 && fact_get(run_facts, "command", command, sizeof command))
        rc = buf_printf(out->steps, err, "\nIt was written by: %s\n",
                        str_printable(shown, sizeof shown, command));
    return rc;
}
