/* The definitions of a database: fetched once, kept in memory, given to pg_restore as a file. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/engine/postgres/restore.h"
#include "common/engine/select.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

enum { BLOCK = 1 << 18, SCHEMA_MAX = 1 << 30, JOBS_TEXT = 16, FD_TEXT = 32 };

/* Only this process and who gets the descriptor can read it, and it is gone with them. */
static int memory_file(const char *name, struct error *err)
{
    int low = memfd_create(name, MFD_CLOEXEC);
    int fd = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (fd < 0)
        (void)error_sys(err, "make a file in memory");
    fd_drop(&low);
    return fd;
}

static int fetch(struct pgsql_plan *p, uint64_t *len, struct error *err)
{
    struct source *s = pgsql_plan_open(p, true, "schema.pgdump", err);
    uint8_t *block = s != NULL ? mem_alloc(1, BLOCK, err) : NULL;
    int64_t n = 0;
    int rc = block != NULL ? 0 : pgsql_failed(err);
    while (rc == 0 && (n = source_read(s, block, BLOCK, err)) > 0) {
        *len += (uint64_t)n;
        if (*len > SCHEMA_MAX)
            rc = error_corrupt(err, "too-large", "it is longer than %d bytes", SCHEMA_MAX);
        if (rc == 0)
            rc = fd_write_full(p->schema.fd, block, (size_t)n, "file in memory", err);
        pgsql_plan_progress(p, (uint64_t)n);
    }
    free(block);
    source_free(s);
    return rc == 0 && n < 0 ? (int)n : rc;
}

static int read_toc(struct pgsql_plan *p, uint64_t len, struct error *err)
{
    struct error why = ERROR_INIT;
    void *data = len != 0 ? mmap(NULL, (size_t)len, PROT_READ, MAP_SHARED, p->schema.fd, 0) : NULL;
    if (data == MAP_FAILED)
        return error_sys(err, "read the definitions");
    int rc = pgsql_toc_read(data, (size_t)len, &p->schema.toc, &why);
    if (len != 0)
        (void)munmap(data, (size_t)len);
    p->schema.known = rc == 0;
    if (rc < 0 && (rc != E_UNSUPPORTED || p->partial))
        return error_copy(err, &why);
    return 0;
}

int pgsql_schema_fetch(struct pgsql_plan *p, struct error *err)
{
    uint64_t len = 0;
    int rc = p->schema.fd = memory_file("schema.pgdump", err);
    rc = rc < 0 ? pgsql_failed(err) : fetch(p, &len, err);
    if (rc == 0)
        rc = read_toc(p, len, err);
    return rc < 0 ? error_wrap(err, "schema.pgdump") : 0;
}

void pgsql_schema_free(struct pgsql_schema *s)
{
    fd_drop(&s->fd);
    pgsql_toc_free(&s->toc);
    pgsql_subset_free(&s->subset);
}

/* ---- a part of it ----------------------------------------------------------------------------------------- */

struct choice {
    struct vec items;   /* struct select_item */
    struct vec schemas; /* const char * */
    bool *wanted;       /* for each item */
    bool *tables;       /* for each entry of the list of contents */
    size_t entries;     /* so many items come from the list, in its order */
};

static int add_item(struct choice *ch, const char *schema, const char *name, struct error *err)
{
    struct select_item *item = vec_push(&ch->items, err);
    if (item == NULL)
        return E_NOMEM;
    *item = (struct select_item){ .schema = schema, .name = name };
    return 0;
}

static bool is_table(const struct toc_entry *e)
{
    return toc_is(e, "TABLE");
}

