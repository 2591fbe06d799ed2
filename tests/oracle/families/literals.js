// Numbers, strings, escapes, names, keywords as names, comments, blanks, ranges.
'use strict';

const digits = ['0', '1', '7', '12', '100', '9007199254740992', '123456789012345680000', '00', '01'];
const bounds = ['0', '1', '-1', '3', '-2', '1.5', '1e1', '-0', '1e5', '1e21', '"1"', 'a', 'x', '10.0'];
const strings = ['a', 'é', '𝒳', '\\n', '\\t', '\\"', "\\'", '\\\\', '\\/', '\\b', '\\f', '\\r', '\\u0041',
	'\\uD835\\uDCB3', '\\ud83d', '\\udc00', '\\u12', '\\u00e', '\\x', '\\0', '\n', '\t', '/*', '\u2028', '', '\\u{1}',
	'"', "'", '`', '\\u00zz', '\\u 12', '\u0000', '\\v', '\\u+123', '\\u1 23'];
const names = ['a', 'and', 'or', 'in', 'true', 'false', 'null', 'function', 'λ', '`a b`', '`and`', '``', '`', 'é',
	'a1', '_x', 'a_b', '$and', '$or', '$in', '`a`', 'x\u00a0y', '𝒳', 'ß', '$_', '$1', '$a.b', '"and"', 'a\\b', '\\',
	'`a\\`', "'or'", 'not', 'If', 'a\u200b', '\ufeff'];
const blanks = ['', ' ', '\t', '\n', '\r\n', '\v', '\f', '\u00a0', '/**/', '/* x */', '/* * / */', '/*', '/**', '*/',
	'/* /* */', '  ', '//'];

const data = { a: 1, and: 2, or: [3, 4], in: { or: 5, and: 6 }, true: 7, null: 8, function: 9, 'a b': 10, '': 11, é: 12,
	λ: 13, 'x\u00a0y': 14, '𝒳': 15, a1: 16, false: 17 };

const number = (random) =>
	(random.chance(0.2) ? '-' : '') + random.pick(digits) +
	(random.chance(0.4) ? '.' + random.pick(['0', '5', '25', '', '000000001', '10']) : '') +
	(random.chance(0.3) ? random.pick(['e', 'E', 'e+', 'e-', 'E-']) + random.pick(['0', '1', '20', '21', '308', '309', '400', '7', '']) : '');

const string = (random) => {
	const quote = random.pick(['"', "'"]);
	return quote + random.several(0, 3, () => random.pick(strings)).join('') + (random.chance(0.93) ? quote : '');
};

const atom = (random) =>
	random.weighted([
		[3, () => number(random)],
		[3, () => string(random)],
		[4, () => random.pick(names)],
		// Not beyond 2^53, where the reference counts without end.
		[1, () => `[${random.pick(bounds)}..${random.pick(bounds)}]`],
		[1, () => `${random.pick(names)}.${random.pick(names)}`],
		[1, () => `${random.pick(names)}(${random.pick(names)})`],
		[0.5, () => random.pick(['/a/', '/[/]/', '/a', '//', '/(/', '/\\//', '/a/i', '/a/gim', '/a/x', '/)/)', '/{/}/', '/a\\\\/', '/é𝒳/m'])],
	])();

module.exports = (random) => {
	const blank = () => (random.chance(0.75) ? random.pick(['', ' ']) : random.pick(blanks));
	let expr = blank() + atom(random) + blank();
	for (let more = random.below(3); more > 0; more--)
		expr += random.pick(['+', '-', '*', '&', '=', '.', 'and', 'or', 'in', ' ', ' and ', ' or ', ' in ', '?:', '??', '~>', '/', '%', '<']) + blank() + atom(random) + blank();
	if (random.chance(0.1)) expr = `$string(${expr})`;
	return { expr, data };
};
