/* restore cat: one stream to standard output. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/cli/progress.h"
#include "common/sys/fdio.h"
#include "restore/streams.h"
#include "restore/verbs.h"

#include "common/base/banned.h"

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

static int cat_member(struct chosen *c, const struct member_item *item, struct error *err)
{
    uint64_t written = 0;
    struct source *src = stream_watched(c, c->fetcher, &item->ref, err);
    struct progress *p = src != NULL ? progress_start(c->st.cli, "reading", NULL) : NULL;
    progress_total(p, item->ref.len);
    int rc = src != NULL ? copy_out(src, p, &written, err) : err->code < 0 ? err->code : E_NOMEM;
    progress_stop(p);
    source_free(src);
    if (rc < 0 && written != 0)
        return error_wrap(err, "what was written (%llu %s) is not all of it and must not be used",
                          (unsigned long long)written, plural(written, "byte", "bytes"));
    return rc;
}

int cmd_cat(struct cli_context *cli, struct error *err)
{
    struct chosen c = { .snap = NULL };
    struct members m = { .bytes = 0 };
    struct out quiet = out_on(stderr, cli_flag(cli, "no-color"));
    const char *path = cli->args[1];
    int rc = 0;
    jsonout_to(stderr);
    if (isatty(STDOUT_FILENO) != 0 && !cli_flag(cli, "force"))
        rc = error_set(err, E_USAGE,
                       "this would write the stream's bytes to the terminal: redirect it, or use --force");
    rc = rc < 0 ? rc : chosen_open(cli, KIT_NEEDED, cli->args[0], &c, err);
    rc = rc < 0 ? rc : chosen_begin(&c, &quiet, err);
    rc = rc < 0 ? rc : members_load(&c, &m, err);
    if (rc == 0) {
        const struct member_item *item = members_find(&m, path);
        rc = item != NULL ? cat_member(&c, item, err) : member_not_found(&c, path, err);
    }
    members_free(&m);
    chosen_close(&c, rc);
    return rc;
}