static int offer(struct pgsql_plan *p, struct choice *ch, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < p->schema.toc.entries.len; i++) {
        const struct toc_entry *e = toc_at(&p->schema.toc, i);
        if (is_table(e))
            rc = add_item(ch, e->schema, e->tag, err);
        const char **slot = rc == 0 && toc_is(e, "SCHEMA") ? vec_push(&ch->schemas, err) : NULL;
        if (slot != NULL)
            *slot = e->tag;
        else if (toc_is(e, "SCHEMA"))
            rc = E_NOMEM;
    }
    ch->entries = ch->items.len;
    /* tables of extensions have rows and no definition */
    for (size_t i = 0; rc == 0 && i < p->loads.len; i++) {
        const struct pgsql_load *l = vec_at(&p->loads, i);
        if (l->t.condition != NULL)
            rc = add_item(ch, l->t.schema, l->t.name, err);
    }
    ch->wanted = mem_alloc(ch->items.len + 1, sizeof *ch->wanted, err);
    ch->tables = mem_alloc(p->schema.toc.entries.len + 1, sizeof *ch->tables, err);
    return rc == 0 && ch->wanted != NULL && ch->tables != NULL ? 0 : E_NOMEM;
}

static const struct toc_entry *entry_of(const struct pgsql_plan *p, const char *schema, const char *name,
                                        size_t *at)
{
    for (size_t i = 0; i < p->schema.toc.entries.len; i++) {
        const struct toc_entry *e = toc_at(&p->schema.toc, i);
        if (is_table(e) && strcmp(e->tag, name) == 0 && strcmp(e->schema, schema) == 0) {
            *at = i;
            return e;
        }
    }
    return NULL;
}

/* Also through its root, when that is selected: then its rows go there. */
static bool load_wanted(const struct pgsql_plan *p, const struct choice *ch, struct pgsql_load *l)
{
    size_t at = 0;
    bool wanted = false;
    if (entry_of(p, l->t.schema, l->t.name, &at) != NULL)
        wanted = p->schema.subset.wanted[at];
    for (size_t i = ch->entries; i < ch->items.len; i++) {
        const struct select_item *item = vec_at(&ch->items, i);
        wanted = wanted || (ch->wanted[i] && strcmp(item->schema, l->t.schema) == 0 &&
                            strcmp(item->name, l->t.name) == 0);
    }
    return wanted;
}

/* A partition by hash that stands alone takes its rows itself. */
static void unroot(const struct pgsql_plan *p, struct pgsql_load *l)
{
    bool root = false;
    for (size_t i = 0; l->t.into != NULL && i < p->schema.toc.entries.len; i++) {
        const struct toc_entry *e = toc_at(&p->schema.toc, i);
        char *sql =
            p->schema.subset.wanted[i] && is_table(e) ? pgsql_qualified(e->schema, e->tag, NULL) : NULL;
        root = root || (sql != NULL && strcmp(sql, l->t.into) == 0);
        free(sql);
    }
    if (!root) {
        free(l->t.into);
        l->t.into = NULL;
    }
}

static void keep_wanted(struct pgsql_plan *p, const struct choice *ch)
{
    size_t kept = 0;
    for (size_t i = 0; i < p->loads.len; i++) {
        struct pgsql_load *l = vec_at(&p->loads, i);
        if (!load_wanted(p, ch, l)) {
            pgsql_load_free(l);
            continue;
        }
        unroot(p, l);
        *(struct pgsql_load *)vec_at(&p->loads, kept++) = *l;
    }
    p->loads.len = kept;
}

/* Which entries a run of pg_restore gets. */
enum stage { STAGE_ALL, STAGE_KEYS, STAGE_REST };

static bool is_key(const struct toc_entry *e)
{
    return toc_is(e, "INDEX") || toc_is(e, "CONSTRAINT");
}

/* Comments and the like have no section of their own: pg_restore takes that of the entry before them. */
static bool has_section(const struct toc_entry *e)
{
    return !toc_is(e, "COMMENT") && !toc_is(e, "ACL") && !toc_is(e, "SECURITY LABEL");
}

/* The descriptor, for fd_drop, or a negative code. */
static int list_of(const struct pgsql_schema *s, enum stage stage, struct error *err)
{
    char line[FD_TEXT];
    bool key = false;
    int fd = memory_file("list", err);
    int rc = fd < 0 ? pgsql_failed(err) : 0;
    for (size_t i = 0; rc == 0 && i < s->toc.entries.len; i++) {
        const struct toc_entry *e = toc_at(&s->toc, i);
        if (has_section(e))
            key = is_key(e);
        if ((s->subset.wanted != NULL && !s->subset.wanted[i]) ||
            (stage != STAGE_ALL && key != (stage == STAGE_KEYS)))
            continue;
        int n = snprintf(line, sizeof line, "%ld;\n", (long)e->id);
        rc = fd_write_full(fd, line, (size_t)n, "file in memory", err);
    }
    if (rc < 0)
        fd_drop(&fd);
    return rc < 0 ? rc : fd;
}

