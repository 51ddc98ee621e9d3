/* A restored SQLite file once more: are its bytes still those that came out of the snapshot? */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/sys/fdio.h"
#include "common/sys/interrupt.h"
#include "restore/drill/internal.h"

#include "common/base/banned.h"

enum { BLOCK = 1 << 18 };

int drill_bytes_begin(struct drill *d, struct error *err)
{
    if (strcmp(d->db.engine->name, "sqlite") != 0 || d->db.m.list.len != 1)
        return 0;
    d->hash = file_hash_new(err);
    return d->hash != NULL ? 0 : E_NOMEM;
}

static int hash_file(const char *path, uint8_t out[HASH_LEN], struct error *err)
{
    uint8_t *block = mem_alloc(1, BLOCK, err);
    struct file_hash_state *state = block != NULL ? file_hash_new(err) : NULL;
    int fd = state != NULL ? open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) : -1;
    int64_t n = 1;
    int rc = state == NULL ? E_NOMEM : fd < 0 ? error_sys(err, "open %s", path) : 0;
    while (rc == 0 && n > 0) {
        rc = interrupt_check(err);
        n = rc == 0 ? fd_read(fd, block, BLOCK, path, err) : 0;
        rc = n < 0 ? (int)n : rc;
        if (n > 0)
            file_hash_update(state, block, (size_t)n);
    }
    if (rc == 0)
        file_hash_final(state, out);
    file_hash_free(state);
    fd_drop(&fd);
    free(block);
    return rc;
}

int drill_bytes_check(struct drill *d, struct error *err)
{
    uint8_t before[HASH_LEN];
    uint8_t now[HASH_LEN];
    char texts[2][2 * HASH_LEN + 1];
    if (d->hash == NULL)
        return 0;
    file_hash_final(d->hash, before);
    int rc = hash_file(d->s.to, now, err);
    hex_encode(texts[0], before, HASH_LEN);
    hex_encode(texts[1], now, HASH_LEN);
    bool same = rc == 0 && memcmp(before, now, HASH_LEN) == 0;
    return rc < 0 ? rc
                  : drill_note(d, "table", "contents of the file", NULL, same ? DRILL_PASS : DRILL_FAIL,
                               texts[0], texts[1], NULL, err);
}
