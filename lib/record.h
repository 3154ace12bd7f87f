/* SPDX-License-Identifier: MIT
 *
 * The owner record: what a holder writes about itself into a lock file.  Its bytes are those of
 * protocol 1 of Python's filelock, "<pid>\n<host>\n<token>\n".
 */
#ifndef FLK_RECORD_H
#define FLK_RECORD_H

#include <stddef.h>
#include <stdint.h>

#define RECORD_SIZE 1024 /* bytes that a record may have */
#define RECORD_PID_MOST INT32_MAX

/* What a marker claims; only an OWNER's is ever written here. */
enum claim {
    CLAIM_OWNER,    /* protocol 1 */
    CLAIM_LEASE,    /* protocol 2: until it has not been renewed for its duration */
    CLAIM_FOR_EVER, /* the sentinel of Python's strict locks: never to be broken */
};

struct record {
    enum claim claim;
    int64_t pid;    /* 0: FOR_EVER */
    char host[300]; /* as it is written */
    char token[64]; /* decimal digits that tell the process from another of the same pid; "" if unknown */
    int64_t lease;  /* ns; of a LEASE that may be superseded then, else 0 */
};

/* Writes the record as text, without a NUL; returns its length, RECORD_SIZE at most. */
size_t flk_record_format(const struct record *record, char text[RECORD_SIZE]);

/* 0 or -EINVAL, *record untouched: these bytes are no record. */
int flk_record_parse(const char *bytes, size_t size, struct record *record);

/* Host names may hold any byte; this is how they are written, in at most 253 characters. */
#define RECORD_NAME_MOST 255
#define RECORD_HOST_SIZE 254
void flk_record_host(const char *name, char host[RECORD_HOST_SIZE]);

/* A 192-bit number, most significant byte first, in decimal: what tokens are. */
#define RECORD_NUMBER_BYTES 24
void flk_record_decimal(const uint8_t number[RECORD_NUMBER_BYTES], char text[64]);

#endif
