#include "lang/jsonata/builtin.h"

static const struct builtin builtins[] = {
#define ROW(function, name, arity, signature) {name, jsonata_builtin_##function, arity, signature},
	BUILTIN_TABLE(ROW)
#undef ROW
};

const struct builtin *jsonata_builtin_find(struct str name)
{
	for (size_t i = 0; i < sizeof builtins / sizeof builtins[0]; i++)
		if (builtins[i].name[0] == (name.len > 0 ? name.data[0] : '\0') &&
		    str_equal_c(name, builtins[i].name))
			return &builtins[i];
	return NULL;
}
