# SPDX-License-Identifier: MIT
#
# Makes a program out of the SYNOPSIS of each manual page.  It compiles if the pages agree with the header: it declares
# each prototype again, and checks that each structure has the members of the real structure at the same places.

# Returns the text of a line of the page: without its macro, and with the arguments joined as .BI joins them.
function text(line, joined, quoted, i, c, plain) {
    if (line !~ /^\.[BI][RI]* /)
        return line
    plain = line ~ /^\.B /
    sub(/^\.[BI][RI]* /, "", line)
    for (i = 1; i <= length(line); i++) {
        c = substr(line, i, 1)
        if (c == "\"")
            quoted = !quoted
        else if (c != " " || quoted || plain)
            joined = joined c
    }
    gsub(/\\-/, "-", joined)
    gsub(/\\\(dq/, "\"", joined)
    return joined
}

function end_of_struct(i) {
    print "};"
    for (i = 0; i < members; i++)
        printf "typedef char %s_%s_is_there[offsetof(struct shown_%s, %s) == offsetof(struct %s, %s) ? 1 : -1];\n",
               structure, member[i], structure, member[i], structure, member[i]
    printf "typedef char %s_is_whole[sizeof(struct shown_%s) == sizeof(struct %s) ? 1 : -1];\n",
           structure, structure, structure
    structure = ""
}

function synopsis(line) {
    if (line ~ /^#define /) {
        split(line, word, " ")
        printf "#ifndef %s\n#error %s is not defined\n#endif\n", word[2], word[2]
    } else if (line ~ /^FILELOCK_AUTO/) {
        sub(/= \.\.\./, "= NULL", line)
        body = body "    {\n        " line "\n        (void) lock;\n    }\n"
    } else if (line ~ /^struct [a-z_]* \{/) {
        split(line, word, " ")
        structure = word[2]
        members = 0
        print "struct shown_" structure " {"
    } else if (structure != "" && line ~ /^\}/)
        end_of_struct()
    else {
        if (structure != "" && match(line, /[a-z_]+(\[[0-9]+\])?;/)) {
            member[members] = substr(line, RSTART, RLENGTH)
            sub(/[[;].*/, "", member[members++])
        }
        print line
    }
}

BEGIN { print "#include <filelock-provider.h>\n#include <stddef.h>\n" }
FNR == 1 { wanted = 0 }
/^\.SH/ {
    wanted = $2 == "SYNOPSIS"
    if (wanted)
        printf "#line %d \"%s\"\n", FNR + 1, FILENAME
    next
}
!wanted || /^\.(nf|fi|PP)/ || /#include/ { next }
{
    synopsis(text($0))
    shown++
}
END {
    if (!shown)
        exit 1
    print "int main(void)\n{\n" body "    return 0;\n}"
}
