// %, @ and #: tuples through predicates, sorts, groups, functions and variables.
'use strict';

const { order, bindings } = require('./_data');

const steps = ['Account', 'Order', 'Product', 'Name', 'Size', 'Tags', 'Price', 'f', 'c', 'a', '*',
	'e', 'n', 'm', 'b', 'SKU', '(Product)', '(Order.Product)', '**', '$', '(Size; Tags)', '(Tags)[0]'];
const starts = ['Account.Order.Product', 'Account.Order', 'Account', 'f', 'f.c', 'Account.Order.Product.Size',
	'e', 'e.a', 'n', 'm', '$', '$$.Account', '*', '(f)', '[f]', '(Account.Order)', 'Account.Order.(Product)',
	'$v', '$w', 'Account.Order.Product.Tags'];

module.exports = (random) => {
	const variable = () => '$' + random.pick(['x', 'y', 'i', 'j']);
	const value = (depth) =>
		random.weighted([
			[3, () => '%.' + random.pick(['ID', 'Name', 'a', 'b', 'Price', 'Order.ID'])],
			[2, () => '%.%.' + random.pick(['ID', 'Name', 'a', 'b'])],
			[1, () => '%'],
			[0.5, () => '%.%.%'],
			[3, variable],
			[1, () => variable() + '.' + random.pick(['ID', 'Name', 'a', 'Price'])],
			[2, () => random.pick(['Name', 'a', 'b', 'ID', 'Price', 'SKU', '$'])],
			[1, () => random.pick(['1', '"x"', 'true', '$$.a'])],
			[depth > 0 ? 1 : 0, () => `$string(${value(depth - 1)})`],
			[depth > 0 ? 1 : 0, () => `[${value(depth - 1)}, ${value(depth - 1)}]`],
			[depth > 0 ? 1 : 0, () => `(${value(depth - 1)})`],
			[depth > 0 ? 1 : 0, () => `${value(depth - 1)} ${random.pick(['=', '&', '!=', '+', '<', 'in', 'and', '~>'])} ${value(depth - 1)}`],
			[depth > 0 ? 0.5 : 0, () => `{"p": ${value(depth - 1)}, "q": ${value(depth - 1)}}`],
			[depth > 0 ? 0.5 : 0, () => `$map(Tags, function($t){${value(depth - 1)}})`],
			[depth > 0 ? 0.5 : 0, () => `(${variable()} := ${value(depth - 1)}; ${value(depth - 1)})`],
			[depth > 0 ? 0.5 : 0, () => `${value(depth - 1)} ? ${value(depth - 1)} : ${value(depth - 1)}`],
			[depth > 0 ? 0.5 : 0, () => `-${value(depth - 1)}`],
		])();
	const behind = () =>
		random.weighted([
			[6, () => ''],
			[2, () => '@' + variable()],
			[2, () => '#' + variable()],
			[1, () => '@' + variable() + '#' + variable()],
			[2, () => `[${value(1)}]`],
			[1, () => `[${random.pick(['0', '1', '-1', '[0,1]'])}]`],
			[0.7, () => '[]'],
			[1, () => `^(${random.pick(['', '>', '<'])}${value(1)})`],
			[0.5, () => `{${random.pick(['Name', 'ID', '"k"', '$string(%.ID)', '$string($i)'])}: ${value(1)}}`],
		])();
	let expr = random.pick(starts) + behind() + (random.chance(0.4) ? behind() : '');
	for (let more = random.between(0, 3); more > 0; more--)
		expr += '.' + random.weighted([
			[3, () => random.pick(steps)],
			[1, () => '%'],
			[1, () => `(${value(1)})`],
			[1, () => `{"v": ${value(1)}, "w": ${value(1)}}`],
			[1, () => value(1)],
		])() + behind() + (random.chance(0.3) ? behind() : '');
	if (random.chance(0.1)) expr = `(${expr})${behind()}`;
	if (random.chance(0.1)) expr = `$count(${expr})`;
	return { expr, data: order, bindings };
};
