#include "backupd/init/plan.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backupd/keys/kit.h"
#include "common/access/access.h"
#include "common/base/str.h"
#include "common/sys/dirs.h"

#include "common/base/banned.h"

/* Takes over `path`, also when it fails; NULL is E_NOMEM. */
static int add(struct vec *files, char *path, enum init_content content, size_t index, struct error *err)
{
    struct init_file *f = path != NULL ? vec_push(files, err) : NULL;
    if (f == NULL) {
        free(path);
        return E_NOMEM;
    }
    *f = (struct init_file){ .path = path, .content = content, .index = index };
    return 0;
}

/* DIR/NAME, or DIR/ROLE/NAME. */
static int add_in(struct vec *files, const char *dir, const char *role, const char *name,
                  enum init_content content, struct error *err)
{
    char *path = role != NULL ? str_printf(err, "%s/%s/%s", dir, role, name) : path_join(dir, name, err);
    return add(files, path, content, 0, err);
}

/* The names of writers' files follow from their keys: files.c makes DIR/writer-ID.key of DIR. */
static int add_writers(struct vec *files, const struct init_request *r, const char *dir, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < r->writers; i++)
        rc = add(files, str_dup(dir, err), INIT_WRITER, i, err);
    return rc;
}

static int plan_roles(const struct init_request *r, struct vec *files, struct error *err)
{
    static const struct {
        const char *role;
        const char *name;
        enum init_content content;
    } rows[] = {
        { "root", ACCESS_ROOT_FILE, INIT_ROOT_PUB },
        { "root", ACCESS_ROOT_KEY_FILE, INIT_ROOT_KEY },
        { "writer", ACCESS_ROOT_FILE, INIT_ROOT_PUB },
        { "retention", ACCESS_ROOT_FILE, INIT_ROOT_PUB },
        { "retention", ACCESS_RETENTION_FILE, INIT_RETENTION },
        { "restore", ACCESS_ROOT_FILE, INIT_ROOT_PUB },
        { "auditor", ACCESS_ROOT_FILE, INIT_ROOT_PUB },
    };
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof rows / sizeof rows[0]; i++)
        rc = add_in(files, r->roles, rows[i].role, rows[i].name, rows[i].content, err);
    if (rc == 0 && !r->kit_unconfirmed)
        rc = add_in(files, r->roles, "writer", KIT_UNCONFIRMED_FILE, INIT_UNCONFIRMED, err);
    char *writers = rc == 0 ? path_join(r->roles, "writer", err) : NULL;
    if (rc == 0)
        rc = writers != NULL ? add_writers(files, r, writers, err) : E_NOMEM;
    free(writers);
    return rc;
}

static int plan_simple(const struct init_request *r, struct vec *files, struct error *err)
{
    const char *keys = r->repository->keys;
    int rc = add_in(files, r->safe, NULL, ACCESS_ROOT_KEY_FILE, INIT_ROOT_KEY, err);
    if (rc == 0)
        rc = add_in(files, r->safe, NULL, ACCESS_RETENTION_FILE, INIT_RETENTION, err);
    if (rc == 0)
        rc = add_in(files, r->safe, NULL, ACCESS_ROOT_FILE, INIT_ROOT_PUB, err);
    if (rc == 0)
        rc = add_in(files, r->safe, NULL, "README.txt", INIT_README, err);
    if (rc == 0)
        rc = add_in(files, keys, NULL, ACCESS_ROOT_FILE, INIT_ROOT_PUB, err);
    if (rc == 0 && !r->kit_unconfirmed)
        rc = add_in(files, keys, NULL, KIT_UNCONFIRMED_FILE, INIT_UNCONFIRMED, err);
    if (rc == 0 && r->same_host_retention)
        rc = add_in(files, keys, NULL, ACCESS_RETENTION_FILE, INIT_RETENTION, err);
    return rc == 0 ? add_writers(files, r, keys, err) : rc;
}

static int add_kits(const struct init_request *r, struct vec *files, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < r->people.n; i++) {
        rc = add(files, init_people_path(r->kit, r->people.name[i], err), INIT_KIT, i, err);
        if (rc == 0)
            rc = add(files, init_people_path(r->kit_text, r->people.name[i], err), INIT_KIT_TEXT, i, err);
    }
    if (rc == 0 && r->people.n == 0) {
        rc = add(files, str_dup(r->kit, err), INIT_KIT, 0, err);
        if (rc == 0)
            rc = add(files, str_dup(r->kit_text, err), INIT_KIT_TEXT, 0, err);
    }
    return rc;
}

int init_plan(const struct init_request *r, struct vec *files, struct error *err)
{
    int rc = add_kits(r, files, err);
    if (rc == 0)
        rc = r->roles != NULL ? plan_roles(r, files, err) : plan_simple(r, files, err);
    return rc;
}

static int in_the_way(const char *path, struct error *err)
{
    return error_set(
        err, E_EXISTS,
        "%s is there already, and a key is never overwritten: nothing was changed. To make another "
        "repository give it another name or other directories",
        path);
}

/* Any key file in a directory that gets writers' keys belongs to an earlier repository. */
static int no_keys_in(const char *dir, struct error *err)
{
    int rc = 0;
    DIR *d = opendir(dir);
    if (d == NULL)
        return errno == ENOENT ? 0 : error_sys(err, "list %s", dir);
    const struct dirent *entry = NULL;
    while (rc == 0 && (entry = readdir(d)) != NULL) {
        if (!str_ends(entry->d_name, ".key"))
            continue;
        char *path = path_join(dir, entry->d_name, err);
        rc = path != NULL ? in_the_way(path, err) : E_NOMEM;
        free(path);
    }
    (void)closedir(d);
    return rc;
}

int init_files_absent(const struct vec *files, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < files->len; i++) {
        const struct init_file *f = vec_at(files, i);
        struct stat st;
        if (f->content == INIT_WRITER)
            rc = f->index == 0 ? no_keys_in(f->path, err) : 0;
        else if (lstat(f->path, &st) == 0)
            rc = in_the_way(f->path, err);
        else if (errno != ENOENT)
            rc = error_sys(err, "look for %s", f->path);
    }
    return rc;
}

void init_files_free(struct vec *files)
{
    for (size_t i = 0; i < files->len; i++)
        free(((struct init_file *)vec_at(files, i))->path);
    vec_free(files);
}
