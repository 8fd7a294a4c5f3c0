import { existsSync } from "node:fs";
import { fileKindOf, readSettings, type Settings, SettingsError } from "../config/settings.ts";
import { seconds } from "../domain/instant.ts";
import { Problem } from "../domain/problem.ts";
import { PROBLEMS } from "../domain/problem-catalogue.ts";
import { Secret } from "../domain/secret.ts";
import type { Finding } from "../ops/finding.ts";
import { makeLog } from "../ops/log.ts";
import { fine, judgeFile, judgePort, judgeReach, judgeWritten, refuse, warn } from "../ops/start-checks.ts";
import { type Broker, compose } from "./compose.ts";
import { readiness } from "./readiness.ts";
import { rootKeysetOf } from "./root-keys.ts";
import { explain } from "./run.ts";

const REDIS_WAIT_MS = seconds(5);
const REACH_MAX_MS = seconds(4);
/** Servers looked at; with more, `cli diagnose` looks at one. */
const SERVERS_MAX = 50;
const AT_ONCE = 5;

/**
 * Everything that a start looks at, and what it meets soon afterwards, without starting: a port is taken and given back, nothing is
 * written. Each finding as it comes.
 * @param running a broker runs here already, with these ports
 */
export async function* examine({ running }: { readonly running: boolean }): AsyncIterable<Finding> {
  let settings: Settings;
  try {
    settings = readSettings();
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    for (const fault of error.faults) yield ofSetting(fault);
    return;
  }
  yield fine("settings", "The settings can be read, and fit one another.");
  yield* judgeFiles(settings);
  if (!running) yield* judgePorts(settings);
  yield* judgeWays(settings);
  yield* judgeStore(settings);
}

const ofSetting = ({ setting, message }: { readonly setting: string; readonly message: string }): Finding =>
  refuse("settings", `${setting} ${message}.`, "Correct it: src/config/README.md explains every setting.");

async function* judgeFiles(settings: Settings): AsyncIterable<Finding> {
  for (const [name, path] of Object.entries(settings)) {
    const kind = fileKindOf(name);
    if (kind === undefined || typeof path !== "string") continue;
    if (name !== "AUDIT_FILE") yield await judgeFile(name, path, kind === "secret file");
    else if (settings.AUDIT_SINK === "file") yield await judgeWritten(name, path);
  }
}

async function* judgePorts(settings: Settings): AsyncIterable<Finding> {
  yield await judgePort("HTTP_PORT", settings.HTTP_HOST, settings.HTTP_PORT);
  yield await judgePort("OPS_PORT", settings.OPS_HOST, settings.OPS_PORT);
  for (const name of ["MTLS_PORT", "CLIENT_CERT_PORT"] as const) {
    const port = settings[name];
    if (port !== undefined) yield await judgePort(name, settings.HTTP_HOST, port);
  }
}

/** What leaves and is not iManage. */
async function* judgeWays(settings: Settings): AsyncIterable<Finding> {
  for (const name of ["EGRESS_PROXY_URL", "AUDIT_HTTP_URL", "VAULT_ADDR"] as const) {
    const url = settings[name];
    if (url !== undefined) yield await judgeReach(name, new URL(url), REACH_MAX_MS);
  }
}

async function* judgeStore(settings: Settings): AsyncIterable<Finding> {
  if (
    settings.NODE_ENV !== "production" &&
    settings.ROOT_KEYSET_FILE === undefined &&
    !existsSync(DEVELOPMENT_KEYSET)
  ) {
    yield warn(
      "key-access",
      "There is no root keyset yet; the first start makes one, and Redis is looked at then.",
      "Nothing on a development machine. Elsewhere: `cli keys create FILE`, and name it in ROOT_KEYSET_FILE.",
    );
    return;
  }
  let broker: Broker;
  try {
    const rootKeyset = await rootKeysetOf(settings);
    yield fine("root-keyset", "The root keyset can be opened.");
    broker = await compose({ settings, rootKeyset, log: makeLog({ level: "silent" }) });
  } catch (error) {
    if (error instanceof SettingsError) {
      for (const fault of error.faults) yield ofSetting(fault);
      return;
    }
    const sentence = explain(error);
    if (sentence === undefined) throw error;
    yield refuse("root-keyset", sentence, "Name the root keyset of this store in ROOT_KEYSET_FILE.");
    return;
  }
  try {
    yield* judgeConnected(broker);
  } finally {
    await broker.close();
  }
}

