# SPDX-License-Identifier: MIT
#
# foreign_filelock.py - a program that locks with Python's filelock.
#
# Commands, each on a line: "acquire SECONDS" (-1: for ever), "release".  Answers "0", "timeout" or "error ...".
import sys

from filelock import FileLock, Timeout

lock = FileLock(sys.argv[1])
print("ready", flush=True)
for line in sys.stdin:
    words = line.split()
    try:
        if words[0] == "acquire":
            lock.acquire(timeout=float(words[1]))
        else:
            lock.release()
        answer = "0"
    except Timeout:
        answer = "timeout"
    except Exception as error:  # the test prints any error
        answer = "error %r" % (error,)
    print(answer, flush=True)
