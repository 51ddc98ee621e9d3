/* Are the objects, rights and sequences of the target those that were backed up? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/fact.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/engine/postgres/census.h"
#include "common/engine/postgres/restore.h"

#include "common/base/banned.h"

enum { HASH_TEXT_MAX = 64 };

struct census {
    const struct pgsql_plan *p;
    const char *other; /* facts of the other side */
    bool other_encoding;
    bool missing_only; /* second round: what the snapshot does not have at all */
    struct vec *differ;
    uint64_t objects;
};

/* What a good restore may change: the version of an extension is the target's, subscriptions are a superuser's alone,
 * and the text of functions is hashed by the server, in its encoding. */
static bool is_compared(const struct census *s, const char *key)
{
    if (strcmp(key, "objects_extensions") == 0 || strcmp(key, "objects_subscriptions") == 0)
        return false;
    if (s->other_encoding && (str_starts(key, "objects_functions") || str_starts(key, "objects_procedures")))
        return false;
    bool right = str_starts(key, "grants_") || strcmp(key, "owners") == 0;
    return !right || !s->p->target->no_owner;
}

/* "materialized views", "rights of tables". */
static const char *in_words(const char *key, char out[CENSUS_NAME_MAX + 16])
{
    bool rights = str_starts(key, "grants_");
    const char *kind = rights || str_starts(key, "objects_") ? strchr(key, '_') + 1 : key;
    (void)snprintf(out, CENSUS_NAME_MAX + 16, "%s%s", rights ? "rights of " : "", kind);
    for (char *at = out; *at != '\0'; at++)
        if (*at == '_')
            *at = ' ';
    return out;
}

static int tell_kind(const struct census *s, const char *key, uint64_t before, uint64_t now, bool same,
                     struct error *err)
{
    char words[CENSUS_NAME_MAX + 16];
    char texts[2][64];
    bool rights = !str_starts(key, "objects_");
    struct engine_check check = { .kind = rights ? "rights" : "objects",
                                  .name = rights ? "rights and owners" : "objects",
                                  .subject = in_words(key, words),
                                  .differs = !same,
                                  .expected = texts[0],
                                  .found = texts[1] };
    (void)snprintf(texts[0], sizeof texts[0], "%llu", (unsigned long long)before);
    (void)snprintf(texts[1], sizeof texts[1], "%llu%s", (unsigned long long)now,
                   !same && now == before ? ", others than backed up" : "");
    char *text = same            ? NULL
                 : now == before ? str_printf(err, "%s (others than backed up)", words)
                                 : str_printf(err, "%s (%s, backed up were %s)", words, texts[1], texts[0]);
    return pgsql_differ(s->p, &check, s->differ, text, err);
}

static int compare_kind(const char *key, uint64_t count, const char *hash, void *arg, struct error *err)
{
    struct census *s = arg;
    char text[HASH_TEXT_MAX + 64];
    char *other_hash = text;
    uint64_t other = 0;
    bool there = fact_get(s->other, key, text, sizeof text);
    if (!is_compared(s, key) || (s->missing_only && there))
        return 0;
    if (there)
        other = strtoull(text, &other_hash, 10);
    if (*other_hash == ' ')
        other_hash++;
    other_hash[strcspn(other_hash, " ")] = '\0';
    if (!s->missing_only)
        s->objects += str_starts(key, "objects_") ? count : 0;
    return tell_kind(s, key, s->missing_only ? 0 : count, s->missing_only ? count : other,
                     there && other == count && strcmp(other_hash, hash) == 0, err);
}

static int read_census(struct pgsql *c, const char *facts, struct buf *out, struct error *err)
{
    char none[8] = "";
    (void)fact_get(facts, "public_schema", none, sizeof none);
    int rc = pgsql_exec(c, "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", err);
    if (rc == 0)
        rc = pgsql_execf(c, err, "SET LOCAL backupd.public = '%s'", strcmp(none, "no") == 0 ? "no" : "yes");
    if (rc == 0)
        rc = pgsql_census(c, out, err);
    if (rc == 0)
        rc = buf_append(out, "", 1, err);
    return rc == 0 ? pgsql_exec(c, "COMMIT", err) : rc;
}

static int compare_census(struct pgsql *c, struct census *s, struct error *err)
{
    struct buf now = BUF_INIT;
    char encoding[64] = "";
    const char *here = PQparameterStatus(c->conn, "server_encoding");
    (void)fact_get(s->p->schema_facts, "encoding", encoding, sizeof encoding);
    s->other_encoding = here == NULL || strcmp(here, encoding) != 0;
    int rc = read_census(c, s->p->schema_facts, &now, err);
    if (rc == 0) {
        s->other = (const char *)now.data;
        rc = pgsql_census_each(s->p->schema_facts, compare_kind, s, err);
    }
    if (rc == 0) {
        s->other = s->p->schema_facts;
        s->missing_only = true;
        rc = pgsql_census_each((const char *)now.data, compare_kind, s, err);
    }
    buf_free(&now);
    return rc;
}

