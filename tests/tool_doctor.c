/* SPDX-License-Identifier: MIT
 *
 * tool_doctor.c - what the tool says of file systems that cannot be mounted here, and the strings of its JSON.
 */
#include "doctor_findings.h"
#include "json.h"

#include <stdio.h>
#include <string.h>

static int failures;

struct row {
    const char *type, *options;
    enum reach flock, ofd, soft;
    const char *recommended; /* if every kind works */
};

static const struct row rows[] = {
    { "ext4", "rw,relatime", REACH_MACHINE, REACH_MACHINE, REACH_MACHINE, "flock" },
    { "overlay", "rw,lowerdir=/a", REACH_MACHINE, REACH_MACHINE, REACH_MACHINE, "flock" },
    { "tmpfs", "rw", REACH_MACHINE, REACH_MACHINE, REACH_MACHINE, "flock" },
    { "fuse.sshfs", "rw", REACH_MACHINE, REACH_MACHINE, REACH_UNKNOWN, "flock" },
    { "fuse", "rw", REACH_MACHINE, REACH_MACHINE, REACH_UNKNOWN, "flock" },
    { "fuseblk", "rw", REACH_MACHINE, REACH_MACHINE, REACH_MACHINE, "flock" },
    { "nfs4", "rw,vers=4.2,local_lock=none,addr=1.2.3.4", REACH_SERVER, REACH_SERVER, REACH_SERVER, "ofd" },
    { "nfs4", "rw", REACH_SERVER, REACH_SERVER, REACH_SERVER, "ofd" },
    { "nfs", "rw,vers=3,local_lock=all", REACH_MACHINE, REACH_MACHINE, REACH_SERVER, "soft" },
    { "nfs", "rw,nolock", REACH_MACHINE, REACH_MACHINE, REACH_SERVER, "soft" },
    { "nfs", "rw,local_lock=flock,addr=1.2.3.4", REACH_MACHINE, REACH_SERVER, REACH_SERVER, "ofd" },
    { "nfs", "rw,local_lock=posix", REACH_SERVER, REACH_MACHINE, REACH_SERVER, "flock" },
    { "nfs", "rw,xnolock,nolocks", REACH_SERVER, REACH_SERVER, REACH_SERVER, "ofd" },
    { "cifs", "rw", REACH_SERVER, REACH_SERVER, REACH_SERVER, "ofd" },
    { "cifs", "nobrl", REACH_MACHINE, REACH_MACHINE, REACH_SERVER, "soft" },
    { "lustre", "rw,localflock", REACH_MACHINE, REACH_MACHINE, REACH_SERVER, "soft" },
    { "ext4x", "rw", REACH_UNKNOWN, REACH_UNKNOWN, REACH_UNKNOWN, "flock" },
    { "", "", REACH_UNKNOWN, REACH_UNKNOWN, REACH_UNKNOWN, "flock" },
};

/* Makes findings in which three kinds work, whatever this build has. */
static void find(struct findings *findings, const struct row *row)
{
    static const int kinds[] = { FILELOCK_KIND_FLOCK, FILELOCK_KIND_OFD, FILELOCK_KIND_SOFT };
    int i;

    memset(findings, 0, sizeof *findings);
    findings->judged = FILELOCK_KIND_FLOCK;
    findings->is_default = 1;
    findings->count = 3;
    snprintf(findings->mount.type, sizeof findings->mount.type, "%s", row->type);
    snprintf(findings->mount.options, sizeof findings->mount.options, "%s", row->options);
    for (i = 0; i < 3; i++) {
        findings->kinds[i].kind = kinds[i];
        findings->kinds[i].excludes = findings->kinds[i].ends_with_holder = WORKS;
        findings->kinds[i].waiting = WAITING_TOLD;
    }
    reach_find(findings);
    advise(findings);
}

static void check_row(const struct row *row)
{
    static struct findings findings;

    find(&findings, row);
    if (findings.kinds[0].reach == row->flock && findings.kinds[1].reach == row->ofd &&
        findings.kinds[2].reach == row->soft && findings.recommended >= 0 &&
        strcmp(filelock_kind_name(findings.recommended), row->recommended) == 0)
        return;
    printf("FAIL: %s with %s: %d, %d, %d, and '%s'\n", row->type, row->options, findings.kinds[0].reach,
           findings.kinds[1].reach, findings.kinds[2].reach, findings.advice);
    failures++;
}

/* A kind that does not work in some way is not recommended. */
static void check_faults(void)
{
    static struct findings findings;
    struct kind_findings *flock = &findings.kinds[0];
    int fault;

    for (fault = 0; fault < 5; fault++) {
        find(&findings, &rows[0]);
        if (fault == 0)
            flock->excludes = FAILS;
        else if (fault == 1)
            flock->ends_with_holder = FAILS;
        else if (fault == 2)
            flock->waiting = WAITING_LOST;
        else if (fault == 3)
            flock->shares = FAILS;
        else
            strcpy(flock->error, "an error");
        advise(&findings);
        if (findings.recommended != FILELOCK_KIND_OFD || strncmp(findings.advice, "Use ofd, ", 9) != 0) {
            printf("FAIL: fault %d: '%s'\n", fault, findings.advice);
            failures++;
        }
    }
    findings.kinds[1].excludes = findings.kinds[2].excludes = FAILS;
    findings.recommended = -1;
    advise(&findings);
    if (findings.recommended != -1 || strncmp(findings.advice, "No kind ", 8) != 0) {
        printf("FAIL: no kind: '%s'\n", findings.advice);
        failures++;
    }
}

static void check_string(const char *bytes, const char *expected)
{
    char text[256];
    size_t length;
    FILE *file = tmpfile();

    if (file == NULL) {
        perror("tmpfile");
        failures++;
        return;
    }
    (void) put_json_string(file, bytes);
    rewind(file);
    length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    if (strcmp(text, expected) == 0)
        return;
    printf("FAIL: JSON: %s, not %s\n", text, expected);
    failures++;
}

int main(void)
{
    size_t i;

    for (i = 0; i < sizeof rows / sizeof *rows; i++)
        check_row(&rows[i]);
    check_faults();
    check_string("", "\"\"");
    check_string("a\"b\\c/d", "\"a\\\"b\\\\c/d\"");
    check_string("\n\t\x01\x1f\x7f", "\"\\u000a\\u0009\\u0001\\u001f\\u007f\"");
    check_string("\xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x92", "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x92\"");
    check_string("\x80\xff", "\"\\ufffd\\ufffd\"");
    check_string("\xc3", "\"\\ufffd\"");                       /* cut off */
    check_string("\xc0\xaf", "\"\\ufffd\\ufffd\"");            /* a longer form than needed */
    check_string("\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""); /* half of a surrogate pair */
    check_string("\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
    return failures != 0;
}
