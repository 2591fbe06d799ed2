// $fromMillis and $toMillis over pictures, ISO 8601, time zones; the shape of $now.
'use strict';

const tools = require('./_tools');

const S = (s) => JSON.stringify(s);
const DAY = 86400000;
const ms = (t) =>
	t.pick([
		() => t.int(-3e11, 2e12),
		() => t.int(-62135596800000, 253402300799999),
		() =>
			t.pick([
				0,
				-1,
				1,
				1521801216617,
				-62135596800000,
				-62167219200000,
				-62167219200001,
				253402300800000,
				8.64e15,
				-8.64e15,
				8.64e15 + 1,
				1e18,
				951782400000,
				1.5,
				1521801216617.9,
				-0.5,
				1e300,
				1230768000000 + 31e9,
			]),
		() =>
			Math.floor(t.int(1, 3000) * 365.2425 * DAY) -
			62135596800000 +
			t.int(-3, 3) * DAY,
		() => t.int(-8.7e15, 8.7e15),
		() =>
			Date.UTC(
				t.int(1990, 2035),
				t.pick([0, 11, t.int(0, 11)]),
				t.pick([1, 2, 3, 4, 28, 29, 30, 31]),
				t.int(0, 23),
				t.int(0, 59),
				t.int(0, 59),
				t.int(0, 999),
			),
	])();
const COMP = 'YMDdFWwXxHhPmsfZzCE';
const marker = (t) => {
	const c = t.chance(0.97)
		? t.pick(COMP)
		: t.pick(['y', 'S', 'Q', 'é', '', '1', '😀', ',', '*']);
	let s = c;
	if (t.chance(0.65))
		s += t.pick([
			'1',
			'01',
			'001',
			'0001',
			'1',
			'01',
			'0',
			'00',
			'#1',
			'##01',
			'1o',
			'01o',
			'N',
			'n',
			'Nn',
			'Nn',
			'NN',
			'I',
			'i',
			'A',
			'a',
			'w',
			'W',
			'Ww',
			'wo',
			'Wwo',
			'Wo',
			'9',
			'٠١',
			'９９',
			'x',
			'α',
			'01t',
			'1t',
			'00:00',
			'01:01',
			'01:01t',
			'0101',
			'0101t',
			'00000',
			'000',
			'#',
			',',
			'1,000',
			'0,0',
			'1c',
			'1a',
			'No',
			'no',
			'nN',
			'o',
			't',
			'Nno',
			'#,##0',
			'0.0',
			'0-0',
		]);
	if (t.chance(0.3))
		s +=
			',' +
			t.pick([
				'2',
				'4',
				'1',
				'3-3',
				'2-2',
				'*-2',
				'*-3',
				'3-*',
				'*',
				'1-1',
				'',
				'-',
				'0',
				'10',
				'2-4',
				'4-2',
				'*-*',
				'x',
				'*-4',
				'3-3',
				'*-9',
				'-3',
				'3-',
				'0-3',
				'1.5',
			]);
	if (t.chance(0.06)) s = s.split('').join(' ');
	if (t.chance(0.02)) s = '\n' + s + '\u00a0';
	return '[' + s + ']';
};
const lit = (t) =>
	t.pick([
		'-',
		'/',
		' ',
		'T',
		':',
		'.',
		', ',
		' of ',
		'[[',
		']]',
		' [[x]] ',
		'',
		'',
		'Z',
		'(',
		'$',
		'\\',
		'é',
		'😀',
		']',
		'a|b',
		'1',
		'+',
		'*',
		'^',
	]);
