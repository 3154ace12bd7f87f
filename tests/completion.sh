#!/bin/sh
# SPDX-License-Identifier: MIT
#
# completion.sh - what bash offers for the tool filelock.  It offers every option that the help names, and nothing that
# the tool refuses; the values of options; files; the command.  Needs srcdir, and the tool in the working directory.
if ! command -v bash >/dev/null; then
    echo "SKIP: tests/completion.sh: bash is not installed"
    test -z "$FILELOCK_TEST_CONSOLE" || echo "SKIP: tests/completion.sh: bash is not installed" >&9
    exit 77
fi
FILELOCK_TOOL=${FILELOCK_TOOL:-`pwd`/filelock}
FILELOCK_COMPLETION=`cd "${srcdir:-.}" && pwd`/completions/filelock
export FILELOCK_TOOL FILELOCK_COMPLETION
exec bash --norc --noprofile "`cd "${srcdir:-.}" && pwd`/tests/completion.bash"
