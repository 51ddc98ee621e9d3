/* What the station pins and opens with: root key and kit. */
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "restore/station.h"

#include "common/base/banned.h"

/* --kit-passphrase-file, else what the configuration says. */
static struct conf_secret passphrase_of(const struct station *st)
{
    const char *file = cli_text(st->cli, "kit-passphrase-file");
    if (file != NULL)
        return (struct conf_secret){ .kind = CONF_SECRET_FILE, .text = file };
    if (st->repository != NULL)
        return st->repository->kit_passphrase;
    return (struct conf_secret){ .kind = CONF_SECRET_NONE };
}

/* Somebody reads this at 3 a.m.: what is missing, where it was looked for, where such a thing is kept. */
static int kit_missing(const char *path, bool given, struct error *err)
{
    return error_set(
        err, E_NOT_FOUND,
        "the restore kit is not there: there is no file %s (%s). Kits are kept off this host, in a "
        "safe or on paper: fetch it and name it with --kit FILE, which takes the printed form "
        "(restore-kit.txt), too",
        path, given ? "--kit" : "`kit` of the repository in the configuration");
}

int station_read_kit(struct station *st, enum station_kit need, struct error *err)
{
    const char *path = cli_text(st->cli, "kit");
    bool given = path != NULL;
    if (cli_flag(st->cli, "no-kit") && (given || need >= KIT_NEEDED))
        return error_set(err, E_USAGE, "--no-kit: %s",
                         given ? "and --kit is given too" : "this needs the restore kit");
    if (cli_flag(st->cli, "no-kit"))
        return 0;
    if (!given && need != KIT_IF_GIVEN && st->repository != NULL)
        path = st->repository->kit;
    if (path == NULL)
        return need < KIT_NEEDED
                   ? 0
                   : error_set(err, E_USAGE,
                               "this opens backups and needs the restore kit: give --kit FILE, or set "
                               "`kit` of the repository in the configuration");
    struct conf_secret reference = passphrase_of(st);
    if (need != KIT_PERSON && strcmp(path, "-") != 0 && access_key_role(path) == KEYFILE_DRILL)
        return station_read_drill_kit(st, path, &reference, err);
    int rc = need == KIT_PERSON ? access_person_kit(path, &reference, true, &st->kit, err)
                                : access_kit(path, &reference, true, &st->kit, err);
    if (rc == E_NOT_FOUND && !given && need == KIT_OPTIONAL && access(path, F_OK) < 0) {
        log_event(LOG_INFO, "going on without the configured kit: there is no %s", path);
        error_clear(err);
        return 0;
    }
    if (rc == E_NOT_FOUND && access(path, F_OK) < 0) /* and not a file that its passphrase is in */
        return kit_missing(path, given, err);
    if (rc < 0)
        return rc;
    st->has_kit = true;
    st->recipients[0] = st->kit.r;
    st->opener = (struct opener){ .w = st->kit.w, .v = st->kit.v, .sks = st->recipients, .nsks = 1 };
    return 0;
}

/* Where no kit is needed root.pub is read first: it has no passphrase. Else the configured kit names the root
 * key; a station that has neither needs its kit, not a new repository. */
static int configured_root(struct station *st, struct error *err)
{
    struct error why = ERROR_INIT;
    const char *kit = st->repository->kit;
    int rc = access_root(st->repository, &st->root, &why);
    if (rc == 0)
        return 0;
    if (rc != E_NOT_FOUND)
        return error_copy(err, &why);
    if (kit != NULL && !cli_flag(st->cli, "no-kit"))
        return access(kit, F_OK) < 0 ? kit_missing(kit, false, err) : station_read_kit(st, KIT_NEEDED, err);
    return error_set(err, E_NOT_FOUND,
                     "no key at hand for repository %s: give --kit FILE (the restore kit, from the safe), or "
                     "--root-key FILE (root.pub), which is looked for in %s",
                     st->repository->name, st->repository->keys);
}

int station_read_root(struct station *st, struct error *err)
{
    const char *file = cli_text(st->cli, "root-key");
    int rc = 0;
    if (file != NULL)
        rc = access_root_file(file, &st->root, err);
    else if (!st->has_kit && st->repository == NULL)
        rc = error_set(err, E_USAGE, "no key at hand: give --kit FILE or --root-key FILE");
    else if (!st->has_kit)
        rc = configured_root(st, err);
    if (rc < 0)
        return rc;
    if (file != NULL && st->has_kit && memcmp(st->root.repo_id, st->kit.repo_id, REPO_ID_LEN) != 0)
        return error_set(err, E_CONFLICT, "--root-key and the kit belong to different repositories");
    if (file == NULL && st->has_kit) { /* also when it was read just now */
        memcpy(st->root.repo_id, st->kit.repo_id, REPO_ID_LEN);
        memcpy(st->root.root_pk, st->kit.root_pk, SIGN_PK_LEN);
    }
    return 0;
}
