/* The link page: its files, and the API by which it links an account for a customer. Who calls is
 * a browser, by a link token once and a session's token afterwards; no API key is wanted. */
#ifndef FRONT_LINK_LINK_H
#define FRONT_LINK_LINK_H

#include "front/door/door.h"

extern const struct http_route link_routes[];
extern const size_t link_route_count;

/* Reads web/link, sdk/link and what the connectors name of their own link/ folders, in the folder
 * `share`, once for all. A folder that is not there has no files; a file that a connector names and
 * that is not there is an error. */
const struct link_files *link_files_read(struct arena *arena, const struct disk *disk,
					 const char *share, const struct connectors *connectors,
					 struct error *err) MUST_CHECK;

#endif
