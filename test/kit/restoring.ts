import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { AuditVerifier } from "../../src/broker/audit/verify-audit.ts";
import { linesInOrder } from "../../src/cli/audit-files.ts";
import type { CliDeps } from "../../src/cli/build-cli.ts";
import { readSettings } from "../../src/config/settings.ts";
import { type Broker, compose } from "../../src/main/compose.ts";
import { openRefill } from "../../src/main/open-refill.ts";
import { makeLog } from "../../src/ops/log.ts";
import { makeBackupMac } from "../../src/security/backup-mac.ts";
import { parseRootKeyset } from "../../src/security/root-keyset.ts";
import { BY_TEST } from "./put-records.ts";
import { overriding } from "./redis.ts";
import { runCli } from "./run-cli.ts";
import type { World } from "./world.ts";

/** The commands that copy a world's store and put a copy back, as `main/cli.ts` puts them together. */
export async function restoring(here: World) {
  const folder = await mkdtemp(join(tmpdir(), "restore-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const keyset = parseRootKeyset(await readFile(here.environment.ROOT_KEYSET_FILE!, "utf8"));
  const settingsOf = (redisUrl?: string) =>
    readSettings({
      ...here.environment,
      ...overriding(redisUrl === undefined ? {} : { REDIS_URL: redisUrl }),
    });

  /** Another broker of the same firm, on another Redis. */
  const brokerOn = async (redisUrl: string, offset: () => number = () => 0): Promise<Broker> => {
    const broker = await compose({
      settings: settingsOf(redisUrl),
      rootKeyset: keyset,
      log: makeLog({ level: "silent" }),
      clock: { now: () => Date.now() + offset(), monotonicMs: () => performance.now() },
      storeOffsetMs: offset,
      storeSettlesMs: 0,
    });
    await broker.ready();
    onTestFinished(() => broker.close());
    return broker;
  };

  const run = (broker: Broker, ...args: string[]) => {
    const deps: Partial<CliDeps> = {
      explain: (error) => String(error),
      backupMac: async () => makeBackupMac(keyset),
      openRefill: (into, passwordFile) => openRefill(settingsOf(), into, passwordFile),
      withBroker: async (use) => use({ ...broker, store: broker.configuration, note: BY_TEST } as never),
    };
    return runCli(deps, args);
  };

  /** What `audit verify` would find wrong with what was exported. */
  const faultsOfAudit = async () => {
    const verifier = new AuditVerifier(here.broker.restore.verify);
    for await (const line of linesInOrder([here.environment.AUDIT_FILE!])) await verifier.line(line);
    const { journals, otherLines } = verifier.report();
    return [...journals.flatMap(({ fault }) => fault ?? []), ...(otherLines === 0 ? [] : [otherLines])];
  };

  return { faultsOfAudit, folder, keyset, brokerOn, run, audit: here.environment.AUDIT_FILE! };
}
