#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backupd/daemon/control.h"
#include "common/base/alloc.h"
#include "common/base/number.h"
#include "common/base/str.h"

#include "common/base/banned.h"

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

/* ---- groups ----------------------------------------------------------------------------------------------------------- */

static int find_group(const char *setting, const char *name, gid_t *out, bool *has, struct error *err)
{
    uint64_t number = 0;
    *has = false;
    if (name == NULL)
        return 0;
    const struct group *g = getgrnam(name);
    if (g == NULL && number_parse(name, 0, UINT32_MAX - 1, &number, NULL) < 0)
        return error_set(err, E_USAGE, "daemon.%s: there is no group '%s' on this host", setting, name);
    *out = g != NULL ? g->gr_gid : (gid_t)number;
    *has = true;
    return 0;
}

int control_groups_find(const struct conf_daemon *conf, struct control_groups *out, struct error *err)
{
    *out = (struct control_groups){ .has_read = false };
    int rc = find_group("read_group", conf->read_group, &out->read, &out->has_read, err);
    return rc < 0 ? rc
                  : find_group("control_group", conf->control_group, &out->control, &out->has_control, err);
}

/* ---- the peer --------------------------------------------------------------------------------------------------------- */

/* Only the file: a directory service that does not answer would hold up the loop. */
static void name_of(uid_t uid, char out[CONTROL_NAME_MAX])
{
    char safe[CONTROL_NAME_MAX];
    FILE *f = fopen("/etc/passwd", "re");
    const struct passwd *entry = NULL;
    while (f != NULL && (entry = fgetpwent(f)) != NULL && entry->pw_uid != uid)
        continue;
    if (entry != NULL)
        (void)snprintf(out, CONTROL_NAME_MAX, "%s", str_printable(safe, sizeof safe, entry->pw_name));
    else
        (void)snprintf(out, CONTROL_NAME_MAX, "uid %lu", (unsigned long)uid);
    if (f != NULL)
        (void)fclose(f);
}

static enum control_right right_of(const struct control_groups *groups, gid_t gid)
{
    if (groups->has_control && gid == groups->control)
        return CONTROL_ALL;
    return groups->has_read && gid == groups->read ? CONTROL_READ : CONTROL_NONE;
}

/* The groups that the process had when it connected. */
static int supplementary(int fd, gid_t **out, size_t *n, struct error *err)
{
    socklen_t len = 0;
    *out = NULL;
    *n = 0;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) == 0 || errno != ERANGE)
        return len == 0 ? 0 : error_sys(err, "the groups of who connects");
    if (len > CONTROL_GROUPS_MAX * sizeof(gid_t))
        return error_set(err, E_UNSUPPORTED, "an account in more than %d groups", (int)CONTROL_GROUPS_MAX);
    gid_t *list = mem_alloc(len, 1, err);
    if (list == NULL)
        return E_NOMEM;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, list, &len) < 0) {
        free(list);
        return error_sys(err, "the groups of who connects");
    }
    *out = list;
    *n = len / sizeof(gid_t);
    return 0;
}

int control_peer_read(int fd, const struct control_groups *groups, struct control_peer *out,
                      struct error *err)
{
    struct ucred cred;
    socklen_t len = sizeof cred;
    gid_t *list = NULL;
    size_t n = 0;
    *out = (struct control_peer){ .uid = (uid_t)-1, .name = "somebody" };
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 || len != sizeof cred)
        return error_sys(err, "the account of who connects");
    out->uid = cred.uid;
    name_of(cred.uid, out->name);
    if (cred.uid == 0 || cred.uid == geteuid()) {
        out->right = CONTROL_ALL;
        return 0;
    }
    out->right = right_of(groups, cred.gid);
    int rc = supplementary(fd, &list, &n, err);
    for (size_t i = 0; i < n; i++) {
        enum control_right more = right_of(groups, list[i]);
        out->right = more > out->right ? more : out->right;
    }
    free(list);
    return rc;
}
