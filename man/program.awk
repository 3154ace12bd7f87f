# SPDX-License-Identifier: MIT
#
# Prints the program in the EXAMPLES of a manual page: the first example that has an #include.
/^\.SH/ { examples = $2 ~ /EXAMPLES/ }
examples && /^\.EE/ && program { exit }
examples && /^#include/ { program = 1 }
program {
    gsub(/\\e/, "\\")
    gsub(/\\-/, "-")
    gsub(/\\&/, "")
    gsub(/\\\(aq/, "'")
    print
}
END {
    if (!program) {
        print "no program in " FILENAME >"/dev/stderr"
        exit 1
    }
}
