/* What a run does with the file that an option names: a flag in the tables of options. */
#ifndef LEADPIPE_FILE_USE_H
#define LEADPIPE_FILE_USE_H

enum file_use {
    FILE_UNUSED, /* the option names no file */
    FILE_READ,
    FILE_WRITTEN,
    FILE_DATABASE, /* read and written in place, with SQLite's own files beside it */
};

#endif
