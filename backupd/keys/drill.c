#include "backupd/keys/drill.h"

#include <string.h>
#include <unistd.h>

#include "backupd/keys/recipient.h"
#include "backupd/keys/writer.h"
#include "common/base/clock.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/repo/drill_keys.h"

#include "common/base/banned.h"

/* ---- which writers ------------------------------------------------------------------------------------- */

static int add_id(struct vec *ids, const uint8_t *id, struct error *err)
{
    uint8_t *slot = vec_push(ids, err);
    if (slot == NULL)
        return E_NOMEM;
    memcpy(slot, id, WRITER_ID_LEN);
    return 0;
}

/* The named ones, else all that are open, spares included: then a later job is drilled without another kit. */
static int writers(const struct key_change *c, struct vec *ids, struct error *err)
{
    uint8_t id[WRITER_ID_LEN];
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < cli_count(c->cli, "writer"); i++) {
        rc = key_writer_find(c, cli_text_at(c->cli, "writer", i), id, err);
        if (rc == 0)
            rc = add_id(ids, id, err);
    }
    if (cli_given(c->cli, "writer"))
        return rc;
    for (size_t i = 0; rc == 0 && i < c->next.writers.len; i++) {
        const struct charter_writer *w = vec_at(&c->next.writers, i);
        if (w->last_seq == SEQ_OPEN)
            rc = add_id(ids, w->id, err);
    }
    return rc;
}

static int make_keys(const struct key_change *c, struct drill_keys *out, struct error *err)
{
    struct restore_kit kit = { .w = NULL };
    struct vec ids = { .item = WRITER_ID_LEN };
    int rc = writers(c, &ids, err);
    if (rc == 0)
        rc = key_kit(c->cli, c->repository, NULL, &kit, err);
    if (rc == 0 && memcmp(kit.repo_id, c->repo->repo_id, REPO_ID_LEN) != 0)
        rc = error_set(err, E_CONFLICT, "the kit is of another repository than the root key");
    if (rc == 0) {
        memcpy(kit.root_pk, key_change_pin(c), SIGN_PK_LEN);
        rc = drill_keys_generate(&kit, &ids, out, err);
    }
    restore_kit_free(&kit);
    vec_free(&ids);
    return rc;
}

/* ---- add ----------------------------------------------------------------------------------------------- */

static int check_options(const struct key_change *c, struct error *err)
{
    const char *to = cli_text(c->cli, "to");
    if (c->cli->nargs != 0)
        return error_set(
            err, E_USAGE,
            "--drill makes the key itself: leave the file with the public line out, or leave --drill out");
    if (cli_given(c->cli, "with"))
        return error_set(err, E_USAGE, "a drill runs without people: --with does not go with --drill");
    if (to == NULL || !cli_given(c->cli, "expires"))
        return error_set(
            err, E_USAGE,
            "--drill needs --to FILE (the new drill kit) and --expires DATE (from when on it is worthless for "
            "new backups)");
    if (access(to, F_OK) == 0)
        return error_set(err, E_EXISTS, "%s is there already, and a key is never overwritten", to);
    return 0;
}

static int enrol(struct key_change *c, const struct drill_keys *k, struct charter_recipient *who,
                 struct error *err)
{
    const char *name = cli_given(c->cli, "name") ? cli_text(c->cli, "name") : "drill";
    if (!recipient_name_valid(name))
        return error_set(err, E_USAGE, "--name %s: 1..%d characters of a-z 0-9 . _ -", name, NAME_MAX_LEN);
    memcpy(who->name, name, strlen(name) + 1);
    int rc = key_parse_date(cli_text(c->cli, "expires"), &who->expires, err);
    if (rc == 0)
        rc = box_public(k->r, who->pk, err);
    if (rc == 0)
        rc = box_rid(who->pk, who->rid, err);
    if (rc == 0)
        rc = recipient_add(&c->next, who, NULL, 0, err);
    if (rc == 0 && c->next.drills.len >= CHARTER_DRILLS_MAX)
        rc = error_set(
            err, E_USAGE,
            "a charter names at most %d drill keys: retire one with --stolen, which takes its line out",
            CHARTER_DRILLS_MAX);
    struct charter_drill *line = rc == 0 ? vec_push(&c->next.drills, err) : NULL;
    if (rc == 0 && line == NULL)
        return E_NOMEM;
    if (rc == 0) {
        line->active = true;
        rc = sign_public(k->seed, line->pk, err);
    }
    return rc;
}

