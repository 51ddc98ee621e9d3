#include "common/base/str.h"
#include "common/engine/sqlite/internal.h"

#include "common/base/banned.h"

enum { NAME_SHOWN = 1024 };

static int tell(const char *name, uint64_t len, const char *facts, void *arg, struct error *err)
{
    char word[4 * NAME_SHOWN];
    char shown[NAME_SHOWN];
    (void)len;
    (void)facts;
    (void)str_shell_word(word, sizeof word, name);
    return buf_printf(
        arg, err,
        "\"%s\" is the database as SQLite has it, of one moment and without a log beside it.\n"
        "Check it, then put it where it is used:\n\n"
        "    sqlite3 -bail -readonly %s 'PRAGMA quick_check'\n\n"
        "Stop the application first, and remove a NAME-wal, NAME-shm or NAME-journal of the old\n"
        "database that lies beside the new one's place: SQLite would replay it into the new one.\n",
        str_printable(shown, sizeof shown, name), word);
}

int sqlite_export(const struct engine_streams *streams, const char *run_facts,
                  const struct engine_export *out, struct error *err)
{
    (void)run_facts;
    return streams->each(streams->arg, tell, out->steps, err);
}
