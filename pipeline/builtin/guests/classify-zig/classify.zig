//! classify [--graph NAME] [CASE...], in Zig.
//!
//! Executes fixture/fixture.txt line by line: reads the files of the graph, sets the inputs of the
//! named cases, or of all, computes before the first output of each, prints the top five, and
//! writes the raw outputs to the preopen `out`, if there is one.

const std = @import("std");
const c = @import("libc.zig");
const nn = @import("wasi_nn.zig");

/// Panics trap; Zig's own panic handler would link its files and clocks.
pub const panic = std.debug.no_panic;

const allocator = std.heap.c_allocator;
const encodings = [_][]const u8{ "openvino", "onnx", "tensorflow", "pytorch", "tensorflowlite" };
const types = [_][]const u8{ "f16", "f32", "f64", "u8", "i32", "i64" };
const type_sizes = [_]u64{ 2, 4, 8, 1, 4, 8 };
const descriptor = "fixture/fixture.txt";
/// Some hosts reject more than 128 MiB in one call.
const piece: usize = 1 << 20;

fn length(text: []const u8) c_int {
    return @intCast(text.len);
}

fn refuse(where: []const u8, what: []const u8, word: []const u8) noreturn {
    _ = c.dprintf(2, "%.*s: ", length(where), where.ptr);
    _ = c.dprintf(2, "%.*s '%.*s'\n", length(what), what.ptr, length(word), word.ptr);
    c.exit(1);
}

fn check(code: u32, function: []const u8, on: []const u8) void {
    if (code == 0) return;
    _ = c.dprintf(2, "%.*s: ", length(on), on.ptr);
    _ = c.dprintf(2, "%.*s: errno %u\n", length(function), function.ptr, code);
    c.exit(1);
}

fn placeOf(names: []const []const u8, name: []const u8) u32 {
    for (names, 0..) |each, place| {
        if (std.mem.eql(u8, each, name)) return @intCast(place);
    }
    refuse(descriptor, "not understood", name);
}

fn number(text: []const u8) u32 {
    return std.fmt.parseInt(u32, text, 10) catch refuse(descriptor, "this is no number", text);
}

fn allocate(comptime T: type, count: usize) []T {
    return allocator.alloc(T, count) catch refuse(descriptor, "there is no memory", "");
}

var nowhere: [1]u8 = .{0};

/// Returns the address of bytes for a host: an empty slice's own is outside of the memory.
fn address(data: []u8) [*]u8 {
    return if (data.len == 0) &nowhere else data.ptr;
}

fn joined(folder: []const u8, name: []const u8) [:0]u8 {
    return std.mem.concatWithSentinel(allocator, u8, &.{ folder, name }, 0) catch
        refuse(name, "there is no memory", "");
}

/// Returns the whole file; the caller frees it.
fn read(name: []const u8) []u8 {
    const path = joined("fixture/", name);
    defer allocator.free(path);
    const file = c.fopen(path, "rb") orelse refuse(path, "cannot be opened", "");
    const size = if (c.fseek(file, 0, 2) == 0) c.ftell(file) else -1;
    if (size < 0 or c.fseek(file, 0, 0) != 0) refuse(path, "cannot be read", "");
    const data = allocate(u8, @intCast(size));
    var done: usize = 0;
    while (done < data.len) {
        const got = c.fread(data.ptr + done, 1, @min(piece, data.len - done), file);
        if (got == 0) refuse(path, "ended early", "");
        done += got;
    }
    _ = c.fclose(file);
    return data;
}

fn write(name: []const u8, data: []const u8) void {
    if (c.access("out", 0) != 0) return;
    const path = joined("out/", name);
    defer allocator.free(path);
    const file = c.fopen(path, "wb") orelse refuse(path, "cannot be written", "");
    var done: usize = 0;
    while (done < data.len) {
        const put = c.fwrite(data.ptr + done, 1, @min(piece, data.len - done), file);
        if (put == 0) refuse(path, "cannot be written", "");
        done += put;
    }
    if (c.fclose(file) != 0) refuse(path, "cannot be written", "");
}

/// The words of an `input INDEX FILE TYPE DIMS` or `output` line.
const Port = struct {
    index: u32,
    file: []const u8,
    type: u32,
    dims: [8]u32,
    rank: u32,
    size: u32,

    fn of(line: []const []const u8) Port {
        var port = Port{
            .index = number(line[1]),
            .file = line[2],
            .type = placeOf(&types, line[3]),
            .dims = undefined,
            .rank = 0,
            .size = 0,
        };
        var size = type_sizes[port.type];
        var axes = std.mem.splitScalar(u8, line[4], 'x');
        while (axes.next()) |axis| {
            if (port.rank == port.dims.len) refuse(descriptor, "there are over 8 dims", line[4]);
            port.dims[port.rank] = number(axis);
            size *= port.dims[port.rank];
            if (size > std.math.maxInt(u32)) refuse(descriptor, "this is over 4 GiB", line[4]);
            port.rank += 1;
        }
        port.size = @intCast(size);
        return port;
    }
};

fn printTopFive(data: []const u8) void {
    var top: [6]struct { index: usize, value: f32 } = undefined;
    var found: usize = 0;
    for (0..data.len / 4) |index| {
        const value: f32 = @bitCast(std.mem.readInt(u32, data[index * 4 ..][0..4], .little));
        var place = found;
        while (place > 0 and value > top[place - 1].value) : (place -= 1)
            top[place] = top[place - 1];
        top[place] = .{ .index = index, .value = value };
        if (found < 5) found += 1;
    }
    for (top[0..found]) |each| _ = c.printf("  %zu %.6g\n", each.index, @as(f64, each.value));
}

