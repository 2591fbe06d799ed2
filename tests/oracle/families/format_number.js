// $formatNumber over pictures sound and unsound, with options, over all magnitudes.
'use strict';

const tools = require('./_tools');

const NUMS = [
	'0',
	'1',
	'-1',
	'0.5',
	'-0.5',
	'1.5',
	'2.5',
	'12345.678',
	'-12345.678',
	'1e21',
	'1.5e300',
	'1e-7',
	'123456789012345680000',
	'1e15',
	'0.1',
	'0.05',
	'0.005',
	'1.005',
	'99.995',
	'999.5',
	'0.00001',
	'-0.0001',
	'1e-320',
	'5e-324',
	'1234567.891',
	'-0',
	'100',
	'10',
	'1000',
	'9007199254740993',
	'0.615',
	'14',
	'1e22',
	'0.9999',
	'9.995',
];
const S = (s) => JSON.stringify(s);
const num = (t) =>
	t.chance(0.5)
		? t.pick(NUMS)
		: t.chance(0.5)
			? String(t.int(-100000, 1000000) / Math.pow(10, t.int(0, 8)))
			: String((t.r() - 0.3) * Math.pow(10, t.int(-20, 25)));
function digits(t, ds, dg, gs) {
	let out = '';
	const n = t.int(0, 5);
	for (let i = 0; i < n; i++) out += t.chance(0.15) ? gs : t.chance(0.4) ? dg : t.pick(ds);
	return out;
}
function regular(t, z, dg, gs, intpart) {
	const a = t.int(0, 4),
		b = t.int(0, 4);
	let s = intpart ? dg.repeat(a) + z.repeat(b) : z.repeat(a) + dg.repeat(b);
	if (t.chance(0.4)) {
		const k = t.int(1, 3);
		let o = '';
		for (let i = 0; i < s.length; i++) {
			if (i && (intpart ? (s.length - i) % k === 0 : i % k === 0)) o += gs;
			o += s[i];
		}
		s = o;
	} else if (t.chance(0.3)) {
		const p = t.int(0, s.length);
		s = s.slice(0, p) + gs + s.slice(p);
	}
	return s;
}
const make = (t) => {
	const o = {};
	const full = t.chance(0.35);
	if (full) {
		const opt = {
			'decimal-separator': ['.', ',', '!', '·', '', '..', '😀'],
			'grouping-separator': [',', '.', ' ', '\u00a0', "'", '', ',,'],
			'exponent-separator': ['e', 'E', '×', '', 'ee'],
			'minus-sign': ['-', '−', '~', '', 'minus '],
			percent: ['%', 'pc', 'P', ''],
			'per-mille': ['\u2030', 'm', ''],
			'zero-digit': ['0', '\u0660', '\uff10', 'a', '1', '\ud835\udfce', '', ':'],
			digit: ['#', '0', 'd', '@', ''],
			'pattern-separator': [';', '|', ',', ''],
			infinity: ['inf'],
			NaN: ['nan'],
			foo: ['bar'],
		};
		const ks = Object.keys(opt);
		const n = t.int(1, 3);
		for (let i = 0; i < n; i++) {
			const k = t.pick(ks);
			o[k] = t.chance(0.02)
				? t.pick([1, null, true])
				: t.chance(0.9)
					? t.pick(opt[k].slice(0, 3))
					: t.pick(opt[k]);
		}
	}
	const g = (k, d) => (typeof o[k] === 'string' ? o[k] : d);
	const z = g('zero-digit', '0'),
		dg = g('digit', '#'),
		gs = g('grouping-separator', ','),
		ds = g('decimal-separator', '.'),
		es = g('exponent-separator', 'e'),
		pc = g('percent', '%'),
		pm = g('per-mille', '\u2030'),
		ps = g('pattern-separator', ';');
	const fam = z.length
		? [
				z,
				String.fromCharCode(z.charCodeAt(0) + 1),
				String.fromCharCode(z.charCodeAt(0) + 9),
			]
		: ['0'];
	const fix = () =>
		t.chance(0.7)
			? ''
			: t.pick([
					'$',
					'a',
					' ',
					'x-',
					'€',
					'(',
					')',
					'e',
					pc,
					pm,
					pc + ' ',
					'😀',
					'PREFIX',
					'é',
					'-',
				]);
	const sub = () => {
		if (t.chance(0.12))
			return t
				.some(t.int(0, 8), () =>
					t.pick([
						z,
						fam[1],
						dg,
						gs,
						ds,
						es,
						pc,
						pm,
						'x',
						' ',
						'😀',
						ps,
					]),
				)
				.join('');
		let s = fix();
		s += t.chance(0.9) ? regular(t, z, dg, gs, true) : digits(t, fam, dg, gs);
		if (t.chance(0.5))
			s +=
				ds +
				(t.chance(0.9)
					? regular(t, z, dg, gs, false)
					: digits(t, fam, dg, gs));
		if (t.chance(0.2)) s += es + z.repeat(t.int(0, 3)) + (t.chance(0.1) ? dg : '');
		return s + fix();
	};
	let p = sub();
	if (t.chance(0.2)) p += ps + sub();
	if (t.chance(0.02)) p += ps + sub();
	if (t.chance(0.1))
		return {
			expr:
				'$formatNumber(' +
				num(t) +
				',' +
				t.pick(['"0"', '1', 'null', 'x', '"#0.00",{}', '"0",1', '"0",x']) +
				')',
		};
	return { expr: '$formatNumber(' + num(t) + ', ' + S(p) + (full ? ', ' + S(o) : '') + ')' };
};

module.exports = (random) => make(tools(random));
