#include "descriptor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wasi_nn.h"

enum { MAX_LINE = 1024, MAX_WORDS = 6 };

static const struct {
    const char *name;
    uint32_t type;
    uint32_t size;
} TYPES[] = {
    {"f16", WASI_NN_F16, 2}, {"f32", WASI_NN_F32, 4}, {"f64", WASI_NN_F64, 8},
    {"u8", WASI_NN_U8, 1},   {"i32", WASI_NN_I32, 4}, {"i64", WASI_NN_I64, 8},
};

static const char *const ENCODINGS[] = {"openvino", "onnx", "tensorflow", "pytorch",
                                        "tensorflowlite"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

typedef struct {
    const char *path;
    unsigned number;
} place;

static int refuse(const place *where, const char *what, const char *word) {
    fprintf(stderr, "%s:%u: %s: '%s'\n", where->path, where->number, what, word);
    return 0;
}

uint32_t element_size(uint32_t type) {
    for (size_t i = 0; i < COUNT(TYPES); i++)
        if (TYPES[i].type == type) return TYPES[i].size;
    return 0;
}

/* A file of the fixture's own folder: a plain name. */
static int take_name(const place *where, const char *word, char *into) {
    if (strlen(word) >= MAX_NAME) return refuse(where, "this name is too long", word);
    if (strchr(word, '/') || strchr(word, '\\') || !strcmp(word, ".") || !strcmp(word, ".."))
        return refuse(where, "this is not the name of a file in the folder", word);
    strcpy(into, word);
    return 1;
}

static int take_number(const char *word, uint32_t most, uint32_t *into) {
    uint64_t value = 0;
    if (!*word) return 0;
    for (const char *digit = word; *digit; digit++) {
        if (*digit < '0' || *digit > '9') return 0;
        value = value * 10 + (uint64_t)(*digit - '0');
        if (value > most) return 0;
    }
    *into = (uint32_t)value;
    return 1;
}

static int take_type(const place *where, const char *word, port *into) {
    for (size_t i = 0; i < COUNT(TYPES); i++) {
        if (strcmp(word, TYPES[i].name)) continue;
        into->type = TYPES[i].type;
        strcpy(into->type_name, word);
        return 1;
    }
    return refuse(where, "there is no such element type", word);
}

static int take_dims(const place *where, char *word, port *into) {
    uint64_t size = element_size(into->type);
    into->rank = 0;
    for (char *axis = word; axis;) {
        char *next = strchr(axis, 'x');
        uint32_t length;
        if (next) *next++ = 0;
        if (into->rank == MAX_RANK) return refuse(where, "these are too many dims", axis);
        if (!take_number(axis, UINT32_MAX, &length) || length == 0)
            return refuse(where, "this is no dim", axis);
        size *= length;
        if (size > UINT32_MAX) return refuse(where, "the tensor is larger than 4 GiB", axis);
        into->dims[into->rank++] = length;
        axis = next;
    }
    into->size = (uint32_t)size;
    return 1;
}

static int take_port(const place *where, char **words, port *ports, uint32_t *count) {
    uint32_t index;
    if (!take_number(words[1], MAX_PORTS - 1, &index) || index != *count)
        return refuse(where, "the indices must count up from 0", words[1]);
    port *into = &ports[index];
    if (!take_name(where, words[2], into->file) || !take_type(where, words[3], into) ||
        !take_dims(where, words[4], into))
        return 0;
    ++*count;
    return 1;
}

static int take_case(const place *where, const char *word, descriptor *into) {
    if (into->case_count == MAX_CASES) return refuse(where, "this is one case too many", word);
    test_case *next = &into->cases[into->case_count];
    memset(next, 0, sizeof *next);
    if (!take_name(where, word, next->name)) return 0;
    into->case_count++;
    return 1;
}

static int take_encoding(const place *where, const char *word, descriptor *into) {
    for (uint32_t i = 0; i < COUNT(ENCODINGS); i++) {
        if (strcmp(word, ENCODINGS[i])) continue;
        into->encoding = i;
        return 1;
    }
    return refuse(where, "there is no such encoding", word);
}

static int take_line(const place *where, char *line, descriptor *into) {
    char *words[MAX_WORDS] = {0};
    int count = 0;
    for (char *word = strtok(line, " \t\r\n"); word; word = strtok(NULL, " \t\r\n")) {
        if (count == MAX_WORDS) return refuse(where, "this line has too many words", word);
        words[count++] = word;
    }
    if (count == 0 || words[0][0] == '#') return 1;
    test_case *last = into->case_count ? &into->cases[into->case_count - 1] : NULL;
    if (!strcmp(words[0], "encoding") && count == 2) return take_encoding(where, words[1], into);
    if (!strcmp(words[0], "case") && count == 2) return take_case(where, words[1], into);
    if (!strcmp(words[0], "file") && count == 2) {
        if (into->file_count == MAX_FILES)
            return refuse(where, "this is one file too many", words[1]);
        return take_name(where, words[1], into->files[into->file_count++]);
    }
    if (!strcmp(words[0], "input") && count == 5 && last)
        return take_port(where, words, last->inputs, &last->input_count);
    if (!strcmp(words[0], "output") && count == 5 && last)
        return take_port(where, words, last->outputs, &last->output_count);
    return refuse(where, "this line is not understood", words[0]);
}

int read_descriptor(const char *path, descriptor *into) {
    char line[MAX_LINE];
    place where = {path, 0};
    FILE *file = fopen(path, "r");
    if (!file) {
        fprintf(stderr, "%s: cannot be opened; map a fixture's folder as 'fixture'\n", path);
        return 0;
    }
    memset(into, 0, sizeof *into);
    into->encoding = UINT32_MAX;
    into->cases = malloc(MAX_CASES * sizeof *into->cases);
    int good = into->cases != NULL;
    if (!good) fprintf(stderr, "%s: there is no memory for its cases\n", path);
    while (good && fgets(line, sizeof line, file)) {
        where.number++;
        if (!strchr(line, '\n') && !feof(file))
            good = refuse(&where, "this line is too long", "");
        else
            good = take_line(&where, line, into);
    }
    fclose(file);
    if (!good) return 0;
    if (into->encoding == UINT32_MAX) return refuse(&where, "a line is missing", "encoding");
    if (!into->case_count) return refuse(&where, "a line is missing", "case");
    for (uint32_t i = 0; i < into->case_count; i++)
        if (!into->cases[i].input_count || !into->cases[i].output_count)
            return refuse(&where, "this case needs inputs and outputs", into->cases[i].name);
    return 1;
}
