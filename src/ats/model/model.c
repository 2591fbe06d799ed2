#include "ats/model/model.h"

const struct model_resource *model_find(const struct model *model, struct str resource)
{
	for (size_t i = 0; i < model->resource_count; i++)
		if (str_equal(model->resources[i].name, resource))
			return &model->resources[i];
	return NULL;
}

const struct model_field *model_find_among(const struct model_field *fields, size_t count,
					   struct str name)
{
	for (size_t i = 0; i < count; i++)
		if (str_equal(fields[i].name, name))
			return &fields[i];
	return NULL;
}

const struct model_field *model_find_field(const struct model_resource *resource, struct str name)
{
	return model_find_among(resource->fields, resource->field_count, name);
}

const struct model_method *model_find_method(const struct model_resource *resource, struct str name)
{
	for (size_t i = 0; i < resource->method_count; i++)
		if (str_equal(resource->methods[i].name, name))
			return &resource->methods[i];
	return NULL;
}

const struct model_filter *model_find_filter(const struct model_resource *resource, struct str name)
{
	for (size_t i = 0; i < resource->filter_count; i++)
		if (str_equal(resource->filters[i].name, name))
			return &resource->filters[i];
	return NULL;
}

const struct model_field *model_find_path(const struct model_resource *resource, struct str path,
					  size_t *root)
{
	const struct model_field *fields = resource->fields, *found = NULL;
	size_t count = resource->field_count;

	while (path.len > 0) {
		struct str name = str_cut(&path, '.');

		found = NULL;
		for (size_t i = 0; i < count && found == NULL; i++)
			if (str_equal(fields[i].name, name))
				found = &fields[i];
		if (found == NULL)
			return NULL;
		if (root != NULL && fields == resource->fields)
			*root = (size_t)(found - fields);
		fields = found->fields;
		count = found->field_count;
	}
	return found;
}
