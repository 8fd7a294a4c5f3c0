import { storeConsent } from "../../src/broker/authorization/redeem.ts";
import { readSettings } from "../../src/config/settings.ts";
import type { ClientId, ServerId } from "../../src/domain/id.ts";
import { minutes } from "../../src/domain/instant.ts";
import { Secret } from "../../src/domain/secret.ts";
import { compose } from "../../src/main/compose.ts";
import { rootKeysetOf } from "../../src/main/root-keys.ts";
import { systemClock } from "../../src/ops/clock.ts";
import { makeLog } from "../../src/ops/log.ts";

/** What the parent says: whose library, with which tokens. */
export interface ScanOrder {
  readonly server: string;
  readonly client: string;
  readonly library: string;
  readonly user: string;
  readonly accessToken: string;
  readonly refreshToken: string;
}

/** One run of the scan, and what this process takes of memory, garbage collected, as it goes. */
export type ScanSaid =
  | { readonly says: "ready" }
  | {
      readonly says: "scanned";
      readonly ms: number;
      readonly documents: number;
      readonly objects: number;
      readonly heapMiB: readonly number[];
      readonly rssMiB: readonly number[];
    };

const settings = readSettings();
const broker = await compose({
  settings,
  rootKeyset: await rootKeysetOf(settings),
  log: makeLog({ level: "warn" }),
  clock: systemClock(),
});
await broker.ready();
const stopAudit = setInterval(() => void broker.workerStories.exportAudit().catch(() => {}), 1_000);

process.on("message", async (order: ScanOrder) => {
  const { authorization, syncs, workerStories, libraryStore } = broker;
  const note = { actor: "bench", requestId: "bench" };
  const server = (await authorization.servers.findServer(order.server as ServerId))!;
  const grant = await storeConsent(
    authorization,
    {
      server,
      credentials: { clientId: "token-broker", secrets: [] },
      receivedAt: authorization.clock.monotonicMs(),
      answer: {
        accessToken: new Secret(order.accessToken),
        refreshToken: new Secret(order.refreshToken),
        accessTokenLifeMs: minutes(30),
        scope: undefined,
      },
      identity: {
        user: { customerId: "5948", userId: order.user, name: undefined, email: undefined },
        apiRoot: "",
        dmsVersion: undefined,
      },
    },
    undefined,
    note,
  );
  await libraryStore.lendLibraries(grant, server.id, [{ library: order.library, replaces: undefined }], note);
  const caller = { client: order.client as ClientId, address: "127.0.0.1" };
  const { sync } = await syncs.create({ caller, server: server.id, library: order.library, note });

  const heapMiB: number[] = [];
  const rssMiB: number[] = [];
  const mebibytes = (bytes: number) => Math.round(bytes / 2 ** 20);
  const started = performance.now();
  for (;;) {
    const found = await syncs.find(caller, sync.id);
    globalThis.gc?.();
    const { heapUsed, rss } = process.memoryUsage();
    heapMiB.push(mebibytes(heapUsed));
    rssMiB.push(mebibytes(rss));
    if (found.baselineAt !== undefined) {
      const { documents, objects } = found.counts;
      const ms = performance.now() - started;
      clearInterval(stopAudit);
      process.send!({ says: "scanned", ms, documents, objects, heapMiB, rssMiB } satisfies ScanSaid);
      return;
    }
    if (found.lastError !== undefined) console.error(found.lastError.code);
    const slice = AbortSignal.timeout(5_000);
    await workerStories.runSync(sync.id, slice);
  }
});
// In order, so that a profile is written.
process.on("disconnect", () => process.exit());
process.send!({ says: "ready" } satisfies ScanSaid);
