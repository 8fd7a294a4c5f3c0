import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join, relative } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Sentence } from "./sentence.ts";

export const HOST = "127.0.0.1";

const PORTS = [
  ...(["broker1", "broker2", "app", "tracker", "simulator", "redis", "ops1", "ops2", "opsWorker"] as const),
] as const;
export type PortName = (typeof PORTS)[number];
export type Ports = Readonly<Record<PortName, number>>;

/** What a demo remembers, so that a second start finds the addresses that iManage and the grants know. */
export interface Memory {
  readonly v: 1;
  readonly ports: Ports;
  readonly baseUrl?: string | undefined;
  /** How often it has told its story to the end. */
  readonly runs: number;
  /** When iManage last refused a token that had lain idle, by this machine's clock. */
  readonly rejectedAt?: number | undefined;
}

/** A demo's data: everything it writes is in here. */
export class Folder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
    mkdirSync(path, { recursive: true, mode: 0o700 });
  }

  file(...parts: readonly string[]): string {
    return join(this.path, ...parts);
  }

  /** As people type it. */
  shown(...parts: readonly string[]): string {
    const path = this.file(...parts);
    const short = relative(process.cwd(), path);
    return short.startsWith("..") ? path : short;
  }

  read(): Memory | undefined {
    if (!existsSync(this.#memory)) return undefined;
    try {
      const memory = JSON.parse(readFileSync(this.#memory, "utf8")) as Memory;
      if (memory.v === 1 && Object.values(memory.ports).every(Number.isInteger)) return memory;
    } catch {
      // Said below.
    }
    throw new Sentence(`${this.#memory} is not as the demo wrote it. Start anew with --fresh.`);
  }

  write(memory: Memory): void {
    const next = `${this.#memory}.next`;
    writeFileSync(next, `${JSON.stringify(memory, undefined, 2)}\n`);
    renameSync(next, this.#memory);
  }

  /** Where a secret of the demo's own is or will be. The folder is there, for whoever writes it. */
  secretPath(name: string): string {
    mkdirSync(this.file("secrets"), { recursive: true, mode: 0o700 });
    return this.file("secrets", name);
  }

  /** A file that only its owner may read. One that is there stays as it is. */
  writeSecret(name: string, text: string): string {
    const path = this.secretPath(name);
    if (!existsSync(path)) writeFileSync(path, `${text}\n`, { mode: 0o600, flag: "wx" });
    return path;
  }

  get #memory(): string {
    return this.file("demo.json");
  }
}

/** Moves what earlier runs left aside. @returns where it is now; undefined: there was nothing */
export function moveAside(path: string): string | undefined {
  if (!existsSync(path)) return undefined;
  const stamp = new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-");
  const aside = `${path}-until-${stamp}`;
  renameSync(path, aside);
  return aside;
}

/** Below the range from which systems lend ports to outgoing connections: nobody else is likely to take them later. */
const LOWEST = 20_000;
const RANGE = 10_000;

/** @param known stay as they are: an older demo's folder may lack one */
export async function choosePorts(known: Partial<Ports> = {}): Promise<Ports> {
  const ports: Partial<Record<PortName, number>> = { ...known };
  for (const name of PORTS) {
    while (ports[name] === undefined) {
      const port = LOWEST + Math.floor(Math.random() * RANGE);
      if (!Object.values(ports).includes(port) && (await isFree(port))) ports[name] = port;
    }
  }
  return ports as Ports;
}

const USES: Readonly<Record<PortName, string>> = {
  broker1: "the broker",
  broker2: "the second broker",
  app: "the demo app",
  tracker: "the matter checklist",
  simulator: "the iManage simulator",
  redis: "Redis",
  ops1: "the broker's ops listener",
  ops2: "the second broker's ops listener",
  opsWorker: "the worker's ops listener",
};

/** What a run that was killed has left needs a moment to end. */
const LEFTOVERS_MAX_MS = 6_000;

/** @throws Sentence that names the first port that is taken */
export async function mustBeFree(ports: Ports, names: readonly PortName[], folder: string): Promise<void> {
  const until = performance.now() + LEFTOVERS_MAX_MS;
  for (const name of names) {
    while (!(await isFree(ports[name]))) {
      if (performance.now() > until)
        throw new Sentence(
          `Port ${ports[name]} is taken by another program, and it is where ${USES[name]} of ${folder} has its address: iManage's registration and the grants know it. End that program, or begin anew with --fresh (what is there is moved aside).`,
        );
      await pause(100);
    }
  }
}

export async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  server.listen(port, HOST);
  try {
    await once(server, "listening");
  } catch {
    return false;
  }
  server.close();
  await once(server, "close");
  return true;
}

export const portNames = (simulated: boolean, ownRedis: boolean): readonly PortName[] =>
  PORTS.filter((name) => (simulated || !SIMULATED.includes(name)) && (name !== "redis" || ownRedis));

const SIMULATED: readonly PortName[] = ["simulator", "tracker"];
