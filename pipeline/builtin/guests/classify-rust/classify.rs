//! classify [--graph NAME] [CASE...], in Rust.
//!
//! Executes fixture/fixture.txt line by line: reads the files of the graph, sets the inputs of the
//! named cases, or of all, computes before the first output of each, prints the top five, and
//! writes the raw outputs to the preopen `out`, if there is one.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::{env, process};

const DESCRIPTOR: &str = "fixture/fixture.txt";
const ENCODINGS: [&str; 5] = [
    "openvino",
    "onnx",
    "tensorflow",
    "pytorch",
    "tensorflowlite",
];
const TYPES: [(&str, u64); 6] = [
    ("f16", 2),
    ("f32", 4),
    ("f64", 8),
    ("u8", 1),
    ("i32", 4),
    ("i64", 8),
];
/// Some hosts reject more than 128 MiB in one call.
const PIECE: usize = 1 << 20;

type Told<T> = Result<T, String>;

/// Adds the subject to an error.
trait On<T> {
    fn on(self, what: impl Display) -> Told<T>;
}

impl<T, E: Display> On<T> for Result<T, E> {
    fn on(self, what: impl Display) -> Told<T> {
        self.map_err(|error| format!("{}: {}", what, error))
    }
}

fn read(name: &str) -> Told<Vec<u8>> {
    let path = format!("fixture/{}", name);
    let mut file = File::open(&path).on(&path)?;
    let mut data = vec![0; file.metadata().on(&path)?.len() as usize];
    for piece in data.chunks_mut(PIECE) {
        file.read_exact(piece).on(&path)?;
    }
    Ok(data)
}

fn write(name: &str, data: &[u8]) -> Told<()> {
    if !Path::new("out").exists() {
        return Ok(());
    }
    let path = format!("out/{}", name);
    let mut file = File::create(&path).on(&path)?;
    data.chunks(PIECE)
        .try_for_each(|piece| file.write_all(piece))
        .on(&path)
}

/// The words of an `input INDEX FILE TYPE DIMS` or `output` line.
struct Port<'a> {
    index: u32,
    file: &'a str,
    r#type: u8,
    dims: Vec<u32>,
    size: u32,
}

