#include "backupd/keys/writer.h"

#include <stdlib.h>
#include <string.h>

#include "backupd/job/assign.h"
#include "common/base/str.h"
#include "common/sys/dirs.h"

#include "common/base/banned.h"

enum { ID_HEX = 2 * WRITER_ID_LEN };

/* The jobs of this host with their writers; none on a host that backs nothing up. */
static int assignments(const struct conf *conf, const struct conf_repository *repository, struct vec *out,
                       struct error *err)
{
    char *path = str_printf(err, "%s/%s/jobs", conf->state, repository->name);
    int rc = path != NULL ? assign_load(path, out, err) : E_NOMEM;
    free(path);
    return rc;
}

char *key_writer_job(const struct conf *conf, const struct conf_repository *repository,
                     const uint8_t id[WRITER_ID_LEN])
{
    struct vec list = VEC_OF(struct assignment);
    char *job = NULL;
    int rc = assignments(conf, repository, &list, NULL);
    for (size_t i = 0; rc == 0 && job == NULL && i < list.len; i++) {
        const struct assignment *a = vec_at(&list, i);
        if (memcmp(a->writer, id, WRITER_ID_LEN) == 0)
            job = str_dup(a->job, NULL);
    }
    vec_free(&list);
    return job;
}

static int find_job(const struct key_change *c, const char *text, uint8_t id[WRITER_ID_LEN],
                    struct error *err)
{
    struct vec list = VEC_OF(struct assignment);
    bool found = false;
    int rc = assignments(c->conf, c->repository, &list, err);
    for (size_t i = 0; rc == 0 && !found && i < list.len; i++) {
        const struct assignment *a = vec_at(&list, i);
        found = strcmp(a->job, text) == 0;
        if (found)
            memcpy(id, a->writer, WRITER_ID_LEN);
    }
    vec_free(&list);
    if (rc == 0 && !found)
        rc = error_set(err, E_USAGE,
                       "%s is neither a writer's id (16 hex digits; `backupd key show` lists them) nor a job "
                       "that this host has backed up",
                       text);
    return rc;
}

int key_writer_find(const struct key_change *c, const char *text, uint8_t id[WRITER_ID_LEN],
                    struct error *err)
{
    if (strlen(text) != ID_HEX || !hex_decode(id, WRITER_ID_LEN, text)) {
        int rc = find_job(c, text, id, err);
        if (rc < 0)
            return rc;
    }
    if (charter_writer_last(&c->next, id) == NULL)
        return error_set(err, E_USAGE, "charter %u knows no writer %s", repo_charter(c->repo)->version, text);
    return 0;
}

static struct charter_writer *open_line(struct charter *next, const uint8_t id[WRITER_ID_LEN])
{
    for (size_t i = 0; i < next->writers.len; i++) {
        struct charter_writer *w = vec_at(&next->writers, i);
        if (memcmp(w->id, id, WRITER_ID_LEN) == 0 && w->last_seq == SEQ_OPEN)
            return w;
    }
    return NULL;
}

int key_writer_close(struct key_change *c, const uint8_t id[WRITER_ID_LEN], bool despite, uint32_t *last,
                     struct error *err)
{
    char hex[ID_HEX + 1];
    const struct repo_writer *w = repo_writer_find(c->repo, id);
    struct charter_writer *line = open_line(&c->next, id);
    hex_encode(hex, id, WRITER_ID_LEN);
    if (line == NULL || w == NULL)
        return error_set(err, E_USAGE, "writer %s is retired already, after record %u", hex,
                         charter_writer_last(&c->next, id)->last_seq);
    if (!w->forked && !despite && key_change_alarms(c, id) > 0)
        return error_set(err, E_CONFLICT,
                         "the log of writer %s does not end as it should (see the alarms): closing it here "
                         "gives up what comes after record %zu for good. When that is what you want, add "
                         "--despite-alarms",
                         hex, w->records.len);
    *last = (uint32_t)w->records.len;
    if (*last + 1 < line->first_seq)
        *last = line->first_seq - 1; /* the key was never used */
    line->last_seq = *last;
    return 0;
}

int key_writer_open(struct charter *next, const uint8_t id[WRITER_ID_LEN], const struct secret *seed,
                    uint32_t cadence, uint32_t first, struct error *err)
{
    struct charter_writer *line = vec_push(&next->writers, err);
    if (line == NULL)
        return E_NOMEM;
    *line = (struct charter_writer){ .cadence_hours = cadence, .first_seq = first, .last_seq = SEQ_OPEN };
    memcpy(line->id, id, WRITER_ID_LEN);
    int rc = sign_public(seed, line->pk, err);
    vec_sort(&next->writers, charter_writer_order);
    return rc;
}

int key_writer_save(const char *path, const struct writer_keys *keys, struct error *err)
{
    struct buf bytes = BUF_INIT;
    struct secret *block = writer_keys_encode(keys, err);
    int rc = block != NULL ? keyfile_encode(KEYFILE_WRITER, block, NULL, NULL, &bytes, err) : E_NOMEM;
    if (rc == 0)
        rc = keyfile_save(path, &bytes, err);
    secret_free(block);
    buf_wipe(&bytes);
    return rc;
}

int key_writer_load(const char *path, const struct key_change *c, const uint8_t id[WRITER_ID_LEN],
                    struct writer_keys *out, struct error *err)
{
    struct error why = ERROR_INIT;
    struct secret *block = access_key_block(path, KEYFILE_WRITER, NULL, false, &why);
    int rc = block != NULL ? writer_keys_decode(block, out, &why) : why.code;
    secret_free(block);
    if (rc < 0)
        return error_copy(err, &why);
    if (memcmp(out->repo_id, c->repo->repo_id, REPO_ID_LEN) != 0 ||
        memcmp(out->writer_id, id, WRITER_ID_LEN) != 0) {
        writer_keys_free(out);
        return error_set(err, E_CONFLICT, "%s is the key of another writer or repository", path);
    }
    return 0;
}
