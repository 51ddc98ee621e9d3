/* repository shred: the end of a repository's keys, with a certificate. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backupd/host.h"
#include "backupd/keys/certificate.h"
#include "backupd/keys/change.h"
#include "backupd/keys/shred.h"
#include "backupd/report.h"
#include "backupd/verbs.h"
#include "common/base/clock.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/cli/prompt.h"
#include "common/sys/atomic_file.h"

#include "common/base/banned.h"

const struct cli_option repository_shred_options[] = {
    KEY_REPO_OPTION,
    { .name = "root-key",
      .kind = CLI_FILE,
      .help = "The root key: it signs the certificate and is destroyed last." },
    { .name = "root-passphrase-file",
      .kind = CLI_FILE,
      .help = "Its passphrase: the first line of this file. Default: it is asked for." },
    { .name = "also",
      .kind = CLI_FILE,
      .metavar = "PATH",
      .many = true,
      .help =
          "A key file, a key's text, or a directory with some (the safe, the stick): destroyed, too. What is known "
          "without: this host's key directory of the repository, the configured kit, and the root key." },
    { .name = "kit-passphrase-file",
      .kind = CLI_FILE,
      .help = "The passphrase of the kits: with it the certificate can say whose keys they were." },
    { .name = "certificate",
      .kind = CLI_FILE,
      .help = "Where to write the certificate; never over an existing one." },
    { .name = "check",
      .kind = CLI_FILE,
      .help =
          "Destroy nothing: check this certificate, against root.pub of the key directory or --root-pub." },
    { .name = "root-pub", .kind = CLI_FILE, .help = "With --check: the root.pub to check against." },
    KEY_YES_OPTION,
    SETUP_OPTIONS,
    CLI_OPTIONS_END
};

/* ---- the certificate of somebody else ------------------------------------------------------------------ */

static int pinned(struct cli_context *cli, struct access_root *out, struct error *err)
{
    const char *file = cli_text(cli, "root-pub");
    if (file != NULL)
        return access_root_file(file, out, err);
    struct conf *conf = host_configuration(cli, false, err);
    const struct conf_repository *r =
        conf != NULL ? conf_find_repository(conf, cli_text(cli, "repo"), err) : NULL;
    int rc = r != NULL ? access_root(r, out, err) : err->code;
    conf_free(conf);
    return rc;
}

static int check(struct cli_context *cli, struct error *err)
{
    struct buf text = BUF_INIT;
    struct certificate c;
    struct access_root pin;
    struct report r;
    char id[2 * REPO_ID_LEN + 1];
    char a[ACCESS_FINGERPRINT_MAX];
    char b[ACCESS_FINGERPRINT_MAX];
    char date[NUMBER_TEXT_MAX];
    int rc = file_read_small(cli_text(cli, "check"), CERTIFICATE_MAX, &text, err);
    if (rc == 0)
        rc = certificate_check(text.data, text.len, &c, err);
    if (rc == 0)
        rc = pinned(cli, &pin, err);
    if (rc == 0 && (memcmp(pin.repo_id, c.repo_id, REPO_ID_LEN) != 0 ||
                    memcmp(pin.root_pk, c.root_pk, SIGN_PK_LEN) != 0))
        rc = error_set(
            err, E_CONFLICT,
            "the certificate was signed by %s for another repository or root key than the one pinned here "
            "(%s)",
            access_key_print(c.root_pk, a), access_fingerprint(&pin, b));
    buf_free(&text);
    if (rc < 0)
        return rc;
    hex_encode(id, c.repo_id, REPO_ID_LEN);
    report_init(&r, cli, "certificate", cli_text(cli, "check"), err);
    report_add(&r, "repository", OUT_PLAIN, "%s", id);
    report_add(&r, "signed by", OUT_GOOD, "%s, the root key that is pinned", access_key_print(c.root_pk, a));
    report_add(&r, "at", OUT_PLAIN, "%s, charter %llu", time_format(date, c.time),
               (unsigned long long)c.version);
    report_add(&r, "destroyed", OUT_PLAIN, "%llu key %s, and the root key after signing",
               (unsigned long long)c.destroyed, plural(c.destroyed, "file", "files"));
    report_add(&r, "kept", c.kept > 0 ? OUT_BAD : OUT_PLAIN, "%llu", (unsigned long long)c.kept);
    report_add(&r, "recipients", c.unseen > 0 ? OUT_WARN : OUT_PLAIN,
               "%llu whose key was destroyed, %llu whose key was not seen", (unsigned long long)c.seen,
               (unsigned long long)c.unseen);
    report_add(&r, "not proven", OUT_PLAIN, "that no copy exists: no program can know that");
    return report_print(&r, true, err);
}