/** As `rootKeysetOf` has it. */
const DEVELOPMENT_KEYSET = ".data/root-keyset.json";

async function* judgeConnected(broker: Broker): AsyncIterable<Finding> {
  const timer = broker.timers.after(REDIS_WAIT_MS);
  const came = await Promise.race([broker.ready().then(() => true), timer.elapsed.then(() => false)]).finally(
    () => timer.cancel(),
  );
  if (!came) {
    yield refuse(
      "redis",
      `Redis does not answer within ${REDIS_WAIT_MS / 1_000} s.`,
      "Look at REDIS_URL, its password (REDIS_PASSWORD_FILE), and the way there. The broker itself would wait for it.",
    );
    return;
  }
  yield fine("redis", "Redis answers.");
  try {
    yield* (await readiness(broker)).checks;
    yield judgeRecords(await broker.recordSeals.survey());
    yield* judgeProvider(broker);
    yield* judgeServers(broker);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const { title, action } = PROBLEMS[error.code];
    yield refuse("store", `${title} ${error.message}`, action);
  }
}

function judgeRecords(records: readonly { readonly state: string }[]): Finding {
  const refused = records.filter(({ state }) => state !== "sealed").length;
  return refused === 0
    ? fine("records", `Every record of the configuration is as a broker wrote it (${records.length}).`)
    : warn(
        "records",
        `${refused} of ${records.length} records of the configuration are not as a broker wrote them, and are refused.`,
        "`cli records check` names them.",
      );
}

async function* judgeProvider({ operators, settings }: Broker): AsyncIterable<Finding> {
  const { provider } = operators;
  if (provider === undefined) return;
  const check = "operators-provider";
  const nobody = new Secret("nobody comes back with this one, and so it is never redeemed");
  const request = { state: "doctor", nonce: "doctor", codeVerifier: nobody };
  yield await provider.authorizationUrl(request as never, settings.PUBLIC_BASE_URL).then(
    () => fine(check, `${settings.OPERATORS_ISSUER} describes itself (OpenID Connect Discovery).`),
    () =>
      warn(
        check,
        `${settings.OPERATORS_ISSUER} does not describe itself (OpenID Connect Discovery).`,
        "Compare OPERATORS_ISSUER with the issuer there, to the letter, and look at the way to it. Meanwhile no operator signs in.",
      ),
  );
}

async function* judgeServers({ configuration, diagnosis }: Broker): AsyncIterable<Finding> {
  const check = "server";
  const servers: {
    readonly name: string;
    readonly server: Parameters<typeof diagnosis.probes.connection>[0];
  }[] = [];
  for (const { id, name } of await configuration.listOrganisations())
    for (const server of await configuration.listServers(id))
      servers.push({ name: `${name}/${server.name}`, server });
  const looked = servers.slice(0, SERVERS_MAX);
  for (let from = 0; from < looked.length; from += AT_ONCE) {
    yield* await Promise.all(
      looked.slice(from, from + AT_ONCE).map(async ({ name, server }): Promise<Finding> => {
        const seen = await diagnosis.probes.connection(server);
        if (seen.ended === "open") return fine(check, `${name}: ${seen.host} takes connections.`);
        const sentence = `${name}: the way to ${seen.host} ends at ${ENDS[seen.ended]}${seen.failure === undefined ? "" : ` (${seen.failure})`}.`;
        return warn(check, sentence, `\`cli diagnose ${name}\` says who changes what.`);
      }),
    );
  }
  if (servers.length > looked.length)
    yield fine(check, `${servers.length - looked.length} more servers were not looked at.`);
}

const ENDS = {
  url: "its address",
  dns: "its name",
  egress: "our own egress rules",
  connect: "the connection",
  tls: "its certificate",
} as const;
