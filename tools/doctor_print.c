/* SPDX-License-Identifier: MIT
 *
 * doctor_print.c - writes what the doctor found, as a table or as JSON.
 */
#include "doctor_findings.h"

#include "json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const reach_texts[] = { "not known", "this machine only", "kept by the server" };
static const char *const reach_names[] = { "unknown", "machine", "server" };
static const char *const waiting_names[] = { NULL, "told", "polls", "not woken" };

/* ---- The table ------------------------------------------------------------------------------ */

static void format_waiting(const struct kind_findings *kind, char *text, size_t size)
{
    const char *name = waiting_names[kind->waiting];

    if (kind->wake_us < 0)
        snprintf(text, size, "%s", name != NULL ? name : "-");
    else
        snprintf(text, size, "%s, %" PRId64 ".%02" PRId64 " ms", name, kind->wake_us / 1000, kind->wake_us / 10 % 100);
}

static void print_kind(const struct findings *findings, const struct kind_findings *kind)
{
    char name[64], waiting[64];

    snprintf(name, sizeof name, "%s%s", filelock_kind_name(kind->kind),
             kind->kind != findings->judged ? ""
             : findings->is_default         ? " (default)"
                                            : " (judged)");
    format_waiting(kind, waiting, sizeof waiting);
    printf("%-16s  %-8s  %-6s  %-7s  %-15s  %s\n", name, finding_text(kind->excludes), finding_text(kind->shares),
           finding_text(kind->ends_with_holder), waiting, reach_texts[kind->reach]);
}

static void print_mount(const struct mount_findings *mount)
{
    if (mount->type[0] == '\0') {
        puts("mounted from: not known");
        return;
    }
    printf("mounted from: %s, %s, at %s\n", mount->source, mount->type, mount->point);
    printf("options: %s\n", mount->options);
}

void findings_print(const struct findings *findings)
{
    const struct file_findings *files = &findings->files;
    int i;

    printf("%s\n", findings->directory);
    print_mount(&findings->mount);
    printf("between machines: %s\n\n", findings->between);
    printf("%-16s  %-8s  %-6s  %-7s  %-15s  %s\n", "kind", "excludes", "shared", "kill -9", "waiter",
           "between machines");
    for (i = 0; i < findings->count; i++)
        print_kind(findings, &findings->kinds[i]);
    for (i = 0; i < findings->count; i++) {
        const struct kind_findings *kind = &findings->kinds[i];

        if (kind->overlaps > 0)
            printf("%s: %d times a process was inside while another was\n", filelock_kind_name(kind->kind),
                   kind->overlaps);
        if (kind->error[0] != '\0')
            printf("%s: %s\n", filelock_kind_name(kind->kind), kind->error);
    }
    printf("files: rename %s, hard link %s, symbolic link %s, O_TMPFILE %s, swap %s\n\n", finding_text(files->replace),
           finding_text(files->hard_link), finding_text(files->symbolic_link), finding_text(files->unnamed),
           finding_text(files->swap));
    puts(findings->advice);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

/* Writes a name, and a string or null. */
static void member(const char *name, const char *text)
{
    printf("\"%s\": ", name);
    if (text == NULL)
        fputs("null", stdout);
    else
        (void) put_json_string(stdout, text);
}

static void member_or_null(const char *name, const char *text)
{
    member(name, text[0] != '\0' ? text : NULL);
}

static void print_options(const char *options)
{
    const char *separator = "";
    char option[4096];

    fputs("\"options\": [", stdout);
    while (*options != '\0') {
        size_t length = strcspn(options, ",");

        memcpy(option, options, length);
        option[length] = '\0';
        fputs(separator, stdout);
        (void) put_json_string(stdout, option);
        separator = ", ";
        options += length + (options[length] == ',');
    }
    fputs("]", stdout);
}

static void print_mount_json(const struct mount_findings *mount)
{
    if (mount->type[0] == '\0') {
        fputs("  \"mount\": null,\n", stdout);
        return;
    }
    fputs("  \"mount\": {", stdout);
    member("type", mount->type);
    fputs(", ", stdout);
    member("source", mount->source);
    fputs(", ", stdout);
    member("point", mount->point);
    fputs(", ", stdout);
    print_options(mount->options);
    fputs("},\n", stdout);
}

static void print_kind_json(const struct kind_findings *kind)
{
    fputs("    {", stdout);
    member("kind", filelock_kind_name(kind->kind));
    printf(", \"excludes\": %s, \"overlaps\": %d, \"shared\": %s, \"freed_by_kill\": %s, ",
           finding_json(kind->excludes), kind->overlaps, finding_json(kind->shares),
           finding_json(kind->ends_with_holder));
    member("waiter", waiting_names[kind->waiting]);
    if (kind->wake_us < 0)
        fputs(", \"wake_us\": null, ", stdout);
    else
        printf(", \"wake_us\": %" PRId64 ", ", kind->wake_us);
    member("reach", reach_names[kind->reach]);
    fputs(", ", stdout);
    member_or_null("error", kind->error);
    fputs("}", stdout);
}

void findings_print_json(const struct findings *findings)
{
    const struct file_findings *files = &findings->files;
    const struct kind_findings *judged = findings_judged(findings);
    int i;

    fputs("{\n  ", stdout);
    member("directory", findings->directory);
    fputs(",\n", stdout);
    print_mount_json(&findings->mount);
    fputs("  ", stdout);
    member("between_machines", findings->between);
    fputs(",\n  \"kinds\": [\n", stdout);
    for (i = 0; i < findings->count; i++) {
        print_kind_json(&findings->kinds[i]);
        puts(i + 1 < findings->count ? "," : "");
    }
    printf("  ],\n  \"files\": {\"rename\": %s, \"hard_link\": %s, \"symbolic_link\": %s, \"tmpfile\": %s, "
           "\"swap\": %s},\n",
           finding_json(files->replace), finding_json(files->hard_link), finding_json(files->symbolic_link),
           finding_json(files->unnamed), finding_json(files->swap));
    fputs("  ", stdout);
    member("judged", filelock_kind_name(findings->judged));
    printf(",\n  \"judged_excludes\": %s,\n  ", judged != NULL && judged->excludes == WORKS ? "true" : "false");
    member("recommended", findings->recommended < 0 ? NULL : filelock_kind_name(findings->recommended));
    fputs(",\n  ", stdout);
    member("advice", findings->advice);
    fputs("\n}\n", stdout);
}
