#include "simulation.h"
const struct scenario scenario_hints = {.name = "hints"};
