/*
 * export_text.h - what an export says about itself: README.txt and the head of MANIFEST.json.
 */
#ifndef RESTORE_EXPORT_TEXT_H
#define RESTORE_EXPORT_TEXT_H

#include "common/base/buffer.h"
#include "restore/chosen.h"

/* steps: the engine's part, or empty. */
int export_readme(const struct chosen *c, const struct buf *steps, struct buf *out, struct error *err);
struct jsonout *export_head(const struct chosen *c);
/* A name for a directory made of the snapshot's: "pg-12". For free(). */
char *export_top(const struct chosen *c, struct error *err);

#endif
