/* restore ls: the members of a snapshot. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "restore/chosen.h"
#include "common/archive/gaps.h"
#include "restore/options.h"
#include "restore/paths.h"
#include "restore/verbs.h"

#include "common/base/banned.h"

const struct cli_option ls_options[] = { JOB_OPTION,
                                         { .name = "long",
                                           .letter = 'l',
                                           .kind = CLI_FLAG,
                                           .help = "Also owner, attributes and facts of each member." },
                                         CLI_OPTIONS_END };

struct ls {
    struct cli_context *cli;
    struct paths paths;
    bool with_facts;
};

static const char *type_name(enum catalog_type type)
{
    static const char *const names[] = { [CATALOG_REGULAR] = "file",
                                         [CATALOG_DIR] = "directory",
                                         [CATALOG_SYMLINK] = "symlink",
                                         [CATALOG_HARDLINK] = "hardlink" };
    return names[type];
}

/* "-rw-r-----" */
static void mode_text(const struct catalog_entry *e, char out[11])
{
    static const char types[] = {
        [CATALOG_REGULAR] = '-', [CATALOG_DIR] = 'd', [CATALOG_SYMLINK] = 'l', [CATALOG_HARDLINK] = 'h'
    };
    static const char bits[] = "rwxrwxrwx";
    out[0] = types[e->type];
    for (unsigned i = 0; i < 9; i++)
        out[i + 1] = (e->mode & (0400u >> i)) != 0 ? bits[i] : '-';
    if ((e->mode & 04000) != 0)
        out[3] = (e->mode & 0100) != 0 ? 's' : 'S';
    if ((e->mode & 02000) != 0)
        out[6] = (e->mode & 0010) != 0 ? 's' : 'S';
    if ((e->mode & 01000) != 0)
        out[9] = (e->mode & 0001) != 0 ? 't' : 'T';
    out[10] = '\0';
}

/* A name that is not UTF-8 is shown with \xHH in the text: its bytes for programs. */
static void json_bytes(struct jsonout *o, const char *key, const char *bytes)
{
    size_t len = strlen(bytes);
    char *hex = utf8_valid(bytes, len) ? NULL : mem_alloc(2 * len + 1, 1, NULL);
    if (hex != NULL) {
        hex_encode(hex, bytes, len);
        jsonout_str(o, key, hex);
        free(hex);
    }
}

static int json_member(const struct ls *ls, const struct member *m, uint64_t size, struct error *err)
{
    const struct catalog_entry *e = &m->entry;
    struct jsonout *o = jsonout_new("member");
    char mode[8];
    (void)snprintf(mode, sizeof mode, "%04o", m->entry.mode);
    jsonout_str(o, "path", m->entry.path);
    jsonout_str(o, "type", type_name(m->entry.type));
    jsonout_str(o, "mode", mode);
    jsonout_u64(o, "size", size);
    jsonout_u64(o, "stored", m->ref.len);
    jsonout_u64(o, "uid", e->uid);
    jsonout_u64(o, "gid", e->gid);
    if (e->uname != NULL)
        jsonout_str(o, "user", e->uname);
    if (e->gname != NULL)
        jsonout_str(o, "group", e->gname);
    json_bytes(o, "path_hex", e->path);
    if (e->target != NULL)
        json_bytes(o, "target_hex", e->target);
    if (e->nxattrs != 0) {
        struct jsonout *names = jsonout_array(o, "xattrs");
        for (size_t i = 0; i < e->nxattrs; i++)
            jsonout_str(names, NULL, e->xattrs[i].name);
    }
    jsonout_time(o, "mtime", m->entry.mtime > 0 ? (uint64_t)m->entry.mtime : 0);
    if (m->entry.target != NULL)
        jsonout_str(o, "target", m->entry.target);
    if (ls->with_facts)
        jsonout_str(o, "facts", m->facts);
    return jsonout_emit(o, err);
}

/* Lines instead of a table: there may be millions. */
static int print_member(const struct member *m, void *arg, struct error *err)
{
    struct ls *ls = arg;
    const struct catalog_entry *e = &m->entry;
    char mode[11];
    char time[NUMBER_TEXT_MAX] = "-";
    struct gaps gaps;
    if (!paths_take(&ls->paths, e->path))
        return 0;
    int rc = gaps_parse(m->facts, m->ref.len, &gaps, err);
    if (rc < 0)
        return rc;
    uint64_t size = gaps.size;
    gaps_free(&gaps);
    if (ls->cli->json)
        return json_member(ls, m, size, err);
    mode_text(e, mode);
    if (e->mtime > 0)
        (void)time_format(time, (uint64_t)e->mtime);
    out_line(&ls->cli->out, OUT_PLAIN, "%s %15llu  %-20s  %s%s%s", mode, (unsigned long long)size, time,
             e->path, e->target != NULL ? " -> " : "", e->target != NULL ? e->target : "");
    if (ls->with_facts && (e->uid != 0 || e->gid != 0 || e->uname != NULL))
        out_line(&ls->cli->out, OUT_DIM, "%*sowner=%llu:%llu (%s:%s)", 28, "", (unsigned long long)e->uid,
                 (unsigned long long)e->gid, e->uname != NULL ? e->uname : "?",
                 e->gname != NULL ? e->gname : "?");
    for (size_t i = 0; ls->with_facts && i < e->nxattrs; i++)
        out_line(&ls->cli->out, OUT_DIM, "%*sxattr=%s (%zu bytes)", 28, "", e->xattrs[i].name,
                 e->xattrs[i].len);
    for (const char *line = m->facts; ls->with_facts && *line != '\0';) {
        size_t len = strcspn(line, "\n");
        out_line(&ls->cli->out, OUT_DIM, "%*s%.*s", 28, "", (int)len, line);
        line += len + (line[len] == '\n');
    }
    return 0;
}

int cmd_ls(struct cli_context *cli, struct error *err)
{
    struct chosen c;
    struct ls ls = { .cli = cli, .with_facts = cli_flag(cli, "long") };
    int rc = chosen_open(cli, KIT_NEEDED, cli->args[0], &c, err);
    if (rc < 0)
        goto out;
    station_killable();
    rc = paths_of(&ls.paths, cli->args + 1, cli->nargs - 1, err);
    rc = rc < 0 ? rc : chosen_unlock(&c, err);
    rc = rc < 0 ? rc : snapshot_members(c.snap->object, c.fetcher, print_member, &ls, err);
    if (rc == 0 && paths_missed(&ls.paths) != NULL)
        rc = member_not_found(&c, paths_missed(&ls.paths), err);
    if (rc == 0)
        station_report_alarms(&c.st);
out:
    paths_free(&ls.paths);
    chosen_close(&c, rc);
    return rc;
}
