// classify [--graph NAME] [CASE...], in C++.
//
// Executes fixture/fixture.txt line by line: reads the files of the graph, sets the inputs of the
// named cases, or of all, computes before the first output of each, prints the top five, and
// writes the raw outputs to the preopen `out`, if there is one.

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

extern "C" {
#include "wasi_nn.h"
}

namespace {

using bytes = std::vector<char>;
using words = std::vector<std::string>;

constexpr std::size_t PIECE = 1 << 20;  // some hosts reject more than 128 MiB in one call
constexpr uint64_t MOST_BYTES = UINT32_MAX;
const words ENCODINGS = {"openvino", "onnx", "tensorflow", "pytorch", "tensorflowlite"};
const words TYPES = {"f16", "f32", "f64", "u8", "i32", "i64"};

[[noreturn]] void refuse(const std::string &where, const std::string &what) {
    std::fprintf(stderr, "%s: %s\n", where.c_str(), what.c_str());
    std::exit(1);
}

void check(uint32_t code, const std::string &function, const std::string &on) {
    if (code != 0)
        refuse(on, function + ": errno " + std::to_string(code) + ", " + wasi_nn_errno_name(code));
}

uint32_t place_of(const words &names, const std::string &name) {
    auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) refuse("fixture/fixture.txt", "not understood: '" + name + "'");
    return static_cast<uint32_t>(found - names.begin());
}

uint32_t number(std::string_view text) {
    uint32_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
        refuse("fixture/fixture.txt", "this is no number: '" + std::string(text) + "'");
    return value;
}

words split(std::string_view text, const char *between) {
    words found;
    for (std::size_t at = 0; (at = text.find_first_not_of(between, at)) != text.npos;) {
        std::size_t end = std::min(text.find_first_of(between, at), text.size());
        found.emplace_back(text.substr(at, end - at));
        at = end;
    }
    return found;
}

bytes read(const std::string &name) {
    std::string path = "fixture/" + name;
    std::FILE *file = std::fopen(path.c_str(), "rb");
    if (!file || std::fseek(file, 0, SEEK_END)) refuse(path, std::strerror(errno));
    long size = std::ftell(file);
    if (size < 0) refuse(path, std::strerror(errno));
    std::rewind(file);
    bytes data(static_cast<std::size_t>(size));
    for (std::size_t done = 0; done < data.size();) {
        std::size_t got = std::fread(&data[done], 1, std::min(PIECE, data.size() - done), file);
        if (got == 0) refuse(path, "ended early");
        done += got;
    }
    std::fclose(file);
    return data;
}

void write(const std::string &name, const bytes &data) {
    if (access("out", F_OK)) return;
    std::string path = "out/" + name;
    std::FILE *file = std::fopen(path.c_str(), "wb");
    if (!file) refuse(path, std::strerror(errno));
    for (std::size_t done = 0; done < data.size();) {
        std::size_t put = std::fwrite(&data[done], 1, std::min(PIECE, data.size() - done), file);
        if (put == 0) refuse(path, std::strerror(errno));
        done += put;
    }
    if (std::fclose(file)) refuse(path, std::strerror(errno));
}

/* The words of an `input INDEX FILE TYPE DIMS` or `output` line. */
struct port {
    uint32_t index, type, size;
    std::string file;
    std::vector<uint32_t> dims;

    explicit port(const words &line)
        : index(number(line[1])), type(place_of(TYPES, line[3])), size(0), file(line[2]) {
        uint64_t product = wasi_nn_element_size(type);
        for (const std::string &axis : split(line[4], "x")) {
            dims.push_back(number(axis));
            product *= dims.back();
            if (product > MOST_BYTES) refuse(file, "is larger than 4 GiB");
        }
        size = static_cast<uint32_t>(product);
    }
};

void print_top_five(const bytes &data) {
    std::vector<float> values(data.size() / sizeof(float));
    std::memcpy(values.data(), data.data(), values.size() * sizeof(float));
    std::vector<uint32_t> order(values.size());
    std::iota(order.begin(), order.end(), 0);
    auto end = order.begin() + static_cast<long>(std::min<std::size_t>(5, order.size()));
    std::partial_sort(order.begin(), end, order.end(), [&](uint32_t one, uint32_t other) {
        return values[one] != values[other] ? values[one] > values[other] : one < other;
    });
    for (auto each = order.begin(); each != end; ++each)
        std::printf("  %u %.6g\n", *each, static_cast<double>(values[*each]));
}

