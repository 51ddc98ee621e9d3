/*
 * asking.h - a request being made: `restore request` (cmd_request.c), and who could help it (asking.c).
 */
#ifndef RESTORE_ASKING_H
#define RESTORE_ASKING_H

#include "common/base/buffer.h"
#include "common/repo/approval.h"
#include "restore/needs.h"
#include "restore/snaps.h"
#include "restore/station.h"

struct asking {
    struct cli_context *cli;
    struct station st;
    struct snaps all;
    struct request q;
    struct grant_set *grants; /* the requester's own */
    uint8_t rid[RID_LEN];
    size_t alone; /* sessions that the kit opens by itself */
    struct buf helpers;
};

/* Which of the sessions the kit opens by itself, and with others; E_USAGE when it needs nobody, and what unlocking says when it
 * has no part in one. */
int asking_reach(struct asking *a, struct error *err);
/* Names of those who share a group with this kit in the newest charter. */
void asking_helpers(struct asking *a);

#endif