/* ---- sequences ------------------------------------------------------------------------------------------- */

/* NAME:VALUE, len bytes of which name are the name. */
static int tell_sequence(const struct pgsql_plan *p, const char *at, size_t name, size_t len,
                         struct vec *differ, struct error *err)
{
    char *text = str_printf(err, "sequence %.*s (backed up was %.*s)", (int)name, at, (int)(len - name - 1),
                            at + name + 1);
    char *subject = str_dup_len(at, name, err);
    char *expected = str_dup_len(at + name + 1, len - name - 1, err);
    struct engine_check check = { .kind = "sequence",
                                  .name = "value of the sequence",
                                  .subject = subject,
                                  .differs = true,
                                  .expected = expected,
                                  .found = "another value, or none" };
    int rc = subject != NULL && expected != NULL ? 0 : E_NOMEM;
    if (rc == 0)
        rc = pgsql_differ(p, &check, differ, text, err);
    else
        free(text);
    free(subject);
    free(expected);
    return rc;
}

/* Entries of one list that are not in the other, by the name in front of their ':'. */
static int name_sequences(const struct pgsql_plan *p, const char *before, const char *now, struct vec *differ,
                          size_t *named, struct error *err)
{
    int rc = 0;
    for (const char *at = before; rc == 0 && *at != '\0';) {
        size_t len = strcspn(at, ",");
        size_t name = strcspn(at, ":");
        bool same = false;
        for (const char *other = now; !same && *other != '\0';) {
            size_t n = strcspn(other, ",");
            same = n == len && strncmp(at, other, len) == 0;
            other += n + (other[n] == ',');
        }
        if (!same)
            rc = tell_sequence(p, at, name, len, differ, err);
        *named += !same;
        at += len + (at[len] == ',');
    }
    return rc;
}

static int compare_sequences(struct pgsql *c, const struct pgsql_plan *p, struct vec *differ,
                             struct error *err)
{
    struct vec sequences = VEC_OF(struct pgsql_sequence);
    struct buf facts = BUF_INIT;
    char expected[HASH_TEXT_MAX] = "";
    char hash[HASH_TEXT_MAX] = "";
    const struct pgsql_chosen all = { .relations = VEC_OF(struct pgsql_relation) };
    int rc = pgsql_list_sequences(c, &all, &sequences, err);
    if (rc == 0)
        rc = pgsql_read_sequences(c, &sequences, err);
    if (rc == 0)
        rc = pgsql_sequence_facts(&sequences, &facts, err);
    if (rc == 0)
        rc = buf_append(&facts, "", 1, err);
    bool known = rc == 0 && fact_get(p->script_facts, "sequence_hash", expected, sizeof expected) &&
                 fact_get((const char *)facts.data, "sequence_hash", hash, sizeof hash);
    struct engine_check all_check = { .kind = "sequence", .name = "values of all sequences" };
    if (known && strcmp(hash, expected) == 0)
        rc = pgsql_differ(p, &all_check, differ, NULL, err);
    if (known && strcmp(hash, expected) != 0) {
        size_t named = 0;
        char *before = pgsql_fact(p->script_facts, "sequence_values", "", NULL);
        char *now = pgsql_fact((const char *)facts.data, "sequence_values", "", NULL);
        if (before != NULL)
            rc = name_sequences(p, before, now != NULL ? now : "", differ, &named, err);
        all_check.differs = true;
        if (rc == 0 && named == 0)
            rc = pgsql_differ(p, &all_check, differ,
                              str_printf(err, "sequences (others, or other values, than backed up)"), err);
        free(before);
        free(now);
    }
    buf_free(&facts);
    pgsql_sequences_free(&sequences);
    return rc;
}

int pgsql_compare_facts(struct pgsql *c, const struct pgsql_plan *p, struct vec *differ, struct buf *checked,
                        struct error *err)
{
    struct census s = { .p = p, .differ = differ };
    uint64_t version = 0;
    char n[NUMBER_TEXT_MAX];
    /* In a part of a database, or beside what is not of the snapshot, there is nothing to compare with. */
    const struct engine_selection *select = p->target->select;
    uint64_t left_out = 0;
    bool part = fact_number(p->schema_facts, PGSQL_LEFT_OUT_FACT, &left_out) ||
                (select != NULL && (select->nschemas != 0 || select->ntables != 0));
    if (p->target->into_nonempty || p->target->data_only || part ||
        !fact_number(p->schema_facts, "census", &version) || version != CENSUS_VERSION ||
        PQserverVersion(c->conn) / 10000 < CENSUS_MAJOR_MIN)
        return 0;
    int rc = compare_census(c, &s, err);
    if (rc == 0)
        rc = compare_sequences(c, p, differ, err);
    if (rc == 0 && checked != NULL)
        rc = buf_printf(checked, err, ", %s objects%s and all sequences", count_format(n, s.objects),
                        p->target->no_owner ? "" : ", their owners and rights");
    return rc;
}
