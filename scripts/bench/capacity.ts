import { readFile, writeFile } from "node:fs/promises";

/** What `bench:scale` measured and firms that are larger than this machine are reckoned from. */
export interface Measurements {
  readonly grants: number;
  /** In Redis, indexes included, as a sign-in leaves it; and what is added by the first eight refreshes. */
  readonly bytesPerGrant: number;
  readonly bytesOfAge: number;
  readonly bytesPerLogEntry: number;
  readonly keepAliveDays: number;
  readonly aofBytesPerToken: number;
  readonly aofBytesPerRefresh: number;
  readonly brokerMicrosPerToken: number;
  readonly redisMicrosPerToken: number;
  readonly workerMicrosPerRefresh: number;
  readonly redisMicrosPerRefresh: number;
  readonly backupBytesPerGrant: number;
  readonly backupMicrosPerGrant: number;
  readonly rewrittenBytesPerGrant: number;
}

/** What is not measured but supposed: said on the page, to be replaced by one's own. */
export const SUPPOSED = {
  /** Grants of one organisation, which lies in one shard. */
  grantsPerOrganisation: 20_000,
  /** Tokens handed out for a grant in a day, on average, and within how many hours. */
  tokensPerDay: 10,
  busyHours: 8,
  /** Of all grants, in use during those hours: their access tokens are refreshed again and again. */
  inUse: 0.1,
  /** An access token of 30 minutes is refreshed 5 minutes before its end. */
  refreshEveryMinutes: 25,
  /** Redis' data in a shard; a third more is left for the rewriting of its file. */
  shardGiB: 16,
  /** How much of a core is planned with. */
  coreShare: 0.6,
  /** Redis 7.0 links the keys of a slot, 16 bytes each; a grant has five. */
  clusterBytesPerGrant: 80,
  /** Audit entries that an organisation keeps in Redis once they are exported, and events of two weeks. */
  auditKept: 250_000,
} as const;

export interface Capacity {
  readonly grants: number;
  readonly organisations: number;
  readonly dataGiB: number;
  readonly logGiB: number;
  readonly shards: number;
  readonly gibPerShard: number;
  readonly keepAlivesPerSecond: number;
  readonly refreshesPerSecondBusy: number;
  readonly workers: number;
  readonly callsPerDay: number;
  readonly tokensPerSecondBusy: number;
  readonly brokers: number;
  readonly redisCores: number;
  readonly aofGiBPerDay: number;
  readonly backupGiB: number;
  readonly backupMinutes: number;
}

const GIB = 2 ** 30;
const DAY_S = 86_400;
/** A tenth at most, drawn by lot: on average half of it. */
const JITTER = 0.05;

/** A cluster for so many grants. */
export function capacityOf(grants: number, m: Measurements, by = SUPPOSED): Capacity {
  const organisations = Math.ceil(grants / by.grantsPerOrganisation);
  const keepAlivesPerSecond = grants / (m.keepAliveDays * (1 - JITTER) * DAY_S);
  const refreshesPerSecondBusy = keepAlivesPerSecond + (grants * by.inUse) / (by.refreshEveryMinutes * 60);
  const callsPerDay =
    keepAlivesPerSecond * DAY_S + grants * by.inUse * ((by.busyHours * 60) / by.refreshEveryMinutes);
  const tokensPerDay = grants * by.tokensPerDay;
  const tokensPerSecondBusy = tokensPerDay / (by.busyHours * 3_600);
  const processes = (perSecond: number, micros: number) => (perSecond * micros) / 1e6 / by.coreShare;

  const dataGiB = (grants * (m.bytesPerGrant + m.bytesOfAge + by.clusterBytesPerGrant)) / GIB;
  // Thirty days of audit are more than the entries that are kept, wherever people ask for tokens every day.
  const audit = Math.min(by.auditKept, (30 * tokensPerDay) / organisations);
  const logGiB = (organisations * audit * m.bytesPerLogEntry) / GIB;
  const redisCores =
    processes(tokensPerSecondBusy, m.redisMicrosPerToken) +
    processes(refreshesPerSecondBusy, m.redisMicrosPerRefresh);
  const shards = Math.max(3, Math.ceil((dataGiB + logGiB) / by.shardGiB), Math.ceil(redisCores));
  return {
    ...{ grants, organisations, dataGiB, logGiB, shards, keepAlivesPerSecond, refreshesPerSecondBusy },
    ...{ callsPerDay, tokensPerSecondBusy, redisCores },
    gibPerShard: (dataGiB + logGiB) / shards,
    workers: Math.max(2, Math.ceil(processes(refreshesPerSecondBusy, m.workerMicrosPerRefresh))),
    brokers: Math.max(2, Math.ceil(processes(tokensPerSecondBusy, m.brokerMicrosPerToken))),
    aofGiBPerDay: (tokensPerDay * m.aofBytesPerToken + callsPerDay * m.aofBytesPerRefresh) / GIB,
    backupGiB: (grants * m.backupBytesPerGrant) / GIB,
    backupMinutes: (grants * m.backupMicrosPerGrant) / 1e6 / 60,
  };
}

const COLUMNS = [1_000_000, 10_000_000, 100_000_000];

