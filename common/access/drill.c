/* The drill host's key file. */
#include "common/access/access.h"

#include "common/base/banned.h"

int access_drill_keys(const char *path, const struct conf_secret *reference, bool prompt,
                      struct drill_keys *out, struct error *err)
{
    struct error why = ERROR_INIT;
    struct secret *block = access_key_block(path, KEYFILE_DRILL, reference, prompt, &why);
    int rc = block != NULL ? drill_keys_decode(block, out, &why) : why.code;
    secret_free(block);
    return rc < 0 ? error_copy(err, &why) : 0;
}
