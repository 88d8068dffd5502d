// Files, arguments and output with WASI preview 1.

@external("wasi_snapshot_preview1", "args_sizes_get")
declare function args_sizes_get(count: usize, size: usize): u32;
@external("wasi_snapshot_preview1", "args_get")
declare function args_get(places: usize, texts: usize): u32;
@external("wasi_snapshot_preview1", "fd_prestat_get")
declare function fd_prestat_get(fd: u32, prestat: usize): u32;
@external("wasi_snapshot_preview1", "fd_prestat_dir_name")
declare function fd_prestat_dir_name(fd: u32, name: usize, size: u32): u32;
@external("wasi_snapshot_preview1", "path_open")
declare function path_open(
  folder: u32, follow: u32, path: usize, size: u32, how: u32, rights: u64, inherited: u64,
  flags: u32, fd: usize
): u32;
@external("wasi_snapshot_preview1", "fd_filestat_get")
declare function fd_filestat_get(fd: u32, stat: usize): u32;
@external("wasi_snapshot_preview1", "fd_read")
declare function fd_read(fd: u32, pieces: usize, count: u32, moved: usize): u32;
@external("wasi_snapshot_preview1", "fd_write")
declare function fd_write(fd: u32, pieces: usize, count: u32, moved: usize): u32;
@external("wasi_snapshot_preview1", "fd_close")
declare function fd_close(fd: u32): u32;
@external("wasi_snapshot_preview1", "proc_exit")
declare function proc_exit(code: u32): void;

const PIECE: u32 = 1 << 20; // some hosts reject more than 128 MiB in one call
const RIGHT_TO_READ: u64 = 1 << 1 | 1 << 21; // and to query the size
const RIGHT_TO_WRITE: u64 = 1 << 6;
const CREATE_OR_EMPTY: u32 = 1 | 8;
const NONE: u32 = u32.MAX_VALUE;

const iovec = memory.data(8);
const answer = memory.data(8);
const filestat = memory.data(64);

function move(reads: bool, fd: u32, data: usize, size: u32): u32 {
  store<u32>(iovec, data as u32);
  store<u32>(iovec, min(size, PIECE), 4);
  const errno = reads ? fd_read(fd, iovec, 1, answer) : fd_write(fd, iovec, 1, answer);
  return errno ? 0 : load<u32>(answer);
}

function moved(reads: bool, fd: u32, data: usize, size: u32): bool {
  for (let done: u32 = 0; done < size;) {
    const count = move(reads, fd, data + done, size - done);
    if (!count) return false;
    done += count;
  }
  return true;
}

export function print(fd: u32, text: string): void {
  const bytes = String.UTF8.encode(text);
  moved(false, fd, changetype<usize>(bytes), bytes.byteLength);
}

// Prints an error and exits.
export function refuse(where: string, what: string): void {
  print(2, `${where}: ${what}\n`);
  proc_exit(1);
}

// The program's arguments, without its name.
export function args(): string[] {
  args_sizes_get(answer, answer + 4);
  const places = new StaticArray<u32>(load<u32>(answer));
  const texts = new Uint8Array(load<u32>(answer, 4));
  args_get(changetype<usize>(places), texts.dataStart);
  const found: string[] = [];
  for (let i = 1; i < places.length; i++) {
    let end: usize = places[i];
    while (load<u8>(end)) end++;
    found.push(String.UTF8.decodeUnsafe(places[i], end - places[i]));
  }
  return found;
}

// The file descriptor of a preopened folder, or NONE; they count from 3.
function preopen(wanted: string): u32 {
  for (let fd: u32 = 3; !fd_prestat_get(fd, answer); fd++) {
    const name = new Uint8Array(load<u32>(answer, 4));
    if (fd_prestat_dir_name(fd, name.dataStart, name.length)) break;
    if (String.UTF8.decodeUnsafe(name.dataStart, name.length) == wanted) return fd;
  }
  return NONE;
}

function opened(folder: u32, name: string, how: u32, rights: u64): u32 {
  const path = String.UTF8.encode(name);
  const errno = path_open(
    folder, 0, changetype<usize>(path), path.byteLength, how, rights, 0, 0, answer
  );
  return errno ? NONE : load<u32>(answer);
}

export function read(name: string): Uint8Array {
  const fd = opened(preopen("fixture"), name, 0, RIGHT_TO_READ);
  if (fd == NONE || fd_filestat_get(fd, filestat)) refuse(`fixture/${name}`, "cannot be opened");
  const size = load<u64>(filestat, 32);
  if (size > 1 << 30) refuse(`fixture/${name}`, "is larger than 1 GiB");
  const data = new Uint8Array(size as i32);
  if (!moved(true, fd, data.dataStart, data.length)) refuse(`fixture/${name}`, "cannot be read");
  fd_close(fd);
  return data;
}

// Writes out/NAME, if the folder exists.
export function write(name: string, data: Uint8Array): void {
  const folder = preopen("out");
  if (folder == NONE) return;
  const fd = opened(folder, name, CREATE_OR_EMPTY, RIGHT_TO_WRITE);
  if (fd == NONE || !moved(false, fd, data.dataStart, data.length) || fd_close(fd))
    refuse(`out/${name}`, "cannot be written");
}
