#include "backupd/storage/setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backupd/verbs.h"
#include "common/access/access.h"
#include "common/base/str.h"

#include "common/base/banned.h"

#define DIRECTORY_PARENT "/srv/backup"

enum { ID_HEX = 2 * WRITER_ID_LEN, DIRECTORY_MAX = 200 };

const struct cli_option storage_setup_options[] = {
    { .name = "user",
      .kind = CLI_STRING,
      .metavar = "NAME",
      .required = true,
      .help =
          "What the accounts' names begin with: NAME-adm, NAME-ret, NAME-read, and NAME-HOST for each backup "
          "host. One repository, or one customer, has one NAME." },
    { .name = "directory",
      .kind = CLI_STRING,
      .metavar = "DIR",
      .help =
          "Where it lies on the server. The repository is DIR/sftp/repo, which the accounts see as /repo. "
          "Default: " DIRECTORY_PARENT "/NAME." },
    { .name = "writer",
      .kind = CLI_STRING,
      .metavar = "HOST=FILE[,ID...]",
      .many = true,
      .help =
          "A backup host: a short name, its public SSH key (FILE.pub), and the ids of its writers. Without ids: "
          "those whose keys this host holds for the configured repository." },
    { .name = "admin-key",
      .kind = CLI_FILE,
      .many = true,
      .help = "Public SSH key of the person who runs `backupd init` and adds charters and grants, by hand." },
    { .name = "retention-key",
      .kind = CLI_FILE,
      .many = true,
      .help = "Public SSH key of the host that deletes expired backups." },
    { .name = "reader-key",
      .kind = CLI_FILE,
      .many = true,
      .help = "Public SSH key of a restore station, an auditor, or a host that keeps a second copy." },
    CLI_OPTIONS_END
};

/* ---- names that mean nothing to a shell, to sshd_config or to useradd ------------------------------------- */

static bool is_name(const char *s, size_t len, size_t max)
{
    if (len == 0 || len > max || s[0] < 'a' || s[0] > 'z')
        return false;
    for (size_t i = 0; i < len; i++)
        if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= '0' && s[i] <= '9') || s[i] == '_' ||
              (s[i] == '-' && i + 1 < len)))
            return false;
    return true;
}

static bool is_directory(const char *s)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/";
    size_t len = strlen(s);
    return len > 1 && len <= DIRECTORY_MAX && s[0] == '/' && s[len - 1] != '/' && strspn(s, plain) == len &&
           strstr(s, "//") == NULL && strstr(s, "/.") == NULL && strstr(s, "/-") == NULL;
}

static int read_directory(const struct cli_context *cli, struct setup *s, struct error *err)
{
    const char *given = cli_text(cli, "directory");
    s->directory = given != NULL ? str_dup(given, err) : str_printf(err, DIRECTORY_PARENT "/%s", s->prefix);
    if (s->directory == NULL)
        return E_NOMEM;
    if (!is_directory(s->directory))
        return error_set(
            err, E_USAGE,
            "--directory %s: it must be a whole path of letters, digits and ._-/ without parts that "
            "begin with a dot or a dash, since it goes into sshd_config",
            given);
    return 0;
}

/* ---- accounts -------------------------------------------------------------------------------------------- */

static struct setup_account *add_account(struct setup *s, enum setup_role role, const char *suffix,
                                         size_t len, struct error *err)
{
    struct setup_account *a = vec_push(&s->accounts, err);
    if (a == NULL)
        return NULL;
    a->role = role;
    a->keys = (struct vec)VEC_OF(char *);
    a->ids = (struct vec){ .item = WRITER_ID_LEN };
    (void)snprintf(a->name, sizeof a->name, "%s-%.*s", s->prefix, (int)len, suffix);
    return a;
}

static int add_role(const struct cli_context *cli, struct setup *s, enum setup_role role, const char *suffix,
                    const char *option, struct error *err)
{
    struct setup_account *a = add_account(s, role, suffix, strlen(suffix), err);
    int rc = a != NULL ? 0 : E_NOMEM;
    for (size_t i = 0; rc == 0 && i < cli_count(cli, option); i++)
        rc = setup_public_keys(cli_text_at(cli, option, i), &a->keys, err);
    return rc;
}

static int add_id(struct setup_account *a, const uint8_t *id, struct error *err)
{
    uint8_t *slot = vec_push(&a->ids, err);
    if (slot == NULL)
        return E_NOMEM;
    memcpy(slot, id, WRITER_ID_LEN);
    return 0;
}

/* Ids stand at the end, so that a file's name may hold a comma. Returns the length of what comes before. */
static int take_ids(struct setup_account *a, const char *text, size_t *len, struct error *err)
{
    uint8_t id[WRITER_ID_LEN];
    int rc = 0;
    while (rc == 0 && *len > ID_HEX && text[*len - ID_HEX - 1] == ',' &&
           hex_decode(id, WRITER_ID_LEN, text + *len - ID_HEX)) {
        *len -= ID_HEX + 1;
        rc = add_id(a, id, err);
    }
    return rc;
}

