"""Components: guests built for them, and core modules adapted to them, by wasm-tools."""
