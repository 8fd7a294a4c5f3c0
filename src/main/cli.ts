import { userInfo } from "node:os";
import { createInterface } from "node:readline/promises";
import { diagnoseServer } from "../broker/diagnosis/diagnose-server.ts";
import type { RootKeyWrapper } from "../broker/keys/ports.ts";
import { addressRulesOf, buildCli } from "../cli/build-cli.ts";
import { readAddressSettings, readSettings, readWrapperSettings } from "../config/settings.ts";
import { Problem } from "../domain/problem.ts";
import { PROBLEMS } from "../domain/problem-catalogue.ts";
import { KmsError } from "../kms/kms-error.ts";
import { makeLog } from "../ops/log.ts";
import { auditChain, readCheckpoint } from "../security/audit-chain.ts";
import { makeBackupMac } from "../security/backup-mac.ts";
import { readCertificates } from "../security/certificates.ts";
import { makeClientSecrets } from "../security/client-secrets.ts";
import { offlineKeys } from "../security/offline-key.ts";
import { systemRandom } from "../security/random.ts";
import {
  addRootKey,
  createRootKeyset,
  parseRootKeyset,
  promoteRootKey,
  retireRootKey,
  wrapRootKeyset,
} from "../security/root-keyset.ts";
import { isWrapped } from "../security/root-keyset-file.ts";
import { makeSigner, verifySigned } from "../security/signer.ts";
import { compose } from "./compose.ts";
import { examine } from "./doctor.ts";
import { openRefill, within } from "./open-refill.ts";
import { migratePortsOf } from "./presence.ts";
import { queueStandings } from "./queue-standings.ts";
import { readiness } from "./readiness.ts";
import { rootKeysetOf, rootKeyWrapperOf } from "./root-keys.ts";
import { explain } from "./run.ts";

const newKeyset = () => createRootKeyset(systemRandom, Date.now());

const cli = buildCli({
  write: (text) => void process.stdout.write(text),
  complain: (text) => void process.stderr.write(text),
  setExitCode: (code) => {
    process.exitCode = code;
  },
  environment: (name) => process.env[name],
  addressRules: () => addressRulesOf(readAddressSettings()),
  names: () => readSettings(),
  readCertificates: (pem) => readCertificates(pem, Date.now()),
  createRootKeyset: newKeyset,
  rootKeysetFiles: {
    add: (text) => addRootKey(text, systemRandom, Date.now()),
    promote: (text, id) => promoteRootKey(text, id, Date.now()),
    retire: (text, id) => retireRootKey(text, id, Date.now()),
    wrap: async (text) => wrapRootKeyset(text, await wrapperOrRefuse()),
    isWrapped,
  },
  verifyCertificate: async (jws, keys) => verifySigned(jws, "shred-certificate+jws", JSON.parse(keys)),
  // A secret is random; the keyset it would be hashed under plays no part in making one.
  createClientSecret: () =>
    makeClientSecrets({ rootKeyset: parseRootKeyset(newKeyset().reveal()), random: systemRandom }).make(),
  screen: {
    isTTY: process.stderr.isTTY === true,
    columns: process.stderr.columns ?? 80,
    write: (text) => void process.stderr.write(text),
  },
  confirm: ask,
  stdin: () => process.stdin,
  auditKeys: async () => makeSigner(await rootKeysetOf(readSettings())).publicKeys(),
  backupMac: async () => makeBackupMac(await rootKeysetOf(readSettings())),
  openRefill: (into, passwordFile) => openRefill(readSettings(), into, passwordFile),
  offlineKeys,
  auditChain,
  checkpointReader: readCheckpoint,
  async withBroker(use) {
    const settings = readSettings();
    const broker = await compose({
      settings,
      rootKeyset: await rootKeysetOf(settings),
      log: makeLog({ level: "silent" }),
    });
    try {
      await within(broker.ready());
      return await use({
        store: broker.configuration,
        sealer: broker.sealer,
        clientSecrets: broker.clientSecrets,
        clock: broker.clock,
        random: broker.random,
        grants: broker.grantStore,
        imports: broker.imports,
        exports: broker.exports,
        syncs: broker.operateSyncs,
        containment: broker.containment,
        snapshot: broker.snapshot,
        restore: broker.restore,
        recordSeals: broker.recordSeals,
        migrations: migratePortsOf(broker),
        health: () => readiness(broker),
        queues: () => queueStandings(broker),
        rotations: broker.rotations,
        rootKeys: broker.rootKeys,
        shredding: broker.shredding,
        audit: broker.auditBuffer,
        events: broker.eventLog,
        subscriptions: broker.subscriptions.operators,
        profiles: broker.profiles,
        explain: broker.explain,
        packages: broker.packages,
        note: {
          actor: `cli:${user()}`,
          requestId: `cli_${Buffer.from(broker.random.bytes(12)).toString("base64url")}`,
        },
        diagnose: (server) =>
          diagnoseServer(broker.diagnosis, { server, requestId: "cli", minIntervalMs: 0 }),
      });
    } finally {
      await broker.close();
    }
  },
  examine,
  explain: (error) =>
    explain(error) ??
    (error instanceof Problem ? `${PROBLEMS[error.code].title} ${PROBLEMS[error.code].action}` : undefined),
});

await cli.parseAsync();

async function ask(question: string): Promise<boolean> {
  if (process.stdin.isTTY !== true) return false;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim());
  } finally {
    terminal.close();
  }
}

async function wrapperOrRefuse(): Promise<RootKeyWrapper> {
  const wrapper = await rootKeyWrapperOf(readWrapperSettings());
  if (wrapper === undefined)
    throw new KmsError(
      "Nothing wraps root keys here: set VAULT_ADDR, VAULT_TOKEN_FILE and VAULT_TRANSIT_KEY.",
    );
  return wrapper;
}

/** Who the operating system says it is; in a container often nobody it has a name for. */
function user(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? "unknown");
  }
}
