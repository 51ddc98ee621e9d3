/*
 * prompt.h - questions, only where somebody can answer.
 *
 * Questions go to the terminal itself (/dev/tty), so that they also work when
 * stdin or stdout are pipes. Without a terminal nothing is asked and nothing is
 * assumed: E_USAGE with the option that answers in advance.
 */
#ifndef COMMON_CLI_PROMPT_H
#define COMMON_CLI_PROMPT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/error.h"

/* True when there is a terminal to ask on. */
bool prompt_possible(void);

/* Asks "question [y/N] ": 1 yes, 0 no, or an error. `option` is suggested without a terminal: "--yes". */
int prompt_confirm(const char *question, const char *option, struct error *err);
/* For what cannot be undone: the word has to be typed. 1, 0 or an error. */
int prompt_word(const char *question, const char *word, const char *option, struct error *err);
/* A passphrase, without echo, NUL-terminated; returns its length. The caller wipes `out`. */
int prompt_hidden(const char *question, const char *option, char *out, size_t cap, struct error *err);

#endif
