/* key show: who may do what, as the newest charter says, and which key files this host has. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "backupd/host.h"
#include "backupd/keys/change.h"
#include "backupd/keys/kit.h"
#include "backupd/keys/writer.h"
#include "backupd/verbs.h"
#include "common/base/clock.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/cli/json.h"

#include "common/base/banned.h"

enum { ID_HEX = 2 * WRITER_ID_LEN };

const struct cli_option key_show_options[] = { KEY_REPO_OPTION, CLI_OPTIONS_END };

struct showing {
    struct cli_context *cli;
    const struct conf *conf;
    const struct conf_repository *repository;
    const struct repo *repo;
    const struct charter *c;
    struct vec ids; /* writers whose keys are here */
};

static bool here(const struct showing *s, const uint8_t id[WRITER_ID_LEN])
{
    for (size_t i = 0; i < s->ids.len; i++)
        if (memcmp(vec_at(&s->ids, i), id, WRITER_ID_LEN) == 0)
            return true;
    return false;
}

/* ---- JSON ---------------------------------------------------------------------------------------------- */

static void hex_to(struct jsonout *o, const char *key, const void *data, size_t len)
{
    char hex[2 * HASH_LEN + 1];
    hex_encode(hex, data, len);
    jsonout_str(o, key, hex);
}

static void json_people(const struct showing *s, struct jsonout *o)
{
    struct jsonout *list = jsonout_array(o, "recipients");
    for (size_t i = 0; i < s->c->recipients.len; i++) {
        const struct charter_recipient *r = vec_at(&s->c->recipients, i);
        struct jsonout *one = jsonout_object(list, NULL);
        jsonout_str(one, "name", r->name);
        hex_to(one, "rid", r->rid, RID_LEN);
        jsonout_time(one, "expires", r->expires);
    }
    list = jsonout_array(o, "groups");
    for (size_t i = 0; i < s->c->groups.len; i++) {
        const struct charter_group *g = vec_at(&s->c->groups, i);
        struct jsonout *one = jsonout_array(list, NULL);
        for (unsigned k = 0; k < g->n; k++)
            jsonout_str(one, NULL, charter_recipient_find(s->c, g->rid[k])->name);
    }
}

static void json_range(struct jsonout *o, uint32_t first, uint32_t last)
{
    jsonout_u64(o, "first", first);
    if (last != SEQ_OPEN)
        jsonout_u64(o, "last", last);
}

static int print_json(const struct showing *s, struct error *err)
{
    struct jsonout *o = jsonout_new("summary");
    jsonout_str(o, "repository", s->repository->name);
    hex_to(o, "repository_id", s->repo->repo_id, REPO_ID_LEN);
    jsonout_u64(o, "charter", s->c->version);
    hex_to(o, "root", s->c->root_pk, SIGN_PK_LEN);
    jsonout_bool(o, "kit_confirmed", !kit_is_unconfirmed(s->repository->keys));
    json_people(s, o);
    struct jsonout *list = jsonout_array(o, "writers");
    for (size_t i = 0; i < s->c->writers.len; i++) {
        const struct charter_writer *w = vec_at(&s->c->writers, i);
        const struct repo_writer *log = repo_writer_find(s->repo, w->id);
        struct jsonout *one = jsonout_object(list, NULL);
        hex_to(one, "id", w->id, WRITER_ID_LEN);
        hex_to(one, "key", w->pk, SIGN_PK_LEN);
        jsonout_u64(one, "cadence_hours", w->cadence_hours);
        json_range(one, w->first_seq, w->last_seq);
        jsonout_u64(one, "records", log != NULL ? log->records.len : 0);
        jsonout_bool(one, "here", here(s, w->id));
    }
    list = jsonout_array(o, "retention");
    for (size_t i = 0; i < s->c->retention.len; i++) {
        const struct charter_retention *r = vec_at(&s->c->retention, i);
        struct jsonout *one = jsonout_object(list, NULL);
        hex_to(one, "key", r->pk, SIGN_PK_LEN);
        json_range(one, r->first_seq, r->last_seq);
    }
    list = jsonout_array(o, "drill_keys");
    for (size_t i = 0; i < s->c->drills.len; i++) {
        const struct charter_drill *d = vec_at(&s->c->drills, i);
        struct jsonout *one = jsonout_object(list, NULL);
        hex_to(one, "key", d->pk, SIGN_PK_LEN);
        jsonout_bool(one, "active", d->active);
    }
    return jsonout_emit(o, err);
}

