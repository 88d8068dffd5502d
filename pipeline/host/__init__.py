"""An embedded wasi-nn host: wasmtime runs the guest, OpenVINO infers."""
