#include "common/engine/mariadb/internal.h"

#include "common/base/banned.h"

int maria_look(const struct engine_target *target, struct error *err)
{
    (void)target;
    return error_set(err, E_UNSUPPORTED, "not yet");
}

int maria_restore(const struct engine_streams *streams, const struct engine_target *target, struct error *err)
{
    (void)streams;
    return maria_look(target, err);
}
