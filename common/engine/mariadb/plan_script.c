/* The scripts of a snapshot, statement by statement. */
#include <stdlib.h>

#include "common/base/str.h"
#include "common/engine/mariadb/restore.h"
#include "common/engine/mariadb/statement.h"

#include "common/base/banned.h"

enum { BLOCK = 1 << 16 };

static int read_whole(const struct maria_plan *p, bool of_database, const char *rest, size_t limit,
                      struct buf *out, struct error *err)
{
    char *name = str_printf(err, "%s%s", of_database ? p->prefix : "", rest);
    struct source *s = name != NULL ? p->streams->open(p->streams->arg, name, err) : NULL;
    int64_t n = s != NULL ? 1 : maria_failed(err);
    int rc = n < 0 ? (int)n : 0;
    while (rc == 0 && n > 0) {
        rc = buf_reserve(out, BLOCK, err);
        n = rc == 0 ? source_read(s, out->data + out->len, BLOCK, err) : rc;
        rc = n < 0 ? (int)n : 0;
        out->len += n > 0 ? (size_t)n : 0;
        if (rc == 0 && out->len > limit)
            rc = error_corrupt(err, "too-large", "%s is longer than %zu bytes", rest, limit);
    }
    source_free(s);
    free(name);
    return rc == 0 ? buf_append(out, "", 1, err) : rc;
}

int maria_plan_script_open(const struct maria_plan *p, bool of_database, const char *rest, size_t limit,
                           struct maria_plan_script *out, struct error *err)
{
    *out = (struct maria_plan_script){ .text = BUF_INIT };
    int rc = read_whole(p, of_database, rest, limit, &out->text, err);
    if (rc == 0)
        out->statements = maria_statements_of((const char *)out->text.data, out->text.len - 1);
    return rc;
}

void maria_plan_script_close(struct maria_plan_script *s)
{
    buf_free(&s->text);
}
