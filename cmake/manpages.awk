# A man page for each command, leadpipe-COMMAND.1, from leadpipe.1, which describes all of them and is what
# tests compare with the tables of options.
#
#   awk -v folder=FOLDER -f manpages.awk leadpipe.1
#
# A page has the command's line of SYNOPSIS, its item of COMMANDS, and the sections named here.

BEGIN {
    sections_of["export"] = "OPTIONS|STATE|OBJECT STORAGE|OUTCOMES|ENVIRONMENT|FILES|EXIT STATUS|EXAMPLES"
    sections_of["run"] = "SYSTEMD|EXIT STATUS"
    sections_of["check"] = "SYSTEMD"
    sections_of["sinks"] = "SINKS"
    sections_of["tables"] = "TABLES"
}

function fail(text) {
    print "manpages.awk: " text >"/dev/stderr"
    failed = 1
    exit 1
}

/^\.Dd / { date = $0; next }

/^\.Sh / {
    section = substr($0, 5)
    known[section] = 1
    command = ""
    next
}

# Each use of the command is ".Nm", then ".Cm COMMAND", then its arguments.
section == "SYNOPSIS" {
    if ($0 == ".Nm")
        command = ""
    else if (command == "" && $1 == ".Cm")
        command = $2
    if (command != "")
        synopsis[command] = synopsis[command] $0 "\n"
    next
}

section == "COMMANDS" {
    if ($1 == ".El" && --depth == 0)
        command = ""
    if (depth == 1 && $1 == ".It" && $2 == "Cm") {
        command = $3
        commands[++n_commands] = command
    } else if (command != "") {
        description[command] = description[command] $0 "\n"
    }
    if ($1 == ".Bl")
        depth++
    next
}

{ text[section] = text[section] $0 "\n" }

# The first statement of a description, without macros: "list the built-in profiles".
function summary(lines,    n, line, i, all, words) {
    n = split(lines, line, "\n")
    for (i = 1; i <= n && line[i] !~ /^\.(Pp|Bl|$)/; i++) {
        words = line[i]
        if (words ~ /^\./)
            sub(/^\.[A-Z][a-z] /, "", words)
        all = all (i > 1 ? " " : "") words
    }
    sub(/ *[.,:;]( .*)?$/, "", all)
    while (match(all, /[.,:;] /))
        all = substr(all, 1, RSTART - 1)
    return tolower(substr(all, 1, 1)) substr(all, 2)
}

# A reference to a section that is on another page; and the name of the program, which is not the page's.
function adapted(lines, has,    n, line, i, out, name, page, rest) {
    n = split(lines, line, "\n")
    for (i = 1; i < n; i++) {
        if (match(line[i], /^\.Sx [A-Z]+( [A-Z]+)*/)) {
            name = substr(line[i], 5, RLENGTH - 4)
            rest = substr(line[i], RLENGTH + 1)
            page = name == "SINKS" ? "leadpipe-sinks" : name == "TABLES" ? "leadpipe-tables" : "leadpipe"
            if (!known[name])
                fail("there is no section " name)
            if (!index("|" has "|", "|" name "|"))
                line[i] = ".Xr " page " 1" rest
        }
        sub(/^\.Nm$/, ".Nm leadpipe", line[i])
        sub(/^\.Nm [,.;:)]/, ".Nm leadpipe&", line[i])
        sub(/leadpipe\.Nm/, "leadpipe", line[i])
        sub(/ Nm Cm/, " Nm leadpipe Cm", line[i])
        out = out line[i] "\n"
    }
    return out
}

function write_page(c,    file, upper, has, names, n, i) {
    file = folder "/leadpipe-" c ".1"
    has = sections_of[c]
    if (synopsis[c] == "" || description[c] == "")
        fail(c " is not both in SYNOPSIS and in COMMANDS")
    print ".\\\" Made by cmake/manpages.awk from leadpipe.1; do not edit." >file
    printf "%s\n.Dt LEADPIPE-%s 1\n.Os\n", date, toupper(c) >file
    printf ".Sh NAME\n.Nm leadpipe-%s\n.Nd %s\n", c, summary(description[c]) >file
    printf ".Sh SYNOPSIS\n.Nm leadpipe\n%s", synopsis[c] >file
    printf ".Sh DESCRIPTION\n%s", adapted(description[c], has) >file
    n = split(has, names, "|")
    for (i = 1; i <= n; i++) {
        if (!known[names[i]])
            fail("there is no section " names[i])
        printf ".Sh %s\n%s", names[i], adapted(text[names[i]], has) >file
    }
    print ".Sh SEE ALSO\n.Xr leadpipe 1" >file
    if (close(file) != 0)
        fail("cannot write " file)
}

END {
    if (failed)
        exit 1
    if (!n_commands)
        fail("no commands were found")
    for (number = 1; number <= n_commands; number++)
        write_page(commands[number])
}
