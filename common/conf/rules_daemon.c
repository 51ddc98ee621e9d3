#include "common/conf/rules.h"

#include "common/base/banned.h"

const char *const conf_ionice_words[] = { "none", "best-effort", "idle", NULL }; /* enum conf_ionice */

#define D(member) offsetof(struct conf_daemon, member)
static const struct rule daemon[] = {
    { { .name = "time_zone",
        .type = CONF_STRING,
        .flags = CONF_RELOADABLE,
        .fallback = "(the system's)",
        .help = "The zone of all schedules, like Europe/Berlin." },
      D(time_zone) },
    { { .name = "concurrency",
        .type = CONF_INTEGER,
        .flags = CONF_RELOADABLE,
        .fallback = "2",
        .min = 1,
        .max = 64,
        .help = "Runs at the same time on this host." },
      D(concurrency) },
    { { .name = "per_server",
        .type = CONF_INTEGER,
        .flags = CONF_RELOADABLE,
        .fallback = "1",
        .min = 1,
        .max = 64,
        .help = "Runs at the same time that read from one database server." },
      D(per_server) },
    { { .name = "stop_timeout",
        .type = CONF_DURATION,
        .flags = CONF_RELOADABLE,
        .fallback = "2m",
        .min = 1,
        .max = 86400,
        .help =
            "How long a run that is to stop may take to end in order; then it is killed. What it stored is used by the "
            "next run." },
      D(stop_timeout_ms) },
    { { .name = "keep_history",
        .type = CONF_DURATION,
        .flags = CONF_RELOADABLE,
        .fallback = "400d",
        .min = 86400,
        .max = YEARS(100),
        .help = "How long the host remembers its runs." },
      D(keep_history_ms) },
    { { .name = "socket",
        .type = CONF_PATH,
        .fallback = "(control.sock in the state directory)",
        .help =
            "Where people ask the daemon (`backupd start`, `cancel`, `pause`, ...). The state directory is closed to others: "
            "with read_group or control_group name one that is not, like /run/backupd/control.sock." },
      D(socket) },
    { { .name = "read_group",
        .type = CONF_STRING,
        .flags = CONF_RELOADABLE,
        .help = "Members of this group may ask the daemon for status, history, show and schedule." },
      D(read_group) },
    { { .name = "control_group",
        .type = CONF_STRING,
        .flags = CONF_RELOADABLE,
        .help =
            "Members of this group may also start, cancel, pause and resume. Root and the daemon's user may always." },
      D(control_group) },
    LIMIT_RULES(offsetof(struct conf_daemon, limits), "0", "none", "(no limit)", "(as many as the daemon)",
                "30m"),
    { { .name = "textfile",
        .type = CONF_PATH,
        .flags = CONF_RELOADABLE,
        .help =
            "A file (*.prom) that gets the metrics after each event, for the textfile collector of Prometheus's "
            "node_exporter." },
      D(textfile) },
};

RULES(conf_rules_daemon, daemon);
