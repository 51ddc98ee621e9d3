/* Programs of a scratch server, and the server itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/str.h"
#include "common/sys/interrupt.h"
#include "restore/drill/scratch.h"

#include "common/base/banned.h"

enum { PREPARE_MS = 20 * 60 * 1000, START_MS = 10 * 60 * 1000, STEP_NS = 50 * 1000 * 1000 };

int scratch_run(const struct scratch *s, const char *const argv[], const char *const *env, struct error *err)
{
    struct child_options opt = { .env = env, .dir = "/", .timeout_ms = PREPARE_MS, .confine = &s->confine };
    struct child *c = child_start(argv, &opt, err);
    int rc = c != NULL ? child_finish(c, err) : err != NULL && err->code < 0 ? err->code : E_IO;
    child_free(c);
    return rc;
}

bool scratch_alive(const struct scratch *s)
{
    return s->server == NULL || !child_ended(s->server);
}

static int wait_for_answer(const struct scratch *s, struct error *err)
{
    uint64_t end = clock_mono_ms() + START_MS;
    struct error why = ERROR_INIT;
    for (;;) {
        const struct timespec step = { .tv_nsec = STEP_NS };
        int rc = interrupt_check(err);
        if (rc < 0)
            return rc;
        error_clear(&why);
        rc = s->engine->ask(s->asks, "SELECT 1", false, NULL, NULL, &why);
        if (rc == 0 || rc == E_CANCELLED)
            return rc < 0 ? error_copy(err, &why) : 0;
        if (!scratch_alive(s))
            return error_set(err, E_IO, "it ended");
        if (clock_mono_ms() > end)
            return error_set(err, E_IO, "it does not answer: %s", why.text);
        (void)nanosleep(&step, NULL);
    }
}

int scratch_serve(struct scratch *s, const char *const argv[], const char *const *env, struct error *err)
{
    struct child_options opt = { .env = env, .dir = "/", .confine = &s->confine };
    struct error why = ERROR_INIT;
    s->server = child_start(argv, &opt, err);
    if (s->server == NULL)
        return err != NULL && err->code < 0 ? err->code : E_IO;
    int rc = wait_for_answer(s, &why);
    if (rc == 0)
        return scratch_seal(s, err);
    if (rc == E_CANCELLED)
        return error_copy(err, &why);
    char line[CHILD_LAST_LINE_MAX];
    child_kill(s->server);
    (void)child_finish(s->server, NULL);
    return error_set(err, E_IO, "the scratch server did not start: %s; its last words: %s", why.text,
                     child_last_line(s->server, line));
}
