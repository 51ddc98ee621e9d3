#include "backupd/report.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/base/banned.h"

enum { KEY_MAX = 64, TEXT_MAX = 2048 };

void report_init(struct report *r, struct cli_context *cli, const char *type, const char *name,
                 struct error *err)
{
    *r = (struct report){ .cli = cli, .name = name };
    if (cli->json) {
        r->json = jsonout_new(type);
        jsonout_str(r->json, "name", name);
    } else {
        r->table = pairs_new(err);
    }
}

void report_add(struct report *r, const char *key, enum out_style style, const char *fmt, ...)
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

void report_finding(struct report *r, bool fatal, const char *what, const char *cure)
{
    r->fatal += fatal;
    r->warnings += !fatal;
    if (!r->cli->json) {
        pairs_add(r->table, fatal ? "would fail" : "warning", fatal ? OUT_BAD : OUT_WARN, "%s", what);
        pairs_add(r->table, "cure", OUT_PLAIN, "%s", cure);
        return;
    }
    if (r->findings == NULL)
        r->findings = jsonout_array(r->json, "findings");
    struct jsonout *one = jsonout_object(r->findings, NULL);
    jsonout_str(one, "severity", fatal ? "error" : "warning");
    jsonout_str(one, "text", what);
    jsonout_str(one, "cure", cure);
}

int report_print(struct report *r, bool ok, struct error *err)
{
    if (r->cli->json) {
        jsonout_bool(r->json, "ok", ok);
        return jsonout_emit(r->json, err);
    }
    int rc = 0;
    if (!r->cli->quiet || !ok || r->warnings > 0) {
        out_heading(&r->cli->out, "%s", r->name);
        rc = table_print(r->table, &r->cli->out, err);
    }
    table_free(r->table);
    return rc < 0 ? rc : out_flush(&r->cli->out, err);
}