/* ---- destroying ---------------------------------------------------------------------------------------- */

struct shredding {
    struct key_change c; /* opens and verifies; its charter is not used */
    struct shred s;
    char *list;
};

static int plan(struct shredding *x, struct error *err)
{
    struct cli_context *cli = x->c.cli;
    const struct conf_repository *r = x->c.repository;
    struct conf_secret kit = key_passphrase_ref(cli, "kit-passphrase-file");
    struct conf_secret root = key_passphrase_ref(cli, "root-passphrase-file");
    memcpy(x->s.repo_id, x->c.repo->repo_id, REPO_ID_LEN);
    x->s.charter = repo_charter(x->c.repo);
    x->s.root.seed = secret_copy(secret_view(x->c.root.seed), secret_len(x->c.root.seed), err);
    memcpy(x->s.root.repo_id, x->s.repo_id, REPO_ID_LEN);
    int rc =
        x->s.root.seed != NULL ? shred_plan(&x->s, cli_text(cli, "root-key"), true, &root, err) : E_NOMEM;
    if (rc == 0) /* whatever its passphrase is: it is the one that was opened */
        ((struct shred_file *)vec_at(&x->s.files, 0))->is_root = true;
    if (rc == 0)
        rc = shred_plan(&x->s, r->keys, false, &kit, err);
    if (rc == 0 && r->kit != NULL)
        rc = shred_plan(&x->s, r->kit, false, &kit, err);
    for (size_t i = 0; rc == 0 && i < cli_count(cli, "also"); i++)
        rc = shred_plan(&x->s, cli_text_at(cli, "also", i), true, &kit, err);
    return rc == 0 ? shred_resume(&x->s, x->list, err) : rc;
}

static size_t left_open(const struct shredding *x)
{
    size_t n = 0;
    for (size_t i = 0; i < x->s.charter->recipients.len; i++) {
        const struct charter_recipient *r = vec_at(&x->s.charter->recipients, i);
        bool seen = false;
        for (size_t k = 0; k < x->s.files.len; k++) {
            const struct shred_file *f = vec_at(&x->s.files, k);
            seen = seen || (f->has_rid && memcmp(f->rid, r->rid, RID_LEN) == 0);
        }
        if (!seen)
            out_line(&x->c.cli->out, OUT_WARN, "  of recipient %s no key was found that could be opened here",
                     r->name);
        n += !seen;
    }
    return n;
}

static int tell(struct shredding *x, struct error *err)
{
    const struct out *out = &x->c.cli->out;
    if (x->c.cli->json || x->c.cli->quiet)
        return 0;
    out_heading(out, "Destroyed will be, for good");
    for (size_t i = 0; i < x->s.files.len; i++) {
        const struct shred_file *f = vec_at(&x->s.files, i);
        out_line(out, f->opened || f->is_root ? OUT_PLAIN : OUT_WARN, "  %-9s %s%s", shred_role(f->role),
                 f->path,
                 f->earlier   ? "   (by an earlier run)"
                 : f->is_root ? "   (last, after it has signed)"
                 : !f->opened ? "   (has a passphrase: taken for this repository's because it was named)"
                              : "");
    }
    out_heading(out, "What this program cannot know");
    out_line(out, OUT_PLAIN,
             "  copies of these files elsewhere, backups and snapshots of this disk, and paper");
    (void)left_open(x);
    out_heading(out, "Afterwards");
    out_line(out, OUT_PLAIN,
             "  nobody without such a copy can read a single snapshot of %s again; the storage can still",
             x->c.repository->name);
    out_line(out, OUT_PLAIN,
             "  be checked for being unchanged (restore verify --root-key root.pub, levels L0 and L1)");
    return out_flush(out, err);
}

static int ask(struct shredding *x, struct error *err)
{
    if (cli_flag(x->c.cli, "yes"))
        return 0;
    int rc = prompt_word("This cannot be undone.", x->c.repository->name, "--yes", err);
    return rc == 0 ? error_set(err, E_CANCELLED, "nothing was destroyed") : rc < 0 ? rc : 0;
}

