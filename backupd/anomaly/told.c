#include "backupd/anomaly/told.h"

#include <stdio.h>
#include <string.h>

#include "common/base/banned.h"

/* The i-th of a list of a run's summary ("anomalies", "noticed"): one of its texts; "" behind the last. */
static int anomaly_text(struct history *h, const struct history_run *r, const char *list, unsigned i,
                        const char *which, char out[ANOMALY_TEXT_MAX], struct error *err)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s[%u].%s", list, i, which);
    return history_result_text(h, r->id, name, out, ANOMALY_TEXT_MAX, err);
}

static int list_json(struct history *h, const struct history_run *r, const char *name, struct jsonout *o,
                     struct error *err)
{
    static const char *const keys[] = { "kind", "severity", "what", "seen", "usual", "look_at" };
    struct jsonout *list = jsonout_array(o, name);
    char text[ANOMALY_TEXT_MAX];
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < ANOMALY_LIST_MAX; i++) {
        rc = anomaly_text(h, r, name, i, "kind", text, err);
        if (rc < 0 || text[0] == '\0')
            break;
        struct jsonout *one = jsonout_object(list, NULL);
        for (size_t k = 0; rc == 0 && k < sizeof keys / sizeof keys[0]; k++) {
            rc = anomaly_text(h, r, name, i, keys[k], text, err);
            jsonout_str(one, keys[k], text);
        }
    }
    return rc;
}

int told_json(struct history *h, const struct history_run *r, struct jsonout *o, struct error *err)
{
    int rc = list_json(h, r, "anomalies", o, err);
    return rc < 0 ? rc : list_json(h, r, "noticed", o, err);
}

int told_line(struct history *h, const struct history_run *r, char out[ANOMALY_TEXT_MAX], struct error *err)
{
    char what[ANOMALY_TEXT_MAX];
    char more[ANOMALY_TEXT_MAX] = "";
    int rc = anomaly_text(h, r, "anomalies", 0, "what", what, err);
    if (rc == 0)
        rc = anomaly_text(h, r, "anomalies", 1, "what", more, err);
    (void)snprintf(out, ANOMALY_TEXT_MAX, "%s%s%.250s%s", r->text,
                   r->text[0] != '\0' && what[0] != '\0' ? "; " : "", what,
                   more[0] != '\0' ? ", and more" : "");
    return rc;
}

static int list_pairs(struct history *h, const struct history_run *r, const char *list, struct table *t,
                      struct error *err)
{
    char what[ANOMALY_TEXT_MAX];
    char seen[ANOMALY_TEXT_MAX];
    char usual[ANOMALY_TEXT_MAX];
    char look_at[ANOMALY_TEXT_MAX];
    bool notes = strcmp(list, "noticed") == 0;
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < ANOMALY_LIST_MAX; i++) {
        rc = anomaly_text(h, r, list, i, "what", what, err);
        if (rc < 0 || what[0] == '\0')
            break;
        rc = anomaly_text(h, r, list, i, "seen", seen, err);
        if (rc == 0)
            rc = anomaly_text(h, r, list, i, "usual", usual, err);
        if (rc == 0)
            rc = anomaly_text(h, r, list, i, "look_at", look_at, err);
        pairs_add(t, notes ? "noticed" : "unusual", notes ? OUT_PLAIN : OUT_WARN, "%s: %s (usual: %s)", what,
                  seen, usual);
        pairs_add(t, "", OUT_PLAIN, "%s", look_at);
    }
    return rc;
}

int told_pairs(struct history *h, const struct history_run *r, struct table *t, struct error *err)
{
    int rc = list_pairs(h, r, "anomalies", t, err);
    return rc < 0 ? rc : list_pairs(h, r, "noticed", t, err);
}
