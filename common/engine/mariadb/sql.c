#include "common/engine/mariadb/sql.h"

#include <stdbool.h>
#include <string.h>

#include "common/base/banned.h"

int maria_quote(struct buf *out, const char *name, struct error *err)
{
    int rc = buf_append(out, "`", 1, err);
    for (const char *p = name; *p != '\0' && rc == 0; p++)
        rc = *p == '`' ? buf_append(out, "``", 2, err) : buf_append(out, p, 1, err);
    return rc == 0 ? buf_append(out, "`", 1, err) : rc;
}

static int escaped(struct buf *out, const char *text, char mark, struct error *err)
{
    static const char special[] = "\n\r\t\b\032\\'\"";
    static const char letters[] = "nrtbZ\\'\"";
    int rc = buf_append(out, &mark, 1, err);
    for (const char *p = text; *p != '\0' && rc == 0; p++) {
        const char *at = strchr(special, *p);
        char pair[2] = { '\\', at != NULL ? letters[at - special] : '\0' };
        /* Option files know no \Z. */
        bool as_is = at == NULL || (mark == '"' && *p == '\032');
        rc = as_is ? buf_append(out, p, 1, err) : buf_append(out, pair, 2, err);
    }
    return rc == 0 ? buf_append(out, &mark, 1, err) : rc;
}

int maria_literal(struct buf *out, const char *text, struct error *err)
{
    return escaped(out, text, '\'', err);
}

int maria_option_value(struct buf *out, const char *text, struct error *err)
{
    return escaped(out, text, '"', err);
}

static char *finished(struct buf *b, int rc, struct error *err)
{
    if (rc == 0)
        rc = buf_append(b, "", 1, err);
    if (rc == 0)
        return (char *)b->data;
    buf_free(b);
    return NULL;
}

char *maria_qualified(const char *database, const char *name, struct error *err)
{
    struct buf sql = BUF_INIT;
    int rc = database != NULL ? maria_quote(&sql, database, err) : 0;
    if (rc == 0 && database != NULL)
        rc = buf_append(&sql, ".", 1, err);
    if (rc == 0)
        rc = maria_quote(&sql, name, err);
    return finished(&sql, rc, err);
}

char *maria_literal_text(const char *text, struct error *err)
{
    struct buf sql = BUF_INIT;
    return finished(&sql, maria_literal(&sql, text, err), err);
}

char *maria_quoted_text(const char *name, struct error *err)
{
    return maria_qualified(NULL, name, err);
}
