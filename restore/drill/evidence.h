/*
 * evidence.h - what stays of a drill: its result, a page for people, a certificate, a line in the history.
 *
 *     struct evidence_origin origin = EVIDENCE_ORIGIN_INIT;
 *     rc = evidence_origin(&station, &origin, err);             // while the station of the drill is open
 *     ...
 *     rc = evidence_keep(cli, &origin, &result, &kept, err);    // at its end, whatever the verdict is
 *     evidence_origin_free(&origin);
 *
 * Kept on this host, below the state directory: drills/ID.json, ID.html, ID.cert, and a row in drills.db (common/state/
 * drills.h). Then all certificates that the evidence location (`drills: evidence:`) lacks are sent there, those of earlier
 * drills that could not be sent included. Only a station with a drill kit signs; without one nothing is sent, and said so.
 */
#ifndef RESTORE_DRILL_EVIDENCE_H
#define RESTORE_DRILL_EVIDENCE_H

#include "common/base/vec.h"
#include "common/state/drilled.h"
#include "common/state/drills.h"
#include "restore/drill/result.h"
#include "restore/station.h"

#define EVIDENCE_DIR "drills"

/* What a certificate says about where the drill took place. */
struct evidence_origin {
    bool known; /* a station was open: without one nothing can be signed */
    uint8_t repo_id[REPO_ID_LEN];
    uint32_t charter;
    uint8_t charter_hash[HASH_LEN];
    char repository[CONF_NAME_MAX + 1]; /* "": named by --storage */
    struct secret *seed;                /* of the drill kit, or NULL */
    struct vec live;                    /* uint8_t[HASH_LEN]: records of the snapshots that are there */
    bool exercise;                      /* damage was planted (--inject): a page, and nothing else */
};
#define EVIDENCE_ORIGIN_INIT                        \
    {                                               \
        .known = false, .live = {.item = HASH_LEN } \
    }
int evidence_origin(struct station *st, struct evidence_origin *out, struct error *err);
void evidence_origin_free(struct evidence_origin *o);

enum { EVIDENCE_PATH_MAX = 4096 };
struct evidence_kept {
    char page[EVIDENCE_PATH_MAX];        /* the HTML file on this host; "" when nothing is kept */
    char certificate[EVIDENCE_PATH_MAX]; /* or "" */
    bool exercise;                       /* as of the origin */
    bool wanted;                         /* there is a place for evidence */
    bool sent;                           /* and it has this drill */
    struct error why; /* why it is not kept, not signed or not sent; code 0: nothing to say */
};
/* A negative return: not even kept on this host, and why. */
int evidence_keep(const struct cli_context *cli, const struct conf *conf, const struct evidence_origin *o,
                  const struct drill_result *r, struct evidence_kept *out, struct error *err);
/* The same for a verb that has closed its station: with the configuration, when there is one. What cannot be kept or sent is told
 * as a warning, and makes the exit code of a drill that passed CLI_EXIT_PARTLY. */
void evidence_finish(struct cli_context *cli, struct evidence_origin *o, const struct drill_result *r,
                     struct evidence_kept *out);
/* As lines below the result: where the page is, whether it is signed and sent. */
void evidence_tell(const struct cli_context *cli, const struct evidence_kept *kept);

/* "STATE" of the drills: --state, else that of the configuration, for free(). NULL with err: neither is given. */
char *evidence_state(const struct cli_context *cli, const struct conf *conf, struct error *err);
/* The history of this host. E_NOT_FOUND: no drill was made here yet. */
int evidence_history(const struct cli_context *cli, const struct conf *conf, struct drills **out,
                     struct error *err);

/* Which tables were drilled; NULL, and 0, when that is not known. */
int evidence_drilled(const struct cli_context *cli, const struct conf *conf, struct drilled **out,
                     struct error *err);

/* The digest of all checks that a certificate holds (docs/format.md, section 23). */
void evidence_checks_hash(const struct drill_result *r, uint8_t out[HASH_LEN], struct error *err);

#endif
