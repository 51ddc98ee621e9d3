#include "common/repo/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/repo/check_internal.h"
#include "common/repo/names.h"
#include "common/repo/packfile.h"
#include "common/sys/interrupt.h"
#include "common/base/banned.h"

/* ---- findings ------------------------------------------------------------------------------------------- */
void check_report(struct check *c, const struct check_finding *f)
{
    if (!f->note)
        c->result->findings++;
    if (c->options->finding != NULL)
        c->options->finding(c->options->arg, f);
}

/* Live snapshots whose views list the pack. */
static int snapshots_hit(struct check_writer *w, uint32_t session, uint32_t idx, struct vec *names,
                         struct error *err)
{
    for (size_t i = 0; i < w->snapshots.len; i++) {
        struct snapshot *s = *(struct snapshot **)vec_at(&w->snapshots, i);
        char name[SNAPSHOT_NAME_MAX];
        if (!s->has_view || !snap_view_has(&s->view, session, idx))
            continue;
        char *copy = str_dup(snapshot_name(s, name), err);
        char **slot = copy != NULL ? vec_push(names, err) : NULL;
        if (slot == NULL) {
            free(copy);
            return E_NOMEM;
        }
        *slot = copy;
    }
    return 0;
}

int check_pack_finding(struct check_writer *w, const struct record_pack *pack, const struct error *why,
                       struct error *err)
{
    char where[NAME_TEXT_MAX];
    struct vec names = VEC_OF(char *);
    name_pack(where, w->writer->id, pack->session, pack->idx, pack->attempt);
    int rc = snapshots_hit(w, pack->session, pack->idx, &names, err);
    struct check_finding f = { .name = why->name != NULL ? why->name : error_code_name(why->code),
                               .where = where,
                               .text = why->text,
                               .snapshots = names.data,
                               .nsnapshots = names.len };
    if (rc == 0)
        check_report(w->check, &f);
    for (size_t i = 0; i < names.len; i++)
        free(*(char **)vec_at(&names, i));
    vec_free(&names);
    return rc;
}

int check_snapshot_finding(struct check_writer *w, const struct snapshot *s, const struct repo_record *r,
                           const char *stream, const struct error *why)
{
    char file[NAME_TEXT_MAX];
    char name[SNAPSHOT_NAME_MAX];
    char where[SNAPSHOT_NAME_MAX + 256];
    const char *list[] = { name };
    name_snap(file, w->writer->id, r->rec.session, r->rec.snap_attempt);
    if (s != NULL)
        snapshot_name(s, name);
    else
        (void)snprintf(name, sizeof name, "?/%u", r->rec.session);
    if (stream != NULL)
        (void)snprintf(where, sizeof where, "%s: %s", name, stream);
    else
        (void)snprintf(where, sizeof where, "%s", file);
    struct check_finding f = { .name = why->name != NULL ? why->name : error_code_name(why->code),
                               .where = where,
                               .text = why->text,
                               .snapshots = list,
                               .nsnapshots = 1 };
    check_report(w->check, &f);
    return 0;
}

bool check_is_verdict(int code)
{
    /* IO and DENIED: a bad sector or a changed permission hits one file; the others are still to be looked at. */
    return code == E_CORRUPT || code == E_AUTH || code == E_CONFLICT || code == E_NOT_FOUND || code == E_IO ||
           code == E_DENIED;
}

void check_progress(void *arg, uint64_t bytes)
{
    const struct check *c = arg;
    c->result->bytes_read += bytes;
    if (c->options->progress != NULL)
        c->options->progress(c->options->arg, bytes);
}

static void check_total(const struct check *c, uint64_t bytes)
{
    if (c->options->total != NULL)
        c->options->total(c->options->arg, bytes);
}

static void report_log_findings(struct check *c)
{
    for (size_t i = 0; i < c->repo->findings.len; i++) {
        const struct repo_finding *r = vec_at(&c->repo->findings, i);
        if (c->options->writer != NULL && r->has_writer &&
            memcmp(r->writer, c->options->writer, WRITER_ID_LEN) != 0)
            continue;
        struct check_finding f = { .name = r->name != NULL ? r->name : error_code_name(r->code),
                                   .note = r->note,
                                   .where = r->where,
                                   .text = r->text };
        check_report(c, &f);
    }
}

