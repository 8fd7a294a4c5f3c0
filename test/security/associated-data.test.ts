import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SealContext } from "../../src/domain/sealed.ts";
import { associatedData, wrapAssociatedData } from "../../src/security/associated-data.ts";
import { CONTEXT } from "./kit.ts";

const DATA_KEY = "AAAABBBBCCCC";
const text = (value: string) => Buffer.from(value).toString("hex");

describe("associated data", () => {
  it("is every field behind its length, in this order, for ever: sealed records depend on it", () => {
    const origin = createHash("sha256").update(CONTEXT.tokenOrigin).digest("hex");
    const fields: readonly (readonly [length: string, hex: string])[] = [
      ["00000002", text("r1")],
      ["0000000d", text("refresh-token")],
      ["0000000c", text("o:abcdefghjk")],
      ["00000028", text(CONTEXT.record)],
      ["00000028", text(CONTEXT.server!)],
      ["00000020", origin],
      ["00000008", "0000000000000001"],
      ["00000008", "0000000000000007"],
      ["0000000c", text(DATA_KEY)],
    ];
    expect(associatedData("r1", DATA_KEY, CONTEXT).toString("hex")).toBe(fields.flat().join(""));
  });

  it.each<[string, SealContext, string]>([
    ["no server is an empty field", { ...CONTEXT, server: undefined }, `00000000${"00000020"}`],
    ["numbers take eight bytes, big-endian", { ...CONTEXT, attempt: 2 ** 40 + 5 }, "0000010000000005"],
    ["letters outside ASCII are UTF-8", { ...CONTEXT, owner: "o:é" }, `00000004${text("o:é")}`],
  ])("%s", (_, context, part) => {
    expect(associatedData("h1", DATA_KEY, context).toString("hex")).toContain(part);
  });

  it.each<[string, Partial<SealContext>]>([
    ["a fraction", { attempt: 0.5 }],
    ["a negative number", { consentGeneration: -1 }],
    ["a number too large to count with", { attempt: 2 ** 53 }],
    ["half a surrogate pair", { owner: "o:\ud800" }],
    ["half a surrogate pair in the origin", { tokenOrigin: "https://\udfff" }],
  ])("refuses %s, which could mean the same bytes as another", (_, part) => {
    expect(() => associatedData("r1", DATA_KEY, { ...CONTEXT, ...part })).toThrow(RangeError);
  });

  it("T15 T21: contexts that differ give bytes that differ", () => {
    // Few letters and short texts, so that borders between fields meet often.
    const word = fc.string({ unit: fc.constantFrom("a", "b", ":", "_", "\0", "é"), maxLength: 4 });
    const whole = fc.oneof(fc.nat(3), fc.maxSafeNat());
    const contexts = fc.record({
      format: word,
      dataKeyId: word,
      context: fc.record({
        kind: word,
        owner: word,
        record: word,
        server: fc.option(
          word.filter((server) => server !== ""),
          { nil: undefined },
        ),
        tokenOrigin: word,
        consentGeneration: whole,
        attempt: whole,
      }) as unknown as fc.Arbitrary<SealContext>,
    });
    const bytes = (c: { format: string; dataKeyId: string; context: SealContext }) =>
      associatedData(c.format, c.dataKeyId, c.context).toString("hex");
    const names = (c: unknown) => JSON.stringify(c);
    fc.assert(
      fc.property(contexts, contexts, (a, b) => (names(a) === names(b)) === (bytes(a) === bytes(b))),
      { numRuns: 20_000, verbose: true },
    );
  });

  it("T15 T21: letters moved across the border of two neighbouring fields give other bytes", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b", "\0"), minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(letters, fc.nat(6), fc.nat(6), (whole, i, j) => {
        fc.pre(Math.min(i, whole.length) !== Math.min(j, whole.length));
        const cut = (at: number) => ({
          ...CONTEXT,
          owner: `o:${whole.slice(0, at)}` as const,
          record: whole.slice(at) as SealContext["record"],
        });
        const [a, b] = [cut(i), cut(j)].map((context) => associatedData("r1", DATA_KEY, context));
        return !a!.equals(b!);
      }),
      { numRuns: 2_000 },
    );
  });

  it("of a wrapped data key tells owner, name and root key apart", () => {
    const all = [
      wrapAssociatedData("w1", "o:a", "b", "c"),
      wrapAssociatedData("w1", "o:ab", "", "c"),
      wrapAssociatedData("w1", "o:a", "bc", ""),
      wrapAssociatedData("w1", "s:a", "b", "c"),
      wrapAssociatedData("w2", "o:a", "b", "c"),
    ].map((bytes) => bytes.toString("hex"));
    expect(new Set(all).size).toBe(all.length);
  });
});