static bool others_need_people(const struct charter *c)
{
    for (size_t i = 0; i < c->groups.len; i++)
        if (((const struct charter_group *)vec_at(&c->groups, i))->n > 1)
            return true;
    return false;
}

static void say_added(struct key_change *c, const struct drill_keys *k, const struct charter_recipient *who)
{
    char print[ACCESS_FINGERPRINT_MAX];
    char date[NUMBER_TEXT_MAX];
    uint8_t pk[SIGN_PK_LEN];
    key_change_says(c, CHANGE_WHAT,
                    "recipient %s, a drill kit: it opens new sessions of %zu %s, alone, until %s", who->name,
                    k->writers.len, plural(k->writers.len, "writer", "writers"),
                    time_format(date, who->expires));
    if (sign_public(k->seed, pk, NULL) == 0)
        key_change_says(c, CHANGE_WHAT, "certificates of drills that its key %s signs are believed",
                        access_key_print(pk, print));
    key_change_says(c, CHANGE_WHOM,
                    "the host that rehearses restores. Treat it like the data: it reads what it drills");
    if (others_need_people(&c->next))
        key_change_says(c, CHANGE_WHOM,
                        "so far it took several people to restore: that host does it without anybody");
    key_change_says(c, CHANGE_WHOM,
                    "sessions that exist stay closed to it: a drill needs a snapshot whose data was all");
    key_change_says(c, CHANGE_WHOM, "  stored since, or `restore grant %s` with the restore kit, once",
                    who->name);
    key_change_says(c, CHANGE_FINAL,
                    "what is stored while it is a recipient stays open to whoever has this file, also after");
    key_change_says(c, CHANGE_FINAL,
                    "  it expired or was removed: expiry closes what comes later, nothing else");
    key_change_says(c, CHANGE_NEXT,
                    "Move %s to the drill host, and nowhere else (chmod 400), and name it there:",
                    cli_text(c->cli, "to"));
    key_change_says(c, CHANGE_NEXT,
                    "  `kit` of the repository in its configuration, or restore drill run --kit FILE");
}

static int save(const char *path, const struct drill_keys *k, struct error *err)
{
    struct buf bytes = BUF_INIT;
    struct secret *block = drill_keys_encode(k, err);
    int rc = block != NULL ? keyfile_encode(KEYFILE_DRILL, block, NULL, NULL, &bytes, err) : E_NOMEM;
    if (rc == 0)
        rc = keyfile_save(path, &bytes, err);
    secret_free(block);
    buf_wipe(&bytes);
    return rc;
}

int key_drill_add(struct key_change *c, struct error *err)
{
    struct drill_keys k = DRILL_KEYS_INIT;
    struct charter_recipient who = { .name = "" };
    const char *to = cli_text(c->cli, "to");
    int rc = check_options(c, err);
    if (rc == 0)
        rc = make_keys(c, &k, err);
    if (rc == 0)
        rc = enrol(c, &k, &who, err);
    if (rc == 0) {
        say_added(c, &k, &who);
        rc = key_change_confirm(c, err);
    }
    if (rc == 0)
        rc = save(to, &k, err);
    bool saved = rc == 0;
    if (rc == 0)
        rc = key_change_publish(c, err);
    if (rc < 0 && saved && !c->maybe)
        (void)unlink(to);
    drill_keys_free(&k);
    return rc == 0 ? key_change_report(c, err) : rc;
}

/* ---- retire -------------------------------------------------------------------------------------------- */

