#include "common/cli/prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "common/base/str.h"

#include "common/base/banned.h"

enum { ANSWER_MAX = 256, CONTROL_C = 3, CONTROL_D = 4, CONTROL_U = 21, BACKSPACE = 8, DELETE = 127 };

static int open_terminal(const char *question, const char *option, struct error *err)
{
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (fd >= 0)
        return fd;
    return error_set(err, E_USAGE, "\"%s\" cannot be asked without a terminal%s%s", question,
                     option != NULL ? ": answer with " : "", option != NULL ? option : "");
}

bool prompt_possible(void)
{
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (fd >= 0)
        (void)close(fd);
    return fd >= 0;
}

static int say(int fd, const char *text, struct error *err)
{
    size_t len = strlen(text);
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno != EINTR)
            return error_sys(err, "write to the terminal");
        if (n > 0) {
            text += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

/* One byte: 1, 0 at the end, or an error. A signal that somebody handles ends the question. */
static int read_byte(int fd, char *c, struct error *err)
{
    ssize_t n = read(fd, c, 1);
    if (n < 0 && errno == EINTR)
        return error_set(err, E_CANCELLED, "interrupted");
    return n < 0 ? error_sys(err, "read from the terminal") : (int)n;
}

/* A line without its end; what does not fit is dropped. */
static int read_line(int fd, char *out, size_t cap, struct error *err)
{
    size_t len = 0;
    for (;;) {
        char c = 0;
        int rc = read_byte(fd, &c, err);
        if (rc < 0)
            return rc;
        if (rc == 0 || c == '\n' || c == '\r') {
            out[len] = '\0';
            return rc == 0 && len == 0 ? error_set(err, E_CANCELLED, "no answer") : 0;
        }
        if (len + 1 < cap)
            out[len++] = c;
    }
}

static int ask(const char *question, const char *tail, const char *option, char answer[ANSWER_MAX],
               struct error *err)
{
    char safe[1024];
    int fd = open_terminal(question, option, err);
    if (fd < 0)
        return fd;
    int rc = say(fd, str_printable(safe, sizeof safe, question), err);
    if (rc == 0)
        rc = say(fd, tail, err);
    if (rc == 0)
        rc = read_line(fd, answer, ANSWER_MAX, err);
    (void)close(fd);
    return rc;
}

int prompt_confirm(const char *question, const char *option, struct error *err)
{
    char answer[ANSWER_MAX];
    int rc = ask(question, " [y/N] ", option, answer, err);
    if (rc < 0)
        return rc;
    return strcmp(answer, "y") == 0 || strcmp(answer, "Y") == 0 || strcmp(answer, "yes") == 0;
}

int prompt_word(const char *question, const char *word, const char *option, struct error *err)
{
    char answer[ANSWER_MAX];
    char tail[ANSWER_MAX + 32];
    char safe[ANSWER_MAX];
    (void)snprintf(tail, sizeof tail, "\nType %s to go on: ", str_printable(safe, sizeof safe, word));
    int rc = ask(question, tail, option, answer, err);
    return rc < 0 ? rc : strcmp(answer, word) == 0;
}

/* Takes one byte of a passphrase: 1 done, 0 go on, or an error. */
static int hidden_byte(char c, char *out, size_t cap, size_t *len, struct error *err)
{
    unsigned char u = (unsigned char)c;
    if (u == CONTROL_C || (u == CONTROL_D && *len == 0))
        return error_set(err, E_CANCELLED, "interrupted");
    if (c == '\n' || c == '\r' || u == CONTROL_D)
        return 1;
    if (u == CONTROL_U) {
        *len = 0;
    } else if (u == BACKSPACE || u == DELETE) {
        while (*len > 0 && ((unsigned char)out[--*len] & 0xc0) == 0x80)
            continue; /* a whole UTF-8 character */
    } else if (*len + 1 >= cap) {
        return error_set(err, E_USAGE, "a passphrase has at most %zu bytes", cap - 1);
    } else {
        out[(*len)++] = c;
    }
    return 0;
}

int prompt_hidden(const char *question, const char *option, char *out, size_t cap, struct error *err)
{
    struct termios before;
    char safe[1024];
    size_t len = 0;
    int fd = open_terminal(question, option, err);
    if (fd < 0)
        return fd;
    int rc = tcgetattr(fd, &before) < 0 ? error_sys(err, "terminal") : 0;
    if (rc < 0)
        goto out;
    struct termios hidden = before;
    /* ISIG too: a signal here would leave the terminal without echo; ^C is seen as a byte */
    hidden.c_lflag &= ~(tcflag_t)(ECHO | ICANON | ISIG);
    hidden.c_cc[VMIN] = 1;
    hidden.c_cc[VTIME] = 0;
    if (tcsetattr(fd, TCSAFLUSH, &hidden) < 0) {
        rc = error_sys(err, "terminal");
        goto out;
    }
    rc = say(fd, str_printable(safe, sizeof safe, question), err);
    if (rc == 0)
        rc = say(fd, ": ", err);
    while (rc == 0) {
        char c = 0;
        rc = read_byte(fd, &c, err);
        if (rc == 0)
            rc = error_set(err, E_CANCELLED, "no answer");
        else if (rc > 0)
            rc = hidden_byte(c, out, cap, &len, err);
    }
    if (tcsetattr(fd, TCSAFLUSH, &before) < 0 && rc > 0)
        rc = error_sys(err, "terminal");
    (void)say(fd, "\n", NULL); /* looks only */
out:
    (void)close(fd);
    out[rc > 0 ? len : 0] = '\0';
    return rc > 0 ? (int)len : rc;
}
