/* mail_format.c - a message's bytes: pure, nothing is sent here. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/base/str.h"
#include "common/notify/mail.h"

#include "common/base/banned.h"

enum { LINE = 72, WORD_MAX = 60 };

static const char hex[] = "0123456789ABCDEF";

/* The bytes of the character at s; what is no UTF-8 counts as one byte. */
static size_t character(const char *s, size_t len)
{
    for (size_t n = 1; n <= 4 && n <= len; n++)
        if (utf8_valid(s, n))
            return n;
    return 1;
}

static bool is_plain(const char *s)
{
    for (; *s != '\0'; s++)
        if (*s < ' ' || *s > '~')
            return false;
    return true;
}

/* A character as it stands in an encoded word; its length. */
static size_t encode(char out[13], const char *s, size_t n)
{
    static const char as_is[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!*+-/";
    if (n == 1 && (*s == ' ' || strchr(as_is, *s) != NULL)) {
        out[0] = *s == ' ' ? '_' : *s;
        return 1;
    }
    for (size_t i = 0; i < n; i++) {
        out[3 * i] = '=';
        out[3 * i + 1] = hex[(unsigned char)s[i] >> 4];
        out[3 * i + 2] = hex[(unsigned char)s[i] & 15];
    }
    return 3 * n;
}

/* RFC 2047: words of at most 75 characters, none of which splits a character. */
static int put_words(struct buf *out, const char *s, struct error *err)
{
    size_t len = strlen(s);
    size_t used = WORD_MAX;
    int rc = 0;
    for (size_t i = 0; i < len && rc == 0;) {
        char code[13];
        size_t n = character(s + i, len - i);
        size_t k = encode(code, s + i, n);
        if (used + k > WORD_MAX) {
            rc = buf_printf(out, err, "%s=?UTF-8?Q?", i > 0 ? "?=\r\n " : "");
            used = 0;
        }
        rc = rc == 0 ? buf_append(out, code, k, err) : rc;
        used += k;
        i += n;
    }
    return rc == 0 && len > 0 ? buf_printf(out, err, "?=") : rc;
}

static int put_subject(struct buf *out, const char *subject, struct error *err)
{
    char safe[MAIL_SUBJECT_MAX + 1];
    (void)str_printable(safe, sizeof safe, subject);
    int rc = buf_printf(out, err, "Subject: ");
    if (rc == 0)
        rc = is_plain(safe) && strlen(safe) <= LINE ? buf_printf(out, err, "%s", safe)
                                                    : put_words(out, safe, err);
    return rc == 0 ? buf_printf(out, err, "\r\n") : rc;
}

static int put_date(struct buf *out, int64_t when, struct error *err)
{
    static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    time_t t = (time_t)when;
    struct tm tm;
    if (gmtime_r(&t, &tm) == NULL)
        return error_set(err, E_INTERNAL, "no date");
    return buf_printf(out, err, "Date: %s, %02d %s %d %02d:%02d:%02d +0000\r\n", days[tm.tm_wday], tm.tm_mday,
                      months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static int put_to(struct buf *out, const struct mail *m, struct error *err)
{
    int rc = buf_printf(out, err, "To: ");
    for (size_t i = 0; i < m->nto && rc == 0; i++)
        rc = buf_printf(out, err, "%s%s", i > 0 ? ",\r\n " : "", m->to[i]);
    return rc == 0 ? buf_printf(out, err, "\r\n") : rc;
}

/* A line of the text as quoted-printable, in pieces. */
static int put_line(struct buf *out, const char *s, size_t len, struct error *err)
{
    size_t column = 0;
    int rc = 0;
    for (size_t i = 0; i < len && rc == 0; i++) {
        unsigned char c = (unsigned char)s[i];
        /* Spaces at the end get lost on the way; a dot or "From " at the start is taken for something else. */
        bool plain = c >= ' ' && c <= '~' && c != '=' && !(c == ' ' && i + 1 == len) &&
                     !(column == 0 && (c == '.' || c == 'F'));
        char code[3] = { '=', hex[c >> 4], hex[c & 15] };
        if (column + (plain ? 1 : 3) > LINE) {
            rc = buf_printf(out, err, "=\r\n");
            column = 0;
        }
        rc = rc < 0 ? rc : plain ? buf_append(out, &c, 1, err) : buf_append(out, code, sizeof code, err);
        column += plain ? 1 : 3;
    }
    return rc == 0 ? buf_printf(out, err, "\r\n") : rc;
}

static int put_text(struct buf *out, const char *text, struct error *err)
{
    int rc = 0;
    while (*text != '\0' && rc == 0) {
        size_t len = strcspn(text, "\n");
        rc = put_line(out, text, len, err);
        text += len + (text[len] == '\n');
    }
    return rc;
}

int mail_format(const struct mail *m, struct buf *out, struct error *err)
{
    int rc = buf_printf(out, err, "From: %s\r\n", m->from);
    rc = rc == 0 ? put_to(out, m, err) : rc;
    rc = rc == 0 ? put_subject(out, m->subject, err) : rc;
    rc = rc == 0 ? put_date(out, m->date, err) : rc;
    rc = rc == 0
             ? buf_printf(out, err,
                          "Message-ID: <%s@%s>\r\nAuto-Submitted: auto-generated\r\nX-Backupd-Event: %s\r\n"
                          "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\n"
                          "Content-Transfer-Encoding: quoted-printable\r\n\r\n",
                          m->id, m->this_host, m->event)
             : rc;
    return rc == 0 ? put_text(out, m->text, err) : rc;
}
