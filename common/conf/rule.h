/*
 * rule.h - a setting and where its value goes (inside this room).
 */
#ifndef COMMON_CONF_RULE_H
#define COMMON_CONF_RULE_H

#include "common/conf/setting.h"

/* The member's type follows from conf_type: STRING, PATH, REFERENCE const char *; BOOL bool; INTEGER and
 * CHOICE unsigned; SIZE and DURATION (milliseconds) uint64_t; COMMAND struct conf_command; NAMES and TEXTS struct conf_names; SECRET struct
 * conf_secret; MAPPING none. */
struct rule {
    struct conf_setting setting;
    size_t offset; /* in the struct of the section */
};

/* All rules of a section; at most RULES_MAX. */
enum { RULES_MAX = 48 };
const struct rule *conf_rules_of(enum conf_section section, size_t *count);

#endif
