/* What an approval would open, for the person who is asked. */
#include <stdio.h>
#include <string.h>

#include "common/base/number.h"
#include "common/base/str.h"
#include "common/cli/json.h"
#include "restore/approve.h"

#include "common/base/banned.h"

enum { NAMES_SHOWN = 20 };

/* How much of a snapshot these keys open. */
enum reach { REACH_NONE, REACH_DATA, REACH_PART, REACH_WHOLE };

static bool is_chosen(const struct approve *a, const struct snap *s)
{
    for (size_t i = 0; i < a->chosen.len; i++)
        if (*(struct snap **)vec_at(&a->chosen, i) == s)
            return true;
    return false;
}

static enum reach reach_of(const struct approve *a, const struct snap *s)
{
    bool own = needs_has(&a->q.sessions, s->writer->id, s->record->rec.session);
    size_t opened = 0;
    if (s->object == NULL || !s->object->has_view)
        return own ? REACH_PART : REACH_NONE;
    const struct vec *packs = &s->object->view.packs;
    for (size_t i = 0; i < packs->len; i++)
        opened +=
            needs_has(&a->q.sessions, s->writer->id, ((const struct pack_key *)vec_at(packs, i))->session);
    if (own)
        return opened == packs->len ? REACH_WHOLE : REACH_PART;
    return opened != 0 ? REACH_DATA : REACH_NONE;
}

struct others {
    size_t n;
    struct buf names;
    struct jsonout *json;
};

static void add_other(struct others *o, const struct snap *s)
{
    char name[SNAPSHOT_NAME_MAX];
    (void)snap_name(s, name);
    jsonout_str(o->json, NULL, name);
    if (o->n++ < NAMES_SHOWN)
        (void)buf_printf(&o->names, NULL, "%s%s", o->names.len != 0 ? ", " : "", name);
}

static void collect(const struct approve *a, struct others by_reach[REACH_WHOLE + 1])
{
    for (size_t i = a->all.list.len; i > 0; i--) {
        const struct snap *s = vec_at(&a->all.list, i - 1);
        enum reach r = snap_live(s) && !is_chosen(a, s) ? reach_of(a, s) : REACH_NONE;
        if (r != REACH_NONE)
            add_other(&by_reach[r], s);
    }
}

static void print_others(struct table *t, const char *key, const struct others *o)
{
    char more[64] = "";
    if (o->n == 0)
        return;
    if (o->n > NAMES_SHOWN)
        (void)snprintf(more, sizeof more, " and %zu more", o->n - NAMES_SHOWN);
    pairs_add(t, key, OUT_BOLD, "%.*s%s", (int)o->names.len, (const char *)o->names.data, more);
}

static int print_snapshots(const struct approve *a, struct error *err)
{
    struct table *t = table_new(err);
    table_column(t, "snapshot", false);
    table_column(t, "time (UTC)", false);
    table_column(t, "size", true);
    table_column(t, "receipt", false);
    for (size_t i = 0; i < a->chosen.len; i++) {
        const struct snap *s = *(struct snap **)vec_at(&a->chosen, i);
        const struct request_snapshot *q = vec_at(&a->q.snapshots, i);
        char name[SNAPSHOT_NAME_MAX];
        char text[NUMBER_TEXT_MAX];
        char receipt[RECEIPT_LEN + 1];
        bool view = s->object != NULL && s->object->has_view;
        if (view)
            table_cell(t, OUT_BOLD, "%s", snap_name(s, name));
        else
            table_cell(t, OUT_BOLD, "%s/%u (so the request says)", q->label, q->session);
        table_cell(t, OUT_PLAIN, "%s", time_format(text, s->record->rec.time));
        table_cell(t, OUT_PLAIN, "%s", view ? size_format(text, s->object->view.logical) : "");
        table_cell(t, OUT_PLAIN, "%s", snap_receipt(s, receipt));
    }
    int rc = table_print(t, &a->cli->out, err);
    table_free(t);
    return rc;
}

