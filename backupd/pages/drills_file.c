#include "backupd/pages/drills_file.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "common/base/log.h"
#include "common/sys/dirs.h"

#include "common/base/banned.h"

/* False without memory for its name. */
static bool identify(const char *state, dev_t *dev, ino_t *ino)
{
    struct stat st;
    char *path = path_join(state, DRILLS_FILE, NULL);
    bool there = path != NULL && stat(path, &st) == 0;
    bool known = path != NULL;
    free(path);
    *dev = there ? st.st_dev : 0;
    *ino = there ? st.st_ino : 0;
    return known;
}

bool drills_file_changed(const struct drills_file *f, const char *state)
{
    dev_t dev;
    ino_t ino;
    return identify(state, &dev, &ino) && (dev != f->dev || ino != f->ino);
}

static int open_now(struct drills_file *f, const char *state, bool make, struct error *err)
{
    char *path = path_join(state, DRILLS_FILE, err);
    int rc = path == NULL ? E_NOMEM
             : make       ? drills_open(path, &f->drills, err)
                          : drills_open_read(path, &f->drills, err);
    free(path);
    return rc;
}

void drills_file_look(struct drills_file *f, const char *state, bool make, int64_t now)
{
    struct error why = ERROR_INIT;
    bool changed = drills_file_changed(f, state);
    bool missing = f->drills == NULL && (make || f->why.code != 0);
    bool early = now >= f->tried && now - f->tried < DRILLS_FILE_PAUSE;
    if (!changed && (!missing || (early && f->tried != 0)))
        return;
    drills_close(f->drills);
    f->drills = NULL;
    f->tried = now;
    int rc = open_now(f, state, make, &why);
    (void)identify(state, &f->dev, &f->ino);
    bool bad = rc < 0 && rc != E_NOT_FOUND;
    if (bad && make && f->why.code == 0)
        log_event(LOG_WARN, "the list of drills cannot be shown: %s", why.text);
    f->why = bad ? why : (struct error)ERROR_INIT;
}

void drills_file_close(struct drills_file *f)
{
    drills_close(f->drills);
    *f = (struct drills_file)DRILLS_FILE_INIT;
}
