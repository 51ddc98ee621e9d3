/* What was found, for programs, for retention, for people. */
#include <stdio.h>
#include <string.h>

#include "backupd/anomaly/anomaly.h"

#include "common/base/banned.h"

static const struct {
    const char *kind;
    const char *words;
} phrases[] = {
    { "rows", "row counts" },
    { "size", "sizes" },
    { "vanished", "vanished tables" },
    { "churn", "much new data" },
    { "entropy", "data that looks encrypted" },
};

const char *anomalies_note(char out[ANOMALIES_NOTE_MAX], const struct anomalies *f)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t k = 0; k < sizeof phrases / sizeof phrases[0]; k++) {
        size_t n = 0;
        for (size_t i = 0; i < f->list.len; i++) {
            const struct anomaly *a = vec_at(&f->list, i);
            n += a->severity == ANOMALY_ALARM && strcmp(a->kind, phrases[k].kind) == 0;
        }
        if (n == 0)
            continue;
        (void)snprintf(out + used, ANOMALIES_NOTE_MAX - used, "%s%s (%zu)", used > 0 ? ", " : "",
                       phrases[k].words, n);
        used = strlen(out);
    }
    if (f->left_out > 0)
        (void)snprintf(out + used, ANOMALIES_NOTE_MAX - used, "%sand more", used > 0 ? ", " : "");
    return out;
}

static const char *severity_name(enum anomaly_severity s)
{
    return s == ANOMALY_ALARM ? "alarm" : s == ANOMALY_WARNING ? "warning" : "note";
}

void anomalies_json(struct jsonout *o, const char *key, const struct anomalies *f, enum anomaly_severity from,
                    enum anomaly_severity to)
{
    struct jsonout *list = jsonout_array(o, key);
    for (int s = (int)to; f != NULL && s >= (int)from; s--) {
        for (size_t i = 0; i < f->list.len; i++) {
            const struct anomaly *a = vec_at(&f->list, i);
            if ((int)a->severity != s)
                continue;
            struct jsonout *one = jsonout_object(list, NULL);
            jsonout_str(one, "kind", a->kind);
            jsonout_str(one, "severity", severity_name(a->severity));
            jsonout_str(one, "what", a->what);
            jsonout_str(one, "seen", a->seen);
            jsonout_str(one, "usual", a->usual);
            jsonout_str(one, "look_at", a->look_at);
        }
    }
}

int anomalies_text(const struct anomalies *f, struct buf *out, struct error *err)
{
    int rc = 0;
    for (int s = ANOMALY_ALARM; s >= ANOMALY_NOTE; s--) {
        for (size_t i = 0; rc == 0 && i < f->list.len; i++) {
            const struct anomaly *a = vec_at(&f->list, i);
            if ((int)a->severity == s)
                rc = buf_printf(out, err, "%s: %s; usual: %s\n", a->what, a->seen, a->usual);
        }
    }
    if (rc == 0 && f->left_out > 0)
        rc = buf_printf(out, err, "and %zu more\n", f->left_out);
    return rc == 0 ? buf_append(out, "", 1, err) : rc;
}
