/* Expressions which want the whole machine: each must end, by itself or by a budget, in little
 * time and memory. The unit test holds them to their memory, `bench/run hostile` tells their time.
 */
#ifndef TESTS_JSONATA_HOSTILE_H
#define TESTS_JSONATA_HOSTILE_H

#include "lang/jsonata/jsonata.h"

struct hostile {
	const char *name;
	/* Either an expression, or one made of `count` times `part` between `head` and `tail`. */
	const char *head;
	const char *part;
	size_t count;
	const char *tail;
};

#define ONE(name, text)                                                                            \
	{                                                                                          \
		name, text, "", 0, ""                                                              \
	}
#define DEEP(argument)                                                                             \
	"($f := function($x, $n) { $n = 0 ? $x : $f(" argument ", $n - 1) }; $y := $f(1, 60); "
#define AS   "$s := $pad(\"\", 100000, \"a\"); "
#define WIDE "$s := $pad(\"\", 50000, \"\xc3\xa4\"); "

static const struct hostile hostile_expressions[] = {
	/* long and nested */
	{"parens", "", "(", 45000, ""},
	{"parens closed", "", "(", 30000, "1"},
	{"path", "a", ".a", 24000, ""},
	{"arrays", "", "[", 45000, ""},
	{"objects", "", "{\"a\":", 9000, ""},
	{"minus", "", "-", 45000, "1"},
	{"sum", "1", "+1", 24000, ""},
	{"concat", "a", "&a", 24000, ""},
	{"and", "1", " and 1", 7500, ""},
	{"compare", "1", "=1", 24000, ""},
	{"chain", "1", "~>$string", 4500, ""},
	{"condition", "", "1?", 24000, "1"},
	{"condition else", "", "0?1:", 12000, "1"},
	{"default", "a", "??a", 15750, ""},
	{"elvis", "a", "?:a", 15750, ""},
	{"predicates", "", "a[", 24000, ""},
	{"predicates closed", "a", "[0]", 15750, ""},
	{"keeps", "a", "[]", 24000, ""},
	{"parents", "", "%.", 24000, "a"},
	{"focus", "a", "@$a.a", 9000, ""},
	{"index", "a", "#$a", 15750, ""},
	{"groups", "a", "{a:a}", 9000, ""},
	{"sorts", "a", "^(a)", 12000, ""},
	{"sort terms", "a^(a", ",a", 24000, ")"},
	{"lambdas", "", "function($a){", 3750, ""},
	{"lambdas closed", "", "function(){", 90, "1"},
	{"calls", "", "$f(", 15750, ""},
	{"partials", "$f", "(?)", 15750, ""},
	{"binds", "", "$a:=", 12000, "1"},
	{"transforms", "", "|a|", 15750, ""},
	{"block", "(", "$a:=1;", 7500, ")"},
	{"variables", "(", "$a;", 15750, ")"},
	{"array items", "[0", ",0", 24000, "]"},
	{"ranges", "[0", "..1", 15750, "]"},
	{"array of ranges", "[0", ",0..1e5", 6750, "]"},
	{"wildcards", "*", ".*", 24000, ""},
	{"descendants", "**", ".**", 15750, ""},
	{"signature", "function($a)<", "(", 45000, ""},
	{"signature of arrays", "function($a)<", "a<", 24000, ""},
	{"signature of functions", "function($a)<", "f<s:", 12000, ""},
	{"signature of choices", "function($a)<", "s?", 24000, ">{1}(1)"},
	{"comment", "", "/*", 24000, ""},
	{"regex nested", "/", "(", 45000, "/"},
	{"regex long", "/", "a?", 24000, "/"},
	{"regex classes", "/", "[\\s]", 12000, "/"},
	{"regex counts", "/", "(a{1000}){1000}", 10, "/"},
	{"regexes", "[/a/", ",/a/", 12000, "]"},
	{"quotes", "", "`", 48750, ""},
	{"escapes", "\"", "\\u0041", 7500, "\""},

	/* recursion */
	ONE("tail call", "($f := function($n) { $f($n + 1) }; $f(0))"),
	ONE("call", "($f := function($n) { 1 + $f($n) }; $f(0))"),
	ONE("mutual", "($f := function($n) { $g($n) }; $g := function($n) { $f($n) }; $f(0))"),
	ONE("mutual deep", "($f := function() { 1 + $g() }; $g := function() { 1 + $f() }; $f())"),
	ONE("by map", "($f := function($x) { $map([1, 2], $f) }; $f(1))"),
	ONE("by map wide", "($f := function($x) { $map([1..1000], $f) }; $f(1))"),
	ONE("by reduce", "($f := function($x, $y) { $reduce([1, 2, 3], $f) }; $f(1, 2))"),
	ONE("by chain", "($f := function($x) { $x ~> $f }; $f(1))"),
	ONE("by path", "($f := function($x) { [1, 2].$f($x) }; $f(1))"),
	ONE("by predicate", "($f := function($x) { [1, 2][$f($x)] }; $f(1))"),
	ONE("by sort", "($f := function($x, $y) { $sort([1, 2], $f) }; $f(1, 2))"),
	ONE("by replace", "($f := function($x) { $replace(\"a\", /a/, $f) }; $f(1))"),
	ONE("by transform", "($f := function($x) { {} ~> |$|{\"a\": $f(1)}| }; $f(1))"),
	ONE("by eval", "($s := \"$eval($s)\"; $eval($s))"),
	ONE("by eval doubled", "($s := \"[$eval($s), $eval($s)]\"; $eval($s))"),
	ONE("by partial", "($f := function($a, $b) { $f(?, $a)($b) }; $f(1, 2))"),
	ONE("fibonacci", "($f := function($n) { $n < 2 ? 1 : $f($n - 1) + $f($n - 2) }; $f(90))"),
	ONE("ackermann", "($a := function($m, $n) { $m = 0 ? $n + 1 : $n = 0 ? $a($m - 1, 1) : "
			 "$a($m - 1, $a($m, $n - 1)) }; $a(4, 4))"),
	ONE("omega", "(function($x) { $x($x) })(function($x) { $x($x) })"),
	ONE("composed",
	    "($f := $string; $g := function($h, $n) { $n = 0 ? $h : $g($h ~> $h, $n - 1) "
	    "}; $g($f, 60)(1))"),

	/* length */
	ONE("range", "[1..1e9]"),
	ONE("range allowed", "[1..9999999]"),
	ONE("range mapped", "$map([1..1000000000], function($x) { $x })"),
	ONE("range of ranges", "[1..1000].[1..1000].[1..1000]"),
	ONE("range summed", "$sum([1..400000].[1..400000])"),
	ONE("ranges over", "[1..100000].$sum([1..100000])"),
	ONE("ranges counted", "[1..4e5].$count([1..4e5])"),
	ONE("reversed", "[1..100000].$reverse([1..10000])"),
	ONE("selected", "[1..1e5][[1..1e5]]"),
	ONE("compared", "($a := [1..10000]; $b := [1..10000]; $count([1..100000][$a = $b]))"),
	ONE("looked for", "($a := [1..100000]; $count($a[$ in $a]))"),
	ONE("appended", "$reduce([1..100000], $append)"),
	ONE("appended twice", "($f := function($a) { $f($append($a, $a)) }; $f([1]))"),
	ONE("pad", "$pad(\"x\", 3e8)"),
	ONE("pad back", "$pad(\"x\", -1e308)"),
	ONE("pads", "[1..1e5].$pad(\"x\", 100000)"),
	ONE("doubled text", "($f := function($s) { $f($s & $s) }; $f(\"ab\"))"),
	ONE("joined", "$join([1..4e5].\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\")"),
	ONE("reduced text",
	    "$reduce([1..100000], function($a, $i) { $a & \"aaaaaaaaaaaaaaaa\" }, \"\")"),
	ONE("sorted", "$sort([1..400000])"),
	ONE("sorted oddly", "$sort([1..100000], function($a, $b) { true })"),
	ONE("sorted dearly", "$sort([1..3000], function($a, $b) { $count([1..1000]) > 0 })"),
	ONE("sorted texts", "(" AS "$sort([1..10000].($s & \"b\")))"),
	ONE("sorted same texts", "(" AS "$sort([1..100000].$s))"),
	ONE("ordered by texts", "(" AS "[1..100000]^($s))"),
	ONE("shuffled", "[1..1000].$shuffle([1..10000])"),
	ONE("zipped", "$zip([1..4e5], [1..4e5], [1..4e5])"),
	ONE("distinct", "$distinct([1..4e5])"),
	ONE("distinct arrays", "$distinct([1..100000].[[$]])"),
	ONE("distinct same texts", "(" AS "$distinct([1..1e5].($s & \"\")))"),
	ONE("distinct objects", "$distinct([1..100000].{\"a\": $})"),
	ONE("merged", "$merge([1..100000].{$string($): 1})"),
	ONE("spread", "[1..1000].$spread($merge([1..1000].{$string($): 1}))"),
	ONE("grouped", "[1..400000]{$string($): $}"),
	ONE("grouped as one", "[1..400000]{\"a\": $}"),
	ONE("keys looked up",
	    "($o := $merge([1..20000].{\"key\" & $: $}); $keys($o).$lookup($o, $))"),
	ONE("objects compared", "($o := $merge([1..20000].{\"key\" & $: $}); $p := "
				"$merge($reverse([1..20000]).{\"key\" & $: $}); $o = $p)"),
	ONE("fields of one",
	    "($o := $merge([1..20000].{\"key\" & $: $}); [1..100000].($o.nothing))"),
	ONE("cross product", "[1..1000]@$a.[1..1000]@$b.[1..1000]@$c.($a + $b)"),
	ONE("cross filtered", "([1..10000])@$a.([1..10000])@$b[$a = $b].$a"),
	ONE("transformed", "[1..100000].{\"a\": $} ~> |$|{\"b\": 1}|"),
	ONE("transformed often", "[1..1000].([1..1000].{\"a\": $} ~> |$|{\"b\": a}, [\"a\"]|)"),
	ONE("deleted", "$merge([1..3000].{\"k\" & $: 1}) ~> |$|{}, [1..3000].(\"x\" & $)|"),
	ONE("sifted", "[1..1000].$sift($merge([1..1000].{$string($): 1}), function($v) { false })"),

	/* sharing */
	ONE("shared", DEEP("[[$x], [$x]]") "$y)"),
	ONE("shared text", DEEP("[[$x], [$x]]") "$string($y))"),
	ONE("shared equal", DEEP("[[$x], [$x]]") "$z := $f(1, 60); $y = $z)"),
	ONE("shared descendants", DEEP("[[$x], [$x]]") "$count($y.**))"),
	ONE("shared field", DEEP("[[$x], [$x]]") "$y.a)"),
	ONE("shared wildcard", DEEP("[[$x], [$x]]") "$count($y.*))"),
	ONE("shared clone", DEEP("[[$x], [$x]]") "$clone($y))"),
	ONE("shared transform", DEEP("{\"a\": $x, \"b\": $x}") "$y ~> |**|{\"c\": 1}|)"),
	ONE("shared distinct", DEEP("[[$x], [$x]]") "$z := $f(1, 60); $distinct([[$y], [$z]]))"),
	ONE("shared truth", DEEP("[[0], [$x]]") "$boolean($y))"),
	ONE("shared keys", DEEP("[{\"a\": 1}, [$x], [$x]]") "$keys($y))"),
	ONE("shared spread", DEEP("[{\"a\": 1}, [$x], [$x]]") "$spread($y))"),
	ONE("shared members", DEEP("{\"a\": $x, \"b\": $x, \"c\": $x}") "$y)"),
	ONE("shared sum", DEEP("[$x, $x]") "$sum($y))"),

	/* texts */
	ONE("lengths", "(" WIDE "[1..1e5].$length($s))"),
	ONE("substrings", "(" WIDE "[1..1e5].$substring($s, $, 1))"),
	ONE("before", "(" WIDE "[1..1e5].$substringBefore($s, \"x\"))"),
	ONE("after", "(" WIDE "[1..1e5].$substringAfter($s, \"x\"))"),
	ONE("contains", "(" AS "[1..1e5].$contains($s, \"x\"))"),
	ONE("contains nearly", "(" AS "$t := $s & \"b\" & $s; [1..1e3].$contains($t, $s & \"c\"))"),
	ONE("equal texts", "(" AS "$t := $s & \"\"; [1..1e5].($s = $t))"),
	ONE("less texts", "(" AS "$t := $s & \"\"; [1..1e5].($s < $t))"),
	ONE("in texts", "(" AS "$t := $s & \"\"; $l := [1..1e4].$t; [1..1e4].($s in $l))"),
	ONE("upper", "(" WIDE "[1..1e5].$uppercase($s))"),
	ONE("lower", "(" AS "[1..1e5].$lowercase($s))"),
	ONE("trimmed", "(" AS "[1..1e5].$trim($s))"),
	ONE("numbers", "(" AS "$t := $pad(\"\", 100000, \"1\"); [1..1e5].$number($t))"),
	ONE("base64", "(" WIDE "[1..1e5].$base64encode($s))"),
	ONE("base64 back", "(" AS "[1..1e5].$base64decode($s))"),
	ONE("url", "(" WIDE "[1..1e5].$encodeUrl($s))"),
	ONE("url back", "(" AS "[1..1e5].$decodeUrl($s))"),
	ONE("split points", "(" AS "[1..1e3].$split($s, \"\"))"),
	ONE("split", "(" AS "[1..1e3].$split($s, \"a\"))"),
	ONE("replaced", "(" AS "[1..1e3].$replace($s, \"a\", \"aaaa\"))"),
	ONE("replaced by much", "(" AS "$replace($s, \"a\", $s))"),
	ONE("keys of texts", "(" AS "[1..1e5].{$s: 1})"),
	ONE("joined by much", "(" AS "$join([1..1e5].\"\", $s))"),
	ONE("printed", "(" WIDE "[1..1e5].$string([$s]))"),
	ONE("errors", "(" AS "[1..1e5].$error($s))"),

	/* regular expressions */
	ONE("regex (a+)+", "(" AS "$contains($s, /(a+)+$b/))"),
	ONE("regex ^(a+)+$", "(" AS "$contains($s & \"!\", /^(a+)+$/))"),
	ONE("regex (a|a)*", "(" AS "$contains($s & \"!\", /^(a|a)*$/))"),
	ONE("regex (a|aa)+", "(" AS "$contains($s & \"!\", /^(a|aa)+$/))"),
	ONE("regex (a*)*", "(" AS "$contains($s & \"!\", /^(a*)*[bc]/))"),
	ONE("regex a*a*a*", "(" AS "$contains($s, /a*a*a*a*a*[bc]/))"),
	ONE("regex .*.*=", "(" AS "$contains($s, /.*.*=.*[bc]/))"),
	ONE("regex a*", "(" AS "$contains($s, /a*[bc]/))"),
	ONE("regex a+a", "(" AS "$contains($s, /a+?[bc]/))"),
	ONE("regex (.*)(.*)", "(" AS "$contains($s, /(.*)(.*)(.*)[^a]/))"),
	ONE("regex (.+)\\1", "(" AS "$contains($s, /^(.+)\\1[^a]/))"),
	ONE("regex (a*)\\1", "(" AS "$contains($s, /(a*)\\1\\1[^a]/))"),
	ONE("regex lookahead", "(" AS "$contains($s, /(?=(a*))\\1[^a]/))"),
	ONE("regex a*b", "(" AS "$contains($s, /a*b/))"),
	ONE("regex a{50000}b", "(" AS "$contains($s, /a{50001,}b/))"),
	ONE("regex lookbehind", "(" AS "$contains($s, /(?<=aaaaaaaaaaaaaaaa)b|a*c/))"),
	ONE("regex counted", "(" AS "$contains($s, /(a{1,100}){1,100}[bc]/))"),
	ONE("regex a{1,1000}", "(" AS "$contains($s, /a{1,1000}a{1,1000}[bc]/))"),
	ONE("regex \\s+$", "($s := $pad(\"\", 100000); $contains($s & \"x\", /\\s+$/))"),
	ONE("regex words", "(" AS "$contains($s, /^(\\w+\\s?)*$x/))"),
	ONE("regex mail",
	    "(" AS "$contains($s, /^([a-zA-Z0-9_.-])+@(([a-zA-Z0-9-])+.)+([a-z]{2,4})+$/))"),
	ONE("regex classes of all", "(" AS "$contains($s, /[^]*[^]*[bc]/))"),
	ONE("regex caseless", "(" AS "$contains($s, /(A|a|Aa)*[bc]/i))"),
	ONE("regex often",
	    "(" AS "$t := $substring($s, 0, 30) & \"!\"; [1..1e5].$contains($t, /^(a+)+$/))"),
	ONE("regex over much often", "(" AS "[1..1e5].$contains($s, /b/))"),
	ONE("regex replace", "(" AS "$replace($s & \"!\", /(a+)+$/, \"\"))"),
	ONE("regex replace all", "(" AS "$replace($s, /a/, \"bbbb\"))"),
	ONE("regex replace computed", "(" AS "$replace($s, /a/, function($m) { $m.match }))"),
	ONE("regex replace wide", "(" WIDE "$replace($s, /\xc3\xa4/, \"b\"))"),
	ONE("regex replace groups", "(" AS "$replace($s, /(a)(a)(a)/, \"$1$1$1$1$2$3$0\"))"),
	ONE("regex split", "(" AS "$split($s & \"!\", /(a|a)*!!/))"),
	ONE("regex split wide", "(" WIDE "$split($s, /\xc3\xa4/))"),
	ONE("regex match", "(" AS "$match($s & \"!\", /^(a|aa)+$/))"),
	ONE("regex match all", "(" AS "$match($s, /a/))"),
	ONE("regex match wide", "(" WIDE "$match($s, /\xc3\xa4/))"),
	ONE("regex match groups", "(" WIDE "$match($s, /(.)(.)(.)?/))"),
	ONE("regex match chain", "(" AS "$f := function($m) { $f($m.next()) }; $f(/a/($s)))"),
	ONE("regex eval",
	    "($f := function($n) { ($eval(\"/a{\" & $n & \"}{50}{50}/\"); $f($n + 1)) }; $f(1))"),

	/* pictures */
	ONE("number picture", "$formatNumber(1, $pad(\"\", 1000000, \"0\"))"),
	ONE("number digits", "$formatNumber(1e308, \"#,##0.\" & $pad(\"\", 100000, \"0\"))"),
	ONE("number pictures", "($p := $pad(\"\", 10000, \"0\"); [1..1e5].$formatNumber($, $p))"),
	ONE("number groups", "$formatNumber(1, $pad(\"\", 100000, \"0,\") & \"0\")"),
	ONE("integer picture", "$formatInteger(1, $pad(\"\", 1000000, \"0\"))"),
	ONE("integer groups", "$formatInteger(1, $pad(\"\", 100001, \"0,\"))"),
	ONE("integer roman", "$formatInteger(1e300, \"I\")"),
	ONE("integer romans", "[1..1e5].$formatInteger(99999999, \"I\")"),
	ONE("integer words", "[1..1e5].$formatInteger(1e300, \"w\")"),
	ONE("integer letters", "[1..1e5].$formatInteger(1e300, \"a\")"),
	ONE("integer parsed", "(" AS "[1..1e5].$parseInteger($s, \"w\"))"),
	ONE("integer parsed digits",
	    "($s := $pad(\"\", 100000, \"1\"); [1..1e5].$parseInteger($s, \"0\"))"),
	ONE("date width", "$fromMillis(1, \"[Y,1000000000-1000000000]\")"),
	ONE("date width digits",
	    "$fromMillis(1, \"[Y,99999999999999999999-99999999999999999999]\")"),
	ONE("date picture", "$fromMillis(1, $pad(\"\", 300000, \"[Y]\"))"),
	ONE("date pictures", "($p := $pad(\"\", 3000, \"[Y]\"); [1..1e5].$fromMillis($, $p))"),
	ONE("date parsed", "$toMillis($pad(\"\", 10000, \"1\"), $pad(\"\", 30000, \"[Y]\"))"),
	ONE("date parsed often",
	    "[1..1e5].$toMillis(\"12 March 2018\", \"[D\" & $ & \"] [MNn] [Y]\")"),
	ONE("date words", "$toMillis($pad(\"\", 10000, \"one \"), \"[Yw] [Dw] [Mw]\")"),
	ONE("date names", "$toMillis($pad(\"\", 100000, \"a\"), \"[MNn][MNn][FNn][FNn]\")"),
	ONE("dates", "[1..4e5].$fromMillis($)"),
	ONE("dates parsed", "[1..4e5].$toMillis(\"2018-03-12T10:00:00Z\")"),
	ONE("base", "[1..4e5].$formatBase(1e300, 2)"),
	ONE("power", "[1..4e5].$power(2, 1000)"),

	/* $eval */
	ONE("eval parens", "$eval($pad(\"\", 60000, \"(\"))"),
	ONE("eval long", "$eval(\"1\" & $pad(\"\", 60000, \"+1\"))"),
	ONE("eval much", "[1..1e5].$eval(\"[1..10]\")"),
	ONE("eval long much", "($s := \"1\" & $pad(\"\", 6000, \"+1\"); [1..1e5].$eval($s))"),
	ONE("eval regexes", "[1..1e5].$eval(\"/a\" & $ & \"/\")"),
	ONE("eval faults", "[1..1e5].$eval(\"(((((((((\")"),
};
enum { HOSTILE_COUNT = sizeof hostile_expressions / sizeof hostile_expressions[0] };

#undef ONE
#undef DEEP
#undef AS
#undef WIDE

static inline struct str hostile_text(struct arena *arena, const struct hostile *hostile)
{
	struct buffer text;

	buffer_init(&text, arena, 1024 * 1024);
	buffer_append(&text, str_from_c(hostile->head));
	for (size_t i = 0; i < hostile->count; i++)
		buffer_append(&text, str_from_c(hostile->part));
	buffer_append(&text, str_from_c(hostile->tail));
	return buffer_str(&text);
}

#endif
