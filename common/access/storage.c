#include <string.h>

#include "common/access/access.h"
#include "common/backend/local.h"
#include "common/backend/sftp.h"

#include "common/base/banned.h"

/* The passphrase of the SSH key, at each connect. */
static int key_passphrase(void *arg, char *out, size_t cap, struct error *err)
{
    struct secret *s = access_secret(arg, err);
    if (s == NULL)
        return err != NULL && err->code < 0 ? err->code : E_AUTH;
    int len = (int)secret_len(s);
    if ((size_t)len >= cap) {
        len = error_set(err, E_USAGE, "the passphrase of the SSH key is longer than %zu bytes", cap - 1);
    } else {
        memcpy(out, secret_view(s), (size_t)len);
        out[len] = '\0';
    }
    secret_free(s);
    return len;
}

static struct sftp_options options_of(const struct conf_storage *s)
{
    struct sftp_options o = {
        .host = s->host,
        .port = s->port,
        .user = s->user,
        .path = s->path,
        .key_file = s->key,
        .use_agent = s->agent,
        .host_key = s->host_key,
        .known_hosts = s->known_hosts,
        .stall_ms = (unsigned)s->stall_ms,
        .deadline_ms = (unsigned)s->deadline_ms,
    };
    if (s->passphrase.kind != CONF_SECRET_NONE) {
        o.passphrase = key_passphrase;
        o.passphrase_arg = (void *)(uintptr_t)&s->passphrase; /* only read */
    }
    return o;
}

struct backend *access_storage(const struct conf_storage *storage, struct error *err)
{
    if (storage->type == CONF_STORAGE_LOCAL)
        return backend_local(storage->path, err);
    struct sftp_options o = options_of(storage);
    return backend_sftp(&o, err);
}

int access_connect(struct backend *b, const struct conf_storage *storage, struct error *err)
{
    return storage->type == CONF_STORAGE_SFTP ? sftp_connect_now(b, err) : 0;
}

int access_scan_host_key(const struct conf_storage *storage, char **fingerprint, char **line,
                         struct error *err)
{
    if (storage->type != CONF_STORAGE_SFTP)
        return error_set(err, E_USAGE, "storage of this machine has no host key");
    struct sftp_options o = options_of(storage);
    return sftp_scan_host_key(&o, fingerprint, line, err);
}
