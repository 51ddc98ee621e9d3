/* What lies behind a failure: servers tell of a full disk in words only, and free the space before anybody can look. */
#include <stdio.h>
#include <string.h>

#include "common/base/number.h"
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
static const char *const lacks[] = { "could not access file \"",
                                     "could not load library",
                                     "could not create locale",
                                     "could not open stop-word file",
                                     "could not open dictionary file",
                                     "could not open affix file",
                                     "could not open thesaurus file",
                                     "could not open synonym file",
                                     "could not open extension control file",
                                     "Row size too large" };
enum { LACKS = sizeof lacks / sizeof lacks[0] };

int drill_cause(const struct error *why)
{
    static const char *const full[] = { "No space left on device",
                                        "Disk quota exceeded",
                                        "File too large",
                                        "disk is full",
                                        "disk full",
                                        "Temp file write failure", /* InnoDB's */
                                        "Check free disk space",   /* PostgreSQL's, of a write cut short */
                                        "' is full" };
    static const char *const memory[] = { "out of memory", "Out of memory", "Cannot allocate memory" };
    if (why->code != E_IO && why->code != E_RETRY)
        return why->code;
    if (tells(why->text, full, sizeof full / sizeof full[0]))
        return E_NO_SPACE;
    if (tells(why->text, lacks, LACKS))
        return E_UNSUPPORTED;
    return tells(why->text, memory, sizeof memory / sizeof memory[0]) ? E_NOMEM : why->code;
}

const char *drill_cure_of_lack(const char *why)
{
    if (strstr(why, "could not create locale") != NULL)
        return "make the locale here: add it to /etc/locale.gen and run locale-gen";
    if (strstr(why, "Row size too large") != NULL)
        return "the source's server allows larger rows (innodb_page_size, innodb_strict_mode): back up anew, so that the "
               "snapshot tells its page size, or restore into a server of those settings";
    return tells(why, lacks, LACKS)
               ? "install what is missing: the package that has this file, as on the source's server"
               : "install what is missing";
}

/* A server's words may hold the values of a row: in DETAIL and CONTEXT, or as what it quotes. */
void drill_reason(const struct drill *d, const char *text, char out[DRILL_REASON_MAX])
{
    static const char *const values[] = { "DETAIL:", "CONTEXT:", " entry '", ": '",
                                          ": \"",    " value '", " value \"" };
    size_t end = strlen(text);
    bool cut = false;
    for (size_t i = 0; d->o->nmasks != 0 && i < sizeof values / sizeof values[0]; i++) {
        const char *at = strstr(text, values[i]);
        if (at != NULL && (size_t)(at - text) < end) {
            end = (size_t)(at - text);
            cut = true;
        }
    }
    if (end >= DRILL_REASON_MAX / 2)
        end = DRILL_REASON_MAX / 2;
    (void)snprintf(out, DRILL_REASON_MAX, "%.*s%s", (int)end, text,
                   cut ? " (the rest may hold values that are masked, and is not kept)" : "");
}

/* MariaDB 10.11 says OK to the COMMIT of a bulk load that found no room, and has no rows then: only its log tells. */
static bool may_lack_room(const struct scratch *s)
{
    static const char *const words[] = { "failed with error 28", "No space left on device", "Disk full" };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (child_has_said(s->server, words[i]))
            return true;
    return !scratch_room_left(s);
}

int drill_doubt_of_room(struct drill *d, struct error *err)
{
    size_t doubtful = 0;
    size_t certain = 0; /* that no disk explains */
    if (!d->placed || d->s.server == NULL || !may_lack_room(&d->s))
        return 0;
    for (size_t i = 0; i < d->r->checks.len; i++) {
        struct drill_check *c = vec_at(&d->r->checks, i);
        bool table = c->verdict == DRILL_FAIL && strcmp(c->kind, "table") == 0;
        c->verdict = table ? DRILL_COULD_NOT_RUN : c->verdict;
        doubtful += table;
        certain += c->verdict == DRILL_FAIL;
    }
    return doubtful == 0 || certain != 0
               ? 0
               : error_set(err, E_NO_SPACE,
                           "%zu %s as recorded, but the scratch server found no room below %s, and may lose "
                           "rows then without a word: this says nothing about the backup",
                           doubtful, plural(doubtful, "table is not", "tables are not"), d->s.dir);
}
