// Expressions composed at random from the whole grammar.
'use strict';

const { inputs, bindings } = require('./_data');
const { expression } = require('./_grammar');

module.exports = (random) => ({
	expr: expression(random, random.between(2, 4)),
	data: random.pick(inputs),
	bindings,
});
