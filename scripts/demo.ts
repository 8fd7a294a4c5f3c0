// `scripts/demo`: the product, looked at. USAGE in demo-parts/arguments.ts says what it can do.
import { appendFileSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type DemoArguments, readArguments, USAGE } from "./demo-parts/arguments.ts";
import { Children, EndedEarly } from "./demo-parts/children.ts";
import { Folder, moveAside } from "./demo-parts/folder.ts";
import { runServerDemo } from "./demo-parts/run-server-demo.ts";
import { type Running, runSimulatedDemo } from "./demo-parts/run-simulated-demo.ts";
import { Sentence } from "./demo-parts/sentence.ts";
import { describe, StepFailed, Teller } from "./demo-parts/teller.ts";
import { holdingLock } from "./lock.mjs";
import { RedisUnavailable } from "./redis/index.ts";

/** Whoever read our output has gone: there is nobody left to tell. */
process.stdout.on("error", () => {});
process.stderr.on("error", () => {});

process.exit(await main());

async function main(): Promise<number> {
  try {
    const args = readArguments(process.argv.slice(2));
    if (args.help) {
      process.stdout.write(USAGE);
      return 0;
    }
    mkdirSync(dirname(args.folder), { recursive: true });
    return await holdingLock(`${args.folder}.lock`, () => run(args), {
      onWait: ({ pid }) => {
        throw new Sentence(
          `A demo with the data of ${args.folder} runs already (process ${pid}): end it first, or take another folder with --data DIR.`,
        );
      },
    });
  } catch (error) {
    return complain(error, undefined);
  }
}

async function run(args: DemoArguments): Promise<number> {
  const aside = args.fresh ? moveAside(args.folder) : undefined;
  const folder = new Folder(args.folder);
  const teller = new Teller((text) => void process.stdout.write(text));
  if (aside !== undefined) teller.say(`The data of earlier runs is in ${aside} now.`);

  const running: Running = {
    args,
    folder,
    teller,
    children: new Children(folder.file("logs")),
    endings: [],
  };
  const { interrupted, forget } = onInterrupt(running);
  const telling = args.serverFile === undefined ? runSimulatedDemo(running) : runServerDemo(running);
  telling.catch(() => {});
  try {
    const outcome = await Promise.race([telling, running.children.endedEarly, interrupted]);
    if (outcome !== "stay") return outcome === "interrupted" ? 130 : 0;
    await Promise.race([running.children.endedEarly, interrupted]);
    return 0;
  } catch (error) {
    return complain(teller.failure(await rootOf(error, running.children)), folder);
  } finally {
    await endEverything(running);
    forget();
  }
}

/** A process that has ended explains the connection that was refused a moment before we heard of its end. */
async function rootOf(error: unknown, children: Children): Promise<unknown> {
  if (!(error instanceof StepFailed) || error.cause instanceof Sentence) return error;
  const early = await Promise.race([children.endedEarly.catch((cause: unknown) => cause), pause(300)]);
  return early === undefined ? error : new StepFailed(error.step, error.expected, early);
}

/** What was started last ends first; processes end together, Redis after all who write to it. */
async function endEverything({ endings, children }: Running): Promise<void> {
  await children.endAll();
  for (const end of endings.toReversed()) await end();
}

function onInterrupt(running: Running) {
  const { promise, resolve } = Promise.withResolvers<"interrupted">();
  let times = 0;
  const listener = () => {
    times++;
    if (times === 1) {
      running.teller.say("\nEnding everything that was started …");
      resolve("interrupted");
    } else {
      running.children.killAll();
      process.exit(130);
    }
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, listener);
  return {
    interrupted: promise,
    forget: () => {
      for (const signal of signals) process.off(signal, listener);
    },
  };
}

/** A failure in words. What nobody foresaw keeps its stack in a log, and out of the way. */
function complain(error: unknown, folder: Folder | undefined): number {
  const cause = error instanceof StepFailed ? error.cause : error;
  const lines: string[] = [];
  if (error instanceof StepFailed) {
    lines.push(`FAILED: ${error.step}`, `  expected  ${error.expected}`, `  seen      ${error.seen}`);
  } else lines.push(cause instanceof EndedEarly ? `FAILED: ${cause.message}` : describe(cause));
  if (cause instanceof EndedEarly) {
    lines.push("", `---- last lines of ${cause.log} ----`, cause.lastLines || "(none)", "----");
  }
  if (folder !== undefined && !(error instanceof Sentence) && !(error instanceof RedisUnavailable)) {
    const stack = cause instanceof Error ? cause.stack : undefined;
    if (stack) appendFileSync(folder.file("logs", "demo.log"), `${new Date().toISOString()} ${stack}\n`);
    lines.push(`  logs      ${folder.shown("logs")}/`);
  }
  process.stderr.write(`${lines.join("\n")}\n`);
  return 1;
}
