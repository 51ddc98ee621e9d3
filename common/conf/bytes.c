#include "common/base/str.h"
#include "common/conf/problem.h"
#include "common/conf/tree.h"

#include "common/base/banned.h"

/* libyaml says "control characters are not allowed" without a place, and would take UTF-16. */
bool conf_bytes_check(const char *text, size_t len, const char *file, struct conf_problems *problems)
{
    struct conf_place at = { .file = file, .line = 1, .column = 1 };
    for (size_t i = 0; i < len;) {
        size_t n = 1;
        while (n < 4 && i + n <= len && !utf8_valid(text + i, n))
            n++;
        unsigned byte = (unsigned char)text[i];
        bool control = (byte < 0x20 && byte != '\n' && byte != '\t' && byte != '\r') || byte == 0x7f;
        bool broken = i + n > len || !utf8_valid(text + i, n);
        if (control || broken) {
            conf_problem_add(problems, at,
                             broken ? "byte 0x%02x is not UTF-8: save the file as UTF-8"
                                    : "control character 0x%02x is not allowed",
                             byte);
            return false;
        }
        at.line += byte == '\n';
        at.column = byte == '\n' ? 1 : at.column + 1;
        i += n;
    }
    return true;
}