class fixture {
public:
    fixture(std::string graph_name, words wanted)
        : graph_name(std::move(graph_name)), wanted(std::move(wanted)) {}

    void obey(const words &line) {
        auto is = [&](const char *word, std::size_t count) {
            return line[0] == word && line.size() == count;
        };
        if (is("encoding", 2))
            encoding = place_of(ENCODINGS, line[1]);
        else if (is("file", 2))
            take_file(line[1]);
        else if (is("case", 2))
            take_case(line[1]);
        else if (is("input", 5))
            take_input(line);
        else if (is("output", 5))
            take_output(line);
        else
            refuse("fixture/fixture.txt", "not understood: '" + line[0] + "'");
    }

    void end() const {
        for (const std::string &each : wanted)
            if (std::find(seen.begin(), seen.end(), each) == seen.end())
                refuse("fixture/fixture.txt", "there is no case '" + each + "'");
    }

private:
    std::string graph_name, name;
    words wanted, seen;
    std::vector<bytes> files;
    uint32_t encoding = 0, graph = 0, context = 0;
    bool loaded = false, chosen = false, computed = false;

    void take_file(const std::string &file) {
        if (graph_name.empty()) files.push_back(read(file));
    }

    void load() {
        if (!graph_name.empty()) {
            auto length = static_cast<uint32_t>(graph_name.size());
            check(wasi_nn_load_by_name(graph_name.data(), length, &graph), "load_by_name",
                  graph_name);
        } else {
            std::vector<wasi_nn_builder> builders;
            for (const bytes &file : files)
                builders.push_back({file.data(), static_cast<uint32_t>(file.size())});
            check(wasi_nn_load(builders.data(), static_cast<uint32_t>(builders.size()), encoding,
                               WASI_NN_TARGET_CPU, &graph),
                  "load", ENCODINGS[encoding]);
        }
        files.clear();
        loaded = true;
    }

    void take_case(const std::string &given) {
        name = given;
        seen.push_back(given);
        chosen = wanted.empty() || std::find(wanted.begin(), wanted.end(), given) != wanted.end();
        computed = false;
        if (!chosen) return;
        if (!loaded) load();
        check(wasi_nn_init_execution_context(graph, &context), "init_execution_context", name);
    }

    void take_input(const words &line) {
        if (!chosen) return;
        port input(line);
        bytes data = read(input.file);
        wasi_nn_tensor tensor = {input.dims.data(), static_cast<uint32_t>(input.dims.size()),
                                 input.type, data.data(), static_cast<uint32_t>(data.size())};
        check(wasi_nn_set_input(context, input.index, &tensor), "set_input", input.file);
    }

    void take_output(const words &line) {
        if (!chosen) return;
        if (!computed) check(wasi_nn_compute(context), "compute", name);
        computed = true;
        port output(line);
        bytes data(output.size);
        uint32_t written = output.size;
        check(wasi_nn_get_output(context, output.index, data.data(), output.size, &written),
              "get_output", output.file);
        if (written != output.size) refuse(output.file, "the host wrote another size");
        std::printf("%s output %s %s %s\n", name.c_str(), line[1].c_str(), line[3].c_str(),
                    line[4].c_str());
        if (output.type == WASI_NN_F32) print_top_five(data);
        write(output.file, data);
    }
};

}  // namespace

int main(int argc, char **argv) {
    words wanted(argv + 1, argv + argc);
    std::string graph_name;
    if (wanted.size() >= 2 && wanted[0] == "--graph") {
        graph_name = wanted[1];
        wanted.erase(wanted.begin(), wanted.begin() + 2);
    }
    bytes text = read("fixture.txt");
    fixture fixture(graph_name, wanted);
    for (const std::string &line : split({text.data(), text.size()}, "\r\n"))
        if (words found = split(line, " \t"); !found.empty() && found[0][0] != '#')
            fixture.obey(found);
    fixture.end();
    return std::fflush(stdout) ? 1 : 0;
}
