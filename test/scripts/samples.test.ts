import { readdirSync } from "node:fs";
import { copyFile, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { basename, extname, join, relative } from "node:path";
import { Webhook } from "standardwebhooks";
import { expect, onTestFinished, test } from "vitest";
import { findLanguages, type Runtime } from "../../scripts/debian/languages.ts";
import { freePort } from "../../scripts/redis/index.ts";
import { WalkingBrowser } from "../../scripts/walk/browser.ts";
import { signIn } from "../../scripts/walk/connect.ts";
import { lendLibrary } from "../../scripts/walk/lend-library.ts";
import { days, minutes } from "../../src/domain/instant.ts";
import { connectRedis } from "../../src/store/connect-redis.ts";
import { startWorkers } from "../../src/workers/start-workers.ts";
import { read } from "../architecture/source.ts";
import { type Received, receiver } from "../events/delivery-kit.ts";
import { addOrganisation } from "../kit/additions.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { AMELIA, type World, world } from "../kit/world.ts";
import { plainEnvironment, ROOT, runProgram, temporaryFolder } from "./program.ts";

/** `npm run verify:samples` fetches what the machine lacks, and leaves none out. */
const all = process.env.VERIFY_SAMPLES === "all";
const languages = await findLanguages({ fetches: all, log: (line) => console.log(line) });

const SAMPLES: Readonly<Record<string, Runtime | undefined>> = {
  "node/sample.mjs": { command: process.execPath, environment: {} },
  "python/sample.py": languages.runtimes.python,
  "ruby/sample.rb": languages.runtimes.ruby,
  "shell/sample.sh": languages.runtimes.shell,
};

const LIBRARY = "ACTIVE";
const LENDER = { ...AMELIA, email: "amelia.hart@hartlowell.example" };

test.for(Object.keys(SAMPLES))(
  "the sample %s, alone in a folder: connects a person, reports the token that iManage refuses and gets another, knows an event from a forgery, reads a library's changes by cursor",
  { timeout: 120_000 },
  async (file, { skip }) => {
    const runtime = SAMPLES[file];
    if (runtime === undefined) {
      if (all) throw new Error(`${file} does not run: ${languages.reason}`);
      const why = `samples/${file} is not run: ${languages.reason}; npm run verify:samples brings it along`;
      console.log(why);
      return skip(why);
    }
    const to = await receiver();
    const { here, sample, run, cursorOf, subscribe, work, lend } = await firmWithSample(
      file,
      runtime,
      to.origin,
    );
    const { simulator } = here;
    const told = async (type: string, times = 1): Promise<Received> => {
      const those = () => to.got.filter(({ body }) => JSON.parse(body).type === type);
      while (those().length < times) await to.next();
      return those()[times - 1]!;
    };
    const secret = await subscribe(to.url);

    // Who must act is told, and whether it is worth trying again.
    expect(await run(["token", AMELIA.subject])).toMatchObject({
      code: 1,
      output: expect.stringContaining("(authorization_required)"),
    });
    await lend();
    expect(await run(["changes"])).toMatchObject({
      code: 75,
      output: expect.stringContaining("(sync_not_ready)"),
    });

    // The person signs in at iManage, in a browser.
    const connecting = sample(["connect", AMELIA.subject]);
    const [, link = ""] = await connecting.says(/Open: (\S+)/);
    const back = await signIn(new WalkingBrowser(), here.base, link, AMELIA);
    if (file.startsWith("shell/")) connecting.child.stdin!.end(`${back}\n`);
    else expect((await fetch(back)).status).toBe(200);
    expect(await connecting.ended).toMatchObject({ code: 0 });
    expect(connecting.output()).toMatch(/Connected u-amelia: grt_/);
    expect(connecting.output()).not.toContain(new URL(back).searchParams.get("completion"));

    // Idle for longer than iManage lets a token live, and nobody told the broker.
    simulator.advance(minutes(31));
    const seen = simulator.requests().length;
    expect(await run(["token", AMELIA.subject])).toMatchObject({
      code: 0,
      output: "iManage answered 200\n",
    });
    const asked = simulator.requests().slice(seen);
    // The one refresh is the report's doing: by the broker's clock the token still lived.
    expect(asked.map(({ route, status }) => `${route} ${status}`)).toEqual([
      "api 401",
      "token 200",
      "api 200",
    ]);

    await work();
    const event = await told("grant.authorized");
    const from = {
      WEBHOOK_ID: String(event.headers["webhook-id"]),
      WEBHOOK_TIMESTAMP: String(event.headers["webhook-timestamp"]),
      WEBHOOK_SIGNATURE: String(event.headers["webhook-signature"]),
    };
    const old = new Date(Date.now() - minutes(6));
    const verdicts = await Promise.all([
      // Two secrets sign while one takes the other's place.
      run(["verify"], { ...from, WEBHOOK_SIGNATURE: `v1,AAAA ${from.WEBHOOK_SIGNATURE}` }, event.body),
      run(["verify"], from, event.body.replace("grant.authorized", "grant.revoked")),
      run(
        ["verify"],
        {
          ...from,
          WEBHOOK_TIMESTAMP: String(Math.floor(old.getTime() / 1_000)),
          WEBHOOK_SIGNATURE: new Webhook(secret).sign(from.WEBHOOK_ID, old, event.body),
        },
        event.body,
      ),
    ]);
    expect(verdicts.map(({ code }) => code)).toEqual([0, 1, 1]);
    expect(verdicts[0].output).toBe("grant.authorized\n");

    await told("sync.completed");
    expect(await run(["changes"])).toEqual({ code: 0, output: "snapshot of 24 documents\n" });
    const cursor = await cursorOf();
    simulator.editDocument(LIBRARY, "ACTIVE!1003.1", { name: "Settlement of Quillon – Entwurf" });
    await here.runSyncs();
    await told("sync.completed", 2);
    expect(await run(["changes"])).toEqual({
      code: 0,
      output: "document.changed ACTIVE!1003.1 Settlement of Quillon – Entwurf\n",
    });

    // A week without the sample: it says so, and takes the snapshot when it is run again.
    await cursorOf(cursor);
    here.advance(days(8));
    // Another process: this one has tidied already, and does so but once in a while.
    await (await here.replica()).broker.workerStories.reapUnbound();
    expect(await run(["changes"])).toMatchObject({
      code: 1,
      output: expect.stringContaining("(cursor_expired)"),
    });
    await lend();
    expect(await run(["changes"])).toEqual({ code: 0, output: "snapshot of 24 documents\n" });
    if (all) console.log(`figure: ${file} did all that it should`);
  },
);

test("each sample has fewer than a hundred lines, and uses what its world brings: no code of ours", () => {
  const files = readdirSync(join(ROOT, "scripts/samples"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== "README.md")
    .map(({ parentPath, name }) => relative(join(ROOT, "scripts/samples"), join(parentPath, name)));
  // One that is never run would prove nothing.
  expect(files.toSorted()).toEqual([...Object.keys(SAMPLES), NOT_RUN].toSorted());
  for (const file of files) {
    const text = read(`scripts/samples/${file}`);
    expect(text.split("\n").length - 1, file).toBeLessThan(100);
    const { uses, allowed } = WORLDS[extname(file)]!;
    const used = [...text.matchAll(uses)].flatMap(([, names = ""]) => names.split(/,\s*/));
    expect(used.length, file).toBeGreaterThan(2);
    expect(
      used.filter((name) => !allowed.test(name)),
      file,
    ).toEqual([]);
    expect(text, file).not.toMatch(/\.\.\/(?!README)|standardwebhooks|svix/);
  }
});

const NOT_RUN = "csharp/Sample.cs";

/** How each language names what it uses, and what may stand there. */
const WORLDS: Readonly<Record<string, { readonly uses: RegExp; readonly allowed: RegExp }>> = {
  ".mjs": {
    uses: /(?:from|import|import\(|require\()\s*"([^"]+)"/g,
    allowed: /^(?:node:\w+|openid-client)$/,
  },
  ".py": {
    uses: /^\s*(?:import|from) ([\w., ]+?)(?: import .*)?$/gm,
    allowed:
      /^(?:base64|hmac|json|sys|time|os|pathlib|http\.server|urllib\.parse|requests|authlib\.integrations\.requests_client)$/,
  },
  ".rb": {
    uses: /^\s*(?:require|require_relative|load|gem) "([^"]+)"/gm,
    allowed: /^(?:json|net\/http|openssl|socket)$/,
  },
  ".sh": {
    uses: /(?:^|[|({;`] ?|<\(|\$\()(curl|jq|openssl|node|npm|npx|python3?|ruby|perl|source)\b/gm,
    allowed: /^(?:curl|jq|openssl)$/,
  },
  ".cs": { uses: /^using (?:static )?([\w.]+);/gm, allowed: /^System(?:\.\w+)*$/ },
};

/** A broker, workers, a firm, and the sample alone in a folder with its settings. */
async function firmWithSample(file: string, { command, environment }: Runtime, receiverOrigin: string) {
  const here = await world({ redisUrl: (await ownRedisForThisTest()).url, receivers: [receiverOrigin] });
  const returnUrl = `http://127.0.0.1:${await freePort()}/imanage/returned`;
  const firm = await addOrganisation(here, {
    servers: { dms: { simulator: here.simulator } },
    clients: { sample: { returnUrls: [returnUrl] } },
  });
  const client = firm.clients.sample;
  const server = firm.servers.dms.id;

  const folder = await temporaryFolder();
  await copyFile(join(ROOT, "scripts/samples", file), join(folder, basename(file)));
  // What `npm install openid-client` brings.
  await mkdir(join(folder, "node_modules"));
  await symlink(join(ROOT, "node_modules/openid-client"), join(folder, "node_modules/openid-client"));
  const [, basic = ""] = client.authorization.split(" ");
  const [id = "", secret = ""] = Buffer.from(basic, "base64").toString().split(":");
  await writeFile(join(folder, "secret"), `${secret}\n`, { mode: 0o600 });

  const sample = (args: readonly string[], more: Record<string, string> = {}) =>
    runProgram(command, [basename(file), ...args], {
      cwd: folder,
      env: plainEnvironment({
        ...environment,
        BROKER_URL: here.base,
        CLIENT_ID: id,
        CLIENT_SECRET_FILE: "secret",
        SERVER: server,
        LIBRARY,
        RETURN_URL: returnUrl,
        CURSOR_FILE: "cursor",
        WEBHOOK_SECRET_FILE: "webhook-secret",
        ...more,
      }),
    });
  return {
    here: {
      ...here,
      async runSyncs() {
        const { body } = await client.call<{ id: string }>("POST", "/v1/syncs", { server, library: LIBRARY });
        expect((await client.call("POST", `/v1/syncs/${body.id}/run`)).status).toBeLessThan(300);
      },
    },
    sample,
    async run(args: readonly string[], more: Record<string, string> = {}, input = "") {
      const program = sample(args, more);
      program.child.stdin!.end(input);
      const { code } = await program.ended;
      return { code, output: program.output() };
    },
    /** What the sample has written down, after it was put back where that is told. */
    async cursorOf(put?: string): Promise<string> {
      if (put !== undefined) await writeFile(join(folder, "cursor"), put);
      return readFile(join(folder, "cursor"), "utf8");
    },
    async subscribe(url: string): Promise<string> {
      const made = await client.call<{ secret: string }>("POST", "/v1/event-subscriptions", {
        organisation: firm.organisation,
        url,
      });
      expect(made.status).toBe(201);
      await writeFile(join(folder, "webhook-secret"), made.body.secret, { mode: 0o600 });
      return made.body.secret;
    },
    work: () => workers(here),
    lend: () => lendLibrary(`${here.base}/servers/${server}/libraries`, LIBRARY, LENDER),
  };
}

async function workers({ broker }: World): Promise<void> {
  const started = await startWorkers({
    connect: () => connectRedis(broker.redisAddress, "blocking"),
    stories: broker.workerStories,
    jobStarts: broker.jobStarts,
    timers: broker.timers,
    log: broker.log,
    onEvent: (hear) => broker.happened.each(hear),
  });
  onTestFinished(() => started.close());
}
