// One child process in the foreground. Plain JavaScript without dependencies, like the bootstrap.
import { spawn } from "node:child_process";
import { endWithThisProcess } from "./watchdog.mjs";

const FORWARDED = ["SIGINT", "SIGTERM", "SIGHUP"];
/** `npm run` sends on what the terminal has already sent to everyone: the same signal, twice within moments. */
const SAME_SIGNAL_WITHIN_MS = 500;
/** Longer than the shutdown of anything that is started here may take. */
const GRACE_SECONDS = 100;

/**
 * Runs a command, hands it every SIGINT, SIGTERM and SIGHUP exactly once, and waits until it has tidied up and
 * ended, however long that takes.
 *
 * The child gets a process group of its own. Otherwise a Ctrl-C would reach it twice, from the terminal and from
 * us, and programs take the second one to mean "at once, without tidying up".
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, cwd?: string, capture?: boolean }} [options] with `capture` its output is
 *   returned, and not shown
 * @returns {Promise<{ code: number | null, signal: NodeJS.Signals | null, output: string }>} rejects if the
 *   command cannot be started
 */
export function runChild(command, args, options = {}) {
  const { capture = false, cwd, env = process.env } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env,
      detached: true,
      stdio: capture ? ["ignore", "pipe", "pipe"] : "inherit",
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding("utf8").on("data", (text) => (output += text));

    const handlers = new Map(FORWARDED.map((signal) => [signal, forwarding(child, signal)]));
    // Ctrl-Z and fg: the child's group is not the terminal's, so it is told.
    handlers.set("SIGTSTP", () => {
      child.kill("SIGSTOP");
      process.kill(process.pid, "SIGSTOP");
    });
    handlers.set("SIGCONT", () => child.kill("SIGCONT"));
    for (const [signal, handler] of handlers) process.on(signal, handler);
    const done = () => {
      for (const [signal, handler] of handlers) process.off(signal, handler);
    };

    child.once("spawn", () => endWithThisProcess(child, { graceSeconds: GRACE_SECONDS }));
    child.once("error", (error) => {
      done();
      reject(error);
    });
    child.once("close", (code, signal) => {
      done();
      resolve({ code, signal, output });
    });
  });
}

/** Ends this process the way the child ended, so that the caller's shell sees no difference. */
export function exitLike({ code, signal }) {
  if (signal !== null) {
    process.kill(process.pid, signal);
    // If the signal is one that Node survives, by the shell's convention.
    setTimeout(() => process.exit(1), 1_000);
    return;
  }
  process.exit(code ?? 1);
}

function forwarding(child, signal) {
  let last = Number.NEGATIVE_INFINITY;
  return () => {
    const now = performance.now();
    if (now - last < SAME_SIGNAL_WITHIN_MS) return;
    last = now;
    child.kill(signal);
  };
}
