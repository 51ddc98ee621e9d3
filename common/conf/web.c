/* What tells others on this host how the jobs stand: `web` and daemon.textfile. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "common/base/number.h"
#include "common/base/str.h"
#include "common/conf/problem.h"
#include "common/conf/reader.h"

#include "common/base/banned.h"

enum { ADDRESS_MAX = 64 };

static const char expected[] =
    "expected an address of this host's loopback with a port, like 127.0.0.1:9187 or [::1]:9187, or unix:PATH";

static bool is_loopback(const char *address, enum conf_listen_kind kind)
{
    struct in_addr four;
    struct in6_addr six;
    if (kind == CONF_LISTEN_IP4)
        return inet_pton(AF_INET, address, &four) == 1 && (ntohl(four.s_addr) >> 24) == 127;
    return inet_pton(AF_INET6, address, &six) == 1 && memcmp(&six, &in6addr_loopback, sizeof six) == 0;
}

static void read_unix(struct load *l, const struct conf_node *value, struct conf_web *w, const char *name)
{
    w->kind = CONF_LISTEN_UNIX;
    w->address = name[0] != '\0' ? conf_keep_path(l, name) : NULL;
    if (name[0] == '\0')
        conf_problem_add(l->problems, value->place, "web.listen: %s", expected);
    else if (w->address != NULL && strlen(w->address) >= sizeof((struct sockaddr_un *)NULL)->sun_path)
        conf_problem_add(l->problems, value->place,
                         "web.listen: %s is too long for a socket (at most %zu bytes)", w->address,
                         sizeof((struct sockaddr_un *)NULL)->sun_path - 1);
}

/* "127.0.0.1:9187", "[::1]:9187", "localhost:9187" */
static void read_address(struct load *l, const struct conf_node *value, struct conf_web *w)
{
    char address[ADDRESS_MAX] = "";
    const char *text = w->listen;
    const char *colon = strrchr(text, ':');
    bool six = text[0] == '[';
    size_t len = colon != NULL ? (size_t)(colon - text) : 0;
    uint64_t port = 0;
    w->kind = six ? CONF_LISTEN_IP6 : CONF_LISTEN_IP4;
    if (len < 2 || len >= sizeof address || (six && text[len - 1] != ']') ||
        number_parse(colon + 1, 1, 65535, &port, NULL) < 0) {
        conf_problem_add(l->problems, value->place, "web.listen: %s", expected);
        return;
    }
    (void)snprintf(address, sizeof address, "%.*s", (int)(six ? len - 2 : len), text + (six ? 1 : 0));
    if (strcmp(address, "localhost") == 0)
        (void)snprintf(address, sizeof address, "127.0.0.1");
    if (!is_loopback(address, w->kind))
        conf_problem_add(
            l->problems, value->place,
            "web.listen: %s is no address of the loopback: what is served here is for this host only "
            "(put a web server with TLS and passwords before it for others)",
            address);
    w->address = conf_keep_text(l, address);
    w->port = (unsigned)port;
}

void conf_web_read(struct load *l, const struct conf_node *map)
{
    struct conf_web *w = &l->conf->web;
    struct frame f = { .section = CONF_AT_WEB, .path = "web", .map = map, .base = w };
    size_t at = conf_section_index(CONF_AT_WEB, "listen");
    if (map == NULL)
        return;
    if (w->place.file != NULL) {
        conf_problem_add(l->problems, map->place, "'web' is also at %s:%u", w->place.file, w->place.line);
        return;
    }
    if (!conf_section_read(l, &f, NULL, NULL))
        return;
    conf_section_complete(l, &f, 0);
    w->place = map->place;
    w->place.file = conf_keep_text(l, map->place.file);
    if (!f.good[at])
        return;
    if (str_starts(w->listen, "unix:"))
        read_unix(l, f.values[at], w, w->listen + strlen("unix:"));
    else
        read_address(l, f.values[at], w);
}

void conf_textfile_check(struct load *l, const struct conf_node *value, const char *path)
{
    if (value != NULL && path != NULL && !str_ends(path, ".prom"))
        conf_problem_add(l->problems, value->place,
                         "daemon.textfile: the name must end in .prom, or node_exporter does not read it");
}
