// The one description of how the contracts are compiled, shared by the build and by the forge compiler.
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = dirname(fileURLToPath(import.meta.url));

/** Settings of every artifact. `paris`: the Tron virtual machine knows no later opcode for sure. */
export const SETTINGS = {
  evmVersion: "paris",
  optimizer: { enabled: true, runs: 200 },
  viaIR: true,
  metadata: { bytecodeHash: "none", appendCBOR: false },
};

/** Text of an import: `@openzeppelin/...` from node_modules, anything else from this folder. */
export function readSource(path) {
  const base = path.startsWith("@") ? join(ROOT, "node_modules") : ROOT;
  return readFileSync(join(base, path), "utf8");
}

/** The project's own sources as `src/<name>.sol` -> text. */
export function ownSources() {
  const names = readdirSync(join(ROOT, "src")).filter((name) => name.endsWith(".sol"));
  return Object.fromEntries(names.sort().map((name) => [`src/${name}`, readSource(`src/${name}`)]));
}
