/* The part of wasi-nn's core-module ABI that this guest uses; import module wasi_ephemeral_nn.
 * Every function returns an errno; results are written to the last pointer. */
#ifndef WASI_NN_H
#define WASI_NN_H

#include <stdint.h>

/* The file that defines these functions for components declares them without the import. */
#ifndef WASI_NN
#define WASI_NN(name) \
    __attribute__((import_module("wasi_ephemeral_nn"), import_name(name))) uint32_t
#endif

enum { WASI_NN_TARGET_CPU = 0 };

/* The numbering since August 2023. */
enum wasi_nn_type {
    WASI_NN_F16 = 0,
    WASI_NN_F32 = 1,
    WASI_NN_F64 = 2,
    WASI_NN_U8 = 3,
    WASI_NN_I32 = 4,
    WASI_NN_I64 = 5,
};

/* The size of an element in bytes. */
static inline uint32_t wasi_nn_element_size(uint32_t type) {
    switch (type) {
    case WASI_NN_U8: return 1;
    case WASI_NN_F16: return 2;
    case WASI_NN_F64:
    case WASI_NN_I64: return 8;
    default: return 4;
    }
}

static inline const char *wasi_nn_errno_name(uint32_t code) {
    static const char *const names[] = {
        "success",       "invalid_argument",      "invalid_encoding", "missing_memory", "busy",
        "runtime_error", "unsupported_operation", "too_large",        "not_found"};
    return code < sizeof names / sizeof names[0] ? names[code] : "an unknown errno";
}

typedef struct {
    const void *data;
    uint32_t size;
} wasi_nn_builder;

typedef struct {
    const uint32_t *dims;
    uint32_t rank;
    uint32_t type; /* hosts read only the first byte */
    const void *data;
    uint32_t size;
} wasi_nn_tensor;

WASI_NN("load")
wasi_nn_load(const wasi_nn_builder *builders, uint32_t count, uint32_t encoding, uint32_t target,
             uint32_t *graph);
WASI_NN("load_by_name")
wasi_nn_load_by_name(const char *name, uint32_t length, uint32_t *graph);
WASI_NN("init_execution_context")
wasi_nn_init_execution_context(uint32_t graph, uint32_t *context);
WASI_NN("set_input")
wasi_nn_set_input(uint32_t context, uint32_t index, const wasi_nn_tensor *tensor);
WASI_NN("compute") wasi_nn_compute(uint32_t context);
WASI_NN("get_output")
wasi_nn_get_output(uint32_t context, uint32_t index, void *buffer, uint32_t size,
                   uint32_t *written);

#endif
