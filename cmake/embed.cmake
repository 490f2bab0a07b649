# Makes a C file that holds the built-in profiles as bytes:
#   cmake -DOUT=profile_builtins.c -DFILES=a.json;b.json -P embed.cmake
# The name of a profile is that of its file. FILES are in order of name.

set(text "/* Made by cmake/embed.cmake from core/provider/profiles/; do not edit. */\n")
string(APPEND text "#include \"core/provider/profile_builtins.h\"\n")
set(list "")
set(number 0)
foreach(file IN LISTS FILES)
    get_filename_component(name ${file} NAME_WE)
    file(READ ${file} bytes HEX)
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
    string(REGEX REPLACE "(................................................................................)" "\\1\n"
           bytes "${bytes}")
    string(APPEND text "\nstatic const unsigned char profile_${number}[] = {\n${bytes}\n};\n")
    string(APPEND list "    { \"${name}\", profile_${number}, sizeof profile_${number} },\n")
    math(EXPR number "${number} + 1")
endforeach()
string(APPEND text "\nconst struct builtin_profile profile_builtins[] = {\n${list}    { NULL, NULL, 0 },\n};\n")
file(WRITE ${OUT} "${text}")
