/* What lies behind a failure: servers tell of a full disk in words only, and free the space before anybody can look. */
#include <string.h>

#include "restore/drill/internal.h"

#include "common/base/banned.h"

static bool tells(const char *text, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strstr(text, words[i]) != NULL)
            return true;
    return false;
}

/* Scratch servers speak English (LC_ALL=C). */
int drill_cause(const struct error *why)
{
    static const char *const full[] = { "No space left on device",
                                        "Disk quota exceeded",
                                        "File too large",
                                        "disk is full",
                                        "disk full",
                                        "' is full" };
    static const char *const memory[] = { "out of memory", "Out of memory", "Cannot allocate memory" };
    if (why->code != E_IO && why->code != E_RETRY)
        return why->code;
    if (tells(why->text, full, sizeof full / sizeof full[0]))
        return E_NO_SPACE;
    return tells(why->text, memory, sizeof memory / sizeof memory[0]) ? E_NOMEM : why->code;
}
