// Lambdas, signatures, partial application, chaining, closures, recursion, higher-order functions.
'use strict';

const { order, operands, bindings } = require('./_data');
const { callbacks, higher, expression } = require('./_grammar');

const signatures = ['<n>', '<n:n>', '<s-:s>', '<s-n?:s>', '<a<n>>', '<a<s>:a<n>>', '<(sn)>', '<(sn)-:x>',
	'<n+>', '<s+:s>', '<n?n>', '<x>', '<j>', '<f>', '<f<n:n>:n>', '<o>', '<b?>', '<l>', '<nn>', '<:n>',
	'<>', '<a-n:a>', '<a+>', '<(ao)->', '<n-n-:n>', '<u>', '<(s<n>)>', '<n<s>>', '<a<n', '<a<nn>>', '<s:>',
	'<a<a<n>>>', '<(a<n>)>', '<x+n>', '<s-?>', '< n >', '<n,n>', '<a(n)>', '<(ns', '<n$>', '<a<x>>'];
const values = ['1', '"a"', 'true', 'null', 'missing', 'n', 's', 'm', 'f', 'e', 'none', 'one', '[]', '[1,2]',
	'["a"]', '[1,"a"]', '$sum', 'function($q){$q}', '{}', '$', '[[1]]', '0', '""', '/a/', '$v', '$w', 'g'];

