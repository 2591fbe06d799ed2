/* Native records to unified ones. Private to this room. The hot path: a page has hundreds of
 * records, each with some 25 expressions. */
#ifndef ATS_OPERATION_MAPPING_H
#define ATS_OPERATION_MAPPING_H

#include "ats/operation/run.h"

/* All that the records of one page share. */
struct mapping {
	struct run *run;
	const struct unified_call *call;
	struct jsonata_context context;
	struct jsonata_places places; /* of the context */
	struct json variables[CONNECTOR_VARIABLES];
	const bool *is_absent; /* per field: these records cannot have it; NULL: any may */
	const bool *is_left_out; /* the same, and those which are not wanted */
	struct json *mapped; /* per field of the model resource; used again for each record */
	size_t misfits;
};

/* Fetches the plan's side lists where the body needs them. */
bool mapping_init(struct mapping *mapping, struct run *run, const struct unified_call *call,
		  struct json body, struct error *err) MUST_CHECK;
/* Tells the counters what was amiss. */
void mapping_finish(struct mapping *mapping);

/* The records in a native record, through the call's `each`: an array, the record itself alone
 * when there is no `each`. A failed expression gives none and is counted. */
struct json mapping_unwind(struct mapping *mapping, struct json record);
/* One of them, made unified. `record` is the native record from which it was taken. */
struct json mapping_record(struct mapping *mapping, struct json record, struct json child);
/* All of a listed record, by the call's `detail`, in place of it, and the mapping for it in place
 * of *mapping. *is_gone: the ATS has it no more. False with err->code ERROR_NONE when
 * run->page_calls ran out. */
bool mapping_fetch_detail(struct mapping *mapping, struct json *record, bool *is_gone,
			  struct error *err) MUST_CHECK;
/* An expression of the connector's over the record or what is in it; undefined, and counted, when
 * it fails. */
struct json mapping_evaluate(struct mapping *mapping, const struct jsonata *expression,
			     struct json input);
/* override.c: mapping_record() by a map with overrides in it. */
struct json mapping_record_overridden(struct mapping *mapping, struct json child);
/* override.c: notes what run->preview's drafts make of the record that became `unified`. */
void preview_note(struct mapping *mapping, struct json child, struct json unified);
/* Where the file of a record that is one is had from, among what its fields were mapped to: that is
 * not for a mapping to say. */
void mapping_add_link(struct mapping *mapping, struct json child, struct json *mapped);
/* Its unified id alone, as text; empty when it has none. */
struct str mapping_id(struct mapping *mapping, struct json record, struct json child);

#endif
