#include "restore/drill/drill.h"

#include "common/base/banned.h"

int drill_run(const struct drill_options *options, struct drill_result *result, struct error *err)
{
    (void)options;
    (void)result;
    return error_set(err, E_UNSUPPORTED, "drills are not there yet");
}