int pgsql_schema_select(struct pgsql_plan *p, struct pgsql *c, struct error *err)
{
    struct choice ch = { .items = VEC_OF(struct select_item), .schemas = VEC_OF(const char *) };
    const struct engine_selection *sel = p->target->select;
    size_t item = 0;
    if (!p->partial)
        return 0;
    int rc = offer(p, &ch, err);
    struct select_known known = { ch.items.data, ch.items.len, ch.schemas.data, ch.schemas.len };
    if (rc == 0)
        rc = select_tables(sel, &known, ch.wanted, err);
    for (size_t i = 0; rc == 0 && i < p->schema.toc.entries.len; i++)
        if (is_table(toc_at(&p->schema.toc, i)))
            ch.tables[i] = ch.wanted[item++];
    if (rc == 0)
        rc = pgsql_subset_make(c, &p->schema.toc, sel, ch.tables, &p->schema.subset, err);
    if (rc == 0)
        keep_wanted(p, &ch);
    vec_free(&ch.items);
    vec_free(&ch.schemas);
    free(ch.wanted);
    free(ch.tables);
    return rc;
}

/* ---- pg_restore ------------------------------------------------------------------------------------------- */

static int run(struct pgsql *c, const struct pgsql_plan *p, const struct pgsql_tool *tool,
               const char *section, enum stage stage, unsigned jobs, struct error *err)
{
    const struct pgsql_schema *s = &p->schema;
    bool listed = stage != STAGE_ALL || s->subset.wanted != NULL;
    int fd = listed ? list_of(s, stage, err) : -1;
    const int keep[] = { s->fd, fd, -1 };
    char file[FD_TEXT];
    char list[FD_TEXT];
    char many[JOBS_TEXT];
    const char *args[10] = { "--exit-on-error", section };
    size_t n = 2;
    if (listed && fd < 0)
        return fd;
    (void)snprintf(file, sizeof file, "/dev/fd/%d", s->fd);
    (void)snprintf(list, sizeof list, "--use-list=/dev/fd/%d", fd);
    (void)snprintf(many, sizeof many, "--jobs=%u", jobs);
    if (listed)
        args[n++] = list;
    if (jobs > 1)
        args[n++] = many;
    if (p->target->no_owner) {
        args[n++] = "--no-owner";
        args[n++] = "--no-privileges";
    }
    if (p->target->no_tablespaces)
        args[n++] = "--no-tablespaces";
    args[n++] = file;
    args[n] = NULL;
    struct child *child = pgsql_tool_start_with(tool, c, "-d", args, false, keep, err);
    int rc = child != NULL ? pgsql_tool_finish(child, "pg_restore", err) : pgsql_failed(err);
    child_free(child);
    fd_drop(&fd);
    return rc < 0 ? error_wrap(err, "definitions") : 0;
}

/*
 * pg_restore in several sessions knows which tables a statement locks, but not that a statement on a partitioned table
 * locks its partitions: a foreign key and the joining of indexes meet in a deadlock. So what takes long is done in
 * parallel, the indexes and keys, whose order pg_dump notes, and the rest one after the other.
 */
static bool has_partitions(const struct pgsql_schema *s)
{
    for (size_t i = 0; i < s->toc.entries.len; i++)
        if (toc_is(toc_at(&s->toc, i), "TABLE ATTACH"))
            return true;
    return false;
}

int pgsql_schema_load(struct pgsql *c, const struct pgsql_plan *p, const struct pgsql_tool *tool,
                      const char *section, unsigned jobs, struct error *err)
{
    if (!p->schema.known)
        jobs = 1;
    if (jobs <= 1 || !has_partitions(&p->schema))
        return run(c, p, tool, section, STAGE_ALL, jobs, err);
    int rc = run(c, p, tool, section, STAGE_KEYS, jobs, err);
    return rc == 0 ? run(c, p, tool, section, STAGE_REST, 1, err) : rc;
}
