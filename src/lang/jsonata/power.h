/* Math.pow of JavaScript, to the last digit. */
#ifndef LANG_JSONATA_POWER_H
#define LANG_JSONATA_POWER_H

/* x to the power of y as ECMAScript's Number::exponentiate has it (NaN for 1 to an infinite power),
 * with the last digit of V8. */
double jsonata_power(double x, double y);

#endif
