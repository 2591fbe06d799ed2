/* The data folder: made, checked, and locked for one process. Private to the store. */
#ifndef IO_STORE_FOLDER_H
#define IO_STORE_FOLDER_H

#include "base/error.h"

/* Makes the folder (0700) and the database file in it (0600) when they are missing and takes the
 * lock. Returns its descriptor, or -1: ERROR_CONFLICT with the owner's process id when another
 * has it, ERROR_FORBIDDEN when others may write to the folder, else ERROR_UNAVAILABLE. */
int folder_lock(const char *folder, struct error *err) MUST_CHECK;
void folder_unlock(int fd);

#endif
