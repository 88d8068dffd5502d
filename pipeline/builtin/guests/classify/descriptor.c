#include "descriptor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wasi_nn.h"

enum { MAX_LINE = 1024, MAX_LINES = 100000, MAX_WORDS = 5 };

static const struct {
    const char *name;
    uint32_t type;
} TYPES[] = {
    {"f16", WASI_NN_F16}, {"f32", WASI_NN_F32}, {"f64", WASI_NN_F64},
    {"u8", WASI_NN_U8},   {"i32", WASI_NN_I32}, {"i64", WASI_NN_I64},
};

/* The index of a type is its number. */
static const char *const ENCODINGS[] = {"openvino", "onnx", "tensorflow", "pytorch",
                                        "tensorflowlite"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

typedef struct {
    const char *path;
    unsigned line;
} place;

static int refuse(const place *where, const char *what, const char *word) {
    fprintf(stderr, "%s:%u: %s: '%s'\n", where->path, where->line, what, word);
    return 0;
}

/* A file in the fixture's folder: a plain name. */
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
        into->type_name = TYPES[i].name;
        return 1;
    }
    return refuse(where, "the element type is none of f16 f32 f64 u8 i32 i64", word);
}

static int take_dims(const place *where, char *word, port *into) {
    uint64_t size = wasi_nn_element_size(into->type);
    into->rank = 0;
    for (char *axis = word; axis;) {
        char *next = strchr(axis, 'x');
        uint32_t length;
        if (next) *next++ = 0;
        if (into->rank == MAX_RANK) return refuse(where, "the tensor has over 8 dims", axis);
        if (!take_number(axis, UINT32_MAX, &length)) return refuse(where, "this is no dim", axis);
        /* Both are below 2^32, so their product fits. */
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
        return refuse(where, "the indices of a case count up from 0 to at most 31", words[1]);
    port *into = &ports[index];
    if (!take_name(where, words[2], into->file) || !take_type(where, words[3], into) ||
        !take_dims(where, words[4], into))
        return 0;
    ++*count;
    return 1;
}

static int take_input(const place *where, char **words, descriptor *into) {
    if (!into->case_count) return refuse(where, "this belongs after a case", words[0]);
    test_case *last = &into->cases[into->case_count - 1];
    return take_port(where, words, last->inputs, &last->input_count);
}

static int take_output(const place *where, char **words, descriptor *into) {
    if (!into->case_count) return refuse(where, "this belongs after a case", words[0]);
    for (uint32_t i = 0; i < into->case_count; i++)
        for (uint32_t j = 0; j < into->cases[i].output_count; j++)
            if (!strcmp(into->cases[i].outputs[j].file, words[2]))
                return refuse(where, "another output has this file already", words[2]);
    test_case *last = &into->cases[into->case_count - 1];
    return take_port(where, words, last->outputs, &last->output_count);
}

static int take_case(const place *where, char **words, descriptor *into) {
    if (into->case_count == MAX_CASES) return refuse(where, "there are over 64 cases", words[1]);
    for (uint32_t i = 0; i < into->case_count; i++)
        if (!strcmp(into->cases[i].name, words[1]))
            return refuse(where, "there is such a case already", words[1]);
    test_case *next = &into->cases[into->case_count];
    memset(next, 0, sizeof *next);
    if (!take_name(where, words[1], next->name)) return 0;
    into->case_count++;
    return 1;
}

static int take_encoding(const place *where, char **words, descriptor *into) {
    if (into->encoding_name) return refuse(where, "there is an encoding already", words[1]);
    for (uint32_t i = 0; i < COUNT(ENCODINGS); i++) {
        if (strcmp(words[1], ENCODINGS[i])) continue;
        into->encoding = i;
        into->encoding_name = ENCODINGS[i];
        return 1;
    }
    return refuse(where, "the encoding is none of openvino onnx tensorflow pytorch tensorflowlite",
                  words[1]);
}

static int take_file(const place *where, char **words, descriptor *into) {
    if (into->file_count == MAX_FILES)
        return refuse(where, "there are over 4 files of the graph", words[1]);
    return take_name(where, words[1], into->files[into->file_count++]);
}

static const struct {
    const char *word;
    int words;
    const char *usage;
    int (*take)(const place *where, char **words, descriptor *into);
} STATEMENTS[] = {
    {"encoding", 2, "write 'encoding NAME' instead of", take_encoding},
    {"file", 2, "write 'file NAME' instead of", take_file},
    {"case", 2, "write 'case NAME' instead of", take_case},
    {"input", 5, "write 'input INDEX FILE TYPE DIMS' instead of", take_input},
    {"output", 5, "write 'output INDEX FILE TYPE DIMS' instead of", take_output},
};

static int take_line(const place *where, char *line, descriptor *into) {
    char whole[MAX_LINE];
    char *words[MAX_WORDS];
    int count = 0;
    strcpy(whole, line);
    for (char *word = strtok(line, " \t"); word; word = strtok(NULL, " \t")) {
        if (count < MAX_WORDS) words[count] = word;
        count++;
    }
    if (count == 0 || words[0][0] == '#') return 1;
    for (size_t i = 0; i < COUNT(STATEMENTS); i++) {
        if (strcmp(words[0], STATEMENTS[i].word)) continue;
        if (count != STATEMENTS[i].words) return refuse(where, STATEMENTS[i].usage, whole);
        return STATEMENTS[i].take(where, words, into);
    }
    return refuse(where, "a line begins with encoding, file, case, input, output or #", words[0]);
}

/* Reads a line without its end; returns 1, 0 at the end of the file, or -1 if it is invalid. */
static int read_line(place *where, FILE *file, char *line) {
    size_t length = 0;
    int each = getc(file);
    if (each == EOF) return 0;
    if (++where->line > MAX_LINES) {
        fprintf(stderr, "%s: has over 100000 lines\n", where->path);
        return -1;
    }
    for (; each != '\n' && each != EOF; each = getc(file)) {
        if (length == MAX_LINE - 1) {
            fprintf(stderr, "%s:%u: the line has over 1023 bytes\n", where->path, where->line);
            return -1;
        }
        line[length++] = (char)each;
    }
    if (length && line[length - 1] == '\r') length--;
    line[length] = 0;
    for (size_t i = 0; i < length; i++) {
        /* Control characters could hide a part of the line, or control the terminal. */
        if (((unsigned char)line[i] < ' ' && line[i] != '\t') || line[i] == 127) {
            fprintf(stderr, "%s:%u: the line has the control character 0x%02x\n", where->path,
                    where->line, (unsigned)line[i]);
            return -1;
        }
    }
    return 1;
}

static int is_complete(const char *path, const descriptor *given) {
    if (!given->encoding_name || !given->case_count) {
        fprintf(stderr, "%s: there is no line '%s NAME'\n", path,
                given->encoding_name ? "case" : "encoding");
        return 0;
    }
    for (uint32_t i = 0; i < given->case_count; i++) {
        const test_case *each = &given->cases[i];
        if (each->input_count && each->output_count) continue;
        fprintf(stderr, "%s: case %s has no %s\n", path, each->name,
                each->input_count ? "output" : "input");
        return 0;
    }
    return 1;
}

int read_descriptor(const char *path, descriptor *into) {
    char line[MAX_LINE];
    place where = {path, 0};
    int more, good = 1;
    FILE *file = fopen(path, "r");
    if (!file) {
        fprintf(stderr, "%s: cannot be opened: %s; map a fixture's folder as 'fixture'\n", path,
                strerror(errno));
        return 0;
    }
    memset(into, 0, sizeof *into);
    into->cases = malloc(MAX_CASES * sizeof *into->cases);
    if (!into->cases) {
        fprintf(stderr, "%s: there is no memory for its cases\n", path);
        fclose(file);
        return 0;
    }
    while (good && (more = read_line(&where, file, line)) != 0)
        good = more > 0 && take_line(&where, line, into);
    if (good && ferror(file)) {
        fprintf(stderr, "%s: cannot be read: %s\n", path, strerror(errno));
        good = 0;
    }
    fclose(file);
    good = good && is_complete(path, into);
    if (!good) free(into->cases);
    return good;
}
