// Expressions with a token or a character gone, doubled, changed or put in, or cut off.
'use strict';

const fs = require('fs');
const path = require('path');
const { order, bindings } = require('./_data');

const own = [
	'Account.Order.Product[Price > 30 and SKU in [1,2]].Name',
	'Account.Order@$o.Product#$i[$i < 2].{"o": $o.ID, "p": %.ID, "i": $i}',
	'$map([1..3], function($v, $i) { $v * $i })',
	'($f := function($n)<n:n>{ $n <= 1 ? 1 : $n * $f($n - 1) }; $f(5))',
	'f^(>a, <b).c[0].a[]',
	'Account.Order.Product{Name: $sum(Price), "x": [SKU]}',
	'$ ~> |Account.Order|{"n": 1}, ["ID"]|',
	'$uppercase ~> $trim ~> $length',
	'"a\\u0041\\n" & \'b\' & `c d`.e ?? 1 ?: "x"',
	'/ab[/]c/i ~> $contains(?, "x")',
	'$sort(n, function($l, $r) { $l > $r })',
	'e.* ~> $each(λ($v, $k) { $k })',
	'-1.5e3 + 0.5 % 2 != -x /* note */ or null = true',
	'[1, [2..4], "x"][1][-1]',
	'(a; b; (c))',
	'function($a, $b)<a<n>s?:(sb)>{ $a }([1])',
	'$substring(?, 0, 2)("abc")',
	'**.a.%.%.b',
];

function suiteExpressions() {
	const groups = path.join(__dirname, '../../../../shared/jsonata-suite/groups');
	if (!fs.existsSync(groups)) return own;
	const list = [];
	for (const group of fs.readdirSync(groups).sort())
		for (const file of fs.readdirSync(path.join(groups, group)).sort()) {
			if (!file.endsWith('.json')) continue;
			const text = fs.readFileSync(path.join(groups, group, file), 'utf8');
			for (const one of [].concat(JSON.parse(text)))
				if (one.expr && one.expr.length < 300 && !/shuffle|random|now|millis/.test(one.expr))
					list.push(one.expr);
		}
	return list;
}

const suite = suiteExpressions();
const tokens = ['.', '..', '[', ']', '{', '}', '(', ')', ',', '@', '#', ';', ':', '?', '+', '-', '*',
	'/', '%', '|', '=', '<', '>', '^', '**', ':=', '!=', '<=', '>=', '~>', '?:', '??', 'and', 'or',
	'in', '&', '!', '~', '$', '$x', 'a', '1', '"s"', "'", '"', '`', '\\', '/*', '*/', '/a/', 'true',
	'null', 'function', 'λ', '<', 'function(', ' ', '\n', '0', '01', '1.', '.5', '1e', '𝒳', '$$',
	'\u00a0', '\f', '1e999', '"\\u12"', '"\\x"', 'function($x)', '<n>', '|$|', '[]', '()', '{}'];

const tokenPattern =
	/\s+|\$?\w+|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`|:=|!=|<=|>=|~>|\?[:?]|\*\*|\.\.|[^]/g;

function change(random, parts) {
	const at = random.below(parts.length + 1);
	const other = () => random.pick(parts.length > 0 && random.chance(0.4) ? parts : tokens);
	random.pick([
		() => parts.splice(at, 1),
		() => parts.splice(at, 0, other()),
		() => parts.splice(at, 1, other()),
		() => parts.splice(at, 0, parts[at] || ''),
		() => parts.splice(at),
		() => parts.splice(at, 2, ...parts.slice(at, at + 2).reverse()),
		() => parts.splice(0, at),
	])();
}

module.exports = (random) => {
	const source = random.pick(random.chance(0.3) ? own : suite);
	const parts = random.chance(0.85) ? source.match(tokenPattern) || [] : [...source];
	const changes = random.weighted([[6, 1], [3, 2], [1, 3]]);
	for (let made = 0; made < changes; made++) change(random, parts);
	return { expr: parts.join(''), data: order, bindings };
};
