#include "backupd/init/report.h"

#include "backupd/host.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/cli/json.h"
#include "common/cli/out.h"

#include "common/base/banned.h"

struct names {
    char id[2 * REPO_ID_LEN + 1];
    char print[ACCESS_FINGERPRINT_MAX];
};

static const char *content_name(enum init_content c)
{
    switch (c) {
    case INIT_ROOT_PUB:
        return "root-public-key";
    case INIT_WRITER:
        return "writer-key";
    case INIT_ROOT_KEY:
        return "root-key";
    case INIT_RETENTION:
        return "retention-key";
    case INIT_KIT:
        return "restore-kit";
    case INIT_KIT_TEXT:
        return "restore-kit-text";
    case INIT_UNCONFIRMED:
        return "kit-unconfirmed";
    case INIT_README:
    default:
        return "readme";
    }
}

static int print_json(const struct init_request *r, const struct names *n, const struct vec *files,
                      struct error *err)
{
    struct jsonout *o = jsonout_new("summary");
    jsonout_str(o, "repository", r->repository->name);
    jsonout_str(o, "repository_id", n->id);
    jsonout_str(o, "root_fingerprint", n->print);
    jsonout_u64(o, "writers", r->writers);
    jsonout_u64(o, "spare_writers", r->writers - r->jobs);
    jsonout_u64(o, "writers_without_directories", r->unmade);
    jsonout_bool(o, "passphrase", r->how != PASS_NONE);
    if (r->people.n != 0) {
        jsonout_u64(o, "people", r->people.n);
        jsonout_u64(o, "people_needed", r->people.need);
    }
    struct jsonout *list = jsonout_array(o, "files");
    for (size_t i = 0; i < files->len; i++) {
        const struct init_file *f = vec_at(files, i);
        struct jsonout *one = jsonout_object(list, NULL);
        jsonout_str(one, "path", f->path);
        jsonout_str(one, "content", content_name(f->content));
    }
    return jsonout_emit(o, err);
}

static int print_head(const struct out *out, const struct init_request *r, const struct names *n,
                      struct error *err)
{
    char size[NUMBER_TEXT_MAX];
    struct table *t = pairs_new(err);
    out_heading(out, "Repository %s is ready.", r->repository->name);
    pairs_add(t, "repository", OUT_PLAIN, "%s", n->id);
    pairs_add(t, "root key", OUT_PLAIN, "%s", n->print);
    pairs_add(t, "writers", OUT_PLAIN, "%zu (%zu for %s, %zu spare)", r->writers, r->jobs,
              plural(r->jobs, "a job", "jobs"), r->writers - r->jobs);
    if (r->people.n != 0)
        pairs_add(t, "restores take", OUT_PLAIN, "%u of %zu people", r->people.need, r->people.n);
    pairs_add(t, "kept at least", OUT_PLAIN, "%u %s", (unsigned)r->min_keep_days,
              plural(r->min_keep_days, "day", "days"));
    pairs_add(t, "pack size", OUT_PLAIN, "%s", size_format(size, r->pack_size));
    int rc = table_print(t, out, err);
    table_free(t);
    return rc;
}

static void add_kits(struct table *t, const struct init_request *r, const struct vec *files)
{
    for (size_t i = 0; i < files->len; i++) {
        const struct init_file *f = vec_at(files, i);
        if (f->content == INIT_KIT)
            pairs_add(t, r->people.n == 0 ? "restore kit" : r->people.name[f->index], OUT_BOLD, "%s",
                      f->path);
        else if (f->content == INIT_KIT_TEXT)
            pairs_add(t, "as text", OUT_PLAIN, "%s   print it", f->path);
    }
}

