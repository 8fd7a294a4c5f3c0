import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { runChild } from "../../scripts/run-child.mjs";

const program = (name: string) => fileURLToPath(new URL(`../../src/main/${name}.ts`, import.meta.url));

it.each(["http", "worker", "all", "cli"])(
  "T17 %s does not start while NODE_TLS_REJECT_UNAUTHORIZED is set",
  async (name) => {
    const { code, output } = await runChild(
      process.execPath,
      [program(name), ...(name === "cli" ? ["show", "servers"] : [])],
      {
        env: {
          PATH: process.env.PATH ?? "",
          NODE_ENV: "test",
          REDIS_URL: "redis://127.0.0.1:1",
          PUBLIC_BASE_URL: "http://127.0.0.1:2",
          NODE_TLS_REJECT_UNAUTHORIZED: "0",
        },
        capture: true,
      },
    );
    expect(code).toBe(1);
    expect(output).toContain("NODE_TLS_REJECT_UNAUTHORIZED must not be set");
    expect(output).toContain("name its file as ca_file of the server");
  },
);
