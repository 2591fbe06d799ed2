/* Rival of `bench/run json`: simdjson's DOM reads. json_simdjson SECONDS FILE
 *
 * As its user would at best: a padded text and one parser, used again. */
#include <simdjson.h>

#include "json_timing.h"

struct work {
	simdjson::padded_string text;
	simdjson::dom::parser parser;
};

static void turn(void *context)
{
	struct work *work = static_cast<struct work *>(context);

	if (work->parser.parse(work->text).error() != simdjson::SUCCESS) {
		fprintf(stderr, "simdjson cannot do it\n");
		exit(1);
	}
}

int main(int count, char **arguments)
{
	struct work work;

	if (count != 3)
		return 2;
	work.text = simdjson::padded_string::load(arguments[2]);
	printf("parse %.1f\n", best_speed(strtod(arguments[1], nullptr), work.text.size(), turn, &work));
	return 0;
}