/* ---- text ---------------------------------------------------------------------------------------------- */

static int print_head(const struct showing *s, const struct access_root *pin, struct error *err)
{
    const struct out *out = &s->cli->out;
    char id[2 * REPO_ID_LEN + 1];
    char a[ACCESS_FINGERPRINT_MAX];
    char b[ACCESS_FINGERPRINT_MAX];
    bool same = memcmp(pin->root_pk, s->c->root_pk, SIGN_PK_LEN) == 0;
    struct table *t = pairs_new(err);
    hex_encode(id, s->repo->repo_id, REPO_ID_LEN);
    out_heading(out, "%s", s->repository->name);
    pairs_add(t, "repository", OUT_PLAIN, "%s", id);
    pairs_add(t, "charter", OUT_PLAIN, "version %u", s->c->version);
    pairs_add(t, "root key", OUT_PLAIN, "%s", access_key_print(s->c->root_pk, a));
    if (!same)
        pairs_add(t, "pinned here", OUT_WARN, "%s, an older one: `backupd key pin`",
                  access_fingerprint(pin, b));
    if (kit_is_unconfirmed(s->repository->keys))
        pairs_add(t, "restore kit", OUT_WARN, "nobody has tried it: `backupd key verify-kit`");
    pairs_add(t, "kept at least", OUT_PLAIN, "%u %s", s->c->min_keep_days,
              plural(s->c->min_keep_days, "day", "days"));
    int rc = table_print(t, out, err);
    table_free(t);
    return rc;
}

static int print_people(const struct showing *s, struct error *err)
{
    const struct out *out = &s->cli->out;
    char print[ACCESS_FINGERPRINT_MAX];
    char date[NUMBER_TEXT_MAX];
    uint64_t now = clock_wall();
    struct table *t = table_new(err);
    out_text(out, OUT_PLAIN, "\n");
    table_column(t, "recipient", false);
    table_column(t, "key", false);
    table_column(t, "expires", false);
    for (size_t i = 0; i < s->c->recipients.len; i++) {
        const struct charter_recipient *r = vec_at(&s->c->recipients, i);
        bool over = r->expires != 0 && r->expires <= now;
        table_cell(t, OUT_BOLD, "%s", r->name);
        table_cell(t, OUT_PLAIN, "%s", access_key_print(r->pk, print));
        table_cell(t, over ? OUT_WARN : OUT_PLAIN, "%s%s",
                   r->expires != 0 ? time_format(date, r->expires) : "never", over ? " (expired)" : "");
    }
    int rc = table_print(t, out, err);
    table_free(t);
    for (size_t i = 0; rc == 0 && i < s->c->groups.len; i++) {
        const struct charter_group *g = vec_at(&s->c->groups, i);
        out_text(out, OUT_PLAIN, "new sessions open to ");
        for (unsigned k = 0; k < g->n; k++)
            out_text(out, OUT_PLAIN, "%s%s", k > 0 ? " together with " : "",
                     charter_recipient_find(s->c, g->rid[k])->name);
        out_text(out, OUT_PLAIN, "%s\n", g->n == 1 ? " alone" : "");
    }
    return rc;
}

