/* The data folder: made, checked, and locked for one process. Private to the store. */
#ifndef IO_STORE_FOLDER_H
#define IO_STORE_FOLDER_H

#include "base/error.h"

/* Makes the folder (0700) when it is missing and takes the lock. Returns its descriptor, or -1:
 * ERROR_CONFLICT with the owner's process id when another has it, ERROR_FORBIDDEN when others may
 * write to the folder, else ERROR_UNAVAILABLE. */
int folder_lock(const char *folder, struct error *err) MUST_CHECK;
/* Makes the database file (0600) when it is missing: the log files that SQLite puts beside it take
 * over its mode. */
bool folder_make_database(const char *folder, struct error *err) MUST_CHECK;
void folder_unlock(int fd);

#endif
