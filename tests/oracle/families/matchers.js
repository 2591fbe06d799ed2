// $match, $contains, $replace and $split with groups, limits and matchers of the user's.
'use strict';

const tools = require('./_tools');

const S = (s) => JSON.stringify(s);
const odd = (t) =>
	t.pick([
		'null',
		'true',
		'1',
		'""',
		'"a"',
		'[]',
		'{}',
		'[/a/]',
		'x',
		'$sum',
		'function(){1}',
		'/a/',
		'$uppercase',
		'[1,2]',
		'{"match":"a"}',
	]);
const subj = (t) =>
	t
		.some(t.int(0, 10), () =>
			t.pick([
				'a',
				'b',
				'c',
				'1',
				'2',
				' ',
				'-',
				'😀',
				'\ud83d',
				'\ude00',
				'é',
				'ab',
			]),
		)
		.join('');
const re = (t) =>
	'/' +
	t.pick([
		'a',
		'a*',
		'a+',
		'(a)(b)?',
		'[ab]',
		'(\\d)(\\d)?',
		'',
		'(a)(b)(c)(d)?(e)?(f)?(1)?(2)?(3)?(4)?(5)?(a)?',
		'x*',
		'$',
		'^',
		'\\b',
		'(?:)',
		'(a)|(b)|(c)|(1)|(2)|( )|(-)|(é)|(.)|(😀)|(x)',
		'.',
		'(.)',
		'..',
		'(.)(.)',
		'\\s+',
		'a|b',
		'[^a]',
		'(a|ab)(c|bcd)?',
		'\\.',
		'\\/',
		'a\\/b',
		'[/]',
		'(/)',
		'a{1}',
		'(?=b)',
	]) +
	'/' +
	t.pick(['', '', 'i', 'm', 'g', 'ii', 'x', 'gi']);
const fn = (t) =>
	t.pick([
		'function($s){{"match":"a","start":0,"end":1,"groups":[],"next":function(){x}}}',
		'function($s){{"match":"b","start":1,"end":2,"groups":["q","r"],"next":function(){x}}}',
		'function($s){{"match":"ab","start":2,"end":9,"groups":[],"next":function(){{"match":"c","start":4,"end":5,"groups":["g"],"next":function(){x}}}}}',
		'function($s){{"start":0}}',
		'function($s){{"groups":[]}}',
		'function($s){{"next":$sum}}',
		'function($s){{"end":1}}',
		'function($s){{"match":"a"}}',
		'function($s){x}',
		'function($s){1}',
		'function($s){"a"}',
		'function($s){null}',
		'function($s){[]}',
		'function($s){{}}',
		'function($s){false}',
		'function($s){0}',
		'function($s){""}',
		'function($s){{"match":1,"start":0,"end":1,"groups":[1,2],"next":function(){x}}}',
		'function($s){{"match":"a","start":1.5,"end":2.5,"groups":[],"next":function(){x}}}',
		'function($s){{"match":"a","start":-1,"end":1,"groups":[],"next":function(){x}}}',
		'function($s){{"match":"a","start":5,"end":1,"groups":[],"next":function(){x}}}',
		'function($s){{"match":"","start":0,"end":0,"groups":[],"next":function(){x}}}',
		'function($s){{"start":0,"end":1,"groups":[],"next":function(){x}}}',
		'function($s){{"match":"a","start":0,"end":1,"groups":"ab","next":function(){x}}}',
		'function($s){{"match":"a","start":0,"end":1,"next":function(){x}}}',
		'function($s){{"match":"a","start":0,"end":1,"groups":[]}}',
		'function($s){$match($s,/a/)}',
		'function($s){$error("no")}',
		'/a/',
		'$match(?,/a/)',
		'function($s)<s:o>{{"match":$s,"start":0,"end":$length($s),"groups":[$s],"next":function(){x}}}',
		'function($s,$t){{"match":"a","start":0,"end":1,"groups":[$t],"next":function(){1}}}',
		'function($s){[{"match":"a","start":0,"end":1,"groups":[],"next":function(){x}}]}',
	]);
const rep = (t) =>
	t.chance(0.7)
		? S(
				t
					.some(t.int(0, 4), () =>
						t.pick([
							'$',
							'$$',
							'$0',
							'$1',
							'$2',
							'$3',
							'$10',
							'$11',
							'$12',
							'$01',
							'$&',
							'$x',
							'a',
							'-',
							'$1a',
							'$123',
							'$001',
							'$00',
							'$99',
							'$ ',
							'$\n1',
							'$-1',
							'$+1',
						]),
					)
					.join(''),
			)
		: t.chance(0.6)
			? 'function($m){' +
				t.pick([
					'"<" & $m.match & ">"',
					'$m.groups[0]',
					'$string($m)',
					'1',
					'x',
					'null',
					'["a"]',
					'$string($m.groups)',
					'$string($keys($m))',
					'$type($m.next)',
					'$m.next().match',
					'$string($m.next().next().start)',
				]) +
				'}'
			: odd(t);
const lim = (t) =>
	t.chance(0.35)
		? ', ' +
			t.pick([
				'0',
				'1',
				'2',
				'3',
				'1.5',
				'0.5',
				'-1',
				'-0',
				'1e9',
				'x',
				'null',
				'"1"',
				'true',
				'[1]',
				'-0.1',
			])
		: '';
const make = (t) => {
	const s = t.chance(0.95) ? S(subj(t)) : odd(t);
	const m = t.pick([
		() => re(t),
		() => re(t),
		() => fn(t),
		() => (t.chance(0.5) ? S(subj(t).slice(0, 2)) : odd(t)),
	])();
	// JavaScript puts the source text of a function in the place of a text.
	const fit = (text) => (m.startsWith('"') && !text.startsWith('"') ? '"$1"' : text);
	const extra = t.chance(0.03) ? ', 1' : '';
	return {
		expr: t.pick([
			() => `$match(${s}, ${m}${lim(t)}${extra})`,
			() => `$contains(${s}, ${m}${extra})`,
			() => `$replace(${s}, ${m}, ${fit(rep(t))}${lim(t)}${extra})`,
			() => `$split(${s}, ${m}${lim(t)}${extra})`,
			() => `${s}.$${t.pick(['match', 'contains', 'split'])}(${m})`,
			() => `${s}.$replace(${m}, ${fit(rep(t))})`,
			() => `${s} ~> $${t.pick(['match', 'contains', 'split'])}(${m})`,
			() => `$map([${s},${s}], ${m})`,
			() => `$filter([${s},"b"], ${m})`,
			() => `$string(${m})`,
			() => `$type(${m})`,
			() => `(${m})(${t.pick([s, odd(t)])})`,
			() => `[${s},"aab"].$match(${m}).match`,
		])(),
	};
};

module.exports = (random) => make(tools(random));
