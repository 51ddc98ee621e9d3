#include "common/conf/rules.h"

#include "common/base/banned.h"

#define K(member) offsetof(struct conf_keep, member)
#define COUNT_RULE(rule, text)                                                                          \
    {                                                                                                   \
        { .name = #rule, .type = CONF_INTEGER, .flags = CONF_RELOADABLE, .max = 100000, .help = text }, \
            K(rule)                                                                                     \
    }
static const struct rule keep[] = {
    COUNT_RULE(last, "The newest ones, so many."),
    COUNT_RULE(hourly, "One for each of so many hours that have any; the earliest of the hour."),
    COUNT_RULE(daily, "One for each of so many days that have any; the earliest of the day."),
    COUNT_RULE(weekly, "One for each of so many weeks (from Monday) that have any; the earliest."),
    COUNT_RULE(monthly, "One for each of so many months that have any; the earliest."),
    COUNT_RULE(yearly, "One for each of so many years that have any; the earliest."),
    { { .name = "within",
        .type = CONF_DURATION,
        .flags = CONF_RELOADABLE,
        .max = YEARS(100),
        .help = "Everything that is younger." },
      K(within_ms) },
    { { .name = "tags",
        .type = CONF_NAMES,
        .flags = CONF_RELOADABLE,
        .help = "Everything that has one of these tags." },
      K(tags) },
    { { .name = "min",
        .type = CONF_INTEGER,
        .flags = CONF_RELOADABLE,
        .fallback = "3",
        .min = 1,
        .max = 100000,
        .help = "So many of the newest stay whatever the other rules say." },
      K(min) },
    { { .name = "erase_after",
        .type = CONF_DURATION,
        .flags = CONF_RELOADABLE,
        .min = 3600,
        .max = YEARS(100),
        .help =
            "The age at which everything goes that is not held, whatever the rules keep: for privacy law. Only "
            "the newest stays, with an alarm, until its writer is retired." },
      K(erase_after_ms) },
    { { .name = "max_share",
        .type = CONF_INTEGER,
        .flags = CONF_RELOADABLE,
        .fallback = "20",
        .min = 1,
        .max = 100,
        .help = "At most so many percent of a job's snapshots expire in one run, the oldest first; always at "
                "least one." },
      K(max_share) },
    { { .name = "max_new",
        .type = CONF_INTEGER,
        .flags = CONF_RELOADABLE,
        .fallback = "(6, with an hourly rule 30)",
        .max = 100000,
        .help =
            "So many new snapshots of the job in a day are usual. More are kept, not counted by the rules, "
            "raise an alarm, and stop the rules for this run: somebody may have the writer's key." },
      K(max_new) },
    { { .name = "proven",
        .type = CONF_INTEGER,
        .flags = CONF_RELOADABLE,
        .fallback = "(1, where drills.evidence is given)",
        .max = 100000,
        .help =
            "So many of the newest that passed a restore drill stay whatever the other rules say, but for erase_after. Needs "
            "drills.evidence on the host that expires." },
      K(proven) },
};

RULES(conf_rules_keep, keep);
