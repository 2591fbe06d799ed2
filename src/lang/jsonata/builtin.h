/* The builtins, by the file they are in. */
#ifndef LANG_JSONATA_BUILTIN_H
#define LANG_JSONATA_BUILTIN_H

#include "lang/jsonata/evaluate.h"

/* function, name, JavaScript's count of its parameters, signature */
#define BUILTIN_TABLE(ROW)                                                                         \
	ROW(sum, "sum", 1, "<a<n>:n>")                                                             \
	ROW(count, "count", 1, "<a:n>")                                                            \
	ROW(max, "max", 1, "<a<n>:n>")                                                             \
	ROW(min, "min", 1, "<a<n>:n>")                                                             \
	ROW(average, "average", 1, "<a<n>:n>")                                                     \
	ROW(string, "string", 1, "<x-b?:s>")                                                       \
	ROW(substring, "substring", 3, "<s-nn?:s>")                                                \
	ROW(substring_before, "substringBefore", 2, "<s-s:s>")                                     \
	ROW(substring_after, "substringAfter", 2, "<s-s:s>")                                       \
	ROW(lowercase, "lowercase", 1, "<s-:s>")                                                   \
	ROW(uppercase, "uppercase", 1, "<s-:s>")                                                   \
	ROW(length, "length", 1, "<s-:n>")                                                         \
	ROW(trim, "trim", 1, "<s-:s>")                                                             \
	ROW(pad, "pad", 3, "<s-ns?:s>")                                                            \
	ROW(match, "match", 3, "<s-f<s:o>n?:a<o>>")                                                \
	ROW(contains, "contains", 2, "<s-(sf):b>")                                                 \
	ROW(replace, "replace", 4, "<s-(sf)(sf)n?:s>")                                             \
	ROW(split, "split", 3, "<s-(sf)n?:a<s>>")                                                  \
	ROW(join, "join", 2, "<a<s>s?:s>")                                                         \
	ROW(format_number, "formatNumber", 3, "<n-so?:s>")                                         \
	ROW(format_base, "formatBase", 2, "<n-n?:s>")                                              \
	ROW(format_integer, "formatInteger", 2, "<n-s:s>")                                         \
	ROW(parse_integer, "parseInteger", 2, "<s-s:n>")                                           \
	ROW(number, "number", 1, "<(nsb)-:n>")                                                     \
	ROW(floor, "floor", 1, "<n-:n>")                                                           \
	ROW(ceil, "ceil", 1, "<n-:n>")                                                             \
	ROW(round, "round", 2, "<n-n?:n>")                                                         \
	ROW(abs, "abs", 1, "<n-:n>")                                                               \
	ROW(sqrt, "sqrt", 1, "<n-:n>")                                                             \
	ROW(power, "power", 2, "<n-n:n>")                                                          \
	ROW(random, "random", 0, "<:n>")                                                           \
	ROW(boolean, "boolean", 1, "<x-:b>")                                                       \
	ROW(not, "not", 1, "<x-:b>")                                                               \
	ROW(map, "map", 2, "<af>")                                                                 \
	ROW(zip, "zip", 0, "<a+>")                                                                 \
	ROW(filter, "filter", 2, "<af>")                                                           \
	ROW(single, "single", 2, "<af?>")                                                          \
	ROW(reduce, "reduce", 3, "<afj?:j>")                                                       \
	ROW(sift, "sift", 2, "<o-f?:o>")                                                           \
	ROW(keys, "keys", 1, "<x-:a<s>>")                                                          \
	ROW(lookup, "lookup", 2, "<x-s:x>")                                                        \
	ROW(append, "append", 2, "<xx:a>")                                                         \
	ROW(exists, "exists", 1, "<x:b>")                                                          \
	ROW(spread, "spread", 1, "<x-:a<o>>")                                                      \
	ROW(merge, "merge", 1, "<a<o>:o>")                                                         \
	ROW(reverse, "reverse", 1, "<a:a>")                                                        \
	ROW(each, "each", 2, "<o-f:a>")                                                            \
	ROW(error, "error", 1, "<s?:x>")                                                           \
	ROW(assert, "assert", 2, "<bs?:x>")                                                        \
	ROW(type, "type", 1, "<x:s>")                                                              \
	ROW(sort, "sort", 2, "<af?:a>")                                                            \
	ROW(shuffle, "shuffle", 1, "<a:a>")                                                        \
	ROW(distinct, "distinct", 1, "<x:x>")                                                      \
	ROW(base64_encode, "base64encode", 1, "<s-:s>")                                            \
	ROW(base64_decode, "base64decode", 1, "<s-:s>")                                            \
	ROW(encode_url_component, "encodeUrlComponent", 1, "<s-:s>")                               \
	ROW(encode_url, "encodeUrl", 1, "<s-:s>")                                                  \
	ROW(decode_url_component, "decodeUrlComponent", 1, "<s-:s>")                               \
	ROW(decode_url, "decodeUrl", 1, "<s-:s>")                                                  \
	ROW(eval, "eval", 2, "<sx?:x>")                                                            \
	ROW(to_millis, "toMillis", 2, "<s-s?:n>")                                                  \
	ROW(from_millis, "fromMillis", 3, "<n-s?s?:s>")                                            \
	ROW(clone, "clone", 1, "<(oa)-:o>")                                                        \
	ROW(now, "now", 2, "<s?s?:s>")                                                             \
	ROW(millis, "millis", 0, "<:n>")

#define ROW(function, name, arity, signature) builtin_function jsonata_builtin_##function;
BUILTIN_TABLE(ROW)
#undef ROW

#endif
