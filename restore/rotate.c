#include "restore/rotate.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/str.h"
#include "common/cli/json.h"
#include "common/cli/jsonflat.h"
#include "common/crypto/hash.h"
#include "common/crypto/secret.h"
#include "common/sys/atomic_file.h"
#include "common/sys/dirs.h"

#include "common/base/banned.h"

#define CIRCLE ((uint64_t)1 << 32)

enum { FILE_VERSION = 1, FILE_MAX = 4 * 1024 * 1024, NAME_LIMIT = 256 };

static int keep(struct vec *list, const char *name, struct error *err)
{
    char *copy = str_dup(name, err);
    char **slot = copy != NULL ? vec_push(list, err) : NULL;
    if (slot == NULL)
        free(copy);
    else
        *slot = copy;
    return slot != NULL ? 0 : E_NOMEM;
}

static void free_list(struct vec *list)
{
    for (size_t i = 0; i < list->len; i++)
        free(*(char **)vec_at(list, i));
    vec_free(list);
}

/* ---- the file ----------------------------------------------------------------------------------------------------------- */

static int parse(struct rotation *r, const struct buf *text, uint64_t *before, struct error *err)
{
    struct jsonin *in = jsonin_parse((const char *)text->data, text->len, err);
    if (in == NULL)
        return err->code == E_NOMEM ? E_NOMEM : error_set(err, E_CORRUPT, "it is no JSON");
    const char *repo = jsonflat_text(in, "repository");
    const char *seed = jsonflat_text(in, "seed");
    uint64_t position = jsonflat_number(in, "position", UINT64_MAX);
    uint64_t time = jsonflat_number(in, "time", UINT64_MAX);
    size_t broken = jsonflat_count(in, "broken");
    int rc = 0;
    if (jsonflat_number(in, "version", 0) != FILE_VERSION || repo == NULL || seed == NULL ||
        strlen(seed) != 2 * sizeof r->seed || !hex_decode(r->seed, sizeof r->seed, seed) ||
        position > UINT32_MAX || time == UINT64_MAX || broken > ROTATION_BROKEN_MAX)
        rc = error_set(err, E_CORRUPT, "it has not what belongs into it");
    else if (strcmp(repo, r->repo) != 0)
        rc = error_set(err, E_CORRUPT, "it is of another repository");
    for (size_t i = 0; rc == 0 && i < broken; i++) {
        const char *name = jsonflat_text_at(in, "broken", i);
        rc = name != NULL && strlen(name) < NAME_LIMIT
                 ? keep(&r->broken, name, err)
                 : error_set(err, E_CORRUPT, "it has not what belongs into it");
    }
    if (rc == 0) {
        r->position = (uint32_t)position;
        *before = time;
    }
    jsonin_free(in);
    return rc;
}

static int read_file(struct rotation *r, uint64_t *before, struct error *err)
{
    struct buf text = BUF_INIT;
    struct error why = ERROR_INIT;
    int rc = file_read_small(r->path, FILE_MAX, &text, &why);
    if (rc == 0)
        rc = parse(r, &text, before, &why);
    buf_free(&text);
    if (rc == E_CORRUPT || rc == E_NOT_FOUND) {
        if (rc == E_CORRUPT)
            log_event(LOG_WARN, "%s: %s; what was read before is not known, and everything is read again",
                      r->path, why.text);
        free_list(&r->broken);
        r->broken = (struct vec)VEC_OF(char *);
        random_bytes(r->seed, sizeof r->seed);
        random_bytes(&r->position, sizeof r->position);
        *before = 0;
        return 0;
    }
    return rc < 0 ? error_copy(err, &why) : 0;
}

/* Runs come in steps of `since`: with a plain share something could wait for every + since. */
uint64_t rotation_width(uint64_t since, uint64_t every)
{
    if (since >= every / 2)
        return CIRCLE;
    uint64_t width = since * CIRCLE / (every - since) + 1;
    return width < CIRCLE ? width : CIRCLE;
}

int rotation_load(struct rotation *r, const char *path, const uint8_t repo_id[REPO_ID_LEN], uint64_t every,
                  uint64_t now, struct error *err)
{
    uint64_t before = 0;
    *r = (struct rotation){ .time = now, .broken = VEC_OF(char *), .found = VEC_OF(char *) };
    hex_encode(r->repo, repo_id, REPO_ID_LEN);
    r->path = str_dup(path, err);
    if (r->path == NULL)
        return E_NOMEM;
    int rc = read_file(r, &before, err);
    /* A clock that was set back tells nothing. */
    r->width = rotation_width(before != 0 && before <= now ? now - before : ROTATION_FIRST, every);
    return rc;
}

int rotation_save(struct rotation *r, struct error *err)
{
    char hex[2 * ROTATION_SEED_LEN + 1];
    struct buf text = BUF_INIT;
    if (r->lost) {
        log_event(LOG_WARN, "more is broken than %s can hold: the next run reads the same part again",
                  r->path);
        return 0;
    }
    struct jsonout *o = jsonout_new(NULL);
    hex_encode(hex, r->seed, sizeof r->seed);
    jsonout_u64(o, "version", FILE_VERSION);
    jsonout_str(o, "repository", r->repo);
    jsonout_str(o, "seed", hex);
    jsonout_u64(o, "position", (uint32_t)(r->position + (r->width < CIRCLE ? r->width : 0)));
    jsonout_u64(o, "time", r->time);
    struct jsonout *broken = jsonout_array(o, "broken");
    for (size_t i = 0; i < r->found.len; i++)
        jsonout_str(broken, NULL, *(char **)vec_at(&r->found, i));
    char *dir = path_dir(r->path, err);
    int rc = jsonout_text(o, &text, err);
    if (rc == 0)
        rc = dir != NULL ? dir_make_private(dir, err) : E_NOMEM;
    if (rc == 0)
        rc = file_write_atomic(r->path, text.data, text.len, 0600, FILE_REPLACE, err);
    free(dir);
    buf_free(&text);
    return rc;
}

/* ---- what is read -------------------------------------------------------------------------------------------------------- */

static uint32_t place_of(const struct rotation *r, const char *name)
{
    uint8_t text[ROTATION_SEED_LEN + NAME_LIMIT];
    uint8_t hash[HASH_LEN];
    size_t len = strnlen(name, NAME_LIMIT);
    memcpy(text, r->seed, sizeof r->seed);
    memcpy(text + sizeof r->seed, name, len);
    file_hash(text, sizeof r->seed + len, hash);
    return (uint32_t)hash[0] << 24 | (uint32_t)hash[1] << 16 | (uint32_t)hash[2] << 8 | hash[3];
}

static bool is_in(const struct vec *list, const char *name)
{
    for (size_t i = 0; i < list->len; i++)
        if (strcmp(*(char **)vec_at(list, i), name) == 0)
            return true;
    return false;
}

bool rotation_wants(const struct rotation *r, const char *name)
{
    return (uint32_t)(place_of(r, name) - r->position) < r->width || is_in(&r->broken, name);
}

void rotation_looked(struct rotation *r, const char *name, bool sound)
{
    if (sound || is_in(&r->found, name))
        return;
    if (r->found.len >= ROTATION_BROKEN_MAX || keep(&r->found, name, NULL) < 0)
        r->lost = true;
}

double rotation_share(const struct rotation *r)
{
    return (double)r->width / (double)CIRCLE;
}

void rotation_free(struct rotation *r)
{
    free_list(&r->broken);
    free_list(&r->found);
    free(r->path);
    *r = (struct rotation){ .path = NULL };
}