const picture = (t) => {
	if (t.chance(0.1))
		return t.pick([
			'[Y0001]-[M01]-[D01]T[H01]:[m01]:[s01].[f001][Z01:01t]',
			'[D#1,2]/[M1,2]/[Y,4]',
			'[MNn] [D1o], [Y]',
			'[FNn], [D] [MNn,*-3] [Y]',
			'[h#1]:[m01][P]',
			'[X0001]-W[W01]-[F1]',
			'[Y]-[d001]',
			'Week: [W] of [xNn] [w]',
			'[H]',
			'[',
			'[Y',
			'no',
			'',
			'[[Y]]',
			'[]',
			'[Y]]',
			'[YI]',
			'[Yi] [MA]',
			'[Dwo] of [MNn], [Y]',
			'[Y][M01][D01]',
			'[Y0001][M01][D01][H01][m01][s01]',
			'[f1]',
			'[f001]',
			'[Z]',
			'[z]',
			'[E] [C]',
			'[Y,2-2]',
			'[Y01]',
			'[Y0001] [MNn,3-3] [D01]',
			'[PN]',
			'[Pn]',
			'[PNn]',
		]);
	let s = '';
	const n = t.int(1, 5);
	for (let i = 0; i < n; i++) s += marker(t) + (t.chance(0.8) ? lit(t) : '');
	if (t.chance(0.05)) s += t.pick(['[', '[[', ']', '[Y']);
	if (t.chance(0.2)) s = lit(t) + s;
	return s;
};
const tidy = (t) => {
	const m = t.pick([
		['[Y0001]', '[M01]', '[D01]'],
		['[Y0001]', '[MNn]', '[D1o]'],
		['[D1]', '[MNn,3-3]', '[Y]'],
		['[Y]', '[d001]'],
		['[Y]', '[d]'],
		['[FNn]', '[D01]', '[MNn]', '[Y0001]'],
		['[Yw]', '[Mw]', '[Dwo]'],
		['[YI]', '[MI]', '[Di]'],
		['[Y]', '[M]'],
		['[Y]'],
		['[M]', '[D]'],
		['[X]', '[W]', '[F]'],
		['[Y]', '[MA]', '[Da]'],
	]);
	const h = t.pick([
		['[H01]', '[m01]', '[s01]'],
		['[h]', '[m]', '[P]'],
		['[h]', '[m]', '[s]', '[PN]'],
		['[H]'],
		['[H]', '[m01]', '[s01]', '[f001]'],
		['[H01]', '[m01]', '[Z]'],
		['[H01]', '[m01]', '[Z0101]'],
		['[H01]', '[m01]', '[z]'],
		['[H]', '[s]'],
		[],
		['[H1]', '[m1o]'],
		['[Hw]', '[mw]'],
	]);
	const sep = t.pick(['-', '/', ' ', '.', ', ', '|', '']);
	return (
		m.join(sep) +
		(h.length
			? t.pick(['T', ' ', ' at ', '']) + h.join(t.pick([':', '.', ' ', '']))
			: '')
	);
};
const tz = (t) =>
	t.pick([
		'"+0100"',
		'"-0500"',
		'"+0530"',
		'"-0330"',
		'"0000"',
		'"+1400"',
		'"-1200"',
		'"Z"',
		'""',
		'"+01:00"',
		'"100"',
		'"-30"',
		'"+0060"',
		'"abc"',
		'"+9999"',
		'x',
		'1',
		'"+5"',
		'" 0200"',
		'"-0015"',
		'"+00100"',
		'"1e3"',
	]);
const iso = (t) => {
	const p = (n, w) => String(n).padStart(w, '0');
	let s = p(t.int(0, 9999), 4);
	if (t.chance(0.2))
		s = t.pick([
			'0000',
			'1970',
			'2024',
			'2023',
			'9999',
			'12345',
			'-0001',
			'+002020',
			'99',
		]);
	if (t.chance(0.9)) s += '-' + p(t.chance(0.9) ? t.int(1, 12) : t.int(0, 19), 2);
	if (t.chance(0.9)) s += '-' + p(t.chance(0.9) ? t.int(1, 31) : t.int(0, 39), 2);
	if (t.chance(0.8))
		s +=
			t.pick(['T', 'T', 'T', 'T', ' ', 't', '']) +
			p(t.chance(0.9) ? t.int(0, 23) : t.int(0, 29), 2) +
			':' +
			p(t.int(0, 59), 2) +
			(t.chance(0.9) ? ':' + p(t.chance(0.95) ? t.int(0, 59) : 60, 2) : '');
	if (t.chance(0.4)) s += '.' + t.some(t.int(0, 12), () => t.int(0, 9)).join('');
	if (t.chance(0.7))
		s += t.pick([
			'Z',
			'+01:00',
			'-0530',
			'+0000',
			'z',
			'+24:00',
			'-29:59',
			'+1',
			'+01',
			'+14:00',
			' Z',
			'-00:00',
			'+23:59',
		]);
	if (t.chance(0.03)) s += t.pick([' ', '\n', 'x']);
	return s;
};
const anydate = (t) =>
	t.pick([
		'Monday',
		'March',
		'12th',
		'1st',
		'twelfth',
		'2018',
		'99',
		'01',
		'1',
		'31',
		'12',
		'23:59',
		'10:30 pm',
		'10:30PM',
		'MCMXC',
		'iv',
		'GMT+01:00',
		'+0100',
		'2018-12-31',
		'31/12/2018',
		'',
		'twenty eighteen',
		'5',
		'366',
		'60',
		'24',
		'March 5',
		'a',
		'AZ',
	]);
