/* fixture.txt, read: which graph, and which tensors for which case. */
#ifndef DESCRIPTOR_H
#define DESCRIPTOR_H

#include <stdint.h>

enum { MAX_FILES = 4, MAX_CASES = 64, MAX_PORTS = 32, MAX_RANK = 8, MAX_NAME = 256 };

/* One input or output: its raw file, element type and dims; size is their product in bytes. */
typedef struct {
    char file[MAX_NAME];
    uint32_t type;
    char type_name[4];
    uint32_t dims[MAX_RANK];
    uint32_t rank;
    uint32_t size;
} port;

typedef struct {
    char name[MAX_NAME];
    port inputs[MAX_PORTS];
    port outputs[MAX_PORTS];
    uint32_t input_count;
    uint32_t output_count;
} test_case;

typedef struct {
    uint32_t encoding;
    char files[MAX_FILES][MAX_NAME];
    uint32_t file_count;
    test_case *cases; /* MAX_CASES of them */
    uint32_t case_count;
} descriptor;

/* Reads the file; prints what is wrong, with its line, and returns 0 if anything is. */
int read_descriptor(const char *path, descriptor *into);

/* The bytes of one element of a type of wasi-nn. */
uint32_t element_size(uint32_t type);

#endif
