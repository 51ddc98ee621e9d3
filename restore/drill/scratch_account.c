/* Who a scratch server runs as. */
#include <fcntl.h>
#include <pwd.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include "common/sys/fdio.h"
#include "restore/drill/scratch.h"

#include "common/base/banned.h"

/* Root's servers run as somebody without rights. */
int scratch_account(struct scratch *s, struct error *err)
{
    static const char *const names[] = { "backupd-drill", "nobody" };
    for (size_t i = 0; geteuid() == 0 && s->confine.uid == 0 && i < sizeof names / sizeof names[0]; i++) {
        const struct passwd *pw = getpwnam(names[i]);
        if (pw != NULL && pw->pw_uid != 0) {
            s->confine.uid = pw->pw_uid;
            s->confine.gid = pw->pw_gid;
        }
    }
    if (geteuid() == 0 && s->confine.uid == 0)
        return error_set(err, E_NOT_FOUND,
                         "there is neither an account backupd-drill nor nobody to run the scratch server as: "
                         "adduser --system backupd-drill");
    return 0;
}

/* Asked for this thread alone. */
int scratch_reachable(const struct scratch *s, const char *base, struct error *err)
{
    if (geteuid() != 0)
        return 0;
    int gid = setfsgid(s->confine.gid);
    int uid = setfsuid(s->confine.uid);
    int fd = open(s->run, O_PATH | O_DIRECTORY | O_CLOEXEC);
    (void)setfsuid((uid_t)uid);
    (void)setfsgid((gid_t)gid);
    bool good = fd >= 0;
    fd_drop(&fd);
    return good
               ? 0
               : error_set(
                     err, E_DENIED,
                     "%s: user %u, as whom the scratch server runs, may not go there: choose another place with "
                     "--scratch DIR, for example in /var/tmp",
                     base, s->confine.uid);
}
