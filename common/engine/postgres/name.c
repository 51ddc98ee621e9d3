#include "common/engine/postgres/name.h"

#include <string.h>

#include "common/engine/name.h"

#include "common/base/banned.h"

#define ERR_NAME "postgres-name"

int pgsql_encode(struct buf *out, const char *name, struct error *err)
{
    return name_encode(out, name, err);
}

char *pgsql_decode(const char *text, size_t len, struct error *err)
{
    return name_decode(text, len, ERR_NAME, err);
}

static int wrapped(struct buf *out, const char *text, char mark, const char *special, char before,
                   struct error *err)
{
    int rc = buf_append(out, &mark, 1, err);
    for (const char *p = text; *p != '\0' && rc == 0; p++) {
        if (strchr(special, *p) != NULL)
            rc = buf_append(out, before != '\0' ? &before : p, 1, err);
        if (rc == 0)
            rc = buf_append(out, p, 1, err);
    }
    return rc == 0 ? buf_append(out, &mark, 1, err) : rc;
}

int pgsql_quote(struct buf *out, const char *name, struct error *err)
{
    return wrapped(out, name, '"', "\"", '\0', err);
}

int pgsql_literal(struct buf *out, const char *text, struct error *err)
{
    return wrapped(out, text, '\'', "'", '\0', err);
}

int pgsql_conninfo_value(struct buf *out, const char *text, struct error *err)
{
    return wrapped(out, text, '\'', "'\\", '\\', err);
}
