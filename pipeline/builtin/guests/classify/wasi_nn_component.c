/* The functions of wasi_nn.h over the interfaces that components import, wasi:nn@0.2.0-rc-2024-10-28.
 *
 * Linked into the component only, where it replaces the imports from wasi_ephemeral_nn. Inputs are
 * passed by their index as a name, outputs are taken in the host's order. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WASI_NN(name) uint32_t
#include "wasi_nn.h"

#define WIT(interface, name) \
    __attribute__((import_module("wasi:nn/" interface "@0.2.0-rc-2024-10-28"), import_name(name)))

enum { INVALID_ARGUMENT = 1, MISSING_MEMORY = 3, RUNTIME_ERROR = 5, TOO_LARGE = 7 };
enum { MAX_INPUTS = 32 };

/* A list or string: how it lies in memory. */
typedef struct {
    char *data;
    uint32_t count;
} list;

typedef struct {
    list name;
    uint32_t tensor;
} named_tensor;

/* A result<resource, error>. */
typedef struct {
    uint8_t failed;
    uint32_t handle;
} handle_result;

/* A result<list<named-tensor>, error>. */
typedef struct {
    uint8_t failed;
    union {
        uint32_t error;
        struct {
            named_tensor *data;
            uint32_t count;
        } tensors;
    };
} tensors_result;

typedef struct {
    uint32_t handle;
    uint32_t input_count, output_count;
    uint32_t indices[MAX_INPUTS];
    named_tensor inputs[MAX_INPUTS];
    named_tensor *outputs;
} execution_context;

WIT("graph", "load")
void wit_load(const wasi_nn_builder *builders, uint32_t count, uint32_t encoding, uint32_t target,
              handle_result *graph);
WIT("graph", "load-by-name")
void wit_load_by_name(const char *name, uint32_t length, handle_result *graph);
WIT("graph", "[method]graph.init-execution-context")
void wit_init_execution_context(uint32_t graph, handle_result *context);
WIT("inference", "[method]graph-execution-context.compute")
void wit_compute(uint32_t context, named_tensor *inputs, uint32_t count, tensors_result *outputs);
WIT("tensor", "[constructor]tensor")
uint32_t wit_tensor(const uint32_t *dims, uint32_t rank, uint32_t type, const void *data,
                    uint32_t size);
WIT("tensor", "[method]tensor.data") void wit_tensor_data(uint32_t tensor, list *data);
WIT("tensor", "[resource-drop]tensor") void wit_drop_tensor(uint32_t tensor);
WIT("errors", "[method]error.code") uint32_t wit_error_code(uint32_t error);
WIT("errors", "[method]error.data") void wit_error_data(uint32_t error, list *text);
WIT("errors", "[resource-drop]error") void wit_drop_error(uint32_t error);

/* Called by the host for each list that it passes. */
__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_size,
                                                                size_t alignment, size_t size) {
    (void)old_size;
    if (!size) return (void *)alignment;
    void *data = realloc(old, size);
    if (!data) abort();
    return data;
}

/* Frees a list of the host's: it allocates none that is empty. */
static void free_list(void *data, uint32_t count) {
    if (count) free(data);
}

/* Prints what the host says, and returns the errno of its code. */
static uint32_t refused(uint32_t error) {
    /* By the WIT's error codes: timeout, security and unknown have no errno of their own. */
    static const uint8_t errnos[] = {1, 2, 4, 5, 6, 7, 8, 5, 5};
    uint32_t code = wit_error_code(error);
    list text;
    wit_error_data(error, &text);
    if (text.count) fprintf(stderr, "%.*s\n", (int)text.count, text.data);
    free_list(text.data, text.count);
    wit_drop_error(error);
    return code < sizeof errnos ? errnos[code] : RUNTIME_ERROR;
}

static uint32_t taken(const handle_result *result, uint32_t *handle) {
    if (result->failed) return refused(result->handle);
    *handle = result->handle;
    return 0;
}

uint32_t wasi_nn_load(const wasi_nn_builder *builders, uint32_t count, uint32_t encoding,
                      uint32_t target, uint32_t *graph) {
    handle_result result;
    wit_load(builders, count, encoding, target, &result);
    return taken(&result, graph);
}

uint32_t wasi_nn_load_by_name(const char *name, uint32_t length, uint32_t *graph) {
    handle_result result;
    wit_load_by_name(name, length, &result);
    return taken(&result, graph);
}

uint32_t wasi_nn_init_execution_context(uint32_t graph, uint32_t *context) {
    handle_result result;
    execution_context *made = calloc(1, sizeof *made);
    if (!made) return MISSING_MEMORY;
    wit_init_execution_context(graph, &result);
    uint32_t code = taken(&result, &made->handle);
    if (code)
        free(made);
    else
        *context = (uint32_t)(uintptr_t)made;
    return code;
}

/* The type of the WIT, which has bf16 after f64. */
static uint32_t wit_type(uint32_t type) { return type < WASI_NN_U8 ? type : type + 1; }

uint32_t wasi_nn_set_input(uint32_t context, uint32_t index, const wasi_nn_tensor *tensor) {
    execution_context *in = (execution_context *)(uintptr_t)context;
    char name[12];
    uint32_t at = 0;
    while (at < in->input_count && in->indices[at] != index) at++;
    if (at == MAX_INPUTS) return INVALID_ARGUMENT;
    if (at == in->input_count) {
        snprintf(name, sizeof name, "%u", index);
        list copy = {strdup(name), (uint32_t)strlen(name)};
        if (!copy.data) return MISSING_MEMORY;
        in->inputs[at].name = copy;
        in->indices[at] = index;
        in->input_count++;
    } else {
        wit_drop_tensor(in->inputs[at].tensor);
    }
    in->inputs[at].tensor = wit_tensor(tensor->dims, tensor->rank, wit_type(tensor->type & 0xff),
                                       tensor->data, tensor->size);
    return 0;
}

static void drop_outputs(execution_context *of) {
    for (uint32_t i = 0; i < of->output_count; i++) {
        free_list(of->outputs[i].name.data, of->outputs[i].name.count);
        wit_drop_tensor(of->outputs[i].tensor);
    }
    free_list(of->outputs, of->output_count);
    of->output_count = 0;
}

/* The host takes the inputs: another computation needs them set again. */
uint32_t wasi_nn_compute(uint32_t context) {
    execution_context *in = (execution_context *)(uintptr_t)context;
    tensors_result result;
    drop_outputs(in);
    wit_compute(in->handle, in->inputs, in->input_count, &result);
    while (in->input_count) free(in->inputs[--in->input_count].name.data);
    if (result.failed) return refused(result.error);
    in->outputs = result.tensors.data;
    in->output_count = result.tensors.count;
    return 0;
}

uint32_t wasi_nn_get_output(uint32_t context, uint32_t index, void *buffer, uint32_t size,
                            uint32_t *written) {
    execution_context *in = (execution_context *)(uintptr_t)context;
    list data;
    if (index >= in->output_count) return INVALID_ARGUMENT;
    wit_tensor_data(in->outputs[index].tensor, &data);
    *written = data.count;
    if (data.count <= size) memcpy(buffer, data.data, data.count);
    free_list(data.data, data.count);
    return data.count <= size ? 0 : TOO_LARGE;
}
