/* restore grant: old sessions' keys, sealed to a recipient who was added later. */
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/cli/json.h"
#include "restore/needs.h"
#include "restore/options.h"
#include "restore/select.h"
#include "restore/verbs.h"

#include "common/base/banned.h"

const struct cli_option grant_options[] = {
    JOB_OPTION,
    { .name = "dry-run", .letter = 'n', .kind = CLI_FLAG, .help = "Only say what would be granted." },
    ALARMS_OPTION,
    CLI_OPTIONS_END
};

struct granting {
    struct cli_context *cli;
    struct station st;
    struct snaps all;
    const struct charter_recipient *to;
    struct recipients groups; /* of the newest charter, those that name the recipient */
    struct vec sessions;      /* struct request_session */
    struct grant_set *there;  /* the recipient's */
    struct grant_writer grant;
    size_t granted;
    size_t had; /* sessions that name the recipient already */
    size_t files;
    char name[NAME_TEXT_MAX];
};

/* ---- to whom --------------------------------------------------------------------------------------------- */

static int find_recipient(struct granting *g, struct error *err)
{
    const struct charter *c = repo_charter(g->st.repo);
    const char *name = g->cli->args[0];
    for (size_t i = 0; i < c->recipients.len; i++) {
        const struct charter_recipient *who = vec_at(&c->recipients, i);
        char rid[2 * RID_LEN + 1];
        hex_encode(rid, who->rid, RID_LEN);
        if (strcmp(who->name, name) != 0 && strcmp(rid, name) != 0)
            continue;
        if (g->to != NULL)
            return error_set(err, E_USAGE, "two recipients are called %s: name one by its id (32 hex digits)",
                             name);
        g->to = who;
    }
    if (g->to == NULL)
        return error_set(err, E_NOT_FOUND, "the newest charter names no recipient %s", name);
    return 0;
}

/* Grants give what the charter gives for new sessions: the same groups, so two people stay two people. */
static int find_groups(struct granting *g, struct error *err)
{
    struct recipients all;
    int rc = charter_recipients(repo_charter(g->st.repo), clock_wall(), &all, err);
    if (rc < 0)
        return rc;
    g->groups.n = 0;
    for (unsigned i = 0; i < all.n; i++) {
        bool named = false;
        for (unsigned k = 0; k < all.group[i].n; k++)
            named |= memcmp(all.group[i].share[k].rid, g->to->rid, RID_LEN) == 0;
        if (named)
            g->groups.group[g->groups.n++] = all.group[i];
    }
    return g->groups.n != 0
               ? 0
               : error_set(err, E_USAGE, "%s is in no group of the newest charter (or has expired)",
                           g->to->name);
}

/* ---- which sessions -------------------------------------------------------------------------------------- */

static int take(struct granting *g, struct snap *s, struct error *err)
{
    char name[SNAPSHOT_NAME_MAX];
    int rc = station_trusts(&g->st, s->writer, err);
    rc = rc < 0 ? rc : snap_open(&g->all, s, err);
    if (rc == 0 && s->damage != NULL)
        rc = error_corrupt(err, s->damage_name, "snapshot %s: %s", snap_name(s, name), s->damage);
    return rc < 0 ? rc : needs_of(s, &g->sessions, err);
}

static int choose(struct granting *g, struct error *err)
{
    int rc = 0;
    for (size_t i = 1; rc == 0 && i < g->cli->nargs; i++) {
        struct selector sel;
        struct snap *s = NULL;
        rc = selector_parse(g->cli->args[i], cli_text(g->cli, "job"), &sel, err);
        rc = rc < 0 ? rc : selector_find(&g->all, &sel, &s, err);
        rc = rc < 0 ? rc : take(g, s, err);
    }
    for (size_t i = 0; rc == 0 && g->cli->nargs == 1 && i < g->all.list.len; i++) {
        struct snap *s = vec_at(&g->all.list, i);
        if (snap_live(s))
            rc = take(g, s, err);
    }
    needs_sort(&g->sessions);
    return rc;
}

/* ---- granting -------------------------------------------------------------------------------------------- */

static bool named_in(const struct granting *g, const struct envelope *env)
{
    for (unsigned i = 0; i < env->n; i++)
        if (envelope_group_has(&env->group[i], &g->to->rid, 1))
            return true;
    return false;
}

static bool has_already(const struct granting *g, const struct request_session *s,
                        const struct envelope *header)
{
    const struct grant_entry *e = NULL;
    size_t pos = 0;
    if (named_in(g, header))
        return true;
    while ((e = grant_set_next(g->there, s->writer_id, s->session, &pos)) != NULL) {
        struct envelope env;
        if (envelope_parse_grant(e->envelope, e->envelope_len, &env, NULL) == 0 &&
            memcmp(env.kid, header->kid, KID_LEN) == 0)
            return true;
    }
    return false;
}

