/* Private to this room: the handlers behind the routes, and what they share. */
#ifndef FRONT_LINK_ROUTES_H
#define FRONT_LINK_ROUTES_H

#include "ats/link/link.h"
#include "front/link/link.h"

typedef void link_handler(void *context, struct http_exchange *exchange,
			  const struct http_match *match);

link_handler link_show_page, link_show_file, link_show_picture, link_show_sdk;
link_handler link_begin_session, link_show_session, link_end_session, link_connect;
link_handler link_start_oauth, link_end_oauth, link_list_options, link_save_form;

/* A page of the link page's own files as text, and with the headers of a page; empty: it is not
 * there. */
struct str link_page(const struct door *door, struct http_exchange *exchange, const char *name);
/* The session of the request. */
bool link_find_session(const struct door *door, struct http_exchange *exchange,
		       struct link_session *session, const char **reason,
		       struct error *err) MUST_CHECK;
/* The one error shape, with `reason` for people's messages; NULL: "invalid_request" or what fits
 * the code. */
void link_reply_error(struct http_exchange *exchange, const struct error *err, const char *reason);
/* A text member, or empty for null or none. */
bool link_read_text(struct json body, const char *name, size_t max, struct str *out,
		    struct error *err) MUST_CHECK;
/* The questions that the connector has for a linked account; null: none. */
struct json link_show_form(struct arena *arena, const struct connector *connector);

#endif
