#include "backupd/storage_report.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/base/banned.h"

enum { KEY_MAX = 64, TEXT_MAX = 2048 };

void storage_report_init(struct storage_report *r, struct cli_context *cli, const char *name,
                         struct error *err)
{
    *r = (struct storage_report){ .cli = cli, .name = name };
    if (cli->json) {
        r->json = jsonout_new("storage");
        jsonout_str(r->json, "name", name);
    } else {
        r->table = pairs_new(err);
    }
}

void storage_add(struct storage_report *r, const char *key, enum out_style style, const char *fmt, ...)
{
    char text[TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    if (vsnprintf(text, sizeof text, fmt, ap) < 0)
        text[0] = '\0';
    va_end(ap);
    if (!r->cli->json) {
        pairs_add(r->table, key, style, "%s", text);
        return;
    }
    char name[KEY_MAX];
    size_t n = 0;
    for (; n < sizeof name - 1 && key[n] != '\0'; n++)
        name[n] = key[n] == ' ' ? '_' : key[n];
    name[n] = '\0';
    jsonout_str(r->json, name, text);
}

int storage_report_print(struct storage_report *r, bool ok, struct error *err)
{
    if (r->cli->json) {
        jsonout_bool(r->json, "ok", ok && r->alarms == 0);
        return jsonout_emit(r->json, err);
    }
    out_heading(&r->cli->out, "%s", r->name);
    int rc = table_print(r->table, &r->cli->out, err);
    table_free(r->table);
    return rc < 0 ? rc : out_flush(&r->cli->out, err);
}
