import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Catalogue, idsOf, type Proof, type ProvenPromise } from "../../test/kit/promise.ts";
import { ROOT } from "../checks.ts";
import { type MutatedCopy, mutatedCopy } from "./mutated-copy.ts";
import { runProof } from "./run-proof.ts";

interface Run {
  /** With the counts of `scripts/test`. */
  readonly sample: boolean;
  /** Only the guards: are the tests red without them? */
  readonly guardsOnly: boolean;
}

/**
 * Proves the promises of a catalogue. One counts if its tests pass with their full counts, fail once the guard named
 * beside them is taken away, and nothing of it is said to be open.
 *
 *   npm run verify:faults -- F16 F20     only these
 *   npm run verify:faults -- --sample    with the counts of `scripts/test`
 *   npm run verify:faults -- --guards    only the guards
 *
 * Last line: `faults proven: n/40`; above it, what is not, and why. Answers the exit code.
 */
export async function verifyCatalogue(catalogue: Catalogue, args: readonly string[]): Promise<number> {
  const options = args.filter((it) => it.startsWith("--"));
  const wanted = args.filter((it) => !it.startsWith("--"));
  const ids = idsOf(catalogue);
  const unknown = [
    ...options.filter((it) => it !== "--sample" && it !== "--guards"),
    ...wanted.filter((id) => !ids.includes(id)),
  ];
  if (unknown.length > 0) {
    console.error(
      `Unknown: ${unknown.join(", ")}. Give ids of the catalogue (${ids[15]}), --sample or --guards.`,
    );
    return 2;
  }

  const run = { sample: options.includes("--sample"), guardsOnly: options.includes("--guards") };
  await mkdir(join(ROOT, ".data"), { recursive: true });
  const copy = await mutatedCopy();
  const proven: string[] = [];
  const reasons = new Map<string, string>();
  let failed = 0;
  try {
    for (const promise of catalogue.promises) {
      const { id, open } = promise;
      if (open !== undefined) reasons.set(id, open);
      if (wanted.length > 0 && !wanted.includes(id)) continue;
      if (!(await prove(promise, copy, run))) {
        failed++;
        reasons.set(id, "a proof of it failed, see above");
      } else if (open === undefined) proven.push(id);
    }
  } finally {
    await copy.remove();
  }

  tellRest(ids, proven, reasons, wanted);
  console.log(`${catalogue.of} proven: ${proven.length}/${catalogue.known}`);
  return failed === 0 ? 0 : 1;
}

function tellRest(
  ids: readonly string[],
  proven: readonly string[],
  reasons: ReadonlyMap<string, string>,
  wanted: readonly string[],
): void {
  const asked = (id: string) => wanted.length === 0 || wanted.includes(id);
  const rest = ids.filter((id) => asked(id) && !proven.includes(id));
  console.log(rest.length > 0 ? "\nnot proven:" : "\nnot proven: none");
  for (const id of rest) console.log(`  ${id}  ${reasons.get(id) ?? "no test of it yet"}`);
  if (wanted.length > 0) console.log(`not asked for in this run: ${ids.length - wanted.length}`);
}

async function prove(
  { id, promise, proofs, differs }: ProvenPromise,
  copy: MutatedCopy,
  run: Run,
): Promise<boolean> {
  console.log(`\n${id}  ${promise}`);
  if (differs !== undefined) console.log(`     (${differs})`);
  let all = true;
  for (const proof of proofs) {
    if (!run.guardsOnly) all = (await holds(proof, run)) && all;
    all = (await turnsRed(proof, copy)) && all;
  }
  return all;
}

async function holds(proof: Proof, { sample }: Run): Promise<boolean> {
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
