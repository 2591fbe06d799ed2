/* Single values as the model types them: what conforming and checking share. Private. */
#ifndef ATS_MODEL_VALUE_H
#define ATS_MODEL_VALUE_H

#include "ats/model/model.h"

/* Converts one value (neither missing nor null) to the field's type, which is not MODEL_OBJECT.
 * *out must be null before, and stays so where the value says nothing (an empty text). False when
 * the value does not fit. The result shares with the value. */
bool value_convert(struct arena *arena, const struct model_field *field, struct json value,
		   struct json *out) MUST_CHECK;

#endif
