# SPDX-License-Identifier: MIT
#
# readme.awk - puts the output of a run between the two markers in README.md, with its headings two levels deeper
#
#     awk -f readme.awk RUN README.md

BEGIN { begin = "<!-- run: begin -->"; end = "<!-- run: end -->" }

FILENAME == ARGV[1] {
    sub(/^#+ /, "##&")
    run[++lines] = $0
    next
}

$0 == end { inside = 0; ends++ }
!inside { print }
$0 == begin {
    for (i = 1; i <= lines; i++)
        print run[i]
    inside = 1
    begins++
}

END {
    if (begins != 1 || ends != 1 || !lines) {
        print "readme.awk: no run, or not one pair of markers" > "/dev/stderr"
        exit 1
    }
}