static int print_simple(const struct out *out, const struct init_request *r, const struct vec *files,
                        struct error *err)
{
    struct table *t = pairs_new(err);
    out_text(out, OUT_PLAIN, "\n");
    out_heading(out, "Take these off this host now (%s):", r->safe);
    add_kits(t, r, files);
    pairs_add(t, "root key", OUT_PLAIN, "%s/" ACCESS_ROOT_KEY_FILE, r->safe);
    pairs_add(t, "retention key", OUT_PLAIN, "%s/" ACCESS_RETENTION_FILE, r->safe);
    int rc = table_print(t, out, err);
    table_free(t);
    out_line(out, OUT_PLAIN, "%s nothing can be restored. README.txt there says what each file is.",
             r->people.n != 0 ? "Without enough of the kits" : "Without the kit");
    if (r->how == PASS_NONE)
        out_line(out, OUT_WARN, "They have no passphrase: whoever holds %s can read every backup.",
                 r->people.n != 0 && r->people.need > 1 ? "enough of the kits" : "the kit");
    out_text(out, OUT_PLAIN, "\n");
    out_heading(out, "This host");
    out_line(out, OUT_PLAIN, "keeps its keys in %s.", r->repository->keys);
    out_line(out, OUT_PLAIN, "With them it can add backups. It cannot read a finished one%s",
             r->same_host_retention ? "." : ", and has no key that deletes any.");
    if (r->same_host_retention)
        out_line(out, OUT_WARN,
                 "The retention key lies here, too: whoever breaks into this host can delete all backups, "
                 "unless the storage's account may not remove files.");
    return rc;
}

static void print_roles(const struct out *out, const struct init_request *r)
{
    out_text(out, OUT_PLAIN, "\n");
    out_heading(out, "The keys, by role, below %s", r->roles);
    out_line(out, OUT_PLAIN, "root/       offline: signs who may do what");
    out_line(out, OUT_PLAIN, "writer/     into %s of the host that backs up", r->repository->keys);
    out_line(out, OUT_PLAIN, "retention/  the host (or hand) that deletes old backups");
    out_line(out, OUT_PLAIN, "restore/    the restore station, and paper in a safe: restore-kit.txt");
    out_line(out, OUT_PLAIN, "auditor/    anybody who checks that the storage is complete: not secret");
    out_line(out, OUT_PLAIN,
             "Move each to its place and remove it here. Without the kit nothing can be restored.");
    if (r->how == PASS_NONE)
        out_line(out, OUT_WARN, "They have no passphrase: whoever holds the kit can read every backup.");
}

static void print_next(const struct cli_context *cli, const struct init_request *r, const struct vec *files)
{
    const struct out *out = &cli->out;
    char kit[HOST_COMMAND_MAX];
    char command[HOST_COMMAND_MAX];
    (void)host_command(cli, NULL, command);
    out_text(out, OUT_PLAIN, "\n");
    out_heading(out, "Next");
    if (r->roles != NULL)
        out_line(out, OUT_PLAIN, "On the host that backs up:");
    if (r->unmade > 0)
        out_line(
            out, OUT_WARN,
            "%s storage setup-script %s ...: %zu %s no directories on the storage yet. The server's owner "
            "runs that script once more.",
            command, r->repository->name, r->unmade, plural(r->unmade, "writer has", "writers have"));
    out_line(out, OUT_PLAIN, "%s check storage %s", command, r->repository->name);
    for (size_t i = 0; !r->kit_unconfirmed && i < files->len; i++) {
        const struct init_file *f = vec_at(files, i);
        if (f->content == INIT_KIT)
            out_line(out, OUT_PLAIN, "%s key verify-kit --kit %s", command,
                     str_shell_word(kit, sizeof kit, f->path));
    }
    out_line(out, OUT_PLAIN, "%s backup", command);
}

int init_report(struct cli_context *cli, const struct init_request *r, const struct init_keys *keys,
                const struct vec *files, struct error *err)
{
    struct names n;
    hex_encode(n.id, keys->pin.repo_id, REPO_ID_LEN);
    (void)access_fingerprint(&keys->pin, n.print);
    if (cli->json)
        return print_json(r, &n, files, err);
    if (cli->quiet)
        return 0;
    int rc = print_head(&cli->out, r, &n, err);
    if (rc == 0 && r->roles != NULL)
        print_roles(&cli->out, r);
    else if (rc == 0)
        rc = print_simple(&cli->out, r, files, err);
    if (rc == 0)
        print_next(cli, r, files);
    return rc;
}
