/* Parser of fixture.txt: the graph, and the tensors of each case.
 *
 *     # a comment
 *     encoding openvino
 *     file squeezenet.xml
 *     file squeezenet.bin
 *     case cat
 *     input 0 cat-1x3x227x227-f32.bgr f32 1x3x227x227
 *     output 0 cat-1x1000-f32.raw f32 1x1000
 */
#ifndef DESCRIPTOR_H
#define DESCRIPTOR_H

#include <stdint.h>

#include "preopens.h"

enum { MAX_FILES = 4, MAX_CASES = 64, MAX_PORTS = 32, MAX_RANK = 8 };

/* An input or output: its raw file, element type and dims, and its size in bytes. */
typedef struct {
    char file[MAX_NAME];
    const char *type_name;
    uint32_t type;
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
    const char *encoding_name;
    uint32_t encoding;
    char files[MAX_FILES][MAX_NAME];
    uint32_t file_count;
    test_case *cases; /* MAX_CASES elements, freed by the caller */
    uint32_t case_count;
} descriptor;

/* Reads the file; on an error, prints it with its line and returns 0. */
int read_descriptor(const char *path, descriptor *into);

#endif
