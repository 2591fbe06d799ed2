// Data and operands which the families of the core share.
'use strict';

const order = {
	Account: {
		Name: 'Firefly',
		Order: [
			{
				ID: 'o1',
				Product: [
					{ Name: 'Hat', SKU: 3, Price: 34.45, Tags: ['a', 'b'], Size: { w: 3, h: 2 } },
					{ Name: 'Cloak', SKU: 1, Price: 107.99, Tags: [], Size: { w: 2 } },
				],
			},
			{
				ID: 'o2',
				Product: [
					{ Name: 'Hat', SKU: 3, Price: 21.67, Tags: ['b'], Size: { w: 1, h: 2 } },
					{ Name: 'Trilby', SKU: 2, Price: 21.67, Tags: 'c' },
				],
			},
			{ ID: 'o3', Product: { Name: 'Cloak', SKU: 1, Price: 5, Tags: [['d'], 'e'] } },
		],
	},
	a: 1,
	b: 'two',
	c: null,
	d: true,
	e: { a: [1, 2, 3], b: { a: 'x', b: null }, c: [] },
	f: [
		{ a: 1, b: 'z' },
		{ a: 3, b: 'y', c: [{ a: 5 }, { a: 6 }] },
		{ a: 2, b: 'x', c: { a: 7 } },
	],
	n: [3, 1, 2],
	s: ['q', 'p', 'r'],
	m: [1, 'two', null, true, [4, [5]], { a: 6 }],
	g: [[1, 2], [3], [], [[4]]],
	one: [9],
	none: [],
	o: {},
};

const small = { a: { b: [{ c: 1 }, { c: 2, d: [3, 4] }] }, b: [1, 2, 3], c: 'x' };

const inputs = [order, order, order, small, [1, 2, 3], [order.f[0], order.f[1]], 'text', 5, null];

// Operands of every kind, as expressions.
const operands = [
	'0', '1', '-1', '2', '3', '10', '1.5', '-2.5', '0.1', '0.3', '1e21', '1e-7', '1e308', '5e-324',
	'9007199254740991', '1.7976931348623157e308', '123456789012', '-0',
	'""', '"a"', '"b"', '"10"', '"1"', '"𝒳y"', '"\\uFF5E"', '"\\u0000"', '"ä"', '"\\ud83d"',
	'true', 'false', 'null', 'missing', 'a', 'b', 'c', 'd', 'e', 'f', 'n', 's', 'm', 'g', 'one',
	'none', 'o', 'n[0]', 'f.a', 'f.c.a', 'f[0]', 'g[0]', 'm[4]', 'one[]', 'none[]', 'missing[]',
	'[]', '[1]', '[1,2]', '[[1]]', '[null]', '["a"]', '[missing]', '[1..3]', '[1..1]', '[[]]',
	'{}', '{"a":1}', '{"a":missing}', '$sum', 'function($x){$x}', '$uppercase', '$', '$$', '*',
	'**', '$undefinedVariable', '(1)', '()', '(1;2)', '$v', '$w', '/a/', 'f.b', 'Account.Order.ID',
];

const binary = ['+', '-', '*', '/', '%', '=', '!=', '<', '<=', '>', '>=', '&', 'and', 'or', 'in',
	'??', '?:', '~>', '.'];

const bindings = { v: 7, w: [1, { a: 2 }] };

module.exports = { order, small, inputs, operands, binary, bindings };
