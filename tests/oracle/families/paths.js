// Paths with all that may stand behind a step, and what keeps or loses arrays.
'use strict';

const { inputs, bindings } = require('./_data');
const { path, expression, paths, predicate } = require('./_grammar');

module.exports = (random) => {
	const expr = random.weighted([
		[5, () => path(random, 2)],
		[2, () => `(${path(random, 1)})${random.pick(['', '[]', '[0]', '[-1]', '[0][]', '[][0]'])}.${path(random, 1)}`],
		[1, () => `[${path(random, 1)}].${path(random, 1)}`],
		[1, () => `$count(${path(random, 2)})`],
		[1, () => `${path(random, 1)}[${predicate(random, 1)}][${predicate(random, 1)}]`],
		[1, () => `{"r": ${path(random, 1)}, "s": [${path(random, 1)}]}`],
		[1, () => `${random.pick(paths)}.(${random.pick(['$x', '$', 'a', '[a]', '[]'])} ${random.pick(['=', '&', 'in'])} ${expression(random, 1)})`],
		[1, () => `(${path(random, 1)}; ${path(random, 1)})`],
		[1, () => `($x := ${path(random, 1)}; $x.${path(random, 1)})`],
	])();
	return { expr, data: random.pick(inputs), bindings };
};
