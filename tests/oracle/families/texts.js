// Functions of texts over white space, letters of all cases, astral characters and halves of them.
'use strict';

const tools = require('./_tools');

const S = (s) => JSON.stringify(s);
const CH = [
	'a',
	'b',
	'c',
	'A',
	'B',
	'Z',
	'z',
	'0',
	'1',
	' ',
	'  ',
	'\t',
	'\n',
	'\r',
	'\u00a0',
	'\ufeff',
	'\u2028',
	'\u000b',
	'\f',
	'.',
	',',
	'-',
	'/',
	'\\',
	'"',
	"'",
	'$',
	'%',
	'+',
	'&',
	'?',
	'=',
	'#',
	'%20',
	'%E2%82',
	'%C3%A9',
	'é',
	'ß',
	'İ',
	'ı',
	'Σ',
	'σ',
	'ς',
	'ΑΣ',
	'ǆ',
	'ﬁ',
	'ŉ',
	'\u0301',
	'\u0345',
	'😀',
	'𝒳',
	'𐐀',
	'𐐨',
	'\ud83d',
	'\ude00',
	'\ud800',
	'\udfff',
	'\u0000',
	'\u001f',
	'\u007f',
	'\u0085',
	'日本',
	'ﬀ',
	'ẞ',
	'Ω',
	'Å',
	'ΐ',
	'👨‍👩‍👧',
	'ꭰ',
	'Ꭰ',
	'ᲀ',
	'꟔',
];
const str = (t, n = 8) =>
	t.some(t.int(0, n), () => (t.chance(0.4) ? t.pick('abcABC 01') : t.pick(CH))).join('');
const sub = (t, s) => {
	const a = t.int(0, s.length),
		b = t.int(a, Math.min(s.length, a + 3));
	return s.slice(a, b);
};
const odd = (t) =>
	t.pick([
		'null',
		'true',
		'false',
		'1',
		'-1',
		'1.5',
		'[]',
		'{}',
		'["a"]',
		'["a","b"]',
		'[1]',
		'x',
		'$sum',
		'function($x){$x}',
		'[["a"]]',
		'{"a":"b"}',
		'/a/',
		'""',
		'" "',
	]);
const n = (t) =>
	t.pick([
		() => String(t.int(-12, 12)),
		() => String(t.int(-3, 4)),
		() =>
			t.pick([
				'1.5',
				'-1.5',
				'0.5',
				'-0.5',
				'2.9',
				'1e10',
				'-1e10',
				'0',
				'-0',
				'1e300',
				'-2.1',
				'-3.9',
			]),
	])();
const numv = (t) =>
	t.pick([
		'0',
		'1',
		'-1',
		'0.1',
		'1/3',
		'2/3',
		'1e21',
		'1e20',
		'123456789.123456789',
		'1e-7',
		'1e-6',
		'0.000001234567890123456',
		'1.0000000000000002',
		'100',
		'1e300',
		'5e-324',
		'-1/3',
		'0.1+0.2',
		'1e15/7',
		'1e16/7',
		'123456789012345680000',
		'-0',
		'9007199254740991',
		'1.7976931348623157e308',
		'1e5/3',
		'1.5e-10',
		'999999999999999.9',
		'0.1*3',
		'4.35*100',
		'1.1*1.1',
		'1e21/3',
		'1e-5/3',
	]);
const val = (t, d = 0) =>
	t.pick([
		() => numv(t),
		() => S(str(t, 4)),
		() => t.pick(['null', 'true', 'false']),
		() =>
			d > 2
				? '1'
				: '[' + t.some(t.int(0, 3), () => val(t, d + 1)).join(',') + ']',
		() =>
			d > 2
				? '{}'
				: '{' +
					t
						.some(
							t.int(0, 3),
							(i) =>
								S(
									t.pick([
										'a',
										'b',
										'é',
										'\ud83d',
										'"',
										'\n',
										'k',
									]) + i,
								) +
								':' +
								val(t, d + 1),
						)
						.join(',') +
					'}',
		() =>
			t.pick([
				'x',
				'$sum',
				'function($a){$a}',
				'/a/',
				'$uppercase',
				'$substring(?,1)',
				'$uppercase~>$lowercase',
				'(1;2)',
				'[1..3]',
				'{"a":function(){1}}',
				'[$sum,1]',
				'|a|{}|',
			]),
	])();
const one = (t) => (t.chance(0.93) ? S(str(t)) : odd(t));
const FN = [
	'length',
	'uppercase',
	'lowercase',
	'trim',
	'encodeUrl',
	'encodeUrlComponent',
	'decodeUrl',
	'decodeUrlComponent',
	'base64encode',
	'base64decode',
	'string',
	'boolean',
	'not',
	'number',
	'type',
	'exists',
	'keys',
	'spread',
	'reverse',
	'distinct',
	'eval',
];
const b64 = (t) =>
	t.pick([
		() => Buffer.from(str(t), 'utf8').toString('base64'),
		() =>
			t
				.some(t.int(0, 12), () =>
					t.pick([
						'A',
						'Q',
						'z',
						'/',
						'+',
						'-',
						'_',
						'=',
						' ',
						'\n',
						'9',
						'é',
						'😀',
						'!',
						'==',
						'%',
						'\u0141',
						'\u012b',
						'\u2028',
					]),
				)
				.join(''),
	])();
