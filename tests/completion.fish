# SPDX-License-Identifier: MIT
#
# The part of tests/completion.sh that runs in fish.
set -g scratch (mktemp -d)
cd $scratch
mkdir tool apps
touch app.lock
ln -s $FILELOCK_TOOL tool/filelock
set -x PATH $scratch/tool $PATH
source $FILELOCK_COMPLETIONS/filelock.fish
set -g failed 0

# expect OFFERED LINE: passes if just these words, in any order, are offered.
function expect
    set -l got (complete -C $argv[2] | string split -f1 \t | sort -u | string join '|')
    if test "$got" = "$argv[1]"
        echo "PASS: fish: $argv[2]"
    else
        echo "FAIL: fish: $argv[2]: expected '$argv[1]', got '$got'"
        set -g failed 1
    end
end

expect '--shared|--soft|--start' 'filelock --s'
expect '--record' 'filelock --rec'
expect 'flock' 'filelock --kind fl'
expect '--kind=soft' 'filelock --kind=so'
expect '' 'filelock --kind win'
expect 'app.lock|apps/' 'filelock ap'
expect 'app.lock|apps/' 'filelock -n -w 5 ap'
expect 'app.lock|apps/' 'filelock --who --all ap'
expect 'app.lock|apps/' 'filelock --break ap'
expect 'apps/' 'filelock --list ap'
expect 'mktemp' 'filelock app.lock mktem'
expect 'mktemp' 'filelock app.lock -c mktem'
expect 'mktemp' 'filelock --fd 9 mktem'
expect '' 'filelock app.lock mktemp --nonblo'

# The options are those of the help.
filelock --help | string match -r -a -g '^ *(-[-a-zA-Z, ]*)' | string match -r -a -- '--?[a-zA-Z][-a-zA-Z]*' | sort -u >named
begin
    complete -C 'filelock -' | string split -f1 \t
    complete -C 'filelock --' | string split -f1 \t
end | sort -u >offered
if test (count <named) -ge 30; and diff named offered
    echo "PASS: fish: the options are those of --help"
else
    echo "FAIL: fish: the options of --help (<) are not those that are offered (>)"
    set failed 1
end
cd /
rm -rf $scratch
exit $failed
