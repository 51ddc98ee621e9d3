/*
 * records.h - drills that were made: found again, on this host or in the evidence location.
 *
 *     struct drill_source s;
 *     rc = drill_source_open(cli, evidence, &s, err);      // the configuration; with evidence also the place of evidence
 *     rc = drill_source_file(&s, id, EVIDENCE_CERTIFICATE, &bytes, err);
 *     drill_source_close(&s);
 */
#ifndef RESTORE_DRILL_RECORDS_H
#define RESTORE_DRILL_RECORDS_H

#include "common/access/evidence.h"
#include "restore/drill/evidence.h"

#define DRILL_EVIDENCE_OPTION                                                                                        \
    {                                                                                                                \
        .name = "evidence", .kind = CLI_FLAG,                                                                        \
        .help =                                                                                                      \
            "Look into the evidence location (drills: evidence: of the configuration), not at what this host keeps." \
    }

struct drill_source {
    const struct cli_context *cli;
    struct conf *conf;       /* or NULL: --state without a configuration */
    struct backend *backend; /* or NULL: this host */
};

int drill_source_open(const struct cli_context *cli, bool evidence, struct drill_source *s,
                      struct error *err);
void drill_source_close(struct drill_source *s);
/* E_NOT_FOUND: no drill of this id is kept there. */
int drill_source_file(const struct drill_source *s, const char *id, const char *ending, struct buf *out,
                      struct error *err);
/* Whether this is the file (its result, its page) whose size and hash a certificate has; E_CORRUPT. */
int drill_file_judge(const char *name, const struct buf *bytes, uint64_t size, const uint8_t hash[HASH_LEN],
                     struct error *err);
/* The id that a word means: an id, or "latest" (of the --job, if given). */
int drill_source_id(const struct drill_source *s, const char *word, char out[EVIDENCE_NAME_MAX],
                    struct error *err);

#endif
