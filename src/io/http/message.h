/* Inside this room: what may stand in a message. */
#ifndef IO_HTTP_MESSAGE_H
#define IO_HTTP_MESSAGE_H

#include "io/http/http.h"

/* RFC 9110's token: the only thing that a method or the name of a header may be. */
bool http_is_token(struct str name);
/* A peer that goes away while it is written to must not end the process. */
void http_ignore_broken_pipes(void);

#endif
