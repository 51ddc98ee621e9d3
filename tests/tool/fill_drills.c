/*
 * fill_drills STATE NOW DRILL... - adds drills to the list of a state directory, as `restore drill run` would have. DRILL is
 * JOB:NAME:VERDICT:DAYS[:MS[:TARGET]]: the job, the drill of the configuration ("" for none), pass, fail or could_not_run, how many
 * days before NOW (seconds since 1970) it ended, milliseconds until the data could be queried, and the target in seconds.
 * A job named hostile has a reason full of markup.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/number.h"
#include "common/state/drills.h"
#include "common/base/banned.h"

enum { DAY = 86400, FIELDS = 6 };

static void die(const struct error *err)
{
    (void)fprintf(stderr, "fill_drills: %s\n", err->text);
    exit(1);
}

static int64_t number(const char *text)
{
    struct error err = ERROR_INIT;
    uint64_t n = 0;
    if (text == NULL || text[0] == '\0')
        return 0;
    if (number_parse(text, 0, INT64_MAX, &n, &err) < 0)
        die(&err);
    return (int64_t)n;
}

static void add(struct drills *d, char *spec, int64_t now, int k)
{
    char *field[FIELDS] = { NULL };
    struct error err = ERROR_INIT;
    char id[64];
    for (int i = 0; i < FIELDS; i++)
        field[i] = strsep(&spec, ":");
    const char *verdict = field[2] != NULL ? field[2] : "";
    bool hostile = strcmp(field[0], "hostile") == 0;
    int64_t end = now - number(field[3]) * DAY - 60;
    (void)snprintf(id, sizeof id, "20260101T000000Z-%08d", k);
    const struct drills_row row = {
        .id = id,
        .repository = "main",
        .job = field[0],
        .drill = field[1] != NULL ? field[1] : "",
        .snapshot = "abcd",
        .record = "00",
        .engine = "sqlite",
        .server = "",
        .reason = strcmp(verdict, "pass") == 0 ? ""
                  : hostile ? "<script>alert(1)</script> \"quoted\" & <b onclick=x> \xe2\x80\xae txet\nline"
                            : "table orders: 12 rows are missing",
        .verdict = strcmp(verdict, "pass") == 0   ? DRILLS_PASS
                   : strcmp(verdict, "fail") == 0 ? DRILLS_FAIL
                                                  : DRILLS_COULD_NOT_RUN,
        .started = end - 100,
        .finished = end,
        .snapshot_time = end - 3600,
        .rto_ms = number(field[4]),
        .rto_target_seconds = number(field[5]),
        .age_seconds = 3600,
        .rpo_seconds = -1,
        .whole = true
    };
    if (drills_add(d, &row, &err) < 0)
        die(&err);
}

int main(int argc, char **argv)
{
    struct error err = ERROR_INIT;
    struct drills *d = NULL;
    char path[4096];
    if (argc < 4) {
        (void)fprintf(stderr, "usage: fill_drills STATE NOW JOB:NAME:VERDICT:DAYS[:MS[:TARGET]]...\n");
        return 2;
    }
    (void)snprintf(path, sizeof path, "%s/" DRILLS_FILE, argv[1]);
    if (drills_open(path, &d, &err) < 0)
        die(&err);
    for (int a = 3; a < argc; a++)
        add(d, argv[a], number(argv[2]), a);
    drills_close(d);
    return 0;
}
