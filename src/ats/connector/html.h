/* HTML that an ATS gives: as text, and made safe to show. Neither parses as a browser does; what
 * they give is right for whatever a browser would have made of the input. */
#ifndef ATS_CONNECTOR_HTML_H
#define ATS_CONNECTOR_HTML_H

#include "base/buffer.h"

enum { HTML_NAME_MAX = 12 };

/* A text without its tags, as $plain_text() gives it. */
struct str html_to_text(struct arena *arena, struct str html);
/* Formatting, lists, tables and links alone, as $clean_html() gives it. */
struct str html_clean(struct arena *arena, struct str html);

/* --- reading, for these two --- */

/* Length of the entity at the beginning of `html`, or 0. */
size_t html_read_entity(struct str html, uint32_t *code);
/* The name of the tag at the beginning of `html`, in lower case, without its slash; empty when
 * the '<' there is text. */
struct str html_read_name(struct str html, char space[HTML_NAME_MAX]);
/* Behind the '>' of the tag at the beginning of `html`; a '>' in quotes does not end it. */
size_t html_find_tag_end(struct str html);
/* Length of the comment at the beginning of `html`, or 0. */
size_t html_skip_comment(struct str html);
/* Where to go on behind the tag that ends at `end`: past the content of scripts and the like. */
size_t html_skip_unseen(struct str html, struct str name, size_t end);

#endif
