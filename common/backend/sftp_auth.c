#include "common/backend/sftp_internal.h"

#include <string.h>

#include "common/base/banned.h"

enum { PASSPHRASE_MAX = 1024 };

static const char no_key[] = "no key";

static int refused(const struct sftp *s, const char *key, struct error *err)
{
    return error_set(err, E_AUTH,
                     "%s: the server does not let user %s in with %s. Is its public half in the account's "
                     "authorized_keys, and is the user name right? The server's log says why",
                     s->base.where, s->options.user, key);
}

/* What the server asks for. *done: it wants nothing. */
static int ask_methods(struct sftp *s, bool *done, struct error *err)
{
    const char *user = s->options.user;
    char *list;
    int rc;
    do {
        list = libssh2_userauth_list(s->session, user, (unsigned)strlen(user));
        rc = list != NULL ? 0 : libssh2_session_last_errno(s->session);
    } while (list == NULL && sftp_again(s, rc));
    *done = list == NULL && libssh2_userauth_authenticated(s->session);
    if (*done)
        return 0;
    if (list == NULL)
        return sftp_lost(s, rc, "log in", err);
    if (strstr(list, "publickey") == NULL)
        return error_set(err, E_DENIED, "%s: the server takes no public key from user %s, only: %.200s",
                         s->base.where, user, list);
    return 0;
}

/* ---- key file ------------------------------------------------------------------------------------------ */

static int read_passphrase(const struct sftp *s, char out[PASSPHRASE_MAX], struct error *err)
{
    const struct sftp_options *o = &s->options;
    if (o->passphrase == NULL)
        return error_set(
            err, E_AUTH,
            "key file %s is protected by a passphrase and none is given; name the file that holds it "
            "(setting: key passphrase), or remove it: ssh-keygen -p -f %s",
            o->key_file, o->key_file);
    int n = o->passphrase(o->passphrase_arg, out, PASSPHRASE_MAX, err);
    out[PASSPHRASE_MAX - 1] = '\0';
    return n < 0 ? n : 0;
}

static int login_with_file(struct sftp *s, struct error *err)
{
    const struct sftp_options *o = &s->options;
    char passphrase[PASSPHRASE_MAX] = "";
    bool encrypted = false;
    int rc = sftp_keyfile_check(o->key_file, &encrypted, err);
    if (rc == 0 && encrypted)
        rc = read_passphrase(s, passphrase, err);
    if (rc < 0)
        goto out;
    int ssh;
    do
        ssh = libssh2_userauth_publickey_fromfile_ex(s->session, o->user, (unsigned)strlen(o->user), NULL,
                                                     o->key_file, encrypted ? passphrase : NULL);
    while (sftp_again(s, ssh));
    bool said_no = ssh == LIBSSH2_ERROR_AUTHENTICATION_FAILED || ssh == LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED;
    if (said_no && !sftp_peer_gone(s))
        rc = refused(s, o->key_file, err);
    else if (ssh == LIBSSH2_ERROR_FILE && encrypted)
        rc = error_set(
            err, E_AUTH,
            "the passphrase does not open key file %s, or the file is damaged (setting: key passphrase; try: "
            "ssh-keygen -y -f %s)",
            o->key_file, o->key_file);
    else if (ssh == LIBSSH2_ERROR_FILE)
        rc = error_set(err, E_AUTH, "key file %s is damaged (setting: key file; try: ssh-keygen -y -f %s)",
                       o->key_file, o->key_file);
    else if (ssh < 0)
        rc = sftp_lost(s, ssh, "log in", err);
out:
    explicit_bzero(passphrase, sizeof passphrase);
    return rc;
}

/* ---- agent --------------------------------------------------------------------------------------------- */

static bool usable(const struct libssh2_agent_publickey *id)
{
    static const char ed25519[] = "\0\0\0\13ssh-ed25519";
    static const char ecdsa[] = "\0\0\0\23ecdsa-sha2-nistp";
    return (id->blob_len > sizeof ed25519 && memcmp(id->blob, ed25519, sizeof ed25519 - 1) == 0) ||
           (id->blob_len > sizeof ecdsa && memcmp(id->blob, ecdsa, sizeof ecdsa - 1) == 0);
}

/* The first identity that the server takes; the others are tried in the agent's order. */
static int try_identities(struct sftp *s, LIBSSH2_AGENT *agent, struct error *err)
{
    struct libssh2_agent_publickey *id = NULL;
    unsigned tried = 0;
    while (libssh2_agent_get_identity(agent, &id, id) == 0) {
        if (!usable(id))
            continue;
        int ssh;
        do
            ssh = libssh2_agent_userauth(agent, s->options.user, id);
        while (sftp_again(s, ssh));
        if (ssh == 0)
            return 0;
        if (ssh != LIBSSH2_ERROR_AUTHENTICATION_FAILED && ssh != LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED &&
            ssh != LIBSSH2_ERROR_AGENT_PROTOCOL)
            return sftp_lost(s, ssh, "log in with the agent", err);
        tried++;
    }
    if (tried <= 1 && sftp_peer_gone(s)) /* after more it is the server's limit of attempts */
        return sftp_lost(s, LIBSSH2_ERROR_SOCKET_DISCONNECT, "log in with the agent", err);
    return refused(s, tried > 0 ? "any ed25519 or ecdsa key of the agent" : no_key, err);
}

static int login_with_agent(struct sftp *s, struct error *err)
{
    LIBSSH2_AGENT *agent = libssh2_agent_init(s->session);
    if (agent == NULL)
        return error_set(err, E_NOMEM, "out of memory for the SSH agent");
    int rc;
    if (libssh2_agent_connect(agent) < 0)
        rc = error_set(err, E_AUTH, "no SSH agent answers (SSH_AUTH_SOCK); start one, or set a key file");
    else if (libssh2_agent_list_identities(agent) < 0)
        rc = error_set(err, E_AUTH, "the SSH agent shows no keys; ssh-add one, or set a key file");
    else
        rc = try_identities(s, agent, err);
    (void)libssh2_agent_disconnect(agent);
    libssh2_agent_free(agent);
    return rc;
}

int sftp_authenticate(struct sftp *s, struct error *err)
{
    bool done = false;
    int rc = ask_methods(s, &done, err);
    if (rc < 0 || done)
        return rc;
    return s->options.key_file != NULL ? login_with_file(s, err) : login_with_agent(s, err);
}
