/* restore export: a snapshot in standard forms, for people who have nothing of ours. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/fact.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/cli/progress.h"
#include "common/sys/interrupt.h"
#include "restore/export_text.h"
#include "restore/options.h"
#include "restore/streams.h"
#include "restore/target/export_out.h"
#include "restore/target/space.h"
#include "restore/verbs.h"

#include "common/base/banned.h"

static const char *const export_formats[] = { "tar.zst", "dir", NULL };

const struct cli_option export_options[] = {
    JOB_OPTION,
    ALARMS_OPTION,
    { .name = "to",
      .letter = 't',
      .kind = CLI_FILE,
      .metavar = "PATH",
      .required = true,
      .help = "A new file or directory; `-` is standard output. An existing one is never overwritten." },
    { .name = "format",
      .letter = 'F',
      .kind = CLI_CHOICE,
      .choices = export_formats,
      .metavar = "FORM",
      .help = "`tar.zst` (what PATH.tar.zst and `-` are without this option) or `dir`." },
    { .name = "unsafe-links",
      .kind = CLI_FLAG,
      .help = "dir: also make symbolic links that lead out of the directory. One of them ends the export "
              "otherwise." },
    CLI_OPTIONS_END
};

#define DATA "data"
enum { ENGINE_NAME_MAX = 64, LOSSES_NAMED = 20 };

struct extra { /* a file that the engine added */
    char *name;
    struct spool bytes;
};

