/* SPDX-License-Identifier: MIT
 *
 * doctor.c - tries which kinds of lock work in a directory of this machine.
 */
#include "doctor.h"

#include "doctor_findings.h"
#include "doctor_process.h"
#include "doctor_trial.h"

#include <filelock.h>

#include <stdio.h>
#include <string.h>

static void try_all(struct findings *findings, const char *place)
{
    int i;

    mount_find(findings->directory, &findings->mount);
    files_try(place, &findings->files);
    for (i = 0; i < findings->count && !process_stopped(); i++)
        trial_run(&findings->kinds[i], place);
    reach_find(findings);
    advise(findings);
}

static enum outcome verdict(const struct findings *findings, int json)
{
    const struct kind_findings *judged = findings_judged(findings);
    enum outcome output;

    if (json)
        findings_print_json(findings);
    else
        findings_print(findings);
    output = report_flush();
    if (output != OUTCOME_DONE)
        return output;
    return judged->excludes == WORKS ? OUTCOME_DONE : OUTCOME_NONE;
}

enum outcome doctor_examine(const struct tool_options *options)
{
    static struct findings findings;
    char directory[4096], place[4096 + 64] = "";
    int error, left;

    process_prepare();
    if (!findings_begin(&findings, directory, options->every_kind ? FILELOCK_KIND_DEFAULT : options->kind)) {
        complain("locks of kind %s are not available here", filelock_kind_name(options->kind));
        return OUTCOME_UNAVAILABLE;
    }
    error = place_resolve(options->path, directory, sizeof directory);
    if (error == 0)
        error = place_make(directory, place, sizeof place);
    if (error != 0) {
        complain("cannot try locks in %s: %s", options->path, strerror(error));
        return outcome_of_error(error);
    }
    try_all(&findings, place);
    left = place_leave(place);
    process_obey();
    if (left != 0)
        complain("cannot remove %s: %s", place, strerror(left));
    return verdict(&findings, options->json);
}
