/* The guest's two folders: `fixture`, to read, and `out`, to write where there is one. Both are
 * moved in pieces, since some hosts refuse more than 128 MiB in one call. */
#ifndef PREOPENS_H
#define PREOPENS_H

#include <stdint.h>

enum { MAX_NAME = 256 };

/* The bytes of a file; `data` is for the caller to free. */
typedef struct {
    char *data;
    uint32_t size;
} buffer;

/* Reads all of fixture/NAME. Prints what is wrong and returns 0 if anything is. */
int read_file(const char *name, buffer *into);

/* The same for a tensor, whose file must have just the bytes that its dims and type make. */
int read_tensor(const char *name, uint32_t expected, buffer *into);

/* Writes out/NAME; does nothing where there is no preopen `out`. Prints what is wrong and returns
 * 0 if anything is. */
int write_file(const char *name, const char *data, uint32_t size);

#endif
