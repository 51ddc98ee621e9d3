#include "common/cli/out.h"

#include <errno.h>
#include <locale.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "common/base/alloc.h"
#include "common/base/buffer.h"
#include "common/base/str.h"
#include "common/cli/out_text.h"
#include "common/cli/progress.h"

#include "common/base/banned.h"

enum { WIDTH_DEFAULT = 80 };

struct out out_on(FILE *file, bool plain)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    bool wanted = !plain && (no_color == NULL || no_color[0] == '\0');
    bool able = term != NULL && strcmp(term, "dumb") != 0 && isatty(fileno(file)) == 1;
    return (struct out){ .file = file, .colour = wanted && able };
}

size_t out_width(FILE *file)
{
    struct winsize size;
    int fd = fileno(file);
    if (fd < 0 || ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
        return WIDTH_DEFAULT;
    return size.ws_col;
}

static const char *const styles[] = {
    [OUT_PLAIN] = "",        [OUT_BOLD] = "\033[1m",  [OUT_DIM] = "\033[2m",
    [OUT_GOOD] = "\033[32m", [OUT_WARN] = "\033[33m", [OUT_BAD] = "\033[31m",
};

/* Cuts at line ends, which str_printable would escape. */
char *out_safe(const char *text, bool keep_lines)
{
    size_t cap = strlen(text) * 4 + 16;
    char *out = mem_alloc(cap, 1, NULL);
    char *copy = out != NULL ? str_dup(text, NULL) : NULL;
    if (copy == NULL) {
        free(out);
        return NULL;
    }
    size_t used = 0;
    for (char *line = copy; line != NULL;) {
        char *end = keep_lines ? strchr(line, '\n') : NULL;
        if (end != NULL)
            *end = '\0';
        (void)str_printable(out + used, cap - used, line);
        used += strlen(out + used);
        if (end != NULL)
            out[used++] = '\n';
        line = end != NULL ? end + 1 : NULL;
    }
    out[used] = '\0';
    free(copy);
    return out;
}

char *out_format(const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int need = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    char *text = need < 0 ? NULL : mem_alloc((size_t)need + 1, 1, NULL);
    if (text != NULL)
        (void)vsnprintf(text, (size_t)need + 1, fmt, ap);
    return text;
}

void out_styled(const struct out *out, enum out_style style, const char *text)
{
    bool colour = out->colour && style != OUT_PLAIN;
    (void)fprintf(out->file, "%s%s%s", colour ? styles[style] : "", text, colour ? "\033[0m" : "");
}

/* Failures to write stay in the stream and are found by out_flush. */
__attribute__((format(printf, 5, 0))) static void put(const struct out *out, enum out_style style,
                                                      bool keep_lines, const char *end, const char *fmt,
                                                      va_list ap)
{
    char *raw = out_format(fmt, ap);
    char *text = raw != NULL ? out_safe(raw, keep_lines) : NULL;
    progress_hide();
    out_styled(out, style, text != NULL ? text : "(out of memory)");
    (void)fputs(end, out->file);
    progress_show();
    free(text);
    free(raw);
}

void out_heading(const struct out *out, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    put(out, OUT_BOLD, false, "\n", fmt, ap);
    va_end(ap);
}

void out_line(const struct out *out, enum out_style style, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    put(out, style, false, "\n", fmt, ap);
    va_end(ap);
}

void out_text(const struct out *out, enum out_style style, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    put(out, style, true, "", fmt, ap);
    va_end(ap);
}

int out_flush(const struct out *out, struct error *err)
{
    errno = 0;
    bool lost = ferror(out->file) != 0;
    if (fflush(out->file) != 0)
        return error_sys(err, "the output could not be written");
    return lost ? error_set(err, E_IO, "the output could not be written") : 0;
}

static locale_t utf8_locale;
static pthread_once_t utf8_once = PTHREAD_ONCE_INIT;

static void utf8_init(void)
{
    utf8_locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

/* The program runs in whatever locale; the width of UTF-8 text does not depend on it. */
size_t out_columns(const char *s)
{
    (void)pthread_once(&utf8_once, utf8_init);
    locale_t before = utf8_locale != (locale_t)0 ? uselocale(utf8_locale) : (locale_t)0;
    mbstate_t state = { 0 };
    size_t columns = 0;
    while (*s != '\0') {
        wchar_t c = 0;
        size_t n = mbrtowc(&c, s, strlen(s), &state);
        if (n == 0 || n > strlen(s)) { /* not UTF-8: printed as it is */
            memset(&state, 0, sizeof state);
            s++;
            columns++;
            continue;
        }
        int width = wcwidth(c);
        columns += width > 0 ? (size_t)width : 0;
        s += n;
    }
    if (before != (locale_t)0)
        (void)uselocale(before);
    return columns;
}
