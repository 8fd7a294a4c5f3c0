import { expect, it } from "vitest";
import { read, typescriptFiles, withoutComments } from "./source.ts";

/** What is no source for a secret: guessable, or fewer bits than it seems (a UUID has 122 at most, ASVS 5.0 11.5.1). */
const WEAK =
  /\bMath\.random\b|\brandomUUID\b|\bpseudoRandomBytes\b|\bgetRandomValues\b|["']uuid["']|["']nanoid["']/;

/** The operating system's source. Drawn from in one place, so that nobody draws fewer bytes elsewhere. */
const STRONG = /\brandomBytes\b|\brandomFill(Sync)?\b|\brandomInt\b|\bgenerateKey(Pair)?(Sync)?\b/;

const DRAWS = [
  // A whole key pair, drawn by WebCrypto itself.
  "src/security/offline-key.ts",
  "src/security/random.ts",
  // iManage's side, which has a source of its own.
  "src/simulator/tokens.ts",
];

/** Names of runs, never secrets. */
const NAMES_BY_UUID = ["src/workers/crash-guard.ts"];

const using = (pattern: RegExp) =>
  typescriptFiles("src").filter((file) => pattern.test(withoutComments(read(file))));

it("T05 secrets come from the operating system's source alone: no Math.random, no UUID, one place that draws", () => {
  expect(using(WEAK)).toEqual(NAMES_BY_UUID);
  expect(using(STRONG)).toEqual(DRAWS);
});
