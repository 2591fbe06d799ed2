// Functions whose last act is a call: what a builtin answers there stays a sequence, for the reference's loop
// around tail calls hands it on as it is.
'use strict';

const { order, bindings } = require('./_data');

const things = ['$x', '[$x]', '{"k": $x}', '[$x, $x]', '$x.a', '[]', '{}', 'missing', '"ab"', '1', '[[1]]', '[{"a": [1]}]'];
const inner = ['function($v){true}', 'function($v){false}', 'function($v){$v}', 'function($v){[$v]}', '$string', '$keys',
	'function($v){$filter([$v], function($w){true})}', 'function($v){missing}'];
const calls = [
	(r) => `$keys(${r.pick(things)})`, (r) => `$spread(${r.pick(things)})`, (r) => `$lookup(${r.pick(things)}, "a")`,
	(r) => `$match("ab", /${r.pick(['a', 'x', '.', '(b)'])}/)`, (r) => `$filter(${r.pick(things)}, ${r.pick(inner)})`,
	(r) => `$map(${r.pick(things)}, ${r.pick(inner)})`, (r) => `$each({"a": ${r.pick(things)}}, ${r.pick(inner)})`,
	(r) => `$sift({"a": ${r.pick(things)}}, ${r.pick(inner)})`, (r) => `$append(${r.pick(things)}, ${r.pick(things)})`,
	(r) => `$distinct(${r.pick(things)})`, (r) => `$reverse(${r.pick(things)})`, (r) => `$sort(${r.pick(things)})`,
	(r) => `$zip(${r.pick(things)}, ${r.pick(things)})`, (r) => `$split("a", "${r.pick(['', 'a', '-'])}")`,
	(r) => `$reduce(${r.pick(things)}, function($p, $q){$append($p, $q)})`, (r) => `$merge(${r.pick(things)})`,
	(r) => `$eval("${r.pick(['[1]', 'a', '$', '[1][0]', 'missing', '$keys($)'])}")`, (r) => `$type(${r.pick(things)})`,
	(r) => `$count(${r.pick(things)})`, (r) => `$exists(${r.pick(things)})`, (r) => `$single(${r.pick(things)}, ${r.pick(inner)})`,
	(r) => `(${r.pick(inner)})(${r.pick(things)})`, (r) => `$flatten(${r.pick(things)})`, (r) => `$id(${r.pick(things)})`,
];
const wrappers = [
	(r, c) => c, (r, c) => c, (r, c) => c, (r, c) => `(${c})`, (r, c) => `($y := 1; ${c})`, (r, c) => `true ? ${c} : 1`,
	(r, c) => `missing ? 1 : ${c}`, (r, c) => `(1; true ? (${c}))`, (r, c) => `${c}[]`, (r, c) => `${c}[0]`, (r, c) => `[${c}]`,
	(r, c) => `${c}.$`, (r, c) => `$id(${c})`, (r, c) => `$last(${c})`, (r, c) => `$x ~> $id`, (r, c) => `${c} ~> $id`,
];
const uses = [
	(f) => `$map([1, {"a": 2}], ${f})`, (f) => `$map([[{"a": 1}]], ${f})`, (f) => `$filter([1, {"a": 2}], ${f})`,
	(f) => `$each({"a": 1, "b": {"a": 3}}, ${f})`, (f) => `$sift({"a": 1, "b": [1]}, ${f})`, (f) => `$single([{"a": 1}], ${f})`,
	(f) => `$reduce([1, 2, 3], ${f})`, (f) => `$reduce([1], ${f}, [2])`, (f) => `$sort([2, 1], ${f})`,
	(f) => `(${f})({"a": 1})`, (f) => `[(${f})({"a": 1})]`, (f) => `(${f})([{"a": 1}])[]`, (f) => `{"a": 1} ~> ${f}`,
	(f) => `[{"a": 1}, 2].(${f})($)`, (f) => `($f := ${f}; $map([{"a": 1}], $f ~> $string))`,
	(f) => `($f := ${f}; $map([{"a": 1}], $f(?)))`, (f) => `($f := ${f}; $map([{"a": 1}], function($z){$f($z)}))`,
	(f) => `$ ~> |e|{"t": (${f})(e)}|`, (f) => `$map([{"a": 1}, 5], (${f}) ~> $count)`, (f) => `{"k": (${f})([1])}`,
	(f) => `$type((${f})({"a": 1}))`, (f) => `$replace("ab", /a/, ${f})`, (f) => `[1, 2][(${f})($)]`,
	(f) => `[{"a": 1}]^((${f})($))`, (f) => `[{"a": 1}, {"a": 1}]{$string((${f})(a)): $count($)}`,
];

module.exports = (random) => {
	const call = random.pick(wrappers)(random, random.pick(calls)(random));
	const parameters = random.pick(['$x', '$x', '$x, $k', '$x, $k, $w']);
	const use = random.pick(uses)(`function(${parameters}){${call}}`);
	return { expr: `($id := function($i){$i}; $last := function($l){$id($l)}; ${use})`, data: order, bindings };
};
