#include "common/conf/rules.h"

#include "common/base/banned.h"

static const struct rule web[] = {
    { { .name = "listen",
        .type = CONF_STRING,
        .flags = CONF_REQUIRED | CONF_RELOADABLE,
        .help =
            "Where page and metrics are served: an address of the loopback and a port (127.0.0.1:9187, [::1]:9187), or "
            "unix:PATH. Anything that other hosts could reach is refused." },
      offsetof(struct conf_web, listen) },
};

RULES(conf_rules_web, web);
