#include "preopens.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PIECE = 1 << 20 };

static int refuse(const char *path, const char *what) {
    fprintf(stderr, "%s: %s: %s\n", path, what, strerror(errno));
    return 0;
}

static uint32_t piece(uint32_t left) { return left < PIECE ? left : PIECE; }

static int read_open(FILE *file, const char *path, uint64_t size, buffer *into) {
    if (size > UINT32_MAX) {
        fprintf(stderr, "%s: has %llu bytes, more than the 4 GiB of a guest\n", path,
                (unsigned long long)size);
        return 0;
    }
    into->size = (uint32_t)size;
    into->data = malloc(size ? (size_t)size : 1);
    if (!into->data) {
        fprintf(stderr, "%s: there is no memory for its %u bytes\n", path, into->size);
        return 0;
    }
    uint32_t done = 0;
    while (done < into->size) {
        size_t got = fread(into->data + done, 1, piece(into->size - done), file);
        if (got == 0) break;
        done += (uint32_t)got;
    }
    if (done == into->size) return 1;
    if (ferror(file))
        refuse(path, "cannot be read");
    else
        fprintf(stderr, "%s: ended after %u of its %u bytes\n", path, done, into->size);
    free(into->data);
    return 0;
}

static int read_sized(const char *name, const uint32_t *expected, buffer *into) {
    char path[MAX_NAME + 16];
    struct stat status;
    snprintf(path, sizeof path, "fixture/%s", name);
    if (stat(path, &status)) return refuse(path, "cannot be opened");
    if (!S_ISREG(status.st_mode)) {
        fprintf(stderr, "%s: is not a file\n", path);
        return 0;
    }
    if (expected && (uint64_t)status.st_size != *expected) {
        fprintf(stderr, "%s: has %llu bytes, where its dims and type make %u\n", path,
                (unsigned long long)status.st_size, *expected);
        return 0;
    }
    FILE *file = fopen(path, "rb");
    if (!file) return refuse(path, "cannot be opened");
    int good = read_open(file, path, (uint64_t)status.st_size, into);
    fclose(file);
    return good;
}

int read_file(const char *name, buffer *into) { return read_sized(name, NULL, into); }

int read_tensor(const char *name, uint32_t expected, buffer *into) {
    return read_sized(name, &expected, into);
}

int write_file(const char *name, const char *data, uint32_t size) {
    char path[MAX_NAME + 16];
    struct stat status;
    if (stat("out", &status)) return 1;
    snprintf(path, sizeof path, "out/%s", name);
    FILE *file = fopen(path, "wb");
    if (!file) return refuse(path, "cannot be written");
    uint32_t done = 0;
    while (done < size) {
        size_t put = fwrite(data + done, 1, piece(size - done), file);
        if (put == 0) break;
        done += (uint32_t)put;
    }
    int closed = fclose(file) == 0;
    if (closed && done == size) return 1;
    return refuse(path, "cannot be written in full");
}
