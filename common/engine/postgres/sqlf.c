#include "common/engine/postgres/sqlf.h"

#include <string.h>

#include "common/engine/postgres/name.h"

#include "common/base/banned.h"

static int put(struct buf *out, char how, va_list *args, struct error *err)
{
    const char *text;
    switch (how) {
    case 'I':
        return pgsql_quote(out, va_arg(*args, const char *), err);
    case 'L':
        return pgsql_literal(out, va_arg(*args, const char *), err);
    case 'u':
        return buf_printf(out, err, "%u", va_arg(*args, unsigned));
    case 's':
        text = va_arg(*args, const char *);
        return buf_append(out, text, strlen(text), err);
    default:
        return error_set(err, E_INTERNAL, "%%%c is no format of a statement", how);
    }
}

static int format(struct buf *out, struct error *err, const char *fmt, va_list *args)
{
    int rc = 0;
    while (rc == 0 && *fmt != '\0') {
        size_t plain = strcspn(fmt, "%");
        rc = plain > 0 ? buf_append(out, fmt, plain, err) : 0;
        fmt += plain;
        if (rc == 0 && *fmt == '%' && fmt[1] != '\0') {
            rc = put(out, fmt[1], args, err);
            fmt += 2;
        }
    }
    return rc;
}

int pgsql_sqlf(struct buf *out, struct error *err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int rc = format(out, err, fmt, &args);
    va_end(args);
    return rc;
}

static int run(struct pgsql *c, PGresult **out, struct error *err, const char *fmt, va_list *args)
{
    struct buf sql = BUF_INIT;
    int rc = format(&sql, err, fmt, args);
    if (rc == 0)
        rc = buf_append(&sql, "", 1, err);
    if (rc == 0)
        rc = pgsql_query(c, (const char *)sql.data, out, err);
    buf_free(&sql);
    return rc;
}

int pgsql_runf(struct pgsql *c, struct error *err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int rc = run(c, NULL, err, fmt, &args);
    va_end(args);
    return rc;
}

int pgsql_queryf(struct pgsql *c, PGresult **out, struct error *err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int rc = run(c, out, err, fmt, &args);
    va_end(args);
    return rc;
}
