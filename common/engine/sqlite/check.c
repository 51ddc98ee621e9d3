#include <stdio.h>
#include <string.h>

#include "common/base/str.h"
#include "common/engine/sqlite/internal.h"

#include "common/base/banned.h"

#define SAID_FIRST "*** in database main ***\n" /* there is no other */

/* A row that breaks a CHECK of the application is no damage, and the CHECK may call functions that only the
 * application has. */
static const char *const statements[] = {
    [CHECK_QUICK] = "PRAGMA quick_check(1)",
    [CHECK_FULL] = "PRAGMA integrity_check(1)",
    [CHECK_NONE] = NULL,
};

static enum verdict verdict_of(int sq, const char *said)
{
    if (sq == SQLITE_OK)
        return strcmp(said, "ok") == 0 ? VERDICT_OK : VERDICT_BAD;
    return (sq & 0xff) == SQLITE_CORRUPT || (sq & 0xff) == SQLITE_NOTADB ? VERDICT_BAD : VERDICT_UNKNOWN;
}

int sqlite_check(sqlite3 *db, enum check_kind kind, const char *path, enum verdict *out,
                 char text[CHECK_TEXT_MAX], struct error *err)
{
    char said[CHECK_TEXT_MAX / 4];
    *out = VERDICT_UNKNOWN;
    text[0] = '\0';
    if (kind == CHECK_NONE)
        return 0;
    int sq = sqlite3_exec(db, "PRAGMA ignore_check_constraints=1", NULL, NULL, NULL);
    if (sq == SQLITE_OK)
        sq = sqlite_text(db, statements[kind], said, sizeof said);
    switch (sq & 0xff) {
    case SQLITE_OK:
    case SQLITE_ERROR:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        break;
    default:
        return sqlite_error(err, db, sq, path);
    }
    if (sq != SQLITE_OK)
        (void)snprintf(said, sizeof said, "%s", sqlite3_errmsg(db));
    *out = verdict_of(sq, said);
    const char *from = str_starts(said, SAID_FIRST) ? said + strlen(SAID_FIRST) : said;
    (void)str_printable(text, CHECK_TEXT_MAX, from);
    return 0;
}
