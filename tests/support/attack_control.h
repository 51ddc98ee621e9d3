/*
 * attack_control.h - the other side of the attack: what only the restore kit can know.
 *
 * The kit's R opens the envelopes and gives S of each session, hence every key below it. control_write()
 * hides one key of each kind in a file of random bytes, for the attack to find. control_find() looks for
 * pieces of 8 bytes of every such key in dumps: it finds leaks that the attack, which needs whole keys, would
 * miss.
 */
#ifndef TESTS_SUPPORT_ATTACK_CONTROL_H
#define TESTS_SUPPORT_ATTACK_CONTROL_H

#include "tests/support/attack_scan.h"

enum { CONTROL_KEY_MAX = 64 };

struct control_key {
    const char *kind;               /* also the name of its file */
    char session[SESSION_TEXT_MAX]; /* "": of the kit, not of a session */
    uint8_t bytes[CONTROL_KEY_MAX];
    size_t len;
    size_t piece; /* bytes that must match to call it a piece: 8, or 16 where bytes are not random */
};

/* All keys of all sessions of a loaded target, into a vec of struct control_key. seed (32 bytes, may be
 * NULL): what the sessions' random_seed_for_tests was, for the keys that only it can tell. */
int control_keys(struct target *t, const char *kit, const uint8_t *seed, struct vec *out, struct error *err);
/* One file per kind into dir, for one session ("WRITER/N"). */
int control_write(const struct vec *keys, const char *session, const char *dir, struct error *err);
/* Pieces found; prints the first ones. */
uint64_t control_find(const struct vec *keys, const struct scan *files);

#endif
