import { expect, it } from "vitest";
import {
  capacityBasis,
  capacityOf,
  capacityPage,
  readMeasurements,
  readPage,
  SUPPOSED,
} from "../../scripts/bench/capacity.ts";

it("the page on capacity says what is reckoned from the recorded measurements, to the letter", async () => {
  const measured = await readMeasurements();
  const page = await readPage();
  expect(capacityPage(page, measured)).toBe(page);
  expect(page).toContain(capacityBasis(measured));
  // What another machine measures would read otherwise.
  const doubled = { ...measured, bytesPerGrant: measured.bytesPerGrant * 2 };
  expect(capacityPage(page, doubled)).not.toBe(page);
});

it("ten million grants come to the figures that a pencil finds, and a hundred million to ten times as many", async () => {
  const m = await readMeasurements();
  const ten = capacityOf(10_000_000, m);
  // Once in seven days, up to a tenth earlier: 604,800 s less a twentieth.
  expect(ten.keepAlivesPerSecond).toBeCloseTo(10_000_000 / 574_560, 6);
  // A million in use, each once in 1,500 s.
  expect(ten.refreshesPerSecondBusy).toBeCloseTo(10_000_000 / 574_560 + 1_000_000 / 1_500, 6);
  expect(ten.tokensPerSecondBusy).toBeCloseTo(100_000_000 / 28_800, 6);
  expect(ten.dataGiB).toBeCloseTo((10_000_000 * (m.bytesPerGrant + m.bytesOfAge + 80)) / 1_073_741_824, 6);
  expect(ten.workers).toBe(Math.ceil((ten.refreshesPerSecondBusy * m.workerMicrosPerRefresh) / 600_000));
  expect(ten.callsPerDay).toBeCloseTo((10_000_000 / 574_560) * 86_400 + 1_000_000 * 19.2, 3);
  expect(ten.gibPerShard).toBeLessThanOrEqual(SUPPOSED.shardGiB);
  expect(ten.shards * SUPPOSED.coreShare).toBeGreaterThanOrEqual(
    (ten.tokensPerSecondBusy * m.redisMicrosPerToken + ten.refreshesPerSecondBusy * m.redisMicrosPerRefresh) /
      1e6,
  );
  const hundred = capacityOf(100_000_000, m);
  for (const what of [
    "dataGiB",
    "logGiB",
    "callsPerDay",
    "aofGiBPerDay",
    "backupGiB",
    "backupMinutes",
  ] as const)
    expect(hundred[what] / ten[what]).toBeCloseTo(10, 6);
});
