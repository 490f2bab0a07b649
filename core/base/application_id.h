/* The application_id in the header of an SQLite database says what it is: each kind knows the other, for messages. */
#ifndef LEADPIPE_APPLICATION_ID_H
#define LEADPIPE_APPLICATION_ID_H

#define STATE_APPLICATION_ID 0x6c656164  /* "lead": a state */
#define SQLITE_APPLICATION_ID 0x4C505351 /* "LPSQ": made by the sink sqlite, for rows */

#endif
