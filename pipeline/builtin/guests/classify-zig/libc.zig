//! Declarations of wasi-libc; Zig's own file and output APIs change between versions.

pub const File = opaque {};

pub extern fn access(path: [*:0]const u8, mode: c_int) c_int;
pub extern fn dprintf(fd: c_int, format: [*:0]const u8, ...) c_int;
pub extern fn exit(code: c_int) noreturn;
pub extern fn fclose(file: *File) c_int;
pub extern fn fflush(file: ?*File) c_int;
pub extern fn fopen(path: [*:0]const u8, mode: [*:0]const u8) ?*File;
pub extern fn fread(data: [*]u8, size: usize, count: usize, file: *File) usize;
pub extern fn fseek(file: *File, offset: c_long, whence: c_int) c_int;
pub extern fn ftell(file: *File) c_long;
pub extern fn fwrite(data: [*]const u8, size: usize, count: usize, file: *File) usize;
pub extern fn printf(format: [*:0]const u8, ...) c_int;
