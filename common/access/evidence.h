/*
 * evidence.h - where the evidence of drills is kept: a place of its own, never inside a repository.
 *
 *     b = access_evidence(conf, err);                       // `drills: evidence:`; E_NOT_FOUND: none is configured
 *     rc = access_evidence_each(b, fn, arg, err);           // every certificate, the newest first
 *     rc = access_evidence_read(b, id, ".json", MAX, &bytes, err);
 *     backend_close(b);
 *
 * Three files for each drill, flat in one directory: ID.json (docs/drills.md), ID.html, and ID.cert, which is written last and
 * signs the other two. Nothing is ever overwritten: the account may be one that can only add files. Certificates are as they
 * lie there; who uses them asks drill_cert_parse() and drill_cert_judge().
 */
#ifndef COMMON_ACCESS_EVIDENCE_H
#define COMMON_ACCESS_EVIDENCE_H

#include "common/backend/backend.h"
#include "common/conf/conf.h"

#define EVIDENCE_RESULT ".json"
#define EVIDENCE_PAGE ".html"
#define EVIDENCE_CERTIFICATE ".cert"

enum {
    EVIDENCE_DRILLS_MAX = 100000,         /* that are looked at, the newest */
    EVIDENCE_FILE_MAX = 64 * 1024 * 1024, /* of a result or a page */
    EVIDENCE_NAME_MAX = 64,
};

/* E_USAGE: it lies in one of the configured repositories, or a repository lies in it. */
struct backend *access_evidence(const struct conf *conf, struct error *err);

/* ID + ending into out. */
const char *evidence_name(char out[EVIDENCE_NAME_MAX], const char *id, const char *ending);

/* Ids with a certificate, as `char[EVIDENCE_NAME_MAX]`, the newest first (ids begin with their time). */
int access_evidence_ids(struct backend *b, struct vec *out, struct error *err);
typedef int evidence_fn(const char *id, const void *data, size_t len, void *arg, struct error *err);
/* A negative return of fn ends it and is returned. A certificate that is too large is given with len 0. */
int access_evidence_each(struct backend *b, evidence_fn *fn, void *arg, struct error *err);
int access_evidence_read(struct backend *b, const char *id, const char *ending, struct buf *out,
                         struct error *err);

#endif
