/* Names of writers and limits of their ages, as people give them. */
#include <stdlib.h>
#include <string.h>

#include "common/base/number.h"
#include "common/base/str.h"
#include "common/sys/atomic_file.h"
#include "restore/watch.h"

#include "common/base/banned.h"

/* ---- --names: lines "JOB WRITER-ID", as the host that backs up keeps them in STATE/REPOSITORY/jobs ------------------- */

static int take_line(struct watch *w, const char *line, size_t len, const char *file, struct error *err)
{
    const char *space = memchr(line, ' ', len);
    size_t n = space != NULL ? (size_t)(space - line) : 0;
    if (len == 0 || line[0] == '#')
        return 0;
    struct watch_name *name = vec_push(&w->names, err);
    if (name == NULL)
        return E_NOMEM;
    *name = (struct watch_name){ .name = "" };
    if (n > 0 && n <= CONF_NAME_MAX)
        (void)memcpy(name->name, line, n);
    if (len != n + 1 + 2 * (size_t)WRITER_ID_LEN || !conf_name_is_good(name->name) ||
        !hex_decode(name->writer, WRITER_ID_LEN, space + 1))
        return error_set(err, E_USAGE, "%s: a line is not \"NAME WRITER-ID\"", file);
    return 0;
}

static int read_names(struct watch *w, const char *file, struct error *err)
{
    struct buf text = BUF_INIT;
    int rc = file_read_small(file, WATCH_NAMES_FILE_MAX, &text, err);
    for (size_t at = 0; rc == 0 && at < text.len;) {
        const char *line = (const char *)text.data + at;
        const char *end = memchr(line, '\n', text.len - at);
        size_t len = end != NULL ? (size_t)(end - line) : text.len - at;
        rc = take_line(w, line, len, file, err);
        at += len + 1;
    }
    buf_free(&text);
    return rc;
}

const char *watch_name_of(const struct watch *w, const uint8_t id[WRITER_ID_LEN])
{
    for (size_t i = 0; i < w->names.len; i++) {
        const struct watch_name *n = vec_at(&w->names, i);
        if (memcmp(n->writer, id, WRITER_ID_LEN) == 0)
            return n->name;
    }
    return NULL;
}

/* ---- --max-age and --warn-age: TIME, or WRITER=TIME ------------------------------------------------------------------ */

static int take_wish(struct watch *w, const char *option, const char *text, bool critical, struct error *err)
{
    const char *equals = strrchr(text, '=');
    size_t n = equals != NULL ? (size_t)(equals - text) : 0;
    uint64_t seconds = 0;
    int rc = duration_parse(equals != NULL ? equals + 1 : text, &seconds, err);
    if (rc == 0 && (seconds == 0 || n > CONF_NAME_MAX || (equals != NULL && n == 0)))
        rc = error_set(err, E_USAGE, "a time like 26h, or WRITER=26h, was expected");
    if (rc < 0)
        return error_wrap(err, "--%s %s", option, text);
    struct watch_wish *wish = vec_push(&w->wishes, err);
    if (wish == NULL)
        return E_NOMEM;
    *wish = (struct watch_wish){ .rule = { .max_age = critical ? seconds : 0,
                                           .warn_age = critical ? 0 : seconds } };
    (void)memcpy(wish->writer, text, n);
    return 0;
}

static int take_wishes(struct watch *w, const char *option, bool critical, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < cli_count(w->cli, option); i++)
        rc = take_wish(w, option, cli_text_at(w->cli, option, i), critical, err);
    return rc;
}

int watch_read_options(struct watch *w, struct error *err)
{
    const char *file = cli_text(w->cli, "names");
    int rc = file != NULL ? read_names(w, file, err) : 0;
    rc = rc < 0 ? rc : take_wishes(w, "max-age", true, err);
    return rc < 0 ? rc : take_wishes(w, "warn-age", false, err);
}

/* What is said for a writer wins over what is said for all; the last one wins among equals. */
struct watch_rule watch_rule_of(struct watch *w, const struct watch_row *row, bool *own)
{
    struct watch_rule all = { .max_age = 0 };
    struct watch_rule one = { .max_age = 0 };
    *own = false;
    for (size_t i = 0; i < w->wishes.len; i++) {
        struct watch_wish *wish = vec_at(&w->wishes, i);
        bool its = strcmp(wish->writer, row->id) == 0 || (row->named && strcmp(wish->writer, row->name) == 0);
        struct watch_rule *to = its ? &one : wish->writer[0] == '\0' ? &all : NULL;
        if (to == NULL)
            continue;
        wish->used = true;
        *own = *own || its;
        to->max_age = wish->rule.max_age != 0 ? wish->rule.max_age : to->max_age;
        to->warn_age = wish->rule.warn_age != 0 ? wish->rule.warn_age : to->warn_age;
    }
    return *own ? one : all;
}

int watch_wishes_used(const struct watch *w, struct error *err)
{
    for (size_t i = 0; i < w->wishes.len; i++) {
        const struct watch_wish *wish = vec_at(&w->wishes, i);
        if (!wish->used && wish->writer[0] != '\0')
            return error_set(err, E_USAGE,
                             "there is no writer %s in this repository; names come from --names or a kit",
                             wish->writer);
    }
    return 0;
}
