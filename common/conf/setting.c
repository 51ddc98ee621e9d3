#include "common/conf/setting.h"

#include <stddef.h>

#include "common/base/number.h"
#include "common/conf/rules.h"

#include "common/base/banned.h"

static const struct {
    const char *path;
    const struct rules *rules;
} sections[CONF_SECTIONS] = {
    [CONF_AT_TOP] = { "", &conf_rules_top },
    [CONF_AT_REPOSITORY] = { "repositories.NAME", &conf_rules_repository },
    [CONF_AT_STORAGE] = { "repositories.NAME.storage", &conf_rules_storage },
    [CONF_AT_JOB] = { "jobs.NAME", &conf_rules_job },
    [CONF_AT_TASK] = { "tasks.NAME", &conf_rules_task },
    [CONF_AT_DAEMON] = { "daemon", &conf_rules_daemon },
    [CONF_AT_WEB] = { "web", &conf_rules_web },
    [CONF_AT_KEEP] = { "keep", &conf_rules_keep },
    [CONF_AT_NOTIFY] = { "notify.NAME", &conf_rules_notify },
    [CONF_AT_ANOMALIES] = { "anomalies", &conf_rules_anomalies },
    [CONF_AT_DRILLS] = { "drills", &conf_rules_drills },
    [CONF_AT_DRILL] = { "drills.NAME", &conf_rules_drill },
};

const struct rule *conf_rules_of(enum conf_section section, size_t *count)
{
    *count = sections[section].rules->count;
    return sections[section].rules->list;
}

const char *conf_section_path(enum conf_section section)
{
    return sections[section].path;
}

int conf_describe(int (*fn)(const struct conf_setting *setting, void *arg), void *arg)
{
    int rc = 0;
    for (unsigned s = 0; s < CONF_SECTIONS && rc >= 0; s++) {
        for (size_t i = 0; i < sections[s].rules->count && rc >= 0; i++) {
            struct conf_setting setting = sections[s].rules->list[i].setting;
            setting.section = (enum conf_section)s;
            rc = fn(&setting, arg);
        }
    }
    return rc < 0 ? rc : 0;
}

static int bounds_format(const struct conf_setting *setting, struct buf *out, struct error *err)
{
    unsigned long long min = setting->min;
    unsigned long long max = setting->max;
    char low[NUMBER_TEXT_MAX];
    char high[NUMBER_TEXT_MAX];
    if (setting->type == CONF_SIZE)
        return buf_printf(out, err, "size, %s to %s", size_format(low, min), size_format(high, max));
    if (setting->type == CONF_INTEGER)
        return buf_printf(out, err, "whole number, %llu to %llu", min, max);
    if (max % YEARS(1) == 0)
        return buf_printf(out, err, "duration, %llu%c to %lluy", min % 3600 == 0 ? min / 3600 : min,
                          min % 3600 == 0 && min != 0 ? 'h' : 's', max / YEARS(1));
    unsigned long long unit = max % 3600 == 0 ? 3600 : max % 60 == 0 ? 60 : 1;
    return buf_printf(out, err, "duration, %llus to %llu%c", min, max / unit,
                      unit == 3600 ? 'h'
                      : unit == 60 ? 'm'
                                   : 's');
}

int conf_type_format(const struct conf_setting *setting, struct buf *out, struct error *err)
{
    static const char *const names[] = {
        [CONF_STRING] = "text",
        [CONF_PATH] = "file name",
        [CONF_BOOL] = "true or false",
        [CONF_INTEGER] = "number",
        [CONF_SIZE] = "size",
        [CONF_DURATION] = "duration",
        [CONF_COMMAND] = "program and arguments, a list",
        [CONF_SECRET] = "secret",
        [CONF_REFERENCE] = "repository",
        [CONF_NAMES] = "name or list of names",
        [CONF_TEXTS] = "text or list of texts",
        [CONF_MAPPING] = "section",
        [CONF_CHOICE] = "",
    };
    if (setting->max != 0)
        return bounds_format(setting, out, err);
    int rc = buf_printf(out, err, "%s", names[setting->type]);
    for (size_t i = 0; setting->type == CONF_CHOICE && setting->choices[i] != NULL && rc == 0; i++)
        rc = buf_printf(out, err, "%s%s", i == 0 ? "" : " or ", setting->choices[i]);
    return rc;
}