const Fixture = struct {
    graph_name: ?[]const u8,
    wanted: []const []const u8,
    /// Number of occurrences of each requested case.
    seen: []u32,
    builders: [4]nn.Builder = undefined,
    files: u32 = 0,
    encoding: u32 = 0,
    graph: ?u32 = null,
    context: u32 = 0,
    name: []const u8 = "",
    chosen: bool = false,
    computed: bool = false,

    fn obey(self: *Fixture, line: []const []const u8) void {
        if (is(line, "encoding", 2)) {
            self.encoding = placeOf(&encodings, line[1]);
        } else if (is(line, "file", 2)) {
            self.takeFile(line[1]);
        } else if (is(line, "case", 2)) {
            self.takeCase(line[1]);
        } else if (is(line, "input", 5)) {
            if (self.chosen) self.takeInput(Port.of(line));
        } else if (is(line, "output", 5)) {
            if (self.chosen) self.takeOutput(Port.of(line), line);
        } else refuse(descriptor, "not understood", line[0]);
    }

    fn is(line: []const []const u8, word: []const u8, count: usize) bool {
        return line.len == count and std.mem.eql(u8, line[0], word);
    }

    fn takeFile(self: *Fixture, name: []const u8) void {
        if (self.graph_name != null) return;
        if (self.files == self.builders.len) refuse(descriptor, "there are over 4 files", name);
        const data = read(name);
        self.builders[self.files] = .{ .data = address(data), .size = data.len };
        self.files += 1;
    }

    fn load(self: *Fixture) u32 {
        var graph: u32 = undefined;
        if (self.graph_name) |name| {
            check(nn.load_by_name(name.ptr, name.len, &graph), "load_by_name", name);
            return graph;
        }
        const errno = nn.load(&self.builders, self.files, self.encoding, nn.cpu, &graph);
        check(errno, "load", encodings[self.encoding]);
        for (self.builders[0..self.files]) |file| allocator.free(file.data[0..file.size]);
        self.files = 0;
        return graph;
    }

    fn takeCase(self: *Fixture, name: []const u8) void {
        self.name = name;
        self.chosen = self.wanted.len == 0;
        self.computed = false;
        for (self.wanted, self.seen) |each, *times| {
            if (!std.mem.eql(u8, each, name)) continue;
            self.chosen = true;
            times.* += 1;
        }
        if (!self.chosen) return;
        if (self.graph == null) self.graph = self.load();
        const errno = nn.init_execution_context(self.graph.?, &self.context);
        check(errno, "init_execution_context", name);
    }

    fn takeInput(self: *Fixture, port: Port) void {
        const data = read(port.file);
        defer allocator.free(data);
        const tensor = nn.Tensor{
            .dims = &port.dims,
            .rank = port.rank,
            .type = port.type,
            .data = address(data),
            .size = data.len,
        };
        check(nn.set_input(self.context, port.index, &tensor), "set_input", port.file);
    }

    fn takeOutput(self: *Fixture, port: Port, line: []const []const u8) void {
        if (!self.computed) check(nn.compute(self.context), "compute", self.name);
        self.computed = true;
        const data = allocate(u8, port.size);
        defer allocator.free(data);
        var written: u32 = port.size;
        const errno = nn.get_output(self.context, port.index, address(data), data.len, &written);
        check(errno, "get_output", port.file);
        if (written != port.size) refuse(port.file, "the host wrote another size", "");
        for ([_][]const u8{ self.name, "output", line[1], line[3], line[4] }, 0..) |word, place|
            _ = c.printf(if (place == 0) "%.*s" else " %.*s", length(word), word.ptr);
        _ = c.printf("\n");
        if (std.mem.eql(u8, line[3], "f32")) printTopFive(data);
        write(port.file, data);
    }
};

fn split(line: []const u8, into: *[5][]const u8) []const []const u8 {
    var words = std.mem.tokenizeAny(u8, line, " \t\r");
    var count: usize = 0;
    while (words.next()) |word| {
        if (count == into.len) refuse(descriptor, "the line has too many words", line);
        into[count] = word;
        count += 1;
        if (word[0] == '#') return into[0 .. count - 1];
    }
    return into[0..count];
}

/// The entry point that wasi-libc calls: the wasm name of C's `main`.
export fn __main_argc_argv(argc: c_int, argv: [*]const [*:0]const u8) c_int {
    var wanted = allocate([]const u8, @intCast(@max(0, argc - 1)));
    for (wanted, 1..) |*each, place| each.* = std.mem.span(argv[place]);
    var graph_name: ?[]const u8 = null;
    if (wanted.len >= 2 and std.mem.eql(u8, wanted[0], "--graph")) {
        graph_name = wanted[1];
        wanted = wanted[2..];
    }
    const seen = allocate(u32, wanted.len);
    @memset(seen, 0);
    var fixture = Fixture{ .graph_name = graph_name, .wanted = wanted, .seen = seen };
    var words: [5][]const u8 = undefined;
    var lines = std.mem.splitScalar(u8, read("fixture.txt"), '\n');
    while (lines.next()) |line| {
        const found = split(line, &words);
        if (found.len > 0) fixture.obey(found);
    }
    for (wanted, seen) |name, times| {
        if (times == 0) refuse(descriptor, "there is no case", name);
    }
    return if (c.fflush(null) == 0) 0 else 1;
}
