#compdef leadpipe
#
# zsh completion for leadpipe
#
# The program itself says what may stand where the cursor is: leadpipe __complete WORD... prints what of
# the last word stays, then flags, then one candidate a line, with a description behind a tab.

_leadpipe() {
    local program=${(Q)words[1]} prefix flags line
    local -a lines candidates options
    if [[ $program == \~/* ]]; then program=$HOME/${program#\~/}; fi
    lines=("${(@f)$("$program" __complete "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
    if (( $#lines < 2 )); then return 1; fi
    prefix=$lines[1] flags=" $lines[2] "
    if [[ -n $prefix && $PREFIX == "$prefix"* ]]; then
        IPREFIX+=$prefix
        PREFIX=${PREFIX#"$prefix"}
        prefix=
    fi
    for line in "${(@)lines[3,-1]}"; do
        local word=$prefix${line%%$'\t'*} help=
        if [[ $line == *$'\t'* ]]; then help=:${line#*$'\t'}; fi
        candidates+=("${word//:/\\:}$help")
    done
    if [[ $flags == *' nospace '* ]]; then options=(-S ''); fi
    local found=1
    if (( $#candidates )); then _describe -t values leadpipe candidates "${(@)options}" && found=0; fi
    if [[ $flags == *' files '* ]]; then _files "${(@)options}" && found=0; fi
    if [[ $flags == *' folders '* ]]; then _files -/ "${(@)options}" && found=0; fi
    return found
}

# Loaded by "compinit", the file is the function's body; sourced, it only defines and registers it.
if [[ $funcstack[1] == _leadpipe ]]; then
    _leadpipe "$@"
else
    compdef _leadpipe leadpipe
fi
