#include "common/crypto/paper.h"

#include <string.h>
#include <strings.h>

#include "common/crypto/hash.h"
#include "common/base/banned.h"

enum {
    LINE_DIGITS = PAPER_LINE * 8 / 5,
    CHECK_DIGITS = 2,
    TOTAL_DIGITS = 8,
    GROUP = 4,
    DIGITS_MAX = LINE_DIGITS + CHECK_DIGITS,
    LINE_TEXT = 80, /* the longest line written */
    CHECK_PRIME = 1021,
    CHECK_FACTOR = 10,
};

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
static const char title[] = "bk1-key-text";
static const char violation[] = "key-text";

static size_t digits_of(size_t bytes)
{
    return (bytes * 8 + 4) / 5;
}

/* Bytes on line i (from 0) of len bytes in all. */
static size_t line_bytes(size_t len, size_t i)
{
    size_t left = len - i * PAPER_LINE;
    return left < PAPER_LINE ? left : PAPER_LINE;
}

/* A polynomial over a prime field: a wrong digit and swapped neighbours always change it. The line's
 * number is its first term, so a line in another's place is found too. */
static unsigned line_check(size_t number, const uint8_t *digits, size_t n)
{
    unsigned sum = (unsigned)(number % CHECK_PRIME);
    for (size_t i = 0; i < n; i++)
        sum = (sum * CHECK_FACTOR + digits[i] + 1) % CHECK_PRIME;
    return sum;
}

/* len bytes as 5-bit digits, zero bits at the end. */
static void to_digits(const uint8_t *data, size_t len, uint8_t *digits)
{
    unsigned held = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < len; i++) {
        held = (held << 8 | data[i]) & 0xfff;
        for (bits += 8; bits >= 5; bits -= 5)
            *digits++ = (uint8_t)(held >> (bits - 5) & 31);
    }
    if (bits > 0)
        *digits = (uint8_t)(held << (5 - bits) & 31);
}

/* The way back; false when the bits at the end are not zero. */
static bool from_digits(const uint8_t *digits, size_t len, uint8_t *data)
{
    unsigned held = 0;
    unsigned bits = 0;
    for (size_t n = digits_of(len); n > 0; n--) {
        held = (held << 5 | *digits++) & 0xfff;
        bits += 5;
        if (bits >= 8) {
            bits -= 8;
            *data++ = (uint8_t)(held >> bits);
        }
    }
    return (held & ((1U << bits) - 1)) == 0;
}

static void total_check(const void *data, size_t len, uint8_t digits[TOTAL_DIGITS])
{
    uint8_t hash[HASH_LEN];
    file_hash(data, len, hash);
    to_digits(hash, TOTAL_DIGITS * 5 / 8, digits);
}

/* ---- writing ----------------------------------------------------------------------------------------- */

static int write_line(size_t number, const uint8_t *data, size_t len, struct buf *out, struct error *err)
{
    uint8_t digits[DIGITS_MAX];
    char text[LINE_TEXT];
    size_t n = digits_of(len);
    size_t used = 0;
    to_digits(data, len, digits);
    unsigned check = line_check(number, digits, n);
    for (size_t i = 0; i < n; i++) {
        if (i % GROUP == 0)
            text[used++] = ' ';
        text[used++] = alphabet[digits[i]];
    }
    int rc = buf_printf(out, err, "%3zu:%.*s  %c%c\n", number, (int)used, text, alphabet[check >> 5],
                        alphabet[check & 31]);
    secret_wipe(digits, sizeof digits);
    secret_wipe(text, sizeof text);
    return rc;
}

int paper_encode(const void *data, size_t len, struct buf *out, struct error *err)
{
    if (len == 0 || len > PAPER_MAX)
        return error_set(err, E_USAGE, "%zu bytes cannot be printed as key text (1..%d)", len, PAPER_MAX);
    uint8_t total[TOTAL_DIGITS];
    char check[TOTAL_DIGITS + 1] = "";
    total_check(data, len, total);
    for (size_t i = 0; i < TOTAL_DIGITS; i++)
        check[i] = alphabet[total[i]];
    size_t lines = (len + PAPER_LINE - 1) / PAPER_LINE;
    size_t start = out->len;
    /* Room for all of it at once: growing would leave copies of the key behind. */
    int rc = buf_reserve(out, (lines + 1) * LINE_TEXT, err);
    if (rc == 0)
        rc = buf_printf(out, err, "%s %zu bytes, check %.4s-%.4s\n", title, len, check, check + GROUP);
    for (size_t i = 0; rc == 0 && i < lines; i++)
        rc = write_line(i + 1, (const uint8_t *)data + i * PAPER_LINE, line_bytes(len, i), out, err);
    if (rc < 0)
        out->len = start;
    return rc;
}

/* ---- reading ----------------------------------------------------------------------------------------- */

struct paper {
    const char *at; /* what is left of the text */
    const char *end;
    size_t size; /* bytes, from the header */
    uint8_t total[TOTAL_DIGITS];
};

/* The next line that counts, without its blanks at the start; false at the end. */
static bool next_line(struct paper *p, const char **line, size_t *len)
{
    while (p->at < p->end) {
        const char *newline = memchr(p->at, '\n', (size_t)(p->end - p->at));
        const char *stop = newline != NULL ? newline : p->end;
        const char *s = p->at;
        p->at = newline != NULL ? newline + 1 : p->end;
        while (s < stop && (*s == ' ' || *s == '\t' || *s == '\r'))
            s++;
        if (s == stop || *s == '#')
            continue;
        *line = s;
        *len = (size_t)(stop - s);
        return true;
    }
    return false;
}