const url = (t) =>
	t
		.some(t.int(0, 8), () =>
			t.pick([
				'%',
				'%2',
				'%41',
				'%c3%a9',
				'%E2%82%AC',
				'%F0%9F%98%80',
				'%C0%80',
				'%ED%A0%80',
				'%FF',
				'%80',
				'%zz',
				'%25',
				'%2F',
				'%3b',
				'%23',
				'%00',
				'a',
				' ',
				'é',
				'/',
				'?',
				'#',
				'+',
				'%F4%90%80%80',
				'%E2%82',
				'%7F',
				'\ud83d',
				'%24',
				'%2B',
				'%2c',
				'%3A',
				'%40',
				'%26',
				'%3D',
			]),
		)
		.join('');
const make = (t) =>
	t.pick([
		() => ({ expr: `$${t.pick(FN)}(${one(t)})` }),
		() => ({ expr: `${one(t)}.$${t.pick(FN)}()` }),
		() => {
			const s = str(t);
			return {
				expr: `$${t.pick(['substringBefore', 'substringAfter', 'contains'])}(${S(s)}, ${t.chance(0.9) ? S(t.chance(0.7) ? sub(t, s) : str(t, 2)) : odd(t)})`,
			};
		},
		() => ({
			expr: `$substring(${one(t)}, ${t.chance(0.95) ? n(t) : odd(t)}${t.chance(0.5) ? ', ' + (t.chance(0.95) ? n(t) : odd(t)) : ''})`,
		}),
		() => ({
			expr: `$pad(${one(t)}, ${t.chance(0.95) ? String(t.pick([t.int(-20, 20), 7.9, -7.9, 0.5])) : odd(t)}${t.chance(0.6) ? ', ' + (t.chance(0.9) ? S(str(t, 3)) : odd(t)) : ''})`,
		}),
		() => {
			const s = str(t);
			return {
				expr: `$split(${S(s)}, ${t.chance(0.9) ? S(t.chance(0.7) ? sub(t, s) : str(t, 2)) : odd(t)}${t.chance(0.4) ? ', ' + t.pick(['0', '1', '2', '3', '-1', '1.5', '0.5', '1e10', 'x', 'null', '"1"', '4294967296', '4294967297', '-0.5']) : ''})`,
			};
		},
		() => {
			const s = str(t);
			return {
				expr: `$join($split(${S(s)}, ${S(sub(t, s))}), ${S(t.chance(0.5) ? sub(t, s) : str(t, 2))})`,
			};
		},
		() => ({
			expr: `$join(${t.chance(0.8) ? '[' + t.some(t.int(0, 4), () => (t.chance(0.95) ? S(str(t, 3)) : odd(t))).join(',') + ']' : odd(t)}${t.chance(0.7) ? ', ' + (t.chance(0.9) ? S(str(t, 2)) : odd(t)) : ''})`,
		}),
		() => {
			const s = str(t);
			return {
				expr: `$replace(${S(s)}, ${t.chance(0.95) ? S(t.chance(0.8) ? sub(t, s) : str(t, 2)) : odd(t)}, ${t.chance(0.9) ? S(t.pick([str(t, 3), '$', '$$', '$1', '$0', '$&'])) : odd(t)}${t.chance(0.3) ? ', ' + t.pick(['0', '1', '2', '-1', '1.5', 'x', 'null', '"1"']) : ''})`,
			};
		},
		() => ({
			expr: `$string(${val(t)}${t.chance(0.4) ? ', ' + t.pick(['true', 'false', 'x', '1', 'null']) : ''})`,
		}),
		() => ({
			expr: `$string(a${t.chance(0.3) ? ', true' : ''})`,
			data: {
				a: t.pick([
					1,
					1.1,
					1 / 3,
					1e21,
					1e-7,
					'x',
					null,
					true,
					[],
					{},
					[1.23456789012345678],
					{ b: [0.1 + 0.2, null] },
					[[]],
					[{}],
					'\ud83d',
					12345678901234567,
					1e100,
				]),
			},
		}),
		() => ({ expr: `${val(t, 2)} & ${val(t, 2)}` }),
		() => ({ expr: `$base64decode(${S(b64(t))})` }),
		() => ({ expr: `$${t.pick(['decodeUrl', 'decodeUrlComponent'])}(${S(url(t))})` }),
		() => ({ expr: `a.$length() & a`, data: { a: str(t) } }),
		() => ({
			expr: `$length(a & b) & ":" & $substring(a & b, ${t.int(0, 4)}, ${t.int(1, 3)})`,
			data: { a: str(t, 3), b: str(t, 3) },
		}),
		() => ({ expr: `a = b and a < b or a > b`, data: { a: str(t, 3), b: str(t, 3) } }),
		() => ({
			expr: `$sort([a,b,c])`,
			data: { a: str(t, 3), b: str(t, 3), c: str(t, 2) },
		}),
		() => ({ expr: `{a: b}.*`, data: { a: str(t, 2), b: str(t, 3) } }),
	])();

module.exports = (random) => make(tools(random));
