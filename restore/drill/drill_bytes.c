/* A restored SQLite file once more: are its bytes those that were backed up? By the check that its stream got then. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/sys/fdio.h"
#include "common/sys/interrupt.h"
#include "restore/drill/internal.h"

#include "common/base/banned.h"

enum { BLOCK = 1 << 18, TEXT_MAX = 96 };

static int check_file(const char *path, uint8_t out[CHECK_LEN], uint64_t *len, struct error *err)
{
    uint8_t *block = mem_alloc(1, BLOCK, err);
    struct check_state *state = block != NULL ? check_new(err) : NULL;
    int fd = state != NULL ? open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) : -1;
    int64_t n = 1;
    int rc = state == NULL ? E_NOMEM : fd < 0 ? error_sys(err, "open %s", path) : 0;
    while (rc == 0 && n > 0) {
        rc = interrupt_check(err);
        n = rc == 0 ? fd_read(fd, block, BLOCK, path, err) : 0;
        rc = n < 0 ? (int)n : rc;
        if (n > 0)
            check_update(state, block, (size_t)n);
        *len += n > 0 ? (uint64_t)n : 0;
    }
    if (rc == 0)
        check_final(state, out);
    check_free(state);
    fd_drop(&fd);
    free(block);
    return rc;
}

static void describe(char out[TEXT_MAX], uint64_t len, const uint8_t check[CHECK_LEN])
{
    char hex[2 * CHECK_LEN + 1];
    hex_encode(hex, check, CHECK_LEN);
    (void)snprintf(out, TEXT_MAX, "%llu bytes, %s", (unsigned long long)len, hex);
}

int drill_bytes_check(struct drill *d, struct error *err)
{
    uint8_t now[CHECK_LEN];
    uint64_t len = 0;
    char texts[2][TEXT_MAX];
    if (strcmp(d->db.engine->name, "sqlite") != 0 || d->db.m.list.len != 1)
        return 0;
    const struct stream_ref *was = &((const struct member_item *)vec_at(&d->db.m.list, 0))->ref;
    int rc = check_file(d->s.to, now, &len, err);
    if (rc < 0)
        return rc;
    describe(texts[0], was->len, was->check);
    describe(texts[1], len, now);
    bool same = len == was->len && memcmp(was->check, now, CHECK_LEN) == 0;
    return drill_note(d, "table", "contents of the file", NULL, same ? DRILL_PASS : DRILL_FAIL, texts[0],
                      texts[1], NULL, err);
}
