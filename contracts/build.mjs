#!/usr/bin/env node
// Compiles the contracts and writes the artifacts that Python loads. Works offline.
// usage: node build.mjs [output folder, default ../contracts_abi]
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { ROOT, SETTINGS, ownSources, readSource } from "./standard_json.mjs";

const solc = createRequire(import.meta.url)("solc");
const ARTIFACTS = ["Gateway", "DevnetToken"];
const RUNTIME_LIMIT = 24576;

function compile() {
  const sources = Object.fromEntries(Object.entries(ownSources()).map(([path, content]) => [path, { content }]));
  const wanted = ["abi", "metadata", "evm.bytecode.object", "evm.deployedBytecode.object"];
  const outputSelection = Object.fromEntries(ARTIFACTS.map((name) => [`src/${name}.sol`, { [name]: wanted }]));
  const input = { language: "Solidity", sources, settings: { ...SETTINGS, outputSelection } };
  const read = (path) => {
    try {
      return { contents: readSource(path) };
    } catch (error) {
      return { error: String(error) };
    }
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: read }));
  const problems = output.errors ?? [];
  for (const problem of problems) process.stderr.write(problem.formattedMessage);
  if (problems.length > 0) throw new Error(`${problems.length} problem(s) reported by the compiler`);
  return output.contracts;
}

/** One hash over path and content of every source that the contract is made of, in order of path. */
function sourceHash(metadata) {
  const hash = createHash("sha256");
  for (const path of Object.keys(JSON.parse(metadata).sources).sort()) {
    hash.update(path).update("\0").update(readSource(path)).update("\0");
  }
  return hash.digest("hex");
}

function artifact(name, contract) {
  const runtime = contract.evm.deployedBytecode.object;
  const bytes = runtime.length / 2;
  if (bytes >= RUNTIME_LIMIT) throw new Error(`${name}: ${bytes} bytes of runtime, ${RUNTIME_LIMIT} is the limit`);
  process.stdout.write(`${name}: ${bytes} bytes of runtime\n`);
  return {
    name,
    compiler: `solc ${JSON.parse(contract.metadata).compiler.version}`,
    settings: SETTINGS,
    source_sha256: sourceHash(contract.metadata),
    abi: contract.abi,
    bytecode: `0x${contract.evm.bytecode.object}`,
    deployed_bytecode: `0x${runtime}`,
  };
}

const target = resolve(process.argv[2] ?? join(ROOT, "..", "contracts_abi"));
const contracts = compile();
mkdirSync(target, { recursive: true });
for (const name of ARTIFACTS) {
  const text = JSON.stringify(artifact(name, contracts[`src/${name}.sol`][name]), null, 1);
  writeFileSync(join(target, `${name}.json`), `${text}\n`);
}
