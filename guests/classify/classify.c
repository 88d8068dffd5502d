/* classify [--graph NAME] [CASE...]
 *
 * Infers the named cases of fixture/fixture.txt, or all of them: loads the graph from its files,
 * or by name, sets every input, computes, prints the top five of every output, and writes the raw
 * outputs into the preopen `out` where there is one. Runs on any wasi-nn host. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "descriptor.h"
#include "wasi_nn.h"

/* Some hosts refuse to move more than 128 MiB in one call. */
enum { PIECE = 1 << 20, TOP = 5 };

typedef struct {
    char *data;
    uint32_t size;
} buffer;

static const char *errno_name(uint32_t code) {
    static const char *const names[] = {
        "success",       "invalid_argument",      "invalid_encoding", "missing_memory", "busy",
        "runtime_error", "unsupported_operation", "too_large",        "not_found"};
    return code < sizeof names / sizeof names[0] ? names[code] : "unknown errno";
}

static int held(uint32_t code, const char *function, const char *what) {
    if (code == 0) return 1;
    fprintf(stderr, "%s of %s: errno %u, %s\n", function, what, code, errno_name(code));
    return 0;
}

/* Reads a whole file of the fixture; `expected` is its size, or 0 where any will do. */
static int read_file(const char *name, uint32_t expected, buffer *into) {
    char path[MAX_NAME + 16];
    struct stat status;
    snprintf(path, sizeof path, "fixture/%s", name);
    FILE *file = fopen(path, "rb");
    if (!file || stat(path, &status)) {
        fprintf(stderr, "%s: cannot be opened\n", path);
        if (file) fclose(file);
        return 0;
    }
    unsigned long long size = (unsigned long long)status.st_size;
    if (size > UINT32_MAX || (expected && size != expected)) {
        fprintf(stderr, "%s: has %llu bytes instead of %u\n", path, size, expected);
        fclose(file);
        return 0;
    }
    into->size = (uint32_t)size;
    into->data = malloc(size ? size : 1);
    if (!into->data) {
        fprintf(stderr, "%s: there is no memory for its %llu bytes\n", path, size);
        fclose(file);
        return 0;
    }
    uint32_t done = 0;
    while (done < into->size) {
        uint32_t left = into->size - done;
        size_t got = fread(into->data + done, 1, left < PIECE ? left : PIECE, file);
        if (got == 0) break;
        done += (uint32_t)got;
    }
    fclose(file);
    if (done == into->size) return 1;
    fprintf(stderr, "%s: ended after %u of %u bytes\n", path, done, into->size);
    free(into->data);
    return 0;
}

static int write_output(const port *output, const char *data) {
    char path[MAX_NAME + 16];
    struct stat status;
    if (stat("out", &status)) return 1; /* nobody asked for files */
    snprintf(path, sizeof path, "out/%s", output->file);
    FILE *file = fopen(path, "wb");
    uint32_t done = 0;
    while (file && done < output->size) {
        uint32_t left = output->size - done;
        size_t put = fwrite(data + done, 1, left < PIECE ? left : PIECE, file);
        if (put == 0) break;
        done += (uint32_t)put;
    }
    int closed = file && fclose(file) == 0;
    if (closed && done == output->size) return 1;
    fprintf(stderr, "%s: cannot be written\n", path);
    return 0;
}

static double half_to_double(uint16_t bits) {
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double value = exponent == 0    ? ldexp(fraction, -24)
                   : exponent == 31 ? (fraction ? NAN : INFINITY)
                                    : ldexp(fraction + 1024, exponent - 25);
    return bits >> 15 ? -value : value;
}

static double element(const port *output, const char *data, uint32_t index) {
    const char *at = data + (size_t)index * element_size(output->type);
    union {
        uint16_t f16;
        float f32;
        double f64;
        uint8_t u8;
        int32_t i32;
        int64_t i64;
    } as;
    memcpy(&as, at, element_size(output->type));
    switch (output->type) {
    case WASI_NN_F16: return half_to_double(as.f16);
    case WASI_NN_F32: return (double)as.f32;
    case WASI_NN_F64: return as.f64;
    case WASI_NN_U8: return as.u8;
    case WASI_NN_I32: return as.i32;
    default: return (double)as.i64;
    }
}

