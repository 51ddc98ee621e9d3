#include <string.h>

#include "common/base/str.h"
#include "common/conf/problem.h"
#include "common/conf/reader.h"

#include "common/base/banned.h"

#define AT(name) conf_section_index(CONF_AT_STORAGE, name)

static const struct conf_node *key_at(const struct frame *f, const char *name)
{
    return f->keys[AT(name)];
}

static void check_local(struct load *l, const struct frame *f, const struct conf_storage *s)
{
    size_t path = AT("path");
    if (f->good[path] && s->path != NULL && s->path[0] != '/')
        conf_problem_add(l->problems, f->values[path]->place,
                         "%s.path: '%s' has to be absolute (start with '/')", f->path, s->path);
}

static void check_account(struct load *l, const struct frame *f, const struct conf_storage *s)
{
    const struct conf_node *key = key_at(f, "key");
    const struct conf_node *passphrase = key_at(f, "passphrase");
    if (key != NULL && s->agent)
        conf_problem_add(l->problems, key_at(f, "agent")->place,
                         "%s: either 'key' or 'agent: true', not both", f->path);
    else if (key == NULL && key_at(f, "agent") == NULL)
        conf_problem_add(l->problems, f->map->place,
                         "%s: 'key' is missing (a private key file; or 'agent: true')", f->path);
    else if (key == NULL && f->good[AT("agent")] && !s->agent)
        conf_problem_add(l->problems, key_at(f, "agent")->place,
                         "%s: with 'agent: false' a private key file 'key' is needed", f->path);
    if (passphrase != NULL && key == NULL)
        conf_problem_add(l->problems, passphrase->place, "%s: 'passphrase' has no meaning without 'key'",
                         f->path);
}

static void check_sftp(struct load *l, const struct frame *f, const struct conf_storage *s)
{
    size_t path = AT("path");
    size_t host_key = AT("host_key");
    size_t deadline = AT("deadline");
    check_account(l, f, s);
    if (f->good[path] && s->path != NULL && s->path[0] == '~')
        conf_problem_add(
            l->problems, f->values[path]->place,
            "%s.path: '~' is not expanded: leave '~/' out, the path starts in the account's home", f->path);
    if (f->good[host_key] && s->host_key != NULL && strchr(s->host_key, ' ') == NULL)
        conf_problem_add(l->problems, f->values[host_key]->place,
                         "%s.host_key: expected \"TYPE KEY\" like \"ssh-ed25519 AAAA...\"", f->path);
    if (f->good[deadline] && s->deadline_ms < s->stall_ms)
        conf_problem_add(l->problems, f->values[deadline]->place, "%s.deadline is shorter than stall",
                         f->path);
    if (key_at(f, "host_key") != NULL && key_at(f, "known_hosts") != NULL)
        conf_problem_add(l->problems, key_at(f, "known_hosts")->place,
                         "%s: either 'host_key' or 'known_hosts', not both", f->path);
}

void conf_storage_read(struct load *l, const char *path, const struct conf_node *map,
                       struct conf_storage *out)
{
    struct frame f = { .section = CONF_AT_STORAGE, .path = path, .map = map, .base = out };
    if (!conf_section_read(l, &f, NULL, NULL))
        return;
    bool known = f.good[AT("type")];
    bool local = out->type == CONF_STORAGE_LOCAL;
    conf_section_complete(
        l, &f, known ? (local ? CONF_ONLY_SFTP : CONF_ONLY_LOCAL) : CONF_ONLY_SFTP | CONF_ONLY_LOCAL);
    if (!known)
        return;
    conf_section_foreign(l, &f, CONF_ONLY_SFTP | CONF_ONLY_LOCAL, local ? CONF_ONLY_LOCAL : CONF_ONLY_SFTP,
                         local ? "local" : "sftp");
    if (local)
        check_local(l, &f, out);
    else
        check_sftp(l, &f, out);
}

static bool name_is_taken(struct load *l, const struct conf_node *key)
{
    for (size_t i = 0; i < l->repositories.len; i++) {
        const struct conf_repository *other = vec_at(&l->repositories, i);
        if (strcmp(other->name, key->text) == 0) {
            conf_problem_add(l->problems, key->place, "repository '%s' is also at %s:%u", key->text,
                             other->place.file, other->place.line);
            return true;
        }
    }
    return false;
}

void conf_repository_read(struct load *l, const struct conf_node *key, const struct conf_node *value)
{
    struct conf_repository r = { .place = key->place };
    if (!conf_name_read(l, "repository", key) || name_is_taken(l, key))
        return;
    r.name = conf_keep_text(l, key->text);
    r.place.file = conf_keep_text(l, key->place.file);
    struct frame f = { .section = CONF_AT_REPOSITORY, .map = value, .base = &r };
    f.path = conf_keep_format(l, "repositories.%s", key->text);
    const char *storage_path = conf_keep_format(l, "repositories.%s.storage", key->text);
    const char *keep_path = conf_keep_format(l, "repositories.%s.keep", key->text);
    const char *keep_jobs_path = conf_keep_format(l, "repositories.%s.keep_jobs", key->text);
    if (l->rc < 0)
        return;
    if (conf_section_read(l, &f, NULL, NULL)) {
        const struct conf_node *storage = f.values[conf_section_index(CONF_AT_REPOSITORY, "storage")];
        conf_section_complete(l, &f, 0);
        if (storage != NULL)
            conf_storage_read(l, storage_path, storage, &r.storage);
        conf_keep_read(l, keep_path, f.values[conf_section_index(CONF_AT_REPOSITORY, "keep")], &r.keep);
        conf_keep_jobs_read(l, keep_jobs_path, f.values[conf_section_index(CONF_AT_REPOSITORY, "keep_jobs")],
                            &r);
        if (r.keys == NULL)
            r.keys = conf_keep_path(l, conf_keep_format(l, "keys/%s", key->text));
    }
    struct conf_repository *slot = vec_push(&l->repositories, l->err);
    if (slot == NULL)
        l->rc = E_NOMEM;
    else
        *slot = r;
}
