/* `drills`: names of drills (drill.c), and the one that is no name: where their evidence is kept. */
#include "common/conf/problem.h"
#include "common/conf/reader.h"

#include "common/base/banned.h"

void conf_evidence_read(struct load *l, const struct conf_node *key, const struct conf_node *value)
{
    struct conf *conf = l->conf;
    if (conf->has_evidence) {
        conf_problem_add(l->problems, key->place, "'drills.evidence' is also at %s:%u",
                         conf->evidence_place.file, conf->evidence_place.line);
        return;
    }
    conf->has_evidence = true;
    conf->evidence_place = key->place;
    conf->evidence_place.file = conf_keep_text(l, key->place.file);
    conf_storage_read(l, "drills.evidence", value, &conf->evidence);
}

static void named(struct load *l, struct frame *f, const struct conf_node *key, const struct conf_node *value,
                  void *arg)
{
    (void)f;
    (void)arg;
    conf_drill_read(l, key, value);
}

void conf_drills_read(struct load *l, const struct conf_node *map)
{
    struct frame f = { .section = CONF_AT_DRILLS, .path = "drills", .map = map, .base = l->conf };
    size_t evidence = conf_section_index(CONF_AT_DRILLS, "evidence");
    if (map == NULL || !conf_section_read(l, &f, named, NULL))
        return;
    if (f.values[evidence] != NULL)
        conf_evidence_read(l, f.keys[evidence], f.values[evidence]);
}
