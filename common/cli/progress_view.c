#include <stdio.h>
#include <string.h>

#include "common/base/number.h"
#include "common/base/str.h"
#include "common/cli/out.h"
#include "common/cli/progress.h"

#include "common/base/banned.h"

enum { BAR_CELLS = 20, BAR_MIN_WIDTH = 100, ITEM_MIN = 8 };

uint64_t progress_seconds_left(const struct progress_view *view)
{
    if (view->total == 0 || view->rate == 0 || view->done > view->total)
        return UINT64_MAX;
    return (view->total - view->done + view->rate - 1) / view->rate;
}

static unsigned percent_of(const struct progress_view *view)
{
    if (view->done >= view->total)
        return 100;
    return (unsigned)((double)view->done / (double)view->total * 100);
}

static int put_known(const struct progress_view *view, size_t width, struct buf *out, struct error *err)
{
    char done[NUMBER_TEXT_MAX];
    char total[NUMBER_TEXT_MAX];
    char bar[BAR_CELLS + 4] = "";
    unsigned percent = percent_of(view);
    if (width >= BAR_MIN_WIDTH) {
        bar[0] = '[';
        memset(bar + 1, '.', BAR_CELLS);
        memset(bar + 1, '#', (size_t)percent * BAR_CELLS / 100);
        memcpy(bar + 1 + BAR_CELLS, "] ", 3);
    }
    return buf_printf(out, err, "  %s%3u %%  %s of %s", bar, percent, size_format(done, view->done),
                      size_format(total, view->total));
}

/* Cut at a character, so that the line never wraps: a wrapped line cannot be redrawn. */
static void cut_columns(char *text, size_t columns)
{
    size_t len = strlen(text);
    while (len > 0 && out_columns(text) > columns) {
        do
            len--;
        while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80);
        text[len] = '\0';
    }
}

static int put_item(const struct progress_view *view, size_t width, size_t start, struct buf *out,
                    struct error *err)
{
    char text[512];
    int rc = buf_append(out, "", 1, err);
    if (rc < 0)
        return rc;
    size_t used = out_columns((const char *)out->data + start);
    out->len--;
    if (view->current == NULL || used + 2 + ITEM_MIN > width)
        return 0;
    (void)str_printable(text, sizeof text, view->current);
    cut_columns(text, width - used - 2);
    return buf_printf(out, err, "  %s", text);
}

int progress_line(const struct progress_view *view, size_t width, struct buf *out, struct error *err)
{
    char text[NUMBER_TEXT_MAX];
    size_t start = out->len;
    uint64_t left = progress_seconds_left(view);
    int rc = buf_printf(out, err, "%s", view->what);
    if (rc == 0 && view->total != 0)
        rc = put_known(view, width, out, err);
    else if (rc == 0)
        rc = buf_printf(out, err, "  %s", size_format(text, view->done));
    if (rc == 0 && view->rate != 0)
        rc = buf_printf(out, err, "  %s/s", size_format(text, view->rate));
    if (rc == 0 && left > 0 && left < 60)
        rc = buf_printf(out, err, "  %u s left", (unsigned)left);
    else if (rc == 0 && left != 0 && left < UINT64_MAX / 1000)
        rc = buf_printf(out, err, "  %s left", duration_format(text, left * 1000));
    else if (rc == 0 && view->total == 0)
        rc = buf_printf(out, err, "  %s", duration_format(text, view->elapsed_ms / 1000 * 1000));
    if (rc == 0)
        rc = put_item(view, width, start, out, err);
    if (rc == 0)
        rc = buf_append(out, "", 1, err);
    if (rc == 0) {
        cut_columns((char *)out->data + start, width);
        out->len = start + strlen((const char *)out->data + start);
    }
    return rc;
}
