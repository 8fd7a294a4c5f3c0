import { mkdir, readdir, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { freePort } from "../../scripts/redis/index.ts";
import { WalkingBrowser } from "../../scripts/walk/browser.ts";
import { signInAt } from "../../scripts/walk/connect.ts";
import { startSimulator } from "../../src/simulator/start-simulator.ts";
import { compiledDemo as demo, familyOf, nobodyIsLeft, STORY_MS } from "./demo-program.ts";
import { temporaryFolder } from "./program.ts";

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
    await nobodyIsLeft(family, 15_000);

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
    await nobodyIsLeft(family);
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
