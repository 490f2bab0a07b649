# fish completion for leadpipe
#
# The program itself says what may stand where the cursor is: leadpipe __complete WORD... prints what of
# the last word stays, then flags, then one candidate a line, with a description behind a tab.

function __leadpipe_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program (string replace -r '^~/' "$HOME/" -- $words[1])
    set -l lines ($program __complete $words[2..-1] "$current" 2>/dev/null)
    if test (count $lines) -lt 2
        return
    end
    set -l prefix $lines[1]
    set -l flags (string split ' ' -- $lines[2])
    for line in $lines[3..-1]
        printf '%s\n' "$prefix$line"
    end
    set -l piece (string sub -s (math (string length -- "$prefix") + 1) -- "$current")
    if contains -- files $flags
        for line in (__fish_complete_path "$piece")
            printf '%s\n' "$prefix$line"
        end
    else if contains -- folders $flags
        for line in (__fish_complete_directories "$piece" '')
            printf '%s\n' "$prefix$line"
        end
    end
end

complete -c leadpipe -e
complete -c leadpipe -f -k -a '(__leadpipe_complete)'