/* ---- presence (L0) -------------------------------------------------------------------------------------- */
struct present {
    uint64_t size;
};

struct listing {
    struct check_writer *w;
    enum name_kind kind;
    struct map *files;
};

struct file_key {
    uint32_t session;
    uint32_t idx;
    uint32_t attempt;
};

static int on_entry(const char *entry, const struct backend_stat *st, void *arg, struct error *err)
{
    struct listing *l = arg;
    struct name n;
    if (!name_parse(l->kind, l->w->writer->id, entry, &n))
        return 0;
    /* Only what a record introduces: a storage may hold, or make up, any number of other names. */
    if (l->kind == NAME_PACK && repo_pack_find(l->w->writer, n.session, n.idx, NULL) == NULL)
        return 0;
    struct file_key key = { .session = n.session,
                            .idx = l->kind == NAME_PACK ? n.idx : 0,
                            .attempt = n.attempt };
    struct present *p = map_put(l->files, &key, NULL, err);
    if (p == NULL)
        return E_NOMEM;
    p->size = st->size;
    return 0;
}

static int list_files(struct check_writer *w, enum name_kind kind, struct map *files, struct error *err)
{
    char dir[NAME_TEXT_MAX];
    struct listing l = { .w = w, .kind = kind, .files = files };
    name_writer_sub(dir, w->writer->id, kind == NAME_PACK ? "pack" : "snap");
    int rc = backend_list(w->check->repo->backend, dir, on_entry, &l, err);
    if (rc == E_NOT_FOUND) {
        error_clear(err);
        rc = 0; /* then every file is missing, and is named */
    }
    return rc;
}

static void presence_error(const struct present *p, uint64_t size, bool pack, struct error *why)
{
    if (p == NULL)
        (void)error_corrupt(why, pack ? ERR_PACK_MISSING : ERR_SNAP_MISSING, "it is not there");
    else
        (void)error_corrupt(why, pack ? ERR_PACK_SIZE : ERR_SNAP_SIZE, "it has %llu instead of %llu bytes",
                            (unsigned long long)p->size, (unsigned long long)size);
}

/* Collects the packs that must be there, and names those that are not. */
static int check_presence(struct check_writer *w, struct error *err)
{
    struct map files = MAP_OF(sizeof(struct file_key), sizeof(struct present));
    int rc = list_files(w, NAME_PACK, &files, err);
    for (size_t i = 0; rc == 0 && i < w->writer->records.len; i++) {
        const struct repo_record *r = vec_at(&w->writer->records, i);
        for (size_t k = 0; rc == 0 && k < r->rec.packs.len; k++) {
            const struct record_pack *p = vec_at(&r->rec.packs, k);
            if (repo_item_find(w->check->repo, w->writer->id, p->session, p->idx, p->attempt).deleted != 0)
                continue;
            struct file_key key = { .session = p->session, .idx = p->idx, .attempt = p->attempt };
            const struct present *there = map_get(&files, &key);
            w->check->result->packs++;
            if (there == NULL || there->size != p->size) {
                struct error why = ERROR_INIT;
                presence_error(there, p->size, true, &why);
                rc = check_pack_finding(w, p, &why, err);
                continue;
            }
            struct record_pack *slot = vec_push(&w->packs, err);
            if (slot == NULL)
                rc = E_NOMEM;
            else
                *slot = *p;
        }
    }
    map_free(&files);
    return rc;
}

/* Snapshot objects by their sizes alone. */
static int check_listed(struct check_writer *w, struct error *err)
{
    struct map files = MAP_OF(sizeof(struct file_key), sizeof(struct present));
    int rc = list_files(w, NAME_SNAP, &files, err);
    for (size_t i = 0; rc == 0 && i < w->writer->records.len; i++) {
        const struct repo_record *r = vec_at(&w->writer->records, i);
        if (!repo_record_live(r))
            continue;
        struct file_key key = { .session = r->rec.session, .attempt = r->rec.snap_attempt };
        const struct present *there = map_get(&files, &key);
        struct error why = ERROR_INIT;
        w->check->result->snapshots++;
        if (there != NULL && there->size == r->rec.snap_size)
            continue;
        presence_error(there, r->rec.snap_size, false, &why);
        rc = check_snapshot_finding(w, NULL, r, NULL, &why);
    }
    map_free(&files);
    return rc;
}

