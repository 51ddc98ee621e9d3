/*
 * approve.h - a request, judged against the repository as this machine reads it (inside the verb approve).
 *
 *     approve_open(&a, cli, file, err);      // reads the request, opens the station
 *     approve_judge(&a, err);                // who asks, what it says, every session's own envelope
 *     approve_show(&a, err);                 // what would be opened, and what else becomes readable
 *     approve_shares(&a, &shares, err);      // opens the own shares of exactly these sessions
 *     approve_close(&a);
 *
 * Nothing that the request says is believed: the snapshots, their times and names, the sessions they need and the
 * envelopes come from the repository; where the request says something else it is refused (request-differs).
 */
#ifndef RESTORE_APPROVE_H
#define RESTORE_APPROVE_H

#include "restore/needs.h"

struct approve {
    struct cli_context *cli;
    struct station st;
    struct snaps all;
    struct request q;
    const struct charter_recipient *requester;
    const struct charter_recipient *self; /* NULL: the newest charter does not name this kit any more */
    uint8_t rids[2][RID_LEN];             /* requester, self */
    struct grant_set *grants;             /* of both */
    struct vec headers;                   /* struct session_header, one for each session of q */
    struct vec chosen;                    /* struct snap *, one for each snapshot of q */
    size_t nshares;                       /* that approve_shares will open */
    size_t without;                       /* sessions where no share of this kit can help */
    char code[REQUEST_CODE_MAX];
};

int approve_open(struct approve *a, struct cli_context *cli, const char *file, struct error *err);
int approve_judge(struct approve *a, struct error *err);
int approve_show(const struct approve *a, struct error *err);
int approve_shares(const struct approve *a, struct opened_shares *out, struct error *err);
void approve_close(struct approve *a, bool good);

#endif
