/* Reading definitions that people write as YAML (models, connectors), strictly: every fault is
 * told with file and line and what is allowed, and reading goes on after it, so that one run
 * shows all of them. */
#ifndef ATS_DEFINITION_DEFINITION_H
#define ATS_DEFINITION_DEFINITION_H

#include "base/disk.h"
#include "lang/yaml/yaml.h"

/* One file under reading. */
struct definition {
	struct arena *arena;
	struct arena nodes;    /* of the file itself, until it is closed */
	struct str path;       /* as shown in faults */
	struct buffer *faults; /* lines "path:12: …" */
	size_t fault_count;
	uint64_t digest; /* of its text: by which it is known again */
};

/* Reads and parses the file; false (and a fault) when that fails or when it is no mapping. What is
 * made of it may keep its texts, but no node. */
bool definition_open(struct definition *definition, struct arena *arena, const struct disk *disk,
		     struct str path, struct buffer *faults, struct yaml_node *root) MUST_CHECK;

/* Frees the nodes. Was there no fault? Once for each that was opened. */
bool definition_close(struct definition *definition);

/* Adds a line to the faults. Always returns false. */
bool definition_fault(struct definition *definition, uint32_t line, const char *format, ...)
	PRINTF_LIKE(3, 4);

/* One of several, in this order. */
uint64_t definition_digest(const uint64_t *digests, size_t count);

/* A list of texts for people: "a, b, c". */
struct str definition_names(struct arena *arena, const struct str *names, size_t count);

/* Is it a mapping, and are all of its keys among `allowed` (ended by NULL)? A fault for each
 * that is not. `what` names the thing in messages. */
bool definition_check_mapping(struct definition *definition, const struct yaml_node *node,
			      const char *what, const char *const *allowed);

/* The values of single keys. Each: a key that is not there leaves *out as it is and is true; a
 * wrong value is a fault and false. */
bool definition_text(struct definition *definition, const struct yaml_node *mapping,
		     const char *key, struct str *out);
bool definition_boolean(struct definition *definition, const struct yaml_node *mapping,
			const char *key, bool *out);
bool definition_integer(struct definition *definition, const struct yaml_node *mapping,
			const char *key, int64_t min, int64_t max, int64_t *out);
/* *out becomes the index of the text in `names` (ended by NULL). */
bool definition_choice(struct definition *definition, const struct yaml_node *mapping,
		       const char *key, const char *const *names, size_t *out);
/* One text, or a list of them. */
bool definition_texts(struct definition *definition, const struct yaml_node *mapping,
		      const char *key, struct str **out, size_t *count);

/* A fault when the key is not there. */
bool definition_require(struct definition *definition, const struct yaml_node *mapping,
			const char *what, const char *key);
/* A name that URLs, expressions and other files can hold: a-z, 0-9 and _ beginning with a
 * letter, at most 64 bytes. */
bool definition_is_name(struct str name);
/* A scalar with a text in it, said to be `what`; else a fault. */
bool definition_scalar(struct definition *definition, const struct yaml_node *node,
		       const char *what, struct str *out);
/* The last part of a path, in the arena: a folder's name is the name of what it defines. */
struct str definition_folder_name(struct arena *arena, const char *folder);

#endif
