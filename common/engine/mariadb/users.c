/* The accounts of the snapshot: only those that are missing are made, and get what they had. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/str.h"
#include "common/engine/mariadb/restore.h"
#include "common/engine/mariadb/sql.h"
#include "common/engine/mariadb/statement.h"
#include "common/engine/name.h"

#include "common/base/banned.h"

enum { LIST_MAX = 400 };

static bool is_in(const struct vec *names, const char *name)
{
    for (size_t i = 0; name != NULL && i < names->len; i++)
        if (strcmp(*(char **)vec_at(names, i), name) == 0)
            return true;
    return false;
}

/* A name in backticks, or a string: mariadb-dump writes either. For free(); NULL when it is neither. */
static char *name_of(const struct maria_statement *s, size_t i, struct error *err)
{
    const struct maria_word *w = i < s->words.len ? vec_at(&s->words, i) : NULL;
    if (w == NULL || w->quoted)
        return w != NULL ? str_dup(w->text, err) : NULL;
    if (w->text[0] != '\'' || w->len < 2)
        return NULL;
    char *text = str_dup_len(w->at + 1, w->len - 2, err);
    size_t to = 0;
    for (size_t from = 0; text != NULL && text[from] != '\0'; from++) {
        from += (text[from] == '\\' || text[from] == '\'') && text[from + 1] != '\0';
        text[to++] = text[from];
    }
    if (text != NULL)
        text[to] = '\0';
    return text;
}

/* "user@host" of the account at word i, or "role@" of a role; NULL when there is none. */
static char *account_at(const struct maria_statement *s, size_t i, struct error *err)
{
    char *user = name_of(s, i, err);
    char *host = user != NULL && maria_word_is(s, i + 1, "@") ? name_of(s, i + 2, err) : NULL;
    char *both = user != NULL ? str_printf(err, "%s@%s", user, host != NULL ? host : "") : NULL;
    free(user);
    free(host);
    return both;
}

static int exists(struct maria *c, const char *account, bool *out, struct error *err)
{
    int64_t n = 0;
    char *literal = maria_literal_text(account, err);
    char *sql =
        literal != NULL
            ? str_printf(err,
                         "SELECT count(*) FROM mysql.global_priv WHERE BINARY concat(user, '@', host) = %s",
                         literal)
            : NULL;
    int rc = sql != NULL ? maria_number(c, sql, &n, err) : E_NOMEM;
    free(literal);
    free(sql);
    *out = n > 0;
    return rc;
}

/* ---- one statement ------------------------------------------------------------------------------------------- */

/* CREATE USER IF NOT EXISTS a, CREATE ROLE IF NOT EXISTS 'r': the word of the account, or 0. */
static size_t created_at(const struct maria_statement *s)
{
    bool either = maria_word_is(s, 1, "user") || maria_word_is(s, 1, "role");
    return maria_word_is(s, 0, "create") && either && maria_word_is(s, 2, "if") ? 5 : 0;
}

/* GRANT ... TO a, SET DEFAULT ROLE ... FOR a. */
static size_t given_to(const struct maria_statement *s)
{
    size_t at = s->words.len;
    if (maria_word_is(s, 0, "grant"))
        for (size_t i = maria_word_find(s, 1, "to"); i < s->words.len; i = maria_word_find(s, i + 1, "to"))
            at = i + 1;
    else if (maria_word_is(s, 0, "set") && maria_word_is(s, 1, "default") && maria_word_is(s, 2, "role"))
        at = maria_word_find(s, 3, "for") + 1;
    return at < s->words.len ? at : 0;
}

