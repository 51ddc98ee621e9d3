#include "common/repo/opener.h"

#include "common/base/str.h"

#include "common/base/banned.h"

static const struct drill_writer *drilled(const struct opener *o, const uint8_t id[WRITER_ID_LEN])
{
    return o->drill != NULL ? drill_keys_find(o->drill, id) : NULL;
}

bool opener_has_root(const struct opener *o, const uint8_t id[WRITER_ID_LEN])
{
    return o->w != NULL || drilled(o, id) != NULL;
}

bool opener_has_view(const struct opener *o, const uint8_t id[WRITER_ID_LEN])
{
    return o->v != NULL || drilled(o, id) != NULL;
}

static struct secret *copy_or_refuse(const struct secret *s, const uint8_t id[WRITER_ID_LEN],
                                     struct error *err)
{
    char hex[2 * WRITER_ID_LEN + 1];
    hex_encode(hex, id, WRITER_ID_LEN);
    if (s != NULL)
        return secret_copy(secret_view(s), secret_len(s), err);
    (void)error_set(
        err, E_AUTH,
        "this kit does not hold the keys of writer %s: a drill kit opens only the writers that it was made for "
        "(`backupd key add-recipient --drill --writer`)",
        hex);
    return NULL;
}

struct secret *opener_root(const struct opener *o, const uint8_t id[WRITER_ID_LEN], struct error *err)
{
    const struct drill_writer *w = drilled(o, id);
    return o->w != NULL ? writer_root_derive(o->w, id, err)
                        : copy_or_refuse(w != NULL ? w->w_w : NULL, id, err);
}

struct secret *opener_view(const struct opener *o, const uint8_t id[WRITER_ID_LEN], struct error *err)
{
    const struct drill_writer *w = drilled(o, id);
    return o->v != NULL ? view_key_derive(o->v, id, err) : copy_or_refuse(w != NULL ? w->v_w : NULL, id, err);
}
