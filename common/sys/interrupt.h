/*
 * interrupt.h - stopping on request, between two steps.
 *
 * interrupt_install() makes SIGINT and SIGTERM set a flag; long work asks for
 * it between steps and unwinds with E_CANCELLED. The same signal a second time
 * ends the process at once, as if it had never been caught.
 *
 *     if ((rc = interrupt_check(err)) < 0)
 *         goto out;
 */
#ifndef COMMON_SYS_INTERRUPT_H
#define COMMON_SYS_INTERRUPT_H

#include <stdbool.h>

#include "common/base/error.h"

int interrupt_install(struct error *err);
bool interrupt_requested(void);
/* The signal that asked, or 0; SIGTERM when interrupt_request() did. */
int interrupt_signal(void);
/* E_CANCELLED when a stop was requested, else 0. */
int interrupt_check(struct error *err);
/* What the signals do: for one thread that stops the others, and for tests. */
void interrupt_request(void);
/* Forgets a request (tests). */
void interrupt_forget(void);

#endif