/* CREATE ROLE 'r' WITH ADMIN mariadb_dump_import_role: without that helper of the script. */
static int create_one(struct maria *c, const struct maria_statement *s, const char *account, struct vec *made,
                      struct error *err)
{
    size_t helper = maria_word_find(s, 1, "with");
    bool role = maria_word_is(s, 1, "role");
    const struct maria_word *first = vec_at(&s->words, 0);
    const struct maria_word *with = helper < s->words.len && role ? vec_at(&s->words, helper) : NULL;
    const struct maria_word *last = vec_at(&s->words, s->words.len - 1);
    const char *end = with != NULL ? with->at : last->at + last->len;
    bool there = false;
    int rc = exists(c, account, &there, err);
    if (rc < 0 || there)
        return rc;
    rc = maria_exec_len(c, first->at, (size_t)(end - first->at), err);
    return rc == 0 ? names_add(made, account, err) : rc;
}

/* Something that is not there any more, or not here, is no reason to stop: it is said. */
static int give_one(struct maria *c, const struct maria_statement *s, struct error *err)
{
    struct error why = ERROR_INIT;
    char shown[200];
    int rc = maria_exec_len(c, s->text, s->len, &why);
    if (rc == 0)
        return 0;
    if (c->broken || rc == E_RETRY || rc == E_DENIED)
        return error_copy(err, &why);
    log_event(LOG_WARN, "not granted: %s", str_printable(shown, sizeof shown, why.text));
    return 0;
}

static int apply(struct maria *c, const struct maria_statement *s, struct vec *made, struct error *err)
{
    size_t created = created_at(s);
    size_t given = created == 0 ? given_to(s) : 0;
    if (created == 0 && given == 0)
        return 0;
    char *account = account_at(s, created + given, err);
    int rc = 0;
    if (account != NULL && created != 0)
        rc = create_one(c, s, account, made, err);
    else if (account != NULL && is_in(made, account))
        rc = give_one(c, s, err);
    free(account);
    return rc;
}

int maria_make_users(struct maria_target *t, const struct maria_plan *p, struct error *err)
{
    struct maria_plan_script script;
    struct vec made = VEC_OF(char *);
    char list[LIST_MAX];
    if (!p->users)
        return error_set(err, E_USAGE, "--create-roles: the snapshot holds no accounts (`users: no`)");
    int rc = maria_plan_script_open(p, false, "users.sql", MARIA_USERS_MAX, &script, err);
    struct maria_statement s;
    while (rc == 0 && (rc = maria_statement_next(&script.statements, true, &s, err)) > 0) {
        rc = apply(&t->c, &s, &made, err);
        maria_statement_free(&s);
    }
    if (rc == 0 && made.len > 0)
        log_event(LOG_INFO, "%s: made the accounts %s", t->c.where, names_text(&made, list, sizeof list));
    names_free(&made);
    maria_plan_script_close(&script);
    return rc < 0 ? error_wrap(err, "make the missing accounts") : 0;
}

int maria_missing_definers(struct maria_target *t, const struct maria_plan *p, struct vec *missing,
                           struct error *err)
{
    struct vec definers = VEC_OF(char *);
    int rc =
        p->target->no_owner ? 0 : names_of_fact(p->code_facts, "definers", ERR_MARIA_NAME, &definers, err);
    for (size_t i = 0; rc == 0 && i < definers.len; i++) {
        const char *name = *(char **)vec_at(&definers, i);
        bool there = true;
        if (exists(&t->c, name, &there, NULL) == 0 && !there)
            rc = names_add(missing, name, err);
    }
    names_free(&definers);
    return rc;
}

int maria_tell_definers(struct maria_target *t, const struct maria_plan *p, struct error *err)
{
    struct vec missing = VEC_OF(char *);
    char list[LIST_MAX];
    int rc = maria_missing_definers(t, p, &missing, err);
    if (rc == 0 && missing.len > 0)
        log_event(
            LOG_WARN,
            "%s: views, triggers or routines run as %s, which this server has not: they will fail until the "
            "accounts are made (--create-roles), or restore with --no-owner",
            t->c.where, names_text(&missing, list, sizeof list));
    names_free(&missing);
    return rc;
}