static int show_text(const struct approve *a, struct error *err)
{
    const struct out *out = &a->cli->out;
    struct others by_reach[REACH_WHOLE + 1] = { 0 };
    char repo[2 * REPO_ID_LEN + 1];
    char time[NUMBER_TEXT_MAX];
    char until[NUMBER_TEXT_MAX];
    struct table *t = pairs_new(err);
    hex_encode(repo, a->q.repo_id, REPO_ID_LEN);
    pairs_add(t, "asked by", OUT_BOLD, "%s (proven by that kit)", a->requester->name);
    pairs_add(t, "says to be", OUT_PLAIN, "%s", a->q.by);
    pairs_add(t, "reason", OUT_PLAIN, "%s", a->q.reason);
    pairs_add(t, "repository", OUT_PLAIN, "%s%s%s", a->st.repository != NULL ? a->st.repository->name : "",
              a->st.repository != NULL ? ", " : "", repo);
    pairs_add(t, "made", OUT_PLAIN, "%s, valid until %s", time_format(time, a->q.created),
              time_format(until, a->q.expires));
    pairs_add(t, "opens", OUT_PLAIN, "the keys of %zu %s", a->q.sessions.len,
              plural(a->q.sessions.len, "session", "sessions"));
    int rc = table_print(t, out, err);
    table_free(t);
    out_text(out, OUT_PLAIN, "\n");
    rc = rc < 0 ? rc : print_snapshots(a, err);
    collect(a, by_reach);
    t = pairs_new(err);
    print_others(t, "also readable", &by_reach[REACH_WHOLE]);
    print_others(t, "readable in part", &by_reach[REACH_PART]);
    print_others(t, "shared data of", &by_reach[REACH_DATA]);
    if (table_rows(t) != 0) {
        out_text(out, OUT_PLAIN, "\n");
        rc = rc < 0 ? rc : table_print(t, out, err);
    }
    table_free(t);
    for (size_t i = 0; i <= REACH_WHOLE; i++)
        buf_free(&by_reach[i].names);
    if (a->st.kit.v == NULL)
        out_line(out, OUT_WARN,
                 "This kit has no view key: that the snapshots need these sessions, and what else they open, "
                 "could not be looked up.");
    if (a->without != 0)
        out_line(out, OUT_WARN,
                 "In %zu of these sessions this kit shares no group with %s: others are needed there.",
                 a->without, a->requester->name);
    return rc;
}

static int show_json(const struct approve *a, struct error *err)
{
    static const char *const keys[] = {
        [REACH_DATA] = "shared_data_of", [REACH_PART] = "readable_in_part", [REACH_WHOLE] = "also_readable"
    };
    struct others by_reach[REACH_WHOLE + 1] = { 0 };
    struct jsonout *o = jsonout_new("request");
    jsonout_str(o, "asked_by", a->requester->name);
    jsonout_str(o, "says_to_be", a->q.by);
    jsonout_str(o, "reason", a->q.reason);
    jsonout_str(o, "code", a->code);
    jsonout_time(o, "created", a->q.created);
    jsonout_time(o, "expires", a->q.expires);
    jsonout_u64(o, "sessions", a->q.sessions.len);
    struct jsonout *list = jsonout_array(o, "snapshots");
    for (size_t i = 0; i < a->chosen.len; i++) {
        char name[SNAPSHOT_NAME_MAX];
        jsonout_str(list, NULL, snap_name(*(struct snap **)vec_at(&a->chosen, i), name));
    }
    for (size_t i = REACH_DATA; i <= REACH_WHOLE; i++)
        by_reach[i].json = jsonout_array(o, keys[i]);
    collect(a, by_reach);
    for (size_t i = 0; i <= REACH_WHOLE; i++)
        buf_free(&by_reach[i].names);
    return jsonout_emit(o, err);
}

int approve_show(const struct approve *a, struct error *err)
{
    return a->cli->json ? show_json(a, err) : show_text(a, err);
}
