/* Writes with overrides: members of native bodies, and query parameters. */
#include <assert.h>

#include "ats/override/effect.h"

static void set_expression(struct write_value *value, const struct target *target)
{
	size_t count = 0;
	const struct str *fields = jsonata_input_fields(target->expression, &count);

	value->expression = target->expression;
	value->constant = json_undefined();
	value->members = NULL;
	value->member_count = 0;
	value->field = count > 0 ? fields[0] : (struct str){NULL, 0};
	value->origin = target->origin;
}

/* A copy of the values with the one at the path made by the target: what lies under it goes, what
 * lies beside it stays. */
static const struct write_value *put(struct arena *arena, const struct write_value *values,
				     size_t *count, struct str path, const struct target *target)
{
	struct write_value *out = arena_zero(arena, (*count + 1) * sizeof *out);
	struct str name = str_cut(&path, '.');
	size_t i = 0;

	if (*count > 0)
		memcpy(out, values, *count * sizeof *out);
	while (i < *count && (out[i].is_path || !str_equal(out[i].name, name)))
		i++;
	if (i == *count)
		out[(*count)++].name = name;
	if (path.len == 0) {
		set_expression(&out[i], target);
		return out;
	}
	out[i].members = put(arena, out[i].members, &out[i].member_count, path, target);
	out[i].expression = NULL;
	return out;
}

static void apply(struct arena *arena, struct write_step *step, const struct target *target)
{
	if (target->is_query)
		step->arguments =
			put(arena, step->arguments, &step->argument_count, target->path, target);
	else
		step->body = put(arena, step->body, &step->body_count, target->path, target);
}

/* What an override reads of the request's body has a place in the ATS now. */
static void take_inputs(const struct target *target, const struct model_method *model,
			bool *is_taken)
{
	size_t count;
	const struct str *names = jsonata_input_fields(target->expression, &count);

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < model->field_count; k++)
			if (str_equal(model->fields[k].name, names[i]))
				is_taken[k] = true;
}

static void make_write(struct arena *arena, const struct target *targets, size_t count,
		       const struct unified_resource *base, struct unified_write *write)
{
	struct write_step *steps = arena_array(arena, write->step_count + 1, sizeof *steps);
	bool *is_taken = arena_zero(arena, write->model->field_count + 1);

	memcpy(is_taken, write->is_taken, write->model->field_count * sizeof *is_taken);
	memcpy(steps, write->steps, write->step_count * sizeof *steps);
	for (size_t i = 0; i < count; i++) {
		const struct target *target = &targets[i];

		if (!target_is_of(target, base) || !target->is_request ||
		    !str_equal(target->method, write->model->name))
			continue;
		for (size_t k = 0; k < write->step_count; k++) {
			if (steps[k].method != target->native || steps[k].as.len > 0)
				continue;
			apply(arena, &steps[k], target);
			if (steps[k].each == NULL)
				take_inputs(target, write->model, is_taken);
		}
	}
	write->steps = steps;
	write->is_taken = is_taken;
}

void effect_make_writes(struct arena *arena, const struct target *targets, size_t count,
			const struct unified_resource *base, struct unified_resource *out)
{
	struct unified_write *writes = arena_array(arena, base->write_count + 1, sizeof *writes);

	out->writes = writes;
	for (size_t i = 0; i < base->write_count; i++) {
		writes[i] = base->writes[i];
		writes[i].map = effect_map(base, out, base->writes[i].map);
		make_write(arena, targets, count, base, &writes[i]);
	}
}