impl<'a> Port<'a> {
    fn of(words: &[&'a str]) -> Told<Port<'a>> {
        let place = TYPES.iter().position(|(name, _)| *name == words[3]);
        let place = place.ok_or("there is no such element type").on(words[3])?;
        let dims: Result<Vec<u32>, _> = words[4].split('x').map(str::parse).collect();
        let dims = dims.on(words[4])?;
        let size = dims.iter().try_fold(TYPES[place].1, |size, dim| {
            size.checked_mul(u64::from(*dim))
                .filter(|size| *size <= u64::from(u32::MAX))
        });
        Ok(Port {
            index: words[1].parse().on(words[1])?,
            file: words[2],
            r#type: place as u8,
            dims,
            size: size.ok_or("this is over 4 GiB").on(words[4])? as u32,
        })
    }
}

fn print_top_five(data: &[u8]) {
    let values = data
        .chunks_exact(4)
        .map(|four| f32::from_le_bytes(four.try_into().unwrap()));
    let mut ranked: Vec<(usize, f32)> = values.enumerate().collect();
    ranked.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    for (index, value) in ranked.iter().take(5) {
        println!("  {} {}", index, value);
    }
}

#[derive(Default)]
struct Fixture<'a> {
    graph_name: Option<&'a str>,
    wanted: &'a [String],
    seen: Vec<&'a str>,
    files: Vec<Vec<u8>>,
    encoding: u8,
    graph: Option<wasi_nn::Graph>,
    context: wasi_nn::GraphExecutionContext,
    chosen: bool,
    computed: bool,
}

impl<'a> Fixture<'a> {
    fn obey(&mut self, words: &[&'a str]) -> Told<()> {
        match *words {
            [] => Ok(()),
            ["encoding", name] => {
                let place = ENCODINGS.iter().position(|each| *each == name);
                self.encoding = place.ok_or("there is no such encoding").on(name)? as u8;
                Ok(())
            }
            ["file", name] if self.graph_name.is_none() => {
                self.files.push(read(name)?);
                Ok(())
            }
            ["file", _] => Ok(()),
            ["case", name] => self.take_case(name),
            ["input", _, _, _, _] if self.chosen => self.take_input(&Port::of(words)?),
            ["output", _, _, _, _] if self.chosen => self.take_output(&Port::of(words)?, words),
            ["input" | "output", _, _, _, _] => Ok(()),
            _ => Err(format!(
                "{}: not understood: '{}'",
                DESCRIPTOR,
                words.join(" ")
            )),
        }
    }

    fn take_case(&mut self, name: &'a str) -> Told<()> {
        self.seen.push(name);
        self.computed = false;
        self.chosen = self.wanted.is_empty() || self.wanted.iter().any(|each| each == name);
        if !self.chosen {
            return Ok(());
        }
        let graph = match self.graph {
            Some(graph) => graph,
            None => self.load()?,
        };
        self.graph = Some(graph);
        let context = unsafe { wasi_nn::init_execution_context(graph) };
        self.context = context.on(format!("{}: init_execution_context", name))?;
        Ok(())
    }

    fn load(&mut self) -> Told<wasi_nn::Graph> {
        let files = std::mem::take(&mut self.files);
        let parts: Vec<&[u8]> = files.iter().map(Vec::as_slice).collect();
        match self.graph_name {
            Some(name) => {
                unsafe { wasi_nn::load_by_name(name) }.on(format!("load_by_name {}", name))
            }
            None => unsafe {
                wasi_nn::load(&parts, self.encoding, wasi_nn::EXECUTION_TARGET_CPU).on("load")
            },
        }
    }

    fn take_input(&mut self, port: &Port<'_>) -> Told<()> {
        let data = read(port.file)?;
        let tensor = wasi_nn::Tensor {
            dimensions: &port.dims,
            r#type: port.r#type,
            data: &data,
        };
        unsafe { wasi_nn::set_input(self.context, port.index, tensor) }
            .on(format!("set_input {}", port.file))
    }

    fn take_output(&mut self, port: &Port<'_>, words: &[&str]) -> Told<()> {
        let name = self.seen.last().copied().unwrap_or_default();
        if !self.computed {
            unsafe { wasi_nn::compute(self.context) }.on(format!("{}: compute", name))?;
            self.computed = true;
        }
        let mut data = vec![0; port.size as usize];
        let buffer = data.as_mut_ptr();
        unsafe { wasi_nn::get_output(self.context, port.index, buffer, port.size) }
            .and_then(|written| {
                if written == port.size {
                    Ok(())
                } else {
                    Err(wasi_nn::Error(7))
                }
            })
            .on(format!("get_output {}", port.file))?;
        println!("{} output {} {} {}", name, words[1], words[3], words[4]);
        if port.r#type == wasi_nn::TENSOR_TYPE_F32 {
            print_top_five(&data);
        }
        write(port.file, &data)
    }
}

fn classify(arguments: &[String]) -> Told<()> {
    let text = fs::read_to_string(DESCRIPTOR).on(DESCRIPTOR)?;
    let (graph_name, wanted) = match arguments {
        [option, name, cases @ ..] if option == "--graph" => (Some(name.as_str()), cases),
        cases => (None, cases),
    };
    let mut fixture = Fixture {
        graph_name,
        wanted,
        ..Fixture::default()
    };
    for line in text.lines() {
        let words = line
            .split_ascii_whitespace()
            .take_while(|word| !word.starts_with('#'));
        fixture.obey(&words.collect::<Vec<_>>())?;
    }
    match wanted
        .iter()
        .find(|name| !fixture.seen.contains(&name.as_str()))
    {
        Some(name) => Err(format!("{}: there is no case '{}'", DESCRIPTOR, name)),
        None => Ok(()),
    }
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let Err(told) = classify(&arguments) {
        eprintln!("{}", told);
        process::exit(1);
    }
}
