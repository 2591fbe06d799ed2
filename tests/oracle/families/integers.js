// $formatInteger, $parseInteger and $formatBase over pictures of all kinds.
'use strict';

const tools = require('./_tools');

const S = (s) => JSON.stringify(s);
const GROUPS = [
	0x30, 0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0xff10, 0x1810, 0xa9d0, 0x1090, 0x1946,
];
const num = (t) =>
	t.pick([
		() => String(t.int(-30, 130)),
		() => String(t.int(-5000, 1e7)),
		() => String(t.int(0, 1e15)),
		() =>
			t.pick([
				'0',
				'-0',
				'1e21',
				'1e15',
				'1e18',
				'1.5e20',
				'1e24',
				'1e100',
				'0.5',
				'-0.5',
				'-1.5',
				'999',
				'1000',
				'1999',
				'3999',
				'4000',
				'1234567',
				'1e12',
				'1e16',
				'-1',
				'100',
				'110',
				'111',
				'112',
				'113',
				'11',
				'12',
				'21',
				'1000000',
				'1001',
				'26',
				'27',
				'52',
				'702',
				'703',
				'9007199254740993',
				'123456789012345678',
				'1e300',
			]),
		() => String(t.r() * Math.pow(10, t.int(-3, 22))),
	])();
const picture = (t) => {
	if (t.chance(0.35))
		return (
			t.pick([
				'A',
				'a',
				'I',
				'i',
				'W',
				'w',
				'Ww',
				'wW',
				'WW',
				'AA',
				'α',
				'',
				';',
				'o',
				'#',
				'*',
				'x',
				'Ii',
				'①',
			]) +
			(t.chance(0.3)
				? t.pick([';o', ';c', ';o(-en)', ';', ';a', ';t', ';;o', ';O'])
				: '')
		);
	const g = t.pick(GROUPS);
	const d = () =>
		String.fromCodePoint(
			(t.chance(0.6) ? 0 : t.int(0, 9)) + (t.chance(0.97) ? g : t.pick(GROUPS)),
		);
	let s = '';
	const n = t.int(1, 9);
	const mode = t.int(0, 3);
	for (let i = 0; i < n; i++) {
		s += t.chance(i < n / 2 ? 0.5 : 0.1) ? '#' : d();
		if (mode === 1 && (n - i - 1) % 3 === 0 && i < n - 1) s += ',';
		if (mode === 2 && t.chance(0.3))
			s += t.pick([',', '.', ' ', "'", 'x', '-', '😀', 'é', '\u0301']);
		if (mode === 3 && (n - i - 1) % 2 === 0 && i < n - 1) s += t.pick([',', '.', '😀']);
	}
	if (t.chance(0.05)) s = t.pick([',', '😀']) + s;
	if (t.chance(0.05)) s += t.pick([',', ' ']);
	return s + (t.chance(0.25) ? t.pick([';o', ';c', ';o(-e)', ';', ';oc']) : '');
};
const WORDS = [
	'zero',
	'one',
	'two',
	'three',
	'nine',
	'ten',
	'eleven',
	'nineteen',
	'twenty',
	'ninety',
	'hundred',
	'thousand',
	'million',
	'billion',
	'trillion',
	'and',
	'first',
	'third',
	'twelfth',
	'twentieth',
	'hundredth',
	'thousandth',
	'foo',
	'',
	'Twenty',
	'HUNDRED',
];
const numText = (t) =>
	t.pick([
		() => String(t.int(0, 1e7)),
		() =>
			t
				.some(t.int(1, 8), () =>
					t.pick([
						'1',
						'2',
						'0',
						'9',
						',',
						'.',
						' ',
						'-',
						'+',
						'th',
						'st',
						'e5',
						'x',
						'٠',
						'٣',
						'０',
						'９',
						'😀',
					]),
				)
				.join(''),
		() =>
			t
				.some(t.int(1, 6), () => t.pick(WORDS))
				.join(t.pick([' ', '-', ', ', ' and ', ' '])),
		() => t.some(t.int(0, 7), () => t.pick('MDCLXVImdclxviAZ')).join(''),
		() => t.some(t.int(0, 6), () => t.pick('abcxyzABZ1é😀')).join(''),
		() => t.int(0, 3000000).toLocaleString('en-US') + t.pick(['', 'th', 'st']),
	])();
const make = (t) =>
	t.pick([
		() => ({ expr: `$formatInteger(${num(t)}, ${S(picture(t))})` }),
		() => ({ expr: `$formatInteger(${num(t)}, ${S(picture(t))})` }),
		() => ({ expr: `$parseInteger(${S(numText(t))}, ${S(picture(t))})` }),
		() => {
			const p = picture(t),
				n = num(t);
			return { expr: `$parseInteger($formatInteger(${n}, ${S(p)}), ${S(p)})` };
		},
		() => ({
			expr: `$formatBase(${num(t)}, ${t.pick([2, 3, 8, 10, 16, 36, 37, 1, 0, -1, 2.5, 3.5, 35.5, 36.5, 7, 'x', '"2"', 'null', 1.5, 1e21])})`,
		}),
		() => ({ expr: `$formatBase(${num(t)})` }),
	])();

module.exports = (random) => make(tools(random));
