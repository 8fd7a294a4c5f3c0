import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { freePort } from "../../scripts/redis/index.ts";
import { WalkingBrowser } from "../../scripts/walk/browser.ts";
import { signInAt } from "../../scripts/walk/connect.ts";
import { startSimulator } from "../../src/simulator/start-simulator.ts";
import { type Program, plainEnvironment, ROOT, runProgram, temporaryFolder } from "./program.ts";

/** Real processes, twice over: the story waits for the lease of a killed broker. */
const STORY_MS = 90_000;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "broker-demo-"));
});
afterAll(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

/** A Redis of its own, whatever this run of the tests uses: the demo kills it. */
function demo(...args: readonly string[]): Program {
  const { REDIS_URL: _, ...env } = plainEnvironment();
  return runProgram(process.execPath, [join(ROOT, "scripts/demo.ts"), ...args], { env });
}

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly state: string;
}

function processes(): Process[] {
  const table = execFileSync("ps", ["-A", "-o", "pid=,ppid=,stat="], { encoding: "utf8" });
  return table
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .map(([pid, parent, state]) => ({ pid: Number(pid), parent: Number(parent), state: state ?? "" }));
}

/** A process and all that it started. */
function familyOf(pid: number): number[] {
  const all = processes();
  const family = [pid];
  for (const each of family)
    family.push(...all.filter(({ parent }) => parent === each).map((child) => child.pid));
  return family;
}

/** One that has ended but that nobody has collected yet counts as ended. */
const alive = (pids: readonly number[]): number[] =>
  processes()
    .filter(({ pid, state }) => pids.includes(pid) && !state.startsWith("Z"))
    .map(({ pid }) => pid);

describe("the story", () => {
  test("is told to the end, with exit code 0 and in under a minute", { timeout: STORY_MS }, async () => {
    const startedAt = performance.now();
    const program = demo("--once", "--data", join(folder, "demo"));
    const { code } = await program.ended;
    expect(program.output()).toMatch(/ s {2}✓ done\n$/);
    expect(code).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(60_000);
    for (const line of [
      /✓ e\.moreau signed in .*: connected/,
      /\$ curl -sS .*\/v1\/access-tokens/,
      /\$ curl -sS .*\/oauth2\/token/,
      /✓ GET \/api at iManage: authenticated as Élise Moreau/,
      /✓ 31 min later the token got 401; .* works/,
      /✓ amelia\.hart lent ACTIVE/,
      /✓ sample app on http.*: of the first matter in ACTIVE e\.moreau sees 10 documents, clara\.voss 11/,
      /✓ b\.okafor saved ACTIVE!1001\.1; it was on the page by itself after/,
      /✓ amelia\.hart withdrew ACTIVE: parked on the page after .*; authorized again: live after/,
      /200 requests on two brokers, \d+ ms, 1 refresh at iManage/,
      /✓ broker-1 took over after (\d|1[0-6])\.\d s/,
      /✓ kill -9 of Redis: 503 store_unavailable; started again: the same 4 grants, the same token/,
      /amelia\.hart +\d+ s +active .* library ACTIVE/,
      /✓ queue dashboard .*: refresh-sweep, /,
      /✓ audit: \d+ entries/,
    ])
      expect(program.output()).toMatch(line);

    // What it was given and what it was told stays where only its owner reads it, and is not printed.
    for (const file of ["root-keyset.json", "secrets/matter-tracker", "secrets/meridian-dms", "audit.jsonl"])
      expect([file, (await stat(join(folder, "demo", file))).mode & 0o077]).toEqual([file, 0]);
    const secret = (await readFile(join(folder, "demo/secrets/matter-tracker"), "utf8")).trim();
    expect(program.output()).not.toContain(secret);
    expect(program.output()).not.toMatch(/sim_(at|rt|code|secret)_/);
    expect(existsSync(join(folder, "demo.lock"))).toBe(false);
  });

  test("goes on with the data of the first run, stays up, and Ctrl-C leaves no process behind", {
    timeout: STORY_MS,
  }, async () => {
    const program = demo("--data", join(folder, "demo"));
    await program.says(/redis\)\n/);
    const another = demo("--once", "--data", join(folder, "demo"));
    expect((await another.ended).code).toBe(1);
    expect(another.output()).toBe(
      `A demo with the data of ${join(folder, "demo")} runs already (process ${program.pid}): end it first, or take another folder with --data DIR.\n`,
    );

    await program.says(/Logs +/);
    expect(program.output()).toMatch(/✓ e\.moreau connected in an earlier run/);
    expect(program.output()).toMatch(/✓ amelia\.hart lent ACTIVE in an earlier run/);
    expect(program.output()).toMatch(/draft 3"/);
    for (const name of [
      "Demo app",
      "Matter checklist",
      "New firm",
      "Library page",
      "API docs",
      "Queue dashboard",
      "Simulated iManage",
    ]) {
      const address = new RegExp(`${name} +(\\S+)`).exec(program.output())?.[1];
      expect([name, (await fetch(address!)).status]).toEqual([name, 200]);
    }

    const family = familyOf(program.pid);
    // Itself, Redis, simulator, two brokers, worker; and a watchdog for each of them.
    expect(family.length).toBeGreaterThanOrEqual(6);
    program.child.kill("SIGINT");
    expect((await program.ended).code).toBe(0);
    expect(alive(family)).toEqual([]);
  });
});

