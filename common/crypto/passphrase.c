#include "common/crypto/passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "common/sys/child.h"
#include "common/sys/fdio.h"
#include "common/sys/interrupt.h"
#include "common/base/banned.h"

/* A line still to be cut: the longest passphrase, "\r\n", and a byte that shows there was more. */
enum { ROOM = PASSPHRASE_MAX + 3 };

/* Cuts the first line out of got bytes. */
static struct secret *first_line(const struct secret *raw, size_t got, const char *name, struct error *err)
{
    const uint8_t *text = secret_view(raw);
    const uint8_t *end = memchr(text, '\n', got);
    size_t len = end != NULL ? (size_t)(end - text) : got;
    if (len > 0 && text[len - 1] == '\r')
        len--;
    if (len == 0)
        (void)error_set(err, E_USAGE, "%s: the passphrase is empty", name);
    else if (len > PASSPHRASE_MAX)
        (void)error_set(err, E_USAGE, "%s: the passphrase is longer than %d bytes", name, PASSPHRASE_MAX);
    else if (memchr(text, '\0', len) != NULL)
        (void)error_set(err, E_USAGE, "%s: the passphrase holds a NUL byte", name);
    else
        return secret_copy(text, len, err);
    return NULL;
}

/* Reads until the end of a line, the end of the file or ROOM bytes. */
static struct secret *read_line(int fd, const char *name, bool stoppable, struct error *err)
{
    struct secret *line = NULL;
    struct secret *raw = secret_new(ROOM, err);
    size_t got = 0;
    while (raw != NULL && got < ROOM) {
        ssize_t n = read(fd, secret_data(raw) + got, ROOM - got);
        if (n < 0 && errno == EINTR && !(stoppable && interrupt_requested()))
            continue;
        if (n < 0) {
            (void)(errno == EINTR ? interrupt_check(err) : error_sys(err, "read %s", name));
            goto out;
        }
        if (n == 0 || memchr(secret_view(raw) + got, '\n', (size_t)n) != NULL) {
            got += (size_t)n;
            break;
        }
        got += (size_t)n;
    }
    if (raw != NULL)
        line = first_line(raw, got, name, err);
out:
    secret_free(raw);
    return line;
}

struct secret *passphrase_from_file(const char *path, struct error *err)
{
    struct stat st;
    struct secret *line = NULL;
    int fd = fd_open_read(path, err);
    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) < 0)
        (void)error_sys(err, "look at %s", path);
    else if (S_ISREG(st.st_mode) && (st.st_mode & 077) != 0)
        (void)error_set(err, E_DENIED, "passphrase file %s is open to other users; chmod 400 %s", path, path);
    else
        line = read_line(fd, path, false, err);
    fd_drop(&fd);
    return line;
}

static int set_echo(int fd, struct termios *before, struct error *err)
{
    if (tcgetattr(fd, before) < 0)
        return error_sys(err, "ask the terminal");
    struct termios quiet = *before;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
    quiet.c_lflag |= ICANON | ISIG;
    /* What was typed ahead was typed with echo: it is dropped. */
    return tcsetattr(fd, TCSAFLUSH, &quiet) == 0 ? 0 : error_sys(err, "switch off the echo of the terminal");
}

static struct secret *ask(int fd, const char *prompt, struct error *err)
{
    struct termios before;
    if (set_echo(fd, &before, err) < 0)
        return NULL;
    struct secret *line = NULL;
    if (fd_write_full(fd, prompt, strlen(prompt), "terminal", err) == 0)
        line = read_line(fd, "terminal", true, err);
    (void)tcsetattr(fd, TCSAFLUSH, &before);
    (void)fd_write_full(fd, "\n", 1, "terminal", NULL);
    return line;
}

struct secret *passphrase_from_terminal(const char *prompt, bool twice, const char *option, struct error *err)
{
    int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) {
        (void)error_set(err, E_USAGE, "a passphrase is needed and there is no terminal to ask on; use %s",
                        option);
        return NULL;
    }
    struct secret *first = ask(fd, prompt, err);
    if (first != NULL && twice) {
        struct secret *again = ask(fd, "Again, to be sure: ", err);
        bool same = again != NULL && secret_len(first) == secret_len(again) &&
                    secret_equal(secret_view(first), secret_view(again), secret_len(first));
        if (again != NULL && !same)
            (void)error_set(err, E_USAGE, "the two passphrases differ");
        if (!same) {
            secret_free(first);
            first = NULL;
        }
        secret_free(again);
    }
    fd_drop(&fd);
    return first;
}

/* Lets the command write what follows its first line, so that it does not die of SIGPIPE. */
static void skip_rest(int fd)
{
    char block[512];
    while (fd_read(fd, block, sizeof block, "command", NULL) > 0)
        ;
    secret_wipe(block, sizeof block);
}

struct secret *passphrase_from_command(const char *const argv[], struct error *err)
{
    struct child_options opt = { .want_stdout = true, .timeout_ms = PASSPHRASE_COMMAND_MS };
    struct error why = ERROR_INIT;
    struct child *c = child_start(argv, &opt, err);
    if (c == NULL)
        return NULL;
    struct secret *line = read_line(child_stdout(c), argv[0], false, &why);
    skip_rest(child_stdout(c));
    /* A command that failed is the reason, whatever it printed. */
    if (child_finish(c, err) < 0) {
        secret_free(line);
        line = NULL;
    } else if (line == NULL) {
        (void)error_copy(err, &why);
    }
    child_free(c);
    return line;
}