/* By its digits as `key show` prints them, or by the key in hex; without a word the only active one. */
static int find(const struct key_change *c, size_t *out, struct error *err)
{
    const char *word = c->cli->nargs != 0 ? c->cli->args[0] : NULL;
    size_t found = 0;
    for (size_t i = 0; i < c->next.drills.len; i++) {
        const struct charter_drill *d = vec_at(&c->next.drills, i);
        char print[ACCESS_FINGERPRINT_MAX];
        char hex[2 * SIGN_PK_LEN + 1];
        hex_encode(hex, d->pk, SIGN_PK_LEN);
        bool fits = word != NULL ? strcmp(word, access_key_print(d->pk, print)) == 0 || strcmp(word, hex) == 0
                                 : d->active || cli_flag(c->cli, "stolen");
        if (!fits)
            continue;
        *out = i;
        found++;
    }
    if (found == 1)
        return 0;
    if (found == 0)
        return error_set(err, E_USAGE, "the charter has no %sdrill key%s%s (`backupd key show`)",
                         word == NULL ? "active " : "", word != NULL ? " " : "", word != NULL ? word : "");
    return error_set(err, E_USAGE, "there are several drill keys: say which (`backupd key show`)");
}

static int drop_recipient(struct key_change *c, const char *name, struct error *err)
{
    size_t groups = 0;
    const struct charter_recipient *r = recipient_find(&c->next, name);
    if (r == NULL)
        return error_set(err, E_USAGE, "--recipient %s: the charter has no such recipient, or several", name);
    struct charter_recipient who = *r;
    int rc = recipient_remove(&c->next, who.rid, clock_wall(), &groups, err);
    if (rc == 0)
        key_change_says(c, CHANGE_WHAT,
                        "%s is no recipient any more: sessions that begin from now on stay closed to it",
                        who.name);
    return rc;
}

static void say_retired(struct key_change *c, const char *print, bool stolen)
{
    if (stolen) {
        key_change_says(c, CHANGE_WHAT,
                        "the drill key %s is taken out: nothing that it signed counts any more", print);
        key_change_says(c, CHANGE_WHOM,
                        "retention: snapshots that only its certificates show as proven are not proven");
    } else {
        key_change_says(c, CHANGE_WHAT,
                        "the drill key %s is retired: what it signs from now on does not count", print);
        key_change_says(
            c, CHANGE_WHOM,
            "certificates that name an earlier charter go on counting. Whoever has the key can still");
        key_change_says(c, CHANGE_WHOM, "  date one back: when it may be in other hands, use --stolen");
    }
    key_change_says(c, CHANGE_WHOM, "the drill host: its kit is refused");
    key_change_says(c, CHANGE_FINAL,
                    "what its kit could open stays open to whoever has the file: destroy it");
}

int key_drill_retire(struct key_change *c, struct error *err)
{
    char print[ACCESS_FINGERPRINT_MAX];
    size_t at = 0;
    bool stolen = cli_flag(c->cli, "stolen");
    int rc = find(c, &at, err);
    if (rc < 0)
        return rc;
    struct charter_drill *d = vec_at(&c->next.drills, at);
    if (!d->active && !stolen)
        return error_set(err, E_USAGE, "the drill key %s is retired already", access_key_print(d->pk, print));
    say_retired(c, access_key_print(d->pk, print), stolen);
    d->active = false;
    if (stolen) {
        memmove(d, d + 1, (c->next.drills.len - at - 1) * sizeof *d);
        c->next.drills.len--;
    }
    if (cli_given(c->cli, "recipient"))
        rc = drop_recipient(c, cli_text(c->cli, "recipient"), err);
    else
        key_change_says(
            c, CHANGE_NEXT,
            "Its recipient stays until it expires: backupd key remove-recipient NAME, if that is not meant.");
    if (rc == 0)
        rc = key_change_confirm(c, err);
    if (rc == 0)
        rc = key_change_publish(c, err);
    return rc == 0 ? key_change_report(c, err) : rc;
}
