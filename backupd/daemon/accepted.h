/*
 * accepted.h - the configuration that the daemon goes by, kept for those that it starts (inside daemon/).
 *
 *     host_configuration_packed(cli, true, &packed, err);       // what was read, as one file
 *     accepted_keep(&a, conf->state, &packed);                  // after it was accepted
 *     argv: "--config", accepted_file(&a, s->options->config)
 *
 * A run must not read what somebody is just editing, or what a reload has refused: it reads what the daemon has accepted, from
 * a file in the state directory. Where that cannot be written (told), runs read the configuration file as it is then.
 */
#ifndef BACKUPD_DAEMON_ACCEPTED_H
#define BACKUPD_DAEMON_ACCEPTED_H

#include "common/base/buffer.h"
#include "common/conf/conf.h"

#define ACCEPTED_FILE "configuration.accepted"

struct accepted {
    char *path; /* NULL: it could not be written */
};

void accepted_keep(struct accepted *a, const char *state, const struct buf *packed);
/* The file that a child is to read. */
const char *accepted_file(const struct accepted *a, const char *otherwise);
void accepted_free(struct accepted *a);

/* For those who read the files: warns when the daemon that runs on this state directory goes by another configuration than the
 * one that was read here. */
void accepted_compare(const struct conf *conf, const struct buf *packed);

#endif
