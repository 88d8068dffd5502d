/* The guest's two folders: `fixture` for reading, and optionally `out` for writing. Files are
 * read and written in pieces, as some hosts reject more than 128 MiB in one call. */
#ifndef PREOPENS_H
#define PREOPENS_H

#include <stdint.h>

enum { MAX_NAME = 256 };

/* The bytes of a file; the caller frees `data`. */
typedef struct {
    char *data;
    uint32_t size;
} buffer;

/* Reads all of fixture/NAME. On an error, prints it and returns 0. */
int read_file(const char *name, buffer *into);

/* The same for a tensor, whose file must have the size given by its dims and type. */
int read_tensor(const char *name, uint32_t expected, buffer *into);

/* Writes out/NAME, or does nothing without a preopen `out`. On an error, prints it and returns
 * 0. */
int write_file(const char *name, const char *data, uint32_t size);

#endif