const now = (t) => {
	const e = t.pick([
		'$now()',
		'$millis()',
		'$now("[Y0001]")',
		'$now("[Y0001]-[M01]-[D01]", "+0100")',
		'$now(undefined,"+0100")',
	]);
	return {
		expr: t.pick([
			`$length($string(${e}))`,
			`$type(${e})`,
			`${e} = ${e}`,
			`$now(1)`,
			`$now("[Q]")`,
			`$now("[Y","+0100")`,
			'$millis(1)',
			'$now("[Z]","-0530")',
			'$now("x",1)',
			'$toMillis($now()) = $millis()',
		]),
	};
};
// Without a year the rest is filled from the clock: then only the kind of the answer counts.
const timeless = (picture, expr) => (/\[\s*Y/.test(picture) ? expr : `$type(${expr})`);

const make = (t) =>
	t.pick([
		() => ({
			expr: `$fromMillis(${ms(t)}, ${S(picture(t))}${t.chance(0.3) ? ', ' + tz(t) : ''})`,
		}),
		() => ({
			expr: `$fromMillis(${ms(t)}, ${S(picture(t))}${t.chance(0.3) ? ', ' + tz(t) : ''})`,
		}),
		() => ({
			expr: `$fromMillis(${ms(t)}${t.chance(0.4) ? ', ' + t.pick(['x', 'null', '1']) + ', ' + tz(t) : ''})`,
		}),
		() => ({ expr: `$toMillis(${S(iso(t))})` }),
		() => ({ expr: `$toMillis(${S(iso(t))})` }),
		() => {
			const p = t.chance(0.5) ? picture(t) : tidy(t);
			const text = t.chance(0.5) ? anydate(t) : iso(t);
			return { expr: timeless(p, `$toMillis(${S(text)}, ${S(p)})`) };
		},
		() => {
			const p = picture(t);
			return {
				expr: timeless(
					p,
					`$toMillis($fromMillis(${ms(t)}, ${S(p)}${t.chance(0.2) ? ', ' + tz(t) : ''}), ${S(p)})`,
				),
			};
		},
		() => {
			const p = tidy(t);
			return {
				expr: timeless(
					p,
					`$toMillis($fromMillis(${ms(t)}, ${S(p)}${t.chance(0.2) ? ', ' + tz(t) : ''}), ${S(p)})`,
				),
			};
		},
		() => {
			const p = tidy(t);
			return {
				expr: timeless(
					p,
					`$toMillis($fromMillis(${ms(t)}, ${S(p)}${t.chance(0.2) ? ', ' + tz(t) : ''}), ${S(p)})`,
				),
			};
		},
		() => now(t),
		() => ({
			expr: `$${t.pick(['toMillis', 'fromMillis'])}(${t.pick(['x', 'null', 'true', '1', '"a"', '[1]', '{}', '', '1,1', '"a",1', '1,"[Y]",1', '"2018","[Y]",1', '"2018",x', 'x,"[Q]"', '1,null'])})`,
		}),
	])();

module.exports = (random) => make(tools(random));
