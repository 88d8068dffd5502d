// Runs asc in this process; its own launcher restarts Node.js to enable source maps.
import process from "node:process";
import { main } from "assemblyscript/asc";

const streams = { stdout: process.stdout, stderr: process.stderr };
const { error } = await main(process.argv.slice(2), streams);
process.exitCode = error ? 1 : 0;
