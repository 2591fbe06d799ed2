// A grammar of expressions over the shared datum: each rule is a function of the random source
// and the depth that is left.
'use strict';

const names = ['a', 'b', 'c', 'd', 'e', 'f', 'n', 's', 'm', 'g', 'one', 'none', 'o', 'Account',
	'Order', 'Product', 'Name', 'SKU', 'Price', 'Tags', 'Size', 'w', 'h', 'ID', 'missing'];
const variables = ['$', '$$', '$v', '$w', '$x', '$y', '$i', '$f', '$missing'];
const literals = ['0', '1', '2', '-1', '1.5', '-0.5', '"a"', '"b"', '""', '"Hat"', 'true', 'false',
	'null', '10', '"two"', "'x'"];
const operators = ['+', '-', '*', '/', '%', '=', '!=', '<', '<=', '>', '>=', '&', '&', 'and', 'or',
	'in', '??', '?:'];
const paths = ['Account.Order', 'Account.Order.Product', 'Account.Order.Product.Name', 'f', 'f.a',
	'f.c', 'f.c.a', 'e', 'e.a', 'e.b', 'n', 's', 'm', 'g', 'one', 'none', 'o', '*', '**', 'e.*',
	'Account.Order.Product.Tags', 'Account.**.Name', '**.a', '$', '$$', 'Account.Order.ID',
	'Account.Order.Product.Size.w', 'f[0]', 'n[1]', 'g[0]', 'm[4]', 'm[4][1]'];
const functions = {
	1: ['$sum', '$count', '$max', '$min', '$average', '$string', '$number', '$boolean', '$not',
		'$exists', '$type', '$keys', '$values', '$reverse', '$distinct', '$sort', '$length', '$spread',
		'$merge', '$flatten', '$uppercase', '$lowercase', '$trim', '$abs', '$floor', '$join', '$zip'],
	2: ['$append', '$lookup', '$join', '$contains', '$split', '$zip', '$power', '$substring',
		'$formatBase', '$round', '$pad'],
};
const higher = ['$map', '$filter', '$single', '$reduce', '$sort', '$sift', '$each'];
const callbacks = [
	'$sum', '$string', '$boolean', '$uppercase', '$not', '$exists', '$count', '$keys', '$type',
	'function($v){$v}', 'function($v,$i){$i}', 'function($v,$i,$a){$count($a)}', 'function(){1}',
	'function($v){$v > 1}', 'function($p,$q){$p + $q}', 'function($p,$q){$p > $q}',
	'function($p,$q){$p.a > $q.a}', 'function($v,$k){$k & $v}', 'function($v){$v.a}', '$append(?, 1)',
	'function($v)<n:n>{$v}', 'function($v)<s-:s>{$v}', 'function($v)<a<n>>{$v}', '$lookup(?, "a")',
	'function($p,$q,$r,$s){[$p,$q,$r,$s]}', '$f', '$zip(?, [1,2])', '/a/', '$missing', '1',
];

function path(random, depth) {
	const step = () =>
		random.weighted([
			[8, () => random.pick(names)],
			[1, () => '*'],
			[1, () => '**'],
			[0.7, () => '%'],
			[1, () => `(${expression(random, depth - 1)})`],
			[0.7, () => `[${expression(random, depth - 1)}]`],
			[0.7, () => `{${random.pick(['"k"', 'Name', 'b', '$string($)'])}: ${expression(random, depth - 1)}}`],
			[0.7, () => call(random, depth - 1)],
			[0.3, () => '"a"'],
			[0.4, () => random.pick(variables)],
			[0.1, () => random.pick(literals)],
		])();
	const behind = () =>
		random.weighted([
			[10, () => ''],
			[3, () => `[${predicate(random, depth - 1)}]`],
			[1, () => '[]'],
			[0.6, () => `@$${random.pick(['x', 'y', 'i'])}`],
			[0.6, () => `#$${random.pick(['i', 'x', 'y'])}`],
			[0.6, () => `^(${random.pick(['', '<', '>'])}${expression(random, depth - 1)})`],
			[0.4, () => `{${random.pick(['"k"', 'Name', 'b', '$string($)', 'ID'])}: ${expression(random, depth - 1)}}`],
		])();
	let text = random.chance(0.6) ? random.pick(paths) : step();
	text += behind();
	for (let more = random.below(4); more > 0; more--) text += '.' + step() + behind();
	return text;
}

