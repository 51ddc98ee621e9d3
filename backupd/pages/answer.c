#include "backupd/pages/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backupd/pages/line.h"
#include "backupd/pages/look.h"
#include "backupd/pages/metrics.h"
#include "backupd/pages/server.h"
#include "backupd/pages/status_json.h"
#include "backupd/pages/status_page.h"
#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/crypto/sha256.h"
#include "common/text/page.h"

#include "common/base/banned.h"

enum { POLICY_MAX = 256, KINDS = 3 };

typedef int write_fn(const struct view *view, struct buf *out, struct error *err);

static const struct {
    const char *path;
    const char *type;
    write_fn *write;
} pages[KINDS] = {
    { "/", "text/html; charset=utf-8", status_page_write },
    { "/api/status.json", "application/json", status_json_write },
    { "/metrics", METRICS_TYPE, metrics_write },
};

struct made {
    struct buf body;
    uint64_t at; /* clock_mono_ms; 0: not made */
};

struct answers {
    struct look look;
    int daemon_fd;
    struct view_daemon daemon;
    uint64_t asked; /* when the daemon was; 0: not yet */
    struct made made[KINDS];
    char policy[POLICY_MAX];
    bool unread; /* the history was damaged when this process began */
    bool over;
};

/* SQLite opens the files beside its own with the first question; the C library its time zone. */
static int read_once(struct answers *a, struct error *err)
{
    struct view view;
    const struct view_options options = { .now = (int64_t)clock_wall(), .nights = true };
    int rc = look_view(&a->look, &options, &view, err);
    if (rc == 0)
        view_free(&view);
    a->unread = a->look.unread.code != 0;
    a->look.shut = true;
    return rc;
}

struct answers *answers_new(struct cli_context *cli, int daemon_fd, struct error *err)
{
    char hash[SHA256_BASE64];
    struct answers *a = mem_alloc(1, sizeof *a, err);
    if (a == NULL)
        return NULL;
    a->daemon_fd = daemon_fd;
    sha256_base64(page_style(), strlen(page_style()), hash);
    (void)snprintf(a->policy, sizeof a->policy,
                   "default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'; "
                   "frame-ancestors 'none'",
                   hash);
    int rc = look_open(cli, &a->look, err);
    if (rc == 0)
        rc = read_once(a, err);
    if (rc == 0)
        return a;
    answers_free(a);
    return NULL;
}

void answers_free(struct answers *a)
{
    if (a == NULL)
        return;
    for (size_t i = 0; i < KINDS; i++)
        buf_free(&a->made[i].body);
    look_close(&a->look);
    free(a);
}

bool answers_are_over(const struct answers *a)
{
    return a->over;
}

const char *answers_policy(const struct answers *a)
{
    return a->policy;
}

static bool is_fresh(uint64_t at)
{
    return at != 0 && clock_mono_ms() - at < SERVER_CACHE_MS;
}

/* A daemon that hangs is asked once in a while only: everybody else waits meanwhile. */
static const struct view_daemon *ask(struct answers *a)
{
    uint64_t rest = a->daemon.alive ? SERVER_CACHE_MS : LINE_PATIENCE_MS;
    if (a->asked == 0 || clock_mono_ms() - a->asked >= rest) {
        a->daemon = line_ask(a->daemon_fd);
        a->asked = clock_mono_ms();
    }
    return &a->daemon;
}

static int make(struct answers *a, size_t kind, struct error *err)
{
    /* Only another process can open it. This answer is the last that does without. */
    a->over = drills_file_changed(&a->look.drills, a->look.conf->state);
    struct made *m = &a->made[kind];
    struct view view;
    const struct view_options options = { .now = (int64_t)clock_wall(),
                                          .nights = pages[kind].write != metrics_write,
                                          .daemon = *ask(a) };
    int rc = look_view(&a->look, &options, &view, err);
    buf_clear(&m->body);
    m->at = 0;
    if (rc < 0)
        return rc;
    /* Another process looks whether it is so; one that found it so when it began stays. */
    a->over = a->over || (view.unread != NULL && !a->unread);
    rc = pages[kind].write(&view, &m->body, err);
    view_free(&view);
    m->at = rc == 0 ? clock_mono_ms() : 0;
    return rc;
}

static void say(struct reply *r, unsigned status, const char *text)
{
    *r = (struct reply){
        .status = status, .type = "text/plain; charset=utf-8", .body = text, .len = strlen(text)
    };
}

void answer(struct answers *a, const char *path, struct reply *r)
{
    struct error why = ERROR_INIT;
    if (strcmp(path, "/healthz") == 0) {
        bool alive = ask(a)->alive;
        say(r, alive ? 200 : 503, alive ? "ok\n" : "the daemon does not answer\n");
        return;
    }
    for (size_t i = 0; i < KINDS; i++) {
        if (strcmp(path, pages[i].path) != 0)
            continue;
        if (!is_fresh(a->made[i].at) && make(a, i, &why) < 0) {
            log_event(LOG_WARN, "the status page cannot be made: %s", why.text);
            a->over = true;
            say(r, 503, "The status cannot be read at the moment; `backupd status` says why.\n");
            return;
        }
        *r = (struct reply){ 200, pages[i].type, a->made[i].body.data, a->made[i].body.len };
        return;
    }
    say(r, 404, "There is /, /api/status.json, /metrics and /healthz.\n");
}
