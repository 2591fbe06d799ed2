// Short names for the choices of a family that is mostly lists.
'use strict';

module.exports = (random) => ({
	r: random.next,
	int: random.between,
	pick: random.pick,
	chance: random.chance,
	some: (count, make) => Array.from({ length: count }, (_, at) => make(at)),
});
