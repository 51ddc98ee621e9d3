#include "common/conf/example.h"

#include <string.h>

#include "common/base/str.h"

#include "common/base/banned.h"

/* Text being written; the first failure stays. */
struct writer {
    struct buf *out;
    struct error *err;
    int rc;
};

static void put(struct writer *w, const char *text)
{
    if (w->rc == 0)
        w->rc = buf_append(w->out, text, strlen(text), w->err);
}

static void put_indent(struct writer *w, unsigned indent)
{
    for (unsigned i = 0; i < indent; i++)
        put(w, "  ");
}

static void put_quoted(struct writer *w, const char *s)
{
    put(w, "\"");
    for (; *s != '\0' && w->rc == 0; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            w->rc = buf_printf(w->out, w->err, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            w->rc = buf_printf(w->out, w->err, "\\x%02x", c);
        else
            w->rc = buf_append(w->out, s, 1, w->err);
    }
    put(w, "\"");
}

/* Quotes whatever another reader of YAML might take for something else. */
static void put_scalar(struct writer *w, const char *s)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_.@+-";
    if (!utf8_valid(s, strlen(s))) {
        w->rc = w->rc < 0 ? w->rc : error_set(w->err, E_USAGE, "a configuration holds only UTF-8 text");
        return;
    }
    if (s[0] == '\0' || strchr("-.@+", s[0]) != NULL || s[strspn(s, safe)] != '\0')
        put_quoted(w, s);
    else
        put(w, s);
}

static void put_text(struct writer *w, unsigned indent, const char *key, const char *value)
{
    if (value == NULL)
        return;
    put_indent(w, indent);
    put(w, key);
    put(w, ": ");
    put_scalar(w, value);
    put(w, "\n");
}

static void put_duration(struct writer *w, unsigned indent, const char *key, uint64_t ms)
{
    if (ms == 0)
        return;
    put_indent(w, indent);
    if (w->rc == 0)
        w->rc = buf_printf(w->out, w->err, "%s: %llus\n", key, (unsigned long long)(ms / 1000));
}

static void put_number(struct writer *w, unsigned indent, const char *key, unsigned value)
{
    if (value == 0)
        return;
    put_indent(w, indent);
    if (w->rc == 0)
        w->rc = buf_printf(w->out, w->err, "%s: %u\n", key, value);
}

static void put_secret(struct writer *w, unsigned indent, const char *key, const struct conf_secret *secret)
{
    if (secret->kind == CONF_SECRET_NONE)
        return;
    put_indent(w, indent);
    put(w, key);
    if (secret->kind == CONF_SECRET_COMMAND) {
        put(w, ": { command: [");
        for (size_t i = 0; i < secret->argc; i++) {
            put(w, i == 0 ? "" : ", ");
            put_quoted(w, secret->argv[i]);
        }
        put(w, "] }\n");
        return;
    }
    put(w, secret->kind == CONF_SECRET_FILE ? ": { file: " : ": { credential: ");
    put_quoted(w, secret->text);
    put(w, " }\n");
}

static void put_name(struct writer *w, const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t len = strlen(name);
    bool good = len >= 1 && len <= CONF_NAME_MAX && strchr("._-", name[0]) == NULL &&
                name[strspn(name, allowed)] == '\0';
    if (!good && w->rc == 0)
        w->rc = error_set(w->err, E_USAGE,
                          "'%s' is no good name: use 1 to %d of a-z 0-9 . _ -, a letter or digit first", name,
                          CONF_NAME_MAX);
    put_indent(w, 1);
    put(w, name);
    put(w, ":\n");
}

static void put_storage(struct writer *w, const struct conf_storage *s)
{
    bool sftp = s->type == CONF_STORAGE_SFTP;
    put(w, "    storage:\n");
    put_text(w, 3, "type", sftp ? "sftp" : "local");
    if (sftp) {
        put_text(w, 3, "host", s->host);
        put_number(w, 3, "port", s->port);
        put_text(w, 3, "user", s->user);
    }
    put_text(w, 3, "path", s->path);
    if (sftp) {
        put_text(w, 3, "key", s->key);
        put_text(w, 3, "agent", s->agent ? "true" : NULL);
        put_secret(w, 3, "passphrase", &s->passphrase);
        put_text(w, 3, "host_key", s->host_key);
        put_text(w, 3, "known_hosts", s->known_hosts);
        put_duration(w, 3, "stall", s->stall_ms);
        put_duration(w, 3, "deadline", s->deadline_ms);
    }
    put_number(w, 3, "connections", s->connections);
    if (s->connections == 0)
        put(w, "      # connections: 2        # files sent at the same time, 1 to 8\n");
}

static void put_repository(struct writer *w, const struct conf_example *e)
{
    put(w, "\n# Where backups go.\nrepositories:\n");
    put_name(w, e->repository);
    put_storage(w, &e->storage);
    put_text(w, 2, "keys", e->keys);
    if (e->keys == NULL) {
        put(w, "    # keys: keys/");
        put(w, e->repository);
        put(w, "   # this host's key files, beside this file\n");
    }
    put_text(w, 2, "kit", e->kit);
    put_secret(w, 2, "kit_passphrase", &e->kit_passphrase);
}

/* All values of one key together, at its first place. */
static void put_option(struct writer *w, const struct conf_example_job *job, size_t first)
{
    const char *key = job->options[first].key;
    size_t count = 0;
    for (size_t i = 0; i < job->noptions; i++) {
        bool same = strcmp(job->options[i].key, key) == 0;
        if (same && i < first)
            return;
        count += same;
    }
    if (count == 1) {
        put_text(w, 2, key, job->options[first].value);
        return;
    }
    put_indent(w, 2);
    put(w, key);
    put(w, ":\n");
    for (size_t i = first; i < job->noptions; i++) {
        if (strcmp(job->options[i].key, key) != 0)
            continue;
        put(w, "      - ");
        put_scalar(w, job->options[i].value);
        put(w, "\n");
    }
}

static void put_jobs(struct writer *w, const struct conf_example *e)
{
    if (e->njobs == 0)
        return;
    put(w, "\n# What is backed up.\njobs:\n");
    for (size_t i = 0; i < e->njobs; i++) {
        const struct conf_example_job *job = &e->jobs[i];
        put_name(w, job->name);
        put_text(w, 2, "repository", e->repository);
        put_text(w, 2, "engine", job->engine);
        for (size_t j = 0; j < job->noptions; j++)
            put_option(w, job, j);
        put(w, "    # compression: 3          # 1 to 19: higher is smaller and slower\n");
    }
}

int conf_write_example(const struct conf_example *example, struct buf *out, struct error *err)
{
    struct writer w = { .out = out, .err = err };
    put(&w, "# Every setting is described in backupd.yaml(5). Lines that start with '#' show defaults.\n"
            "# Secrets are never written here, only where they are: { file: PATH }, { credential: NAME }\n"
            "# or { command: [PROGRAM, ARG] }. More files may stand in conf.d/*.yaml beside this one.\n\n");
    if (example->state == NULL)
        put(&w, "# state: /var/lib/backupd\n");
    put_text(&w, 0, "state", example->state);
    put_repository(&w, example);
    put_jobs(&w, example);
    return w.rc;
}
