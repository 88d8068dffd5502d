// The compiler's own command line, without what it would start again for source maps.
import process from "node:process";
import { main } from "assemblyscript/asc";

const streams = { stdout: process.stdout, stderr: process.stderr };
const { error } = await main(process.argv.slice(2), streams);
process.exitCode = error ? 1 : 0;
