/*
 * internal.h - what the files of this engine share; not for others.
 */
#ifndef COMMON_ENGINE_COMMAND_INTERNAL_H
#define COMMON_ENGINE_COMMAND_INTERNAL_H

#include "common/base/buffer.h"
#include "common/engine/command/command.h"
#include "common/engine/producer.h"

struct command_mark {
    uint8_t bytes[COMMAND_MARK_MAX];
    size_t len; /* 0: not given */
    bool text;  /* given as text, not as hex: */
};

/* settings.c: the options of a job, parsed and copied. */
struct command_settings {
    char **args; /* of all stages, with a NULL after each; nargs entries */
    size_t nargs;
    const char *const *stages[PRODUCER_STAGES_MAX]; /* into args; each has at least its program */
    size_t nstages;
    char **env; /* NULL-terminated */
    char *dir;  /* or NULL */
    char *name; /* of the stream */
    struct command_mark begin;
    struct command_mark end;
    bool visible_secrets; /* the person says that what looks like one is none */
    uint64_t min_size;
    unsigned max_shrink; /* percent; 100: not checked */
    uint64_t last_bytes; /* of the job's last snapshot, when known */
    bool last_known;
    uint64_t timeout_ms;
    uint64_t stall_ms;
};

int command_settings_read(const struct engine_job *job, struct command_settings *out, struct error *err);
void command_settings_free(struct command_settings *s);

int command_probe(const struct engine_job *job, engine_finding_fn *fn, void *arg, struct error *err);

/* marks.c: the first and last bytes of an output, and what they must be. */
struct command_ends {
    uint8_t head[COMMAND_MARK_MAX];
    size_t head_len;
    uint8_t tail[COMMAND_MARK_MAX + 2]; /* and a line's end */
    size_t tail_len;
};

int command_mark_read(const struct engine_job *job, const char *key, struct command_mark *out,
                      struct error *err);
void command_ends_add(struct command_ends *e, const void *data, size_t len);
int command_ends_check(const struct command_ends *e, const char *program, const struct command_mark *begin,
                       const struct command_mark *end, struct error *err);

/* export.c */
int command_export(const struct engine_streams *streams, const char *run_facts,
                   const struct engine_export *out, struct error *err);

#endif
