import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFile,
  type FileHandle,
  mkdir,
  mkdtemp,
  open,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { AuditBatch } from "../../src/domain/audit-entry.ts";
import { AuditFileError, makeFileAuditSink } from "../../src/ops/file-audit-sink.ts";
import { batchOf } from "../kit/audit-batch.ts";

const ORGANISATION = "org_abcdefghjk";

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "audit-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

function sinkAt(path: string) {
  const sink = makeFileAuditSink(path);
  onTestFinished(() => sink.close());
  return sink;
}

const batch = (from: number, count = 1): AuditBatch =>
  batchOf(
    ORGANISATION,
    Array.from({ length: count }, (_, at) => ({ sequence: from + at, fields: { act: "token", at: "1" } })),
  );

const sequencesIn = async (path: string): Promise<number[]> =>
  (await readFile(path, "utf8"))
    .trimEnd()
    .split("\n")
    .filter((line) => !line.includes('"checkpoint"'))
    .map((line) => JSON.parse(line).sequence);

describe("the audit file", () => {
  it("has a line per entry, and is closed to everyone else", async () => {
    const path = join(await folder(), "new", "audit.jsonl");
    const written = batchOf(ORGANISATION, [
      { sequence: 1, fields: { act: "token", text: 'a\n"b"', organisation: "forged", sequence: "99" } },
      { sequence: 2, fields: {} },
    ]);
    await sinkAt(path).write(written);
    const [one, two] = written.entries.map(({ hash }) => hash);
    expect(await readFile(path, "utf8")).toBe(
      `{"organisation":"${ORGANISATION}","sequence":1,"act":"token","text":"a\\n\\"b\\"","hash":"${one}"}\n` +
        `{"organisation":"${ORGANISATION}","sequence":2,"hash":"${two}"}\n` +
        `{"organisation":"${ORGANISATION}","sequence":2,"checkpoint":"not.a.signature"}\n`,
    );
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(join(path, ".."))).mode & 0o777).toBe(0o700);
  });

  it("keeps batches that are written at once apart and in order", async () => {
    const path = join(await folder(), "audit.jsonl");
    const sink = sinkAt(path);
    await Promise.all(Array.from({ length: 50 }, (_, at) => sink.write(batch(at * 20 + 1, 20))));
    expect(await sequencesIn(path)).toEqual(Array.from({ length: 1_000 }, (_, at) => at + 1));
  });

  it("begins again where the old one was renamed, removed or cut", async () => {
    const path = join(await folder(), "audit.jsonl");
    const sink = sinkAt(path);
    await sink.write(batch(1));
    await rename(path, `${path}.1`);
    await sink.write(batch(2));
    expect([await sequencesIn(`${path}.1`), await sequencesIn(path)]).toEqual([[1], [2]]);
    await rm(path);
    await sink.write(batch(3));
    expect(await sequencesIn(path)).toEqual([3]);
    await writeFile(`${path}.new`, "");
    await rename(`${path}.new`, path);
    await sink.write(batch(4));
    expect(await sequencesIn(path)).toEqual([4]);
    await truncate(path);
    await sink.write(batch(5));
    expect(await sequencesIn(path)).toEqual([5]);
  });

  it("ends a line that a crash has torn before it goes on", async () => {
    const path = join(await folder(), "audit.jsonl");
    const sink = sinkAt(path);
    await sink.write(batch(1));
    await appendFile(path, '{"organisation":"org_ab');
    await sink.write(batch(2));
    await sink.write(batch(3));
    const lines = (await readFile(path, "utf8")).split("\n");
    expect(lines).toHaveLength(8);
    expect(lines[2]).toBe('{"organisation":"org_ab');
    expect([lines[0], lines[3], lines[5]].map((line) => JSON.parse(line!).sequence)).toEqual([1, 2, 3]);
  });

  it("says by a code alone what the system refused, and goes on when it no longer does", async () => {
    const path = join(await folder(), "audit.jsonl");
    await mkdir(path);
    const sink = sinkAt(path);
    const refused = await sink.write(batch(1)).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(AuditFileError);
    expect(refused).toMatchObject({ code: "EISDIR", message: "the audit file cannot be written: EISDIR" });
    await rm(path, { recursive: true });
    await sink.write(batch(1));
    expect(await sequencesIn(path)).toEqual([1]);
  });

  it("acknowledges what is on the disk, and nothing that is only on its way there", async () => {
    const path = join(await folder(), "audit.jsonl");
    const sink = sinkAt(path);
    const probe = await open(path, "a+");
    await probe.close();
    const steps: string[] = [];
    const handles = new Set<unknown>();
    const prototype = Object.getPrototypeOf(probe) as FileHandle;
    const datasync = prototype.datasync;
    const spy = vi.spyOn(prototype, "datasync").mockImplementation(async function (this: FileHandle) {
      handles.add(this);
      steps.push(`${(await sequencesIn(path)).length} written`);
      if (handles.size === 1) throw Object.assign(new Error("canary"), { code: "EIO" });
      await datasync.call(this);
      steps.push("on the disk");
    });
    onTestFinished(() => spy.mockRestore());

    await expect(sink.write(batch(1))).rejects.toMatchObject({ code: "EIO" });
    await sink.write(batch(1)).then(() => steps.push("acknowledged"));
    // After a failed sync the system may take the pages for clean: they are written again, through another handle.
    expect(steps).toEqual(["1 written", "2 written", "on the disk", "acknowledged"]);
    expect(handles.size).toBe(2);
  });

  it("on a full disk refuses the batch instead of acknowledging it", async () => {
    const sink = sinkAt("/dev/full");
    await expect(sink.write(batch(1))).rejects.toMatchObject({ code: "ENOSPC" });
  });

  it("holds everything that was acknowledged when its process is killed", async () => {
    const path = join(await folder(), "audit.jsonl");
    const writer = spawn(
      process.execPath,
      [
        "--input-type=module",
        "-e",
        `import { makeFileAuditSink } from ${JSON.stringify(new URL("../../src/ops/file-audit-sink.ts", import.meta.url).href)};
         import { writeSync } from "node:fs";
         const sink = makeFileAuditSink(${JSON.stringify(path)});
         for (let sequence = 1; ; sequence += 10) {
           const entries = Array.from({ length: 10 }, (_, at) => ({ sequence: sequence + at, fields: { pad: "x".repeat(500) }, hash: "h" }));
           await sink.write({ journal: "${ORGANISATION}", entries, checkpoint: "not.a.signature" });
           writeSync(1, sequence + 9 + "\\n");
         }`,
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    onTestFinished(() => void writer.kill("SIGKILL"));
    const exited = once(writer, "exit");
    let acknowledged = 0;
    for await (const line of createInterface({ input: writer.stdout })) {
      acknowledged = Number(line);
      if (acknowledged >= 200) writer.kill("SIGKILL");
    }
    await exited;
    expect(acknowledged).toBeGreaterThanOrEqual(200);

    await appendFile(path, '{"organ'); // As if it had been killed inside a write.
    await sinkAt(path).write(batch(1_000_000));
    const kept = (await readFile(path, "utf8"))
      .split("\n")
      .filter((line) => line.endsWith("}") && !line.includes('"checkpoint"'))
      .map((line) => JSON.parse(line).sequence as number);
    expect(kept.slice(0, acknowledged)).toEqual(Array.from({ length: acknowledged }, (_, at) => at + 1));
    expect(kept.at(-1)).toBe(1_000_000);
  });
});
