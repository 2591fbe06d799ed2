// Every operator over operands of every kind.
'use strict';

const { order, operands, binary, bindings } = require('./_data');

const shapes = [
	(random, x, y) => `${x} ${random.pick(binary)} ${y}`,
	(random, x, y) => `(${x}) ${random.pick(binary)} (${y})`,
	(random, x, y) => `[${x}..${y}]`,
	(random, x) => `-${x}`,
	(random, x) => `-(${x})`,
	(random, x, y, z) => `${x} ? ${y} : ${z}`,
	(random, x, y) => `${x} ? ${y}`,
	(random, x, y) => `[${x}, ${y}]`,
	(random, x, y) => `{"k": ${x}, "l": ${y}}`,
	(random, x, y) => `{${x}: ${y}}`,
	(random, x, y) => `(${x}){${y}: $}`,
	(random, x, y) => `${x}[${y}]`,
	(random, x, y) => `(${x})[${y}]`,
	(random, x, y) => `(${x}).(${y})`,
	(random, x, y) => `(${x})^(${y})`,
	(random, x, y, z) => `${x} ${random.pick(binary)} ${y} ${random.pick(binary)} ${z}`,
	(random, x, y, z) => `(${x} ${random.pick(binary)} ${y}) ${random.pick(binary)} ${z}`,
	(random, x) => `$boolean(${x})`,
	(random, x) => `$not(${x})`,
	(random, x) => `$exists(${x})`,
	(random, x) => `$type(${x})`,
	(random, x) => `$count(${x})`,
	(random, x) => `$string(${x})`,
	(random, x, y) => `$append(${x}, ${y})`,
	(random, x, y) => `(${x})[${y}][]`,
	(random, x, y) => `$x := ${x} ${random.pick(binary)} ${y}`,
];

module.exports = (random) => ({
	expr: random.pick(shapes)(random, ...random.several(3, 3, () => random.pick(operands))),
	data: order,
	bindings,
});