const shapes = [
	(r, v) => `function($x, $y)${r.pick(signatures)}{[$x, $y]}(${r.several(0, 3, v).join(', ')})`,
	(r, v) => `${v()}.function($x, $y)${r.pick(signatures)}{$x}(${r.several(0, 2, v).join(', ')})`,
	(r, v) => `($f := function($x, $y)${r.pick(signatures)}{$type($x) & $type($y)}; $f(${r.several(0, 3, v).join(', ')}))`,
	(r, v) => `($f := function($x)${r.pick(signatures)}{$x}; ${v()} ~> $f)`,
	(r, v) => `($f := function($x)${r.pick(signatures)}{$x}; ${r.pick(higher)}(${v()}, $f))`,
	(r, v) => `($f := function($x)${r.pick(signatures)}{$x}; $g := function($y){$f($y)}; $g(${v()}))`,
	(r, v) => `${r.pick(higher)}(${v()}, ${r.pick(callbacks)})`,
	(r, v) => `${r.pick(higher)}(${v()}, ${r.pick(callbacks)}, ${v()})`,
	(r, v) => `$reduce(${v()}, ${r.pick(callbacks)}, ${v()})`,
	(r, v) => `${v()} ~> ${r.pick(higher)}(${r.pick(callbacks)})`,
	(r, v) => `(${r.pick(callbacks)} ~> ${r.pick(callbacks)})(${v()})`,
	(r, v) => `(${r.pick(callbacks)} ~> ${r.pick(callbacks)} ~> ${r.pick(callbacks)})(${v()})`,
	(r, v) => `${v()} ~> ${r.pick(callbacks)} ~> ${r.pick(callbacks)}`,
	(r, v) => `${v()} ~> ${r.pick(operands)}`,
	(r, v) => `$map(${v()}, ${r.pick(callbacks)} ~> ${r.pick(callbacks)})`,
	(r, v) => `(${r.pick(callbacks)})(${r.several(0, 3, v).join(', ')})`,
	(r, v) => `($p := function($x, $y, $z){[$x, $y, $z]}(${r.pick(['?', v()])}, ${r.pick(['?', v()])}, ?); $p(${r.several(0, 3, v).join(', ')}))`,
	(r, v) => `$${r.pick(['append', 'lookup', 'zip'])}(?, ${v()})(${v()})`,
	(r, v) => `$${r.pick(['map', 'filter', 'sort'])}(${r.pick(['n', 's', 'm', 'f', 'g', '[]', 'one', '[1,"a"]'])}, ?)(${r.pick(callbacks)})`,
	(r, v) => `$${r.pick(['each', 'sift'])}(${r.pick(['e', '$', '{}', 'o', 'f[1]'])}, ?)(${r.pick(callbacks)})`,
	(r, v) => `$${r.pick(['sum(?)', 'max(?)', 'average(?)', 'sum', 'count(?)'])}(${r.pick(['n', '[1]', '[]', 'one', 'f.a'])})`,
	(r, v) => `$${r.pick(['substring(?, 1)', 'join(?, "-")', 'split(?, "")', 'contains(?, "a")', 'pad(?, 5, "x")'])}(${r.pick(['"abc"', '"2"'])})`,
	(r, v) => `$${r.pick(['power(?, 2)', 'power(2, ?)', 'formatBase(?, 2)', 'round(?, 1)', 'round(2.345, ?)', 'abs(?)'])}(${r.pick(['1', '2.55', '0', '-3'])})`,
	(r, v) => `${r.pick(['1', '"a"', 'missing', 'n', '{}', 'a', 'sum', '$v', '$foo', 'null', '(1)', '[]'])}(?)(${v()})`,
	(r, v) => `${r.pick(['sum', 'foo', 'a', '$foo', '$v', '1', '"sum"', '$$', '$', '$.a', '$sum.a', '*', '%', '(1)', '{}', '[]', '-1', 'null'])}(${r.several(0, 2, () => r.pick([v(), '?'])).join(', ')})`,
	(r, v) => `($x := ${v()}; ($x := ${v()}; $x); $x)`,
	(r, v) => `($x := ${v()}; $f := function($y){($x := $y; $x)}; [$f(${v()}), $x])`,
	(r, v) => `($f := function($n){$n <= 0 ? ${v()} : $f($n - 1)}; $f(${r.pick(['0', '3', '500', '"x"', 'missing'])}))`,
	(r, v) => `($f := function($n){$n <= 0 ? 0 : 1 + $f($n - 1)}; $f(${r.pick(['0', '3', '20', '"x"'])}))`,
	(r, v) => `($f := function($g, $x){$g($x)}; $f(${r.pick(callbacks)}, ${v()}))`,
	(r, v) => `($f := function($g){function($x){$g($g($x))}}; $f(${r.pick(callbacks)})(${v()}))`,
	(r, v) => `($compose := function($f, $g){function($x){$g($f($x))}}; $compose(${r.pick(callbacks)}, ${r.pick(callbacks)})(${v()}))`,
	(r, v) => `($y := ${v()}; $map([1,2], function($x){$y}))`,
	(r, v) => `f.($x := a; function($z){$x & $z}(${v()}))`,
	(r, v) => `$sort(${v()}, function($l, $r){${r.pick(['$l > $r', '$l < $r', '$l.a > $r.a', 'true', 'false', '$l', '1', 'missing', '"x"', '$l & $r > "1"'])}})`,
	(r, v) => `$sort(${v()})`,
	(r, v) => `(${v()})^(${r.pick(['$', '>$', 'a', '>a', '<b', 'a, >b', '$string($)', 'missing', 'missing, $', '[a]', '-a', '$v'])})`,
	(r, v) => `$each(${v()}, ${r.pick(callbacks)})`,
	(r, v) => `$sift(${v()}, ${r.pick(callbacks)})`,
	(r, v) => `${v()}.$sift(${r.pick(callbacks)})`,
	(r, v) => `$eval(${JSON.stringify(expression(r, 1))})`,
	(r, v) => `$eval(${JSON.stringify(expression(r, 1))}, ${v()})`,
	(r, v) => `($x := ${v()}; $eval("$x"))`,
	(r, v) => `($x := ${v()}; $eval("$x := 5"); $x)`,
	(r, v) => `${v()}.$eval("a")`,
	(r, v) => `$single(${v()}, ${r.pick(callbacks)})`,
	(r, v) => `$${r.pick(['count', 'append', 'distinct', 'reverse', 'zip', 'keys', 'values', 'lookup', 'spread', 'merge', 'flatten', 'exists', 'boolean', 'not', 'type', 'assert', 'error'])}(${r.several(0, 3, v).join(', ')})`,
];

module.exports = (random) => ({
	expr: random.pick(shapes)(random, () => random.pick(values)),
	data: order,
	bindings,
});
