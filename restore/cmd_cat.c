/* restore cat: one stream to standard output. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/fact.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/cli/progress.h"
#include "common/sys/fdio.h"
#include "common/sys/interrupt.h"
#include "common/archive/gaps.h"
#include "restore/options.h"
#include "restore/streams.h"
#include "restore/verbs.h"

#include "common/base/banned.h"

const struct cli_option cat_options[] = {
    JOB_OPTION,
    ALARMS_OPTION,
    { .name = "force", .letter = 'f', .kind = CLI_FLAG, .help = "Write to a terminal too." },
    CLI_OPTIONS_END
};

enum { BLOCK = 1 << 18 };

static int copy_out(struct source *src, struct progress *p, uint64_t *written, struct error *err)
{
    uint8_t *block = mem_alloc(1, BLOCK, err);
    int rc = block != NULL ? 0 : E_NOMEM;
    while (rc == 0) {
        int64_t n = source_read(src, block, BLOCK, err);
        if (n <= 0) {
            rc = (int)n;
            break;
        }
        rc = fd_write_full(STDOUT_FILENO, block, (size_t)n, "standard output", err);
        *written += rc == 0 ? (uint64_t)n : 0;
        progress_add(p, (uint64_t)n);
    }
    free(block);
    return rc;
}

/* The member that is wanted: found in the catalog without keeping the rest of it. */
struct wanted {
    struct chosen *chosen;
    char *path;
    char *link; /* it is a hard link to this one */
    char *facts;
    struct stream_ref ref;
    bool found;
};

static int look(const struct member *m, void *arg, struct error *err)
{
    struct wanted *w = arg;
    char shown[512];
    if (strcmp(m->entry.path, w->path) != 0)
        return interrupt_check(err);
    w->found = true;
    if (m->entry.type == CATALOG_HARDLINK) {
        w->link = str_dup(m->entry.target, err);
        return w->link != NULL ? 0 : E_NOMEM;
    }
    if (m->entry.type != CATALOG_REGULAR)
        return error_set(err, E_USAGE, "%s is a %s: it has no bytes",
                         str_printable(shown, sizeof shown, w->path),
                         m->entry.type == CATALOG_DIR ? "directory" : "symbolic link");
    w->ref = m->ref;
    w->facts = str_dup(m->facts, err);
    return w->facts != NULL ? check_total(w->chosen, m->ref.len, err) : E_NOMEM;
}

static int find(struct wanted *w, const char *path, struct error *err)
{
    struct chosen *c = w->chosen;
    w->path = str_dup(path, err);
    int rc = w->path != NULL ? snapshot_members(c->snap->object, c->fetcher, look, w, err) : E_NOMEM;
    if (rc == 0 && w->link != NULL) {
        free(w->path);
        w->path = w->link;
        w->link = NULL;
        rc = snapshot_members(c->snap->object, c->fetcher, look, w, err);
    }
    if (rc < 0)
        return rc;
    return w->found && w->facts != NULL ? 0 : member_not_found(c, path, err);
}

static void wanted_free(struct wanted *w)
{
    free(w->path);
    free(w->link);
    free(w->facts);
}

static int cat_member(const struct wanted *w, struct error *err)
{
    struct chosen *c = w->chosen;
    struct gaps gaps;
    char yes[8];
    uint64_t written = 0;
    int rc = gaps_parse(w->facts, w->ref.len, &gaps, err);
    if (rc < 0)
        return rc;
    struct source *src = stream_watched(c, c->fetcher, &w->ref, err);
    src = src != NULL ? gaps_fill(src, &gaps, err) : NULL;
    struct progress *p = src != NULL ? progress_start(c->st.cli, "reading", NULL) : NULL;
    progress_total(p, gaps.size);
    rc = src != NULL ? copy_out(src, p, &written, err) : err->code < 0 ? err->code : E_NOMEM;
    progress_stop(p);
    source_free(src);
    gaps_free(&gaps);
    if (rc < 0 && written != 0)
        return error_wrap(err, "what was written (%llu %s) is not all of it and must not be used",
                          (unsigned long long)written, plural(written, "byte", "bytes"));
    if (rc == 0 && fact_get(w->facts, "changed", yes, sizeof yes))
        log_event(LOG_WARN, "it was written to while the backup read it: it may be neither old nor new");
    if (rc == 0 && fact_get(w->facts, "incomplete", yes, sizeof yes)) {
        c->st.cli->exit_code = CLI_EXIT_PARTLY;
        rc = error_set(err, E_IO, "the backup could not read it to its end: this is only its beginning");
    }
    return rc;
}

int cmd_cat(struct cli_context *cli, struct error *err)
{
    struct chosen c = { .snap = NULL };
    struct wanted wanted = { .chosen = &c };
    struct out quiet = out_on(stderr, cli_flag(cli, "no-color"));
    const char *path = cli->args[1];
    int rc = 0;
    jsonout_to(stderr);
    if (isatty(STDOUT_FILENO) != 0 && !cli_flag(cli, "force"))
        rc = error_set(err, E_USAGE,
                       "this would write the stream's bytes to the terminal: redirect it, or use --force");
    rc = rc < 0 ? rc : chosen_open(cli, KIT_NEEDED, cli->args[0], &c, err);
    rc = rc < 0 ? rc : chosen_begin(&c, &quiet, err);
    rc = rc < 0 ? rc : find(&wanted, path, err);
    rc = rc < 0 ? rc : cat_member(&wanted, err);
    wanted_free(&wanted);
    chosen_close(&c, rc);
    return rc;
}