function predicate(random, depth) {
	return random.weighted([
		[3, () => random.pick(['0', '1', '-1', '1.7', '-2', '5', '-0.5'])],
		[1, () => random.pick(['[0,1]', '[0,-1]', '[0,0]', '[[0]]', '[1..2]', '[]', '["a"]', '[true]'])],
		[1, () => random.pick(['true', 'false', 'null', '"x"', '""', 'missing', '$'])],
		[3, () => `${random.pick(names)} ${random.pick(['=', '>', '<', '!='])} ${random.pick(literals)}`],
		[2, () => `$ ${random.pick(['=', '>', '<', '!='])} ${random.pick(literals)}`],
		[1, () => `%.${random.pick(names)} = ${random.pick(literals)}`],
		[1, () => random.pick(variables)],
		[2, () => expression(random, depth)],
	])();
}

function lambda(random, depth) {
	const parameters = random.several(0, 3, () => random.pick(['$x', '$y', '$i', '$f'])).join(', ');
	const signature = random.chance(0.2)
		? random.pick(['<n:n>', '<s-:s>', '<a<n>:n>', '<x+:x>', '<(sn)?:x>', '<j-n?:b>', '<f:f>', '<o-s:x>'])
		: '';
	return `function(${parameters})${signature}{${expression(random, depth - 1)}}`;
}

function call(random, depth) {
	const argument = () => expression(random, depth - 1);
	return random.weighted([
		[4, () => `${random.pick(functions[1])}(${argument()})`],
		[2, () => `${random.pick(functions[2])}(${argument()}, ${argument()})`],
		[0.5, () => `${random.pick(functions[1])}()`],
		[3, () => `${random.pick(higher)}(${argument()}, ${random.chance(0.7) ? random.pick(callbacks) : lambda(random, depth)})`],
		[0.3, () => `$reduce(${argument()}, ${random.pick(callbacks)}, ${argument()})`],
		[1, () => `${lambda(random, depth)}(${random.several(0, 3, argument).join(', ')})`],
		[0.5, () => `$f(${random.several(0, 3, argument).join(', ')})`],
		[0.3, () => `${random.pick(names)}(${argument()})`],
		[0.3, () => `$append(?, ${argument()})(${argument()})`],
		[0.3, () => `$eval(${JSON.stringify(expression(random, depth - 1))})`],
	])();
}

function block(random, depth) {
	const part = () =>
		random.chance(0.5)
			? `$${random.pick(['x', 'y', 'f', 'i'])} := ${random.chance(0.3) ? lambda(random, depth - 1) : expression(random, depth - 1)}`
			: expression(random, depth - 1);
	return `(${random.several(1, 3, part).join('; ')}${random.chance(0.1) ? ';' : ''})`;
}

function expression(random, depth) {
	if (depth <= 0)
		return random.weighted([
			[4, () => random.pick(paths)],
			[3, () => random.pick(literals)],
			[2, () => random.pick(names)],
			[1, () => random.pick(variables)],
		])();
	const sub = () => expression(random, depth - 1);
	return random.weighted([
		[8, () => path(random, depth)],
		[4, () => `${sub()} ${random.pick(operators)} ${sub()}`],
		[1, () => `(${sub()}) ${random.pick(operators)} (${sub()})`],
		[1, () => `-${sub()}`],
		[2, () => `[${random.several(0, 3, sub).join(', ')}]`],
		[0.5, () => `[${sub()}..${sub()}]`],
		[2, () => `{${random.several(0, 2, () => random.pick(['"k"', '"l"', 'Name', 'b', '$type($)']) + ': ' + sub()).join(', ')}}`],
		[2, () => `${sub()} ? ${sub()}${random.chance(0.8) ? ' : ' + sub() : ''}`],
		[4, () => call(random, depth)],
		[3, () => block(random, depth)],
		[1, () => `(${sub()})[${predicate(random, depth - 1)}]`],
		[0.5, () => `(${sub()})[]`],
		[0.5, () => `(${sub()}){${random.pick(['"k"', 'Name', 'b', '$string($)'])}: ${sub()}}`],
		[0.5, () => `(${sub()})^(${random.pick(['', '<', '>'])}${sub()})`],
		[1, () => `${sub()} ~> ${random.pick(callbacks)}`],
		[0.5, () => `${sub()} ~> ${call(random, depth - 1)}`],
		[0.5, () => `${sub()} ~> |${path(random, depth - 1)}|${sub()}${random.chance(0.3) ? ', ' + random.pick(['"a"', '["a","b"]', sub()]) : ''}|`],
		[0.3, () => lambda(random, depth)],
	])();
}

module.exports = { names, variables, literals, paths, callbacks, higher, path, predicate, lambda,
	call, block, expression };
