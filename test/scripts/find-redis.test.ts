import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findRedisServer, RedisUnavailable } from "../../scripts/redis/index.ts";
import { temporaryFolder } from "./program.ts";

test("a Valkey on PATH comes before a Redis on PATH", async () => {
  const folder = await temporaryFolder();
  await program(folder, "valkey-server", 'echo "Valkey server v=8.1.1 sha=0:0 malloc=x bits=64"');
  await program(folder, "redis-server", 'echo "Redis server v=7.2.4 sha=0:0 malloc=x bits=64"');
  expect(await findRedisServer({ searchPath: folder })).toEqual({
    path: join(folder, "valkey-server"),
    version: "8.1.1",
    kind: "valkey",
    origin: "path",
  });
});

test("one that is too old is passed over, and the sentence says what to install", async () => {
  const folder = await temporaryFolder();
  await program(folder, "redis-server", 'echo "Redis server v=6.2.14 sha=0:0 malloc=x bits=64"');
  const said: string[] = [];
  const found = findRedisServer({ searchPath: folder, log: (line) => said.push(line) });
  await expect(found).rejects.toThrow(RedisUnavailable);
  await expect(found).rejects.toThrow(
    /install redis-server or valkey-server, version 7 or newer, or set REDIS_URL/,
  );
  expect(said.join("\n")).toContain("6.2.14, older than 7");
});

test("where the package mirrors cannot be reached the sentence says so", async () => {
  const folder = await temporaryFolder();
  await program(
    folder,
    "apt-get",
    'case "$*" in *update*) echo "W: Failed to fetch a list" >&2 ;; *) echo "E: Unable to locate package" >&2; exit 100 ;; esac',
  );
  await program(folder, "dpkg-deb", "exit 1");
  await expect(findRedisServer({ searchPath: folder, dataFolder: folder })).rejects.toThrow(
    "apt cannot reach the distribution's package mirrors",
  );
});

test("Homebrew is asked where it is there and nothing else helps", async () => {
  const folder = await temporaryFolder();
  await program(
    folder,
    "brew",
    `case "$1" in
      install) /bin/mkdir "${folder}/bin" && printf '#!/bin/sh\\necho "Redis server v=8.2.0 sha=0:0"\\n' > "${folder}/bin/redis-server" && /bin/chmod 755 "${folder}/bin/redis-server" ;;
      --prefix) echo "${folder}" ;;
    esac`,
  );
  const said: string[] = [];
  expect(await findRedisServer({ searchPath: folder, log: (line) => said.push(line) })).toMatchObject({
    version: "8.2.0",
    origin: "homebrew",
  });
  expect(said).toEqual(["No Redis is installed: asking Homebrew for it (brew install redis)"]);
});

async function program(folder: string, name: string, script: string): Promise<void> {
  await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`);
  await chmod(join(folder, name), 0o755);
}
