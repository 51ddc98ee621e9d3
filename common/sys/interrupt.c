#include "common/sys/interrupt.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

#include "common/base/banned.h"

/* Lock-free, hence allowed in a signal handler. */
static atomic_int requested;

static void on_signal(int number)
{
    atomic_store(&requested, number);
}

int interrupt_install(struct error *err)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };
    (void)sigemptyset(&action.sa_mask);
    if (sigaction(SIGINT, &action, NULL) < 0 || sigaction(SIGTERM, &action, NULL) < 0)
        return error_sys(err, "catch signals");
    return 0;
}

bool interrupt_requested(void)
{
    return atomic_load(&requested) != 0;
}

int interrupt_signal(void)
{
    return atomic_load(&requested);
}

int interrupt_check(struct error *err)
{
    return interrupt_requested() ? error_set(err, E_CANCELLED, "stopped on request") : 0;
}

void interrupt_request(void)
{
    atomic_store(&requested, SIGTERM);
}

void interrupt_forget(void)
{
    atomic_store(&requested, 0);
}