static int known_ids(struct setup *s, const struct conf_repository *repository, struct setup_account *a,
                     struct error *err)
{
    struct vec ids = { .item = WRITER_ID_LEN };
    struct error why = ERROR_INIT;
    int rc = repository != NULL ? access_writer_ids(repository, &ids, &why) : E_NOT_FOUND;
    if (rc == 0 && ids.len > 0 && s->id_source != NULL)
        rc =
            error_set(&why, E_USAGE,
                      "two backup hosts without ids: say which writers are whose, --writer HOST=FILE,ID,...");
    for (size_t i = 0; rc == 0 && i < ids.len; i++)
        rc = add_id(a, vec_at(&ids, i), &why);
    if (rc == 0 && ids.len > 0)
        s->id_source = repository->keys;
    vec_free(&ids);
    if (rc == E_NOT_FOUND || (rc == 0 && a->ids.len == 0)) {
        s->waiting++;
        return 0;
    }
    return rc < 0 ? error_copy(err, &why) : 0;
}

static bool is_reserved(const char *host, size_t len)
{
    static const char *const taken[] = { "adm", "ret", "read", "repo", "sftp" };
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
        if (strlen(taken[i]) == len && memcmp(taken[i], host, len) == 0)
            return true;
    return false;
}

static int add_writer(struct setup *s, const struct conf_repository *repository, const char *text,
                      struct error *err)
{
    size_t host = strcspn(text, "=");
    if (!is_name(text, host, SETUP_HOST_MAX) || is_reserved(text, host) || text[host] != '=' ||
        text[host + 1] == '\0')
        return error_set(
            err, E_USAGE,
            "--writer %s: write HOST=FILE[,ID...]: HOST has up to %d small letters, digits, - and _ "
            "(not adm, ret, read, repo, sftp), FILE is its public SSH key",
            text, SETUP_HOST_MAX);
    struct setup_account *a = add_account(s, SETUP_WRITER, text, host, err);
    size_t len = strlen(text + host + 1);
    int rc = a != NULL ? take_ids(a, text + host + 1, &len, err) : E_NOMEM;
    char *file = rc == 0 ? str_dup_len(text + host + 1, len, err) : NULL;
    if (rc == 0)
        rc = file != NULL ? setup_public_keys(file, &a->keys, err) : E_NOMEM;
    free(file);
    return rc == 0 && a->ids.len == 0 ? known_ids(s, repository, a, err) : rc;
}

/* ---- what must not be twice ------------------------------------------------------------------------------ */

/* The same key in two accounts would be one person with two roles, and sshd would not know which is meant. */
static bool same_key(const char *a, const char *b)
{
    size_t type = strcspn(a, " ") + 1;
    size_t len = type + strcspn(a + type, " ");
    return strncmp(a, b, len) == 0 && (b[len] == '\0' || b[len] == ' ');
}

static int compare_accounts(const struct setup_account *a, const struct setup_account *b, struct error *err)
{
    char hex[ID_HEX + 1];
    if (strcmp(a->name, b->name) == 0)
        return error_set(err, E_USAGE, "the account %s is named twice", a->name);
    for (size_t i = 0; i < a->ids.len; i++)
        for (size_t j = 0; j < b->ids.len; j++)
            if (memcmp(vec_at(&a->ids, i), vec_at(&b->ids, j), WRITER_ID_LEN) == 0) {
                hex_encode(hex, vec_at(&a->ids, i), WRITER_ID_LEN);
                return error_set(err, E_USAGE,
                                 "writer %s belongs to %s and to %s: it can be of one host only", hex,
                                 a->name, b->name);
            }
    for (size_t i = 0; i < a->keys.len; i++)
        for (size_t j = 0; j < b->keys.len; j++)
            if (same_key(*(char **)vec_at(&a->keys, i), *(char **)vec_at(&b->keys, j)))
                return error_set(
                    err, E_USAGE,
                    "%s and %s have the same SSH key: roles that share a key are one role. Make a key "
                    "for each",
                    a->name, b->name);
    return 0;
}

static int check_accounts(const struct setup *s, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; i < s->accounts.len; i++)
        for (size_t j = i + 1; rc == 0 && j < s->accounts.len; j++)
            rc = compare_accounts(vec_at(&s->accounts, i), vec_at(&s->accounts, j), err);
    return rc;
}

int setup_read(const struct cli_context *cli, const struct conf_repository *repository, struct setup *out,
               struct error *err)
{
    *out = (struct setup){ .prefix = cli_text(cli, "user"), .accounts = VEC_OF(struct setup_account) };
    if (!is_name(out->prefix, strlen(out->prefix), SETUP_PREFIX_MAX))
        return error_set(
            err, E_USAGE,
            "--user %s: up to %d small letters, digits, - and _, the first one a letter: account "
            "names begin with it",
            out->prefix, SETUP_PREFIX_MAX);
    int rc = read_directory(cli, out, err);
    if (rc == 0)
        rc = add_role(cli, out, SETUP_ADMIN, "adm", "admin-key", err);
    if (rc == 0)
        rc = add_role(cli, out, SETUP_RETENTION, "ret", "retention-key", err);
    if (rc == 0)
        rc = add_role(cli, out, SETUP_READER, "read", "reader-key", err);
    for (size_t i = 0; rc == 0 && i < cli_count(cli, "writer"); i++)
        rc = add_writer(out, repository, cli_text_at(cli, "writer", i), err);
    return rc == 0 ? check_accounts(out, err) : rc;
}

void setup_free(struct setup *s)
{
    for (size_t i = 0; i < s->accounts.len; i++) {
        struct setup_account *a = vec_at(&s->accounts, i);
        for (size_t k = 0; k < a->keys.len; k++)
            free(*(char **)vec_at(&a->keys, k));
        vec_free(&a->keys);
        vec_free(&a->ids);
    }
    vec_free(&s->accounts);
    free(s->directory);
}