static int publish(struct granting *g, struct error *err)
{
    int rc = grant_end(&g->grant, err);
    rc = rc < 0 ? rc : grant_publish(g->st.repo, &g->grant, g->name, err);
    g->files += rc == 0;
    grant_free(&g->grant);
    return rc < 0 ? rc : grant_begin(&g->grant, g->st.repo->repo_id, g->to->rid, err);
}

static int grant_session(struct granting *g, struct fetcher *f, const struct request_session *s,
                         const struct session_header *h, struct error *err)
{
    struct session_name name = { .session = s->session };
    struct secret *secret = secret_new(SHARE_LEN, err);
    int rc = secret != NULL ? fetcher_session_secret(f, &h->header, secret_data(secret), err) : E_NOMEM;
    memcpy(name.repo_id, g->st.repo->repo_id, REPO_ID_LEN);
    memcpy(name.writer_id, s->writer_id, WRITER_ID_LEN);
    if (rc == 0 && grant_full(&g->grant) && !cli_flag(g->cli, "dry-run"))
        rc = publish(g, err);
    if (rc == 0 && !cli_flag(g->cli, "dry-run"))
        rc = grant_add(&g->grant, &name, h->envelope.kid, secret_view(secret), &g->groups, err);
    g->granted += rc == 0;
    secret_free(secret);
    return rc;
}

static int grant_all(struct granting *g, struct error *err)
{
    struct fetcher *f = NULL;
    const struct repo_writer *last = NULL;
    int rc = grant_set_load(g->st.repo, &g->to->rid, 1, &g->there, err);
    rc = rc < 0 ? rc : grant_begin(&g->grant, g->st.repo->repo_id, g->to->rid, err);
    for (size_t i = 0; rc == 0 && i < g->sessions.len; i++) {
        const struct request_session *s = vec_at(&g->sessions, i);
        const struct repo_writer *w = repo_writer_find(g->st.repo, s->writer_id);
        struct session_header h;
        if (w != last) {
            fetcher_free(f);
            f = fetcher_new(g->st.repo, w, &g->st.opener, 0, err);
            last = w;
        }
        rc = f != NULL ? session_header_load(&g->st, w, s->session, false, &h, err) : E_NOMEM;
        if (rc < 0)
            break;
        if (has_already(g, s, &h.envelope))
            g->had++;
        else
            rc = grant_session(g, f, s, &h, err);
        session_header_free(&h);
    }
    fetcher_free(f);
    return rc == 0 && g->grant.n != 0 ? publish(g, err) : rc;
}

/* ---- the verb -------------------------------------------------------------------------------------------- */

static int report(const struct granting *g, struct error *err)
{
    const struct out *out = &g->cli->out;
    bool dry = cli_flag(g->cli, "dry-run");
    if (g->cli->json) {
        struct jsonout *o = jsonout_new("summary");
        jsonout_str(o, "recipient", g->to->name);
        jsonout_u64(o, "sessions", g->granted);
        jsonout_u64(o, "had_already", g->had);
        jsonout_u64(o, "files", g->files);
        jsonout_bool(o, "dry_run", dry);
        return jsonout_emit(o, err);
    }
    if (g->cli->quiet)
        return 0;
    if (g->granted == 0)
        out_line(out, OUT_PLAIN, "%s is named in all %zu sessions already: nothing was written.", g->to->name,
                 g->had);
    else
        out_line(out, OUT_GOOD, "%s %zu %s to %s%s%s%s.", dry ? "Would grant" : "Granted", g->granted,
                 plural(g->granted, "session", "sessions"), g->to->name, dry ? "" : " (", dry ? "" : g->name,
                 dry ? "" : ")");
    if (g->granted != 0 && g->had != 0)
        out_line(out, OUT_PLAIN, "%zu more name this recipient already.", g->had);
    if (g->granted != 0 && !dry)
        out_line(out, OUT_PLAIN, "That cannot be taken back: whoever has read a grant keeps these keys.");
    return 0;
}

int cmd_grant(struct cli_context *cli, struct error *err)
{
    struct granting g = { .cli = cli, .st = { .cli = cli }, .sessions = VEC_OF(struct request_session) };
    int rc = station_open(cli, KIT_NEEDED, &g.st, err);
    rc = rc < 0 ? rc : snaps_load(&g.st, &g.all, err);
    rc = rc < 0 ? rc : find_recipient(&g, err);
    rc = rc < 0 ? rc : find_groups(&g, err);
    rc = rc < 0 ? rc : choose(&g, err);
    rc = rc < 0 ? rc : grant_all(&g, err);
    rc = rc < 0 ? rc : report(&g, err);
    grant_free(&g.grant);
    grant_set_free(g.there);
    vec_free(&g.sessions);
    station_settle(&g.st, rc == 0);
    snaps_free(&g.all);
    station_close(&g.st);
    return rc;
}
