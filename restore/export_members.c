/* What an export holds: the files that the engine adds, and the members of the snapshot. */
#include <stdlib.h>
#include <string.h>

#include "common/base/fact.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/sys/interrupt.h"
#include "restore/export_run.h"
#include "restore/export_text.h"

#include "common/base/banned.h"

#define DATA "data"
enum { ENGINE_NAME_MAX = 64 };

struct extra { /* a file that the engine added */
    char *name;
    struct spool bytes;
};

/* ---- what the engine says ------------------------------------------------------------------------------ */

static int load_members(struct export *x, struct error *err)
{
    int rc = x->loaded ? 0 : members_load(&x->chosen, &x->members, err);
    x->loaded = true;
    return rc;
}

static int each_stream(void *arg, engine_stream_fn *fn, void *fn_arg, struct error *err)
{
    struct export *x = arg;
    int rc = load_members(x, err);
    struct engine_streams s = members_streams(&x->members);
    return rc < 0 ? rc : s.each(s.arg, fn, fn_arg, err);
}

static struct source *open_stream(void *arg, const char *name, struct error *err)
{
    struct export *x = arg;
    int rc = load_members(x, err);
    struct engine_streams s = members_streams(&x->members);
    return rc < 0 ? NULL : s.open(s.arg, name, err);
}

static int keep_extra(void *arg, const char *name, struct source *bytes, struct error *err)
{
    struct export *x = arg;
    uint8_t block[16384];
    int64_t n = 0;
    struct extra *e = vec_push(&x->extras, err);
    if (e == NULL)
        return E_NOMEM;
    *e = (struct extra){ .bytes = SPOOL_INIT };
    e->name = str_printf(err, DATA "/%s", name);
    int rc = e->name != NULL ? spool_open(&e->bytes, x->scratch, err) : E_NOMEM;
    while (rc == 0 && (n = source_read(bytes, block, sizeof block, err)) > 0)
        rc = spool_add(&e->bytes, block, (size_t)n, err);
    return rc == 0 && n < 0 ? (int)n : rc;
}

int export_ask_engine(struct export *x, struct error *err)
{
    const char *facts = x->chosen.snap->object->priv.facts;
    char name[ENGINE_NAME_MAX];
    struct engine_streams streams = { .each = each_stream, .open = open_stream, .arg = x };
    struct engine_export out = { .steps = &x->steps, .file = keep_extra, .arg = x };
    x->extras = (struct vec)VEC_OF(struct extra);
    if (fact_get(facts, "source", name, sizeof name)) {
        x->engine = engine_find(name, NULL);
        x->tree = strcmp(name, "files") == 0;
    }
    x->scratch = export_out_scratch(cli_text(x->cli, "to"), err);
    if (x->scratch == NULL)
        return E_NOMEM;
    return x->engine != NULL && x->engine->export != NULL ? x->engine->export(&streams, facts, &out, err) : 0;
}

/* ---- the members --------------------------------------------------------------------------------------- */

static void tell_doubts(struct export *x, const char *path, const char *facts)
{
    char yes[8];
    char shown[512];
    bool incomplete = fact_get(facts, "incomplete", yes, sizeof yes);
    bool changed = !incomplete && fact_get(facts, "changed", yes, sizeof yes);
    x->incomplete += incomplete;
    x->changed += changed;
    if ((incomplete || changed) && ++x->told <= EXPORT_LOSSES_NAMED)
        log_event(LOG_WARN, "%s: %s", str_printable(shown, sizeof shown, path),
                  incomplete ? "the backup could not read it to its end: this is only its beginning"
                             : "it was written to while the backup read it: it may be neither old nor new");
}

static int put_regular(struct export *x, const struct member *m, struct catalog_entry *e, struct error *err)
{
    struct gaps gaps;
    char shown[512];
    int rc = gaps_parse(m->facts, m->ref.len, &gaps, err);
    struct source *src = rc == 0 ? stream_watched(&x->chosen, x->data, &m->ref, err) : NULL;
    if (src == NULL) {
        rc = rc < 0 ? rc : err->code < 0 ? err->code : E_NOMEM;
        rc = error_wrap(err, "%s", str_printable(shown, sizeof shown, m->entry.path));
    } else {
        rc = export_out_member(&x->out, e, src, m->ref.len, &gaps, m->facts, err);
    }
    source_free(src);
    gaps_free(&gaps);
    if (rc == 0)
        tell_doubts(x, m->entry.path, m->facts);
    return rc;
}

