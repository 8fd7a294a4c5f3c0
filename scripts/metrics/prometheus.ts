import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { freePort } from "../redis/index.ts";
import { endWithThisProcess } from "../watchdog.mjs";

export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  /** Seconds since 1970, value. */
  readonly points: readonly (readonly [number, number])[];
}

export interface Prometheus {
  /** What a panel asks, over a time. */
  range(expr: string, from: number, to: number, step: number): Promise<readonly Series[]>;
  stop(): Promise<void>;
}

export const findPrometheus = (named: string | undefined): string | undefined =>
  [
    named ?? "",
    ...(process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, "prometheus")),
  ].find((path) => path !== "" && existsSync(path));

/** A Prometheus on loopback that scrapes each second, and ends with this process. */
export async function startPrometheus(
  binary: string,
  folder: string,
  targets: readonly string[],
  rules: string,
): Promise<Prometheus> {
  await mkdir(folder, { recursive: true });
  const file = join(folder, "prometheus.yaml");
  await writeFile(
    file,
    JSON.stringify({
      global: { scrape_interval: "1s", evaluation_interval: "1s" },
      rule_files: [rules],
      scrape_configs: [{ job_name: "token-broker", static_configs: [{ targets }] }],
    }),
  );
  const address = `127.0.0.1:${await freePort()}`;
  const child = spawn(
    binary,
    [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=${address}`,
      "--log.level=error",
    ],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  endWithThisProcess(child, { graceSeconds: 2 });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const get = async (path: string) => fetch(`http://${address}${path}`);
  for (let tried = 0; !(await get("/-/ready").catch(() => undefined))?.ok; tried++) {
    if (tried > 100) throw new Error("Prometheus does not become ready.");
    await wait(100);
  }
  return {
    async range(expr, from, to, step) {
      const query = new URLSearchParams({ query: expr, start: `${from}`, end: `${to}`, step: `${step}` });
      const answer = (await (await get(`/api/v1/query_range?${query}`)).json()) as {
        status: string;
        error?: string;
        data: { result: { metric: Record<string, string>; values: [number, string][] }[] };
      };
      if (answer.status !== "success") throw new Error(`${expr}: ${answer.error}`);
      return answer.data.result.map(({ metric, values }) => ({
        labels: metric,
        points: values.map(([at, value]) => [at, Number(value)] as const),
      }));
    },
    async stop() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}