static void writer_row(const struct showing *s, struct table *t, const struct charter_writer *w)
{
    char hex[ID_HEX + 1];
    char date[NUMBER_TEXT_MAX];
    const struct repo_writer *log = repo_writer_find(s->repo, w->id);
    const struct repo_record *head = log != NULL ? repo_head(log) : NULL;
    char *job = key_writer_job(s->conf, s->repository, w->id);
    hex_encode(hex, w->id, WRITER_ID_LEN);
    table_cell(t, OUT_BOLD, "%s", hex);
    if (w->last_seq == SEQ_OPEN)
        table_cell(t, OUT_PLAIN, "%u-", w->first_seq);
    else if (w->last_seq < w->first_seq)
        table_cell(t, OUT_DIM, "none");
    else
        table_cell(t, OUT_DIM, "%u-%u", w->first_seq, w->last_seq);
    bool open = w->last_seq == SEQ_OPEN;
    bool used = log != NULL && log->records.len > 0;
    table_cell(t, open ? OUT_PLAIN : OUT_DIM, "%s", !open ? "closed" : used ? "in use" : "spare");
    table_cell(t, OUT_PLAIN, "%s", head != NULL ? time_format(date, head->rec.time) : "-");
    table_cell(t, OUT_PLAIN, "%s%s%s", here(s, w->id) ? "here" : "-", job != NULL ? ", job " : "",
               job != NULL ? job : "");
    free(job);
}

static int print_writers(const struct showing *s, struct error *err)
{
    const struct out *out = &s->cli->out;
    struct table *t = table_new(err);
    out_text(out, OUT_PLAIN, "\n");
    table_column(t, "writer", false);
    table_column(t, "records", false);
    table_column(t, "state", false);
    table_column(t, "newest", false);
    table_column(t, "key file", false);
    for (size_t i = 0; i < s->c->writers.len; i++)
        writer_row(s, t, vec_at(&s->c->writers, i));
    int rc = table_print(t, out, err);
    table_free(t);
    return rc;
}

static int print_rest(const struct showing *s, struct error *err)
{
    const struct out *out = &s->cli->out;
    char print[ACCESS_FINGERPRINT_MAX];
    struct table *t = pairs_new(err);
    out_text(out, OUT_PLAIN, "\n");
    for (size_t i = 0; i < s->c->retention.len; i++) {
        const struct charter_retention *r = vec_at(&s->c->retention, i);
        pairs_add(t, "retention", OUT_PLAIN, "%s, from record %u%s", access_key_print(r->pk, print),
                  r->first_seq, r->last_seq != SEQ_OPEN ? ", closed" : "");
    }
    for (size_t i = 0; i < s->c->drills.len; i++) {
        const struct charter_drill *d = vec_at(&s->c->drills, i);
        pairs_add(t, "drill key", OUT_PLAIN, "%s%s", access_key_print(d->pk, print),
                  d->active ? "" : ", retired");
    }
    int rc = table_print(t, out, err);
    table_free(t);
    return rc;
}

static int show(struct showing *s, struct error *err)
{
    struct access_root pin;
    struct repo_options options = { .writer = NULL, .now = clock_wall() };
    struct repo *repo = NULL;
    struct error why = ERROR_INIT;
    int rc = access_root(s->repository, &pin, &why);
    struct backend *b = rc == 0 ? access_storage(&s->repository->storage, &why) : NULL;
    if (rc == 0)
        rc = b != NULL ? repo_open(b, pin.root_pk, &options, &repo, &why) : why.code;
    if (rc == E_NOT_FOUND)
        s->cli->exit_code = CLI_EXIT_NO_REPOSITORY;
    if (rc == 0) {
        (void)access_writer_ids(s->repository, &s->ids, NULL); /* none is none */
        s->repo = repo;
        s->c = repo_charter(repo);
        host_findings(repo);
        rc = s->cli->json ? print_json(s, &why) : print_head(s, &pin, &why);
    }
    if (rc == 0 && !s->cli->json)
        rc = print_people(s, &why);
    if (rc == 0 && !s->cli->json)
        rc = print_writers(s, &why);
    if (rc == 0 && !s->cli->json)
        rc = print_rest(s, &why);
    repo_close(repo);
    backend_close(b);
    return rc < 0 ? error_copy(err, &why) : 0;
}

int cmd_key_show(struct cli_context *cli, struct error *err)
{
    struct showing s = { .cli = cli, .ids = { .item = WRITER_ID_LEN } };
    struct conf *conf = host_configuration(cli, false, err);
    if (conf == NULL)
        return err->code;
    s.conf = conf;
    s.repository = conf_find_repository(conf, cli_text(cli, "repo"), err);
    int rc = s.repository != NULL ? show(&s, err) : E_USAGE;
    vec_free(&s.ids);
    conf_free(conf);
    return rc;
}
