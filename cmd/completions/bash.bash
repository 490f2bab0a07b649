# bash completion for leadpipe                                             -*- shell-script -*-
#
# The program itself says what may stand where the cursor is: leadpipe __complete WORD... prints what of
# the last word stays, then flags, then one candidate a line, with a description behind a tab.

# Sets words to those up to the cursor, the last one cut off there, and last to the part that readline replaces.
# Readline splits words at "=" and ":", too, which are within words here.
__leadpipe_words() {
    local rest=${COMP_LINE:0:COMP_POINT} word i
    words=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $i -eq 0 || $rest == [[:space:]]* ]]; then
            rest=${rest#"${rest%%[![:space:]]*}"}
            words+=('')
        fi
        if ((i == COMP_CWORD)); then word=$rest; fi
        words[${#words[@]} - 1]+=$word
        rest=${rest#"$word"}
        last=$word
    done
    if [[ $last == [=:]* ]]; then last=${last##*[=:]}; fi
}

# Without quotes and backslashes, as far as that can be said without evaluating anything.
__leadpipe_plain() {
    plain=$1
    case $plain in
    \'*) plain=${plain#\'} plain=${plain%\'} ;;
    \"*) plain=${plain#\"} plain=${plain%\"} ;;
    *) plain=${plain//\\/} ;;
    esac
}

_leadpipe() {
    local words=() last='' plain='' program=$1 lines=() arguments=() word
    __leadpipe_words
    __leadpipe_plain "$last"
    last=$plain
    for word in "${words[@]:1}"; do
        __leadpipe_plain "$word"
        arguments+=("$plain")
    done
    if [[ $program == \~/* ]]; then program=$HOME/${program#\~/}; fi
    mapfile -t lines < <("$program" __complete "${arguments[@]}" 2>/dev/null)
    if ((${#lines[@]} < 2)); then return; fi
    local prefix=${lines[0]} flags=" ${lines[1]} "
    # What stands before the part that readline replaces is no part of a candidate.
    local piece=${plain#"$prefix"} skipped=${plain%"$last"}
    COMPREPLY=()
    for word in "${lines[@]:2}"; do
        word=${word%%$'\t'*}
        if [[ $word == "$piece"* ]]; then
            word=$prefix$word
            COMPREPLY+=("${word#"$skipped"}")
        fi
    done
    if [[ $flags == *' nospace '* ]]; then compopt -o nospace; fi
    if [[ $flags != *' files '* && $flags != *' folders '* ]]; then return; fi
    if ((${#COMPREPLY[@]} == 0)) && [[ $skipped == "$prefix" ]]; then
        # Readline's own completion of file names knows about quotes and "~".
        if [[ $flags == *' folders '* ]]; then compopt -o dirnames; else compopt -o default; fi
        return
    fi
    if [[ $skipped == "$prefix" ]]; then compopt -o filenames; fi
    if [[ $flags == *' folders '* ]]; then mapfile -t lines < <(compgen -d -- "$piece"); else
        mapfile -t lines < <(compgen -f -- "$piece")
    fi
    for word in "${lines[@]}"; do
        # Readline sees what a name needs only where nothing stands before it.
        if [[ $skipped != "$prefix" ]]; then
            if [[ -d $word ]]; then
                word+=/
                compopt -o nospace
            fi
            printf -v word %q "$word"
        fi
        word=$prefix$word
        COMPREPLY+=("${word#"$skipped"}")
    done
}

complete -F _leadpipe leadpipe
