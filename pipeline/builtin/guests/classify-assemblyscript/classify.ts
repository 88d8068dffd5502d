// classify [--graph NAME] [CASE...], in AssemblyScript.
//
// Executes fixture/fixture.txt line by line: reads the files of the graph, sets the inputs of the
// named cases, or of all, computes before the first output of each, prints the top five, and
// writes the raw outputs to the preopen `out`, if there is one.

import { args, print, read, refuse, write } from "./wasi";
import * as nn from "./wasi_nn";

const DESCRIPTOR = "fixture/fixture.txt";
const ENCODINGS = ["openvino", "onnx", "tensorflow", "pytorch", "tensorflowlite"];
const TYPES = ["f16", "f32", "f64", "u8", "i32", "i64"];
const SIZES: u64[] = [2, 4, 8, 1, 4, 8];
const F32 = 1;

const answer = memory.data(4);

function check(errno: u32, what: string, on: string): void {
  if (errno) refuse(on, `${what}: errno ${errno}`);
}

function placeOf(names: string[], name: string): u32 {
  const place = names.indexOf(name);
  if (place < 0) refuse(DESCRIPTOR, `not understood: '${name}'`);
  return place;
}

function number(text: string): u32 {
  let value: u64 = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48;
    value = value * 10 + digit;
    if (digit < 0 || digit > 9 || value > u32.MAX_VALUE) value = u64.MAX_VALUE, i = text.length;
  }
  if (!text.length || value > u32.MAX_VALUE) refuse(DESCRIPTOR, `this is no number: '${text}'`);
  return value as u32;
}

function split(line: string): string[] {
  const words: string[] = [];
  let start = -1;
  for (let i = 0; i <= line.length; i++) {
    const code = i < line.length ? line.charCodeAt(i) : 32;
    const space = code == 32 || code == 9 || code == 13;
    if (code == 35 && start < 0) break;
    if (space && start >= 0) words.push(line.substring(start, i));
    if (space) start = -1;
    else if (start < 0) start = i;
  }
  return words;
}

// The words of an `input INDEX FILE TYPE DIMS` or `output` line.
class Port {
  index: u32;
  file: string;
  type: u32;
  dims: StaticArray<u32>;
  size: i32;

  constructor(words: string[]) {
    this.index = number(words[1]);
    this.file = words[2];
    this.type = placeOf(TYPES, words[3]);
    const axes = words[4].split("x");
    this.dims = new StaticArray<u32>(axes.length);
    let size = SIZES[this.type];
    for (let i = 0; i < axes.length; i++) {
      this.dims[i] = number(axes[i]);
      size *= this.dims[i];
      if (size > 1 << 30) refuse(DESCRIPTOR, `this is over 1 GiB: '${words[4]}'`);
    }
    this.size = size as i32;
  }
}

function printTopFive(data: Uint8Array): void {
  const top: i32[] = [];
  for (let i = 0; i < data.length / 4; i++) {
    const value = valueAt(data, i);
    let place = top.length;
    while (place > 0 && value > valueAt(data, top[place - 1])) place--;
    if (place == 5) continue;
    top.push(i);
    for (let j = top.length - 1; j > place; j--) top[j] = top[j - 1];
    top[place] = i;
    if (top.length > 5) top.pop();
  }
  for (let i = 0; i < top.length; i++) print(1, `  ${top[i]} ${valueAt(data, top[i])}\n`);
}

function valueAt(data: Uint8Array, index: i32): f32 {
  return load<f32>(data.dataStart + 4 * index);
}

class Fixture {
  graphName: string = "";
  byName: bool = false;
  wanted: string[] = [];
  seen: string[] = [];
  files: Uint8Array[] = [];
  encoding: u32 = 0;
  graph: u32 = 0;
  context: u32 = 0;
  loaded: bool = false;
  chosen: bool = false;
  computed: bool = false;

  obey(words: string[]): void {
    const known = words.length == (words[0] == "input" || words[0] == "output" ? 5 : 2);
    if (known && words[0] == "encoding") this.encoding = placeOf(ENCODINGS, words[1]);
    else if (known && words[0] == "file") this.takeFile(words[1]);
    else if (known && words[0] == "case") this.takeCase(words[1]);
    else if (known && words[0] == "input") this.takeInput(words);
    else if (known && words[0] == "output") this.takeOutput(words);
    else refuse(DESCRIPTOR, `not understood: '${words.join(" ")}'`);
  }

  private takeFile(name: string): void {
    if (!this.byName) this.files.push(read(name));
  }

  private load(): void {
    if (this.loaded) return;
    this.loaded = true;
    if (this.byName) {
      const name = String.UTF8.encode(this.graphName);
      const errno = nn.load_by_name(changetype<usize>(name), name.byteLength, answer);
      check(errno, "load_by_name", this.graphName);
    } else {
      const size = offsetof<nn.Part>();
      const parts = new Uint8Array(this.files.length * (size as i32));
      for (let i = 0; i < this.files.length; i++) {
        const part = changetype<nn.Part>(parts.dataStart + size * i);
        part.data = this.files[i].dataStart;
        part.size = this.files[i].length;
      }
      const count = this.files.length;
      check(nn.load(parts.dataStart, count, this.encoding, nn.CPU, answer), "load", DESCRIPTOR);
      this.files = [];
    }
    this.graph = load<u32>(answer);
  }

  private takeCase(name: string): void {
    this.seen.push(name);
    this.computed = false;
    this.chosen = !this.wanted.length || this.wanted.includes(name);
    if (!this.chosen) return;
    this.load();
    check(nn.init_execution_context(this.graph, answer), "init_execution_context", name);
    this.context = load<u32>(answer);
  }

  private takeInput(words: string[]): void {
    if (!this.chosen) return;
    const port = new Port(words);
    const data = read(port.file);
    const place = memory.data(offsetof<nn.Tensor>());
    const tensor = changetype<nn.Tensor>(place);
    tensor.dims = changetype<usize>(port.dims);
    tensor.rank = port.dims.length;
    tensor.type = port.type;
    tensor.data = data.dataStart;
    tensor.size = data.length;
    check(nn.set_input(this.context, port.index, place), "set_input", port.file);
  }

  private takeOutput(words: string[]): void {
    if (!this.chosen) return;
    const name = this.seen[this.seen.length - 1];
    if (!this.computed) check(nn.compute(this.context), "compute", name);
    this.computed = true;
    const port = new Port(words);
    const data = new Uint8Array(port.size);
    store<u32>(answer, port.size);
    const errno = nn.get_output(this.context, port.index, data.dataStart, port.size, answer);
    check(errno, "get_output", port.file);
    if (load<u32>(answer) != port.size) refuse(port.file, "the host wrote another size");
    print(1, `${name} output ${words[1]} ${words[3]} ${words[4]}\n`);
    if (port.type == F32) printTopFive(data);
    write(port.file, data);
  }
}

function classify(given: string[]): void {
  const fixture = new Fixture();
  if (given.length >= 2 && given[0] == "--graph") {
    fixture.byName = true;
    fixture.graphName = given[1];
    given = given.slice(2);
  }
  fixture.wanted = given;
  const text = read("fixture.txt");
  const lines = String.UTF8.decodeUnsafe(text.dataStart, text.length).split("\n");
  for (let i = 0; i < lines.length; i++) {
    const words = split(lines[i]);
    if (words.length) fixture.obey(words);
  }
  for (let i = 0; i < given.length; i++)
    if (!fixture.seen.includes(given[i])) refuse(DESCRIPTOR, `there is no case '${given[i]}'`);
}

classify(args());
