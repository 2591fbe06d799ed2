#include "simulation.h"
const struct scenario scenario_endpoints = {.name = "endpoints"};
