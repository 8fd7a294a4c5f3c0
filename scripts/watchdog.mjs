// What a killed parent leaves behind, ended. Plain JavaScript without dependencies, like the bootstrap.
import { spawn } from "node:child_process";

/**
 * A shell that holds the other end of a pipe. However the parent ends (kill -9 included), the pipe closes; the
 * shell then ends the child, politely first, and removes the folder it was given.
 *
 * One that has ended but that nobody has collected yet (a container without a proper init) counts as ended.
 *
 * $1 pid, $2 fifths of a second until SIGKILL, $3 folder or nothing.
 */
const WATCH = `
read -r ignored
kill -TERM "$1" 2>/dev/null
kill -CONT "$1" 2>/dev/null
left=$2
while [ "$left" -gt 0 ] && kill -0 "$1" 2>/dev/null; do
  { read -r state < "/proc/$1/stat"; } 2>/dev/null && case $state in *") Z "*) break ;; esac
  sleep 0.2
  left=$((left - 1))
done
kill -KILL "$1" 2>/dev/null
if [ -n "$3" ]; then rm -rf -- "$3"; fi
`;

/**
 * Makes `child` end when this process ends, in whatever way. The watchdog leaves with the child, before its pid
 * can belong to somebody else.
 *
 * @param {import("node:child_process").ChildProcess} child a child that has been spawned
 * @param {{ graceSeconds: number, removeFolder?: string }} options
 */
export function endWithThisProcess(child, { graceSeconds, removeFolder = "" }) {
  const words = [String(child.pid), String(graceSeconds * 5), removeFolder];
  const dog = spawn("/bin/sh", ["-c", WATCH, "watchdog", ...words], {
    stdio: ["pipe", "ignore", "ignore"],
    // A Ctrl-C in the terminal must not take the watchdog before the one it watches.
    detached: true,
  });
  // Where there is no /bin/sh there is no watchdog; everything else works.
  dog.on("error", () => {});
  dog.stdin.on("error", () => {});
  dog.unref();
  dog.stdin.unref();
  child.once("exit", () => dog.kill("SIGKILL"));
}
