#include "ats/model/model.h"

const struct model_resource *model_find(const struct model *model, struct str resource)
{
	for (size_t i = 0; i < model->resource_count; i++)
		if (str_equal(model->resources[i].name, resource))
			return &model->resources[i];
	return NULL;
}

const struct model_field *model_find_field(const struct model_resource *resource, struct str name)
{
	for (size_t i = 0; i < resource->field_count; i++)
		if (str_equal(resource->fields[i].name, name))
			return &resource->fields[i];
	return NULL;
}

const struct model_method *model_find_method(const struct model_resource *resource, struct str name)
{
	for (size_t i = 0; i < resource->method_count; i++)
		if (str_equal(resource->methods[i].name, name))
			return &resource->methods[i];
	return NULL;
}