/** The page's table. */
export function capacityTable(m: Measurements): string {
  const of = COLUMNS.map((grants) => capacityOf(grants, m));
  const row = (name: string, tell: (one: Capacity) => string) => `| ${name} | ${of.map(tell).join(" | ")} |`;
  return [
    row("grants", ({ grants }) => whole(grants)),
    `| --- |${" ---: |".repeat(of.length)}`,
    row("organisations", ({ organisations }) => whole(organisations)),
    row("grants in Redis, indexes included", ({ dataGiB }) => gib(dataGiB)),
    row("audit that stays readable in Redis", ({ logGiB }) => gib(logGiB)),
    row("shards (masters)", ({ shards }) => whole(shards)),
    row("memory of a shard", ({ gibPerShard }) => gib(gibPerShard)),
    row("keep-alives a second", ({ keepAlivesPerSecond }) => some(keepAlivesPerSecond)),
    row("refreshes a second in busy hours", ({ refreshesPerSecondBusy }) => some(refreshesPerSecondBusy)),
    row("worker processes for them", ({ workers }) => whole(workers)),
    row("calls at all iManages a day", ({ callsPerDay }) => million(callsPerDay)),
    row("tokens a second in busy hours", ({ tokensPerSecondBusy }) => some(tokensPerSecondBusy)),
    row("broker processes for them", ({ brokers }) => whole(brokers)),
    row("Redis' cores at work then", ({ redisCores }) => some(redisCores)),
    row("append-only files a day", ({ aofGiBPerDay }) => gib(aofGiBPerDay)),
    row("a backup by `cli backup`", ({ backupGiB }) => gib(backupGiB)),
    row("which takes, by one process", ({ backupMinutes }) => minutes(backupMinutes)),
  ].join("\n");
}

/** What the table is reckoned from, measured and supposed. */
export function capacityBasis(m: Measurements, by = SUPPOSED): string {
  const lines: readonly (readonly [string, string])[] = [
    ["measured with", `${whole(m.grants)} grants of one organisation`],
    ["a grant in Redis, with its keys and its places in indexes", `${whole(m.bytesPerGrant)} bytes`],
    ["what its first eight refreshes add", `${whole(m.bytesOfAge)} bytes`],
    ["an entry of audit or events", `${whole(m.bytesPerLogEntry)} bytes`],
    ["append-only file, for a token", `${whole(m.aofBytesPerToken)} bytes`],
    ["append-only file, for a refresh with its job", `${whole(m.aofBytesPerRefresh)} bytes`],
    [
      "processor for a token: broker, Redis",
      `${whole(m.brokerMicrosPerToken)} µs, ${whole(m.redisMicrosPerToken)} µs`,
    ],
    [
      "processor for a refresh: worker, Redis",
      `${whole(m.workerMicrosPerRefresh)} µs, ${whole(m.redisMicrosPerRefresh)} µs`,
    ],
    [
      "`cli backup`, for a grant",
      `${whole(m.backupBytesPerGrant)} bytes, ${some(m.backupMicrosPerGrant)} µs`,
    ],
    ["Redis' file, rewritten, for a grant", `${whole(m.rewrittenBytesPerGrant)} bytes`],
    ["kept alive each", `${m.keepAliveDays} days, up to a tenth earlier`],
    ["supposed: grants of an organisation", whole(by.grantsPerOrganisation)],
    ["supposed: tokens a day for a grant", `${by.tokensPerDay}, within ${by.busyHours} hours`],
    [
      "supposed: in use during those hours",
      `${by.inUse * 100} % of all, refreshed each ${by.refreshEveryMinutes} minutes`,
    ],
    ["supposed: data in a shard", `${by.shardGiB} GiB at most`],
    ["supposed: of a core", `${by.coreShare * 100} % is planned with`],
    ["supposed: a cluster's table of slots, for a grant", `${by.clusterBytesPerGrant} bytes`],
    [
      "audit that stays in Redis, of an organisation",
      `${whole(by.auditKept)} entries at most (\`AUDIT_KEPT_MAX_ENTRIES\`)`,
    ],
  ];
  return ["| | |", "| --- | ---: |", ...lines.map(([name, value]) => `| ${name} | ${value} |`)].join("\n");
}

const FILE = new URL("./scale.json", import.meta.url);
export const readMeasurements = async (): Promise<Measurements> =>
  JSON.parse(await readFile(FILE, "utf8")) as Measurements;
export const recordMeasurements = (measured: Measurements): Promise<void> =>
  writeFile(FILE, `${JSON.stringify(measured, undefined, 2)}\n`);

const whole = (n: number): string => n.toLocaleString("en");
const gib = (n: number): string =>
  n >= 1_024 ? `${(n / 1_024).toFixed(1)} TiB` : `${n.toFixed(n < 10 ? 1 : 0)} GiB`;
const some = (n: number): string => (n < 10 ? n.toFixed(1) : whole(Math.round(n)));
const million = (n: number): string => `${some(n / 1e6)} M`;
const minutes = (n: number): string =>
  n < 120 ? `${n.toFixed(n < 10 ? 1 : 0)} min` : `${(n / 60).toFixed(1)} h`;

const PAGE = new URL("../../src/store/CAPACITY.md", import.meta.url);
/** The page with its tables as the measurements have them. */
export function capacityPage(page: string, m: Measurements): string {
  const put = (text: string, name: string, table: string) => {
    const [begin, end] = [`<!-- ${name} -->\n`, `\n<!-- /${name} -->`];
    const [from, to] = [text.indexOf(begin), text.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`the page has no place for ${name}`);
    return text.slice(0, from) + begin + table + text.slice(to);
  };
  return put(put(page, "reckoned", capacityTable(m)), "basis", capacityBasis(m));
}
export const readPage = (): Promise<string> => readFile(PAGE, "utf8");
export const writePage = (page: string): Promise<void> => writeFile(PAGE, page);
