/* SPDX-License-Identifier: MIT
 *
 * Base64.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "etcd/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *flk_base64_encode(const char *bytes, size_t size)
{
    char *text = malloc((size + 2) / 3 * 4 + 1), *out = text;

    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < size; i += 3) {
        size_t have = size - i < 3 ? size - i : 3;
        uint32_t bits = 0;

        for (size_t j = 0; j < 3; j++)
            bits = bits << 8 | (j < have ? (unsigned char) bytes[i + j] : 0u);
        for (size_t j = 0; j < 4; j++)
            *out++ = j <= have ? digits[bits >> (18 - 6 * j) & 63] : '=';
    }
    *out = '\0';
    return text;
}

char *flk_base64_decode(const char *text, size_t *size)
{
    size_t length = strcspn(text, "=");
    char *bytes = malloc(length / 4 * 3 + 4), *out = bytes;
    uint32_t bits = 0;

    for (size_t i = 0; bytes != NULL && i < length; i++) {
        const char *digit = strchr(digits, text[i]);

        if (digit == NULL) {
            free(bytes);
            return NULL;
        }
        bits = bits << 6 | (uint32_t) (digit - digits);
        if (i % 4 != 0)
            *out++ = (char) (bits >> (6 - 2 * (i % 4)) & 255);
    }
    if (bytes == NULL)
        return NULL;
    *out = '\0';
    *size = (size_t) (out - bytes);
    return bytes;
}
