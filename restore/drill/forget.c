#include "restore/drill/forget.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/access/evidence.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/sys/dirs.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

enum { DAY = 86400, STAMP_LEN = 16 }; /* "20261128T231502Z" */

struct forgetting {
    const struct evidence_origin *o;
    struct drills *drills;
    bool to_send;
    struct vec ids; /* char *: they go */
    struct error why;
};

/* ---- which ------------------------------------------------------------------------------------------------- */

/* Gone: it is not among the snapshots that are live. Of other repositories nothing is known. */
static bool is_gone(const struct forgetting *f, const struct drills_row *row)
{
    uint8_t hash[HASH_LEN];
    bool ours = f->o->known && strcmp(row->repository, f->o->repository) == 0;
    if (!ours || strlen(row->record) != 2 * sizeof hash || !hex_decode(hash, sizeof hash, row->record))
        return false;
    for (size_t i = 0; i < f->o->live.len; i++)
        if (memcmp(vec_at(&f->o->live, i), hash, HASH_LEN) == 0)
            return false;
    return true;
}

static int take(const struct drills_row *row, bool proof, void *arg)
{
    struct forgetting *f = arg;
    if ((proof && !is_gone(f, row)) || (f->to_send && row->signed_ && !row->stored))
        return 0;
    char **slot = vec_push(&f->ids, &f->why);
    return slot != NULL && (*slot = str_dup(row->id, &f->why)) != NULL ? 0 : E_NOMEM;
}

/* ---- files ------------------------------------------------------------------------------------------------- */

static void remove_files(int dir, const char *id)
{
    static const char *const endings[] = { EVIDENCE_RESULT, EVIDENCE_PAGE, EVIDENCE_CERTIFICATE };
    char name[EVIDENCE_NAME_MAX + 16];
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        (void)snprintf(name, sizeof name, "%s%s", id, endings[i]);
        (void)unlinkat(dir, name, 0);
    }
}

/* "20261128T231502Z" */
static void stamp_of(uint64_t time, char out[STAMP_LEN + 1])
{
    char text[NUMBER_TEXT_MAX];
    size_t n = 0;
    for (const char *at = time_format(text, time); *at != '\0' && n < STAMP_LEN; at++)
        if (*at != '-' && *at != ':')
            out[n++] = *at;
    out[n] = '\0';
}

static int count(const struct drills_row *row, void *arg)
{
    (void)row;
    ++*(size_t *)arg;
    return 0;
}

/* An id whose drill is in no list, and that nobody signed. */
static bool is_exercise(const struct forgetting *f, int dir, const char *id)
{
    char name[EVIDENCE_NAME_MAX + 16];
    size_t rows = 0;
    const struct drills_filter filter = { .id = id, .limit = 1 };
    (void)snprintf(name, sizeof name, "%s" EVIDENCE_CERTIFICATE, id);
    return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 &&
           drills_each(f->drills, &filter, count, &rows, NULL) == 0 && rows == 0;
}

static void remove_exercises(const struct forgetting *f, int dir, uint64_t before)
{
    char stamp[STAMP_LEN + 1];
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
    const struct dirent *e = NULL;
    stamp_of(before, stamp);
    while (d != NULL && (e = readdir(d)) != NULL) {
        char id[EVIDENCE_NAME_MAX];
        size_t len = strcspn(e->d_name, ".");
        if (len <= STAMP_LEN || len >= sizeof id || strncmp(e->d_name, stamp, STAMP_LEN) >= 0)
            continue;
        (void)snprintf(id, sizeof id, "%.*s", (int)len, e->d_name);
        if (is_exercise(f, dir, id))
            remove_files(dir, id);
    }
    if (d != NULL)
        (void)closedir(d);
    else
        fd_drop(&copy);
}

/* ---- all of it --------------------------------------------------------------------------------------------- */

static int forget(struct forgetting *f, const char *state, uint64_t now)
{
    uint64_t before = now > (uint64_t)FORGET_DAYS * DAY ? now - (uint64_t)FORGET_DAYS * DAY : 0;
    char *list = path_join(state, DRILLS_FILE, &f->why);
    char *files = path_join(state, EVIDENCE_DIR, &f->why);
    int dir = files != NULL ? open(files, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    int rc = list == NULL || files == NULL ? E_NOMEM : dir < 0 ? error_sys(&f->why, "%s", files) : 0;
    rc = rc == 0 ? drills_open(list, &f->drills, &f->why) : rc;
    rc = rc == 0 ? drills_old(f->drills, (int64_t)before, FORGET_MOST, take, f, &f->why) : rc;
    /* The files first: what is in the list is found again. */
    for (size_t i = 0; rc == 0 && i < f->ids.len; i++) {
        const char *id = *(char **)vec_at(&f->ids, i);
        remove_files(dir, id);
        rc = drills_remove(f->drills, id, &f->why);
    }
    if (rc == 0)
        remove_exercises(f, dir, before);
    drills_close(f->drills);
    fd_drop(&dir);
    free(list);
    free(files);
    return rc;
}

void evidence_forget(const char *state, const struct evidence_origin *o, bool to_send, uint64_t now)
{
    struct forgetting f = { .o = o, .to_send = to_send, .ids = VEC_OF(char *), .why = ERROR_INIT };
    if (forget(&f, state, now) < 0)
        log_event(LOG_WARN, "what is kept of old drills could not be removed: %s", f.why.text);
    for (size_t i = 0; i < f.ids.len; i++)
        free(*(char **)vec_at(&f.ids, i));
    vec_free(&f.ids);
}
