#include "restore/target/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/str.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

enum { BLOCK = 1 << 16 };

static const char spool_name[] = "a temporary file";

/* A file system without O_TMPFILE: a name for a moment. */
static int open_named(const char *dir, struct error *err)
{
    char *name = str_printf(err, "%s/.export-XXXXXX", dir);
    if (name == NULL)
        return E_NOMEM;
    int fd = mkostemp(name, O_CLOEXEC);
    int rc = fd >= 0 ? fd : error_sys(err, "make a temporary file in %s", dir);
    if (fd >= 0)
        (void)unlink(name);
    free(name);
    return rc;
}

int spool_open(struct spool *s, const char *dir, struct error *err)
{
    *s = (struct spool)SPOOL_INIT;
    int fd = open(dir, O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
        fd = open_named(dir, err);
    else if (fd < 0)
        fd = error_sys(err, "make a temporary file in %s", dir);
    s->fd = fd >= 0 ? fd : -1;
    return fd >= 0 ? 0 : fd;
}

static int flush(struct spool *s, struct error *err)
{
    int rc = fd_write_full(s->fd, s->block.data, s->block.len, spool_name, err);
    buf_clear(&s->block);
    return rc;
}

int spool_add(struct spool *s, const void *data, size_t len, struct error *err)
{
    int rc = buf_append(&s->block, data, len, err);
    s->len += len;
    return rc == 0 && s->block.len >= BLOCK ? flush(s, err) : rc;
}

struct source *spool_source(struct spool *s, struct error *err)
{
    if (flush(s, err) < 0)
        return NULL;
    if (lseek(s->fd, 0, SEEK_SET) < 0) {
        (void)error_sys(err, "%s", spool_name);
        return NULL;
    }
    return source_fd(s->fd, 0, spool_name, err);
}

void spool_close(struct spool *s)
{
    fd_drop(&s->fd);
    buf_free(&s->block);
}