/* Prints the five largest; of equal ones the first, and what is not a number never. */
static void print_top(const port *output, const char *data) {
    uint32_t count = output->size / element_size(output->type), found = 0;
    struct {
        uint32_t index;
        double value;
    } top[TOP + 1];
    for (uint32_t i = 0; i < count; i++) {
        double value = element(output, data, i);
        if (isnan(value)) continue;
        uint32_t place = found;
        for (; place > 0 && top[place - 1].value < value; place--) top[place] = top[place - 1];
        top[place].index = i;
        top[place].value = value;
        if (found < TOP) found++;
    }
    for (uint32_t i = 0; i < found; i++) printf("  %u %.6g\n", top[i].index, top[i].value);
}

static int set_inputs(uint32_t context, const test_case *given) {
    for (uint32_t i = 0; i < given->input_count; i++) {
        const port *input = &given->inputs[i];
        buffer file;
        if (!read_file(input->file, input->size, &file)) return 0;
        wasi_nn_tensor tensor = {input->dims, input->rank, input->type, file.data, file.size};
        int good = held(wasi_nn_set_input(context, i, &tensor), "set_input", input->file);
        free(file.data);
        if (!good) return 0;
    }
    return 1;
}

static int take_outputs(uint32_t context, const test_case *given) {
    for (uint32_t i = 0; i < given->output_count; i++) {
        const port *output = &given->outputs[i];
        char *data = calloc(1, output->size);
        if (!data) {
            fprintf(stderr, "%s: there is no memory for its %u bytes\n", output->file,
                    output->size);
            return 0;
        }
        uint32_t written = output->size;
        int good = held(wasi_nn_get_output(context, i, data, output->size, &written), "get_output",
                        output->file);
        if (good && written != output->size) {
            fprintf(stderr, "get_output of %s: %u bytes instead of %u\n", output->file, written,
                    output->size);
            good = 0;
        }
        if (good) {
            printf("%s output %u %s ", given->name, i, output->type_name);
            for (uint32_t axis = 0; axis < output->rank; axis++)
                printf(axis ? "x%u" : "%u", output->dims[axis]);
            printf("\n");
            print_top(output, data);
            good = write_output(output, data);
        }
        free(data);
        if (!good) return 0;
    }
    return 1;
}

static int load(const descriptor *fixture, const char *name, uint32_t *graph) {
    if (name) {
        uint32_t code = wasi_nn_load_by_name(name, (uint32_t)strlen(name), graph);
        return held(code, "load_by_name", name);
    }
    wasi_nn_builder builders[MAX_FILES];
    buffer files[MAX_FILES];
    uint32_t read = 0;
    while (read < fixture->file_count && read_file(fixture->files[read], 0, &files[read])) {
        builders[read] = (wasi_nn_builder){files[read].data, files[read].size};
        read++;
    }
    int good = read == fixture->file_count &&
               held(wasi_nn_load(builders, read, fixture->encoding, WASI_NN_TARGET_CPU, graph),
                    "load", fixture->file_count ? fixture->files[0] : "no file");
    while (read > 0) free(files[--read].data);
    return good;
}

static int infer(uint32_t graph, const test_case *given) {
    uint32_t context;
    return held(wasi_nn_init_execution_context(graph, &context), "init_execution_context",
                given->name) &&
           set_inputs(context, given) &&
           held(wasi_nn_compute(context), "compute", given->name) && take_outputs(context, given);
}

static const test_case *find_case(const descriptor *fixture, const char *name) {
    for (uint32_t i = 0; i < fixture->case_count; i++)
        if (!strcmp(fixture->cases[i].name, name)) return &fixture->cases[i];
    fprintf(stderr, "fixture/fixture.txt has no case '%s'; it has:", name);
    for (uint32_t i = 0; i < fixture->case_count; i++)
        fprintf(stderr, " %s", fixture->cases[i].name);
    fprintf(stderr, "\n");
    return NULL;
}

int main(int argc, char **argv) {
    descriptor fixture;
    const char *name = NULL;
    uint32_t graph;
    int next = 1;
    if (next < argc && !strcmp(argv[next], "--graph")) {
        if (argc < 3) {
            fprintf(stderr, "usage: classify [--graph NAME] [CASE...]\n");
            return 1;
        }
        name = argv[next + 1];
        next += 2;
    }
    if (!read_descriptor("fixture/fixture.txt", &fixture)) return 1;
    for (int i = next; i < argc; i++)
        if (!find_case(&fixture, argv[i])) return 1;
    if (!load(&fixture, name, &graph)) return 1;
    if (next == argc)
        for (uint32_t i = 0; i < fixture.case_count; i++)
            if (!infer(graph, &fixture.cases[i])) return 1;
    for (int i = next; i < argc; i++)
        if (!infer(graph, find_case(&fixture, argv[i]))) return 1;
    free(fixture.cases);
    return fflush(stdout) ? 1 : 0;
}
