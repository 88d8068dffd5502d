/* What a raw output says: its five largest values. */
#ifndef TOP_FIVE_H
#define TOP_FIVE_H

#include <stdint.h>

/* Prints `  INDEX VALUE` for the five largest of `count` elements of a type of wasi-nn: of equal
 * ones the first, and what is not a number last. */
void print_top_five(const char *data, uint32_t type, uint32_t count);

#endif
