/*
 * sink.h - a write-only database that SQLite's backup API copies into.
 *
 *     struct page_sink *s = page_sink_new(page1, page_size, pages, err);
 *     page_sink_db(s)                    // the destination for sqlite3_backup_init
 *     ... sqlite3_backup_step ...        // pages pile up in page_sink_out(s): 1, 2, 3, ...
 *     ... take bytes from page_sink_out(s) (buf_consume) between the steps ...
 *     page_sink_end(s, err)              // after SQLITE_DONE: all pages came, page 1 is right
 *     page_sink_free(s)
 *
 * `page1` is the page that is given out first. The backup API writes its own
 * page 1 late; page_sink_end() compares the two. They may differ only in what
 * that API sets: the change counter (bytes 24-27), the schema cookie (40-43),
 * and the counter and library version of the last writer (92-99).
 *
 * Pages 2, 3, ... must arrive in order and once; SQLite's pager writes its
 * oldest dirty page first and sorts what is left at the end. Anything else fails
 * the copy. The page at SQLite's lock byte (offset 1 GiB) is never written by
 * anyone; zeros are given out for it.
 */
#ifndef COMMON_ENGINE_SQLITE_SINK_H
#define COMMON_ENGINE_SQLITE_SINK_H

#include <sqlite3.h>
#include <stdint.h>

#include "common/base/buffer.h"
#include "common/base/error.h"

struct page_sink;

struct page_sink *page_sink_new(const uint8_t *page1, uint32_t page_size, uint32_t pages, struct error *err);
sqlite3 *page_sink_db(struct page_sink *s);
struct buf *page_sink_out(struct page_sink *s);
/* Why a write into the sink failed (SQLite itself only says "disk I/O error"), or NULL. */
const struct error *page_sink_why(const struct page_sink *s);
int page_sink_end(struct page_sink *s, struct error *err);
void page_sink_free(struct page_sink *s);

#endif
