/* The filters of one operation: checked values, and whether a record passes them. Private to this
 * room. */
#ifndef ATS_OPERATION_FILTER_H
#define ATS_OPERATION_FILTER_H

#include "ats/connector/connector.h"
#include "ats/operation/operation.h"

struct run;

enum {
	FILTERS_MAX = 64,
	FILTER_BYTES_MAX = 4096,
	FILTER_VALUES_MAX = 200,
};

/* How an alternative takes a filter, from worst to best. */
enum taking {
	TAKES_NOT,
	TAKES_EXPANDED, /* tenon applies it, but its list does not tell what it compares */
	TAKES_CHECKED,	/* tenon applies it to the records of the list */
	TAKES_ASKED,	/* the ATS is asked for it by every call */
};

/* One that was given. */
struct run_filter {
	struct str name;
	struct str value;	   /* in one spelling; several values are parted by commas */
	const struct json *values; /* the same one by one, as texts */
	size_t count;
	bool is_array;			  /* given as name[]=, each value by itself */
	const struct model_filter *model; /* NULL: of no model, as "id" */
	bool is_checked;		  /* tenon applies it to the mapped records */
	bool is_asked;			  /* so does the ATS */
};

/* Adds the filter to the run's, its value checked. */
bool filter_read(struct run *run, const struct model_filter *model,
		 const struct operation_filter *given, struct error *err) MUST_CHECK;
/* The operation's parameters as they are, for an ATS which has to judge them itself. */
void filters_take(struct run *run);
enum taking filter_taking(const struct run *run, const struct unified_method *method,
			  const struct unified_alternative *alternative,
			  const struct model_filter *filter);
/* Settles for each filter of the run who applies it. */
void filters_settle(struct run *run);
bool filters_check_some(const struct run *run);

enum match { MATCH_NO, MATCH_YES, MATCH_UNKNOWN };
/* Does the mapped record pass those that tenon applies? Unknown where one compares a field which
 * the record does not have; *lacking is then that filter. */
enum match filters_match(const struct run *run, struct json record,
			 const struct run_filter **lacking);

#endif
