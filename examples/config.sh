#!/bin/sh
# SPDX-License-Identifier: MIT
#
# sh config.sh FILE KEY VALUE - does what examples/config.c does, with the tool filelock
#
# --fcntl and --record are what the program has in its options.  The inner shell has the lock as long as it runs.
set -eu
[ $# -eq 3 ] || { echo "usage: sh config.sh FILE KEY VALUE" >&2 && exit 64; }
# shellcheck disable=SC2016 # for the inner shell
exec filelock --fcntl --record -w 10 "$1.lock" sh -euc '
    {
        [ ! -e "$1" ] || sed "/^$2=/d" "$1"
        echo "$2=$3"
    } >"$1.new"
    mv "$1.new" "$1"
' sh "$@"
