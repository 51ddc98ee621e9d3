#include "restore/drill/records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/str.h"
#include "common/repo/drill_cert.h"
#include "common/sys/atomic_file.h"

#include "common/base/banned.h"

static int load_conf(const struct cli_context *cli, struct conf **out, struct error *err)
{
    struct conf_problems problems = CONF_PROBLEMS_INIT;
    struct buf text = BUF_INIT;
    *out = access_configuration(cli->config, false, &problems, err);
    if (*out == NULL && problems.list.len != 0 && conf_problems_format(&problems, &text, NULL) == 0)
        (void)fwrite(text.data, 1, text.len, stderr);
    buf_free(&text);
    conf_problems_free(&problems);
    return *out != NULL ? 0 : err->code;
}

int drill_source_open(const struct cli_context *cli, bool evidence, struct drill_source *s, struct error *err)
{
    *s = (struct drill_source){ .cli = cli };
    bool alone = cli_given(cli, "state") && !cli->config_given && access(cli->config, F_OK) < 0;
    int rc = alone ? 0 : load_conf(cli, &s->conf, err);
    if (rc < 0 || !evidence)
        return rc;
    if (s->conf == NULL)
        return error_set(
            err, E_USAGE,
            "--evidence needs a configuration that says where it is kept (drills: evidence: ...)");
    s->backend = access_evidence(s->conf, err);
    return s->backend != NULL ? 0 : err->code;
}

void drill_source_close(struct drill_source *s)
{
    backend_close(s->backend);
    conf_free(s->conf);
    *s = (struct drill_source){ .cli = s->cli };
}

static int local_file(const struct drill_source *s, const char *id, const char *ending, struct buf *out,
                      struct error *err)
{
    char *state = evidence_state(s->cli, s->conf, err);
    char *path = state != NULL ? str_printf(err, "%s/" EVIDENCE_DIR "/%s%s", state, id, ending) : NULL;
    int rc = path != NULL ? file_read_small(path, EVIDENCE_FILE_MAX, out, err) : err->code;
    free(path);
    free(state);
    return rc;
}

int drill_source_file(const struct drill_source *s, const char *id, const char *ending, struct buf *out,
                      struct error *err)
{
    struct error why = ERROR_INIT;
    if (!drill_cert_id_good(id))
        return error_set(err, E_USAGE, "this is no id of a drill; `restore drill list` shows them");
    int rc = s->backend != NULL ? access_evidence_read(s->backend, id, ending, out, &why)
                                : local_file(s, id, ending, out, &why);
    if (rc == E_NOT_FOUND)
        return error_set(err, E_NOT_FOUND, "there is no %s%s %s; `restore drill list` shows what there is%s",
                         id, ending, s->backend != NULL ? "in the evidence location" : "on this host",
                         s->backend == NULL ? ", with --evidence in the evidence location" : "");
    return rc < 0 ? error_copy(err, &why) : 0;
}

int drill_file_judge(const char *name, const struct buf *bytes, uint64_t size, const uint8_t hash[HASH_LEN],
                     struct error *err)
{
    uint8_t is[HASH_LEN];
    file_hash(bytes->data, bytes->len, is);
    return bytes->len == size && memcmp(is, hash, HASH_LEN) == 0
               ? 0
               : error_corrupt(err, ERR_DRILL_CERTIFICATE,
                               "%s is not what was signed: it was changed, or belongs to another drill",
                               name);
}

static int take_id(const struct drills_row *row, void *arg)
{
    (void)snprintf(arg, EVIDENCE_NAME_MAX, "%s", row->id);
    return 0;
}

int drill_source_id(const struct drill_source *s, const char *word, char out[EVIDENCE_NAME_MAX],
                    struct error *err)
{
    struct drills *d = NULL;
    struct vec ids;
    struct drills_filter f = { .job = cli_text(s->cli, "job"), .limit = 1 };
    int rc = 0;
    (void)snprintf(out, EVIDENCE_NAME_MAX, "%.40s", word);
    if (strcmp(word, "latest") != 0)
        return 0;
    out[0] = '\0';
    if (s->backend != NULL) {
        rc = access_evidence_ids(s->backend, &ids, err);
        if (rc == 0 && ids.len != 0)
            (void)snprintf(out, EVIDENCE_NAME_MAX, "%s", (const char *)vec_at(&ids, 0));
        vec_free(&ids);
    } else {
        rc = evidence_history(s->cli, s->conf, &d, err);
        rc = rc < 0 ? rc : drills_each(d, &f, take_id, out, err);
        drills_close(d);
    }
    return rc == 0 && out[0] == '\0' ? error_set(err, E_NOT_FOUND, "there is no drill yet") : rc;
}
