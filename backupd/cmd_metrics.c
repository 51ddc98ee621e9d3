/* metrics: how everything stands, for Prometheus. */
#include <stdio.h>

#include "backupd/pages/look.h"
#include "backupd/pages/metrics.h"
#include "backupd/verbs.h"
#include "common/base/clock.h"
#include "common/cli/out.h"

#include "common/base/banned.h"

int cmd_metrics(struct cli_context *cli, struct error *err)
{
    struct look look = { .conf = NULL };
    struct buf text = BUF_INIT;
    struct view view;
    int rc = look_open(cli, &look, err);
    if (rc < 0)
        return rc;
    const struct view_options options = { .now = (int64_t)clock_wall(), .daemon = look_daemon(look.conf) };
    rc = look_view(&look, &options, &view, err);
    if (rc == 0) {
        rc = metrics_write(&view, &text, err);
        view_free(&view);
    }
    if (rc == 0 && fwrite(text.data, 1, text.len, cli->out.file) != text.len)
        rc = error_sys(err, "print the metrics");
    if (rc == 0)
        rc = out_flush(&cli->out, err);
    buf_free(&text);
    look_close(&look);
    return rc;
}
