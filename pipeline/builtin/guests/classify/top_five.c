#include "top_five.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "wasi_nn.h"

enum { TOP = 5 };

static double half_to_double(uint16_t bits) {
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double value = exponent == 0    ? ldexp(fraction, -24)
                   : exponent == 31 ? (fraction ? NAN : INFINITY)
                                    : ldexp(fraction + 1024, exponent - 25);
    return bits >> 15 ? -value : value;
}

static double element(const char *data, uint32_t type, uint32_t index) {
    uint32_t size = wasi_nn_element_size(type);
    union {
        uint16_t f16;
        float f32;
        double f64;
        uint8_t u8;
        int32_t i32;
        int64_t i64;
    } as;
    memcpy(&as, data + (size_t)index * size, size);
    switch (type) {
    case WASI_NN_F16: return half_to_double(as.f16);
    case WASI_NN_F32: return (double)as.f32;
    case WASI_NN_F64: return as.f64;
    case WASI_NN_U8: return as.u8;
    case WASI_NN_I32: return as.i32;
    default: return (double)as.i64;
    }
}

static int comes_before(double value, double other) {
    return isnan(other) ? !isnan(value) : value > other;
}

void print_top_five(const char *data, uint32_t type, uint32_t count) {
    uint32_t found = 0;
    struct {
        uint32_t index;
        double value;
    } top[TOP + 1];
    for (uint32_t i = 0; i < count; i++) {
        double value = element(data, type, i);
        uint32_t place = found;
        for (; place > 0 && comes_before(value, top[place - 1].value); place--)
            top[place] = top[place - 1];
        top[place].index = i;
        top[place].value = value;
        if (found < TOP) found++;
    }
    for (uint32_t i = 0; i < found; i++) {
        /* The sign of a NaN differs between processors, and printf shows it. */
        if (isnan(top[i].value))
            printf("  %u nan\n", top[i].index);
        else
            printf("  %u %.6g\n", top[i].index, top[i].value);
    }
}
