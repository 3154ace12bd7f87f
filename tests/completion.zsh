# SPDX-License-Identifier: MIT
#
# The part of tests/completion.sh that runs in zsh: types into an interactive zsh, and looks at the line.
emulate -L zsh
zmodload zsh/zpty || exit 77
scratch=$(mktemp -d "${TMPDIR:-/tmp}/filelock-completion.XXXXXX") || exit 99
trap 'zpty -d inner 2>/dev/null; rm -rf "$scratch"' EXIT
cd "$scratch" || exit 99
mkdir functions tool apps
touch app.lock
cp "$FILELOCK_COMPLETIONS/_filelock" functions
ln -s "$FILELOCK_TOOL" tool/filelock
failed=0

# In the inner zsh, the end of a line is "<<" after what is typed and completed: a widget prints the line so.
zpty inner env TERM=dumb ZDOTDIR=$scratch zsh -f -i
zpty -w inner "unset zle_bracketed_paste; PROMPT= RPROMPT=; path=($scratch/tool \$path); fpath=($scratch/functions \$fpath)"
zpty -w inner "autoload -Uz compinit; compinit -u -D; setopt no_list_beep no_auto_list; bindkey -e"
zpty -w inner 'show() { print -r -- "${(l:3::>:)}$BUFFER<<<"; BUFFER=; }; zle -N show; bindkey "^Xz" show'
zpty -w inner 'zstyle ":completion:*" insert-tab false; print re""ady'
zpty -r inner said '*ready*' || exit 99

# expect LINE TYPED: passes if TYPED and a tab make the line.
expect() {
    local said
    zpty -w -n inner "$2"$'\t\C-xz'
    zpty -r inner said '*<<<*' || { echo "FAIL: no answer to '$2'"; failed=1; return; }
    said=${${said##*>>>}%%<<<*}
    if [[ $said == "$1" ]]; then
        echo "PASS: zsh: $2"
    else
        echo "FAIL: zsh: $2: expected '$1', got '$said'"
        failed=1
    fi
}

expect 'filelock --exclusive ' 'filelock --excl'
expect 'filelock --record ' 'filelock --rec'
expect 'filelock --kind flock ' 'filelock --kind fl'
expect 'filelock --kind=soft ' 'filelock --kind=so'
expect 'filelock --kind win' 'filelock --kind win'
expect 'filelock app.lock ' 'filelock app.'
expect 'filelock -n -w 5 app.lock ' 'filelock -n -w 5 app.'
expect 'filelock --who --all app.lock ' 'filelock --who --all app.'
expect 'filelock app.lock mktemp ' 'filelock app.lock mktem'
expect 'filelock app.lock -c mktemp' 'filelock app.lock -c mktem'
expect 'filelock --fd 9 mktemp ' 'filelock --fd 9 mktem'
exit $failed
