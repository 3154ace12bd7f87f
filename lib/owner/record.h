/* SPDX-License-Identifier: MIT
 *
 * The owner record: what a holder writes about itself into a lock file.  The text has the form of protocol 1 of
 * Python's filelock, "<pid>\n<host>\n<token>\n".
 */
#ifndef FLK_RECORD_H
#define FLK_RECORD_H

#include <stddef.h>
#include <stdint.h>

#define RECORD_SIZE 1024 /* the most bytes that a record may have */
#define RECORD_TOKEN_SIZE 64
#define MAX_RECORD_PID INT32_MAX

/* What a marker claims.  flk_record_format() only writes records of an OWNER and of a LEASE. */
enum claim {
    CLAIM_OWNER,    /* protocol 1 */
    CLAIM_PROCESS,  /* a pid alone, which other lock programs write: host and token are "" */
    CLAIM_LEASE,    /* protocol 2: a lease, which ends when it is not renewed for its duration; or an exclusive claim */
    CLAIM_UNKNOWN,  /* protocol 2 in a mode of a later version: never to be broken */
    CLAIM_FOR_EVER, /* the sentinel of Python's strict locks, or "0": never to be broken */
};

struct record {
    enum claim claim;
    int64_t pid;    /* 0: FOR_EVER */
    char host[300]; /* escaped; a longer host is cut off, and then matches no host that this library writes */
    char token[RECORD_TOKEN_SIZE]; /* digits that tell the process from another of the same pid; "" if unknown */
    int64_t lease;                 /* ns after which a LEASE ends if it is not renewed; 0: the claim has no such end */
    char grant[33]; /* the beginning of the text that tells a LEASE from others of the same process; "" if unknown */
};

/* Writes the record as text, without a NUL; returns its length, RECORD_SIZE at most. */
size_t flk_record_format(const struct record *record, char text[RECORD_SIZE]);

/* What the contents of a file are. */
enum reading {
    READING_RECORD,
    READING_TORN,   /* the beginning of a record, or nothing: the writer ended before it had written the rest */
    READING_UNKNOWN /* not written by a program that takes soft locks */
};

/* Parses a marker, and accepts all that Python's reader accepts.  *record is set for READING_RECORD only. */
enum reading flk_record_read(const char *bytes, size_t size, struct record *record);

/* Parses a record of an OWNER in the form that this library writes.  Returns 0, or -EINVAL and leaves *record alone. */
int flk_record_parse(const char *bytes, size_t size, struct record *record);

/* Escapes a host's name, which may contain any byte.  The result has at most 253 characters. */
#define MAX_RECORD_NAME 255
#define RECORD_HOST_SIZE 254
void flk_record_host(const char *name, char host[RECORD_HOST_SIZE]);

/* Writes a number of 192 bits, its most significant byte first, in decimal: tokens have that form. */
#define RECORD_NUMBER_BYTES 24
void flk_record_decimal(const uint8_t number[RECORD_NUMBER_BYTES], char text[64]);

#endif
