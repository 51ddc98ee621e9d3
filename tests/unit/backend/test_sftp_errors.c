/* Each refusal and each broken connection: the code, the cause in words, the way out, and that the next call
 * works. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/str.h"
#include "tests/unit/backend/sshd_help.h"

#include "common/base/banned.h"

static struct server server;

/* There when the test is built with the leak checker. */
void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));

/* `err` is the caller's. */
#define OK(call)                                                      \
    do {                                                              \
        int code = (call);                                            \
        ck_assert_msg(code == 0, "%s: %d %s", #call, code, err.text); \
    } while (0)

/* The attempt to connect fails with this code, and the text has all of these words (up to NULL). */
static void refused_(const struct sftp_options *o, int expected, const char *const *words)
{
    struct error err = ERROR_INIT;
    struct backend *b = backend_sftp(o, &err);
    ck_assert_msg(b != NULL, "%s", err.text);
    int rc = sftp_connect_now(b, &err);
    ck_assert_msg(rc == expected && err.code == rc, "%d, not %d: %s", rc, expected, err.text);
    for (; *words != NULL; words++)
        ck_assert_msg(strstr(err.text, *words) != NULL, "'%s' is not in: %s", *words, err.text);
    backend_close(b);
}
#define REFUSED(o, expected, ...) refused_((o), (expected), (const char *const[]){ __VA_ARGS__, NULL })

static void accepted(const struct sftp_options *o)
{
    struct error err = ERROR_INIT;
    struct backend *b = backend_sftp(o, &err);
    ck_assert_msg(b != NULL && sftp_connect_now(b, &err) == 0, "%s", err.text);
    backend_close(b);
}

static struct backend *connected(const struct sftp_options *o)
{
    struct error err = ERROR_INIT;
    struct backend *b = backend_sftp(o, &err);
    ck_assert_msg(b != NULL && sftp_connect_now(b, &err) == 0, "%s", err.text);
    return b;
}

static char *in_dir(const char *name)
{
    return str_printf(NULL, "%s/%s", server.dir, name);
}

static void allow_key(const char *path, const char *command)
{
    char text[2048];
    char *public = str_printf(NULL, "%s.pub", path);
    char *keys = in_dir("server/authorized_keys");
    read_text(public, text, sizeof text);
    FILE *f = fopen(keys, "ae");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_gt(fprintf(f, "restrict,command=\"%s\" %s\n", command, text), 0);
    ck_assert_int_eq(fclose(f), 0);
    free(public);
    free(keys);
}

/* A new key in DIR/name; `allowed`: in authorized_keys. Returns its path, for free(). */
static char *make_key(const char *name, const char *type, const char *format, const char *passphrase,
                      bool allowed)
{
    char *path = in_dir(name);
    const char *args[] = { "ssh-keygen", "-q", "-t", type, "-m", format, "-N", passphrase, "-f", path, NULL };
    ck_assert_int_eq(run_program(args, NULL, 0), 0);
    if (allowed)
        allow_key(path, "internal-sftp");
    return path;
}

static unsigned log_count;
static char log_text[512];

static void keep_log(enum log_level level, const char *text, void *arg)
{
    (void)level;
    (void)arg;
    log_count++;
    (void)snprintf(log_text, sizeof log_text, "%s", text);
}

/* ---- our key ------------------------------------------------------------------------------------------- */

START_TEST(rsa_keys_are_refused_with_advice)
{
    struct sftp_options o = server_options(&server, "admin");
    char *modern = make_key("rsa", "rsa", "RFC4716", "", true);
    char *pem = make_key("rsa.pem", "rsa", "PEM", "", true);
    char *locked = make_key("rsa.locked", "rsa", "RFC4716", "secret", true);
    o.key_file = modern;
    REFUSED(&o, E_AUTH, modern, "RSA", "ssh-keygen -t ed25519");
    o.key_file = pem;
    REFUSED(&o, E_AUTH, pem, "RSA", "ssh-keygen -t ed25519");
    o.key_file = locked;
    REFUSED(&o, E_AUTH, locked, "RSA", "ssh-keygen -t ed25519");
    free(modern);
    free(pem);
    free(locked);
}
END_TEST

START_TEST(ecdsa_keys_work)
{
    struct sftp_options o = server_options(&server, "admin");
    char *key = make_key("ecdsa", "ecdsa", "RFC4716", "", true);
    o.key_file = key;
    /* libssh2 1.10 loses 112 bytes when it signs with such a key. */
    if (__lsan_disable != NULL)
        __lsan_disable();
    accepted(&o);
    if (__lsan_enable != NULL)
        __lsan_enable();
    free(key);
}
END_TEST

static int say(void *arg, char *out, size_t cap, struct error *err)
{
    if (arg == NULL)
        return error_set(err, E_NOT_FOUND, "no passphrase today");
    return snprintf(out, cap, "%s", (const char *)arg);
}

START_TEST(passphrases)
{
    char right[] = "open sesame";
    char wrong[] = "open barley";
    struct sftp_options o = server_options(&server, "admin");
    char *key = make_key("locked", "ed25519", "RFC4716", right, true);
    o.key_file = key;
    REFUSED(&o, E_AUTH, key, "protected by a passphrase", "setting: key passphrase");
    o.passphrase = say;
    o.passphrase_arg = wrong;
    REFUSED(&o, E_AUTH, key, "passphrase does not open", "setting: key passphrase");
    o.passphrase_arg = NULL;
    REFUSED(&o, E_IO, "no passphrase today"); /* E_NOT_FOUND would be the storage's answer */
    o.passphrase_arg = right;
    accepted(&o);
    free(key);
}
END_TEST

START_TEST(bad_key_files)
{
    static const char damaged[] =
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9\n"
        "-----END OPENSSH PRIVATE KEY-----\n";
    char text[1024];
    struct sftp_options o = server_options(&server, "admin");
    char *file = in_dir("bad");
    char *public = str_printf(NULL, "%s.pub", o.key_file);
    char *key = strdup(o.key_file);
    o.key_file = public;
    REFUSED(&o, E_AUTH, public, "public key", ".pub");
    o.key_file = file;
    REFUSED(&o, E_IO, file);
    write_text(file, damaged);
    REFUSED(&o, E_AUTH, file, "damaged");
    write_text(file, "just words\n");
    REFUSED(&o, E_AUTH, file, "no private key");
    read_text(key, text, sizeof text);
    memcpy(strchr(text, '\n') + 1 + 133, "AAAA", 4); /* a check number at the start of the private half */
    write_text(file, text);
    REFUSED(&o, E_AUTH, file, "damaged", "ssh-keygen -y");
    o.key_file = server.dir;
    REFUSED(&o, E_IO, server.dir);
    free(file);
    free(public);
    free(key);
}
END_TEST

START_TEST(not_let_in)
{
    struct sftp_options o = server_options(&server, "admin");
    char *key = make_key("stranger", "ed25519", "RFC4716", "", false);
    o.key_file = key;
    REFUSED(&o, E_AUTH, key, server.user, "authorized_keys");
    o.key_file = server.key;
    o.user = "nosuchuser";
    REFUSED(&o, E_AUTH, "nosuchuser", "authorized_keys");
    free(key);
}
END_TEST

START_TEST(agent)
{
    struct sftp_options o = server_options(&server, "admin");
    char admin[128];
    char *socket = in_dir("agent");
    (void)snprintf(admin, sizeof admin, "%s", o.key_file);
    o.key_file = NULL;
    o.use_agent = true;
    ck_assert_int_eq(unsetenv("SSH_AUTH_SOCK"), 0);
    REFUSED(&o, E_AUTH, "SSH_AUTH_SOCK");
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        (void)close(STDOUT_FILENO);
        (void)execlp("ssh-agent", "ssh-agent", "-D", "-a", socket, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 200 && access(socket, F_OK) != 0; i++)
        (void)usleep(20000);
    ck_assert_int_eq(setenv("SSH_AUTH_SOCK", socket, 1), 0);
    REFUSED(&o, E_AUTH, server.user, "no key");
    char *rsa = make_key("agent-rsa", "rsa", "RFC4716", "", true);
    const char *add_rsa[] = { "ssh-add", "-q", rsa, NULL };
    ck_assert_int_eq(run_program(add_rsa, NULL, 0), 0);
    REFUSED(&o, E_AUTH, server.user, "no key"); /* an RSA key counts as none */
    const char *add[] = { "ssh-add", "-q", admin, NULL };
    ck_assert_int_eq(run_program(add, NULL, 0), 0);
    accepted(&o);
    ck_assert_int_eq(kill(pid, SIGTERM), 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    free(socket);
    free(rsa);
}
END_TEST

/* ---- the server's key ---------------------------------------------------------------------------------- */

static void write_hosts(const char *file, const char *fmt, const char *line)
{
    char text[2048];
    char *out = text;
    for (const char *p = fmt; *p != '\0' && out < text + sizeof text - 400; p++) {
        if (*p == '@' && p[1] == 'L') {
            out += snprintf(out, 400, "%s", line);
            p++;
        } else {
            *out++ = *p;
        }
    }
    *out = '\0';
    write_text(file, text);
}

static const char other_key[] =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g";

START_TEST(unknown_host_key)
{
    struct sftp_options o = server_options(&server, "admin");
    char line[400];
    char *file = in_dir("hosts");
    server_file(&server, "known_hosts", line, sizeof line);
    o.known_hosts = file; /* not there yet */
    REFUSED(&o, E_AUTH, "not known", "SHA256:", line, file);
    write_text(file, "");
    REFUSED(&o, E_AUTH, "not known", "SHA256:", line, file);
    /* Another host, the right key for another port, a wildcard: none of them is this server. */
    write_hosts(file, "elsewhere.example @L\n", other_key);
    REFUSED(&o, E_AUTH, "not known", line);
    write_hosts(file, "[127.0.0.1]:1 @L\n127.0.0.1 @L\n", other_key);
    REFUSED(&o, E_AUTH, "not known", line);
    write_hosts(file, "@L\n", line); /* what the message said to add */
    accepted(&o);
    free(file);
}
END_TEST

START_TEST(changed_host_key)
{
    struct sftp_options o = server_options(&server, "admin");
    char line[400];
    char text[400];
    char *file = in_dir("hosts2");
    server_file(&server, "known_hosts", line, sizeof line);
    (void)snprintf(text, sizeof text, "[127.0.0.1]:%u %s", server.port, other_key);
    write_hosts(file, "@L\n", text);
    o.known_hosts = file;
    REFUSED(&o, E_CONFLICT, "CHANGED", "SHA256:", line, file);
    free(file);
}
END_TEST

START_TEST(pinned_host_key)
{
    struct sftp_options o = server_options(&server, "admin");
    char pin[400];
    char text[440];
    server_file(&server, "host_key.pub", pin, sizeof pin);
    o.known_hosts = "/nonexistent/known_hosts";
    o.host_key = pin;
    accepted(&o);
    (void)snprintf(text, sizeof text, "%s a comment", pin);
    o.host_key = text;
    accepted(&o);
    o.host_key = other_key;
    REFUSED(&o, E_CONFLICT, "CHANGED", "SHA256:", pin);
    (void)snprintf(text, sizeof text, "%.*s", (int)strlen(pin) - 4, pin);
    o.host_key = text;
    REFUSED(&o, E_CONFLICT, "CHANGED");
    o.host_key = "SHA256:abc";
    REFUSED(&o, E_USAGE, "ssh-ed25519 AAAA");
    o.host_key = "ssh-rsa AAAAB3NzaC1yc2E";
    REFUSED(&o, E_UNSUPPORTED, "SHA-1", "ed25519");
}
END_TEST

START_TEST(revoked_host_key)
{
    struct sftp_options o = server_options(&server, "admin");
    char line[400];
    char *file = in_dir("hosts3");
    server_file(&server, "known_hosts", line, sizeof line);
    o.known_hosts = file;
    write_hosts(file, "@L\n@revoked @L\n", line);
    REFUSED(&o, E_AUTH, "@revoked");
    write_hosts(file, "@L\n@revoked * @L\n", strchr(line, ' ') + 1);
    REFUSED(&o, E_AUTH, "@revoked");
    free(file);
}
END_TEST

START_TEST(bad_lines_hide_no_good_one)
{
    struct sftp_options o = server_options(&server, "admin");
    char line[400];
    char *file = in_dir("hosts4");
    server_file(&server, "known_hosts", line, sizeof line);
    o.known_hosts = file;
    log_to(keep_log, NULL);
    write_hosts(file, "# comment\n\ngarbage\n|1|broken\n@cert-authority * ssh-rsa AAAA\nhost\n@L\r\nrest",
                line);
    accepted(&o);
    log_to(NULL, NULL);
    ck_assert_uint_ge(log_count, 1);
    ck_assert_ptr_nonnull(strstr(log_text, "hosts4 line"));
    free(file);
}
END_TEST

START_TEST(hashed_host_names)
{
    struct sftp_options o = server_options(&server, "admin");
    char line[400];
    char text[400];
    char *file = in_dir("hosts5");
    server_file(&server, "known_hosts", line, sizeof line);
    const char *hash[] = { "ssh-keygen", "-q", "-H", "-f", file, NULL };
    write_hosts(file, "@L\n", line);
    ck_assert_int_eq(run_program(hash, NULL, 0), 0);
    read_text(file, text, sizeof text);
    ck_assert(str_starts(text, "|1|"));
    o.known_hosts = file;
    accepted(&o);
    (void)snprintf(text, sizeof text, "[127.0.0.1]:%u %s", server.port, other_key);
    write_hosts(file, "@L\n", text);
    ck_assert_int_eq(run_program(hash, NULL, 0), 0);
    REFUSED(&o, E_CONFLICT, "CHANGED");
    free(file);
}
END_TEST

START_TEST(scanned_host_key)
{
    struct sftp_options o = server_options(&server, "admin");
    struct error err = ERROR_INIT;
    char line[400];
    char *print = NULL;
    char *text = NULL;
    o.known_hosts = NULL;
    o.key_file = "/nonexistent";
    ck_assert_msg(sftp_scan_host_key(&o, &print, &text, &err) == 0, "%s", err.text);
    server_file(&server, "known_hosts", line, sizeof line);
    ck_assert_str_eq(text, line);
    ck_assert(str_starts(print, "SHA256:"));
    ck_assert_uint_eq(strlen(print), 7 + 43);
    free(print);
    free(text);
}
END_TEST

/* ---- servers that want something else ------------------------------------------------------------------ */

static void with_server(const char *const *options, int expected, const char *word, const char *second)
{
    struct server s;
    server_start(&s, options);
    struct sftp_options o = server_options(&s, "admin");
    struct error err = ERROR_INIT;
    struct backend *b = backend_sftp(&o, &err);
    int rc = sftp_connect_now(b, &err);
    backend_close(b);
    server_stop(&s);
    ck_assert_msg(rc == expected, "%d: %s", rc, err.text);
    if (rc < 0)
        ck_assert_msg(strstr(err.text, word) != NULL && strstr(err.text, second) != NULL, "%s", err.text);
}

START_TEST(algorithms_nothing_in_common)
{
    const char *const etm[] = { "--sshd-option", "MACs hmac-sha2-256-etm@openssh.com", "--sshd-option",
                                "Ciphers aes128-ctr", NULL };
    const char *const aead[] = { "--sshd-option", "Ciphers chacha20-poly1305@openssh.com", NULL };
    const char *const kex[] = { "--sshd-option", "KexAlgorithms sntrup761x25519-sha512@openssh.com", NULL };
    const char *const rsa[] = { "--rsa-hostkey", NULL };
    with_server(etm, E_UNSUPPORTED, "no MAC in common", "hmac-sha2-256");
    with_server(aead, E_UNSUPPORTED, "no cipher in common", "aes128-ctr");
    with_server(kex, E_UNSUPPORTED, "key exchange", "curve25519-sha256");
    with_server(rsa, E_UNSUPPORTED, "SHA-1", "ed25519");
}
END_TEST

START_TEST(algorithms_that_do)
{
    const char *const ecdsa[] = { "--hostkey", "ecdsa", NULL };
    const char *const both[] = { "--hostkey", "ecdsa", "--hostkey", "ed25519", NULL };
    const char *const strict[] = { "--sshd-option",
                                   "MACs hmac-sha2-512",
                                   "--sshd-option",
                                   "Ciphers aes256-ctr",
                                   "--sshd-option",
                                   "KexAlgorithms ecdh-sha2-nistp256",
                                   NULL };
    with_server(ecdsa, 0, NULL, NULL);
    with_server(both, 0, NULL, NULL);
    with_server(strict, 0, NULL, NULL);
}
END_TEST

/* The server has two keys, we know one: that one has to be asked for, in whichever order the library likes
 * them. */
START_TEST(known_type_is_asked_for)
{
    const char *const both[] = { "--hostkey", "ecdsa", "--hostkey", "ed25519", NULL };
    char text[2048];
    struct server s;
    server_start(&s, both);
    server_file(&s, "known_hosts", text, sizeof text);
    char *second = strchr(text, '\n') + 1;
    struct sftp_options o = server_options(&s, "admin");
    write_hosts(s.known_hosts, "@L\n", second);
    accepted(&o);
    second[-1] = '\0';
    write_hosts(s.known_hosts, "@L\n", text);
    accepted(&o);
    server_stop(&s);
}
END_TEST

START_TEST(no_sftp_behind_the_login)
{
    const char *const options[] = { "--sshd-option", "MaxSessions 0", NULL };
    with_server(options, E_DENIED, "opens no SFTP", "MaxSessions");
    struct sftp_options o = server_options(&server, "admin");
    char *key = make_key("nothing", "ed25519", "RFC4716", "", false);
    allow_key(key, "/bin/false");
    o.key_file = key;
    o.stall_ms = 300;
    o.retries = 1;
    struct error err = ERROR_INIT;
    struct backend *b = backend_sftp(&o, &err);
    ck_assert_ptr_nonnull(b);
    /* The shell of an account for programs refuses at once; with another the library waits for an answer. */
    int rc = sftp_connect_now(b, &err);
    ck_assert_msg(rc == E_DENIED || rc == E_RETRY, "%d", rc);
    ck_assert_msg(strstr(err.text, "logged in, but") && strstr(err.text, "command="), "%s", err.text);
    backend_close(b);
    free(key);
}
END_TEST

START_TEST(places_that_are_wrong)
{
    struct sftp_options o = server_options(&server, "admin");
    char path[HELP_PATH];
    (void)snprintf(path, sizeof path, "%s/not/here", server.path);
    o.path = path;
    REFUSED(&o, E_NOT_FOUND, path, "create it");
    o = server_options(&server, "admin");
    o.port = 1;
    REFUSED(&o, E_RETRY, "port 1", "SSH server running");
    o = server_options(&server, "admin");
    struct error err = ERROR_INIT;
    o.host = "";
    ck_assert_ptr_null(backend_sftp(&o, &err));
    ck_assert_int_eq(err.code, E_USAGE);
}
END_TEST

START_TEST(accounts_that_may_less)
{
    struct error err = ERROR_INIT;
    struct backend_space space;
    struct sftp_options o = server_options(&server, "reader");
    struct backend *b = connected(&o);
    ck_assert_int_eq(backend_put(b, "by-reader", "x", 1, &err), E_DENIED);
    ck_assert_ptr_nonnull(strstr(err.text, "command="));
    ck_assert_int_eq(backend_space(b, &space, &err), E_UNSUPPORTED);
    ck_assert_int_eq((int)(backend_caps(b) & BACKEND_SPACE), 0);
    backend_close(b);
    o = server_options(&server, "writer");
    b = connected(&o);
    OK(backend_put(b, "by-writer", "x", 1, &err));
    ck_assert_int_eq(backend_remove(b, "by-writer", &err), E_DENIED);
    ck_assert_int_eq(backend_make_dir(b, "dir", 0755, &err), E_DENIED);
    ck_assert_int_eq(backend_put(b, "by-writer", "y", 1, &err), E_EXISTS);
    ck_assert(backend_caps(b) & BACKEND_FSYNC);
    backend_close(b);
}
END_TEST

/* The request is filtered: the file is stored all the same, and the backend no longer promises fsync. */
START_TEST(server_without_fsync)
{
    struct error err = ERROR_INIT;
    struct sftp_options o = server_options(&server, "admin");
    char *key = make_key("nosync", "ed25519", "RFC4716", "", false);
    allow_key(key, "internal-sftp -P fsync,statvfs");
    o.key_file = key;
    struct backend *b = connected(&o);
    OK(backend_put(b, "nosync", "x", 1, &err));
    ck_assert_uint_eq(backend_caps(b), 0);
    backend_close(b);
    free(key);
}
END_TEST

/* ---- connections that break ---------------------------------------------------------------------------- */

enum { BIG = 3 * 1024 * 1024 };

static uint8_t *big_block(void)
{
    uint8_t *p = malloc(BIG);
    ck_assert_ptr_nonnull(p);
    for (size_t i = 0; i < BIG; i++)
        p[i] = (uint8_t)(i * 11 + (i >> 9));
    return p;
}

START_TEST(session_killed)
{
    struct error err = ERROR_INIT;
    struct backend_stat st;
    struct sftp_options o = server_options(&server, "admin");
    struct backend *b = connected(&o);
    uint8_t *data = big_block();
    uint8_t *out = malloc(BIG);
    OK(backend_put(b, "killed", data, BIG, &err));
    OK(backend_read(b, "killed", 0, out, 1000, &err));
    server_do(&server, "cut", NULL);
    OK(backend_read(b, "killed", 1000, out + 1000, BIG - 1000, &err));
    ck_assert(memcmp(out, data, BIG) == 0);
    server_do(&server, "cut", NULL);
    OK(backend_stat(b, "killed", &st, &err));
    server_do(&server, "cut", NULL);
    OK(backend_remove(b, "killed", &err));
    server_do(&server, "cut", NULL);
    OK(backend_make_dir(b, "after-cut", 0755, &err));
    server_do(&server, "cut", NULL);
    OK(backend_put(b, "after-cut/f", "x", 1, &err));
    free(data);
    free(out);
    backend_close(b);
}
END_TEST

START_TEST(upload_killed)
{
    struct error err = ERROR_INIT;
    struct sftp_options o = server_options(&server, "admin");
    struct backend *b = connected(&o);
    uint8_t *data = big_block();
    struct upload *u = backend_create(b, "up.00", 0, &err);
    ck_assert_ptr_nonnull(u);
    OK(upload_write(u, data, BIG, &err));
    server_do(&server, "cut", NULL);
    int rc = upload_write(u, data, BIG, &err);
    ck_assert_int_eq(rc, E_RETRY);
    ck_assert_int_eq(upload_finish(u, &err), E_RETRY);
    ck_assert_int_eq(backend_put(b, "up.00", data, BIG, &err), E_EXISTS);
    OK(backend_put(b, "up.01", data, BIG, &err));
    /* Cut between the last write and finish. */
    u = backend_create(b, "up.02", 0, &err);
    OK(upload_write(u, data, 1000, &err));
    server_do(&server, "cut", NULL);
    ck_assert_int_eq(upload_finish(u, &err), E_RETRY);
    /* A dropped one. */
    u = backend_create(b, "up.03", 0, &err);
    OK(upload_write(u, data, BIG, &err));
    upload_drop(u);
    OK(backend_put(b, "up.04", data, BIG, &err));
    free(data);
    backend_close(b);
}
END_TEST

START_TEST(server_hangs)
{
    struct server s;
    struct error err = ERROR_INIT;
    struct backend_stat st;
    char text[256];
    server_start(&s, NULL);
    struct sftp_options o = server_options(&s, "admin");
    o.stall_ms = 300;
    o.retries = 1;
    struct backend *b = connected(&o);
    OK(backend_put(b, "f", "x", 1, &err));
    server_file(&s, "pid", text, sizeof text);
    pid_t listener = (pid_t)strtol(text, NULL, 10);
    server_ask(&s, "sessions", text, sizeof text);
    for (char *p = text; *p != '\0'; p++) /* a number per line */
        ck_assert_int_eq(kill((pid_t)strtol(p, &p, 10), SIGSTOP), 0);
    ck_assert_int_eq(kill(listener, SIGSTOP), 0);
    ck_assert_int_eq(backend_stat(b, "f", &st, &err), E_RETRY);
    ck_assert_msg(strstr(err.text, "no byte for") != NULL && strstr(err.text, "stall") != NULL, "%s",
                  err.text);
    ck_assert_int_eq(kill(listener, SIGCONT), 0);
    OK(backend_stat(b, "f", &st, &err));
    backend_close(b);
    server_stop(&s);
}
END_TEST

/* ---- through the proxy --------------------------------------------------------------------------------- */

struct proxy {
    pid_t pid;
    unsigned port;
};

/* The Makefile's place of the tool, or beside the test when it was built by hand. */
static void proxy_start(struct proxy *p, const char *const *options)
{
    const char *b = getenv("B");
    char tool[HELP_PATH];
    char target[16];
    char line[16] = "";
    int pipes[2];
    const char *root = getenv("TEST_ROOT");
    bool absolute = b != NULL && b[0] == '/';
    (void)snprintf(tool, sizeof tool, "%s%s%s/tests/tool/netproxy", absolute || root == NULL ? "" : root,
                   absolute || root == NULL ? "" : "/", b != NULL ? b : "build");
    (void)snprintf(target, sizeof target, "%u", server.port);
    const char *args[HELP_ARGS + 1] = { tool, "0", target, NULL };
    for (size_t i = 0; options[i] != NULL && i + 3 < HELP_ARGS; i++)
        args[i + 3] = options[i];
    ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
    p->pid = fork();
    ck_assert_int_ge(p->pid, 0);
    if (p->pid == 0) {
        char *copy[HELP_ARGS + 1] = { NULL };
        for (size_t i = 0; i < HELP_ARGS && args[i] != NULL; i++)
            copy[i] = strdup(args[i]);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)dup2(pipes[1], STDOUT_FILENO);
        (void)execv(tool, copy);
        _exit(127);
    }
    (void)close(pipes[1]);
    size_t used = 0;
    while (used < sizeof line - 1 && read(pipes[0], line + used, 1) == 1 && line[used] != '\n')
        used++;
    line[used] = '\0';
    (void)close(pipes[0]);
    uint64_t port = 0;
    ck_assert_msg(number_parse(line, 1, 65535, &port, NULL) == 0, "%s does not start", tool);
    p->port = (unsigned)port;
}

static void proxy_stop(const struct proxy *p)
{
    (void)kill(p->pid, SIGKILL);
    (void)waitpid(p->pid, NULL, 0);
}

/* The proxy's port is in no known_hosts, so the key is pinned. */
static struct sftp_options through(const struct proxy *p, char pin[400])
{
    struct sftp_options o = server_options(&server, "admin");
    server_file(&server, "host_key.pub", pin, 400);
    o.host_key = pin;
    o.port = p->port;
    return o;
}

START_TEST(upload_cut_on_the_way)
{
    const char *const options[] = { "--cut-after",   "900000", "--direction", "up",
                                    "--connections", "1",      "--rst",       NULL };
    struct error err = ERROR_INIT;
    struct proxy p;
    char pin[400];
    proxy_start(&p, options);
    struct sftp_options o = through(&p, pin);
    struct backend *b = connected(&o);
    uint8_t *data = big_block();
    ck_assert_int_eq(backend_put(b, "cut.00", data, BIG, &err), E_RETRY);
    ck_assert_msg(strstr(err.text, "cut.00") != NULL, "%s", err.text);
    ck_assert_int_eq(backend_put(b, "cut.00", data, BIG, &err), E_EXISTS);
    OK(backend_put(b, "cut.01", data, BIG, &err));
    free(data);
    backend_close(b);
    proxy_stop(&p);
}
END_TEST

/* The connection is cut at many places of login, listing and reading: the call is made again and succeeds. */
START_TEST(cut_anywhere)
{
    static const char *const places[] = { "1",    "30",   "500",  "1100", "1500", "1700",   "1900",
                                          "2100", "2300", "2500", "3000", "4000", "100000", "1000000" };
    struct error err = ERROR_INIT;
    struct sftp_options direct = server_options(&server, "admin");
    struct backend *b = connected(&direct);
    uint8_t *data = big_block();
    uint8_t *out = malloc(BIG);
    (void)backend_put(b, "read-me", data, BIG, NULL);
    backend_close(b);
    for (size_t i = 0; i < 2 * sizeof places / sizeof places[0]; i++) {
        const char *const options[] = { "--cut-after",   places[i / 2], "--direction", i % 2 ? "up" : "down",
                                        "--connections", "1",           NULL };
        struct proxy p;
        char pin[400];
        proxy_start(&p, options);
        struct sftp_options o = through(&p, pin);
        b = backend_sftp(&o, &err);
        ck_assert_ptr_nonnull(b);
        int rc = backend_read(b, "read-me", 0, out, BIG, &err);
        ck_assert_msg(rc == 0, "cut after %s %s: %s", places[i / 2], options[3], err.text);
        ck_assert(memcmp(out, data, BIG) == 0);
        backend_close(b);
        proxy_stop(&p);
    }
    free(data);
    free(out);
}
END_TEST

/* Damage on the way up is the server's to find; what comes back is a lost connection. (Damage on the way down
 * can abort libssh2 1.10 by an assertion: see sftp.h.) */
START_TEST(damaged_on_the_way)
{
    const char *const options[] = { "--flip-at", "500000", "--direction", "up", "--connections", "1", NULL };
    struct error err = ERROR_INIT;
    struct proxy p;
    char pin[400];
    proxy_start(&p, options);
    struct sftp_options o = through(&p, pin);
    struct backend *b = connected(&o);
    uint8_t *data = big_block();
    ck_assert_int_eq(backend_put(b, "flip.00", data, BIG, &err), E_RETRY);
    OK(backend_put(b, "flip.01", data, BIG, &err));
    free(data);
    backend_close(b);
    proxy_stop(&p);
}
END_TEST

START_TEST(silence_and_slowness)
{
    const char *const stall[] = {
        "--stall-after", "1000000", "--direction", "up", "--connections", "1", NULL
    };
    const char *const slow[] = { "--rate", "500000", NULL };
    struct error err = ERROR_INIT;
    struct proxy p;
    char pin[400];
    uint8_t *data = big_block();
    proxy_start(&p, stall);
    struct sftp_options o = through(&p, pin);
    o.stall_ms = 500;
    struct backend *b = connected(&o);
    ck_assert_int_eq(backend_put(b, "stall.00", data, BIG, &err), E_RETRY);
    ck_assert_ptr_nonnull(strstr(err.text, "no byte for"));
    OK(backend_put(b, "stall.01", data, BIG, &err));
    backend_close(b);
    proxy_stop(&p);
    /* Slow is not silent: six seconds for this upload, a stall time of one. */
    proxy_start(&p, slow);
    o = through(&p, pin);
    o.stall_ms = 1000;
    b = connected(&o);
    OK(backend_put(b, "slow.00", data, BIG, &err));
    backend_close(b);
    /* But the deadline holds. */
    o.deadline_ms = 3000;
    b = connected(&o);
    ck_assert_int_eq(backend_read(b, "slow.00", 0, data, BIG, &err), E_RETRY);
    ck_assert_msg(strstr(err.text, "not done after") != NULL && strstr(err.text, "deadline") != NULL, "%s",
                  err.text);
    backend_close(b);
    proxy_stop(&p);
    free(data);
}
END_TEST

static Suite *suite(void)
{
    const struct {
        const char *name;
        const TTest *test;
    } rows[] = {
        { "our key", rsa_keys_are_refused_with_advice },
        { "our key", ecdsa_keys_work },
        { "our key", passphrases },
        { "our key", bad_key_files },
        { "our key", not_let_in },
        { "our key", agent },
        { "host key", unknown_host_key },
        { "host key", changed_host_key },
        { "host key", pinned_host_key },
        { "host key", revoked_host_key },
        { "host key", bad_lines_hide_no_good_one },
        { "host key", hashed_host_names },
        { "host key", scanned_host_key },
        { "servers", algorithms_nothing_in_common },
        { "servers", algorithms_that_do },
        { "servers", known_type_is_asked_for },
        { "servers", no_sftp_behind_the_login },
        { "servers", places_that_are_wrong },
        { "servers", accounts_that_may_less },
        { "servers", server_without_fsync },
        { "broken", session_killed },
        { "broken", upload_killed },
        { "broken", server_hangs },
        { "broken", upload_cut_on_the_way },
        { "broken", cut_anywhere },
        { "broken", damaged_on_the_way },
        { "broken", silence_and_slowness },
    };
    Suite *s = suite_create("sftp errors");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        TCase *t = tcase_create(rows[i].name);
        tcase_set_timeout(t, 100);
        tcase_add_test(t, rows[i].test);
        suite_add_tcase(s, t);
    }
    return s;
}

int main(void)
{
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    server_start(&server, NULL);
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    server_stop(&server);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