/* The value of a typed digit, -1 for what is passed over, -2 for what cannot stand here. */
static int digit_value(char c)
{
    if (c == ' ' || c == '\t' || c == '\r' || c == '-')
        return -1;
    char upper = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    if (upper == 'O')
        upper = '0';
    if (upper == 'I' || upper == 'L')
        upper = '1';
    const char *found = upper != '\0' ? strchr(alphabet, upper) : NULL;
    return found != NULL ? (int)(found - alphabet) : -2;
}

/* Exactly `want` digits of line `number` (0: the header). */
static int read_digits(const char *s, size_t len, size_t want, uint8_t *digits, size_t number,
                       struct error *err)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        int value = digit_value(s[i]);
        if (value == -2)
            return error_corrupt(err, violation, "key text, line %zu: character %zu cannot be part of it",
                                 number, n + 1);
        if (value >= 0 && n < want)
            digits[n] = (uint8_t)value;
        n += value >= 0;
    }
    if (n != want)
        return error_corrupt(err, violation, "key text, line %zu: %zu characters where there must be %zu",
                             number, n, want);
    return 0;
}

/* Takes a decimal number of at most 5 digits and the blanks around it; false when there is none. */
static bool take_number(const char **s, const char *end, size_t *out)
{
    size_t v = 0;
    int n = 0;
    while (*s < end && (**s == ' ' || **s == '\t'))
        (*s)++;
    for (; *s < end && **s >= '0' && **s <= '9' && n < 5; n++)
        v = v * 10 + (size_t)(*(*s)++ - '0');
    while (*s < end && (**s == ' ' || **s == '\t'))
        (*s)++;
    *out = v;
    return n > 0;
}

/* Passes over `word`, in any case, and a comma or blanks after it. */
static bool take_word(const char **s, const char *end, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(end - *s) < len || strncasecmp(*s, word, len) != 0)
        return false;
    for (*s += len; *s < end && (**s == ' ' || **s == '\t' || **s == ',' || **s == ':');)
        (*s)++;
    return true;
}

static int read_header(struct paper *p, struct error *err)
{
    const char *s = NULL;
    size_t len = 0;
    bool found = next_line(p, &s, &len);
    const char *end = found ? s + len : s;
    if (!found || !take_word(&s, end, title))
        return error_corrupt(err, violation, "this is no kit: key text does not begin with '%s'", title);
    if (!take_number(&s, end, &p->size) || p->size == 0 || p->size > PAPER_MAX ||
        !take_word(&s, end, "bytes") || !take_word(&s, end, "check"))
        return error_corrupt(err, violation,
                             "key text, line 0 (the first): must be '%s N bytes, check XXXX-XXXX'", title);
    return read_digits(s, (size_t)(end - s), TOTAL_DIGITS, p->total, 0, err);
}

/* Line i (from 0) of the key into data. */
static int read_data_line(struct paper *p, size_t i, uint8_t *data, struct error *err)
{
    uint8_t digits[DIGITS_MAX] = { 0 };
    const char *s = NULL;
    size_t len = 0;
    size_t number = 0;
    size_t bytes = line_bytes(p->size, i);
    size_t n = digits_of(bytes);
    if (!next_line(p, &s, &len))
        return error_corrupt(err, violation, "key text, line %zu is missing", i + 1);
    const char *end = s + len;
    if (!take_number(&s, end, &number) || s == end || (*s != ':' && *s != '.' && *s != ')'))
        return error_corrupt(err, violation, "key text, line %zu does not begin with its number and ':'",
                             i + 1);
    if (number != i + 1)
        return error_corrupt(err, violation, "key text, line %zu is missing (line %zu stands there)", i + 1,
                             number);
    s++;
    int rc = read_digits(s, (size_t)(end - s), n + CHECK_DIGITS, digits, number, err);
    if (rc == 0 && (line_check(number, digits, n) != (unsigned)(digits[n] << 5 | digits[n + 1]) ||
                    !from_digits(digits, bytes, data)))
        rc = error_corrupt(err, violation, "key text, line %zu: a character is wrong", number);
    secret_wipe(digits, sizeof digits);
    return rc;
}

struct secret *paper_decode(const char *text, size_t len, struct error *err)
{
    struct paper p = { .at = text, .end = text + len };
    uint8_t total[TOTAL_DIGITS];
    const char *more = NULL;
    size_t more_len = 0;
    if (read_header(&p, err) < 0)
        return NULL;
    struct secret *key = secret_new(p.size, err);
    if (key == NULL)
        return NULL;
    size_t lines = (p.size + PAPER_LINE - 1) / PAPER_LINE;
    for (size_t i = 0; i < lines; i++)
        if (read_data_line(&p, i, secret_data(key) + i * PAPER_LINE, err) < 0)
            goto fail;
    if (next_line(&p, &more, &more_len)) {
        (void)error_corrupt(err, violation, "key text goes on after line %zu", lines);
        goto fail;
    }
    total_check(secret_view(key), p.size, total);
    if (memcmp(total, p.total, TOTAL_DIGITS) != 0) {
        (void)error_corrupt(err, violation,
                            "key text: each line is right by itself, but not all together; compare "
                            "the first line and every line again");
        goto fail;
    }
    return key;
fail:
    secret_free(key);
    return NULL;
}
