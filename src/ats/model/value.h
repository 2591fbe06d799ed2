/* Single values as the model types them: what conforming and checking share. Private. */
#ifndef ATS_MODEL_VALUE_H
#define ATS_MODEL_VALUE_H

#include "ats/model/model.h"

/* Converts one value (neither missing nor null) to the type of the field, not MODEL_OBJECT: null
 * where the value says nothing (an empty text), JSON_UNDEFINED when it does not fit. The result
 * shares with the value. */
struct json value_convert(struct arena *arena, const struct model_field *field, struct json value);

#endif
