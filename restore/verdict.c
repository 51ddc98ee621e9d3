#include "restore/verdict.h"

#include <stdio.h>

#include "common/base/number.h"

#include "common/base/banned.h"

static const char *proven(const char *level)
{
    return level[1] == '0' ? "logs, signatures and sizes are as signed" : "every byte read is as signed";
}

void verdict_first(struct verdict *v, const struct check_finding *f)
{
    if (v->first[0] == '\0')
        (void)snprintf(v->first, sizeof v->first, "%s%s%s: %s", f->name, f->where[0] != '\0' ? " " : "",
                       f->where, f->text);
}

static uint64_t newest(const struct repo *repo)
{
    uint64_t time = 0;
    for (size_t i = 0; i < repo->writers.len; i++) {
        const struct repo_record *head = repo_head(vec_at(&repo->writers, i));
        if (head != NULL && head->rec.time > time)
            time = head->rec.time;
    }
    return time;
}

void verdict_print(const struct verdict *v, const struct cli_context *cli, const struct repo *repo,
                   const struct check_result *r)
{
    char size[NUMBER_TEXT_MAX];
    char time[NUMBER_TEXT_MAX];
    if (v->errors > 0) {
        out_line(&cli->out, OUT_BAD, "BROKEN %s: %llu %s, the first: %s", v->level,
                 (unsigned long long)v->errors, plural(v->errors, "error", "errors"), v->first);
        return;
    }
    uint64_t last = newest(repo);
    out_line(&cli->out, OUT_GOOD, "OK %s: %s: %llu %s, %llu %s, %llu %s, %s read; newest %s%s", v->level,
             proven(v->level), (unsigned long long)r->writers, plural(r->writers, "writer", "writers"),
             (unsigned long long)r->snapshots, plural(r->snapshots, "snapshot", "snapshots"),
             (unsigned long long)r->packs, plural(r->packs, "pack", "packs"),
             size_format(size, r->bytes_read), last > 0 ? time_format(time, last) : "none",
             v->warnings > 0 ? "; a writer is LATE" : "");
}

void verdict_unknown(const struct verdict *v, const struct cli_context *cli, const struct error *why)
{
    out_line(&cli->out, OUT_BAD, "UNKNOWN %s: it could not be checked: %s", v->level,
             why != NULL && why->text[0] != '\0' ? why->text : "no reason is known");
}