static int put_member(const struct member *m, void *arg, struct error *err)
{
    struct export *x = arg;
    struct catalog_entry e = m->entry;
    char *path = str_printf(err, DATA "/%s", m->entry.path);
    char *target = e.type == CATALOG_HARDLINK ? str_printf(err, DATA "/%s", e.target) : NULL;
    int rc = path != NULL && (target != NULL || e.type != CATALOG_HARDLINK) ? 0 : E_NOMEM;
    progress_item(x->progress, m->entry.path);
    e.path = path;
    if (target != NULL)
        e.target = target;
    if (!x->tree) { /* streams of a database have no metadata of their own */
        e.mode = e.type == CATALOG_DIR ? 0700 : 0600;
        e.uid = e.gid = 0;
        e.uname = e.gname = NULL;
        e.mtime = x->out.options.mtime;
        e.mtime_nsec = 0;
    }
    if (rc == 0 && e.type == CATALOG_REGULAR)
        rc = put_regular(x, m, &e, err);
    else if (rc == 0)
        rc = export_out_member(&x->out, &e, NULL, 0, NULL, NULL, err);
    free(path);
    free(target);
    return rc;
}

/* `data` itself: a tree's has the metadata that its root had. */
static int put_top(struct export *x, struct error *err)
{
    const char *facts = x->chosen.snap->object->priv.facts;
    char mode[16];
    uint64_t n = 0;
    struct catalog_entry e = {
        .path = DATA, .type = CATALOG_DIR, .mode = 0700, .mtime = x->out.options.mtime
    };
    if (x->tree && fact_get(facts, "root_mode", mode, sizeof mode))
        e.mode = (uint32_t)strtoul(mode, NULL, 8) & 07777;
    if (x->tree && fact_number(facts, "root_uid", &n) && n <= INT64_MAX)
        e.uid = n;
    if (x->tree && fact_number(facts, "root_gid", &n) && n <= INT64_MAX)
        e.gid = n;
    if (x->tree && fact_number(facts, "root_mtime", &n) && n <= INT64_MAX)
        e.mtime = (int64_t)n;
    return export_out_member(&x->out, &e, NULL, 0, NULL, NULL, err);
}

static int put_extras(struct export *x, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < x->extras.len; i++) {
        struct extra *extra = vec_at(&x->extras, i);
        struct catalog_entry e = {
            .path = extra->name, .type = CATALOG_REGULAR, .mode = 0600, .mtime = x->out.options.mtime
        };
        struct source *s = spool_source(&extra->bytes, err);
        rc = s != NULL ? export_out_member(&x->out, &e, s, extra->bytes.len, NULL, NULL, err) : E_NOMEM;
        source_free(s);
    }
    return rc;
}

int export_put_all(struct export *x, struct error *err)
{
    struct chosen *c = &x->chosen;
    struct buf readme = BUF_INIT;
    int rc = export_readme(c, &x->steps, &readme, err);
    rc = rc < 0 ? rc : export_out_text(&x->out, "README.txt", readme.data, readme.len, err);
    rc = rc < 0 ? rc : put_top(x, err);
    rc = rc < 0 ? rc : put_extras(x, err);
    rc = rc < 0 ? rc : snapshot_members(c->snap->object, c->fetcher, put_member, x, err);
    if (rc == 0)
        progress_item(x->progress, "writing to disk");
    rc = rc < 0 ? rc : export_out_finish(&x->out, export_head(c), err);
    buf_free(&readme);
    return rc;
}

void export_forget(struct export *x)
{
    for (size_t i = 0; i < x->extras.len; i++) {
        struct extra *e = vec_at(&x->extras, i);
        free(e->name);
        spool_close(&e->bytes);
    }
    vec_free(&x->extras);
    if (x->loaded)
        members_free(&x->members);
    buf_free(&x->steps);
    free(x->scratch);
    fetcher_free(x->data);
}
