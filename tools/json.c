/* SPDX-License-Identifier: MIT
 *
 * json.c - writes JSON.
 */
#include "json.h"

/* Returns the length of the character that begins here, or 0: it is not UTF-8. */
static int character_length(const unsigned char *s)
{
    static const unsigned least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    int length = s[0] < 0x80 ? 1 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2, i;
    unsigned code = s[0] & (0xffu >> (length + 1));

    if (length == 1)
        return 1;
    if (s[0] < 0xc0 || s[0] > 0xf4)
        return 0;
    for (i = 1; i < length; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (s[i] & 0x3fu);
    }
    return code < least[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) ? 0 : length;
}

void json_string(FILE *file, const char *bytes)
{
    const unsigned char *s = (const unsigned char *)bytes;

    fputc('"', file);
    while (*s != '\0') {
        int length = character_length(s);

        if (length == 0)
            fprintf(file, "\\udc%02x", *s++);
        else if (*s == '"' || *s == '\\')
            fprintf(file, "\\%c", *s++);
        else if (*s < 0x20 || *s == 0x7f)
            fprintf(file, "\\u%04x", *s++);
        else
            for (; length > 0; length--)
                fputc(*s++, file);
    }
    fputc('"', file);
}
