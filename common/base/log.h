/*
 * log.h - events for whoever watches a run.
 *
 * The library does not print. It reports through one callback that the program
 * sets before it starts threads; without one, events vanish. The callback may
 * run on any thread. Texts hold no secrets and no payload.
 */
#ifndef COMMON_BASE_LOG_H
#define COMMON_BASE_LOG_H

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ALARM };

typedef void log_fn(enum log_level level, const char *text, void *arg);

void log_to(log_fn *fn, void *arg);
/* One more that hears the same events after it, for a program that acts on them; NULL ends it. What it logs itself is not
 * given to it. */
void log_tap(log_fn *fn, void *arg);
void log_event(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* With a word for programs, that says what it is about ("packs"). */
void log_event_of(enum log_level level, const char *kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Inside a log_fn: the word of its event, "" when it has none. */
const char *log_kind(void);

#endif
