/* Writing the key files of a new repository, and taking them back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backupd/init/keys.h"
#include "backupd/keys/kit.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/sys/atomic_file.h"
#include "common/sys/dirs.h"

#include "common/base/banned.h"

enum { SECRET_MODE = 0400 };

/* What a person of several has to know. */
static int person_text(const struct init_request *r, size_t i, struct buf *out, struct error *err)
{
    if (r->people.n == 0)
        return 0;
    return buf_printf(out, err, "# For %s. A restore takes %u of %zu people, each with a kit of their own.\n",
                      r->people.name[i], r->people.need, r->people.n);
}

static int text_of(const struct init_request *r, const struct init_keys *keys, size_t person, struct buf *out,
                   struct error *err)
{
    int rc = person_text(r, person, out, err);
    return rc < 0 ? rc
                  : kit_text(r->repository->name, &keys->pin, r->how != PASS_NONE,
                             init_people_kit(keys, person), out, err);
}

static int readme(const struct init_request *r, const struct init_keys *keys, struct buf *out,
                  struct error *err)
{
    char id[2 * REPO_ID_LEN + 1];
    char print[ACCESS_FINGERPRINT_MAX];
    char several[512];
    const char *kits =
        "restore-kit.key   opens every backup. The restore station needs it, and nobody else. Without\n"
        "                  it (or the text) nothing can ever be restored, by anybody: keep two copies\n"
        "                  in two places.\n"
        "restore-kit.txt   the same as text. Print it; paper outlives disks.\n";
    (void)snprintf(several, sizeof several,
                   "restore-kit-NAME.key  one for each person: %u of these %zu open every backup together.\n"
                   "                  Give each person theirs (and the text, printed), and keep no copy\n"
                   "                  of all in one place. With fewer than %u of them nothing can ever be\n"
                   "                  restored, by anybody.\n"
                   "restore-kit-NAME.txt  the same as text.\n",
                   r->people.need, r->people.n, r->people.need);
    if (r->people.n != 0)
        kits = several;
    hex_encode(id, keys->pin.repo_id, REPO_ID_LEN);
    return buf_printf(
        out, err,
        "These files belong to the backup repository \"%s\"\n"
        "    repository %s\n"
        "    root key   %s\n"
        "\n"
        "Take this directory off the host now: a USB stick, another machine, a safe. Then remove it\n"
        "from the host. As long as it lies there, so does all that an intruder needs to read and to\n"
        "delete every backup%s.\n"
        "\n"
        "%s"
        "root.key          signs who may write, delete and read: needed to enrol hosts and to change keys.\n"
        "retention.key     deletes old backups. Use it by hand or from a host that writes no backups.\n"
        "root.pub          not secret: what every program compares against.\n"
        "\n"
        "Put emergency-restore.py and format.md of the program's documentation beside them: with these\n"
        "two and the kit the backups can be read even when the program is gone.\n"
        "\n"
        "%s\n",
        r->repository->name, id, access_fingerprint(&keys->pin, print),
        r->how == PASS_NONE ? "" : ", except the passphrase", kits,
        r->how == PASS_NONE
            ? "The .key files and the text have NO passphrase."
            : "The .key files and the text need the passphrase that was given when they were made.\n"
              "Keep it apart from them; it cannot be recovered.");
}

static int save_writer(const struct init_keys *keys, struct init_file *f, struct error *err)
{
    const struct writer_keys *w = vec_at(&keys->writers, f->index);
    char *path = access_writer_path(f->path, w->writer_id, err);
    struct buf bytes = BUF_INIT;
    struct secret *block = path != NULL ? writer_keys_encode(w, err) : NULL;
    int rc = block != NULL ? keyfile_encode(KEYFILE_WRITER, block, NULL, NULL, &bytes, err) : E_NOMEM;
    if (rc == 0) {
        free(f->path);
        f->path = path;
        path = NULL;
        rc = keyfile_save(f->path, &bytes, err);
    }
    secret_free(block);
    buf_wipe(&bytes);
    free(path);
    return rc;
}

static int save_text(const char *path, struct buf *text, int rc, struct error *err)
{
    if (rc == 0)
        rc = file_write_atomic(path, text->data, text->len, SECRET_MODE, FILE_EXCLUSIVE, err);
    buf_wipe(text);
    return rc;
}

static int write_one(const struct init_request *r, const struct init_keys *keys, struct init_file *f,
                     struct error *err)
{
    struct buf text = BUF_INIT;
    /* a writer's path is its directory still */
    char *dir = f->content == INIT_WRITER ? str_dup(f->path, err) : path_dir(f->path, err);
    int rc = dir != NULL ? dir_make_private(dir, err) : E_NOMEM;
    if (rc == 0) {
        switch (f->content) {
        case INIT_ROOT_PUB:
            rc = access_write_root(dir, &keys->pin, err);
            break;
        case INIT_WRITER:
            rc = save_writer(keys, f, err);
            break;
        case INIT_ROOT_KEY:
            rc = keyfile_save(f->path, &keys->root_file, err);
            break;
        case INIT_RETENTION:
            rc = keyfile_save(f->path, &keys->retention_file, err);
            break;
        case INIT_KIT:
            rc = keyfile_save(f->path, init_people_kit(keys, f->index), err);
            break;
        case INIT_KIT_TEXT:
            rc = save_text(f->path, &text, text_of(r, keys, f->index, &text, err), err);
            break;
        case INIT_UNCONFIRMED:
            rc = kit_mark_unconfirmed(dir, err);
            break;
        case INIT_README:
        default:
            rc = save_text(f->path, &text, readme(r, keys, &text, err), err);
            break;
        }
    }
    free(dir);
    return rc;
}

int init_files_write(const struct init_request *r, const struct init_keys *keys, struct vec *files,
                     struct error *err)
{
    for (size_t i = 0; i < files->len; i++) {
        struct init_file *f = vec_at(files, i);
        int rc = write_one(r, keys, f, err);
        f->written = rc == 0;
        if (rc < 0) {
            init_files_remove(files);
            return error_wrap(err, "%s", f->path);
        }
    }
    return 0;
}

void init_files_remove(struct vec *files)
{
    for (size_t i = files->len; i > 0; i--) {
        struct init_file *f = vec_at(files, i - 1);
        if (!f->written && f->content == INIT_WRITER)
            continue; /* its path is a directory still */
        if (f->written && unlink(f->path) < 0)
            log_event(LOG_WARN, "%s could not be removed again", f->path);
        f->written = false;
        char *dir = path_dir(f->path, NULL);
        if (dir != NULL)
            (void)rmdir(dir); /* only when it is empty: then it is ours or of no use */
        free(dir);
    }
}
