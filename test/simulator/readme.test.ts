import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { defaultWorld } from "../../src/simulator/start-simulator.ts";
import { switchesSchema } from "../../src/simulator/switches.ts";
import { simulator } from "./visitor.ts";

const readme = await readFile(new URL("../../src/simulator/README.md", import.meta.url), "utf8");

test("the README tells every switch with its default and its reason", () => {
  for (const [name, schema] of Object.entries(switchesSchema.shape)) {
    const row = readme
      .split("\n")
      .find((line) => line.startsWith(`| \`${name}\` | \`${schema.parse(undefined)}\` |`));
    expect(row, name).toContain(schema.description);
  }
});

test("the README tells every control route", async () => {
  const sim = await simulator();
  const { routes } = (await (await fetch(sim.controlUrl)).json()) as { routes: string[] };
  for (const route of routes) {
    const [method = "", path = ""] = route.split(" ");
    const rows = readme.split("\n").filter((line) => line.includes(`${path}\``) || line.includes(`${path}?`));
    expect(
      rows.some((row) => row.includes(method)),
      route,
    ).toBe(true);
  }
});

test("the README tells every user with his password, every application with its secret, every library", () => {
  const { users, registrations, libraries } = defaultWorld();
  for (const { id, customer_id, password } of users)
    expect(readme).toContain(`| \`${id}\` | ${customer_id} | \`${password}\` |`);
  for (const { client_id, client_secrets } of registrations)
    expect(readme).toContain(`| \`${client_id}\` | \`${client_secrets?.[0]?.value}\` |`);
  for (const { id, customer_id, documents } of libraries)
    expect(readme).toContain(`| \`${id}\` | ${customer_id} | ${documents?.length} |`);
});
