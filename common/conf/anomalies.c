/* What is unusual: `anomalies` of the file or of a job. */
#include <string.h>

#include "common/base/suggest.h"
#include "common/conf/problem.h"
#include "common/conf/reader.h"

#include "common/base/banned.h"

static const char *const kinds[] = { "rows",   "size", "churn", "entropy", "vanished",
                                     "schema", "slow", "space", "packs",   "host_key" };

static void check_kinds(struct load *l, const char *path, const struct frame *f,
                        const struct conf_names *ignore)
{
    const struct conf_node *at = f->values[conf_section_index(CONF_AT_ANOMALIES, "ignore")];
    for (size_t i = 0; i < ignore->n; i++) {
        struct suggestion near = suggest_for(ignore->names[i]);
        char hint[SUGGEST_TEXT_MAX];
        bool known = false;
        for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
            known |= strcmp(kinds[k], ignore->names[i]) == 0;
            suggest_offer(&near, kinds[k]);
        }
        if (!known)
            conf_problem_add(l->problems, at->place, "%s.ignore: there is no kind '%s'%s", path,
                             ignore->names[i], suggest_text(&near, "", hint));
    }
}

void conf_anomalies_complete(struct load *l, struct conf_anomalies *out)
{
    const struct conf_node none = { .kind = NODE_MAP };
    struct frame f = { .section = CONF_AT_ANOMALIES, .path = "anomalies", .map = &none, .base = out };
    conf_section_complete(l, &f, 0);
    out->watch = true;
}

void conf_anomalies_read(struct load *l, const char *path, const struct conf_node *value,
                         struct conf_anomalies *out)
{
    struct frame f = { .section = CONF_AT_ANOMALIES, .path = path, .map = value, .base = out };
    if (value == NULL || path == NULL)
        return;
    bool off =
        value->kind == NODE_SCALAR && (strcmp(value->text, "off") == 0 || strcmp(value->text, "no") == 0 ||
                                       strcmp(value->text, "false") == 0);
    if (off)
        conf_anomalies_complete(l, out);
    else if (!conf_section_read(l, &f, NULL, NULL))
        return;
    else
        conf_section_complete(l, &f, 0);
    out->given = true;
    out->watch = !off;
    out->place = value->place;
    out->place.file = conf_keep_text(l, value->place.file);
    check_kinds(l, path, &f, &out->ignore);
}

void conf_anomalies_read_top(struct load *l, const struct conf_node *value)
{
    struct conf_anomalies *a = &l->conf->anomalies;
    if (value != NULL && a->given)
        conf_problem_add(l->problems, value->place, "'anomalies' is also at %s:%u", a->place.file,
                         a->place.line);
    else
        conf_anomalies_read(l, "anomalies", value, a);
}

const struct conf_anomalies *conf_anomalies_of(const struct conf *conf, const struct conf_job *job)
{
    return job->anomalies.given ? &job->anomalies : &conf->anomalies;
}
