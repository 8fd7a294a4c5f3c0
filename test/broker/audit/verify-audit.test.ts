import { describe, expect, it } from "vitest";
import { AuditVerifier } from "../../../src/broker/audit/verify-audit.ts";
import {
  type AuditBatch,
  type AuditCheckpoint,
  type AuditEntry,
  checkpointLine,
  entryLine,
  linesOf,
} from "../../../src/domain/audit-entry.ts";
import { auditChain, readCheckpoint } from "../../../src/security/audit-chain.ts";
import { parseRootKeyset } from "../../../src/security/root-keyset.ts";
import { makeSigner } from "../../../src/security/signer.ts";
import { batchOf } from "../../kit/audit-batch.ts";
import { newKeysetText } from "../../security/kit.ts";

const OURS = "org_abcdefghjk";
const signer = makeSigner(parseRootKeyset(newKeysetText()));
const keys = await signer.publicKeys();

const entry = (sequence: number): AuditEntry => ({
  sequence,
  fields: { at: String(1_790_000_000_000 + sequence), action: "token.issued", actor: `client:${sequence}` },
});
const entries = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => entry(from + i));

async function signed(unsigned: AuditBatch, previous: string): Promise<AuditBatch> {
  const last = unsigned.entries.at(-1)!;
  const checkpoint: AuditCheckpoint = {
    journal: unsigned.journal,
    first: unsigned.entries[0]!.sequence,
    previous,
    sequence: last.sequence,
    hash: last.hash,
    at: 1,
  };
  return { ...unsigned, checkpoint: await signer.sign("audit-checkpoint+jws", { ...checkpoint }) };
}

/** Twenty entries in four batches, each signed. */
async function journal(of: typeof OURS | "clients" = OURS): Promise<AuditBatch[]> {
  let previous = auditChain.beginning(of);
  const batches: AuditBatch[] = [];
  for (const from of [1, 6, 11, 16]) {
    const batch = await signed(batchOf(of, entries(from, from + 4), { previous }), previous);
    previous = batch.entries.at(-1)!.hash;
    batches.push(batch);
  }
  return batches;
}
const linesOfAll = (batches: readonly AuditBatch[]) => batches.map(linesOf).join("").trimEnd().split("\n");
const textOf = (batches: readonly AuditBatch[], sequence: number): string => {
  const { journal: of, entries: all } = batches.find((one) =>
    one.entries.some((e) => e.sequence === sequence),
  )!;
  return entryLine(of, all.find((one) => one.sequence === sequence)!);
};

async function verify(lines: readonly string[], expected?: ReadonlyMap<typeof OURS, number>, trusted = keys) {
  const verifier = new AuditVerifier({ chain: auditChain, readCheckpoint: readCheckpoint(trusted) });
  for (const line of lines) await verifier.line(line);
  return verifier.report(expected);
}
const only = async (lines: readonly string[], expected?: ReadonlyMap<typeof OURS, number>) =>
  (await verify(lines, expected)).journals[0]!;

