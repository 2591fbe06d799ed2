// Grouping, object constructors, transforms and order-by.
'use strict';

const { order, inputs, bindings } = require('./_data');
const { expression, paths, path, predicate } = require('./_grammar');

const keys = ['Name', 'ID', 'b', '"k"', '$string(SKU)', '$string($)', 'a', 'missing', '$type($)', '$string(a)',
	'$', '"k" & a', 'SKU', 'null', '"_jsonata_lambda"', '"1"', '"0"', '$string(Price > 30)', 'Tags'];

module.exports = (random) => {
	const value = () => (random.chance(0.6) ? random.pick(['$', 'a', 'Name', '$sum(Price)', '$count($)', '[$]', '$[0]', 'Tags', '[Tags]', '$.b', 'missing', '$join(Name)', '$[]', 'Size.w', '$keys($)']) : expression(random, 1));
	const pairs = () => random.several(0, 3, () => `${random.pick(keys)}: ${value()}`).join(', ');
	const source = () => random.pick([...paths, '[1,2]', '[]', 'missing', '[[1],[2]]', '[f]', '(f)', 'f[a>1]', 'Account.Order.Product[Price>30]', '[1..3]', '{}', '[missing]', 'f[]', 'Account.Order[0].Product', '1', '"x"', 'null', '$v']);
	const expr = random.weighted([
		[4, () => `${source()}{${pairs()}}`],
		[2, () => `(${source()}){${pairs()}}`],
		[1, () => `${source()}.{${pairs()}}`],
		[1, () => `{${pairs()}}`],
		[1, () => `${source()}{${pairs()}}.${random.pick(['*', 'k', 'Hat', '$keys($)', '**'])}`],
		[1, () => `${source()}{${pairs()}}{${pairs()}}`],
		[1, () => `${source()}{${pairs()}}[${predicate(random, 1)}]`],
		[1, () => `${source()}^(${random.pick(['', '<', '>'])}${value()}){${pairs()}}`],
		[1, () => `${source()}#$i{${pairs()}}`],
		[1, () => `${source()}@$x.{${pairs()}}`],
		[2, () => `${source()} ~> |${path(random, 1)}|{${pairs()}}${random.chance(0.4) ? ', ' + random.pick(['"a"', '["a","b"]', 'Name', '1', 'missing', '$keys($)', '["a",1]', '[]', '"Name"']) : ''}|`],
		[1, () => `|${random.pick(paths)}|${value()}${random.chance(0.4) ? ', ' + value() : ''}|(${source()})`],
		[1, () => `$merge([${source()}, {${pairs()}}])`],
		[1, () => `$keys(${source()}{${pairs()}})`],
		[2, () => `${source()}^(${random.several(1, 2, () => random.pick(['', '<', '>']) + value()).join(', ')})`],
		[1, () => `$each(${source()}{${pairs()}}, function($v, $k){[$k, $v]})`],
	])();
	return { expr, data: random.chance(0.8) ? order : random.pick(inputs), bindings };
};
