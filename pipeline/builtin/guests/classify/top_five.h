/* Print the five largest values of a raw output. */
#ifndef TOP_FIVE_H
#define TOP_FIVE_H

#include <stdint.h>

/* Prints `  INDEX VALUE` for the five largest of `count` elements of a wasi-nn type: equal values
 * by index, and NaN last. */
void print_top_five(const char *data, uint32_t type, uint32_t count);

#endif
