#include "backupd/keys/shred.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/access/access.h"
#include "common/base/str.h"
#include "common/crypto/hash.h"
#include "common/repo/drill_keys.h"
#include "common/sys/atomic_file.h"
#include "common/sys/destroy.h"
#include "common/sys/dirs.h"
#include "common/sys/interrupt.h"

#include "common/base/banned.h"

enum { LIST_MAX = 1024 * 1024, ROLES = KEYFILE_DRILL + 1 };

static const char *const roles[ROLES] = {
    [KEYFILE_ROOT] = "root", [KEYFILE_WRITER] = "writer", [KEYFILE_RETENTION] = "retention",
    [KEYFILE_KIT] = "kit",   [KEYFILE_MEMBER] = "member", [KEYFILE_DRILL] = "drill"
};

const char *shred_role(enum keyfile_role role)
{
    return role >= KEYFILE_ROOT && role <= KEYFILE_DRILL ? roles[role] : "unknown";
}

/* ---- looking ------------------------------------------------------------------------------------------- */

static const struct shred_file *known(const struct shred *s, const char *path)
{
    for (size_t i = 0; i < s->files.len; i++) {
        const struct shred_file *f = vec_at(&s->files, i);
        if (strcmp(f->path, path) == 0)
            return f;
    }
    return NULL;
}

static int set_rid(struct shred_file *f, const struct secret *r, struct error *err)
{
    uint8_t pk[BOX_PK_LEN];
    int rc = box_public(r, pk, err);
    if (rc == 0)
        rc = box_rid(pk, f->rid, err);
    f->has_rid = rc == 0;
    return rc;
}

/* What was opened says whose it is: every layout begins with the repository's id. */
static int judge(const struct shred *s, struct shred_file *f, const struct secret *block, struct error *err)
{
    uint8_t pk[SIGN_PK_LEN];
    uint8_t mine[SIGN_PK_LEN];
    struct root_keys root = { .seed = NULL };
    struct restore_kit kit = { .w = NULL };
    struct member_kit member = { .r = NULL };
    struct drill_keys drill = DRILL_KEYS_INIT;
    int rc = 0;
    if (secret_len(block) < REPO_ID_LEN || memcmp(secret_view(block), s->repo_id, REPO_ID_LEN) != 0)
        return error_set(err, E_CONFLICT, "%s is a key of another repository: nothing was destroyed",
                         f->path);
    f->opened = true;
    if (f->role == KEYFILE_KIT && (rc = restore_kit_decode(block, &kit, err)) == 0)
        rc = set_rid(f, kit.r, err);
    if (f->role == KEYFILE_MEMBER && (rc = member_kit_decode(block, &member, err)) == 0)
        rc = set_rid(f, member.r, err);
    if (f->role == KEYFILE_DRILL && (rc = drill_keys_decode(block, &drill, err)) == 0)
        rc = set_rid(f, drill.r, err);
    if (f->role == KEYFILE_ROOT && (rc = root_keys_decode(block, &root, err)) == 0)
        rc = sign_public(root.seed, pk, err);
    if (f->role == KEYFILE_ROOT && rc == 0)
        rc = sign_public(s->root.seed, mine, err);
    f->is_root = f->role == KEYFILE_ROOT && rc == 0 && memcmp(pk, mine, SIGN_PK_LEN) == 0;
    root_keys_free(&root);
    restore_kit_free(&kit);
    member_kit_free(&member);
    drill_keys_free(&drill);
    return rc;
}

static bool begins_like_a_key(const struct buf *b)
{
    static const char text[] = "bk1-key-text";
    return keyfile_begins(b->data, b->len) || memmem(b->data, b->len, text, sizeof text - 1) != NULL;
}

/* Key files that others can read are refused by whoever uses them; here they must go all the same. */
static int hash_file(struct shred_file *f, struct error *err)
{
    struct buf bytes = BUF_INIT;
    int rc = file_read_small(f->path, KEYFILE_MAX, &bytes, err);
    if (rc == 0 && !begins_like_a_key(&bytes))
        rc = error_corrupt(err, "key-file", "%s is neither a key file nor its text", f->path);
    if (rc == 0)
        file_hash(bytes.data, bytes.len, f->hash);
    if (rc == 0 && chmod(f->path, 0400) < 0)
        rc = error_sys(err, "take %s away from others", f->path);
    buf_wipe(&bytes);
    return rc;
}

/* `sure`: it was named. Otherwise what is no key file is passed over. */
static int look(struct shred *s, const char *path, bool sure, const struct conf_secret *pass,
                struct error *err)
{
    struct shred_file f = { .role = 0 };
    struct error why = ERROR_INIT;
    char *absolute = realpath(path, NULL);
    if (absolute == NULL)
        return error_sys(err, "find %s", path);
    if (known(s, absolute) != NULL) {
        free(absolute);
        return 0;
    }
    f.path = absolute;
    int rc = hash_file(&f, &why);
    struct secret *block = rc == 0 ? access_any_key_block(absolute, &f.role, pass, false, &why) : NULL;
    if (block != NULL)
        rc = judge(s, &f, block, &why);
    else if (rc == 0 && why.code == E_AUTH)
        f.role = access_key_role(absolute); /* a passphrase is in the way */
    else
        rc = why.code;
    secret_free(block);
    struct shred_file *slot = rc == 0 ? vec_push(&s->files, &why) : NULL;
    if (slot != NULL) {
        *slot = f;
        return 0;
    }
    free(absolute);
    return !sure && (rc == E_CORRUPT || rc == E_UNSUPPORTED) ? 0 : error_copy(err, &why);
}

