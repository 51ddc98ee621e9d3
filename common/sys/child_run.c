#include "common/base/buffer.h"
#include "common/sys/child.h"
#include "common/sys/fdio.h"
#include "common/base/banned.h"

int child_run(const char *const argv[], const struct child_options *opt, struct buf *out, size_t limit,
              struct error *err)
{
    struct child_options own = opt != NULL ? *opt : (struct child_options){ .env = NULL };
    own.want_stdin = false;
    own.want_stdout = out != NULL;
    struct error why = ERROR_INIT;
    struct child *c = child_start(argv, &own, &why);
    if (c == NULL)
        return error_copy(err, &why);
    int rc = 0;
    if (out != NULL && (rc = fd_read_all(child_stdout(c), limit, out, argv[0], err)) < 0)
        child_kill(c); /* what was wrong with its output is the news, not how it ended */
    else
        rc = child_finish(c, err);
    child_free(c);
    return rc;
}
