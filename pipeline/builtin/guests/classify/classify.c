/* classify [--graph NAME] [CASE...]
 *
 * Runs inference for the named cases of fixture/fixture.txt, or for all: loads the graph from files
 * or by name, sets the inputs, computes, prints the top five of every output, and writes the raw
 * outputs to the preopen `out`, if there is one. Runs on any wasi-nn host. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "descriptor.h"
#include "preopens.h"
#include "top_five.h"
#include "wasi_nn.h"

#define DESCRIPTOR "fixture/fixture.txt"

/* Reports a failed call, with its case and argument; returns whether it succeeded. */
static int held(uint32_t code, const char *of, const char *function, const char *on) {
    if (code == 0) return 1;
    fprintf(stderr, "%s: %s %s: errno %u, %s\n", of, function, on, code,
            wasi_nn_errno_name(code));
    return 0;
}

static int held_at(uint32_t code, const char *of, const char *function, uint32_t index,
                   const char *file) {
    char on[MAX_NAME + 32];
    snprintf(on, sizeof on, "%u (%s)", index, file);
    return held(code, of, function, on);
}

static int set_inputs(uint32_t context, const test_case *given) {
    for (uint32_t i = 0; i < given->input_count; i++) {
        const port *input = &given->inputs[i];
        buffer file;
        if (!read_tensor(input->file, input->size, &file)) return 0;
        wasi_nn_tensor tensor = {input->dims, input->rank, input->type, file.data, file.size};
        uint32_t code = wasi_nn_set_input(context, i, &tensor);
        free(file.data);
        if (!held_at(code, given->name, "set_input", i, input->file)) return 0;
    }
    return 1;
}

static void print_output(const char *of, uint32_t index, const port *output, const char *data) {
    printf("%s output %u %s ", of, index, output->type_name);
    for (uint32_t axis = 0; axis < output->rank; axis++)
        printf(axis ? "x%u" : "%u", output->dims[axis]);
    printf("\n");
    print_top_five(data, output->type, output->size / wasi_nn_element_size(output->type));
}

static int take_output(uint32_t context, const test_case *given, uint32_t index) {
    const port *output = &given->outputs[index];
    /* An empty tensor has no bytes, for which calloc may return NULL. */
    char *data = calloc(1, output->size ? output->size : 1);
    if (!data) {
        fprintf(stderr, "%s: there is no memory for the %u bytes of output %u (%s)\n", given->name,
                output->size, index, output->file);
        return 0;
    }
    /* Some hosts do not write it. */
    uint32_t written = output->size;
    uint32_t code = wasi_nn_get_output(context, index, data, output->size, &written);
    int good = held_at(code, given->name, "get_output", index, output->file);
    if (good && written != output->size) {
        fprintf(stderr, "%s: get_output %u (%s): the host wrote %u bytes, not %u\n", given->name,
                index, output->file, written, output->size);
        good = 0;
    }
    if (good) print_output(given->name, index, output, data);
    good = good && write_file(output->file, data, output->size);
    free(data);
    return good;
}

static int take_outputs(uint32_t context, const test_case *given) {
    for (uint32_t i = 0; i < given->output_count; i++)
        if (!take_output(context, given, i)) return 0;
    return 1;
}

static int load_files(const descriptor *fixture, uint32_t *graph) {
    wasi_nn_builder builders[MAX_FILES];
    buffer files[MAX_FILES];
    uint32_t read = 0;
    if (!fixture->file_count) {
        fprintf(stderr, DESCRIPTOR ": there is no line 'file NAME', and no --graph NAME either\n");
        return 0;
    }
    while (read < fixture->file_count && read_file(fixture->files[read], &files[read])) {
        builders[read] = (wasi_nn_builder){files[read].data, files[read].size};
        read++;
    }
    int good = read == fixture->file_count;
    if (good) {
        uint32_t code = wasi_nn_load(builders, read, fixture->encoding, WASI_NN_TARGET_CPU, graph);
        good = held(code, fixture->files[0], "load", fixture->encoding_name);
    }
    while (read > 0) free(files[--read].data);
    return good;
}

static int load_named(const char *name, uint32_t *graph) {
    uint32_t code = wasi_nn_load_by_name(name, (uint32_t)strlen(name), graph);
    return held(code, "--graph", "load_by_name", name);
}

static int infer(uint32_t graph, const test_case *given) {
    uint32_t context;
    return held(wasi_nn_init_execution_context(graph, &context), given->name,
                "init_execution_context", "of the graph") &&
           set_inputs(context, given) &&
           held(wasi_nn_compute(context), given->name, "compute", "of the case") &&
           take_outputs(context, given);
}

static const test_case *find_case(const descriptor *fixture, const char *name) {
    for (uint32_t i = 0; i < fixture->case_count; i++)
        if (!strcmp(fixture->cases[i].name, name)) return &fixture->cases[i];
    fprintf(stderr, DESCRIPTOR ": there is no case '%s' but", name);
    for (uint32_t i = 0; i < fixture->case_count; i++)
        fprintf(stderr, " %s", fixture->cases[i].name);
    fprintf(stderr, "\n");
    return NULL;
}

/* Runs the named cases, or all; looks up every name before loading the graph. */
static int classify(const descriptor *fixture, const char *graph_name, char **names, int count) {
    uint32_t graph;
    for (int i = 0; i < count; i++)
        if (!find_case(fixture, names[i])) return 0;
    if (!(graph_name ? load_named(graph_name, &graph) : load_files(fixture, &graph))) return 0;
    for (int i = 0; i < count; i++)
        if (!infer(graph, find_case(fixture, names[i]))) return 0;
    for (uint32_t i = 0; count == 0 && i < fixture->case_count; i++)
        if (!infer(graph, &fixture->cases[i])) return 0;
    return 1;
}

int main(int argc, char **argv) {
    descriptor fixture;
    const char *graph_name = NULL;
    int next = 1;
    if (argc > 2 && !strcmp(argv[1], "--graph")) {
        graph_name = argv[2];
        next = 3;
    }
    if (argc > next && argv[next][0] == '-') {
        fprintf(stderr, "%s: not understood; usage: classify [--graph NAME] [CASE...]\n",
                argv[next]);
        return 1;
    }
    if (!read_descriptor(DESCRIPTOR, &fixture)) return 1;
    int good = classify(&fixture, graph_name, argv + next, argc - next);
    free(fixture.cases);
    if (fflush(stdout) || ferror(stdout)) {
        fprintf(stderr, "stdout: cannot be written: %s\n", strerror(errno));
        return 1;
    }
    return good ? 0 : 1;
}
