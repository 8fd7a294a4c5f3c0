import { describe, expect, it } from "vitest";
import { FailedProofs } from "../../../src/broker/clients/failed-proofs.ts";

const ORIGIN = { requestId: "req_1", address: "192.0.2.7" };

function failing() {
  const counted: string[] = [];
  const proofs = new FailedProofs({
    clock: { now: () => 0, monotonicMs: () => 0 },
    log: { info: () => {} },
    proofs: {
      async countFailure(id) {
        counted.push(id);
        return { over: true, waitMs: 60_000 };
      },
    },
  });
  return { counted, proofs };
}

describe("proofs that failed too often", () => {
  it("are remembered by no more of an id than an id has, however long the texts are that somebody sends (T35)", async () => {
    const { counted, proofs } = failing();
    await expect(
      proofs.refuse(`made-up-${"x".repeat(60_000)}`, ORIGIN, "secret_malformed"),
    ).rejects.toThrow();
    expect(counted.map(({ length }) => length)).toEqual([64]);
    // What begins alike is looked at no more from there: it can be nobody's.
    expect(() => proofs.refuseWhileStopped(`made-up-${"x".repeat(50_000)}`, ORIGIN)).toThrow();
    expect(() => proofs.refuseWhileStopped("made-up-", ORIGIN)).not.toThrow();
  });
});