static int report(struct shredding *x, struct error *err)
{
    struct report r;
    size_t gone = 0;
    size_t kept = 0;
    report_init(&r, x->c.cli, "shred", x->c.repository->name, err);
    for (size_t i = 0; i < x->s.files.len; i++) {
        const struct shred_file *f = vec_at(&x->s.files, i);
        gone += f->gone;
        kept += !f->gone;
        if (f->reason[0] != '\0' && !x->c.cli->json)
            report_add(&r, f->gone ? "note" : "not destroyed", f->gone ? OUT_WARN : OUT_BAD, "%s", f->reason);
    }
    report_add(&r, "destroyed", OUT_PLAIN, "%zu key %s", gone, plural(gone, "file", "files"));
    report_add(&r, "not destroyed", kept > 0 ? OUT_BAD : OUT_PLAIN, "%zu", kept);
    report_add(&r, "certificate", OUT_BOLD, "%s", cli_text(x->c.cli, "certificate"));
    report_add(&r, "to check it", OUT_PLAIN, "backupd repository shred --check FILE --root-pub root.pub");
    int rc = report_print(&r, kept == 0, err);
    if (rc == 0 && kept > 0) {
        x->c.cli->exit_code = CLI_EXIT_PARTLY;
        rc = error_set(err, E_IO, "%zu key %s could not be destroyed; the certificate names %s", kept,
                       plural(kept, "file", "files"), plural(kept, "it", "them"));
    }
    return rc;
}

static int finish(struct shredding *x, struct error *err)
{
    int rc = shred_root(&x->s, err);
    if (rc == 0)
        (void)unlink(x->list);
    return rc;
}

/* The plan is on the disk before the first file goes; the certificate before the root key goes. */
static int destroy(struct shredding *x, struct error *err)
{
    const char *path = cli_text(x->c.cli, "certificate");
    struct buf text = BUF_INIT;
    int rc = shred_note(&x->s, x->list, err);
    if (rc == 0)
        rc = shred_files(&x->s, err);
    if (rc == 0)
        rc = certificate_build(&x->s, clock_wall(), &text, err);
    if (rc == 0)
        rc = file_write_atomic(path, text.data, text.len, 0444, FILE_EXCLUSIVE, err);
    buf_free(&text);
    return rc == 0 ? finish(x, err) : rc;
}

/* 1: an earlier run was ended between the certificate and the root key; this very key has signed it. */
static int signed_before(struct shredding *x, const char *path, struct error *err)
{
    struct buf text = BUF_INIT;
    struct certificate c;
    uint8_t pk[SIGN_PK_LEN];
    if (access(path, F_OK) < 0)
        return 0;
    if (access(x->list, F_OK) < 0)
        return error_set(err, E_EXISTS, "%s is there already: a certificate is never overwritten", path);
    int rc = file_read_small(path, CERTIFICATE_MAX, &text, err);
    if (rc == 0)
        rc = certificate_check(text.data, text.len, &c, err);
    if (rc == 0)
        rc = sign_public(x->c.root.seed, pk, err);
    if (rc == 0 && memcmp(pk, c.root_pk, SIGN_PK_LEN) != 0)
        rc = error_set(err, E_CONFLICT, "%s is the certificate of another repository", path);
    buf_free(&text);
    return rc < 0 ? rc : 1;
}

static int shred(struct shredding *x, struct error *err)
{
    const char *path = cli_text(x->c.cli, "certificate");
    x->list = str_printf(err, "%s.list", path);
    int before = x->list != NULL ? signed_before(x, path, err) : E_NOMEM;
    if (before < 0)
        return before;
    int rc = plan(x, err);
    if (rc == 0)
        rc = tell(x, err);
    if (rc == 0)
        rc = ask(x, err);
    if (rc == 0)
        rc = before > 0 ? finish(x, err) : destroy(x, err);
    return rc == 0 ? report(x, err) : rc;
}

int cmd_repository_shred(struct cli_context *cli, struct error *err)
{
    struct shredding x = { .s = { .files = VEC_OF(struct shred_file) } };
    if (cli_given(cli, "check"))
        return check(cli, err);
    if (!cli_given(cli, "root-key") || !cli_given(cli, "certificate"))
        return error_set(err, E_USAGE, "give --root-key FILE and --certificate FILE (or --check FILE)");
    struct conf *conf = host_configuration(cli, false, err);
    if (conf == NULL)
        return err->code;
    int rc = key_change_open(cli, conf, &x.c, err);
    if (rc == 0)
        rc = shred(&x, err);
    shred_free(&x.s);
    key_change_close(&x.c);
    free(x.list);
    conf_free(conf);
    return rc;
}
