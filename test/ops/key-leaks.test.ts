import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { brokerProcess } from "../kit/broker-process.ts";
import { needlesOf, scan, scanFiles, told } from "../kit/canary.ts";
import { world } from "../kit/world.ts";

const linux = process.platform === "linux";

/**
 * What a person on the host, or a crash, could read of a broker that runs: a diagnostic report that is asked for by
 * signal, the debugger's signal, its environment, command line and output, and the folder where it wrote.
 */
it.skipIf(!linux)(
  "T24 a running broker tells nothing of its root key: report, debugger, environment, output",
  async () => {
    const here = await world();
    const folder = join(here.environment.AUDIT_FILE!, "..");
    const broker = await brokerProcess(here, "http", {
      NODE_OPTIONS: `--report-on-signal --report-signal=SIGUSR2 --report-directory=${folder}`,
    });
    const keyset = await readFile(here.environment.ROOT_KEYSET_FILE!, "utf8");
    const [, key] = /"([A-Za-z0-9+/]{43}=)"/.exec(keyset)!;
    const needles = needlesOf({
      "root key": key!,
      "root key, raw": Buffer.from(key!, "base64").toString("latin1"),
    });

    const written = waitForReport(folder);
    broker.signal("SIGUSR2");
    const report = JSON.parse(await readFile(await written, "utf8"));
    expect(report).not.toHaveProperty("environmentVariables");

    broker.signal("SIGUSR1");
    // Answered after the signal, so it had its effect.
    for (let i = 0; i < 5; i++)
      expect((await fetch(`${broker.base}/.well-known/oauth-authorization-server`)).ok).toBe(true);
    expect(broker.output()).not.toContain("Debugger");
    expect(await listeningPorts(broker.pid)).toHaveLength(2);

    const environment = await readFile(`/proc/${broker.pid}/environ`);
    const command = await readFile(`/proc/${broker.pid}/cmdline`);
    expect(environment.toString()).toContain("ROOT_KEYSET_FILE=");
    expect(told(scan(Buffer.concat([environment, command]), needles, "/proc"))).toEqual([]);
    expect(told(scan(broker.output(), needles, "the output"))).toEqual([]);
    const { hits } = scanFiles(folder, needles);
    expect(told(hits.filter(({ where }) => where !== "file root-keyset.json"))).toEqual([]);
    // The search has teeth: the keyset's own file holds it.
    expect(hits.filter(({ where }) => where === "file root-keyset.json")).not.toEqual([]);
  },
);

/** The first diagnostic report in the folder, once it is whole. */
async function waitForReport(folder: string): Promise<string> {
  for (;;) {
    const name = (await readdir(folder)).find((file) => file.startsWith("report."));
    const path = name && join(folder, name);
    const text = path && (await readFile(path, "utf8"));
    if (path && text?.trimEnd().endsWith("}")) return path;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Local ports on which this process listens, by its own sockets. */
async function listeningPorts(pid: number): Promise<readonly string[]> {
  const { stdout } = await promisify(execFile)("sh", ["-c", `ls -l /proc/${pid}/fd`]);
  const inodes = new Set([...stdout.matchAll(/socket:\[(\d+)\]/g)].map(([, inode]) => inode));
  const tables = await Promise.all(
    ["tcp", "tcp6"].map((name) => readFile(`/proc/${pid}/net/${name}`, "utf8").catch(() => "")),
  );
  return tables
    .join("\n")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === "0A" && inodes.has(fields[9]!))
    .map((fields) => fields[1]!);
}
