/**
 * `npm run verify:faults`: every fault of the catalogue under `test/faults/` against real processes and sockets. A fault
 * counts as proven if its tests pass with their full counts and fail once the guard named beside them is taken away.
 *
 *   npm run verify:faults -- F16 F20     only these
 *   npm run verify:faults -- --sample    with the counts of `scripts/test`
 *   npm run verify:faults -- --guards    only the guards: are the tests red without them?
 *
 * Last line: `faults proven: n/40`.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { FAULTS_KNOWN, faults } from "../test/faults/catalogue.ts";
import type { Fault, Proof } from "../test/faults/fault.ts";
import { ROOT } from "./checks.ts";
import { type MutatedCopy, mutatedCopy } from "./verify/mutated-copy.ts";
import { runProof } from "./verify/run-proof.ts";

const options = process.argv.slice(2).filter((it) => it.startsWith("--"));
const wanted = process.argv.slice(2).filter((it) => !it.startsWith("--"));
const [sample, guardsOnly] = [options.includes("--sample"), options.includes("--guards")];
const unknown = [
  ...options.filter((it) => it !== "--sample" && it !== "--guards"),
  ...wanted.filter((id) => !faults.some((fault) => fault.id === id)),
];
if (unknown.length > 0) {
  console.error(`Unknown: ${unknown.join(", ")}. Give ids of the catalogue (F16), --sample or --guards.`);
  process.exit(2);
}

await mkdir(join(ROOT, ".data"), { recursive: true });
const copy = await mutatedCopy();
const proven: string[] = [];
const failed: string[] = [];
try {
  for (const fault of faults) {
    if (wanted.length > 0 && !wanted.includes(fault.id)) continue;
    (await prove(fault, copy)) ? proven.push(fault.id) : failed.push(fault.id);
  }
} finally {
  await copy.remove();
}

const all = Array.from({ length: FAULTS_KNOWN }, (_, i) => `F${String(i + 1).padStart(2, "0")}`);
const open = all.filter((id) => !proven.includes(id));
console.log(`\nnot proven${wanted.length > 0 ? " in this run" : ""}: ${open.join(" ") || "none"}`);
console.log(`faults proven: ${proven.length}/${FAULTS_KNOWN}`);
process.exitCode = failed.length === 0 ? 0 : 1;

async function prove({ id, promise, proofs }: Fault, copy: MutatedCopy): Promise<boolean> {
  console.log(`\n${id}  ${promise}`);
  let all = proofs.length > 0;
  for (const proof of proofs) {
    if (!guardsOnly) all = (await holds(proof)) && all;
    all = (await turnsRed(proof, copy)) && all;
  }
  return all;
}

async function holds(proof: Proof): Promise<boolean> {
  const startedAt = performance.now();
  const result = await runProof(ROOT, proof, sample ? {} : proof.full);
  const took = secondsSince(startedAt);
  if (result.kind === "green") {
    console.log(`  green    ${proof.title} (${tests(result.tests)}, ${took})`);
    for (const line of result.printed) console.log(`           ${line}`);
    return true;
  }
  console.log(`  ${result.kind === "red" ? "FAILED" : "NOTHING RAN"}  ${proof.title} (${took})`);
  console.log(result.output);
  return false;
}

async function turnsRed(proof: Proof, copy: MutatedCopy): Promise<boolean> {
  const startedAt = performance.now();
  const result = await copy.without(proof.without, () => runProof(copy.root, proof, proof.red));
  const took = secondsSince(startedAt);
  const { guard } = proof.without;
  if (result.kind === "red") {
    console.log(`  red      without: ${guard} (${took}): ${result.first.slice(0, 160)}`);
    return true;
  }
  console.log(
    result.kind === "green"
      ? `  STILL GREEN without: ${guard}: the test proves nothing (${took})`
      : `  NOTHING RAN without: ${guard} (${took})\n${result.output}`,
  );
  return false;
}

function secondsSince(at: number): string {
  return `${((performance.now() - at) / 1000).toFixed(1)} s`;
}

function tests(n: number): string {
  return n === 1 ? "1 test" : `${n} tests`;
}
