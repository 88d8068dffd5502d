//! A guest as in the first articles about wasi-nn: AlexNet and its tensor, by fixed names.
//!
//! Needs a preopen `fixture` with alexnet.xml, alexnet.bin and a tensor of 1x3x227x227 f32.

use std::fs;

const CLASSES: usize = 1000;

fn main() {
    let xml = fs::read("fixture/alexnet.xml").expect("fixture/alexnet.xml");
    let weights = fs::read("fixture/alexnet.bin").expect("fixture/alexnet.bin");
    println!("read the graph: {} and {} bytes", xml.len(), weights.len());
    let graph = unsafe {
        wasi_nn::load(
            &[&xml, &weights],
            wasi_nn::GRAPH_ENCODING_OPENVINO,
            wasi_nn::EXECUTION_TARGET_CPU,
        )
    }
    .expect("load");
    let context = unsafe { wasi_nn::init_execution_context(graph) }.expect("a context");

    let pixels = fs::read("fixture/tensor-1x3x227x227-f32.bgr").expect("the tensor");
    let tensor = wasi_nn::Tensor {
        dimensions: &[1, 3, 227, 227],
        r#type: wasi_nn::TENSOR_TYPE_F32,
        data: &pixels,
    };
    unsafe { wasi_nn::set_input(context, 0, tensor) }.expect("set_input");
    unsafe { wasi_nn::compute(context) }.expect("compute");

    let mut scores = vec![0f32; CLASSES];
    let size = (CLASSES * std::mem::size_of::<f32>()) as u32;
    unsafe { wasi_nn::get_output(context, 0, scores.as_mut_ptr().cast(), size) }
        .expect("get_output");

    let mut ranked: Vec<(usize, f32)> = scores.into_iter().enumerate().collect();
    ranked.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    println!("the top five:");
    for (class, score) in &ranked[..5] {
        println!("  {} {}", class, score);
    }
}
