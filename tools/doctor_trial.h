/* SPDX-License-Identifier: MIT
 *
 * doctor_trial.h - tries one kind of lock with real processes.
 */
#ifndef DOCTOR_TRIAL_H
#define DOCTOR_TRIAL_H

#include "doctor_findings.h"

/* Tries the kind in the doctor's own directory, and fills in what was found. */
void trial_run(struct kind_findings *findings, const char *place);

/* Makes the sentence for something that the library or the system refused.  `error` is a negative errno value. */
void trial_explain(struct kind_findings *findings, const char *what, int error);

#endif