/* ---- snapshots ------------------------------------------------------------------------------------------ */
static int load_snapshot(struct check_writer *w, const struct repo_record *r, struct error *err)
{
    struct snapshot *s = NULL;
    struct error why = ERROR_INIT;
    w->check->result->snapshots++;
    int rc = snapshot_load(w->check->repo, w->writer, r, &s, &why);
    if (rc == 0) {
        w->check->result->bytes_read += s->bytes.len;
        struct snapshot **slot = vec_push(&w->snapshots, err);
        if (slot == NULL) {
            snapshot_free(s);
            return E_NOMEM;
        }
        *slot = s;
        if (w->view_key != NULL)
            rc = snapshot_open_view(s, w->view_key, &why);
        else if (w->check->options->level == CHECK_L0 || w->check->options->level == CHECK_L1) {
            w->snapshots.len--; /* nothing looks into it any more: years of them need no memory */
            snapshot_free(s);
        }
    }
    if (rc == 0)
        return 0;
    if (!check_is_verdict(rc))
        return error_copy(err, &why);
    return check_snapshot_finding(w, s, r, NULL, &why);
}

static int load_snapshots(struct check_writer *w, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < w->writer->records.len; i++) {
        const struct repo_record *r = vec_at(&w->writer->records, i);
        if (repo_record_live(r))
            rc = load_snapshot(w, r, err);
    }
    return rc;
}

/* L2: a live snapshot lists only packs that were introduced and are not deleted. */
static int check_views(struct check_writer *w, struct error *err)
{
    (void)err;
    for (size_t i = 0; i < w->snapshots.len; i++) {
        const struct snapshot *s = *(struct snapshot **)vec_at(&w->snapshots, i);
        for (size_t k = 0; s->has_view && k < s->view.packs.len; k++) {
            const struct pack_key *p = vec_at(&s->view.packs, k);
            uint32_t seq = 0;
            const struct record_pack *in = repo_pack_find(w->writer, p->session, p->idx, &seq);
            struct error why = ERROR_INIT;
            if (in == NULL || seq > s->record->rec.seq)
                (void)error_corrupt(&why, ERR_PACK_MISSING,
                                    "it needs pack %u-%06x, which no record up to its own "
                                    "introduces",
                                    p->session, p->idx);
            else if (repo_item_find(w->check->repo, w->writer->id, p->session, p->idx, in->attempt).deleted !=
                     0)
                (void)error_corrupt(&why, ERR_PACK_MISSING, "it needs pack %u-%06x, which retention deleted",
                                    p->session, p->idx);
            if (why.code != 0)
                (void)check_snapshot_finding(w, s, s->record, NULL, &why);
        }
    }
    return 0;
}

/* ---- one writer ----------------------------------------------------------------------------------------- */
static bool is_wanted(const struct check_writer *w, const struct record_pack *p)
{
    const struct check_options *o = w->check->options;
    char name[NAME_TEXT_MAX];
    uint32_t dice = 0;
    if (o->wanted != NULL)
        return o->wanted(o->arg, name_pack(name, w->writer->id, p->session, p->idx, p->attempt));
    random_bytes(&dice, sizeof dice);
    return o->subset == 0 || dice % 10000 < o->subset;
}

static void looked_at(const struct check_writer *w, const struct record_pack *p, int verdict)
{
    const struct check_options *o = w->check->options;
    char name[NAME_TEXT_MAX];
    if (o->looked != NULL && (verdict == 0 || check_is_verdict(verdict)))
        o->looked(o->arg, name_pack(name, w->writer->id, p->session, p->idx, p->attempt), verdict == 0);
}

