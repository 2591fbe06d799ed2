/* Private to shape.c and trim.c: a value as it is to be read. */
#ifndef FRONT_MCP_SHAPE_PARTS_H
#define FRONT_MCP_SHAPE_PARTS_H

#include "front/mcp/shape.h"

struct trim {
	struct arena *arena;
	const struct connector *connector;
	const struct mcp_server *server; /* what is masked */
	const struct model_field *root;	 /* of a unified record; NULL: it is the ATS's own */
	size_t root_count;
	struct str fields; /* which are wanted; empty: all */
	size_t text_max;   /* bytes of one text */
	size_t items_max;  /* of one list */
	size_t members_max; /* of one object */
	struct str resource; /* whose records they are */
	struct str mark;   /* around other people's texts */
	/* What was done. */
	size_t cut_count;
	size_t mask_count;
	size_t others_count;
};

/* Without nulls and what is empty; JSON_NULL where nothing is left. */
struct json trim_value(struct trim *trim, struct json value);
/* A text without tags, and without characters that nobody sees. */
struct str trim_text(struct arena *arena, struct str text);
/* Of a message nothing tells which of it is whose: where contacts are masked, addresses are. */
struct str trim_message(const struct trim *trim, struct str text);
/* At most so many bytes from its beginning, in whole characters. */
struct str trim_head(struct str text, size_t bytes);

#endif
