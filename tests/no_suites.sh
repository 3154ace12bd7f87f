#!/bin/sh
# SPDX-License-Identifier: MIT
#
# no_suites.sh - stands in make check for the test suites where configure found no Check library.
message="SKIP: the test suites: they want the Check library (https://libcheck.github.io/check/)"
echo "$message"
if test -n "$FILELOCK_TEST_CONSOLE"; then
    echo "$message" >&9
fi
exit 77