describe("audit verify, offline (T38)", () => {
  it("finds nothing in what was written, and says how far it is proven", async () => {
    const lines = linesOfAll([...(await journal()), ...(await journal("clients"))]);
    const { journals, otherLines } = await verify(lines);
    const whole = {
      first: 1,
      last: 20,
      entries: 20,
      repeated: 0,
      proven: { from: 1, to: 20 },
      fault: undefined,
    };
    expect(journals).toEqual([
      { journal: "clients", ...whole },
      { journal: OURS, ...whole },
    ]);
    expect(otherLines).toBe(0);
    const tail = linesOf(batchOf(OURS, [entry(21)], { previous: (await journal())[3]!.entries[4]!.hash }));
    expect(await only([...linesOfAll(await journal()), tail.split("\n")[0]!])).toMatchObject({
      last: 21,
      proven: { to: 20 },
      fault: undefined,
    });
  });

  describe("names the first bad entry, five of five (T38)", () => {
    it("deleted (T38)", async () => {
      const batches = await journal();
      const without = linesOfAll(batches).filter((line) => line !== textOf(batches, 8));
      expect((await only(without)).fault).toEqual({
        kind: "missing",
        sequence: 8,
        told: "Entry 8 is missing: 9 follows.",
      });
    });

    it("modified (T38)", async () => {
      const changed = linesOfAll(await journal()).map((line) => line.replace("client:8", "client:9"));
      expect((await only(changed)).fault).toMatchObject({ kind: "changed", sequence: 8 });
    });

    it("reordered", async () => {
      const batches = await journal();
      const lines = linesOfAll(batches);
      const at = lines.indexOf(textOf(batches, 8));
      [lines[at], lines[at + 1]] = [lines[at + 1]!, lines[at]!];
      expect((await only(lines)).fault).toMatchObject({ kind: "out_of_order", sequence: 8 });
    });

    it.each(["before", "after", "renumbered", "renumbered with links"])("inserted, %s", async (how) => {
      const batches = await journal();
      const lines = linesOfAll(batches);
      const at = lines.indexOf(textOf(batches, 8));
      const theirs = { sequence: 8, fields: { ...entry(8).fields, actor: "client:evil" } };
      const before = batches[1]!.entries[1]!.hash;
      const slipped = batchOf(OURS, [theirs], { previous: before }).entries[0]!;
      if (how === "after") lines.splice(at + 1, 0, entryLine(OURS, slipped));
      else if (how === "before") lines.splice(at, 0, entryLine(OURS, { ...slipped, hash: before }));
      else {
        const moved = batches[1]!.entries
          .slice(2)
          .map(({ sequence, ...rest }) => ({ ...rest, sequence: sequence + 1 }));
        const anew = batchOf(OURS, [theirs, ...moved], { previous: before }).entries;
        const those = how === "renumbered" ? [{ ...slipped, hash: before }, ...moved] : anew;
        lines.splice(at, 3, ...those.map((one) => entryLine(OURS, one)));
      }
      const { fault } = await only(lines);
      // Who computes all links anew leaves only the signature to tell, which stands for the entries 6 to 10 together.
      if (how === "renumbered with links") expect(fault).toMatchObject({ kind: "changed", sequence: 6 });
      else expect(fault).toMatchObject({ kind: "inserted", sequence: 8 });
    });

    it("truncated, against a later checkpoint and against a number that is known (T38)", async () => {
      const batches = await journal();
      const lines = linesOfAll(batches);
      const cut = lines.slice(0, lines.indexOf(textOf(batches, 14)));
      const later = lines.at(-1)!;
      expect((await only([...cut, later])).fault).toEqual({
        kind: "truncated",
        sequence: 14,
        told: "The last entry is 13, and a signature stands for all up to 20.",
      });
      expect((await only(cut, new Map([[OURS, 20]]))).fault).toMatchObject({
        kind: "truncated",
        sequence: 14,
      });
      // Without either nobody can know: it is said how far it is proven.
      expect(await only(cut)).toMatchObject({ fault: undefined, last: 13, proven: { from: 1, to: 10 } });
    });
  });

  it("is not deceived by links that were computed anew (T38)", async () => {
    const batches = await journal();
    const altered = entries(6, 10).map((one) =>
      one.sequence === 8 ? { ...one, fields: { ...one.fields, actor: "client:evil" } } : one,
    );
    const previous = batches[0]!.entries.at(-1)!.hash;
    const anew = batchOf(OURS, altered, { previous, checkpoint: batches[1]!.checkpoint });
    expect((await only(linesOfAll([batches[0]!, anew]))).fault).toMatchObject({
      kind: "changed",
      sequence: 6,
    });
    const self = makeSigner(parseRootKeyset(newKeysetText()));
    const checkpoint = await self.sign("audit-checkpoint+jws", {
      journal: OURS,
      first: 6,
      previous,
      sequence: 10,
      hash: anew.entries.at(-1)!.hash,
      at: 1,
    });
    expect((await only(linesOfAll([batches[0]!, { ...anew, checkpoint }]))).fault).toMatchObject({
      kind: "not_signed",
      sequence: 10,
    });
    // A signature of another journal, or of another place, stands for nothing here.
    const [theirs] = await journal("clients");
    expect(
      (
        await only([
          ...linesOf(batches[0]!).trimEnd().split("\n"),
          checkpointLine(OURS, 5, theirs!.checkpoint),
        ])
      ).fault,
    ).toMatchObject({ kind: "not_signed" });
  });

  it("drops what a crash has written twice, whole or in part, and sees where the second is another", async () => {
    const batches = await journal();
    const [one, two, three, four] = batches;
    const twice = linesOfAll([one!, two!, two!, one!, three!, two!, four!]);
    expect(await only(twice)).toMatchObject({
      entries: 35,
      repeated: 15,
      fault: undefined,
      proven: { to: 20 },
    });
    // Of the same entries a longer batch, after a crash.
    const longer = await signed(
      batchOf(OURS, entries(6, 13), { previous: one!.entries.at(-1)!.hash }),
      one!.entries.at(-1)!.hash,
    );
    expect(await only(linesOfAll([one!, two!, longer, three!]))).toMatchObject({
      last: 15,
      fault: undefined,
      proven: { to: 15 },
    });
    const torn = linesOfAll(batches);
    torn.splice(3, 0, '{"organisation":"org_abc');
    expect((await verify(torn)).otherLines).toBe(1);
    expect((await only(torn)).fault).toBeUndefined();
    expect(
      (await only([...linesOfAll(batches), linesOfAll(batches)[7]!.replace("client:7", "client:8")])).fault,
    ).toMatchObject({ kind: "inserted", sequence: 7 });
  });

  it("a file that begins in the middle is proven from its first whole batch on", async () => {
    const lines = linesOfAll(await journal());
    expect(await only(lines.slice(6))).toMatchObject({
      first: 6,
      proven: { from: 6, to: 20 },
      fault: undefined,
    });
    expect(await only(lines.slice(8))).toMatchObject({
      first: 8,
      proven: { from: 9, to: 20 },
      fault: undefined,
    });
    expect(await only(lines.slice(5))).toMatchObject({ first: 6, proven: { from: 6, to: 20 } });
    const changed = lines.slice(6).map((line) => line.replace("client:6", "client:7"));
    expect((await only(changed)).fault).toMatchObject({ kind: "changed", sequence: 6 });
    const cut = lines.slice(8).map((line) => line.replace("client:9", "client:7"));
    expect((await only(cut)).fault).toMatchObject({ kind: "changed", sequence: 9 });
  });

  it("takes a line for the audit's only if it says to a reader what it says to a program", async () => {
    const batches = await journal();
    const line = textOf(batches, 8);
    const twice = line.replace('"action":', '"action":"nothing","action":');
    const lines = linesOfAll(batches).map((one) => (one === line ? twice : one));
    expect((await only(lines)).fault).toMatchObject({ kind: "missing", sequence: 8 });
  });
});