static bool key_name(const char *name)
{
    return str_ends(name, ".key") || str_ends(name, ".key.new") || str_ends(name, ".txt");
}

static int look_into(struct shred *s, const char *dir, const struct conf_secret *pass, struct error *err)
{
    int rc = 0;
    DIR *d = opendir(dir);
    if (d == NULL)
        return error_sys(err, "list %s", dir);
    const struct dirent *entry = NULL;
    while (rc == 0 && ((void)(errno = 0), entry = readdir(d)) != NULL) {
        if (!key_name(entry->d_name))
            continue;
        char *path = path_join(dir, entry->d_name, err);
        rc = path != NULL ? look(s, path, false, pass, err) : E_NOMEM;
        free(path);
    }
    /* A directory that was not seen to its end may hold more keys: no certificate then. */
    if (rc == 0 && errno != 0)
        rc = error_sys(err, "list %s", dir);
    (void)closedir(d);
    return rc;
}

int shred_plan(struct shred *s, const char *path, bool must_exist, const struct conf_secret *passphrase,
               struct error *err)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return errno == ENOENT && !must_exist ? 0 : error_sys(err, "find %s", path);
    return S_ISDIR(st.st_mode) ? look_into(s, path, passphrase, err) : look(s, path, true, passphrase, err);
}

/* ---- a run that is ended goes on ----------------------------------------------------------------------- */

/* One line a file: ROLE HASH RID|- PATH. The root key stays out: while it exists, nothing has been signed. */
int shred_note(const struct shred *s, const char *list, struct error *err)
{
    struct buf text = BUF_INIT;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < s->files.len; i++) {
        const struct shred_file *f = vec_at(&s->files, i);
        char hash[2 * HASH_LEN + 1];
        char rid[2 * RID_LEN + 1] = "-";
        hex_encode(hash, f->hash, HASH_LEN);
        if (f->has_rid)
            hex_encode(rid, f->rid, RID_LEN);
        if (!f->is_root)
            rc = buf_printf(&text, err, "%d %s %s %s\n", (int)f->role, hash, rid, f->path);
    }
    if (rc == 0)
        rc = file_write_atomic(list, text.data, text.len, 0600, FILE_REPLACE, err);
    buf_free(&text);
    return rc;
}

static bool parse_line(char *line, struct shred_file *f)
{
    char *hash = strchr(line, ' ');
    char *rid = hash != NULL ? strchr(hash + 1, ' ') : NULL;
    char *path = rid != NULL ? strchr(rid + 1, ' ') : NULL;
    if (path == NULL || hash != line + 1 || line[0] < '1' || line[0] > '6')
        return false;
    *path++ = '\0';
    *rid++ = '\0';
    f->role = (enum keyfile_role)(line[0] - '0');
    f->has_rid = strlen(rid) == 2 * RID_LEN && hex_decode(f->rid, RID_LEN, rid);
    f->opened = f->has_rid;
    if (strlen(hash + 1) != 2 * HASH_LEN || !hex_decode(f->hash, HASH_LEN, hash + 1))
        return false;
    f->path = str_dup(path, NULL);
    return f->path != NULL;
}

int shred_resume(struct shred *s, const char *list, struct error *err)
{
    struct buf text = BUF_INIT;
    struct error why = ERROR_INIT;
    int rc = file_read_small(list, LIST_MAX, &text, &why);
    if (rc == E_NOT_FOUND)
        return 0;
    if (rc == 0)
        rc = buf_append(&text, "", 1, &why);
    char *line = rc == 0 ? (char *)text.data : NULL;
    while (rc == 0 && *line != '\0') {
        char *end = strchr(line, '\n');
        struct shred_file f = { .gone = true, .earlier = true };
        if (end == NULL)
            break;
        *end = '\0';
        bool good = parse_line(line, &f);
        line = end + 1;
        if (!good || known(s, f.path) != NULL || access(f.path, F_OK) == 0) {
            free(f.path);
            continue;
        }
        struct shred_file *slot = vec_push(&s->files, &why);
        if (slot == NULL)
            rc = E_NOMEM;
        else
            *slot = f;
    }
    buf_free(&text);
    return rc < 0 ? error_copy(err, &why) : 0;
}

/* ---- destroying ---------------------------------------------------------------------------------------- */

static void destroy(struct shred_file *f)
{
    struct error why = ERROR_INIT;
    int rc = file_destroy(f->path, &why);
    f->gone = rc == 0 || rc == E_CONFLICT || rc == E_NOT_FOUND;
    if (rc < 0)
        memcpy(f->reason, why.text, sizeof f->reason);
}

int shred_files(struct shred *s, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < s->files.len; i++) {
        struct shred_file *f = vec_at(&s->files, i);
        rc = interrupt_check(err);
        if (rc == 0 && !f->is_root && !f->gone)
            destroy(f);
    }
    return rc;
}

int shred_root(struct shred *s, struct error *err)
{
    for (size_t i = 0; i < s->files.len; i++) {
        struct shred_file *f = vec_at(&s->files, i);
        if (!f->is_root)
            continue;
        destroy(f);
        if (!f->gone)
            return error_set(err, E_IO, "the root key is not destroyed: %s", f->reason);
    }
    return 0;
}

void shred_free(struct shred *s)
{
    for (size_t i = 0; i < s->files.len; i++)
        free(((struct shred_file *)vec_at(&s->files, i))->path);
    vec_free(&s->files);
    root_keys_free(&s->root);
}
