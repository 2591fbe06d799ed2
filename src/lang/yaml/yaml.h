/* YAML 1.1 as libyaml reads it, into a tree which remembers its lines, for definitions written
 * by people. Anchors and aliases are refused (a small file must not become a large tree); so are
 * tags, several documents in a file and repeated keys. */
#ifndef LANG_YAML_YAML_H
#define LANG_YAML_YAML_H

#include "lang/json/json.h"

enum yaml_kind { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING };

struct yaml_node {
	enum yaml_kind kind;
	bool is_plain;      /* scalar: written without quotes or block style */
	uint32_t line;      /* 1-based, of its first byte */
	uint32_t column;    /* 1-based */
	struct str text;    /* scalar */
	size_t count;       /* items of a sequence, entries of a mapping */
	const struct yaml_node *items;   /* sequence */
	const struct yaml_entry *entries; /* mapping, in the file's order */
};

struct yaml_entry {
	struct str key;
	uint32_t line;
	struct yaml_node value;
};

struct yaml_limits {
	size_t bytes_max;
	uint32_t depth_max; /* nesting of sequences and mappings; at most 200 */
	uint32_t nodes_max; /* values in all; keys are not counted */
};
/* 1 MiB, depth 32, 100,000 nodes. */
extern const struct yaml_limits yaml_limits_default;

/* Everything in *out lives in the arena. `name` stands before the line in messages:
 * "connector.yaml:12: …". False with ERROR_INVALID or ERROR_LIMIT. */
bool yaml_parse(struct arena *arena, struct str text, struct str name,
		const struct yaml_limits *limits, struct yaml_node *out,
		struct error *err) MUST_CHECK;

/* The same with the nodes in an arena of their own, for those who keep nothing but texts. */
bool yaml_parse_into(struct arena *nodes, struct arena *texts, struct str text, struct str name,
		     const struct yaml_limits *limits, struct yaml_node *out,
		     struct error *err) MUST_CHECK;

/* The entry of a mapping, or NULL; also NULL when the node is no mapping or NULL. */
const struct yaml_node *yaml_get(const struct yaml_node *mapping, const char *key);

/* As JSON: plain scalars by YAML 1.2's core schema (null, true/false, integers, floats), quoted
 * ones as strings. JSON has no infinities and no NaN: they become null; hexadecimal and
 * octal numbers past 64 bits stay texts. Borrows the node's texts. */
struct json yaml_to_json(struct arena *arena, const struct yaml_node *node);

#endif