struct export
{
    struct cli_context *cli;
    struct chosen chosen;
    const struct engine *engine; /* NULL: unknown here */
    bool tree;                   /* members are files with metadata of their own */
    bool tar;
    struct members members; /* loaded when the engine asks for streams */
    bool loaded;
    struct buf steps;
    struct vec extras; /* struct extra */
    char *scratch;
    struct fetcher *data; /* the catalog is read at the same time, by chosen.fetcher */
    struct export_out out;
    struct progress *progress;
    uint64_t total;
    uint64_t members_count;
    uint64_t incomplete, changed, told;
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

static int ask_engine(struct export *x, struct error *err)
{
    const char *facts = x->chosen.snap->object->priv.facts;
    char name[ENGINE_NAME_MAX];
    struct engine_streams streams = { .each = each_stream, .open = open_stream, .arg = x };
    struct engine_export out = { .steps = &x->steps, .file = keep_extra, .arg = x };
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

static int count_member(const struct member *m, void *arg, struct error *err)
{
    struct export *x = arg;
    x->members_count++;
    x->total += m->ref.len;
    int rc = check_total(&x->chosen, x->total, err);
    return rc < 0 ? rc : interrupt_check(err);
}

static void tell_doubts(struct export *x, const char *path, const char *facts)
{
    char yes[8];
    char shown[512];
    bool incomplete = fact_get(facts, "incomplete", yes, sizeof yes);
    bool changed = !incomplete && fact_get(facts, "changed", yes, sizeof yes);
    x->incomplete += incomplete;
    x->changed += changed;
    if ((incomplete || changed) && ++x->told <= LOSSES_NAMED)
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

static int put_all(struct export *x, struct error *err)
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

/* ---- the run ------------------------------------------------------------------------------------------- */

static void on_lost(const char *path, const char *what, const char *why, void *arg)
{
    struct export *x = arg;
    char shown[512];
    if (++x->told <= LOSSES_NAMED)
        log_event(LOG_WARN, "without %s%s%s: %s", what, why != NULL ? " " : "", why != NULL ? why : "",
                  str_printable(shown, sizeof shown, path));
}

static int choose_format(struct export *x, struct error *err)
{
    const char *to = cli_text(x->cli, "to");
    bool standard = strcmp(to, "-") == 0;
    if (cli_given(x->cli, "format"))
        x->tar = cli_choice(x->cli, "format") == 0;
    else if (standard || str_ends(to, ".tar.zst"))
        x->tar = true;
    else
        return error_set(err, E_USAGE, "say which form: --format tar.zst or --format dir");
    if (standard && !x->tar)
        return error_set(err, E_USAGE, "a directory does not fit into standard output: --format tar.zst");
    if (standard && isatty(STDOUT_FILENO) != 0)
        return error_set(err, E_USAGE, "this would write an archive to the terminal: redirect it");
    if (x->tar && cli_flag(x->cli, "unsafe-links"))
        return error_set(err, E_USAGE, "--unsafe-links is for directories; an archive has all links");
    return 0;
}

/* An archive may become smaller: there the disk has the last word. */
static int check_room(struct export *x, struct error *err)
{
    int rc = snapshot_members(x->chosen.snap->object, x->chosen.fetcher, count_member, x, err);
    if (rc < 0)
        return error_wrap(err, "%s", x->chosen.name);
    return x->tar ? 0 : space_check(cli_text(x->cli, "to"), x->total, x->members_count, err);
}

static int make(struct export *x, struct error *err)
{
    struct chosen *c = &x->chosen;
    char *top = export_top(c, err);
    struct export_options options = {
        .to = cli_text(x->cli, "to"),
        .tar = x->tar,
        .top = top,
        .parents = !x->tree,
        .mtime = c->snap->object->view.finished <= INT64_MAX ? (int64_t)c->snap->object->view.finished : 0,
        .policy = { .owner = x->tree && geteuid() == 0 ? TREE_OWNER_NUMBER : TREE_OWNER_NONE,
                    .xattrs = true,
                    .files = true,
                    .lost = on_lost,
                    .arg = x },
        .unsafe_links = cli_flag(x->cli, "unsafe-links"),
        .progress = progress_on_bytes,
    };
    x->progress = progress_start(x->cli, "exporting", NULL);
    progress_total(x->progress, x->total);
    options.progress_arg = x->progress;
    int rc = top != NULL ? export_out_open(&x->out, &options, err) : E_NOMEM;
    rc = rc < 0 ? rc : put_all(x, err);
    progress_stop(x->progress);
    free(top);
    if (rc < 0 && x->out.path == NULL && x->out.written != 0)
        return error_wrap(err, "what was written (%llu bytes) is not all of it and must not be used",
                          (unsigned long long)x->out.written);
    return rc < 0 ? error_wrap(err, "%s was not made", options.to) : 0;
}

static int summary(const struct export *x, uint64_t ms, struct error *err)
{
    const struct cli_context *cli = x->cli;
    const char *to = cli_text(cli, "to");
    bool standard = strcmp(to, "-") == 0;
    struct out on = standard ? out_on(stderr, cli_flag(cli, "no-color")) : cli->out;
    char rate[RATE_TEXT_MAX];
    char n[NUMBER_TEXT_MAX];
    if (cli->json) {
        struct jsonout *o = jsonout_new("summary");
        jsonout_str(o, "snapshot", x->chosen.name);
        jsonout_str(o, "target", to);
        jsonout_str(o, "format", export_formats[x->tar ? 0 : 1]);
        jsonout_u64(o, "files", x->out.files);
        jsonout_u64(o, "bytes", x->out.bytes);
        jsonout_u64(o, "archive_bytes", x->out.written);
        jsonout_u64(o, "incomplete", x->incomplete);
        jsonout_u64(o, "changed", x->changed);
        jsonout_u64(o, "metadata_lost", export_out_lost(&x->out));
        jsonout_double(o, "seconds", (double)ms / 1000.0);
        return jsonout_emit(o, err);
    }
    if (cli->quiet)
        return 0;
    out_line(&on, OUT_GOOD, "Exported %s to %s: %s %s, %s.", x->chosen.name,
             standard ? "standard output" : to, count_format(n, x->out.files),
             plural(x->out.files, "file", "files"), rate_format(rate, x->out.bytes, ms));
    out_line(
        &on, OUT_PLAIN,
        "Checked: every blob authenticated, every stream against its check. README.txt says how to load it.");
    out_line(&on, OUT_WARN, "It is not encrypted.");
    return 0;
}

static int verdict(const struct export *x, struct error *err)
{
    uint64_t lost = export_out_lost(&x->out);
    const char *to = cli_text(x->cli, "to");
    if (x->incomplete == 0 && lost == 0)
        return 0;
    x->cli->exit_code = CLI_EXIT_PARTLY;
    if (x->incomplete != 0)
        return error_set(err, E_IO, "%llu %s in %s where the backup could not read on",
                         (unsigned long long)x->incomplete, plural(x->incomplete, "file ends", "files end"),
                         to);
    return error_set(err, E_DENIED,
                     "%llu %s an owner or an attribute could not be written to %s; everything else is there",
                     (unsigned long long)lost, plural(lost, "time", "times"), to);
}

static void forget(struct export *x)
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

int cmd_export(struct cli_context *cli, struct error *err)
{
    struct export x = { .cli = cli, .out = EXPORT_OUT_INIT, .extras = VEC_OF(struct extra) };
    struct out quiet = out_on(stderr, cli_flag(cli, "no-color"));
    bool standard = strcmp(cli_text(cli, "to"), "-") == 0;
    if (standard)
        jsonout_to(stderr);
    int rc = choose_format(&x, err);
    rc = rc < 0 ? rc : chosen_open(cli, KIT_NEEDED, cli->args[0], &x.chosen, err);
    rc = rc < 0 ? rc : chosen_begin(&x.chosen, standard ? &quiet : &cli->out, err);
    uint64_t began = clock_mono_ms(); /* not the time a passphrase took to type */
    rc = rc < 0 ? rc : check_room(&x, err);
    rc = rc < 0 ? rc : ask_engine(&x, err);
    if (rc == 0) {
        x.data = fetcher_new(x.chosen.st.repo, x.chosen.snap->writer, &x.chosen.st.opener, 0, err);
        rc = x.data == NULL ? (err->code < 0 ? err->code : E_NOMEM) : make(&x, err);
    }
    rc = rc < 0 ? rc : summary(&x, clock_mono_ms() - began, err);
    rc = rc < 0 ? rc : verdict(&x, err);
    export_out_close(&x.out);
    forget(&x);
    chosen_close(&x.chosen, rc);
    return rc;
}
