// A seeded source of choices (mulberry32); the same seed gives the same cases anywhere.
'use strict';

function makeRandom(seed) {
	let state = seed >>> 0;
	const next = () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
	};
	const random = {
		next,
		below: (end) => Math.floor(next() * end),
		between: (low, high) => low + Math.floor(next() * (high - low + 1)),
		chance: (share) => next() < share,
		pick: (list) => list[Math.floor(next() * list.length)],
		// One of `list`, the items of [weight, item].
		weighted: (list) => {
			let rest = next() * list.reduce((sum, [weight]) => sum + weight, 0);
			for (const [weight, item] of list) {
				rest -= weight;
				if (rest < 0) return item;
			}
			return list[list.length - 1][1];
		},
		// `count` (or one of low..high) made by `make`, as an array.
		several: (low, high, make) =>
			Array.from({ length: random.between(low, high) }, (_, at) => make(at)),
	};
	return random;
}

// A number from a text, so that every family has its own stream.
function hash(text) {
	let value = 2166136261;
	for (let at = 0; at < text.length; at++)
		value = Math.imul(value ^ text.charCodeAt(at), 16777619);
	return value >>> 0;
}

module.exports = { makeRandom, hash };