static int read_packs(struct check_writer *w, struct error *err)
{
    struct check *c = w->check;
    uint64_t total = 0;
    size_t kept = 0;
    for (size_t i = 0; i < w->packs.len; i++) {
        const struct record_pack p = *(struct record_pack *)vec_at(&w->packs, i);
        if (!is_wanted(w, &p))
            continue;
        *(struct record_pack *)vec_at(&w->packs, kept++) = p;
        total += p.size;
    }
    w->packs.len = kept;
    check_total(c, total);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < w->packs.len; i++) {
        const struct record_pack *p = vec_at(&w->packs, i);
        struct error why = ERROR_INIT;
        rc = interrupt_check(err);
        if (rc < 0)
            break;
        if (c->options->level == CHECK_L3) {
            rc = check_pack_deep(w, p, &why);
        } else {
            struct packfile f = { .backend = c->repo->backend, .pack = *p };
            memcpy(f.repo_id, c->repo->repo_id, REPO_ID_LEN);
            memcpy(f.writer_id, w->writer->id, WRITER_ID_LEN);
            rc = packfile_hash(&f, check_progress, c, &why);
        }
        c->result->packs_read++;
        looked_at(w, p, rc);
        if (check_is_verdict(rc))
            rc = check_pack_finding(w, p, &why, err);
        else if (rc < 0)
            rc = error_copy(err, &why);
    }
    return rc;
}

static int check_levels(struct check_writer *w, struct error *err)
{
    enum check_level level = w->check->options->level;
    int rc = w->check->options->listed_only ? check_listed(w, err) : load_snapshots(w, err);
    if (rc == 0)
        rc = check_presence(w, err);
    if (rc == 0 && w->view_key != NULL && level != CHECK_LK)
        rc = check_views(w, err);
    if (rc == 0 && w->view_key != NULL && (level == CHECK_L2 || level == CHECK_L3))
        rc = check_past(w, err);
    if (rc == 0 && level == CHECK_LK)
        rc = check_keys(w, err);
    if (rc == 0 && (level == CHECK_L1 || level == CHECK_L3))
        rc = read_packs(w, err);
    if (rc == 0 && level == CHECK_L3)
        rc = check_streams(w, err);
    return rc;
}

static int check_writer(struct check *c, const struct repo_writer *writer, struct error *err)
{
    struct check_writer w = { .check = c,
                              .writer = writer,
                              .packs = VEC_OF(struct record_pack),
                              .snapshots = VEC_OF(struct snapshot *) };
    const struct opener *o = &c->options->opener;
    int rc = 0;
    c->result->writers++;
    c->result->records += writer->records.len;
    if (o->v != NULL || o->drill != NULL) {
        w.view_key = opener_view(o, writer->id, err);
        rc = w.view_key != NULL ? 0 : err->code;
    }
    if (rc == 0 && (o->w != NULL || o->drill != NULL) && o->nsks != 0) {
        w.fetcher = fetcher_new(c->repo, writer, o, 0, err);
        rc = w.fetcher != NULL ? 0 : E_NOMEM;
    }
    if (rc == 0)
        rc = check_levels(&w, err);
    if (w.fetcher != NULL)
        c->result->sessions_granted += fetcher_granted(w.fetcher);
    for (size_t i = 0; i < w.snapshots.len; i++)
        snapshot_free(*(struct snapshot **)vec_at(&w.snapshots, i));
    vec_free(&w.snapshots);
    vec_free(&w.packs);
    fetcher_free(w.fetcher);
    secret_free(w.view_key);
    return rc;
}

static int check_means(const struct check_options *o, struct error *err)
{
    bool drill = o->opener.drill != NULL;
    bool kit = (drill || (o->opener.w != NULL && o->opener.v != NULL)) && o->opener.nsks != 0;
    if (o->level == CHECK_L2 && o->opener.v == NULL && !drill)
        return error_set(err, E_USAGE, "level L2 needs the view key: give a restore kit, or use L0 or L1");
    if ((o->level == CHECK_LK || o->level == CHECK_L3) && !kit)
        return error_set(err, E_USAGE,
                         "this level opens snapshots and needs a restore kit; without one use L0 or L1");
    return 0;
}

int check_run(const struct repo *repo, const struct check_options *options, struct check_result *result,
              struct error *err)
{
    struct check c = { .repo = repo, .options = options, .result = result };
    memset(result, 0, sizeof *result);
    int rc = check_means(options, err);
    if (rc < 0)
        return rc;
    report_log_findings(&c);
    for (size_t i = 0; rc == 0 && i < repo->writers.len; i++) {
        const struct repo_writer *w = vec_at(&repo->writers, i);
        if (options->writer == NULL || memcmp(options->writer, w->id, WRITER_ID_LEN) == 0)
            rc = check_writer(&c, w, err);
    }
    return rc;
}