describe("a firm's real iManage", () => {
  test("the sheet first, then the secret, the first sign-in, the first token; a second start goes on", {
    timeout: STORY_MS,
  }, async () => {
    const simulator = await startSimulator();
    onTestFinished(() => simulator.close());
    const home = await temporaryFolder();
    const file = join(home, "hartlowell.yaml");
    await writeFile(file, declared(simulator.origin));
    const port = await freePort();
    const program = demo("--server", file, "--port", String(port), "--data", join(home, "data"));

    const [, redirectUrl] = await program.says(/Redirect URL +(\S+)/);
    expect(new URL(redirectUrl!).origin).toBe(`http://127.0.0.1:${port}`);
    await program.says(/waiting for the file/);
    expect(program.output()).toContain(`\n    ${join(home, "secrets/dms")}\n`);
    simulator.registrations.patch("token-broker", { redirect_urls: [redirectUrl!] });
    await mkdir(join(home, "secrets"));
    await writeFile(join(home, "secrets/dms"), "sim_secret_token-broker\n");

    const [, connect] = await program.says(/^ {4}(http\S+\/connect)$/m);
    const browser = new WalkingBrowser();
    const start = await browser.get(connect!);
    const left = await browser.get(start.location!);
    const back = await signInAt(browser, redirectUrl!, left.location!, {
      username: "e.moreau",
      password: "moreau",
    });
    // Someone else who was given the address completes nothing, and takes nothing away.
    const stranger = await new WalkingBrowser().get(back);
    expect(stranger.status).toBe(403);
    const returned = await browser.get(back);
    expect(returned.body).toContain("<h1>Connected</h1>");

    await program.says(/✓ GET \/api at iManage: Élise Moreau, customer 5948/);
    await program.says(/Logs +/);
    const family = familyOf(program.pid);
    // The worst end: nobody is left to tidy up but the watchdogs.
    program.child.kill("SIGKILL");
    await program.ended;
    await vi.waitFor(() => expect(alive(family)).toEqual([]), { timeout: 15_000, interval: 200 });

    const second = demo("--server", file, "--once", "--data", join(home, "data"));
    expect((await second.ended).code).toBe(0);
    expect(second.output()).toContain(redirectUrl);
    expect(second.output()).toMatch(/connected in an earlier run\n[\s\S]*Élise Moreau, customer 5948/);
  });
});

describe("what cannot be", () => {
  test("is a sentence", async () => {
    const home = await temporaryFolder();
    const file = join(home, "wrong.yaml");
    await writeFile(file, declared("http://dms.example/login"));
    const cases: [readonly string[], RegExp][] = [
      [["--nope"], /^Unknown option '--nope'\.?\nSee scripts\/demo --help\.\n$/],
      [["--port", "80"], /^--port goes with --server/],
      [["--new-firm", "--once"], /^--new-firm goes with neither --server nor --once/],
      [["--server", file, "--port", "x"], /^--port is a whole number/],
      [["--server", file, "--base-url", "https://a.example/x"], /^--base-url is an address like/],
      [["--server", join(home, "none.yaml")], /none\.yaml does not exist/],
      [
        ["--server", file],
        /wrong\.yaml:\d+: .*must begin with https:\/\/[\s\S]*has one fault; nothing was changed\.\n$/,
      ],
    ];
    await Promise.all(
      cases.map(async ([args, sentence], at) => {
        const program = demo(...args, "--data", join(home, `data-${at}`));
        expect((await program.ended).code).toBe(1);
        expect(program.output()).toMatch(sentence);
        expect(program.output()).not.toMatch(/^ +at /m);
      }),
    );
  });

  test("a port that is taken by now is named, with what to do; --fresh moves the data aside", {
    timeout: 40_000,
  }, async () => {
    const home = await temporaryFolder();
    const data = join(home, "demo");
    const blocker = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => blocker.once("listening", resolve));
    const { port } = blocker.address() as { port: number };
    const names = ["broker1", "broker2", "app", "simulator", "redis", "ops1", "ops2", "opsWorker"];
    const ports = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await freePort()])));
    await mkdir(data);
    await writeFile(
      join(data, "demo.json"),
      JSON.stringify({ v: 1, ports: { ...ports, app: port }, runs: 1 }),
    );

    const program = demo("--once", "--data", data);
    expect((await program.ended).code).toBe(1);
    expect(program.output()).toContain(`Port ${port} is taken by another program`);
    expect(program.output()).toContain("--fresh");

    const fresh = demo("--fresh", "--once", "--data", data);
    await fresh.says(/every write synced/);
    expect(await readdir(home)).toContainEqual(expect.stringMatching(/^demo-until-\d{8}-\d{6}$/));
    const family = familyOf(fresh.pid);
    fresh.child.kill("SIGINT");
    expect((await fresh.ended).code).toBe(130);
    expect(alive(family)).toEqual([]);
    blocker.close();
  });
});

const declared = (imanage: string): string => `version: 1
organisations:
  - name: hartlowell
    display_name: Hart & Lowell LLP
    servers:
      - name: dms
        kind: on-premises
        address: ${imanage}
        registration:
          client_id: token-broker
          client_secret_file: secrets/dms
`;
